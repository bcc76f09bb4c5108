//! The recipes of the how-to, as far as they can be checked here: each is held against what it uses of the receiver's format
//! (`fixtures/recipes`), what is a schedule is checked as one, every command is one that the program has, and units are
//! held against systemd too where that is installed.

use std::{path::Path, process::Command};

use clap::Parser;
use lifeboat::{cli::arguments::Arguments, schedule::parse};
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/how-to/schedule.md");

/// Of each recipe in YAML, in the order of the page.
const SCHEMAS: [(&str, &str); 4] = [
    ("Kubernetes", include_str!("../fixtures/recipes/cronjob.schema.json")),
    ("GitHub Actions", include_str!("../fixtures/recipes/github-workflow.schema.json")),
    ("Azure Pipelines", include_str!("../fixtures/recipes/azure-pipelines.schema.json")),
    ("Azure Container Apps jobs", include_str!("../fixtures/recipes/container-apps-job.schema.json")),
];

const UNITS: &str = include_str!("../fixtures/recipes/units.json");

fn blocks(page: &'static str, language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    page.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The one recipe of a section.
fn recipe(heading: &str) -> Value {
    let section = PAGE.split("\n## ").find(|section| section.starts_with(&format!("{heading}\n"))).unwrap();
    let [text] = blocks(section, "yaml").try_into().unwrap();
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{heading}: {error}\n{text}"))
}

/// What a recipe has that the receiver does not take.
fn misfits(schema: &str, recipe: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.iter_errors(recipe).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn is_a_command(words: &[String]) {
    let words = std::iter::once("lifeboat".to_owned()).chain(words.iter().cloned());
    Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn every_recipe_is_one_that_its_receiver_takes() {
    assert_eq!(blocks(PAGE, "yaml").len(), 1 + SCHEMAS.len());
    parse("schedule.yaml", blocks(PAGE, "yaml")[0].as_bytes()).unwrap_or_else(|it| panic!("{}", it.render(false)));
    for (heading, schema) in SCHEMAS {
        assert_eq!(misfits(schema, &recipe(heading)), Vec::<String>::new(), "{heading}");
    }
}

/// A check that takes everything checks nothing.
#[test]
fn a_recipe_with_a_mistake_is_found_out() {
    let wrong = [
        ("/spec/jobTemplate/spec/backoffLimits", "0"),
        ("/jobs/due/timeout-minutes", "\"4h\""),
        ("/schedules/0/cron", "\"*/10 * * *\""),
        ("/properties/configuration/scheduleTriggerConfig", "{}"),
    ];
    for ((heading, schema), (path, value)) in SCHEMAS.into_iter().zip(wrong) {
        let mut recipe = recipe(heading);
        let (parent, key) = path.rsplit_once('/').unwrap();
        recipe.pointer_mut(parent).unwrap()[key] = serde_json::from_str(value).unwrap();
        assert_eq!(misfits(schema, &recipe).len(), 1, "{heading}");
    }
}

#[test]
fn every_recipe_names_a_command_that_exists() {
    let container = |container: &Value| {
        let args = container["args"].as_array().unwrap().iter();
        is_a_command(&args.map(|word| word.as_str().unwrap().to_owned()).collect::<Vec<String>>());
    };
    let step = |steps: &Value, key: &str| {
        let texts = steps.as_array().unwrap().iter().filter_map(|step| step[key].as_str());
        let commands: Vec<_> = texts.filter_map(|text| text.strip_prefix("lifeboat ")).collect();
        assert_eq!(commands.len(), 1, "{steps}");
        is_a_command(&words(commands[0]));
    };
    let kubernetes = recipe("Kubernetes");
    let pod = &kubernetes["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    container(&pod["containers"][0]);
    // What the schedule names lies where it is looked for.
    let paths: Vec<&str> = pod["volumes"][0]["configMap"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["path"].as_str().unwrap())
        .collect();
    assert_eq!(pod["containers"][0]["workingDir"], pod["containers"][0]["volumeMounts"][0]["mountPath"]);
    assert!(
        ["schedule.yaml", "site.yaml", "runbooks/apim-failover.yaml"].iter().all(|file| paths.contains(file)),
        "{paths:?}"
    );
    step(&recipe("GitHub Actions")["jobs"]["due"]["steps"], "run");
    step(&recipe("Azure Pipelines")["jobs"][0]["steps"], "script");
    container(&recipe("Azure Container Apps jobs")["properties"]["template"]["containers"][0]);
}

/// A unit's keys, each with its section and value.
fn entries(unit: &str) -> Vec<(&str, &str, &str)> {
    let mut section = "";
    let mut entries = Vec::new();
    for line in unit.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => section = name,
            None => {
                let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
                entries.push((section, key, value));
            }
        }
    }
    entries
}

#[test]
fn the_units_are_what_systemd_takes() {
    let units = blocks(PAGE, "ini");
    assert_eq!(units.len(), 2);
    let known: Value = serde_json::from_str(UNITS).unwrap();
    for (unit, kind) in units.iter().zip(["service", "timer"]) {
        for (section, key, value) in entries(unit) {
            let form = known[kind][section][key].as_str().unwrap_or_else(|| panic!("{kind}: [{section}] {key}"));
            let schema = serde_json::json!({ "pattern": format!("^({form})$") });
            assert!(jsonschema::is_valid(&schema, &value.into()), "{kind}: [{section}] {key}={value}");
        }
    }
    let command = entries(units[0]).into_iter().find(|(_, key, _)| *key == "ExecStart").unwrap().2;
    is_a_command(&words(command.strip_prefix("/usr/local/bin/lifeboat ").unwrap()));
    let directory = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for unit in units {
        let name = unit.lines().next().and_then(|line| Path::new(line.trim_start_matches("# ")).file_name()).unwrap();
        let path = directory.path().join(name);
        // The program and its user are not on this machine.
        let text = unit.replace("/usr/local/bin/lifeboat", "/bin/true").replace("User=lifeboat\n", "");
        std::fs::write(&path, text).unwrap();
        paths.push(path);
    }
    // The keys were looked at above; whether systemd itself is content can be asked only where it is.
    if let Ok(output) = Command::new("systemd-analyze").arg("verify").args(&paths).output() {
        let said = String::from_utf8_lossy(&output.stderr);
        let own: Vec<&str> = said.lines().filter(|line| line.contains("lifeboat-schedule")).collect();
        assert_eq!(own, Vec::<&str>::new());
    }
}
