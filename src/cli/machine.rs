//! What the process knows of the machine it runs on: environment, terminals, user. Read once, handed down.

use std::{hash::BuildHasher, io::IsTerminal, path::PathBuf};

use jiff::Timestamp;

use super::terminal::{Style, Surroundings, measure};
use crate::{
    azure::Environment,
    run::{Person, lease::Holder},
};

#[derive(Debug)]
pub struct Machine {
    pub environment: Environment,
    /// A person can be asked.
    pub stdin_terminal: bool,
    pub user: Person,
}

impl Machine {
    pub fn here() -> Self {
        let environment = Environment::process();
        let name = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| environment.get(name));
        let user = Person {
            key: None,
            name: name.filter(|name| !name.is_empty()).unwrap_or_else(user_id),
            host: host(&environment),
            verified: false,
            simulated: false,
            account: None,
        };
        Self { stdin_terminal: std::io::stdin().is_terminal(), user, environment }
    }

    /// How to write on stderr, where the story goes.
    pub fn style(&self) -> Style {
        self.terminal(std::io::stderr().is_terminal()).0
    }

    /// How to write on stdout, where data goes.
    pub fn style_out(&self) -> Style {
        self.terminal(std::io::stdout().is_terminal()).0
    }

    /// stderr is a terminal whose lines may be drawn over.
    pub fn can_redraw(&self) -> bool {
        self.terminal(std::io::stderr().is_terminal()).1
    }

    /// How to write on a stream, and whether its lines may be drawn over.
    fn terminal(&self, is_terminal: bool) -> (Style, bool) {
        let get = |name: &str| self.environment.get(name);
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(get).find(|value| !value.is_empty());
        let (no_color, forced, term, columns) = (get("NO_COLOR"), get("CLICOLOR_FORCE"), get("TERM"), get("COLUMNS"));
        let surroundings = Surroundings {
            is_terminal,
            no_color: no_color.as_deref(),
            clicolor_force: forced.as_deref(),
            term: term.as_deref(),
            columns: columns.as_deref(),
            measured: measure().map(|(_, columns)| columns),
            locale: locale.as_deref(),
        };
        (surroundings.style(), surroundings.can_redraw())
    }

    pub fn holder(&self, since: Timestamp) -> Holder {
        let nonce = format!("{:016x}", std::hash::RandomState::new().hash_one(std::process::id()));
        Holder { by: self.user.clone(), pid: std::process::id(), since, nonce }
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

/// Who runs this, when the environment does not say: in a container or under a service manager.
#[cfg(unix)]
fn user_id() -> String {
    format!("uid {}", rustix::process::getuid().as_raw())
}

#[cfg(not(unix))]
fn user_id() -> String {
    "unknown".to_owned()
}

#[cfg(unix)]
fn host(_environment: &Environment) -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host(environment: &Environment) -> String {
    environment.get("COMPUTERNAME").unwrap_or_else(|| "unknown".to_owned())
}
