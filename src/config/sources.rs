//! The sources of settings, in their order.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use ::config::Config;

use super::{
    Error, Result, Settings, environment, file,
    keys::Keys,
    layer::{Entry, Layer},
};

/// Where settings come from; a source overrides those before it.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Sources {
    presets: Vec<Entry>,
    file: Option<PathBuf>,
    /// In place of the process's.
    environment: Option<Vec<(OsString, OsString)>>,
    overrides: Vec<Entry>,
}

// === impl Sources ===

impl Sources {
    /// A default of the program, in place of this crate's.
    pub fn preset(mut self, key: &str, value: &str) -> Self {
        let source = "a default of the program";
        self.presets.push(Entry::text(key, value, source));
        self
    }

    /// The file to read; its name ends in `.toml`, `.yaml` or `.yml`.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// These variables in place of the environment of the process.
    pub fn environment<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let variables = variables.into_iter();
        self.environment = Some(
            variables
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        );
        self
    }

    /// A value that overrides file and environment; `source` is what errors call its origin, as in `--lease-duration`.
    pub fn set(mut self, source: &str, key: &str, value: &str) -> Self {
        self.overrides.push(Entry::text(key, value, source));
        self
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first setting that cannot be used.
    pub fn load(self) -> Result<Settings> {
        let keys = Keys::new();
        let file = match &self.file {
            Some(path) => file::read(path, &keys)?,
            None => Vec::new(),
        };
        let variables = self
            .environment
            .unwrap_or_else(|| std::env::vars_os().collect());
        let environment = environment::entries(variables, &keys)?;
        let mut origins = BTreeMap::new();
        let mut merged = Config::builder();
        for entries in [self.presets, file, environment, self.overrides] {
            let layer = Layer::check(entries, &keys)?;
            origins.extend(layer.origins());
            merged = merged.add_source(layer);
        }
        let settings = merged.build().and_then(Config::try_deserialize::<Settings>);
        // Each value has been checked by now.
        let settings = settings.map_err(|error| Error::setting(error.to_string()))?;
        match settings.broken() {
            None => Ok(settings),
            Some((section, broken)) => {
                let named = broken.fields.iter().filter_map(|field| {
                    let key = format!("{section}.{field}");
                    let origin = origins.get(&key)?;
                    Some(format!("{key} ({origin})"))
                });
                let named: Vec<_> = named.collect();
                let text = format!("{}: {}", named.join(", "), broken.error);
                Err(Error::setting(text))
            }
        }
    }
}
