//! How many files and sockets the process may have open.

/// Connections use one each, and the default of most systems, 1,024, is for some 300 clusters.
const ENOUGH: u64 = 65_536;

/// A hard limit below this is worth a word.
const LITTLE: u64 = 16_384;

/// Raises the limit of this process to what the system permits, as Go's runtime does; says so when that is little.
#[cfg(unix)]
pub(super) fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(ENOUGH, |maximum| maximum.min(ENOUGH));
    let present = limit.current.unwrap_or(u64::MAX);
    if wanted < LITTLE {
        tracing::warn!(
            limit = wanted,
            "this process may have few open files, and each watch is one: raise the hard limit (ulimit -Hn) for more than {} clusters",
            wanted / 4
        );
    }
    if present >= wanted {
        return;
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => tracing::debug!(
            from = present,
            to = wanted,
            "raised the limit of open files"
        ),
        Err(error) => tracing::warn!(
            limit = present,
            %error,
            "the limit of open files cannot be raised, and each watch needs one: use ulimit -n for more than some hundred clusters"
        ),
    }
}

#[cfg(not(unix))]
pub(super) fn raise_limit() {}
