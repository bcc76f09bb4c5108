//! Trouble on every call: throttling and storms of 503.

use std::collections::BTreeMap;

use lifeboat::sim::{Act, Status};

use super::*;
use crate::harness::on_paused_clock;

/// Method and path of every call that a run without faults makes after its plan → how often the plan alone makes it.
fn every_call() -> BTreeMap<(String, String), u32> {
    on_paused_clock(async {
        let stage = Stage::flagship(Scenario::default());
        stage.plan().await;
        let planned = calls(&stage);
        let mut stage = Stage::flagship(Scenario::default());
        stage.start(None).await.unwrap();
        let all = calls(&stage).into_iter();
        let known = |call: &(String, String)| planned.get(call).copied().unwrap_or_default();
        all.map(|(call, made)| (known(&call), made, call))
            .filter(|(planned, made, _)| made > planned)
            .map(|(planned, _, call)| (call, planned))
            .collect()
    })
}

fn calls(stage: &Stage) -> BTreeMap<(String, String), u32> {
    let mut calls = BTreeMap::new();
    for request in stage.world.requests() {
        let url: url::Url = request.url.parse().unwrap();
        // The active service is lost and answers nothing; an answer of any kind would be a sign of life.
        let of_azure = url.host_str().is_some_and(|host| host.contains("azure.com") || host.contains("windows.net"));
        if !of_azure || url.path().contains("apim-contoso-west") {
            continue;
        }
        let path = match url.path().split_once(POLL) {
            Some(_) => POLL.to_owned(),
            None => format!("{}?", url.path()),
        };
        *calls.entry((request.method, path)).or_default() += 1;
    }
    calls
}

/// The fault strikes every call of the run `times` times in a row, and leaves the plan alone.
fn on_every_call(fault: &Fault, times: u32) -> Vec<Fault> {
    let calls = every_call();
    assert!(calls.len() >= 7, "{calls:?}");
    let faults = calls.into_iter();
    faults.map(|((method, path), planned)| fault.clone().on(&method, &path).skip(planned).times(times)).collect()
}

#[test]
fn throttling_on_every_call_is_waited_out_in_sight() {
    let throttled = Fault::new(Act::Status(Status {
        code: 429,
        error_code: Some("TooManyRequests".to_owned()),
        message: None,
        retry_after: Some(Duration::from_secs(7)),
        acted: false,
    }));
    let faults = on_every_call(&throttled, 3);
    let struck = faults.len();
    on_paused_clock(async {
        let (state, stage) = driven(faults).await;
        // A 429 had no effect: the same POST may be sent again, and only the last one is taken.
        assert_recovered(&state, &stage, Changes { posts: 4, ..ONCE });
        let refused = stage.world.requests().iter().filter(|request| request.status == Some(429)).count();
        assert_eq!(refused, 3 * struck);
        for step in ["find-backup", "verify-standby", "restore", "flip"] {
            let said = notes(&stage, step);
            assert!(
                said.iter().any(|(message, until)| *until && message.contains("throttling")),
                "{step} waited in silence: {said:?}"
            );
        }
    });
}

#[test]
fn storms_of_503_on_every_call_are_passed() {
    let mut faults = on_every_call(&Fault::status(503, "ServiceUnavailable"), 4);
    // A restore that was answered with 503 is in doubt and looked into; once is enough.
    for fault in &mut faults {
        if fault.on.method.as_deref() == Some("POST") {
            fault.times = Some(1);
        }
    }
    on_paused_clock(async {
        let (state, stage) = driven(faults).await;
        assert_recovered(&state, &stage, Changes { posts: 2, ..ONCE });
        assert_eq!(count(&stage, |event| matches!(event, Event::StepInDoubt { .. })), 1);
    });
}

#[test]
fn a_storm_of_ten_minutes_in_the_middle_of_the_restore_is_passed() {
    on_paused_clock(async {
        let storm = Fault::status(503, "ServiceUnavailable").between(minutes(20), Some(minutes(30)));
        let (state, stage) = driven([storm]).await;
        assert_recovered(&state, &stage, ONCE);
        let said = notes(&stage, "restore");
        assert!(said.iter().any(|(message, _)| message.contains("503")), "{said:?}");
    });
}
