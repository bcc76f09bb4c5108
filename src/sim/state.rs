//! Everything of the world that changes. Data and small changes; who may change what is decided elsewhere.
//!
//! All of it is in the snapshot, but for the log of requests.

use std::{
    collections::{BTreeMap, VecDeque},
    net::Ipv4Addr,
    path::PathBuf,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    base64,
    observe::{Effects, LoggedRequest},
    pools::Pools,
    scenario::{Cname, Content, Scenario, Service},
};

/// Older versions of a record are forgotten: no name server lags by more than so many writes.
const RECORD_VERSIONS: usize = 64;
/// Enough for a drill; a long-lived simulator forgets the oldest.
const LOGGED_REQUESTS: usize = 20_000;
/// Expired tokens are remembered, to tell them from tokens that never were.
const REMEMBERED_TOKENS: usize = 256;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub started: Timestamp,
    /// State of the generator of chance.
    pub chance: u64,
    /// By name in lower case.
    pub services: BTreeMap<String, ServiceState>,
    pub operations: Vec<Operation>,
    /// Of the one container.
    pub blobs: BTreeMap<String, Blob>,
    pub account_keys: [String; 2],
    /// By relative name in lower case.
    pub records: BTreeMap<String, RecordState>,
    /// Of the private zone, likewise.
    #[serde(default)]
    pub private_records: BTreeMap<String, RecordState>,
    #[serde(default)]
    pub pools: Pools,
    pub tokens: VecDeque<Token>,
    /// One a resolver.
    pub caches: Vec<BTreeMap<String, CachedName>>,
    /// One a fault of the scenario.
    pub strikes: Vec<Strikes>,
    pub effects: Effects,
    pub listening: Option<Listening>,
    #[serde(skip)]
    pub requests: VecDeque<LoggedRequest>,
    /// Something worth keeping happened since the last snapshot was written.
    #[serde(skip)]
    pub changed: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ServiceState {
    pub spec: Service,
    /// Of its gateway, in the world without sockets.
    pub address: Ipv4Addr,
    pub provisioning_state: String,
    /// Empty when idle.
    pub target_state: String,
    pub revision: u64,
    pub content: Content,
    pub restored_from: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Operation {
    pub id: String,
    /// Lower case.
    pub service: String,
    pub kind: OperationKind,
    /// None: it never ends.
    pub ends: Option<Timestamp>,
    pub outcome: Planned,
    /// The outcome is there.
    pub ended: bool,
    /// Its URL is not found any more.
    pub lost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OperationKind {
    Backup,
    Restore,
}

/// What an operation comes to when it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Planned {
    Restored { backup: String, content: Content },
    BackedUp { blob: String },
    Failed { code: String, message: String },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Blob {
    pub created: Timestamp,
    pub modified: Timestamp,
    pub etag: String,
    pub size: u64,
    pub content_type: String,
    pub tier: String,
    /// `pending`, `success`.
    pub copy_status: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub body: BlobBody,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum BlobBody {
    Text(String),
    /// A backup: opaque to everybody but the service.
    Backup {
        tier: String,
        content: Content,
    },
    Bytes(Vec<u8>),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct RecordState {
    /// None: deleted.
    pub current: Option<RecordSet>,
    /// What name servers may answer, oldest first.
    versions: VecDeque<Version>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RecordSet {
    pub target: Option<String>,
    pub ttl: u32,
    pub etag: String,
    pub metadata: BTreeMap<String, String>,
    pub alias: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Version {
    from: Timestamp,
    /// Target and TTL.
    answer: Option<(String, u32)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Token {
    pub text: String,
    pub expires: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CachedName {
    /// Target and TTL; none: there is no such name.
    pub answer: Option<(String, u32)>,
    pub expires: Timestamp,
}

/// How often a fault could strike, and did.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Strikes {
    pub seen: u32,
    pub struck: u32,
}

/// Where the simulator listens on sockets; kept, so that URLs hold across a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listening {
    pub directory: PathBuf,
    pub http: u16,
    pub https: u16,
    /// By name in lower case.
    pub gateways: BTreeMap<String, u16>,
    pub name_servers: Vec<u16>,
    pub resolvers: Vec<u16>,
}

impl State {
    pub fn new(scenario: &Scenario, now: Timestamp) -> Self {
        let mut state = Self {
            started: now,
            chance: scenario.seed,
            services: BTreeMap::new(),
            operations: Vec::new(),
            blobs: BTreeMap::new(),
            account_keys: Default::default(),
            records: BTreeMap::new(),
            private_records: BTreeMap::new(),
            pools: Pools::new(&scenario.traffic_manager, &scenario.front_door),
            tokens: VecDeque::new(),
            caches: vec![BTreeMap::new(); scenario.dns.resolvers],
            strikes: vec![Strikes::default(); scenario.faults.len()],
            effects: Effects::default(),
            listening: None,
            requests: VecDeque::new(),
            changed: true,
        };
        state.account_keys = [(); 2].map(|()| base64::encode(format!("{}{}", state.guid(), state.guid()).as_bytes()));
        for (place, spec) in [&scenario.active, &scenario.standby].into_iter().enumerate() {
            let revision = 3_170_000 + (state.draw() >> 48);
            let condition = &spec.condition;
            let settled = ["Succeeded", "Failed", "Stopped"].contains(&condition.state.as_str());
            state.services.insert(
                spec.name.to_ascii_lowercase(),
                ServiceState {
                    spec: spec.clone(),
                    address: Ipv4Addr::new(203, 0, 113, 10 + u8::try_from(place).expect("two services")),
                    provisioning_state: condition.state.clone(),
                    target_state: if settled { String::new() } else { condition.state.clone() },
                    revision,
                    content: spec.content.clone(),
                    restored_from: None,
                },
            );
        }
        for (name, record) in &scenario.zone.records {
            let etag = state.guid();
            state.records.entry(name.to_ascii_lowercase()).or_default().begin(record, etag, now);
        }
        for (place, (name, record)) in scenario.private_zone.records.iter().enumerate() {
            let etag = format!("0000{:04x}-0000-4000-8000-000000000001", place + 1);
            state.private_records.entry(name.to_ascii_lowercase()).or_default().begin(record, etag, now);
        }
        state
    }

    /// The next number of chance (`SplitMix64`).
    pub fn draw(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.chance;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Whether something of this probability happens.
    pub fn happens(&mut self, probability: f64) -> bool {
        probability >= 1.0 || (self.draw() >> 11) as f64 / (1_u64 << 53) as f64 <= probability && probability > 0.0
    }

    /// A duration whose logarithm is normal about that of `middle`. Nothing is drawn without a spread.
    pub fn around(&mut self, middle: Duration, spread: f64) -> Duration {
        if spread <= 0.0 {
            return middle;
        }
        let mut share = || ((self.draw() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        // Box and Muller.
        let normal = (-2.0 * share().ln()).sqrt() * (std::f64::consts::TAU * share()).cos();
        Duration::try_from_secs_f64(middle.as_secs_f64() * (spread * normal).exp()).unwrap_or(middle)
    }

    pub fn guid(&mut self) -> String {
        let (high, low) = (self.draw(), self.draw());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }

    pub fn remember_token(&mut self, token: Token) {
        if self.tokens.len() == REMEMBERED_TOKENS {
            self.tokens.pop_front();
        }
        self.tokens.push_back(token);
        self.effects.tokens_issued += 1;
        self.changed = true;
    }

    pub fn remember_request(&mut self, request: LoggedRequest) {
        if self.requests.len() == LOGGED_REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }
}

impl ServiceState {
    pub fn etag(&self) -> String {
        base64::encode(&self.revision.to_be_bytes())
    }

    pub fn is_busy(&self) -> bool {
        !self.target_state.is_empty()
    }

    pub fn begin(&mut self) {
        (self.provisioning_state, self.target_state) = ("Updating".to_owned(), "Updating".to_owned());
        self.revision += 1;
    }

    pub fn end(&mut self) {
        (self.provisioning_state, self.target_state) = ("Succeeded".to_owned(), String::new());
        self.revision += 1;
    }

    pub fn gateway_host(&self) -> String {
        format!("{}.azure-api.net", self.spec.name.to_ascii_lowercase())
    }

    pub fn regional_host(&self) -> String {
        let region = compact(&self.spec.location);
        format!("{}-{region}-01.regional.azure-api.net", self.spec.name.to_ascii_lowercase())
    }
}

impl RecordState {
    /// As the scenario says; it has been there for longer than any name server lags.
    fn begin(&mut self, record: &Cname, etag: String, now: Timestamp) {
        let set = RecordSet {
            target: (record.alias.is_none() && !record.target.is_empty()).then(|| record.target.clone()),
            ttl: u32::try_from(record.ttl.as_secs()).unwrap_or(u32::MAX),
            etag,
            metadata: record.metadata.clone(),
            alias: record.alias.clone(),
        };
        self.set(Some(set), now - SignedDuration::from_hours(24 * 365));
    }

    pub fn set(&mut self, set: Option<RecordSet>, now: Timestamp) {
        let answer = set.as_ref().and_then(|set| Some((set.target.clone()?, set.ttl)));
        if self.versions.len() == RECORD_VERSIONS {
            self.versions.pop_front();
        }
        self.versions.push_back(Version { from: now, answer });
        self.current = set;
    }

    /// Target and TTL as they were at a moment.
    pub fn at(&self, moment: Timestamp) -> Option<(String, u32)> {
        let version = self.versions.iter().rev().find(|version| version.from <= moment);
        version.or(self.versions.front()).and_then(|version| version.answer.clone())
    }
}

/// `North Europe` → `northeurope`.
pub(super) fn compact(location: &str) -> String {
    location.chars().filter(|letter| !letter.is_whitespace()).collect::<String>().to_ascii_lowercase()
}
