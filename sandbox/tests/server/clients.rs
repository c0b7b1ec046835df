//! Programs that were written for a real cluster, and the load that many of them make.

mod load;
mod measured;
mod runtime;
