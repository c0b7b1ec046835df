//! Proof that an earlier process of this peer is dead (P12).
//!
//! The kubelet starts a container again only after its last process has ended, but a Lease does not show that: without
//! a proof the new process would have to wait until the old one's Leases expire. An abstract Unix socket is the proof.
//! The kernel lets one process of a network namespace bind its name, and frees it when that process ends, however it
//! ends. All containers of a pod share one such namespace, and keep it over restarts.

#[cfg(target_os = "linux")]
use std::os::{fd::OwnedFd, linux::fs::MetadataExt};

use super::{claim::Place, record::Pod};
use crate::clock::Clock;

/// Where this process runs, and since when it is the only one of `peer` there; `None` where that cannot be told.
///
/// The socket is kept until the process ends, whatever becomes of its manager: work may outlive that.
#[cfg(target_os = "linux")]
pub(crate) fn place(pod: &str, fleet: &str, peer: &str, clock: &dyn Clock) -> Option<Place> {
    let network = network()?;
    let proof = proof(pod, fleet, peer);
    let alone_since = match bind(&format!("multicluster.rs/{proof}")) {
        Ok(socket) => {
            std::mem::forget(socket);
            Some(clock.now())
        }
        Err(error) => {
            tracing::warn!(
                %error,
                "another process of this peer runs in this pod: a restart will have to wait for the Lease to expire"
            );
            None
        }
    };
    Some(Place {
        pod: Pod {
            uid: pod.into(),
            // A proof of another fleet proves nothing for this one.
            network: format!("{network}/{}", &proof[..16]).into(),
        },
        alone_since,
    })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn place(_: &str, _: &str, _: &str, _: &dyn Clock) -> Option<Place> {
    None
}

/// The boot of the machine and the network namespace: in any other the socket proves nothing.
#[cfg(target_os = "linux")]
fn network() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::metadata("/proc/self/ns/net").ok()?;
    Some(format!("{}/{}", boot.trim(), namespace.st_ino()))
}

/// What the socket's name stands for, hashed: at most 107 bytes fit.
#[cfg(target_os = "linux")]
fn proof(pod: &str, fleet: &str, peer: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(format!("{pod}\0{fleet}\0{peer}"));
    data_encoding::HEXLOWER.encode(&digest)
}

#[cfg(target_os = "linux")]
fn bind(name: &str) -> rustix::io::Result<OwnedFd> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};
    let address = SocketAddrUnix::new_abstract_name(name.as_bytes())?;
    // Close-on-exec: a child of this process must not hold it.
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    bind(&socket, &address)?;
    Ok(socket)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn one_process_of_a_peer_in_a_pod_has_the_proof() {
        let place = |pod, peer| place(pod, "mcr-peer", peer, &SystemClock).unwrap();
        let pod = format!("test-{}", std::process::id());
        let first = place(&pod, "a");
        assert!(first.alone_since.is_some());
        assert!(
            place(&pod, "a").alone_since.is_none(),
            "it is held until the process ends"
        );
        assert!(place(&pod, "b").alone_since.is_some(), "another peer");
        assert!(
            place(&format!("{pod}-2"), "a").alone_since.is_some(),
            "another pod"
        );
    }
}
