//! The runs of which the committed examples tell: the flagship in the built-in world, on the paused clock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lifeboat::{
    cli::report::beside,
    plan::{History, Measured},
    report::{Beside, Commands, Dossier, Standing, measured::measured},
    run::{EngineError, Event, Journal, JournalError, PowerCut, State, journal::Disk},
    runbook::Mode,
    sim::{Act, Fault, Scenario, condition::Changed},
};

use crate::{
    harness::{FLAGSHIP, Stage, at_once, on_paused_clock},
    transitions::person,
};

/// Stands for every thumbprint: the simulator's certificates are new in every process.
const THUMBPRINT: &str = "1F0E2D3C4B5A69788796A5B4C3D2E1F001234567";

pub fn all() -> [(&'static str, Dossier); 4] {
    [("dry-run", dry()), ("drill", drill()), ("failed-run", failed()), ("resumed-run", resumed())]
}

/// The home region is lost, and somebody had worked on its service after the last backup.
fn lost() -> Scenario {
    let mut scenario = Scenario::default();
    let changed = |what: &str, operation: &str, hours: u64, by: &str| Changed {
        what: what.to_owned(),
        operation: operation.to_owned(),
        ago: Duration::from_hours(hours),
        by: by.to_owned(),
    };
    scenario.active.condition.changed = vec![
        changed("apis/orders/operations/get-order", "write", 2, "ann@contoso.com"),
        changed("namedValues/rate-limit", "write", 4, "deploy-pipeline"),
        changed("products/partners", "write", 30, "bo@contoso.com"),
    ];
    scenario
}

/// So many rehearsals, one a week before the plans here, whose restores take as long as it comes.
pub fn drills(count: u32) -> Vec<Measured> {
    let drill = async |number: u32| {
        let scenario = Scenario { seed: u64::from(number), duration_spread: 0.2, ..Scenario::default() };
        let mut stage = Stage::flagship(scenario);
        stage.mode = Mode::Drill;
        stage.run = lifeboat::run::RunId(format!("drill-{:02}", number + 1).into());
        let mut took = measured(&stage.start(None).await.unwrap());
        took.started_at -= SignedDuration::from_hours(7 * 24 * i64::from(count - number));
        took
    };
    on_paused_clock(async {
        let mut all = Vec::new();
        for number in 0..count {
            all.push(drill(number).await);
        }
        all
    })
}

/// Rehearsed every week.
pub fn dry() -> Dossier {
    let history = History { runs: drills(12), ..History::none() };
    on_paused_clock(async {
        let stage = Stage { history: history.clone(), ..Stage::flagship(lost()) };
        let plan = serde_json::from_str(&masked(&serde_json::to_string(&stage.plan().await).unwrap())).unwrap();
        Dossier::before(&plan, &Beside { history: Some(history), ..known(&plan) })
    })
}

pub fn drill() -> Dossier {
    on_paused_clock(async {
        let mut stage = Stage::flagship(Scenario::default());
        stage.mode = Mode::Drill;
        stage.run = lifeboat::run::RunId("drill-2026-11".into());
        stage.start(None).await.unwrap();
        told(&stage, None)
    })
}

/// The restore is accepted, and fails in Azure.
pub fn failed() -> Dossier {
    let message = "Cannot restore: backup expired".to_owned();
    let act = Act::FailOperation { code: "RestoreFailed".to_owned(), message };
    let faults = vec![Fault::new(act).on("POST", "/restore?").times(1)];
    on_paused_clock(async {
        let mut stage = Stage::flagship(Scenario { faults, ..lost() });
        stage.run = lifeboat::run::RunId("failover-west-1".into());
        stage.start(None).await.unwrap();
        told(&stage, None)
    })
}

/// The machine dies in the middle of the restore; nine minutes later somebody else goes on elsewhere.
pub fn resumed() -> Dossier {
    on_paused_clock(async {
        let mut stage = Stage::flagship(lost());
        stage.run = lifeboat::run::RunId("failover-west-2".into());
        let cut = Some(PowerCut { append: accepted(), bytes: None });
        let Err(EngineError::Journal(JournalError::Cut)) = stage.start(cut).await else { panic!("it was not cut") };
        stage.clock.sleep(Duration::from_mins(9)).await;
        stage.product.by = person("bo");
        stage.resume(None).await.unwrap();
        let began = stage.load().unwrap().records[0].at;
        told(&stage, Some(began - SignedDuration::from_mins(14)))
    })
}

/// The append of an undisturbed run after which the restore's operation is written down. Each try has a clock of its own.
fn accepted() -> u64 {
    let is_accepted = |append: u64| {
        let watch = move || {
            on_paused_clock(async {
                let mut stage = Stage::flagship(Scenario::default());
                let Err(_) = stage.start(Some(PowerCut { append, bytes: None })).await else { return false };
                stage.events().iter().any(|event| matches!(event, Event::OperationAccepted { .. }))
            })
        };
        std::thread::spawn(watch).join().unwrap()
    };
    (1..40).find(|append| is_accepted(*append)).expect("the restore is accepted")
}

fn known(plan: &lifeboat::plan::Plan) -> Beside {
    let runbook = std::fs::read_to_string(FLAGSHIP).unwrap();
    Beside { history: Some(History::none()), ..beside(plan, Commands::default(), Some(runbook)) }
}

/// The dossier of what stands on a stage's disk, with what differs from process to process masked and the chain of hashes
/// made anew.
fn told(stage: &Stage, incident: Option<Timestamp>) -> Dossier {
    let loaded = stage.load().unwrap();
    let disk = Disk::default();
    let mut journal = Journal::in_memory(disk.clone(), None);
    for record in &loaded.records {
        let event: Event = serde_json::from_str(&masked(&serde_json::to_string(&record.event).unwrap())).unwrap();
        at_once(journal.append(record.at, &[event])).unwrap();
    }
    let loaded = lifeboat::run::journal::parse(std::path::Path::new("journal"), &disk.bytes()).unwrap();
    let state = State::fold(loaded.records.iter().map(|record| (record.at, &record.event))).unwrap();
    let beside = Beside { incident, head: Some(loaded.head_hash().to_owned()), ..known(&state.plan) };
    let standing = Standing::of(&state, Some(false));
    Dossier::after(&state, &loaded.records, standing, state.last_event_at, &beside)
}

/// Every thumbprint is replaced.
fn masked(text: &str) -> String {
    let is_digit = |letter: u8| letter.is_ascii_digit() || (b'A'..=b'F').contains(&letter);
    let bytes = text.as_bytes();
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    while from < bytes.len() {
        let run = bytes[from..].iter().take_while(|letter| is_digit(**letter)).count();
        match run {
            0 => {
                let letter = text[from..].chars().next().unwrap();
                masked.push(letter);
                from += letter.len_utf8();
            }
            _ => {
                masked.push_str(if run == THUMBPRINT.len() { THUMBPRINT } else { &text[from..from + run] });
                from += run;
            }
        }
    }
    masked
}
