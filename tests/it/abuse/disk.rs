//! Disks that are full, files that may not grow, directories that may not be written to.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use super::{attempts, changes, journal, quick, resumes};
use crate::process::{LIFEBOAT, Simulator, Watched, assert_moved_once, output, text};

/// Runs a script in a mount namespace of its own, as root or as a user that may make one. None: this machine lets nobody.
fn in_own_mounts(script: &str, arguments: &[&Path]) -> Option<Output> {
    for options in [&["--mount"][..], &["--map-root-user", "--mount"]] {
        let may = Command::new("unshare").args(options).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
        if may.is_ok_and(|tried| tried.status.success()) {
            let mut command = Command::new("unshare");
            command.args(options).args(["sh", "-euc", script, "sh"]).args(arguments);
            return Some(output(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped())));
        }
    }
    eprintln!("no mount is permitted here, as root or in a namespace of one's own");
    None
}

/// What a run on a disk that fills up, and the one that goes on after somebody made room, came to.
struct Told {
    first: (i32, String),
    second: (i32, String),
}

/// `$1` program, `$2` folder of the simulator, `$3` runbook, `$4` KiB of the disk.
const FULL: &str = r#"
mkdir -p "$2/state" && mount -t tmpfs -o "size=$4k" tmpfs "$2/state"
run() { name=$1; shift; set +e; "$@" >"$dir/$name.out" 2>&1; echo $? >"$dir/$name.code"; set -e; }
dir=$2
run first "$1" run "$3" --mode unplanned --yes --run-id full --state "$2/state" --site "$2/site.yaml"
mount -o remount,size=4096k "$2/state"
if "$1" verify full --state "$2/state" >"$2/verify.out" 2>&1; then
  run second "$1" resume full --yes --state "$2/state"
else
  run second "$1" run "$3" --mode unplanned --yes --run-id again --state "$2/state" --site "$2/site.yaml"
fi
"#;

/// The same, where no mount is permitted: no file may have more than `$4` KiB. POSIX counts blocks of 512 bytes.
const SMALL_FILES: &str = r#"
run() { name=$1; shift; set +e; "$@" >"$dir/$name.out" 2>&1; echo $? >"$dir/$name.code"; set -e; }
dir=$2
trap '' XFSZ
limited() (ulimit -f $(($1 * 2)); shift; exec "$@")
run first limited "$4" "$1" run "$3" --mode unplanned --yes --run-id full --state "$2/state" --site "$2/site.yaml"
if "$1" verify full --state "$2/state" >"$2/verify.out" 2>&1; then
  run second "$1" resume full --yes --state "$2/state"
else
  run second "$1" run "$3" --mode unplanned --yes --run-id again --state "$2/state" --site "$2/site.yaml"
fi
"#;

fn cramped(simulator: &Simulator, runbook: &str, kib: u32, mounts: bool) -> Told {
    let folder = simulator.path("");
    let size = kib.to_string();
    let arguments = [Path::new(LIFEBOAT), &folder, Path::new(runbook), Path::new(&size)];
    let ran = mounts.then(|| in_own_mounts(FULL, &arguments)).flatten();
    let ran = ran.unwrap_or_else(|| {
        let mut command = Command::new("sh");
        command.args(["-euc", SMALL_FILES, "sh"]).args(arguments);
        output(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))
    });
    assert!(ran.status.success(), "{}", text(&ran));
    let read = |name: &str| std::fs::read_to_string(simulator.path(name)).unwrap();
    let told = |name: &str| (read(&format!("{name}.code")).trim().parse().unwrap(), read(&format!("{name}.out")));
    Told { first: told("first"), second: told("second") }
}

#[test]
fn a_disk_that_is_full_stops_a_run_and_loses_nothing() {
    // From one that has no room for the plan to one that has room for everything.
    each_size([8, 24, 32, 40, 128], true);
}

#[test]
fn a_file_that_may_not_grow_stops_a_run_and_loses_nothing() {
    each_size([4, 12, 16, 20, 32], false);
}

fn each_size(kib: [u32; 5], mounts: bool) {
    let reached: Vec<i32> = std::thread::scope(|scope| {
        let threads = kib.map(|kib| scope.spawn(move || one_size(kib, mounts)));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(reached.last(), Some(&0), "the largest has room for all of it: {reached:?}");
    assert!(reached.contains(&4), "the smallest has no room for the plan: {reached:?}");
    assert!(reached.contains(&6), "none of them is full in the middle of a run: {reached:?}");
}

fn one_size(kib: u32, mounts: bool) -> i32 {
    let (simulator, runbook) = quick();
    let Told { first: (code, story), second } = cramped(&simulator, &runbook, kib, mounts);
    match code {
        // Before the first step, or in the middle: nothing more is started, and somebody is told what to do.
        4 | 6 => {
            let full = story.contains("No space left on device") || story.contains("File too large");
            assert!(full, "{kib} KiB: {story}");
            assert!(story.contains("next: ") && story.contains("free space"), "{kib} KiB, no remedy: {story}");
            assert_eq!(second.0, 0, "{kib} KiB, after there was room: {}\n{story}", second.1);
        }
        // It had room enough.
        0 => assert!(second.1.contains("is over"), "{kib} KiB: {}", second.1),
        other => panic!("{kib} KiB, exit {other}: {story}"),
    }
    assert_moved_once(&simulator);
    assert_eq!(attempts(&simulator, "POST", "/restore?"), 1, "{kib} KiB: {story}");
    code
}

/// A run that was left before its first change, in a directory that is read only from then on.
fn left() -> (Simulator, String, PathBuf) {
    let (simulator, runbook) = quick();
    let mut first = Watched::start(simulator.run_of(&runbook, "left"));
    assert!(first.until(&simulator, "left", "step-started", "find"), "{}", first.finish().2);
    first.kill();
    let state = simulator.path("state");
    (simulator, runbook, state)
}

/// `$1` program, `$2` folder of the simulator, `$3` runbook. What reads, then what writes.
const READ_ONLY: &str = r#"
mount --bind "$2/state" "$2/state" && mount -o remount,bind,ro "$2/state"
dir=$2 program=$1
ask() { set +e; "$program" "$@" --state "$dir/state" >"$dir/told" 2>&1; echo "$? $1"; cat "$dir/told"; echo "--"; set -e; }
ask status left
ask verify left
ask runs
ask resume left --yes
ask abort left
ask approve left flip
ask run "$3" --mode unplanned --yes --run-id new --site "$2/site.yaml"
"#;

#[test]
fn on_a_read_only_disk_one_can_look_and_nothing_is_begun() {
    let (simulator, runbook, state) = left();
    let sent = changes(&simulator);
    let before = std::fs::read(journal(&state, "left")).unwrap();
    let arguments = [Path::new(LIFEBOAT), &simulator.path(""), Path::new(&runbook)];
    let told = in_own_mounts(READ_ONLY, &arguments).map_or_else(
        || without_write_permission(&arguments, &state),
        |told| {
            assert!(told.status.success(), "{}", text(&told));
            text(&told)
        },
    );
    let answers: Vec<&str> = told.split("\n--\n").filter(|answer| !answer.trim().is_empty()).collect();
    assert_eq!(answers.len(), 7, "{told}");
    for (place, answer) in answers.iter().enumerate() {
        let (code, rest) = answer.trim_start().split_once(' ').unwrap();
        if place < 3 {
            assert_eq!(code, "0", "who only looks needs no permission to write: {answer}");
        } else {
            assert_eq!(code, "4", "{answer}");
            let named = rest.contains("Read-only file system") || rest.contains("Permission denied");
            assert!(named && rest.contains("state"), "neither the reason nor the place: {answer}");
            assert!(rest.contains("next: "), "no remedy: {answer}");
        }
    }
    assert_eq!(changes(&simulator), sent);
    assert_eq!(std::fs::read(journal(&state, "left")).unwrap(), before);

    resumes(&simulator, "left");
}

/// Where no mount is permitted: without the permission, as a user to whom permissions mean something.
fn without_write_permission(arguments: &[&Path], state: &Path) -> String {
    let set = |mode: &str| assert!(Command::new("chmod").args(["-R", mode]).arg(state).status().unwrap().success());
    set("a-w");
    let script = READ_ONLY.lines().filter(|line| !line.starts_with("mount ")).collect::<Vec<_>>().join("\n");
    let mut command = Command::new("sh");
    command.args(["-euc", &script, "sh"]).args(arguments).stdin(Stdio::null());
    let told = output(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    set("u+w");
    assert!(!rustix::process::geteuid().is_root(), "root without a mount is refused nothing; run the tests as a user");
    text(&told)
}
