//! What is made of another provider.
