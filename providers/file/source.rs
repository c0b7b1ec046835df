//! Where kubeconfig files are looked for.

use std::{
    ffi::OsStr,
    fs,
    io::{self, ErrorKind},
    path::{Component, Path, PathBuf},
};

use glob::{MatchOptions, glob_with};

use super::problems::Problem;

/// A place with kubeconfig files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// This file, whatever its name.
    File(PathBuf),
    /// The files of this folder, but not those of folders in it.
    Folder(PathBuf),
    /// The files that match this pattern.
    Glob(String),
}

// === impl Source ===

impl Source {
    /// The files that are there now, in order; an error says nothing about them.
    ///
    /// Some of them may be no regular files, which only matters for [`Source::File`].
    pub(super) fn list(&self) -> Result<Vec<PathBuf>, Problem> {
        match self {
            Self::File(file) => match fs::symlink_metadata(file) {
                Ok(_) => Ok(vec![file.clone()]),
                Err(error) => Err(Problem::new(format!("find {}", file.display()), error)),
            },
            Self::Folder(folder) => list_folder(folder).map_err(|error| {
                Problem::new(format!("list the folder {}", folder.display()), error)
            }),
            Self::Glob(pattern) => list_glob(pattern)
                .map_err(|error| Problem::new(format!("list the files {pattern}"), error)),
        }
    }

    /// The folders in which a change can be one of the list; they need not exist.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        match self {
            Self::File(file) => Vec::from_iter(parent(file)),
            Self::Folder(folder) => {
                let mut folders = vec![folder.clone()];
                if folder.is_symlink() {
                    folders.extend(parent(folder));
                }
                folders
            }
            Self::Glob(pattern) => {
                let (base, prefixes) = split(pattern);
                let matching = |prefix| glob_with(prefix, OPTIONS).into_iter().flatten().flatten();
                let below = prefixes.iter().flat_map(|prefix| matching(prefix));
                let mut folders: Vec<_> = below.filter(|path| path.is_dir()).collect();
                folders.push(base);
                folders
            }
        }
    }
}

const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The folder that a file is in.
pub(super) fn parent(file: &Path) -> Option<PathBuf> {
    file.parent().map(Path::to_path_buf)
}

fn list_folder(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !is_hidden(&entry.file_name()) && !entry.file_type()?.is_dir() {
            files.push(entry.path());
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn list_glob(pattern: &str) -> io::Result<Vec<PathBuf>> {
    let (base, _) = split(pattern);
    if !fs::metadata(&base)?.is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    let found = glob_with(pattern, OPTIONS).map_err(io::Error::other)?;
    let mut files = Vec::new();
    for file in found {
        let file = file.map_err(io::Error::other)?;
        if !file.file_name().is_some_and(is_backup) {
            files.push(file);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// The folder that a pattern starts in, and the patterns of the folders below it that matching files can be in.
fn split(pattern: &str) -> (PathBuf, Vec<String>) {
    let (mut base, mut prefixes) = (PathBuf::new(), Vec::new());
    let mut path = PathBuf::new();
    let mut components = Path::new(pattern).components().peekable();
    while let Some(component) = components.next() {
        path.push(component);
        if components.peek().is_none() {
            break;
        }
        let wild = matches!(component, Component::Normal(name) if is_wild(name));
        if wild || !prefixes.is_empty() {
            prefixes.push(path.to_string_lossy().into_owned());
        } else {
            base.push(component);
        }
    }
    if base.as_os_str().is_empty() {
        base.push(".");
    }
    (base, prefixes)
}

fn is_wild(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    bytes.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Whether a file in a folder is not meant to be seen, as `..data` of a mounted Secret and what editors leave behind.
fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".") || is_backup(name)
}

fn is_backup(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    let ends = [&b"~"[..], b".swp", b".swx", b".bak", b".tmp", b".lock"];
    name.starts_with(b"#") || ends.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_show_neither_hidden_files_nor_backups() {
        for name in [
            "..data",
            ".a.yaml.swp",
            "a.yaml~",
            "#a.yaml#",
            "config.lock",
        ] {
            assert!(is_hidden(OsStr::new(name)), "{name}");
        }
        for name in ["a.yaml", "config", "a.b.c"] {
            assert!(!is_hidden(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_pattern_starts_in_the_last_folder_without_wildcards() {
        let none: [&str; 0] = [];
        for (pattern, base, prefixes) in [
            ("/a/b/*.yaml", "/a/b", &none[..]),
            ("/a/*/c/kubeconfig", "/a", &["/a/*", "/a/*/c"]),
            ("/a/b", "/a", &none),
            ("*.yaml", ".", &none),
        ] {
            let expected = prefixes.iter().map(|prefix| (*prefix).to_owned());
            assert_eq!(
                split(pattern),
                (base.into(), expected.collect()),
                "{pattern}"
            );
        }
    }
}
