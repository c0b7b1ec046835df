//! Checks of certificates, keys and tokens, so that a broken one is named.

use data_encoding::BASE64;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use x509_cert::{Certificate, der::Decode};

use super::{access::Access, error::Error, pem::blocks};

const CA: &str = "certificate-authority-data";
const CERTIFICATE: &str = "client-certificate-data";
const KEY: &str = "client-key-data";

/// Puts base64 that stands in several lines into one; kubectl takes those too, and kube does not.
pub(super) fn join_lines(access: &mut Access) {
    let joined = |data: &str| -> String {
        let kept = data.chars().filter(|c| !c.is_ascii_whitespace());
        kept.collect()
    };
    let (cluster, user) = (&mut access.cluster, &mut access.user);
    for data in [
        &mut cluster.certificate_authority_data,
        &mut user.client_certificate_data,
    ] {
        *data = data.as_deref().map(joined);
    }
    let key = user.client_key_data.take();
    user.client_key_data = key.map(|key| joined(key.expose_secret()).into());
}

/// Whether all that a client would be made of can be used at `now`.
pub(super) fn check(access: &Access, now: Timestamp) -> Result<(), Error> {
    if let Some(data) = &access.cluster.certificate_authority_data {
        certificates(CA, data)?;
    }
    let user = &access.user;
    let key = user
        .client_key_data
        .as_ref()
        .map(ExposeSecret::expose_secret);
    match (&user.client_certificate_data, key) {
        (None, None) => {}
        (Some(_), None) => return Err(Error::Missing { field: KEY }),
        (None, Some(_)) => return Err(Error::Missing { field: CERTIFICATE }),
        (Some(certificate), Some(key)) => {
            let chain = certificates(CERTIFICATE, certificate)?;
            valid_at(&chain[0], now)?;
            private_key(key)?;
        }
    }
    match &user.token {
        Some(token) if !is_header(token.expose_secret()) => Err(Error::Token),
        _ => Ok(()),
    }
}

/// Whether the certificate authority can be read as certificates; asked when a TLS library has refused something.
pub(super) fn authority_is_readable(data: Option<&str>) -> bool {
    let Some(data) = data else { return true };
    certificates(CA, data).is_ok_and(|chain| {
        let mut ders = chain.iter();
        ders.all(|der| Certificate::from_der(der).is_ok())
    })
}

/// The base64 of a field.
fn decode(field: &'static str, data: &str) -> Result<Vec<u8>, Error> {
    let decoded = BASE64.decode(data.as_bytes());
    decoded.map_err(|_| Error::Base64 { field })
}

/// The certificates of a field, at least one.
fn certificates(field: &'static str, data: &str) -> Result<Vec<Vec<u8>>, Error> {
    let text = decode(field, data)?;
    let blocks = blocks(&text).ok_or(Error::Pem { field })?;
    let ders: Vec<_> = blocks
        .into_iter()
        .filter(|block| block.label == "CERTIFICATE")
        .map(|block| block.der)
        .collect();
    if ders.is_empty() {
        return Err(Error::Pem { field });
    }
    Ok(ders)
}

fn valid_at(der: &[u8], now: Timestamp) -> Result<(), Error> {
    let unreadable = |_| Error::Certificate { field: CERTIFICATE };
    let certificate = Certificate::from_der(der).map_err(unreadable)?;
    let validity = certificate.tbs_certificate().validity();
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    if seconds < validity.not_before.to_unix_duration().as_secs() {
        return Err(Error::NotYetValid {
            from: validity.not_before.to_date_time().to_string(),
        });
    }
    if seconds > validity.not_after.to_unix_duration().as_secs() {
        return Err(Error::Expired {
            since: validity.not_after.to_date_time().to_string(),
        });
    }
    Ok(())
}

fn private_key(data: &str) -> Result<(), Error> {
    let text = decode(KEY, data)?;
    let blocks = blocks(&text).ok_or(Error::Pem { field: KEY })?;
    let has = |label: &str| blocks.iter().any(|block| block.label == label);
    if has("PRIVATE KEY") || has("RSA PRIVATE KEY") || has("EC PRIVATE KEY") {
        Ok(())
    } else if has("ENCRYPTED PRIVATE KEY") {
        Err(Error::EncryptedKey)
    } else {
        Err(Error::Pem { field: KEY })
    }
}

/// Whether a text can stand in a header; a line break at its end is the usual mistake.
fn is_header(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ')
}
