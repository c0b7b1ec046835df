//! Every context of kubeconfig files is a cluster.
