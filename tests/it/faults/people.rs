//! People: two approvers, refusals, nobody there, a stop in the middle, giving up.

use lifeboat::{
    report::{Commands, Standing, Summary},
    run::engine::Request,
    style::Style,
};

use super::*;
use crate::{harness::on_paused_clock, transitions::person};

const ASK: &str = "
version: 1
name: ask-then-flip
parameters:
  zone: { type: resource-id }
steps:
  - id: ask
    timeout: 30m
    do: { approval: { prompt: Move it?, approvers: 2 } }
  - id: flip
    modes: [planned, unplanned]
    needs: [ask]
    do:
      dns.flip-cname: { zone: '${{ params.zone }}', record: api, target: apim-contoso-east.azure-api.net, ttl: 60s }
";

fn asking(script: impl IntoIterator<Item = (u64, Request)>) -> Stage {
    let mut stage = Stage::with(Scenario::default(), ASK);
    stage.operator = false;
    stage.script = script.into_iter().map(|(after, request)| (minutes(after), request)).collect();
    stage
}

fn approve(name: &str) -> Request {
    Request::Approve { step: StepId::new("ask"), by: person(name), comment: None }
}

fn refuse(name: &str) -> Request {
    Request::Refuse { step: StepId::new("ask"), by: person(name), comment: Some("too early".to_owned()) }
}

fn stop(abort: bool) -> Request {
    Request::Stop { by: person("ann"), abort, reason: "SIGINT".to_owned(), undo: false }
}

#[test]
fn two_approvers_are_two_people() {
    on_paused_clock(async {
        let mut stage = asking([(1, approve("cleo")), (2, approve("cleo")), (3, approve("ann")), (20, approve("bob"))]);
        let began = stage.clock.now();
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        assert_eq!(stage.world.effects().record_puts_accepted, 1);
        assert!(stage.clock.now().duration_since(began).as_mins() >= 20, "one person was enough");
        let told = stage.told.lock().unwrap().clone();
        assert_eq!(told[0], Ok(()));
        assert!(told[1].as_ref().unwrap_err().contains("cleo has approved already"), "{told:?}");
        assert!(told[2].as_ref().unwrap_err().contains("ann started the run"), "{told:?}");
        assert_eq!(count(&stage, |event| matches!(event, Event::ApprovalGiven { .. })), 2);
    });
}

#[test]
fn a_refusal_ends_refused_and_a_resume_asks_again() {
    on_paused_clock(async {
        let mut stage = asking([(1, approve("cleo")), (2, refuse("bob"))]);
        let state = stage.start(None).await.unwrap();
        let error = assert_ended(&state, Outcome::Refused, "ask", Disposition::Refused, "approval-refused");
        assert_eq!(error.message, "bob refused: too early");
        assert!(error.hint.contains("resume the run to ask again"), "{}", error.hint);
        assert_eq!(stage.world.effects().record_puts_received, 0);
        stage.script = vec![(minutes(1), approve("cleo")), (minutes(2), approve("bob"))];
        let state = stage.resume(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        assert_eq!(stage.world.effects().record_puts_accepted, 1);
    });
}

#[test]
fn an_approval_that_nobody_gives_in_time_ends_refused() {
    on_paused_clock(async {
        let mut stage = asking([(1, approve("cleo"))]);
        let state = stage.start(None).await.unwrap();
        let error = assert_ended(&state, Outcome::Refused, "ask", Disposition::Refused, "approval-missing");
        assert_eq!(error.message, "nobody decided within 30m");
        assert!(error.hint.contains("resume the run to ask again"), "{}", error.hint);
        assert_eq!(stage.world.effects().record_puts_received, 0);
        stage.script = vec![(minutes(1), approve("cleo")), (minutes(2), approve("bob"))];
        let state = stage.resume(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
        assert_eq!(stage.world.effects().record_puts_accepted, 1);
    });
}

/// Stopped in the middle of the restore.
async fn stopped(abort: bool) -> (State, Stage) {
    let mut stage = Stage::flagship(Scenario::default());
    stage.script = vec![(minutes(20), stop(abort))];
    let state = stage.start(None).await.unwrap();
    assert_eq!(changes(&stage), Changes { posts: 1, restores: 1, puts: 0 });
    assert_eq!(stage.world.effects().restores_completed, 0, "it must still go on");
    (state, stage)
}

fn summary(state: &State, stage: &Stage) -> Summary {
    Summary::of(state, Standing::of(state, None), stage.clock.now(), &Commands::default())
}

#[test]
fn a_stop_in_the_middle_of_the_restore_leaves_it_going_and_a_resume_takes_it_up() {
    on_paused_clock(async {
        let (state, mut stage) = stopped(false).await;
        assert_eq!(outcome(&state), Some(Outcome::Interrupted), "{:?}", state.stopped);
        let summary = summary(&state, &stage);
        assert!(summary.next[0].command.starts_with("lifeboat resume test-run"), "{:?}", summary.next);
        // It goes on while nobody looks.
        stage.clock.sleep(minutes(60)).await;
        assert_eq!(stage.world.effects().restores_completed, 1);
        let state = stage.resume(None).await.unwrap();
        assert_recovered(&state, &stage, ONCE);
    });
}

#[test]
fn a_resume_soon_after_a_stop_follows_the_same_restore() {
    on_paused_clock(async {
        let (_, mut stage) = stopped(false).await;
        let state = stage.resume(None).await.unwrap();
        assert_recovered(&state, &stage, ONCE);
        assert_eq!(
            count(&stage, |event| matches!(event, Event::ChangeIntended { step, .. } if step.as_str() == "restore")),
            1
        );
    });
}

#[test]
fn an_abort_says_which_operation_it_leaves_behind() {
    on_paused_clock(async {
        let (state, mut stage) = stopped(true).await;
        assert_eq!(outcome(&state), Some(Outcome::Aborted), "{:?}", state.stopped);
        let accepted = stage.events().into_iter().find_map(|event| match event {
            Event::OperationAccepted { operation, .. } => Some(operation.url),
            _ => None,
        });
        let accepted = accepted.unwrap();
        let summary = summary(&state, &stage);
        assert_eq!(summary.world.operations.len(), 1);
        assert_eq!(summary.world.operations[0].url, accepted);
        assert!(summary.text(&Style::plain(80)).contains(&accepted), "{}", summary.text(&Style::plain(80)));
        // Terminal: a resume changes nothing.
        let state = stage.resume(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Aborted));
        assert_eq!(changes(&stage), Changes { posts: 1, restores: 1, puts: 0 });
    });
}
