//! Every built-in provider keeps the contract of providers.
