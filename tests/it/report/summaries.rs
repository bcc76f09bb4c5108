//! What is said when a drive has ended, and whenever somebody asks.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use lifeboat::{
    plan::{Basis, Plan, Prediction},
    report::{
        Commands, Judgement, Standing, Status, Summary,
        brief::{BRIEF_COLUMNS, BRIEF_LINES},
        handover, objectives,
        runs::{self, Row},
    },
    run::{
        Disposition, Event, Outcome, State, StepError, Verdict,
        approval::{self, Approval, Scope},
    },
    runbook::StepId,
    style::columns,
};
use serde_json::json;

use super::{
    assert_fits,
    fixture::{self, Tape, dana},
    style,
};

fn failed(step: &str, disposition: Disposition, code: &str, message: &str, hint: &str) -> Event {
    let error = StepError::new(disposition, code, message, hint);
    Event::StepFailed { step: StepId::new(step), error, retry_at: None }
}

fn succeeded() -> Tape {
    let mut tape = Tape::of(fixture::plan());
    tape.until_succeeded();
    tape
}

fn restore_failed() -> Tape {
    let mut tape = Tape::of(fixture::plan());
    tape.until_restoring().fail("restore", fixture::expired(), None);
    tape.stop(Outcome::Failed, "step restore failed: cannot restore: backup expired");
    tape
}

fn refused() -> Tape {
    let mut tape = Tape::of(fixture::plan());
    tape.until_asked().after(1800).add(failed(
        "approve",
        Disposition::Refused,
        "approval-missing",
        "nobody decided within 30m",
        "resume the run to ask again, or abort it",
    ));
    tape.stop(Outcome::Refused, "step approve failed: nobody decided within 30m");
    tape
}

fn undone() -> Tape {
    let flip = || StepId::new("flip");
    let mut tape = Tape::of(fixture::plan());
    tape.until_flipped().after(900).add(failed(
        "propagated",
        Disposition::Final,
        "servers-disagree",
        "ns2-07.azure-dns.net still gives apim-west.azure-api.net",
        "ask Azure support why",
    ));
    tape.add(Event::UndoStarted { step: flip() });
    tape.add(Event::UndoIntended { step: flip(), intent: fixture::intent("PUT", "https://x/CNAME/api") });
    tape.after(2).add(Event::UndoSucceeded { step: flip(), evidence: json!({}), word: None });
    tape.stop(Outcome::Undone, "step propagated failed: the servers disagree");
    tape
}

fn stuck() -> Tape {
    let mut tape = Tape::of(fixture::plan());
    let lost = "the connection broke after the PUT was sent";
    let error = StepError::new(Disposition::InDoubt, "flip-in-doubt", lost, "resume the run");
    tape.until_flipping().after(30).add(Event::StepInDoubt { step: StepId::new("flip"), error });
    let reason = "the zone cannot be read: Azure is not available (503)".to_owned();
    let remedy = "read the record yourself, or resume the run when Azure answers".to_owned();
    tape.settle("flip", Verdict::Unknown { reason, remedy });
    tape.stop(Outcome::Stuck, "step flip is in doubt: the zone cannot be read");
    tape
}

fn interrupted() -> Tape {
    let mut tape = Tape::of(fixture::plan());
    let reason = "stopped by SIGINT".to_owned();
    tape.until_restoring().add(Event::StopRequested { by: dana(), abort: false, reason: reason.clone(), undo: false });
    tape.stop(Outcome::Interrupted, &reason);
    tape
}

fn aborted() -> Tape {
    let mut tape = Tape::of(fixture::plan());
    let reason = "the region is back".to_owned();
    tape.until_restoring().add(Event::StopRequested { by: dana(), abort: true, reason: reason.clone(), undo: false });
    tape.stop(Outcome::Aborted, &reason);
    tape
}

fn asking() -> Tape {
    let mut tape = Tape::of(fixture::plan());
    tape.until_asked().after(30);
    tape
}

fn killed_while_flipping() -> Tape {
    let mut tape = Tape::of(fixture::plan());
    tape.until_flipping().after(3600);
    tape
}

/// Every way in which a run can stand, with whether a process drives it.
fn every_standing() -> Vec<(Tape, Option<bool>)> {
    let mut all: Vec<_> = [succeeded(), restore_failed(), refused(), undone(), stuck(), interrupted(), aborted()]
        .map(|tape| (tape, Some(false)))
        .into();
    all.push((asking(), Some(true)));
    all.push((killed_while_flipping(), Some(false)));
    all.push((killed_while_flipping(), None));
    all
}

fn summary(tape: &Tape, driven: Option<bool>) -> Summary {
    let state = tape.state();
    Summary::of(&state, Standing::of(&state, driven), tape.now(), &Commands::default())
}

fn status(tape: &Tape, driven: Option<bool>) -> Status {
    let state = tape.state();
    Status::of(&state, Standing::of(&state, driven), tape.now(), &Commands::default())
}

#[test]
fn a_run_that_succeeded() {
    insta::assert_snapshot!(summary(&succeeded(), Some(false)).text(&style(80)));
}

#[test]
fn a_run_that_failed() {
    insta::assert_snapshot!(summary(&restore_failed(), Some(false)).text(&style(80)));
}

#[test]
fn a_run_that_was_refused() {
    insta::assert_snapshot!(summary(&refused(), Some(false)).text(&style(80)));
}

#[test]
fn a_run_that_was_undone() {
    insta::assert_snapshot!(summary(&undone(), Some(false)).text(&style(80)));
}

#[test]
fn a_run_that_is_stuck() {
    insta::assert_snapshot!(summary(&stuck(), Some(false)).text(&style(80)));
}

#[test]
fn a_run_that_was_interrupted() {
    insta::assert_snapshot!(summary(&interrupted(), Some(false)).text(&style(80)));
}

#[test]
fn a_run_that_was_aborted() {
    insta::assert_snapshot!(summary(&aborted(), Some(false)).text(&style(80)));
}

#[test]
fn a_run_that_asks() {
    insta::assert_snapshot!(status(&asking(), Some(true)).text(&style(80)));
}

#[test]
fn a_run_whose_driver_died() {
    insta::assert_snapshot!(status(&killed_while_flipping(), Some(false)).text(&style(80)));
}

#[test]
fn the_json_form_says_the_same() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&summary(&stuck(), Some(false))).unwrap());
    insta::assert_snapshot!(serde_json::to_string_pretty(&status(&interrupted(), Some(false))).unwrap());
}

#[test]
fn there_is_always_something_to_type_next_and_it_fits() {
    for (tape, driven) in every_standing() {
        let (summary, status) = (summary(&tape, driven), status(&tape, driven));
        for next in [&summary.next, &status.summary.next] {
            assert!(!next.is_empty(), "{:?}", summary.standing);
            let asks = |command: &str| command.starts_with("dig ") || command.starts_with("az ");
            assert!(
                next.iter().all(|advice| advice.command.contains("dr-20261123") || asks(&advice.command)),
                "{next:#?}"
            );
        }
        for width in [60, 80, 120] {
            assert_fits(&summary.text(&style(width)), width);
            assert_fits(&status.text(&style(width)), width);
        }
    }
}

/// The next command is the one that leads on from there.
#[test]
fn the_first_advice_leads_on() {
    let first = |tape: &Tape, driven| summary(tape, driven).next.remove(0).command;
    for tape in [restore_failed(), refused(), interrupted(), killed_while_flipping()] {
        assert_eq!(first(&tape, Some(false)), "lifeboat resume dr-20261123");
    }
    assert_eq!(first(&asking(), Some(true)), "lifeboat approve dr-20261123 approve");
    for tape in [succeeded(), undone(), aborted(), stuck()] {
        assert_eq!(first(&tape, Some(false)), "lifeboat status dr-20261123");
    }
    for tape in [succeeded(), undone(), aborted()] {
        let list = summary(&tape, Some(false)).next;
        assert!(!list.iter().any(|advice| advice.command.contains("resume")), "nothing follows on a run that is over");
    }
    let state = succeeded().state();
    let commands = Commands { program: "./lifeboat".into(), options: "--state /mnt/dr".into(), site_lives: false };
    let summary = Summary::of(&state, Standing::of(&state, None), fixture::noon(), &commands);
    assert_eq!(summary.next[0].command, "./lifeboat status dr-20261123 --state /mnt/dr");
    assert!(!summary.next.iter().any(|advice| advice.command.starts_with("dig")), "nobody would answer");
}

/// Whatever was sent and not answered is never called done, failed or untouched.
#[test]
fn what_is_not_known_is_never_claimed() {
    let doubts = [
        (stuck(), Some(false), "api.contoso.com"),
        (killed_while_flipping(), Some(false), "api.contoso.com"),
        (killed_while_flipping(), None, "api.contoso.com"),
        (killed_while_flipping(), Some(true), "api.contoso.com"),
        (interrupted(), Some(false), "apim-east"),
        (aborted(), Some(false), "apim-east"),
        (restore_failed(), Some(false), "apim-east"),
    ];
    for (tape, driven, subject) in doubts {
        let world = summary(&tape, driven).world;
        let truth = world.truths.iter().find(|truth| truth.subject == subject).unwrap();
        assert!(!truth.certain, "{truth:?}");
        assert!(world.has_doubt());
    }
    for tape in [succeeded(), refused(), undone(), asking()] {
        assert!(!summary(&tape, Some(false)).world.has_doubt());
    }
    assert_eq!(summary(&interrupted(), Some(false)).world.operations[0].url, fixture::OPERATION, "verbatim");
    assert!(summary(&succeeded(), Some(false)).world.operations.is_empty());
    // A flip that never began left the record where it was.
    let world = summary(&restore_failed(), Some(false)).world;
    assert!(world.truths[0].certain && world.truths[0].says.starts_with("was not moved by this run"), "{world:?}");
    // Read-only work that was cut off sent nothing: it is not in doubt.
    let mut tape = Tape::of(fixture::plan());
    tape.start("find-backup", 1, 5, json!({}));
    let view = &status(&tape, Some(false)).steps[1];
    assert_eq!(view.state, "interrupted");
}

fn judged(tape: &Tape, now: Timestamp) -> (Judgement, Judgement, bool) {
    let verdict = objectives(&tape.state(), now);
    (verdict.rto.judgement, verdict.rpo.judgement, verdict.missed())
}

#[test]
fn objectives_are_met_only_once_recovered_and_missed_as_soon_as_they_are() {
    use Judgement::{Met, Missed, NotSet, Unknown};
    let hour = SignedDuration::from_hours(1);
    let run = succeeded();
    assert_eq!(judged(&run, run.now()), (Met, Met, false));
    assert_eq!(judged(&run, run.now() + hour), (Met, Met, false), "time stands still once it is over");
    let run = interrupted();
    assert_eq!(judged(&run, run.now()), (Unknown, Unknown, false));
    assert_eq!(judged(&run, run.now() + hour * 2), (Missed, Unknown, true), "the clock runs until it is resumed");
    let run = asking();
    assert_eq!(judged(&run, run.now()), (Unknown, Met, false), "restored, not recovered");

    let with = |rto: Option<u64>, rpo: Option<u64>| {
        let mut plan = fixture::plan();
        plan.objectives.rto = rto.map(|minutes| Duration::from_secs(minutes * 60));
        plan.objectives.rpo = rpo.map(|minutes| Duration::from_secs(minutes * 60));
        let mut tape = Tape::of(plan);
        tape.until_succeeded();
        judged(&tape, tape.now())
    };
    assert_eq!(with(Some(50), Some(1440)), (Missed, Met, true));
    assert_eq!(with(Some(75), Some(299)), (Met, Missed, true));
    assert_eq!(with(None, None), (NotSet, NotSet, false));
    let verdict = objectives(&succeeded().state(), fixture::noon());
    assert_eq!(verdict.rpo.reached, Some(Duration::from_secs(5 * 3600 + 5)), "age of the backup when the run began");
}

fn assert_brief(text: &str, what: &str) {
    assert!(text.lines().count() <= BRIEF_LINES, "{what}: {} lines\n{text}", text.lines().count());
    for line in text.lines() {
        assert!(columns(line) <= BRIEF_COLUMNS, "{what}: {line}");
    }
}

#[test]
fn the_brief_status_is_brief_whatever_happened() {
    for (tape, driven) in every_standing() {
        let status = status(&tape, driven);
        for width in [10, 80, 200] {
            let text = status.brief(&style(width));
            assert_brief(&text, status.summary.standing.word());
            assert!(text.contains("$ lifeboat") || width < 80);
            for part in ["decision    ", "aborting    "] {
                assert_eq!(text.matches(part).count(), 1, "{part}: {text}");
            }
            let over = status.summary.standing.is_terminal();
            assert!(over || width < 80 || text.contains("countdown   RTO"), "{text}");
            assert!(over || width < 80 || text.contains("documented defaults"), "{text}");
        }
    }
    insta::assert_snapshot!(status(&asking(), Some(true)).brief(&style(80)));
}

/// With the longest name that a run can have, and more to say than there is room for.
#[test]
fn the_brief_status_cuts_no_command_and_hides_no_doubt() {
    let mut tape = asking();
    if let (_, Event::Planned { run, .. }) = &mut tape.events[0] {
        *run = lifeboat::run::RunId("a".repeat(64).into());
    }
    let mut status = status(&tape, Some(true));
    let command = status.summary.next[0].command.clone();
    assert!(columns(&command) > BRIEF_COLUMNS - 4 && command.contains("approve"), "{command}");
    let joined = |text: &str| text[text.find("  $ ").unwrap() + 4..].replace(" \\\n     ", "").trim_end().to_owned();
    assert_eq!(joined(&status.brief(&style(80))), command);

    // One that fits on no line is told of; none that may be quite another takes its place.
    let mut unfit = self::status(&tape, Some(true));
    unfit.summary.next[0].command = format!("lifeboat approve {} 'a \\ b'", "a".repeat(200));
    let text = unfit.brief(&style(80));
    assert!(text.contains("too long for this screen") && !text.contains("  $ "), "{text}");

    let truth = status.summary.world.truths[0].clone();
    status.summary.world.truths = vec![truth.clone(); 6];
    status.summary.world.truths[5].certain = false;
    let text = status.brief(&style(80));
    assert!(text.contains("not certain: ") && text.contains("and 4 more\n"), "{text}");
    for truth in &mut status.summary.world.truths {
        truth.certain = false;
    }
    assert!(status.brief(&style(80)).contains("and 4 more, 4 of them not certain"));

    // All that can stand there at once is not too much.
    let sentence = "goes on in Azure, watched by nobody; ".repeat(9);
    (status.outlook.decision, status.outlook.aborting) = (sentence.clone(), sentence);
    let moved = lifeboat::report::Accepted {
        what: "flip.record.ttl".to_owned(),
        was: json!(300),
        is: json!(60),
        by: "dana@jump-1".to_owned(),
        identity: "unverified".to_owned(),
        reason: "lowered".to_owned(),
        at: tape.now(),
    };
    status.summary.accepted_drift = vec![moved; 3];
    status.summary.reason = Some("stopped".to_owned());
    status.summary.paused = lifeboat::report::summary::Paused::of(&{
        let mut held = asking();
        held.add(Event::Paused { by: dana(), reason: None });
        held.state()
    });
    let text = status.brief(&style(80));
    assert_brief(&text, "everything at once");
    assert!(text.contains("2 more; flip.record.ttl moved since the plan was saved"), "{text}");
    assert!(text.contains("paused by dana@jump-1"), "{text}");
}

#[test]
fn the_brief_status_tells_the_decision_and_the_cost_to_the_end() {
    for (tape, driven) in every_standing() {
        let status = status(&tape, driven);
        let text = status.brief(&style(80));
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for whole in [&status.outlook.decision, &status.outlook.aborting] {
            assert!(text.contains(whole.as_str()), "{whole}\n{text}");
        }
    }
}

/// Whoever has approved with the plan is not asked for again.
#[test]
fn an_approval_that_is_handed_in_already_is_no_decision_to_come() {
    let decision = |until: Option<i64>| {
        let mut tape = Tape::of(fixture::plan());
        let filed = until.map(|minutes| {
            let approval = Approval {
                format: approval::FORMAT,
                plan: fixture::plan().digest,
                scope: Scope::Plan,
                run: None,
                by: dana(),
                comment: None,
                at: tape.now(),
                until: Some(tape.now() + SignedDuration::from_mins(minutes)),
                signature: None,
            };
            Event::ApprovalFiled { approval: Arc::new(approval) }
        });
        if let Some(filed) = filed {
            tape.add(filed);
        }
        tape.until_restoring();
        status(&tape, Some(true)).outlook.decision
    };
    assert!(decision(None).starts_with("approve step approve in about "), "{}", decision(None));
    assert_eq!(decision(Some(600)), "none, unless something fails; the approvals are handed in");
    assert!(decision(Some(5)).starts_with("approve step approve in about "), "it will have ended");
}

/// What was asked for and not seen to succeed is told to whoever thinks of giving up, and never as nothing.
#[test]
fn what_aborting_leaves_behind_is_all_that_was_asked_for() {
    let mut tape = Tape::of(fixture::plan());
    let aborting = |tape: &Tape, driven| status(tape, Some(driven)).outlook.aborting;
    assert_eq!(aborting(&tape, true), "nothing was changed yet; users stay where they are");
    tape.until_restoring();
    assert_eq!(aborting(&tape, true), "restore goes on in Azure, watched by nobody");
    let unknown = "restore was begun and not seen to succeed: what it left is not known";
    assert_eq!(aborting(&restore_failed(), false), unknown);
    let mut again = tape;
    again.fail("restore", fixture::expired(), Some(60));
    assert_eq!(aborting(&again, true), unknown, "between two attempts");
    // Resumed, and not begun anew yet; the world says the same.
    let mut resumed = restore_failed();
    resumed.attach(2);
    assert_eq!(aborting(&resumed, true), unknown);
    assert!(summary(&resumed, Some(true)).world.has_doubt());
    // Somebody goes on without it; what it did before that stays.
    let mut skipped = restore_failed();
    let reason = "restored by hand".to_owned();
    skipped.add(Event::StepSkipped { step: StepId::new("restore"), reason, by: Some(dana()) });
    assert_eq!(aborting(&skipped, true), unknown);
    let in_doubt = aborting(&stuck(), false);
    assert_eq!(
        in_doubt,
        "flip was begun and not seen to succeed: what it left is not known; restore stays, and cannot be undone"
    );
    let mut back = Tape::of(fixture::plan());
    back.until_flipped().after(900).fail("propagated", fixture::expired(), None);
    assert!(aborting(&back, true).ends_with("; 1 change stays unless it is aborted with --undo"));
    back.add(Event::UndoStarted { step: StepId::new("flip") });
    let error = StepError::new(Disposition::Final, "flip-changed", "somebody else wrote", "look");
    back.add(Event::UndoFailed { step: StepId::new("flip"), error });
    back.stop(Outcome::Stuck, "the way back failed");
    assert!(aborting(&back, false).starts_with("flip was being put back: how far"), "{}", aborting(&back, false));
    // A program that cannot be undone and failed.
    let mut plan = fixture::plan();
    plan.steps[3].action = lifeboat::runbook::ActionKind::Command;
    let mut command = Tape::of(plan);
    command.until_restoring().fail("restore", fixture::expired(), None);
    command.stop(Outcome::Failed, "step restore failed");
    assert_eq!(aborting(&command, false), unknown);
}

/// The fixture's plan, as history predicts it: each step's p90 is half as long again as its p50.
fn predicted() -> Plan {
    let predicted = |p50: Duration| Prediction {
        p50,
        p90: p50 * 3 / 2,
        sample: 12,
        basis: Basis::History,
        assumed: Duration::ZERO,
    };
    let mut plan = fixture::plan();
    for step in &mut plan.steps {
        step.prediction = Some(predicted(step.expected));
    }
    plan.prediction = Some(predicted(plan.expected));
    plan
}

#[test]
fn the_countdown_is_what_was_predicted_less_what_has_passed() {
    let mut tape = Tape::of(predicted());
    tape.until_restoring();
    let remaining = |tape: &Tape| status(tape, Some(true)).outlook.remaining.unwrap();
    let begun = remaining(&tape);
    tape.after(600);
    let later = remaining(&tape);
    assert_eq!(begun.seconds - later.seconds, 600);
    // The margin stays: it is the restore's own that decides, and of all together it is less than their sum.
    let margin = later.p90_s.unwrap() - later.seconds;
    assert_eq!(margin, begun.p90_s.unwrap() - begun.seconds);
    assert!((1350..begun.seconds / 2).contains(&margin), "{margin}");
    assert_eq!(later.source, "12 earlier runs");
    // Past the middle only the bound is left, and past that nothing.
    tape.after(45 * 60);
    let late = remaining(&tape);
    assert!(late.p90_s > Some(late.seconds) && late.seconds < later.seconds);
    tape.after(2 * 60 * 60);
    assert_eq!(remaining(&tape).seconds, late.seconds);
    assert_brief(&status(&tape, Some(true)).brief(&style(80)), "predicted");
    // A plan that was made before there were predictions has none.
    let mut old = Tape::of(fixture::plan());
    old.until_restoring();
    assert_eq!(remaining(&old).p90_s, None);
}

#[test]
fn the_brief_status_of_hundreds_of_steps_shows_those_that_matter() {
    let mut tape = Tape::of(fixture::wide_plan(300));
    for number in 0..300 {
        tape.start(&format!("wait-{number}"), 1, 60, json!({}));
    }
    for number in 0..120 {
        tape.done(&format!("wait-{number}"), json!({}));
    }
    tape.add(failed("wait-200", Disposition::Final, "bug", "long ".repeat(60).trim(), "report it"));
    let text = status(&tape, Some(true)).brief(&style(80));
    assert_brief(&text, "300 steps");
    assert!(text.contains("wait-200"), "the one that failed is shown\n{text}");
    assert!(text.contains("wait-121"), "and some that run\n{text}");
    assert!(!text.contains("wait-5 "), "the ones that are done are counted\n{text}");
    assert!(text.contains("120 of 300 steps done"));
}

#[test]
fn the_handover_says_what_the_next_operator_needs() {
    for (tape, driven) in every_standing() {
        let status = status(&tape, driven);
        let note = handover::note(&status, &tape.state(), &tape.events, tape.now(), &Commands::default());
        for part in ["# Handover of run", "## The next decision", "## What aborting now would cost", "## What to type"]
        {
            assert!(note.contains(part), "{part}: {note}");
        }
        assert!(note.contains(&status.summary.plan_digest) && !note.contains('\x1b'), "{note}");
    }
    // A run that is held and that nobody drives, with a restore that goes on: all of it is told, and each event as it was
    // told when it happened.
    let mut held = Tape::of(fixture::plan());
    held.until_restoring()
        .add(Event::Paused { by: dana(), reason: Some("[the](x) *region* may | come back".to_owned()) });
    let note = |tape: &Tape, driven| {
        handover::note(&status(tape, Some(driven)), &tape.state(), &tape.events, tape.now(), &Commands::default())
    };
    let told = note(&held, false);
    assert!(told.contains("- paused by dana@jump-1 since"), "{told}");
    assert!(told.contains(r"\[the\]\(x) \*region\* may \| come back"), "{told}");
    assert!(told.contains("an operation of `restore`, begun at") && told.contains("operationresults"), "{told}");
    let before = note(&asking(), true);
    let later = note(&succeeded(), false);
    let asked = |note: &str| {
        note.lines().find(|line| line.contains("`approve`") && line.contains("standby?")).map(str::to_owned)
    };
    assert_eq!(
        asked(before.rsplit_once("## What happened last").unwrap().1),
        asked(later.rsplit_once("## What happened last").unwrap().1)
    );
    let asks = asking();
    insta::assert_snapshot!(handover::note(
        &status(&asks, Some(true)),
        &asks.state(),
        &asks.events,
        asks.now(),
        &Commands::default()
    ));
}

fn row(state: &State, driven: bool, now: Timestamp) -> Row {
    Row::of(state, Standing::of(state, Some(driven)), now)
}

#[test]
fn all_runs_in_a_table() {
    let broken = std::io::Error::other("journal.jsonl: line 7 is damaged: the checksum does not hold");
    let mut rows = vec![Row::unreadable("dr-broken", &broken)];
    for (tape, driven) in every_standing() {
        rows.push(row(&tape.state(), driven.unwrap_or(false), tape.now()));
    }
    let mut later = Tape::of(fixture::plan());
    later.after(86_400).start("find-backup", 1, 5, json!({}));
    for (at, _) in &mut later.events {
        *at += SignedDuration::from_hours(24);
    }
    rows.push(row(&later.state(), true, later.now()));
    runs::sort(&mut rows);
    assert!(
        matches!(&rows[0], Row::Run { started_at, .. } if *started_at > fixture::noon() + SignedDuration::from_hours(20))
    );
    assert!(matches!(rows.last(), Some(Row::Unreadable { .. })));
    insta::assert_snapshot!(runs::table(&rows, &style(80)));
    insta::assert_snapshot!(runs::table(&rows, &style(140)));
    insta::assert_snapshot!(serde_json::to_string_pretty(&[&rows[1], rows.last().unwrap()]).unwrap());
    assert_eq!(runs::table(&[], &style(80)), "no runs yet\n");
}
