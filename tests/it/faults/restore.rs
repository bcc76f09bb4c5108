//! The restore: lost answers, locks, failures, lost operations, expiring tokens, and restores that take too long.

use lifeboat::{
    run::Verdict,
    sim::{Act, Moment},
};

use super::*;
use crate::harness::on_paused_clock;

#[test]
fn a_connection_reset_before_azure_acted_is_settled_and_the_restore_sent_again_once() {
    on_paused_clock(async {
        let (state, stage) = driven([Fault::new(Act::Reset(Moment::Before)).on("POST", RESTORE).times(1)]).await;
        assert_recovered(&state, &stage, Changes { posts: 2, ..ONCE });
        let settled =
            count(&stage, |event| matches!(event, Event::StepSettled { verdict: Verdict::DidNotHappen { .. }, .. }));
        assert_eq!(settled, 1);
    });
}

#[test]
fn a_connection_reset_after_azure_acted_never_makes_a_second_restore() {
    on_paused_clock(async {
        let (state, stage) = driven([Fault::new(Act::Reset(Moment::After)).on("POST", RESTORE).times(1)]).await;
        assert_recovered(&state, &stage, ONCE);
        let doubts = stage.events().into_iter().filter_map(|event| match event {
            Event::StepInDoubt { step, error } => Some((step.to_string(), error)),
            _ => None,
        });
        let doubts: Vec<_> = doubts.collect();
        assert_eq!(doubts.len(), 1);
        assert_eq!((doubts[0].0.as_str(), doubts[0].1.code.as_str()), ("restore", "restore-in-doubt"));
        assert!(doubts[0].1.hint.contains("not sent again"), "{}", doubts[0].1.hint);
        assert_eq!(
            count(&stage, |event| matches!(event, Event::StepSettled { verdict: Verdict::GoesOn { .. }, .. })),
            1
        );
    });
}

#[test]
fn a_way_that_breaks_every_request_is_given_up_after_eight_of_them() {
    on_paused_clock(async {
        let (state, mut stage) = driven([Fault::new(Act::Reset(Moment::Before)).on("POST", RESTORE).times(8)]).await;
        let error = assert_ended(&state, Outcome::Failed, "restore", Disposition::Retryable, "lost-every-time");
        assert!(error.hint.contains("resume"), "{}", error.hint);
        assert_eq!(changes(&stage), Changes { posts: 8, restores: 0, puts: 0 });
        assert_eq!(target(&stage), OLD_TARGET);
        // The way is mended: a person says so by resuming.
        let state = stage.resume(None).await.unwrap();
        assert_recovered(&state, &stage, Changes { posts: 9, ..ONCE });
    });
}

#[test]
fn a_locked_service_is_waited_for_and_asked_again() {
    on_paused_clock(async {
        let (state, stage) = driven([Fault::status(409, "ServiceLocked").on("POST", RESTORE).times(2)]).await;
        assert_recovered(&state, &stage, Changes { posts: 3, ..ONCE });
        let said = notes(&stage, "restore");
        assert!(said.iter().any(|(message, _)| message.contains("waiting until it is idle")), "{said:?}");
    });
}

#[test]
fn an_operation_that_fails_is_told_by_its_cause_and_traffic_stays() {
    for (message, code, hint) in [
        ("Cannot restore: backup expired", "backup-expired", "choose a newer backup"),
        (
            "Cannot restore: current SKU is 'Premium', backup SKU is 'Standard'",
            "tier-mismatch",
            "change the standby's tier",
        ),
    ] {
        on_paused_clock(async {
            let act = Act::FailOperation { code: "RestoreFailed".to_owned(), message: message.to_owned() };
            let (state, mut stage) = driven([Fault::new(act).on("POST", RESTORE).times(1)]).await;
            let error = assert_ended(&state, Outcome::Failed, "restore", Disposition::Final, code);
            assert!(error.message.contains(message), "{error}");
            assert!(error.hint.contains(hint), "{}", error.hint);
            assert_eq!(changes(&stage), Changes { posts: 1, restores: 1, puts: 0 });
            assert_eq!(target(&stage), OLD_TARGET);
            // The cause is gone: a person says so by resuming, and only then it is sent again.
            let state = stage.resume(None).await.unwrap();
            assert_recovered(&state, &stage, Changes { posts: 2, restores: 2, puts: 1 });
        });
    }
}

#[test]
fn a_lost_operation_is_followed_by_the_service_itself() {
    on_paused_clock(async {
        let (state, stage) = driven([Fault::new(Act::LoseOperation).on("GET", POLL).skip(3)]).await;
        assert_recovered(&state, &stage, ONCE);
        let said = notes(&stage, "restore");
        assert!(said.iter().any(|(message, _)| message.contains("watching the service itself")), "{said:?}");
    });
}

#[test]
fn tokens_that_expire_during_the_restore_are_renewed() {
    on_paused_clock(async {
        let faults = [Fault::new(Act::ExpireTokens).on("GET", POLL).skip(5).times(3)];
        let mut stage = Stage::flagship(Scenario { token_lifetime: minutes(10), ..world(faults) });
        let state = stage.start(None).await.unwrap();
        assert_recovered(&state, &stage, ONCE);
        let refused = stage.world.requests().iter().filter(|request| request.status == Some(401)).count();
        assert!(refused > 0, "no token was ever refused");
        assert!(stage.world.effects().tokens_issued > 5, "{:?}", stage.world.effects());
    });
}

fn lasting(length: u64) -> Stage {
    Stage::flagship(Scenario { restore_duration: minutes(length), ..Scenario::default() })
}

#[test]
fn a_restore_of_80_minutes_passes() {
    on_paused_clock(async {
        let mut stage = lasting(80);
        let state = stage.start(None).await.unwrap();
        assert_recovered(&state, &stage, ONCE);
    });
}

/// Drives a restore of 95 minutes into its timeout of 90.
async fn timed_out() -> Stage {
    let mut stage = lasting(95);
    let state = stage.start(None).await.unwrap();
    assert_eq!(outcome(&state), Some(Outcome::Stuck), "{:?}", state.stopped);
    let reason = &state.stopped.as_ref().unwrap().1;
    assert!(reason.contains("step restore is in doubt") && reason.contains("still goes on in Azure"), "{reason}");
    let doubts = stage.events().into_iter().filter_map(|event| match event {
        Event::StepInDoubt { error, .. } => Some(error),
        _ => None,
    });
    let doubts: Vec<StepError> = doubts.collect();
    assert_eq!(doubts.len(), 1);
    assert_eq!((doubts[0].disposition, doubts[0].code.as_str()), (Disposition::InDoubt, "timeout"));
    assert!(doubts[0].message.contains("no end within 90m") || doubts[0].message.contains("1h30m"), "{}", doubts[0]);
    assert!(doubts[0].hint.contains("resume the run"), "{}", doubts[0].hint);
    assert_eq!(changes(&stage), Changes { posts: 1, restores: 1, puts: 0 });
    assert_eq!(target(&stage), OLD_TARGET);
    stage
}

#[test]
fn a_restore_of_95_minutes_is_in_doubt_at_90_and_found_finished_later() {
    on_paused_clock(async {
        let mut stage = timed_out().await;
        stage.clock.sleep(minutes(20)).await;
        let state = stage.resume(None).await.unwrap();
        assert_recovered(&state, &stage, ONCE);
    });
}

#[test]
fn a_restore_past_its_timeout_is_taken_up_again_by_a_resume() {
    on_paused_clock(async {
        let mut stage = timed_out().await;
        stage.clock.sleep(minutes(2)).await;
        assert_eq!(stage.world.effects().restores_completed, 0, "it must still go on");
        let state = stage.resume(None).await.unwrap();
        assert_recovered(&state, &stage, ONCE);
    });
}
