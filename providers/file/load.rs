//! Reads kubeconfig files.

use std::{
    io::{self, Read},
    path::{MAIN_SEPARATOR, Path},
};

use multicluster::{BoxError, kube::config::Kubeconfig};

use super::super::credentials;

/// The longest file that is read: a kubeconfig with thousands of contexts is smaller.
const LONGEST: u64 = 16 << 20;

/// Reads a kubeconfig; what it says of other files is relative to its own folder, as for kubectl.
///
/// An empty file is an error: it is about to be written.
pub(super) fn load(file: &Path) -> Result<Kubeconfig, BoxError> {
    let bytes = read_bytes(file)?;
    if bytes.trim_ascii().is_empty() {
        return Err("it is empty".into());
    }
    let mut kubeconfig = credentials::parse(&bytes)?;
    if let Some(folder) = file.parent() {
        make_absolute(&mut kubeconfig, folder);
    }
    Ok(kubeconfig)
}

/// The content of a regular file.
pub(super) fn read_bytes(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    credentials::files::open_regular(file)?
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn make_absolute(kubeconfig: &mut Kubeconfig, folder: &Path) {
    let fix = |path: &mut Option<String>| {
        if let Some(path) = path
            && !path.is_empty()
            && let Some(absolute) = folder.join(&*path).to_str()
        {
            *path = absolute.to_owned();
        }
    };
    let clusters = kubeconfig.clusters.iter_mut();
    for cluster in clusters.filter_map(|named| named.cluster.as_mut()) {
        fix(&mut cluster.certificate_authority);
    }
    let users = kubeconfig.auth_infos.iter_mut();
    for user in users.filter_map(|named| named.auth_info.as_mut()) {
        fix(&mut user.client_certificate);
        fix(&mut user.client_key);
        fix(&mut user.token_file);
        if let Some(exec) = &mut user.exec
            // A bare name is looked for in the PATH.
            && exec.command.as_ref().is_some_and(|command| command.contains(MAIN_SEPARATOR))
        {
            fix(&mut exec.command);
        }
    }
}

/// The context that stands for a whole file: the current one, or the only one.
pub(super) fn context_of_file(kubeconfig: &Kubeconfig) -> Result<&str, BoxError> {
    let current = kubeconfig.current_context.as_deref();
    if let Some(current) = current.filter(|current| !current.is_empty()) {
        return Ok(current);
    }
    match kubeconfig.contexts.as_slice() {
        [only] => Ok(&only.name),
        contexts => {
            Err(format!("it has {} contexts and no current-context", contexts.len()).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_file_and_commands_without_a_folder_are_not() {
        let text = "users:\n- name: a\n  user: {client-key: keys/a.key, tokenFile: /t, exec: {command: bin/x}}\n\
                    - name: b\n  user: {exec: {command: aws}}\n";
        let mut kubeconfig = Kubeconfig::from_yaml(text).unwrap();
        make_absolute(&mut kubeconfig, Path::new("/etc/fleet"));
        let [a, b] = [0, 1].map(|n| kubeconfig.auth_infos[n].auth_info.clone().unwrap());
        assert_eq!(a.client_key.as_deref(), Some("/etc/fleet/keys/a.key"));
        assert_eq!(a.token_file.as_deref(), Some("/t"));
        assert_eq!(a.exec.unwrap().command.as_deref(), Some("/etc/fleet/bin/x"));
        assert_eq!(b.exec.unwrap().command.as_deref(), Some("aws"));
    }

    #[test]
    fn a_file_stands_for_its_current_or_its_only_context() {
        let context = |text: &str| {
            let kubeconfig = Kubeconfig::from_yaml(text).unwrap();
            context_of_file(&kubeconfig).map(str::to_owned).ok()
        };
        let two = "contexts: [{name: a}, {name: b}]\n";
        assert_eq!(context("contexts: [{name: a}]"), Some("a".into()));
        assert_eq!(
            context(&format!("{two}current-context: b")),
            Some("b".into())
        );
        assert_eq!(context(two), None);
        assert_eq!(context("kind: Config"), None);
    }
}
