//! Every Secret with a kubeconfig is a cluster.
