//! The engine itself on the simulator and the paused clock: what only shows when tasks really run.

use lifeboat::{
    run::{Event, Outcome},
    sim::Scenario,
};

use crate::harness::{Stage, on_paused_clock, outcome};

fn steps(text: &str) -> Stage {
    Stage::with(
        Scenario::default(),
        &format!("version: 1\nname: test\nparameters:\n  zone: {{ type: resource-id }}\nsteps:\n{text}"),
    )
}

const FLIP: &str = "
  - id: flip
    modes: [unplanned]
    do: { dns.flip-cname: { zone: \"${{ params.zone }}\", record: api, target: apim-contoso-east.azure-api.net } }
";

#[test]
fn an_attempt_that_ran_out_of_time_does_not_go_on_as_the_next_one() {
    on_paused_clock(async {
        let mut stage = steps(
            "
  - id: slow
    timeout: 6s
    retry: { attempts: 2, delay: 0s }
    do: { wait: { duration: 10s } }
",
        );
        let begin = stage.clock.now();
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Failed), "the first attempt's wait ended the second one");
        assert_eq!(stage.clock.now().duration_since(begin).as_secs(), 12);
        assert_eq!(state.steps[0].attempts, 2);
    });
}

#[test]
fn a_flip_is_taken_back_when_what_follows_fails() {
    on_paused_clock(async {
        let late = "  - id: late\n    needs: [flip]\n    timeout: 1m\n    on_failure: undo\n    do: { wait: { duration: 10m } }\n";
        let mut stage = steps(&format!("{FLIP}{late}"));
        let before = stage.world.record("contoso.com", "api").unwrap().target;
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Undone), "{:?}", state.stopped);
        assert_eq!(stage.world.record("contoso.com", "api").unwrap().target, before);
        assert_eq!(stage.world.effects().record_puts_accepted, 2, "one there, one back");
        let undo = |event: &Event| event.name().starts_with("undo");
        let undone: Vec<&str> = stage.events().iter().filter(|event| undo(event)).map(Event::name).collect();
        assert_eq!(undone, ["undo-started", "undo-intended", "undo-succeeded"]);
    });
}

#[test]
fn a_failure_beside_a_step_that_runs_into_its_deadline_ends_the_run() {
    on_paused_clock(async {
        let mut stage = steps(
            "
  - id: broken
    timeout: 1s
    do: { wait: { duration: 10m } }
  - id: slow
    timeout: 2s
    retry: { attempts: 5, delay: 1m }
    do: { wait: { duration: 10m } }
",
        );
        let state = stage.start(None).await.unwrap();
        assert_eq!(outcome(&state), Some(Outcome::Failed));
        assert_eq!(stage.clock.now().duration_since(crate::harness::beginning()).as_secs(), 2);
    });
}
