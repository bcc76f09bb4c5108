//! What the process knows of the machine it runs on: environment, terminals, user. Read once, handed down.

use std::{hash::BuildHasher, io::IsTerminal, path::PathBuf};

use jiff::Timestamp;

use crate::{azure::Environment, run::Person, store::Holder};

#[derive(Debug)]
pub struct Machine {
    pub environment: Environment,
    /// stderr, where the story goes, is a terminal.
    pub stderr_terminal: bool,
    pub stdout_terminal: bool,
    /// A person can be asked.
    pub stdin_terminal: bool,
    /// Colours on stderr.
    pub colour: bool,
    /// Colours on stdout.
    pub colour_out: bool,
    pub user: Person,
}

impl Machine {
    pub fn here() -> Self {
        let environment = Environment::process();
        let set = |name: &str| environment.get(name).is_some_and(|value| !value.is_empty());
        let plain = set("NO_COLOR") || environment.get("TERM").as_deref() == Some("dumb");
        let forced = environment.get("CLICOLOR_FORCE").is_some_and(|value| value != "0" && !value.is_empty());
        let (stderr_terminal, stdout_terminal) = (std::io::stderr().is_terminal(), std::io::stdout().is_terminal());
        let name = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| environment.get(name));
        let user = Person {
            name: name.unwrap_or_else(|| "unknown".to_owned()),
            host: host(&environment),
            verified: false,
            simulated: false,
        };
        Self {
            stderr_terminal,
            stdout_terminal,
            stdin_terminal: std::io::stdin().is_terminal(),
            colour: !plain && (forced || stderr_terminal),
            colour_out: !plain && (forced || stdout_terminal),
            user,
            environment,
        }
    }

    pub fn holder(&self, since: Timestamp) -> Holder {
        Holder { by: self.user.clone(), pid: std::process::id(), since }
    }

    /// `~/.local/state/lifeboat` and its like.
    pub fn state_directory(&self) -> Option<PathBuf> {
        let directory = |name: &str| self.environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        directory("XDG_STATE_HOME")
            .or_else(|| directory("HOME").map(|home| home.join(".local").join("state")))
            .or_else(|| directory("LOCALAPPDATA"))
            .map(|state| state.join("lifeboat"))
    }

    /// Names of runs and requests: four letters that differ from process to process.
    pub fn random_suffix() -> String {
        let random = std::hash::RandomState::new().hash_one(std::process::id());
        format!("{:04x}", random & 0xffff)
    }
}

#[cfg(unix)]
fn host(_environment: &Environment) -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host(environment: &Environment) -> String {
    environment.get("COMPUTERNAME").unwrap_or_else(|| "unknown".to_owned())
}
