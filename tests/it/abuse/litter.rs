//! Files that nobody expects: left by processes that died, damaged, foreign, huge.

use std::{
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::{Path, PathBuf},
    process::Command,
};

use super::{changes, quick, resumes};
use crate::process::{Simulator, Watched, output, text};

/// A run whose process was killed before its first change, and its directory.
fn left() -> (Simulator, PathBuf) {
    let (simulator, runbook) = quick();
    let mut first = Watched::start(simulator.run_of(&runbook, "left"));
    assert!(first.until(&simulator, "left", "step-started", "find"), "{}", first.finish().2);
    first.kill();
    let directory = simulator.path("state/runs/left");
    (simulator, directory)
}

/// Refused by name, with something to do, and nothing is changed.
fn refused(simulator: &Simulator, verbs: &[&[&str]], file: &Path) {
    let sent = changes(simulator);
    for verb in verbs {
        let told = output(&mut simulator.lifeboat(verb));
        assert_eq!(told.status.code(), Some(4), "{verb:?}: {}", text(&told));
        let told = text(&told);
        assert!(told.contains(file.to_str().unwrap()), "{verb:?} does not name {}: {told}", file.display());
        assert!(told.contains("next: "), "{verb:?}, no remedy: {told}");
    }
    assert_eq!(changes(simulator), sent);
}

#[test]
fn what_dead_processes_left_stands_in_nobodys_way() {
    let (simulator, directory) = left();
    let drivers = directory.join("drivers");
    let first = std::fs::read_to_string(drivers.join("000001.json")).unwrap();
    // Claims of processes that are gone, of another machine, without a lock, with the lock's name left behind.
    std::fs::write(drivers.join("000002.json"), first.replace("\"host\":\"", "\"host\":\"elsewhere-")).unwrap();
    let nonce = first.split("\"nonce\":\"").nth(1).unwrap().split('"').next().unwrap();
    std::fs::write(drivers.join("000003.json"), first.replace(nonce, "00ff")).unwrap();
    std::fs::write(drivers.join("00ff.lock"), "").unwrap();
    // And what is no claim at all.
    std::fs::write(drivers.join("driver.lock"), "{").unwrap();
    std::fs::write(drivers.join("000009.json.bak"), "{").unwrap();
    std::fs::write(drivers.join("notes.json"), "{").unwrap();
    std::fs::write(drivers.join("1234.new"), "{").unwrap();
    std::fs::write(directory.join("journal.jsonl.swp"), "{").unwrap();
    std::fs::write(simulator.path("state/runs/notes.txt"), "mine").unwrap();
    std::fs::create_dir(simulator.path("state/runs/empty")).unwrap();
    let listed = text(&output(&mut simulator.lifeboat(&["runs"])));
    assert!(listed.contains("left") && !listed.contains("notes") && !listed.contains("empty"), "{listed}");
    resumes(&simulator, "left");
    assert!(drivers.join("000004.json").is_file(), "the next number is the one after the last");
}

#[test]
fn a_claim_that_cannot_be_read_is_refused_by_name() {
    let (simulator, directory) = left();
    let claim = directory.join("drivers/000002.json");
    let verbs: [&[&str]; 5] = [
        &["resume", "left", "--yes"],
        &["resume", "left", "--take-over", "--reason", "x"],
        &["abort", "left"],
        &["skip", "left", "find", "--reason", "x"],
        &["status", "left"],
    ];
    for content in [&b""[..], b"{", b"null", b"\xff\xfe", &vec![b' '; 1 << 20]] {
        std::fs::write(&claim, content).unwrap();
        refused(&simulator, &verbs, &claim);
        let listed = output(&mut simulator.lifeboat(&["runs"]));
        assert!(listed.status.success() && text(&listed).contains("left"), "{}", text(&listed));
    }
    // What the remedy says: looked at, moved away.
    std::fs::rename(&claim, directory.join("damaged-claim")).unwrap();
    resumes(&simulator, "left");
}

#[test]
fn a_target_that_cannot_be_read_is_refused_by_name() {
    let (simulator, _) = left();
    let runbook = simulator.path("short.yaml");
    let mut targets = std::fs::read_dir(simulator.path("state/targets")).unwrap().map(|entry| entry.unwrap().path());
    let target = targets.find(|path| path.extension().is_some_and(|extension| extension == "json")).unwrap();
    let whole = std::fs::read(&target).unwrap();
    for content in [&b""[..], &whole[..whole.len() / 2], b"[]", &vec![b'x'; 1 << 20]] {
        std::fs::write(&target, content).unwrap();
        refused(&simulator, &[&["resume", "left", "--yes"]], &target);
        let other = output(&mut simulator.run_of(runbook.to_str().unwrap(), "other"));
        assert_eq!(other.status.code(), Some(4), "{}", text(&other));
        assert!(text(&other).contains(target.to_str().unwrap()), "{}", text(&other));
        // A run that was refused its targets has begun nothing; its name is free again only for whoever clears it.
        let _cleared = std::fs::remove_dir_all(simulator.path("state/runs/other"));
    }
    assert_eq!(changes(&simulator), 0);
    std::fs::remove_file(&target).unwrap();
    resumes(&simulator, "left");
}

#[test]
fn whatever_lies_in_the_inbox_a_request_gets_through() {
    let (simulator, runbook) = quick();
    let mut first = Watched::start(simulator.run_of(&runbook, "littered"));
    assert!(first.until(&simulator, "littered", "operation-accepted", "restore"), "{}", first.finish().2);
    let inbox = simulator.path("state/runs/littered/inbox");
    // Each name comes before that of a real request.
    std::fs::create_dir(inbox.join("00-directory.request")).unwrap();
    assert!(Command::new("mkfifo").arg(inbox.join("00-pipe.request")).status().unwrap().success());
    symlink("/dev/zero", inbox.join("00-zeros.request")).unwrap();
    symlink("nowhere", inbox.join("00-nowhere.request")).unwrap();
    std::fs::write(inbox.join(std::ffi::OsStr::from_bytes(b"00-\xff.request")), "{}").unwrap();
    std::fs::write(inbox.join("00-foreign.txt"), "mine").unwrap();
    let answered = ["00-damaged", "00-empty", "00-huge", "00-unknown"];
    let contents = [&b"{\"request\":\"st"[..], b"", &vec![b'{'; 4 << 20], b"{\"request\":\"explode\"}"];
    for (name, content) in answered.iter().zip(contents) {
        let temporary = inbox.join(name);
        std::fs::write(&temporary, content).unwrap();
        std::fs::rename(&temporary, inbox.join(format!("{name}.request"))).unwrap();
    }
    let aborted = output(&mut simulator.lifeboat(&["abort", "littered", "--reason", "enough"]));
    assert_eq!(aborted.status.code(), Some(0), "{}", text(&aborted));
    first.until(&simulator, "littered", "nothing follows", "");
    let (code, seen, story) = first.finish();
    assert_eq!((code, seen.last().unwrap()["outcome"].as_str()), (0, Some("aborted")), "{story}");
    for name in answered {
        let answer = std::fs::read_to_string(inbox.join(format!("{name}.answer"))).unwrap();
        assert!(answer.contains("cannot be understood"), "{name}: {answer}");
        assert!(!inbox.join(format!("{name}.request")).exists());
    }
}
