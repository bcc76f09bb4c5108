//! What people do beside a run, on the real engine and the simulated Azure: half-made switches taken back, undos finished by
//! hand, steps adopted, doubts settled, runs held; and the power cut at every append of it.

mod half_made;
mod held;
mod in_doubt;

use lifeboat::{
    report::{Advice, Commands, Standing, Summary},
    run::{Event, State, engine::Request},
    runbook::StepId,
    style::Style,
};

use crate::{harness::Stage, transitions::person};

const OLD_TARGET: &str = "apim-contoso-west.azure-api.net";
const NEW_TARGET: &str = "apim-contoso-east.azure-api.net";
const RECORD: &str = "/dnsZones/contoso.com/CNAME/api?";

fn adopt(step: &str) -> Request {
    Request::Adopt { step: StepId::new(step), by: person("ann"), reason: "done in the portal".to_owned() }
}

fn settle(step: &str, happened: bool) -> Request {
    let (step, by, reason) = (StepId::new(step), person("ann"), "seen in the portal".to_owned());
    Request::Settle { step, by, reason, happened, outputs: serde_json::Map::new() }
}

fn give_up() -> Request {
    Request::Stop { by: person("ann"), abort: true, reason: "the region is back".to_owned(), undo: true }
}

fn summary(stage: &Stage, state: &State) -> Summary {
    Summary::of(state, Standing::of(state, Some(false)), stage.clock.now(), &Commands::default())
}

fn told(stage: &Stage, state: &State) -> String {
    summary(stage, state).text(&Style { colour: false, unicode: true, width: 200 })
}

/// The state as the disk has it.
fn folded(stage: &Stage) -> State {
    let loaded = lifeboat::run::journal::parse(std::path::Path::new("disk"), &stage.disk.bytes()).unwrap();
    State::fold(loaded.records.iter().map(|record| (record.at, &record.event))).unwrap()
}

fn undone(stage: &Stage) -> Vec<String> {
    let name = |event: Event| match event {
        Event::UndoSucceeded { step, .. } => Some(step.to_string()),
        _ => None,
    };
    stage.events().into_iter().filter_map(name).collect()
}

/// Types what the summary says would finish by hand, as a shell would.
async fn type_by_hand(stage: &Stage, next: &[Advice]) -> usize {
    let commands: Vec<&Advice> = next.iter().filter(|advice| advice.why.contains("by hand")).collect();
    for advice in &commands {
        let quoted: Vec<&str> = advice.command.split('\'').collect();
        let [lead, url, between, body, ""] = quoted.as_slice() else { panic!("{}", advice.command) };
        assert_eq!((*lead, *between), ("az rest --method patch --url ", " --body "), "{}", advice.command);
        let body = serde_json::from_str(body).unwrap();
        stage.context().arm.patch_once(url.parse().unwrap(), &body).await.unwrap_or_else(|error| panic!("{error}"));
        // Front Door takes its time.
        stage.clock.sleep(std::time::Duration::from_mins(5)).await;
    }
    commands.len()
}
