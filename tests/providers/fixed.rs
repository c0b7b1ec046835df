//! Clusters that come and go in code.
