//! `lifeboat prove`: what it tries, that it says the same twice, and that it notices.

mod safety;

use std::path::Path;

use lifeboat::{
    prove::{Case, Order, Point, Proof, Unprovable, prove, rows},
    runbook::{self, Given, Mode, Runbook},
    sim::Scenario,
};

use crate::harness::FLAGSHIP;

/// Every shipped runbook and the modes in which it does something.
const SHIPPED: [(&str, &[Mode]); 4] = [
    ("runbooks/apim-failover.yaml", &Mode::ALL),
    ("runbooks/apim-failback.yaml", &[Mode::Planned]),
    ("runbooks/apim-backup.yaml", &Mode::ALL),
    ("runbooks/traffic-switch.yaml", &Mode::ALL),
];

fn runbook(path: &str) -> Runbook {
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    runbook::check(path, &bytes).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

fn order(runbook: &Runbook) -> Order<'_> {
    Order {
        runbook,
        path: "runbook.yaml".to_owned(),
        given: Given::default(),
        scenario: None,
        seed: 1,
        options: String::new(),
    }
}

fn case(order: &Order<'_>, mode: Mode) -> Case {
    Case::of(order, mode).unwrap_or_else(|unprovable| panic!("{mode}: {unprovable:?}"))
}

fn tried(order: &Order<'_>, mode: Mode, chosen: impl Fn(&Point) -> bool) -> Proof {
    prove(order, &[case(order, mode)], Vec::new(), chosen)
}

#[test]
fn the_same_seed_says_the_same() {
    let runbook = runbook(FLAGSHIP);
    let order = order(&runbook);
    let some = |point: &Point| point.number % 41 == 3;
    let [first, second] = [(); 2].map(|()| tried(&order, Mode::Unplanned, some));
    assert_eq!(first.markdown(), second.markdown());
    assert_eq!(serde_json::to_string(&first).unwrap(), serde_json::to_string(&second).unwrap());
    assert!(first.holds(), "{}", first.markdown());
    assert!(first.partial && first.points > 40, "{}", first.points);
}

/// Where the power goes, and where another process takes over: at every append of every shipped runbook.
#[test]
fn every_append_of_every_shipped_runbook_is_a_crash_point() {
    for (path, modes) in SHIPPED {
        let runbook = runbook(path);
        let order = order(&runbook);
        let cases: Vec<Case> = modes.iter().map(|mode| case(&order, *mode)).collect();
        let rows = ["cut-before", "cut-within-long", "cut-after", "take-over"];
        // To whoever resumes, after one append is before the next.
        let some = |point: &Point| {
            let turn = rows.iter().position(|slug| *slug == point.row.slug);
            turn.is_some_and(|turn| point.number as usize % rows.len() == turn)
        };
        let proof = prove(&order, &cases, Vec::new(), some);
        println!("{path}: {}", proof.line());
        assert!(proof.holds(), "{path}: {}", proof.markdown());
        let appends: u32 = cases.iter().map(|case| case.appends).sum();
        assert_eq!(proof.points, appends);
        assert!(appends > 10 * u32::try_from(cases.len()).unwrap(), "{path}: only {appends} appends");
        let same: u32 = proof.modes.iter().flat_map(|mode| &mode.rows).map(|row| row.same).sum();
        assert_eq!(same, proof.points, "{path}: nothing but a crash happened; {}", proof.markdown());
    }
}

/// The matrix has something in every row but those that no step of the flagship can meet.
#[test]
fn every_row_has_points() {
    let runbook = runbook(FLAGSHIP);
    let case = case(&order(&runbook), Mode::Unplanned);
    let empty: Vec<&str> = rows().iter().filter(|row| case.points(row).is_empty()).map(|row| row.slug).collect();
    assert_eq!(empty, ["change-member"]);
}

#[test]
fn a_mode_without_steps_is_not_proven() {
    let runbook = runbook("runbooks/apim-failback.yaml");
    assert!(matches!(Case::of(&order(&runbook), Mode::Drill), Err(Unprovable::Unfit { .. } | Unprovable::Nothing)));
}

/// Programs are not started, and hosts that the simulator does not have are not asked.
#[test]
fn what_reaches_outside_is_taken_as_done_and_said() {
    let text = "
version: 1
name: outside
steps:
  - id: tell
    do: { command: { argv: [/no/such/program], read_only: false } }
  - id: post
    needs: [tell]
    do: { http.request: { method: POST, url: 'https://chat.example.org/hook' } }
  - id: rest
    needs: [post]
    do: { wait: { duration: 10m } }
";
    let runbook = runbook::check("outside.yaml", text.as_bytes()).unwrap_or_else(|it| panic!("{}", it.render(false)));
    let order = order(&runbook);
    let proof = tried(&order, Mode::Unplanned, |_| true);
    assert_eq!(proof.modes[0].pretended, ["tell", "post"]);
    assert!(proof.text(&lifeboat::style::Style::plain(80)).contains("step tell reaches outside"));
    assert!(proof.holds(), "{}", proof.markdown());
}

/// A fault of the scenario itself stays in every point.
#[test]
fn a_scenario_in_which_the_runbook_fails_proves_nothing() {
    let runbook = runbook(FLAGSHIP);
    let scenario = Scenario::parse("standby: { tier: Basic }").unwrap();
    let order = Order { scenario: Some(("elsewhere".to_owned(), scenario)), ..order(&runbook) };
    let Err(Unprovable::Unfit { message, remedy }) = Case::of(&order, Mode::Unplanned) else { panic!("it was proven") };
    assert!(message.contains("tier") && !remedy.is_empty(), "{message}; {remedy}");
}
