//! `docs/explanation/safety.md`: what is promised, and the matrix of every shipped runbook.
//!
//! `LIFEBOAT_MATRIX=1 cargo test --release safety` tries every point and writes the page. Every other test counts the points of
//! every row anew and compares them; what became of them is held by the samples of `prove` beside it.

use std::fmt::Write;

use lifeboat::{
    prove::{Case, CaseProof, prove, rows},
    runbook::Mode,
};

use super::{SHIPPED, case, order, runbook};

const PAGE: &str = "docs/explanation/safety.md";

const HEAD: &str = include_str!("safety_head.md");

/// The heading of a runbook's mode.
fn heading(path: &str, mode: Mode) -> String {
    format!("### `{path}`, {mode}")
}

#[test]
fn the_safety_page_has_every_point_of_every_shipped_runbook() {
    if std::env::var_os("LIFEBOAT_MATRIX").is_some() {
        write();
    }
    let page = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap();
    assert!(page.starts_with(HEAD), "{PAGE} does not begin with tests/it/prove/safety_head.md");
    let mut points = 0;
    for (path, modes) in SHIPPED {
        let runbook = runbook(path);
        let order = order(&runbook);
        for mode in modes {
            let case = case(&order, *mode);
            let section = page.split(&heading(path, *mode)).nth(1).unwrap_or_default();
            let section = section.split("\n### ").next().unwrap_or_default();
            points += compare(&case, section, &heading(path, *mode));
        }
    }
    let line =
        format!("\ncrash points {points}/{points} resumable · duplicate effects 0 · unexplained states 0 · seed 1\n");
    assert!(page.ends_with(&line), "{PAGE} is out of date: it does not end with{line}");
}

/// Every row with its number of points, and no other; how many points there are.
fn compare(case: &Case, section: &str, heading: &str) -> usize {
    let mut lines = section.lines().filter(|line| line.starts_with("| ") && line.contains("`) | "));
    let mut points = 0;
    for row in rows() {
        let count = case.points(row).len();
        if count == 0 {
            continue;
        }
        points += count;
        let begins = format!("| {} (`{}`) | {count} | ", row.words, row.slug);
        let line = lines.next().unwrap_or_default();
        let again = "write it anew with `LIFEBOAT_MATRIX=1 cargo test --release safety`";
        assert!(line.starts_with(&begins), "{PAGE}, {heading}: `{line}` should begin with `{begins}`; {again}");
        assert!(line.ends_with("| 0 |"), "{PAGE}, {heading}: `{line}` tells of points that do not hold");
    }
    assert_eq!(lines.next(), None, "{PAGE}, {heading}");
    points
}

/// Tries everything.
fn write() {
    let mut text = HEAD.to_owned();
    let mut sums = (0, 0, 0, 0);
    for (path, modes) in SHIPPED {
        let runbook = runbook(path);
        let order = order(&runbook);
        let cases: Vec<Case> = modes.iter().map(|mode| case(&order, *mode)).collect();
        let proof = prove(&order, &cases, Vec::new(), |_| true);
        assert!(proof.holds(), "{}", proof.markdown());
        for mode in &proof.modes {
            write!(text, "\n{}\n\n{}", heading(path, mode.mode), CaseProof::markdown(mode)).unwrap();
        }
        sums.0 += proof.resumable;
        sums.1 += proof.points;
        sums.2 += proof.duplicate_effects;
        sums.3 += proof.unexplained_states;
    }
    let (resumable, points, duplicates, unexplained) = sums;
    writeln!(
        text,
        "\ncrash points {resumable}/{points} resumable · duplicate effects {duplicates} · unexplained states {unexplained} · seed 1"
    )
    .unwrap();
    std::fs::write(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE), text).unwrap();
}
