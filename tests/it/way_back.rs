//! Giving up and taking back, on the real engine and the paused clock: in order, once each, whatever happens meanwhile.

use std::time::Duration;

use lifeboat::{
    report::{Commands, Standing, Summary, way_back::preview},
    run::{EngineError, Event, JournalError, Outcome, PowerCut, State, engine::Request},
    sim::{Act, Fault, Scenario},
    style::Style,
};

use crate::{
    harness::{Stage, on_paused_clock, outcome},
    transitions::person,
};

const OLD_TARGET: &str = "apim-contoso-west.azure-api.net";
const NEW_TARGET: &str = "apim-contoso-east.azure-api.net";

/// Two records are moved one after the other, then it waits long enough for somebody to change his mind.
const TWO_FLIPS: &str = "
version: 1
name: two-flips
parameters:
  zone: { type: resource-id }
steps:
  - id: first
    modes: [unplanned]
    do: { dns.flip-cname: { zone: '${{ params.zone }}', record: api, target: apim-contoso-east.azure-api.net, ttl: 60s } }
  - id: second
    modes: [unplanned]
    needs: [first]
    do: { dns.flip-cname: { zone: '${{ params.zone }}', record: api-drill, target: apim-contoso-east.azure-api.net } }
  - id: hold
    needs: [second]
    timeout: 2h
    do: { wait: { duration: 1h } }
  - id: after
    needs: [hold]
    do: { wait: { duration: 1s } }
";

fn give_up() -> Request {
    Request::Stop { by: person("ann"), abort: true, reason: "the region is back".to_owned(), undo: true }
}

fn giving_up_after(minutes: u64, faults: Vec<Fault>) -> Stage {
    let mut stage = Stage::with(Scenario { faults, ..Scenario::default() }, TWO_FLIPS);
    stage.script = vec![(Duration::from_mins(minutes), give_up())];
    stage
}

fn target(stage: &Stage, record: &str) -> (String, u32) {
    let record = stage.world.record("contoso.com", record).unwrap();
    (record.target.unwrap(), record.ttl)
}

fn undos(stage: &Stage) -> Vec<String> {
    let name = |event: Event| match event {
        Event::UndoSucceeded { step, .. } => Some(step.to_string()),
        _ => None,
    };
    stage.events().into_iter().filter_map(name).collect()
}

fn told(stage: &Stage, state: &State) -> String {
    let style = Style { colour: false, unicode: true, width: 200 };
    Summary::of(state, Standing::of(state, Some(false)), stage.clock.now(), &Commands::default()).text(&style)
}

fn assert_all_is_back(state: &State, stage: &Stage) {
    assert_eq!(outcome(state), Some(Outcome::Undone), "{:?}", state.stopped);
    for record in ["api", "api-drill"] {
        assert_eq!(target(stage, record), (OLD_TARGET.to_owned(), 300), "{record}");
        let metadata = stage.world.record("contoso.com", record).unwrap().metadata;
        assert_eq!(metadata.keys().collect::<Vec<_>>(), ["owner"], "{record}: others' notes stay, ours are gone");
    }
}

#[test]
fn what_was_done_is_taken_back_last_done_first_and_the_run_is_over() {
    on_paused_clock(async {
        let mut stage = giving_up_after(20, Vec::new());
        let began = stage.clock.now();
        let state = stage.start(None).await.unwrap();
        assert_all_is_back(&state, &stage);
        assert_eq!(undos(&stage), ["second", "first"]);
        assert_eq!(stage.world.effects().record_puts_accepted, 4, "two there, two back");
        assert!(stage.clock.now().duration_since(began).as_mins() < 22, "it waited for what only reads");
        let text = told(&stage, &state);
        assert!(text.contains("it was given up, and what could be undone was undone"), "{text}");
        assert!(text.contains(&format!("points at {OLD_TARGET} again")), "{text}");
        assert!(state.is_over());
    });
}

#[test]
fn somebody_else_gives_up_when_nobody_drives() {
    on_paused_clock(async {
        let mut stage = giving_up_after(600, Vec::new());
        stage.start(Some(PowerCut { append: 5, bytes: None })).await.unwrap_err();
        let request = give_up();
        let Request::Stop { by, abort, reason, undo } = request else { unreachable!() };
        stage.script.clear();
        stage.first = vec![Event::StopRequested { by, abort, reason, undo }];
        let state = stage.resume(None).await.unwrap();
        let done = undos(&stage);
        assert!(!done.is_empty(), "nothing was done before the power went");
        assert_eq!(outcome(&state), Some(Outcome::Undone));
        assert_eq!(target(&stage, "api").0, OLD_TARGET);
    });
}

#[test]
fn what_is_left_behind_is_said_before_anything_is_undone() {
    on_paused_clock(async {
        // The flagship, cut while the restore goes on.
        let mut stage = Stage::flagship(Scenario::default());
        stage.script = vec![(
            Duration::from_mins(20),
            Request::Stop { by: person("ann"), abort: false, reason: "SIGINT".to_owned(), undo: false },
        )];
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Interrupted));
        let style = Style { colour: false, unicode: true, width: 200 };
        let show = |state: &State, stage: &Stage| {
            preview(state, Standing::of(state, Some(false)), stage.clock.now(), true, &Commands::default(), &style)
        };
        let text = show(&state, &stage);
        assert!(text.contains("nothing: this run has changed nothing that can be taken back"), "{text}");
        assert!(text.contains("restore") && text.contains("cannot be undone"), "{text}");
        let Request::Stop { by, abort, reason, undo } = give_up() else { unreachable!() };
        stage.first = vec![Event::StopRequested { by, abort, reason, undo }];
        let state = stage.resume(None).await.unwrap();
        // The restore goes on in Azure; there was nothing to undo.
        assert_eq!(outcome(&state), Some(Outcome::Aborted), "{:?}", state.stopped);
        assert_eq!(stage.world.effects().restore_posts_received, 1);

        let mut stage = giving_up_after(600, Vec::new());
        stage.script[0].1 = Request::Stop { by: person("ann"), abort: false, reason: "x".to_owned(), undo: false };
        stage.script[0].0 = Duration::from_mins(10);
        let state = stage.start(None).await.unwrap();
        let text = show(&state, &stage);
        let (second, first) = (text.find("second").unwrap(), text.rfind("first ").unwrap());
        assert!(second < first, "not last done first:\n{text}");
        assert!(told(&stage, &state).contains("lifeboat abort test-run --undo"));
    });
}

#[test]
fn an_undo_that_is_refused_is_stuck_and_says_what_would_finish_by_hand() {
    on_paused_clock(async {
        let refused = Fault::status(403, "AuthorizationFailed").on("PUT", "/CNAME/api?").skip(1).times(1);
        let mut stage = giving_up_after(20, vec![refused]);
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Stuck), "{:?}", state.stopped);
        assert_eq!(
            (target(&stage, "api").0.as_str(), target(&stage, "api-drill").0.as_str()),
            (NEW_TARGET, OLD_TARGET)
        );
        let text = told(&stage, &state);
        assert!(text.contains("putting apim-contoso-west.azure-api.net back failed"), "{text}");
        let by_hand =
            text.lines().find(|line| line.contains("az rest --method patch")).unwrap_or_else(|| panic!("{text}"));
        assert!(
            by_hand.contains("/CNAME/api?") && by_hand.contains(OLD_TARGET) && by_hand.contains("300"),
            "{by_hand}"
        );
        let state = stage.resume(None).await.unwrap();
        assert_all_is_back(&state, &stage);
        assert_eq!(undos(&stage), ["second", "first"]);
    });
}

#[test]
fn a_record_that_somebody_moved_on_is_left_alone_and_told_as_it_is() {
    on_paused_clock(async {
        let moved = Act::ChangeRecord { target: "elsewhere.example.net".to_owned() };
        let fault = Fault::new(moved).on("GET", "/CNAME/api?").skip(2).times(1);
        let mut stage = giving_up_after(20, vec![fault]);
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Stuck), "{:?}", state.stopped);
        assert_eq!(target(&stage, "api").0, "elsewhere.example.net");
        let (step, error) = state.failure().unwrap();
        assert_eq!((step.as_str(), error.code.as_str()), ("first", "record-changed"));
        assert!(error.message.contains("it is elsewhere.example.net"), "{}", error.message);
        assert_eq!(undos(&stage), ["second"]);
    });
}

#[test]
fn a_flip_whose_answer_is_awaited_is_taken_back_too() {
    on_paused_clock(async {
        // The second PUT is taken and answered minutes later: longer than whoever gives up waits for it.
        let hang = Fault::new(Act::Hang(Duration::from_secs(50))).on("PUT", "/CNAME/api-drill?").times(1);
        let mut stage = giving_up_after(0, vec![hang]);
        stage.script[0].0 = Duration::from_secs(5);
        let state = stage.start(None).await.unwrap();
        assert_all_is_back(&state, &stage);
        assert_eq!(undos(&stage), ["second", "first"]);
        let settled = stage.events().iter().any(|event| matches!(event, Event::StepSettled { .. }));
        assert!(settled, "the record was read before anything was undone");
    });
}

#[test]
fn every_crash_point_of_a_way_back_is_resumed_and_nothing_is_undone_twice() {
    let whole = on_paused_clock(async {
        let mut stage = giving_up_after(20, Vec::new());
        let state = stage.start(None).await.unwrap();
        assert_all_is_back(&state, &stage);
        stage.appends
    });
    let mut points = 0;
    for append in 0..whole {
        for bytes in [Some(0), Some(60), None] {
            on_paused_clock(crash_once(PowerCut { append, bytes }));
            points += 1;
        }
    }
    println!("crash points {points}/{points} of a way back resumable, {whole} appends, record PUTs 4 each time");
    assert!(whole >= 12, "only {whole} appends: nothing was taken back");
}

async fn crash_once(cut: PowerCut) {
    let mut stage = giving_up_after(20, Vec::new());
    match stage.start(Some(cut)).await {
        Err(EngineError::Journal(JournalError::Cut)) => {}
        Ok(_) | Err(_) => panic!("{cut:?} did not cut"),
    }
    stage.clock.sleep(Duration::from_secs(30)).await;
    // Whoever wanted it back asks again when the request had not reached the disk.
    let written = cut.append > 0 && stage.events().iter().any(|event| matches!(event, Event::StopRequested { .. }));
    stage.script = if written { Vec::new() } else { vec![(Duration::from_mins(20), give_up())] };
    let state = stage.resume(None).await.unwrap();
    assert_all_is_back(&state, &stage);
    assert_eq!(stage.world.effects().record_puts_accepted, 4, "{cut:?}");
    assert_eq!(undos(&stage), ["second", "first"], "{cut:?}");
}
