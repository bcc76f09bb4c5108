//! The figures that the project promises, measured: `cargo bench`.
//!
//! Every figure is the median of five after a warm-up, beside its target and, where the machine sets a limit, beside
//! that limit measured in the same run. Timing never fails the bench: machines differ. A run that does not end as
//! succeeded does.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on should stop where it stands")]
#![expect(clippy::disallowed_methods, reason = "a bench measures the machine's own time")]

mod blob_server;
mod disk;
mod figure;
mod process;
mod runbook;
mod shared;
mod stage;

use std::time::Duration;

use blob_server::BlobServer;
use figure::{Figure, median, ms, per, print, us};
use stage::Stage;

/// A letter of the list of targets, and what measures it.
type Part = (&'static str, fn() -> Vec<Figure>);

/// Argument that makes this program the measured child of (e).
const ONE_RUN: &str = "--one-run-of-10000-steps";

fn main() {
    if std::env::args().any(|argument| argument == ONE_RUN) {
        return process::one_run();
    }
    let parts: [Part; 10] = [
        ("a", overhead),
        ("b", chain),
        ("c", fan),
        ("d", front),
        ("e", memory),
        ("f", binary),
        ("g", readiness),
        ("h", resumed),
        ("i", overheard),
        ("j", reported),
    ];
    // `cargo bench -- b c` measures these parts only.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    println!("lifeboat, medians of 5 after a warm-up\n");
    for (name, part) in parts {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            print(name, &part());
        }
    }
}

/// (a) What a step costs without a disk.
fn overhead() -> Vec<Figure> {
    const STEPS: u32 = 10_000;
    let stage = Stage::new(&runbook::chain(STEPS));
    let step = per(median(|| stage.drive_without_journal()), STEPS);
    vec![Figure::new(
        "a step of a 10,000-step chain, no journal",
        us(step),
        "≤ 20 µs",
        step <= Duration::from_micros(20),
    )]
}

/// (b) What a step costs when its end and the start of the next are durable before anything else happens.
fn chain() -> Vec<Figure> {
    const STEPS: u32 = 1000;
    let stage = Stage::new(&runbook::chain(STEPS));
    let disk::Interleaved { step, raw, ratio } = disk::interleaved(&stage, STEPS);
    vec![
        Figure::new("a step of a 1,000-step chain, durable", ms(step), "", true),
        Figure::new("  raw: one append of as many bytes and fdatasync", ms(raw), "", true),
        Figure::new("  ratio, the median of the rounds", format!("{ratio:.2}"), "≤ 1.25", ratio <= 1.25),
    ]
}

/// (c) How well the ends of parallel steps share their syncs.
fn fan() -> Vec<Figure> {
    let stage = Stage::new(&runbook::fan(1000));
    let whole = median(|| disk::drive(&stage).took);
    let raw = disk::one_sync();
    vec![
        Figure::new(
            "1,000 independent steps, durable, in all",
            ms(whole),
            "≤ 50 ms",
            whole <= Duration::from_millis(50),
        ),
        Figure::new("  raw: one append and fdatasync", ms(raw), "", true),
        Figure::new("  appends", disk::drive(&stage).appends.to_string(), "", true),
    ]
}

/// (d) From text to plan.
fn front() -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut first = None;
    for steps in [1000, 10_000, 50_000] {
        let text = runbook::realistic(steps);
        let check = median(|| stage::check(&text));
        let plan = median(|| stage::plan(&text));
        let whole = check + plan;
        let target = if steps == 10_000 { "≤ 300 ms" } else { "" };
        let name = format!("check {} + plan {} of {steps} steps", ms(check), ms(plan));
        figures.push(Figure::new(&name, ms(whole), target, target.is_empty() || whole <= Duration::from_millis(300)));
        let step = per(whole, steps);
        let growth = step.as_secs_f64() / first.get_or_insert(step).as_secs_f64();
        let name = format!("  a step, against one of 1000 ({})", us(step));
        figures.push(Figure::new(&name, format!("{growth:.2}"), "≤ 1.5", growth <= 1.5));
    }
    figures
}

/// (e) The most memory that a run ever holds, measured in a process that does nothing else.
fn memory() -> Vec<Figure> {
    const TARGET_KIB: u64 = 60 * 1024;
    let Some(peak) = process::peak_memory_kib(ONE_RUN) else {
        return vec![Figure::new("peak memory: only Linux tells (VmHWM)", "–", "≤ 60 MB", true)];
    };
    vec![Figure::new(
        "peak memory of the durable 10,000-step run",
        format!("{:.1} MB", to_mb(peak * 1024)),
        "≤ 60 MB",
        peak <= TARGET_KIB,
    )]
}

/// (f) How soon the binary answers and how large it is.
fn binary() -> Vec<Figure> {
    const TARGET: u64 = 25 << 20;
    let program = env!("CARGO_BIN_EXE_lifeboat");
    let answer = process::spawned(program, &["--version"]);
    let raw = process::spawned("true", &[]);
    let size = std::fs::metadata(program).unwrap().len();
    vec![
        Figure::new("`lifeboat --version`", ms(answer), "≤ 10 ms", answer <= Duration::from_millis(10)),
        Figure::new("  raw: spawning `true`", ms(raw), "", true),
        Figure::new("release binary", format!("{:.1} MB", to_mb(size)), "≤ 25 MB", size <= TARGET),
    ]
}

/// (g) How soon it is known whether a failover would work, with a network in between. A lost region is waited for, so
/// simulated time runs fast there; it takes no less than what everything else takes.
fn readiness() -> Vec<Figure> {
    let mut figures = Vec::new();
    for (region, latency, speed) in [("alive", "20ms", "1"), ("alive", "2400ms", "120"), ("lost", "2400ms", "120")] {
        let took = process::readiness(&format!("version: 1\nregion: {region}\nlatency: {latency}\n"), speed);
        figures.push(Figure::new(
            &format!("readiness of the flagship, region {region}, 20 ms a call, speed {speed}"),
            ms(took),
            "≤ 2 s",
            took <= Duration::from_secs(2),
        ));
    }
    figures
}

/// (h) How soon a long run is gone on with, on the machine that has it and on any other.
fn resumed() -> Vec<Figure> {
    const EVENTS: u32 = 10_000;
    const LATENCY: Duration = Duration::from_millis(20);
    let kept = shared::Kept::of(EVENTS);
    let directory = kept.resumed_from_directory();
    let raw = kept.read_and_hashed();
    let server = BlobServer::start(LATENCY);
    let objects = kept.resumed_from_objects(&server);
    let name = format!("resume of {} events, {:.1} MB, from a directory", kept.events, to_mb(kept.bytes));
    vec![
        Figure::new(&name, ms(directory), "≤ 100 ms", directory <= Duration::from_millis(100)),
        Figure::new("  raw: reading the file and hashing it once", ms(raw), "", true),
        Figure::new("  from an object store, 20 ms a request", ms(objects), "≤ 2 s", objects <= Duration::from_secs(2)),
        Figure::new("  raw: so many requests, 192 at once", ms(LATENCY * (EVENTS / 192)), "", true),
    ]
}

/// (i) What a run in an object store asks of it.
fn overheard() -> Vec<Figure> {
    let server = BlobServer::start(Duration::from_millis(20));
    let shared::Driven { events, requests, took } = shared::driven(&server, 200);
    let each = requests as f64 / events as f64;
    let took = per(took, u32::try_from(events).unwrap());
    vec![
        Figure::new("requests an event, 20 ms a request, with heartbeats", format!("{each:.2}"), "≤ 1.2", each <= 1.2),
        Figure::new("  time an event", ms(took), "", true),
    ]
}

fn to_mb(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let bytes = bytes as f64;
    bytes / f64::from(1 << 20)
}

/// (j) How long whoever wants a report waits for it.
fn reported() -> Vec<Figure> {
    const STEPS: u32 = 500;
    let told = Stage::new(&runbook::chain(STEPS)).told();
    let took = median(|| told.html().0);
    let (_, bytes) = told.html();
    vec![
        Figure::new("the report of a 500-step run, HTML", ms(took), "≤ 1,000 ms", took <= Duration::from_secs(1)),
        Figure::new("  its size", format!("{} kB", bytes / 1000), "≤ 2,000 kB", bytes <= 2_000_000),
    ]
}
