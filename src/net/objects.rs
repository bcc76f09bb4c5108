//! Objects of a shared store: Azure Blob, S3, Google Cloud Storage, or memory. What is refused is tried again for a while.
//!
//! ```text
//!  create   only if there is none by that name      the fence: of two who try, one succeeds
//!  replace  only if it is still what was read
//!  write    whatever is there
//! ```
//!
//! Never decides what a refusal means for whoever asked. A create whose answer was lost is tried again and then finds
//! its own bytes: that is success.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::{
    GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion, path::Path,
};
use tokio::task::JoinSet;

use super::listing_refused;
use crate::clock::{Clock, Moment};

/// How long a refusal (5xx, 429, no connection, no answer) is tried again: a store that moves to another server is
/// back within seconds, and nobody wants a run to end for it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One request that says nothing for so long is given up and tried again.
const LONGEST_REQUEST: Duration = Duration::from_secs(20);

/// The first pause before another try; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Reads that are under way at once: at 20 ms each, 10,000 objects take 1.1 s of waiting.
const READS_AT_ONCE: usize = 192;

/// Where trouble is told to a person while it lasts.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// A prefix of a shared store.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// The prefix as people know it, without secrets.
    shown: Arc<str>,
    clock: Clock,
    patience: Duration,
    tell: Option<Tell>,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects").field("shown", &self.shown).finish_non_exhaustive()
    }
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {place}: {reason}")]
pub struct ObjectError {
    action: &'static str,
    place: String,
    /// Lower-case fragment without secrets.
    reason: String,
    hint: &'static str,
}

impl ObjectError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        self.hint
    }
}

/// What became of a create.
#[derive(Debug, PartialEq, Eq)]
pub enum Created {
    /// It is there, and it is ours.
    Ours,
    /// Somebody else's is there.
    Taken(Bytes),
}

/// An object that was read.
#[derive(Clone, Debug)]
pub struct Found {
    pub bytes: Bytes,
    version: UpdateVersion,
}

/// An object that was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Without the directory.
    pub name: String,
    pub size: u64,
    /// Changes whenever the object is written.
    pub mark: String,
}

/// What one try came to.
enum Refused {
    /// Asking again may help.
    ForNow(String),
    ForGood(ObjectError),
}

impl Objects {
    /// `prefix`: below it everything lies; may be empty. `shown`: how people write the place, without secrets.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str, shown: impl Into<Arc<str>>, clock: Clock) -> Self {
        Self { store, prefix: Path::from(prefix), shown: shown.into(), clock, patience: PATIENCE, tell: None }
    }

    /// The same objects; whoever waits for them is told why.
    #[must_use]
    pub fn telling(mut self, tell: Tell) -> Self {
        self.tell = Some(tell);
        self
    }

    /// The same objects, asked once: for what is asked again soon anyway.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.patience = Duration::ZERO;
        self
    }

    /// A directory within.
    #[must_use]
    pub fn below(&self, directory: &str) -> Self {
        Self { prefix: self.path(directory), shown: format!("{}/{directory}", self.shown).into(), ..self.clone() }
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How people write an object's place.
    pub fn shown(&self, name: &str) -> String {
        if name.is_empty() { self.shown.to_string() } else { format!("{}/{name}", self.shown) }
    }

    fn path(&self, name: &str) -> Path {
        name.split('/').filter(|part| !part.is_empty()).fold(self.prefix.clone(), Path::join)
    }

    /// Writes an object if there is none by that name. Durable when it returns.
    pub async fn create(&self, name: &str, bytes: impl Into<Bytes>) -> Result<Created, ObjectError> {
        let bytes = bytes.into();
        let mut patience = self.patience("create", name);
        loop {
            match self.create_once(name, &bytes).await {
                Ok(created) => return Ok(created),
                Err(refused) => patience.after(refused).await?,
            }
        }
    }

    async fn create_once(&self, name: &str, bytes: &Bytes) -> Result<Created, Refused> {
        match self.put(name, bytes, PutMode::Create).await {
            Ok(()) => Ok(Created::Ours),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                match self.get(name).await {
                    Ok(found) if found.bytes == *bytes => Ok(Created::Ours),
                    Ok(found) => Ok(Created::Taken(found.bytes)),
                    // Two that create at once may both be turned away for now: then there is nothing to read.
                    Err(object_store::Error::NotFound { .. }) => {
                        Err(Refused::ForNow("somebody else writes it at the same moment".to_owned()))
                    }
                    Err(error) => Err(self.refused("read", name, &error)),
                }
            }
            Err(error) => Err(self.refused("create", name, &error)),
        }
    }

    /// Writes an object whatever is there.
    pub async fn write(&self, name: &str, bytes: impl Into<Bytes>) -> Result<(), ObjectError> {
        let bytes = bytes.into();
        let mut patience = self.patience("write", name);
        loop {
            match self.put(name, &bytes, PutMode::Overwrite).await {
                Ok(()) => return Ok(()),
                Err(error) => patience.after(self.refused("write", name, &error)).await?,
            }
        }
    }

    /// Writes an object if it is still the one that was read; false when it is not.
    pub async fn replace(&self, name: &str, bytes: impl Into<Bytes>, read: &Found) -> Result<bool, ObjectError> {
        let bytes = bytes.into();
        let mut patience = self.patience("replace", name);
        loop {
            match self.put(name, &bytes, PutMode::Update(read.version.clone())).await {
                Ok(()) => return Ok(true),
                Err(
                    object_store::Error::Precondition { .. }
                    | object_store::Error::AlreadyExists { .. }
                    | object_store::Error::NotFound { .. },
                    // It may be our own, of an earlier try whose answer was lost.
                ) => return Ok(self.read(name).await?.is_some_and(|found| found.bytes == bytes)),
                Err(error) => patience.after(self.refused("replace", name, &error)).await?,
            }
        }
    }

    /// An object, or none.
    pub async fn read(&self, name: &str) -> Result<Option<Found>, ObjectError> {
        let mut patience = self.patience("read", name);
        loop {
            match self.get(name).await {
                Ok(found) => return Ok(Some(found)),
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(error) => patience.after(self.refused("read", name, &error)).await?,
            }
        }
    }

    /// Every object right in this directory, by name. One request for every page of the store's listing.
    pub async fn list(&self) -> Result<Vec<Listed>, ObjectError> {
        let (objects, _) = self.listing().await?;
        let mut listed: Vec<Listed> = objects
            .into_iter()
            .filter_map(|meta: ObjectMeta| {
                let name = meta.location.filename()?.to_owned();
                let mark = meta.e_tag.unwrap_or_else(|| meta.last_modified.to_rfc3339());
                Some(Listed { name, size: meta.size, mark })
            })
            .collect();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// Every directory right in this one, by name.
    pub async fn directories(&self) -> Result<Vec<String>, ObjectError> {
        let (_, prefixes) = self.listing().await?;
        let mut names: Vec<String> = prefixes.iter().filter_map(|path| Some(path.filename()?.to_owned())).collect();
        names.sort();
        Ok(names)
    }

    async fn listing(&self) -> Result<(Vec<ObjectMeta>, Vec<Path>), ObjectError> {
        let mut patience = self.patience("list", "");
        loop {
            match self.in_time(self.store.list_with_delimiter(Some(&self.prefix))).await {
                Ok(listed) => return Ok((listed.objects, listed.common_prefixes)),
                Err(error) => patience.after(self.refused("list", "", &error)).await?,
            }
        }
    }

    /// Reads many objects side by side; in the order of `names`. One that is not there is none.
    pub async fn read_all(&self, names: &[String]) -> Result<Vec<Option<Bytes>>, ObjectError> {
        let mut reads: JoinSet<Result<(usize, Option<Bytes>), ObjectError>> = JoinSet::new();
        let mut read = vec![None; names.len()];
        let mut next = names.iter().enumerate();
        loop {
            while reads.len() < READS_AT_ONCE
                && let Some((place, name)) = next.next()
            {
                let (objects, name) = (self.clone(), name.clone());
                reads.spawn(async move { Ok((place, objects.read(&name).await?.map(|found| found.bytes))) });
            }
            let Some(done) = reads.join_next().await else { return Ok(read) };
            match done {
                Ok(done) => {
                    let (place, bytes) = done?;
                    read[place] = bytes;
                }
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime goes down, and the process with it.
                    Err(_cancelled) => std::future::pending().await,
                },
            }
        }
    }

    /// Takes an object away; none by that name is fine.
    pub async fn delete(&self, name: &str) -> Result<(), ObjectError> {
        let mut patience = self.patience("delete", name);
        loop {
            match self.in_time(self.store.delete(&self.path(name))).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => return Ok(()),
                Err(error) => patience.after(self.refused("delete", name, &error)).await?,
            }
        }
    }

    async fn put(&self, name: &str, bytes: &Bytes, mode: PutMode) -> object_store::Result<()> {
        let options = PutOptions { mode, ..PutOptions::default() };
        let (path, payload) = (self.path(name), PutPayload::from(bytes.clone()));
        self.in_time(self.store.put_opts(&path, payload, options)).await.map(|_| ())
    }

    async fn get(&self, name: &str) -> object_store::Result<Found> {
        let path = self.path(name);
        self.in_time(async {
            let found: GetResult = self.store.get(&path).await?;
            let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
            Ok(Found { bytes: found.bytes().await?, version })
        })
        .await
    }

    async fn in_time<T>(&self, request: impl Future<Output = object_store::Result<T>>) -> object_store::Result<T> {
        tokio::select! {
            biased;
            answer = request => answer,
            () = self.clock.sleep(LONGEST_REQUEST) => Err(object_store::Error::Generic {
                store: "store",
                source: format!("no answer within {} s", LONGEST_REQUEST.as_secs()).into(),
            }),
        }
    }

    fn refused(&self, action: &'static str, name: &str, error: &object_store::Error) -> Refused {
        use object_store::Error;
        let reason = chain(error);
        let hint = match error {
            Error::NotFound { .. } => "create the container or bucket that the state's address names",
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                "let the credential read and write there (for Azure Blob the role Storage Blob Data Contributor)"
            }
            Error::NotSupported { .. } | Error::NotImplemented { .. } => {
                "the store cannot write only if absent, and without that no two machines are kept apart: use another"
            }
            Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. } => {
                "somebody else writes there at the same moment; try again"
            }
            Error::InvalidPath { .. } | Error::UnknownConfigurationKey { .. } => "correct the state's address",
            _ => match listing_refused(error) {
                Some(http::StatusCode::NOT_FOUND) => "create the container or bucket that the state's address names",
                Some(http::StatusCode::UNAUTHORIZED | http::StatusCode::FORBIDDEN) => {
                    "let the credential list, read and write there (for Azure Blob the role Storage Blob Data Contributor)"
                }
                Some(_) | None => return Refused::ForNow(reason),
            },
        };
        Refused::ForGood(ObjectError { action, place: self.shown(name), reason, hint })
    }

    fn patience<'a>(&'a self, action: &'static str, name: &'a str) -> Patience<'a> {
        Patience { objects: self, action, name, begin: self.clock.moment(), pause: FIRST_PAUSE, told: false }
    }
}

/// How long one request is tried again.
struct Patience<'a> {
    objects: &'a Objects,
    action: &'static str,
    name: &'a str,
    begin: Moment,
    pause: Duration,
    told: bool,
}

impl Patience<'_> {
    /// Waits until it makes sense to try again.
    async fn after(&mut self, refused: Refused) -> Result<(), ObjectError> {
        let Objects { clock, patience, tell, .. } = self.objects;
        let reason = match refused {
            Refused::ForGood(error) => return Err(error),
            Refused::ForNow(reason) => reason,
        };
        let (action, place) = (self.action, self.objects.shown(self.name));
        tracing::warn!(action, place, reason, "the store refused");
        if clock.since(&self.begin) + self.pause > *patience {
            let hint = "look whether the store answers from here, then resume the run";
            return Err(ObjectError { action, place, reason, hint });
        }
        if let Some(tell) = tell.as_ref().filter(|_| !self.told) {
            self.told = true;
            tell(&format!("cannot {action} {place} now ({reason}); trying again for {} s", patience.as_secs()));
        }
        clock.sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// An error and its causes, as far as each says something new.
fn chain(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
}
