//! Settings from a file, from the environment, and from the code of a program.
//!
//! ```no_run
//! # use multicluster::{Manager, Sharding, Settings, kube::Config, providers::FixedProvider};
//! # fn program(config: Config, provider: FixedProvider) -> Result<(), multicluster::Error> {
//! let settings = Settings::load(Some("settings.yaml".as_ref()))?;
//! let sharding = Sharding::new(&config, "mcr")
//!     .settings(&settings.sharding)
//!     .weight(2); // code overrides
//! Manager::builder(provider)
//!     .settings(&settings.manager)
//!     .sharding(sharding);
//! # Ok(())
//! # }
//! ```
//!
//! All keys stand in [`_documentation::settings`](crate::_documentation::settings).
//!
//! # Precedence
//! A later one overrides an earlier one, key by key:
//! 1. the defaults of this crate,
//! 2. those of the program ([`Sources::preset`]),
//! 3. the file, TOML or YAML,
//! 4. the environment: `MULTICLUSTER_SHARDING__LEASE_DURATION` is `sharding.lease_duration`,
//! 5. what the program adds, such as its flags ([`Sources::set`]),
//! 6. builder methods that are called after `settings`.
//!
//! # Errors
//! Everything that is not a setting, has the wrong type, or breaks a relation is an [`Error::Setting`] of one line with
//! the key, where it was set, and what to change. A value that another source overrides is checked too.

mod environment;
mod file;
mod keys;
mod layer;
mod sources;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use crate::{
    controller::Settings as ControllerSettings, manager::Settings as ManagerSettings,
    sharding::Settings as ShardingSettings,
};
pub use sources::Sources;

use crate::{
    error::{Error, Result},
    setting::Broken,
};

/// All settings of a program that need no code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// How clusters are shared among replicas.
    pub sharding: ShardingSettings,
    /// How the manager starts and connects.
    pub manager: ManagerSettings,
    /// How much controllers do at a time.
    pub controller: ControllerSettings,
}

// === impl Settings ===

impl Settings {
    /// The settings of `file`, when there is one, and of the environment.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first one that cannot be used.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        let sources = Self::sources();
        match file {
            Some(path) => sources.file(path),
            None => sources,
        }
        .load()
    }

    /// Where settings come from, for programs that add to it.
    pub fn sources() -> Sources {
        Sources::default()
    }

    /// The first relation that does not hold, and the section that it is in.
    fn broken(&self) -> Option<(&'static str, Broken)> {
        let in_section = |section, checked: Result<(), Broken>| Some((section, checked.err()?));
        in_section("sharding", self.sharding.validate())
            .or_else(|| in_section("manager", self.manager.validate()))
            .or_else(|| in_section("controller", self.controller.validate()))
    }
}

#[cfg(test)]
mod tests;
