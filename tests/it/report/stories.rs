//! The events of a run as lines and as JSON.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, mpsc},
};

use lifeboat::{
    report::{
        json,
        lines::{self, Teller},
        outlet::Outlet,
        story::Voice,
    },
    run::{Disposition, Event, Outcome, StepError, Verdict, Word},
    runbook::StepId,
};
use serde_json::Value;

use super::{
    fixture::{self, Tape},
    style,
};

fn lines(tape: &Tape) -> String {
    let mut teller = Teller::new(style(80), Voice::default());
    let mut text = String::new();
    tape.replay(|at, event, state| text.extend(teller.lines(at, event, state)));
    text
}

#[test]
fn the_lines_of_a_good_run() {
    let mut tape = Tape::of(fixture::plan());
    insta::assert_snapshot!(lines(tape.until_succeeded()));
}

#[test]
fn the_lines_of_a_run_that_was_taken_over_and_failed() {
    let mut tape = Tape::of(fixture::plan());
    tape.until_restoring().after(600).attach(2);
    tape.after(2).settle("restore", Verdict::GoesOn { operation: None });
    tape.after(60).note("restore", "the service is Updating", Some(30));
    tape.after(60).fail("restore", fixture::expired(), None);
    tape.stop(Outcome::Failed, "step restore failed: cannot restore: backup expired");
    insta::assert_snapshot!(lines(&tape));
}

#[test]
fn the_lines_of_what_people_do_in_place_of_the_run() {
    let by = fixture::dana();
    let word = || Some(Word { by: fixture::dana(), reason: "seen in the portal".to_owned(), given: Vec::new() });
    let flip = || StepId::new("flip");
    let mut tape = Tape::of(fixture::plan());
    tape.until_restoring().after(60);
    tape.add(Event::Paused { by: by.clone(), reason: Some("the region may come back".to_owned()) });
    tape.after(60).add(Event::PauseLifted { by: by.clone() });
    tape.after(60).attach(2);
    let unknown = Verdict::Unknown { reason: "nothing says by whom".into(), remedy: "look".into() };
    tape.settle("restore", unknown.clone());
    let happened = Verdict::Happened { outputs: serde_json::Map::new() };
    tape.after(60).add(Event::StepSettled { step: StepId::new("restore"), verdict: happened, word: word() });
    tape.start("flip", 1, 2, serde_json::json!({})).after(1).intend("flip", "PUT", "https://x/CNAME/api").attach(3);
    tape.settle("flip", unknown);
    let nothing = Verdict::DidNotHappen { reason: "seen in the portal".to_owned() };
    tape.add(Event::StepSettled { step: flip(), verdict: nothing, word: word() });
    tape.add(Event::StepAdopted {
        step: flip(),
        by,
        reason: "flipped in the portal".to_owned(),
        outputs: serde_json::Map::new(),
        evidence: Value::Null,
    });
    tape.add(Event::UndoStarted { step: flip() });
    let failed = StepError::new(Disposition::Final, "etag", "somebody else changed the record", "look at it");
    tape.add(Event::UndoFailed { step: flip(), error: failed });
    tape.add(Event::UndoSucceeded { step: flip(), evidence: Value::Null, word: word() });
    insta::assert_snapshot!(lines(&tape));
}

#[test]
fn the_lines_of_everything_that_seldom_happens() {
    let (step, by) = (StepId::new("approve"), fixture::dana());
    let doubt = StepError::new(Disposition::InDoubt, "flip-in-doubt", "no answer to the PUT", "resume the run");
    let mut tape = Tape::of(fixture::plan());
    tape.add(Event::Confirmed { by: by.clone(), what: "api.contoso.com".to_owned() });
    tape.until_asked().after(5).add(Event::ApprovalRefused { step: step.clone(), by: by.clone(), comment: None });
    tape.fail("approve", StepError::new(Disposition::Refused, "approval-refused", "dana refused", "ask again"), None);
    tape.stop(Outcome::Refused, "step approve failed: dana refused").after(60).attach(2);
    tape.start("approve", 1, 30, serde_json::json!({ "prompt": "Now?", "approvers": 2 })).after(1).attach(3);
    tape.after(1).add(Event::ApprovalGiven { step, by: by.clone(), comment: Some("go\x1b[2J".to_owned()) });
    tape.done("approve", serde_json::json!({ "approved_by": ["dana", "kim"] }));
    tape.start("flip", 1, 2, serde_json::json!({})).after(1).intend("flip", "PUT", "https://x/CNAME/api");
    tape.after(30).add(Event::StepInDoubt { step: StepId::new("flip"), error: doubt });
    let unknown = Verdict::Unknown { reason: "DNS did not answer".into(), remedy: "look again later".into() };
    tape.settle("flip", unknown).after(1).attach(4);
    tape.settle("flip", Verdict::DidNotHappen { reason: "the record is as it was".to_owned() });
    tape.start("flip", 1, 2, serde_json::json!({})).after(1).intend("flip", "PUT", "https://x/CNAME/api").attach(5);
    tape.settle("flip", Verdict::Happened { outputs: serde_json::Map::new() });
    tape.add(Event::StepSkipped {
        step: StepId::new("propagated"),
        reason: "`when: false` is false".to_owned(),
        by: None,
    });
    tape.add(Event::UndoStarted { step: StepId::new("flip") });
    tape.add(Event::UndoIntended { step: StepId::new("flip"), intent: fixture::intent("PUT", "https://x/CNAME/api") });
    let failed = StepError::new(Disposition::Final, "etag", "somebody else changed the record", "look at it");
    tape.add(Event::UndoFailed { step: StepId::new("flip"), error: failed });
    tape.add(Event::StopRequested { by, abort: false, reason: "stopped by SIGINT".to_owned(), undo: false });
    let text = lines(&tape);
    assert!(!text.contains(['\x1b', '\r']), "what somebody typed cannot move the cursor");
    insta::assert_snapshot!(text);
}

/// A notice that only says that something is still awaited is not repeated at every look, but it is not lost either.
#[test]
fn a_notice_is_said_once_and_then_as_a_reminder() {
    let mut tape = Tape::of(fixture::plan());
    tape.until_restoring();
    let before = lines(&tape).lines().count();
    for minute in 0..20 {
        tape.note("restore", &format!("the restore goes on, {minute}m so far"), Some(60)).after(60);
    }
    let said = lines(&tape).lines().count() - before;
    assert_eq!(said, 4, "once, and every five minutes");
    tape.note("restore", "Azure is throttling", Some(5));
    tape.note("restore", "the restore goes on, 21m so far", Some(60));
    assert_eq!(lines(&tape).lines().count() - before, said + 2, "other news, and the old state after it, are told");
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn json_lines_carry_every_event_under_its_journal_number() {
    let mut tape = Tape::of(fixture::plan());
    tape.until_succeeded();
    let shared = Shared::default();
    let outlet = Outlet::start(Box::new(shared.clone())).unwrap();
    let mut observer = json::observer(outlet.inlet(), 1);
    tape.replay(|at, event, state| observer(at, event, state));
    drop(outlet);
    let text = String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), tape.events.len() - 1);
    for (number, (line, (at, event))) in text.lines().zip(&tape.events[1..]).enumerate() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["v"], 1);
        assert_eq!(value["seq"], number + 1);
        assert_eq!(value["run"], "dr-20261123");
        assert_eq!(value["at"], serde_json::json!(at));
        assert_eq!(serde_json::from_value::<Event>(value["event"].clone()).unwrap(), *event);
        let keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["v", "seq", "at", "run", "event"]);
    }
    insta::assert_snapshot!(text.lines().nth(1).unwrap());
}

/// A pipe whose reader has gone.
struct Closed(mpsc::Sender<()>);

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.0.send(()).unwrap();
        Err(io::Error::from(io::ErrorKind::BrokenPipe))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_does_not_stop_a_run() {
    let mut tape = Tape::of(fixture::plan());
    tape.until_succeeded();
    let (tried, tries) = mpsc::channel();
    let outlet = Outlet::start(Box::new(Closed(tried))).unwrap();
    let mut observer = lines::observer(outlet.inlet(), style(80), Voice::default());
    tape.replay(|at, event, state| observer(at, event, state));
    drop(outlet);
    assert_eq!(tries.iter().count(), 1, "it is tried once, and then let be");
}

/// A reader that does not read until it is told to.
struct Stalled(mpsc::Receiver<()>, Shared);

impl Write for Stalled {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.recv().unwrap();
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stalled_reader_holds_nobody_up_and_misses_nothing() {
    let mut tape = Tape::of(fixture::plan());
    tape.until_succeeded();
    let (read, reads) = mpsc::channel();
    let shared = Shared::default();
    let outlet = Outlet::start(Box::new(Stalled(reads, shared.clone()))).unwrap();
    let mut observer = json::observer(outlet.inlet(), 1);
    // Would never return if an event waited for its reader.
    tape.replay(|at, event, state| observer(at, event, state));
    for _ in &tape.events[1..] {
        read.send(()).unwrap();
    }
    drop(outlet);
    let text = String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), tape.events.len() - 1);
}
