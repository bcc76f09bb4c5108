//! The other runs of the same store that are not over, as far as an action must mind them. Asked anew each time;
//! where they are kept is not known here.

use std::{fmt, pin::Pin, sync::Arc};

use crate::{
    run::{Disposition, StepError},
    runbook::ResourceId,
};

/// A run that is not over, also while nobody drives it: its restore may still go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    pub run: String,
    /// Resource ids, folded, that it writes to or is about.
    pub resources: Vec<String>,
    /// `account/container`, folded, that it restores from.
    pub containers: Vec<String>,
}

type Answer = Pin<Box<dyn Future<Output = Result<Vec<Unfinished>, String>> + Send>>;
type Ask = dyn Fn() -> Answer + Send + Sync;

/// How to ask for them. Without a store there are none.
#[derive(Clone, Default)]
pub struct Others(Option<Arc<Ask>>);

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Others").finish_non_exhaustive()
    }
}

impl Others {
    pub fn asking<F>(ask: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Vec<Unfinished>, String>> + Send + 'static,
    {
        Self(Some(Arc::new(move || Box::pin(ask()))))
    }

    /// The run that needs the backups of `service` in a container, if any does.
    ///
    /// # Errors
    /// `runs-unread`, retryable: what other runs do is not known, so nothing may be deleted.
    pub async fn that_need(
        &self,
        service: &ResourceId,
        account: &str,
        container: &str,
    ) -> Result<Option<String>, StepError> {
        let Some(ask) = &self.0 else { return Ok(None) };
        let place = format!("{account}/{container}").to_ascii_lowercase();
        let all = ask().await.map_err(|why| {
            StepError::new(
                Disposition::Retryable,
                "runs-unread",
                format!("it is not known whether another run needs the backups: {why}"),
                "repair or move what cannot be read from the store, then resume; nothing was deleted",
            )
        })?;
        let needs = |one: &Unfinished| one.resources.contains(&service.folded()) || one.containers.contains(&place);
        Ok(all.into_iter().find(needs).map(|one| one.run))
    }
}
