//! Local files that a kubeconfig names.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use data_encoding::BASE64;
use tokio::task::spawn_blocking;

use super::{access::Access, error::Error};

/// More than any certificate or token has; a path may lead to a device without an end.
const MAX_BYTES: u64 = 1 << 20;

/// Puts the files' content in place of their paths, off the async threads. The file of a token stays: kube reads it anew
/// each minute.
pub(super) async fn inline(access: Access) -> Result<Access, Error> {
    let inlined = spawn_blocking(move || inline_blocking(access)).await;
    // The runtime is going down, or a bug.
    inlined.unwrap_or(Err(Error::Interrupted))
}

fn inline_blocking(mut access: Access) -> Result<Access, Error> {
    let (cluster, user) = (&mut access.cluster, &mut access.user);
    // What stands in the kubeconfig itself comes first, as in kubectl.
    if let Some(path) = cluster.certificate_authority.take()
        && cluster.certificate_authority_data.is_none()
    {
        let data = read("certificate-authority", &path)?;
        cluster.certificate_authority_data = Some(BASE64.encode(&data));
    }
    if let Some(path) = user.client_certificate.take()
        && user.client_certificate_data.is_none()
    {
        let data = read("client-certificate", &path)?;
        user.client_certificate_data = Some(BASE64.encode(&data));
    }
    if let Some(path) = user.client_key.take()
        && user.client_key_data.is_none()
    {
        let data = read("client-key", &path)?;
        user.client_key_data = Some(BASE64.encode(&data).into());
    }
    if let Some(path) = &user.token_file {
        read("tokenFile", path)?;
    }
    Ok(access)
}

/// Opens a file; a pipe or a device could keep the thread for ever.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    match fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("not a regular file")),
    }
}

/// Reads a file. Its path is not part of errors: whole keys stand there by mistake.
fn read(field: &'static str, path: &str) -> Result<Vec<u8>, Error> {
    let mut data = Vec::new();
    let file = open_regular(path.as_ref())
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut data));
    file.map_err(|source| Error::File { field, source })?;
    if data.len() as u64 > MAX_BYTES {
        return Err(Error::LargeFile { field });
    }
    Ok(data)
}
