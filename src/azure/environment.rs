//! The one place where the process's environment is read for credentials.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// Looks environment variables up; handed down, so that nothing else reads the process's.
#[derive(Clone)]
pub struct Environment(Arc<Look>);

type Look = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Environment {
    /// The process's own, read again at every look.
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read for credentials")]
    pub fn process() -> Self {
        Self(Arc::new(|name| std::env::var(name).ok()))
    }

    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables: BTreeMap<String, String> = variables.into_iter().collect();
        Self(Arc::new(move |name| variables.get(name).cloned()))
    }

    /// None when it is absent, empty or not UTF-8.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
