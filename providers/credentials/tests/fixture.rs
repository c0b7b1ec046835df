//! Kubeconfigs, certificates, and what must not be seen of them.

use data_encoding::BASE64;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};

/// What stands in every secret value.
pub(super) const MARK: &str = "s3cr3t-m4rk";

/// A client's certificate and key, as a kubeconfig holds them.
pub(super) struct Identity {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Identity {
    /// Valid from the start of one year to that of another.
    pub(super) fn new(from: i32, to: i32) -> Self {
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let key = KeyPair::generate().unwrap();
        Self {
            certificate: base64(params.self_signed(&key).unwrap().pem()),
            key: base64(key.serialize_pem()),
        }
    }
}

pub(super) fn base64(text: impl AsRef<[u8]>) -> String {
    BASE64.encode(text.as_ref())
}

pub(super) fn from_base64(text: &str) -> Vec<u8> {
    BASE64.decode(text.as_bytes()).unwrap()
}

/// A kubeconfig for `server` with a token.
pub(super) fn kubeconfig(server: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "a", "cluster": {"server": server}}],
        "users": [{"name": "a", "user": {"token": format!("{MARK}-token")}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    });
    change(&mut config);
    config.to_string()
}

/// Every piece of eight bytes of the secret values of a kubeconfig, and the mark with its base64.
pub(super) fn secrets_of(text: &[u8]) -> Vec<String> {
    let mut secrets = vec![MARK.to_owned(), "czNjcjN0".to_owned()];
    let config: Value = serde_json::from_slice(text).unwrap_or_default();
    let users = config["users"].as_array().into_iter().flatten();
    let clusters = config["clusters"].as_array().into_iter().flatten();
    let values = users
        .map(|user| &user["user"])
        .chain(clusters.map(|cluster| &cluster["cluster"]));
    for (name, value) in values.filter_map(Value::as_object).flatten() {
        let Some(value) = value.as_str().filter(|_| name != "server") else {
            continue;
        };
        let bytes: Vec<_> = value.bytes().filter(u8::is_ascii).collect();
        let pieces = bytes.windows(8);
        secrets.extend(pieces.map(|piece| String::from_utf8_lossy(piece).into_owned()));
    }
    secrets
}
