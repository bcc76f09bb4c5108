//! No drill writes to a production name, pool or origin, or restores over the active service: held against every request
//! that the simulator got, also in trouble, after crashes, and on the way back.

use std::{collections::BTreeSet, path::Path, time::Duration};

use lifeboat::{
    action::record_of,
    run::{PowerCut, engine::Request},
    runbook::{ActionKind, Mode, Scope},
    sim::{Act, Fault, LoggedRequest, Moment, On, Region, Scenario, Status},
};

use crate::{
    harness::{Stage, on_paused_clock},
    transitions::person,
};

const RUNBOOKS: [&str; 4] = ["apim-failover", "apim-failback", "apim-backup", "traffic-switch"];

fn text(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("runbooks/{name}.yaml"))).unwrap()
}

fn stage(name: &str, region: Region, faults: Vec<Fault>) -> Stage {
    Stage { mode: Mode::Drill, ..Stage::with(Scenario { region, faults, ..Scenario::default() }, &text(name)) }
}

/// Folded ids of all that a run of the runbook moves when it is no drill.
async fn moved(name: &str) -> BTreeSet<String> {
    let mut moved = BTreeSet::new();
    for mode in [Mode::Planned, Mode::Unplanned] {
        let plan = Stage { mode, ..stage(name, Region::Alive, Vec::new()) }.plan().await;
        let scope = Scope::new(plan.parameters.clone(), mode, None);
        for step in plan.steps.iter().filter(|step| step.action.entry().traffic.is_some()) {
            let known = scope.resolve_known(&step.arguments).ok();
            moved.extend(known.and_then(|(arguments, _)| record_of(step.action, &arguments)));
            moved.extend(step.probe.targets.iter().cloned());
        }
        // A restore over what clients use would move them too.
        let active = plan
            .parameters
            .get("active")
            .and_then(|id| id.as_str())
            .map(|id| format!("{}/restore", id.to_ascii_lowercase()));
        moved.extend(active.filter(|_| plan.steps.iter().any(|step| step.action == ActionKind::Restore)));
    }
    moved
}

fn writes(requests: &[LoggedRequest]) -> impl Iterator<Item = &LoggedRequest> {
    requests.iter().filter(|request| !matches!(request.method.as_str(), "GET" | "HEAD"))
}

/// Of a URL in lower case: it names the resource itself or something below it.
fn is_of(url: &str, id: &str) -> bool {
    url.find(id).is_some_and(|at| url[at + id.len()..].chars().next().is_none_or(|next| "/?".contains(next)))
}

/// How many requests wrote something, none of it production.
fn held(stage: &Stage, production: &BTreeSet<String>, what: &str) -> usize {
    let requests = stage.world.requests();
    for request in writes(&requests) {
        let url = request.url.to_ascii_lowercase();
        let hit = production.iter().find(|id| is_of(&url, id));
        assert_eq!(hit, None, "{what}: {} {}", request.method, request.url);
        for pool in ["trafficmanagerprofiles", "microsoft.cdn/profiles"] {
            assert!(!url.contains(pool), "{what}: {} {}", request.method, request.url);
        }
    }
    writes(&requests).count()
}

#[test]
fn the_check_would_see_production_being_moved() {
    on_paused_clock(async {
        for name in ["apim-failover", "traffic-switch"] {
            let production = moved(name).await;
            let mut stage = Stage { mode: Mode::Unplanned, ..stage(name, Region::Lost, Vec::new()) };
            stage.start(None).await.unwrap();
            let requests = stage.world.requests();
            let url = |request: &LoggedRequest| request.url.to_ascii_lowercase();
            assert!(writes(&requests).any(|request| production.iter().any(|id| is_of(&url(request), id))), "{name}");
        }
    });
}

/// Every fault that a write can meet.
fn faults() -> Vec<Fault> {
    let on = |method: &str| On { method: Some(method.to_owned()), ..On::default() };
    let status = |code, acted| Act::Status(Status { code, error_code: None, message: None, retry_after: None, acted });
    let acts = || {
        [
            status(403, false),
            status(500, false),
            status(503, true),
            status(429, false),
            Act::Reset(Moment::Before),
            Act::Reset(Moment::After),
            Act::Truncate,
            Act::StaleEtag,
            Act::LoseOperation,
            Act::FailOperation { code: "Failed".to_owned(), message: "it failed".to_owned() },
            Act::Hang(Duration::from_mins(5)),
        ]
    };
    let mut all = Vec::new();
    for method in ["PUT", "POST"] {
        for skip in 0..3 {
            for times in [Some(1), None] {
                all.extend(acts().map(|act| Fault { on: on(method), skip, times, ..Fault::new(act) }));
            }
        }
    }
    all
}

#[test]
fn a_drill_writes_to_nothing_of_production_whatever_happens() {
    for name in RUNBOOKS {
        on_paused_clock(async {
            let production = moved(name).await;
            let mut wrote = 0;
            for region in [Region::Lost, Region::Alive] {
                let mut whole = stage(name, region, Vec::new());
                if whole.plan().await.blocker().is_some() {
                    held(&whole, &production, "a plan that is blocked");
                    continue;
                }
                whole.start(None).await.unwrap();
                wrote += held(&whole, &production, "undisturbed");
                for append in 1..whole.appends {
                    let mut stage = stage(name, region, Vec::new());
                    let _power_went =
                        stage.start(Some(PowerCut { append, bytes: (append % 2 == 0).then_some(7) })).await;
                    stage.resume(None).await.unwrap();
                    held(&stage, &production, &format!("{name}: power cut at {append}"));
                }
                for fault in faults() {
                    let what = format!("{name}: {fault:?}");
                    let mut stage = stage(name, region, vec![fault]);
                    if stage.plan().await.blocker().is_none() {
                        let _however_it_ends = stage.start(None).await;
                        let _whoever_goes_on = stage.resume(None).await;
                    }
                    held(&stage, &production, &what);
                }
                for minutes in [0, 1, 10, 46, 48, 50, 55] {
                    let mut stage = stage(name, region, Vec::new());
                    let by = person("ben");
                    let undo = Request::Stop { by, abort: true, reason: "enough".to_owned(), undo: true };
                    stage.script.push((Duration::from_mins(minutes), undo));
                    stage.start(None).await.unwrap();
                    held(&stage, &production, &format!("{name}: given up after {minutes} minutes"));
                }
            }
            // The failback has no step for a drill; its plan says so.
            assert_eq!(wrote > 0, name != "apim-failback", "{name}: a drill that writes nothing proves nothing");
        });
    }
}
