//! Several providers as one.
