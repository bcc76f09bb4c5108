//! Every shipped runbook and example: read, checked, bound, drawn.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use lifeboat::{
    azure::apim::{self, BackupRestoreRequest, StorageAccess},
    cli::confirm::moved_hostname,
    report::{
        objectives::{Judgement, objectives},
        picture::Picture,
    },
    run::Outcome,
    runbook::{self, Given, Mode, ResourceId, Runbook, Scope},
    sim::Scenario,
    site,
};

use crate::harness::{Stage, on_paused_clock, outcome};

fn shipped() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn read(path: &Path) -> Runbook {
    let bytes = std::fs::read(path).unwrap();
    runbook::check(path.to_str().unwrap(), &bytes).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

fn example(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)).unwrap()
}

#[test]
fn every_runbook_has_no_problems_and_says_what_each_step_does() {
    for path in shipped() {
        let runbook = read(&path);
        assert!(runbook.description.is_some(), "{}", path.display());
        for step in &runbook.steps {
            assert!(step.description.is_some(), "{}: {}", path.display(), step.id);
        }
        for parameter in &runbook.parameters {
            assert!(parameter.description.is_some(), "{}: {}", path.display(), parameter.name);
        }
    }
}

#[test]
fn the_examples_give_every_parameter_in_every_mode() {
    let site =
        site::parse("site.yaml", &example("site.yaml")).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    assert_eq!(site.ca_file, None);
    let site = site.into_site(None).unwrap();
    let parameters = example("parameters.yaml");
    for path in shipped() {
        let runbook = read(&path);
        for mode in Mode::ALL {
            let from_site = Given { site: site.parameters.clone(), ..Given::default() };
            let own = own_lines(&runbook, std::str::from_utf8(&parameters).unwrap());
            let from_file = Given { file: Some(("parameters.yaml", own.as_bytes())), ..Given::default() };
            let values = runbook::bind(&runbook, &from_site, mode).unwrap();
            assert_eq!(values, runbook::bind(&runbook, &from_file, mode).unwrap());
            if let Some(record) = values.get("record") {
                assert_eq!(record, if mode == Mode::Drill { "api-drill" } else { "api" });
            }
            // Everything that does not wait for another step can be resolved and fits.
            let scope = Scope::new(values, mode, Some("run-1".to_owned()));
            for step in &runbook.steps {
                // What is skipped names what is not there.
                if step.when.as_ref().is_some_and(|when| scope.condition(when) == Ok(false)) {
                    continue;
                }
                let (resolved, unknown) = scope.resolve_known(&step.arguments).unwrap();
                if unknown.is_empty() {
                    assert_eq!(runbook::check_arguments(step.action, &resolved), [], "{}", step.id);
                }
            }
        }
    }
}

/// The example is for the flagship; a smaller runbook refuses what it does not know.
fn own_lines(runbook: &Runbook, text: &str) -> String {
    let known = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        line.starts_with('#') || runbook.parameters.iter().any(|parameter| parameter.name == name)
    };
    text.lines().filter(known).map(|line| format!("{line}\n")).collect()
}

#[test]
fn traffic_is_switched_in_every_mode_and_production_is_left_alone_in_a_drill() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/traffic-switch.yaml"));
    let text = text.unwrap();
    for mode in Mode::ALL {
        on_paused_clock(async {
            let mut stage = Stage::with(Scenario::default(), &text);
            stage.mode = mode;
            let state = stage.start(None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{mode}: {:?}", state.stopped);
            let target = |zone: &str, name: &str| stage.world.record(zone, name).unwrap().target.unwrap();
            let is_east = |target: String| target == "apim-contoso-east.azure-api.net";
            let drill = mode == Mode::Drill;
            // The profiles move production, and the public name points at them; a drill has none.
            let effects = stage.world.effects();
            let patches = if drill { 0 } else { 2 };
            assert_eq!(
                (effects.endpoint_patches_accepted, effects.origin_patches_accepted),
                (patches, patches),
                "{mode}"
            );
            assert_eq!(is_east(target("contoso.internal", "api")), !drill, "{mode}");
            // What a drill moved, it has put back.
            assert!(!is_east(target("contoso.internal", "api-drill")), "{mode}");
            assert!(!is_east(target("contoso.com", "api")), "{mode}");
            assert!(!is_east(target("contoso.com", "api-drill")), "{mode}");

            let word = moved_hostname(&state.plan).unwrap();
            assert_eq!(word, if drill { "api-drill.contoso.com" } else { "tm-contoso-api.trafficmanager.net" });
        });
    }
}

#[test]
fn every_runbook_can_be_drawn() {
    for path in shipped() {
        let runbook = read(&path);
        let picture = Picture::of(&runbook);
        for drawing in [picture.text(), picture.mermaid(), picture.dot(), picture.svg()] {
            for step in &runbook.steps {
                assert!(drawing.contains(step.id.as_str()), "{} in {drawing}", step.id);
            }
        }
    }
}

/// Under a name that counts for nothing here; keeps the service busy.
async fn somebody_else_backs_it_up(stage: &Stage) {
    let request = BackupRestoreRequest {
        storage_account: "stcontosodr".to_owned(),
        container: "apim-backups".to_owned(),
        backup_name: "somebody-elses".to_owned(),
        access: StorageAccess::SystemAssigned,
    };
    let service = stage.world.site().parameters["active"].as_str().unwrap().to_owned();
    apim::backup(&stage.context().arm, &ResourceId::parse(&service).unwrap(), &request).await.unwrap();
}

/// A service that is busy night after night is left alone each time: somebody must be told.
#[test]
fn a_backup_that_was_skipped_is_held_against_the_objective() {
    let text = include_str!("../../runbooks/apim-backup.yaml");
    for (newest, expected) in [(Some(6), Judgement::Met), (Some(27), Judgement::Missed), (None, Judgement::Missed)] {
        let mut scenario = Scenario::alive();
        scenario.backups.newest = Duration::from_hours(newest.unwrap_or_default());
        scenario.backups.count = if newest.is_some() { 30 } else { 0 };
        on_paused_clock(async {
            let mut stage = Stage { mode: Mode::Planned, ..Stage::with(scenario, text) };
            let plan = Arc::new(stage.plan().await);
            somebody_else_backs_it_up(&stage).await;
            let state = stage.product.begin(plan, None).await.unwrap();
            assert_eq!(outcome(&state), Some(Outcome::Succeeded), "{:?}", state.stopped);
            assert_eq!(stage.world.effects().backup_posts_received, 1, "somebody else's");
            assert_eq!(objectives(&state, stage.clock.now()).rpo.judgement, expected, "{newest:?}");
        });
    }
}
