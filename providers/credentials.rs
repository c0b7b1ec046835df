//! Connections by the credentials of a kubeconfig.
