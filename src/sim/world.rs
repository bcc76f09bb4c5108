//! The world behind both ways in: the scenario, the clock, the state under one lock, and where it is written down.
//!
//! The lock is never held across a wait. Lock order: state, then sinks.

use std::{
    fmt, io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    authority::{Authority, KeptAuthority},
    entra,
    exchange::{Answer, Desk, Incoming},
    fault::Fault,
    gateway,
    observe::{Effects, LoggedRequest, RecordView, ServiceView, Shape},
    pools::{self, Setting},
    respond,
    scenario::Scenario,
    sinks::Sinks,
    state::{Listening, State, Strikes},
    stock,
    tap::{Exchanged, Tap},
};
use crate::{clock::Clock, site::Simulated};

/// Format of snapshots. 1: the first.
const SNAPSHOT_VERSION: u32 = 1;

/// A snapshot that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct SnapshotError(pub String);

/// A simulated Azure.
pub struct World {
    pub(super) clock: Clock,
    pub(super) scenario: Scenario,
    pub(super) authority: Arc<Authority>,
    state: Mutex<State>,
    sinks: Mutex<Sinks>,
    tap: Tap,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Snapshot {
    version: u32,
    /// The clock, when another process can share it.
    simulated: Option<Simulated>,
    scenario: Scenario,
    state: State,
    authority: KeptAuthority,
}

impl World {
    /// A world as the scenario says, beginning now.
    pub fn new(scenario: Scenario, clock: Clock) -> Arc<Self> {
        let now = clock.now();
        let derived = matches!(clock, Clock::Virtual { .. }).then_some(scenario.seed);
        let authority = Arc::new(Authority::new(derived, now));
        let mut state = State::new(&scenario, now);
        stock::fill(&scenario, &mut state, &authority);
        Arc::new(Self {
            clock,
            scenario,
            authority,
            state: Mutex::new(state),
            sinks: Mutex::default(),
            tap: Tap::default(),
        })
    }

    /// Goes on from a snapshot: what lasted meanwhile has gone on.
    ///
    /// # Errors
    /// A lower-case fragment: what of the snapshot cannot be read.
    pub fn from_snapshot(snapshot: serde_json::Value, clock: Clock) -> Result<Arc<Self>, SnapshotError> {
        let version = snapshot.get("version").and_then(serde_json::Value::as_u64);
        if version != Some(u64::from(SNAPSHOT_VERSION)) {
            let found = version.map_or_else(|| "no version".to_owned(), |version| format!("version {version}"));
            return Err(SnapshotError(format!(
                "the simulator's state has {found}; this program reads version {SNAPSHOT_VERSION}"
            )));
        }
        let Snapshot { scenario, state, authority, .. } = serde_json::from_value(snapshot)
            .map_err(|error| SnapshotError(format!("the simulator's state cannot be read: {error}")))?;
        let authority = Arc::new(Authority::restore(authority).map_err(SnapshotError)?);
        Ok(Arc::new(Self {
            clock,
            scenario,
            authority,
            state: Mutex::new(state),
            sinks: Mutex::default(),
            tap: Tap::default(),
        }))
    }

    /// A world of its own that goes on from this one as it is now, with these faults instead of the scenario's. `clock`
    /// must begin where this world's stands. Its log of requests begins empty.
    pub fn fork(&self, clock: Clock, faults: Vec<Fault>) -> Arc<Self> {
        let mut state = self.lock().clone();
        state.strikes = vec![Strikes::default(); faults.len()];
        state.requests.clear();
        Arc::new(Self {
            clock,
            scenario: Scenario { faults, ..self.scenario.clone() },
            authority: self.authority.clone(),
            state: Mutex::new(state),
            sinks: Mutex::default(),
            tap: Tap::default(),
        })
    }

    /// The clock that a snapshot was made with, when it ran on one that another process can share.
    pub fn clock_of(snapshot: &serde_json::Value) -> Option<Clock> {
        let simulated: Simulated = serde_json::from_value(snapshot.get("simulated")?.clone()).ok()?;
        Some(Clock::Scaled { anchor: simulated.anchor, since: simulated.since, speed: simulated.speed })
    }

    /// Everything, secrets of the simulation included: keep it in a file of mode 0600.
    pub fn snapshot(&self) -> serde_json::Value {
        self.picture(&self.lock())
    }

    /// Writes the snapshot to `path`, atomically, now and after every change.
    ///
    /// # Errors
    /// The first write failed. A later failure is logged, and the world goes on.
    pub fn persist_to(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let mut sinks = self.sinks();
        sinks.persist_to(path, &self.picture(&state))?;
        state.changed = false;
        Ok(())
    }

    /// Appends every request to `path`, as JSON Lines.
    ///
    /// # Errors
    /// The file cannot be opened. A later failure is logged, and the world goes on.
    pub fn log_to(&self, path: &Path) -> io::Result<()> {
        self.sinks().log_to(path)
    }

    /// A new access token for the resource manager and the storage account.
    pub fn mint_token(&self) -> String {
        self.at_desk(entra::mint)
    }

    pub fn effects(&self) -> Effects {
        self.at_desk(|desk| {
            super::apim::settle(desk);
            desk.state.effects.clone()
        })
    }

    /// The latest requests, oldest first.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.lock().requests.iter().cloned().collect()
    }

    /// `name` is relative: `api`.
    pub fn record(&self, zone: &str, name: &str) -> Option<RecordView> {
        let state = self.lock();
        let records = if zone.eq_ignore_ascii_case(&self.scenario.zone.name) {
            &state.records
        } else if zone.eq_ignore_ascii_case(&self.scenario.private_zone.name) {
            &state.private_records
        } else {
            return None;
        };
        let set = records.get(&name.to_ascii_lowercase())?.current.clone()?;
        Some(RecordView { target: set.target, ttl: set.ttl, etag: set.etag, metadata: set.metadata })
    }

    /// An endpoint of a Traffic Manager profile as it is now.
    pub fn endpoint(&self, profile: &str, name: &str) -> Option<Setting> {
        self.lock().pools.endpoints.get(&pools::key(profile, name)).cloned()
    }

    /// An origin of a Front Door profile as it is now.
    pub fn origin(&self, profile: &str, name: &str) -> Option<Setting> {
        self.at_desk(|desk| {
            super::front_door::settle(desk);
            desk.state.pools.origins.get(&pools::key(profile, name)).cloned()
        })
    }

    pub fn service(&self, name: &str) -> Option<ServiceView> {
        self.at_desk(|desk| {
            super::apim::settle(desk);
            let service = desk.state.services.get(&name.to_ascii_lowercase())?;
            Some(ServiceView {
                name: service.spec.name.clone(),
                tier: service.spec.tier.clone(),
                provisioning_state: service.provisioning_state.clone(),
                etag: service.etag(),
                content: service.content.clone(),
                restored_from: service.restored_from.clone(),
            })
        })
    }

    /// Everything that a run may change, as it is now.
    pub fn shape(&self) -> Shape {
        self.at_desk(|desk| {
            super::apim::settle(desk);
            super::front_door::settle(desk);
            Shape::of(desk.state)
        })
    }

    /// The primary key of a subscription, wherever it exists. For clients of the gateways; no answer ever holds it.
    pub fn subscription_key(&self, subscription: &str) -> String {
        gateway::subscription_key(self.scenario.seed, subscription)
    }

    /// Tells every exchange from now on, whole, to `listener`, which must not ask this world anything. For tests.
    ///
    /// # Panics
    /// Somebody listens already.
    pub fn tap(&self, listener: impl Fn(Exchanged) + Send + Sync + 'static) {
        assert!(self.tap.open(Box::new(listener)), "a world has one tap");
    }

    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The CA certificate that signs everything the simulator shows, PEM.
    pub fn ca_certificate(&self) -> &str {
        self.authority.pem()
    }

    /// Answers one request; see [`respond::respond`].
    pub(super) fn answer(&self, incoming: &Incoming) -> Answer {
        let answer = self.at_desk(|desk| {
            let (answer, expired) = respond::respond(desk, incoming);
            (answer, expired.then(|| entra::mint(desk)), desk.state.requests.back().cloned())
        });
        let (answer, fresh, request) = answer;
        self.tap.tell(incoming, &answer.ending);
        let mut sinks = self.sinks();
        if let Some(request) = request {
            sinks.log(&request);
        }
        if let Some(token) = fresh {
            sinks.write_token(&token);
        }
        answer
    }

    /// Does something with the state, and writes the state down if that changed it.
    pub(super) fn at_desk<T>(&self, act: impl FnOnce(&mut Desk<'_>) -> T) -> T {
        let mut state = self.lock();
        let mut desk = Desk {
            scenario: &self.scenario,
            state: &mut state,
            authority: &self.authority,
            now: self.now(),
            speed: self.clock.speed(),
        };
        let done = act(&mut desk);
        if state.changed {
            state.changed = false;
            let mut sinks = self.sinks();
            if sinks.persists() {
                sinks.persist(&self.picture(&state));
            }
        }
        done
    }

    pub(super) fn listening(&self) -> Option<Listening> {
        self.lock().listening.clone()
    }

    pub(super) fn listen(&self, listening: Listening) {
        self.at_desk(|desk| {
            desk.state.listening = Some(listening);
            desk.state.changed = true;
        });
    }

    /// From now on the file holds a good token; it is rewritten when tokens expire.
    pub(super) fn keep_token_in(&self, path: &Path) -> io::Result<()> {
        let token = self.mint_token();
        self.sinks().keep_token_in(path, &token)
    }

    /// The numbers of a clock that another process can share.
    pub(super) fn shared_clock(&self) -> Option<Simulated> {
        match self.clock {
            Clock::Scaled { anchor, since, speed } => Some(Simulated { anchor, since, speed }),
            Clock::Wall | Clock::Virtual { .. } => None,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sinks(&self) -> MutexGuard<'_, Sinks> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn picture(&self, state: &State) -> serde_json::Value {
        serde_json::json!({
            "version": SNAPSHOT_VERSION,
            "simulated": self.shared_clock(),
            "scenario": self.scenario,
            "state": state,
            "authority": self.authority.keep(),
        })
    }
}
