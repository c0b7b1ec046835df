//! The names of Leases.
//!
//! A name that is a DNS label stands in its Lease's name as it is, for people. Any other is hashed, so that names which
//! differ only in what a Lease's name cannot hold (`a/b`, `a_b`, `A-b`) never share a Lease.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use super::mutant::{Mutant, Mutants};
use crate::error::Error;

const HASH_LENGTH: usize = 10;
const LONGEST_SLUG: usize = 40;

/// The name of the Lease for `name` under `prefix`.
pub(crate) fn lease_name(prefix: &str, name: &str) -> String {
    if is_plain(name) {
        return format!("{prefix}-{name}");
    }
    let slug = slug(name);
    let digest = BASE32_NOPAD.encode(&Sha256::digest(name)).to_lowercase();
    let hash = with_digit(&digest);
    match slug.trim_matches('-') {
        "" => format!("{prefix}-{hash}"),
        slug => format!("{prefix}-{slug}-{hash}"),
    }
}

/// The name of the fence of the cluster `name`.
pub(crate) fn fence_name(prefix: &str, name: &str, mutants: Mutants) -> String {
    if mutants.has(Mutant::NoHash) {
        return format!("{prefix}-{}", slug(name));
    }
    lease_name(prefix, name)
}

fn slug(name: &str) -> String {
    name.chars()
        .map(|c| match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
            _ => '-',
        })
        .take(LONGEST_SLUG)
        .collect()
}

/// What follows `prefix` in the name of a Lease; `None` for a Lease that is not under it.
pub(crate) fn under<'a>(prefix: &str, lease: &'a str) -> Option<&'a str> {
    lease.strip_prefix(prefix)?.strip_prefix('-')
}

/// Whether `name` stands in its Lease's name unchanged.
pub(crate) fn is_plain(name: &str) -> bool {
    is_dns_label(name) && !looks_hashed(name)
}

/// Checks the two prefixes of a fleet.
pub(crate) fn check_prefixes(peers: &str, fences: &str) -> Result<(), Error> {
    check_prefix(peers)?;
    check_prefix(fences)?;
    let within = |a: &str, b: &str| a == b || a.starts_with(&format!("{b}-"));
    if within(peers, fences) || within(fences, peers) {
        return Err(Error::setting(format!(
            "the Lease prefixes {peers:?} (peers) and {fences:?} (clusters) overlap: neither may begin with the other"
        )));
    }
    Ok(())
}

/// Checks one of them.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), Error> {
    if !is_dns_label(prefix) {
        return Err(Error::setting(format!(
            "the Lease prefix {prefix:?} must be 1 to 63 lower-case letters, digits and inner dashes"
        )));
    }
    Ok(())
}

fn is_dns_label(name: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Whether `name` could be what hashing makes of another name.
fn looks_hashed(name: &str) -> bool {
    let last = name.rsplit('-').next().unwrap_or(name);
    last.len() == HASH_LENGTH
        && last.bytes().all(|c| matches!(c, b'a'..=b'z' | b'2'..=b'7'))
        && has_digit(last)
}

/// The first piece of `digest` that no English word looks like: `prod-kubernetes` shall stay as it is.
fn with_digit(digest: &str) -> &str {
    (0..=digest.len() - HASH_LENGTH)
        .map(|start| &digest[start..start + HASH_LENGTH])
        .find(|piece| has_digit(piece))
        .unwrap_or(&digest[..HASH_LENGTH])
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay_readable() {
        assert_eq!(lease_name("mcr-shard", "zoo"), "mcr-shard-zoo");
        assert_eq!(lease_name("p", "prod-kubernetes"), "p-prod-kubernetes");
        assert_eq!(
            lease_name("mcr-peer", "sharded-namespace-0"),
            "mcr-peer-sharded-namespace-0"
        );
    }

    #[test]
    fn different_names_never_share_a_lease() {
        let hashed = lease_name("p", "a/b");
        let names = [
            "a/b",
            "a_b",
            "A-b",
            "a-b",
            "a.b",
            "",
            "größe",
            hashed.strip_prefix("p-").unwrap(),
        ];
        let leases: std::collections::BTreeSet<_> =
            names.iter().map(|name| lease_name("p", name)).collect();
        assert_eq!(leases.len(), names.len(), "{leases:?}");
    }

    #[test]
    fn every_name_fits() {
        for name in ["x".repeat(512), "-".repeat(300), "ä".repeat(100)] {
            let lease = lease_name("mcr-shard", &name);
            assert!(lease.len() <= 63, "{lease}");
            assert!(is_dns_label(&lease), "{lease}");
        }
    }

    #[test]
    fn prefixes_must_not_overlap() {
        check_prefixes("mcr-peer", "mcr-shard").unwrap();
        for (peers, fences) in [
            ("mcr", "mcr-shard"),
            ("a", "a"),
            ("", "b"),
            ("A", "b"),
            ("a-b", "a"),
        ] {
            assert!(check_prefixes(peers, fences).is_err(), "{peers} {fences}");
        }
    }
}
