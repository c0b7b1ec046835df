//! Secrets with kubeconfigs.
