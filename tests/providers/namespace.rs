//! A Namespace as a whole cluster: what needs more than one of them.
