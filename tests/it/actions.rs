//! Actions against the in-process simulator on the paused clock: each good path, and each hard case.

mod backup;
mod content;
mod flip;
mod gateway;
mod generations;
mod holdings;
mod outage;
mod permissions;
mod pools;
mod private_flip;
mod programs;
mod propagation;
mod prune;
mod restore;
mod sibling;
mod standby;
mod told;
mod ttl;
mod vault;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use lifeboat::{
    action::{self, Call, Context, Done, Message, Recorder},
    azure::Operation,
    clock::Clock,
    plan::facts::{Fact, Probe, Severity},
    run::{Intent, StepError, Verdict},
    runbook::{ActionKind, StepId},
    sim::{Fault, Scenario, World},
};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups";

fn id(group: &str, kind: &str, name: &str) -> String {
    format!("{SUBSCRIPTION}/{group}/providers/{kind}/{name}")
}

fn active() -> String {
    id("rg-apim-west", "Microsoft.ApiManagement/service", "apim-contoso-west")
}

fn standby() -> String {
    id("rg-apim-east", "Microsoft.ApiManagement/service", "apim-contoso-east")
}

fn storage() -> String {
    id("rg-dr", "Microsoft.Storage/storageAccounts", "stcontosodr")
}

fn zone() -> String {
    id("rg-dns", "Microsoft.Network/dnsZones", "contoso.com")
}

fn private_zone() -> String {
    id("rg-network", "Microsoft.Network/privateDnsZones", "contoso.internal")
}

fn traffic_manager() -> String {
    id("rg-traffic", "Microsoft.Network/trafficManagerProfiles", "tm-contoso-api")
}

fn front_door() -> String {
    id("rg-traffic", "Microsoft.Cdn/profiles", "afd-contoso")
}

const NEW_TARGET: &str = "apim-contoso-east.azure-api.net";
const OLD_TARGET: &str = "apim-contoso-west.azure-api.net";

/// A world, and an action's view of it. Needs tokio's clock to be paused.
struct Stage {
    world: Arc<World>,
    context: Context,
}

impl Stage {
    fn new(scenario: Scenario) -> Self {
        let clock = Clock::starting_at("2026-11-23T08:00:00Z".parse().unwrap());
        Self::of(World::new(scenario, clock))
    }

    fn of(world: Arc<World>) -> Self {
        let clock = world.clock().clone();
        let site = Arc::new(world.site());
        let context = Context::simulated(world.clone(), site, clock, std::env::temp_dir())
            .unwrap()
            .for_run("run-1", Duration::from_mins(90));
        Self { world, context }
    }

    /// The built-in world with these faults.
    fn with(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self::new(Scenario { faults: faults.into_iter().collect(), ..Scenario::default() })
    }

    async fn probe(&self, kind: ActionKind, arguments: Value) -> Result<Probe, StepError> {
        action::probe(kind, &call(arguments), &self.context).await
    }

    async fn perform(&self, kind: ActionKind, arguments: Value) -> (Result<Done, StepError>, Journal) {
        self.perform_planned(kind, arguments, Vec::new()).await
    }

    async fn perform_planned(
        &self,
        kind: ActionKind,
        arguments: Value,
        planned: Vec<Fact>,
    ) -> (Result<Done, StepError>, Journal) {
        let (record, journal) = recorder();
        let call = Call { planned, ..call(arguments) };
        let done = action::perform(kind, &call, &self.context, &record).await;
        (done, journal)
    }

    async fn follow(
        &self,
        kind: ActionKind,
        arguments: Value,
        operation: Option<Operation>,
        intent: &Intent,
    ) -> (Result<Done, StepError>, Journal) {
        let (record, journal) = recorder();
        let done = action::follow(kind, &call(arguments), &self.context, operation, intent, &record).await;
        (done, journal)
    }

    async fn settle(
        &self,
        kind: ActionKind,
        arguments: Value,
        intent: Option<&Intent>,
        operation: Option<&Operation>,
    ) -> Verdict {
        action::settle(kind, &call(arguments), &self.context, intent, operation).await.unwrap()
    }

    async fn undo(
        &self,
        kind: ActionKind,
        arguments: Value,
        outputs: &Map<String, Value>,
    ) -> (Result<Done, StepError>, Journal) {
        let (record, journal) = recorder();
        let done = action::undo(kind, &call(arguments), &self.context, Some(outputs), &record).await;
        (done, journal)
    }

    /// Whether nothing but reads reached the world.
    fn only_read(&self) -> bool {
        self.world.requests().iter().all(|request| ["GET", "HEAD"].contains(&request.method.as_str()))
    }

    async fn pass(&self, minutes: u64) {
        self.context.clock.sleep(Duration::from_mins(minutes)).await;
    }
}

fn call(arguments: Value) -> Call {
    let Value::Object(arguments) = arguments else { panic!("arguments are a map") };
    let (step, fences) = (StepId::new("step"), Arc::default());
    Call { step, arguments, planned: Vec::new(), forced: None, doubt: None, earlier: None, unanswered: None, fences }
}

/// What an action told the engine, in order. Everything is durable at once.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<Entry>>>);

#[derive(Clone, Debug)]
enum Entry {
    Intent(Intent),
    Accepted(Operation),
    Note(String),
}

impl Journal {
    fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap().clone()
    }

    fn intents(&self) -> Vec<Intent> {
        let intent = |entry| match entry {
            Entry::Intent(intent) => Some(intent),
            Entry::Accepted(_) | Entry::Note(_) => None,
        };
        self.entries().into_iter().filter_map(intent).collect()
    }

    fn operations(&self) -> Vec<Operation> {
        let operation = |entry| match entry {
            Entry::Accepted(operation) => Some(operation),
            Entry::Intent(_) | Entry::Note(_) => None,
        };
        self.entries().into_iter().filter_map(operation).collect()
    }

    fn notes(&self) -> String {
        let note = |entry| match entry {
            Entry::Note(note) => Some(note),
            Entry::Intent(_) | Entry::Accepted(_) => None,
        };
        self.entries().into_iter().filter_map(note).collect::<Vec<_>>().join("\n")
    }
}

fn recorder() -> (Recorder, Journal) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let journal = Journal::default();
    let kept = journal.clone();
    tokio::spawn(async move {
        while let Some((_, message)) = receiver.recv().await {
            let (entry, durable) = match message {
                Message::Intend(intent, durable) => (Entry::Intent(intent), Some(durable)),
                Message::Accepted(operation, durable) => (Entry::Accepted(operation), Some(durable)),
                Message::Noted(notice) => (Entry::Note(notice.message), None),
                Message::Finished(_) | Message::Settled(_) | Message::Panicked => continue,
            };
            kept.0.lock().unwrap().push(entry);
            if let Some(durable) = durable {
                durable.send(()).unwrap();
            }
        }
    });
    (Recorder::new(0, sender), journal)
}

/// Codes of a probe's findings of one severity.
fn codes(probe: &Probe, severity: Severity) -> Vec<&str> {
    probe.findings.iter().filter(|finding| finding.severity == severity).map(|finding| finding.code.as_str()).collect()
}

fn fact<'a>(probe: &'a Probe, name: &str) -> &'a Value {
    &probe.facts.iter().find(|fact| fact.name == name).unwrap_or_else(|| panic!("no fact {name}")).value
}

/// The newest backup of the built-in world that can be restored.
async fn newest_backup(stage: &Stage) -> Value {
    let arguments = json!({ "storage": storage(), "container": "apim-backups", "prefix": "apim-contoso-west-" });
    stage.perform(ActionKind::FindLatest, arguments).await.0.unwrap().outputs["backup"].clone()
}

#[tokio::test(start_paused = true)]
async fn no_probe_writes() {
    let stage = Stage::new(Scenario::default());
    let backup = newest_backup(&stage).await;
    for (kind, arguments) in [
        (ActionKind::ConfirmOutage, json!({ "service": active() })),
        (ActionKind::VerifyStandby, json!({ "standby": standby(), "active": active() })),
        (ActionKind::FindLatest, json!({ "storage": storage(), "container": "apim-backups" })),
        (ActionKind::Restore, json!({ "service": standby(), "backup": backup, "access": "access-key" })),
        (ActionKind::GatewayHealth, json!({ "service": standby(), "hostname": "api.contoso.com" })),
        (ActionKind::FlipCname, json!({ "zone": zone(), "record": "api", "target": NEW_TARGET, "ttl": "60s" })),
        (ActionKind::VerifyPropagation, json!({ "zone": zone(), "record": "api", "target": NEW_TARGET })),
        (ActionKind::Approval, json!({ "prompt": "Move it?" })),
        (ActionKind::HttpRequest, json!({ "url": "https://example.com/hook", "method": "POST" })),
        (ActionKind::Command, json!({ "argv": ["true"] })),
        (ActionKind::Notify, json!({ "message": "it begins" })),
        (ActionKind::Wait, json!({ "duration": "5m" })),
    ] {
        let probe =
            stage.probe(kind, arguments).await.unwrap_or_else(|error| panic!("{kind}: {error} ({})", error.code));
        assert!(!probe.summary.is_empty(), "{kind} says nothing");
        assert_eq!(codes(&probe, Severity::Blocker), Vec::<&str>::new(), "{kind}");
    }
    assert!(stage.only_read(), "{:?}", stage.world.requests());
}
