//! The recipes of the how-to, as far as they can be checked here: YAML is read, what is a schedule is checked as one, every
//! command is one that the program has, and units are held against systemd where that is installed.

use std::{path::Path, process::Command};

use clap::Parser;
use lifeboat::{cli::arguments::Arguments, schedule::parse};
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/how-to/schedule.md");

fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    PAGE.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn is_a_command(words: &[String]) {
    let words = std::iter::once("lifeboat".to_owned()).chain(words.iter().cloned());
    Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn every_yaml_recipe_is_read_and_names_a_command_that_exists() {
    let blocks = blocks("yaml");
    assert_eq!(blocks.len(), 5);
    parse("schedule.yaml", blocks[0].as_bytes()).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let read = |text: &str| serde_saphyr::from_str::<Value>(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let container = |job: &Value| {
        let args = job["containers"][0]["args"].as_array().unwrap().iter();
        args.map(|word| word.as_str().unwrap().to_owned()).collect::<Vec<String>>()
    };
    let kubernetes = read(blocks[1]);
    assert_eq!((&kubernetes["apiVersion"], &kubernetes["kind"]), (&"batch/v1".into(), &"CronJob".into()));
    is_a_command(&container(&kubernetes["spec"]["jobTemplate"]["spec"]["template"]["spec"]));
    let step = |text: &Value| words(text.as_str().unwrap().strip_prefix("lifeboat ").unwrap());
    is_a_command(&step(&read(blocks[2])["jobs"]["due"]["steps"][1]["run"]));
    is_a_command(&step(&read(blocks[3])["jobs"][0]["steps"][0]["script"]));
    let container_apps = read(blocks[4]);
    is_a_command(&container(&container_apps["properties"]["template"]));
    assert_eq!(container_apps["properties"]["configuration"]["triggerType"], "Schedule");
}

#[test]
fn the_units_are_what_systemd_takes() {
    let units = blocks("ini");
    assert_eq!(units.len(), 2);
    let command = units[0].lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/lifeboat ")).unwrap();
    is_a_command(&words(command));
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
    match Command::new("systemd-analyze").arg("verify").args(&paths).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let own: Vec<&str> = said.lines().filter(|line| line.contains("lifeboat-schedule")).collect();
            assert_eq!(own, Vec::<&str>::new());
        }
        Err(error) => println!("systemd-analyze is not here ({error}): the units are not verified"),
    }
}
