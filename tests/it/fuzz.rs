//! Whatever reads what others wrote, against everything that was ever written to it, and against what becomes of that:
//! flipped bits, cuts, splices, lines twice and away, and words that mean something.
//!
//! The same targets run under libFuzzer (`.ci/fuzz`). An input that it or this test finds is kept in `tests/fuzz/corpus`.

pub mod targets;

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
};

use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{RngAlgorithm, TestError, TestRng, TestRunner},
};

use targets::{TARGETS, Target};

/// Mutated inputs a target: a few seconds in all. libFuzzer tries a thousand times as many.
const CASES: u32 = 250;

/// Names a seed to begin with, to repeat what a failure printed.
const SEED: &str = "LIFEBOAT_FUZZ_SEED";

/// Larger files are examples of size, and not of form.
const LARGEST: u64 = 64 << 10;

/// Pieces that a reader has an opinion on.
const WORDS: &[&str] = &[
    "${{",
    "}}",
    "params.",
    "steps.",
    " | ",
    "\n",
    "\r\n",
    "\t",
    "\u{feff}",
    "\u{0}",
    "\u{1b}[2J",
    "\u{202e}",
    "é",
    "- ",
    ": ",
    "&a ",
    "*a",
    "!!x ",
    "---\n",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "null",
    "true",
    "~",
    "-1",
    "0",
    "1e999",
    "18446744073709551616",
    "9999-12-31T23:59:59Z",
    "-009999-01-01T00:00:00Z",
    "366d",
    "<Blob>",
    "</Blob>",
    "<![CDATA[",
    "&amp;",
    "%00",
    "\"v\":2,",
    "Succeeded",
    "Failed",
];

/// An input, shown so that it can be read and typed.
#[derive(Clone, PartialEq)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// What befalls an input.
#[derive(Clone, Debug)]
enum Edit {
    Flip(Index, u8),
    Set(Index, u8),
    Cut(Index, Index),
    Word(Index, usize),
    /// A piece of another input of the corpus.
    Splice(Index, Index, Index, Index),
    LineAway(Index),
    LineTwice(Index, Index),
    LinesSwapped(Index, Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        2 => (at(), at()).prop_map(|(from, to)| Edit::Cut(from, to)),
        4 => (at(), 0..WORDS.len()).prop_map(|(at, word)| Edit::Word(at, word)),
        2 => (at(), at(), at(), at()).prop_map(|(at, other, from, to)| Edit::Splice(at, other, from, to)),
        2 => at().prop_map(Edit::LineAway),
        2 => (at(), at()).prop_map(|(line, to)| Edit::LineTwice(line, to)),
        1 => (at(), at()).prop_map(|(one, other)| Edit::LinesSwapped(one, other)),
    ]
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>, corpus: &[(PathBuf, Vec<u8>)]) {
        let ends = |from: &Index, to: &Index, length: usize| {
            let (from, to) = (from.index(length + 1), to.index(length + 1));
            from.min(to)..from.max(to)
        };
        match self {
            Self::Flip(at, bit) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Self::Set(at, byte) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Flip(..) | Self::Set(..) => {}
            Self::Cut(from, to) => drop(bytes.drain(ends(from, to, bytes.len()))),
            Self::Word(at, word) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, WORDS[*word].bytes());
            }
            Self::Splice(at, other, from, to) => {
                let other = &corpus[other.index(corpus.len())].1;
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, other[ends(from, to, other.len())].iter().copied());
            }
            Self::LineAway(line) => on_lines(bytes, |lines| {
                lines.remove(line.index(lines.len()));
            }),
            Self::LineTwice(line, to) => on_lines(bytes, |lines| {
                let twice = lines[line.index(lines.len())];
                lines.insert(to.index(lines.len() + 1), twice);
            }),
            Self::LinesSwapped(one, other) => on_lines(bytes, |lines| {
                let (one, other) = (one.index(lines.len()), other.index(lines.len()));
                lines.swap(one, other);
            }),
        }
    }
}

fn on_lines(bytes: &mut Vec<u8>, change: impl FnOnce(&mut Vec<&[u8]>)) {
    let whole = std::mem::take(bytes);
    let mut lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    if !lines.is_empty() {
        change(&mut lines);
    }
    *bytes = lines.concat();
}

/// The files of a target, sorted by name.
fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = root.join("tests/fuzz/corpus").join(target.name);
    let folders = target.seeds.iter().map(|folder| root.join(folder)).chain([own]);
    let mut paths: Vec<PathBuf> = folders
        .flat_map(|folder| std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.metadata().unwrap().len() <= LARGEST)
        .collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// On a thread for each target, so that all of them end at about the same time.
fn for_each_target(test: impl Fn(&Target) + Sync) {
    std::thread::scope(|scope| {
        for target in TARGETS {
            scope.spawn(|| test(target));
        }
    });
}

#[test]
fn the_corpus_holds() {
    for_each_target(|target| {
        let corpus = corpus(target);
        assert!(corpus.len() >= 5, "{}: {} inputs are no corpus", target.name, corpus.len());
        for (path, bytes) in corpus {
            let held = std::panic::catch_unwind(|| (target.hold)(&bytes));
            assert!(held.is_ok(), "{}: it does not hold of {}", target.name, path.display());
        }
    });
}

#[test]
fn what_becomes_of_the_corpus_holds() {
    let given = std::env::var(SEED).ok().map(|seed| seed.parse().expect("the seed is a number"));
    let seed: u64 = given.unwrap_or_else(|| RandomState::new().hash_one(0));
    for_each_target(|target| mutated(target, seed));
}

fn mutated(target: &Target, seed: u64) {
    let corpus = corpus(target);
    let drawn = (any::<Index>(), prop::collection::vec(edit(), 1..=6)).prop_map(|(start, edits)| {
        let mut bytes = corpus[start.index(corpus.len())].1.clone();
        for edit in &edits {
            edit.apply(&mut bytes, &corpus);
        }
        Input(bytes)
    });
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &[seed.to_le_bytes(), (!seed).to_le_bytes()].concat());
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let found = TestRunner::new_with_rng(config, rng).run(&drawn, |input| {
        (target.hold)(&input.0);
        Ok(())
    });
    match found {
        Ok(()) => {}
        Err(TestError::Abort(why)) => panic!("{}: {why} (seed {seed})", target.name),
        Err(TestError::Fail(why, input)) => {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{seed}", target.name));
            std::fs::write(&kept, &input.0).unwrap();
            panic!("{}: {why}\n{SEED}={seed} repeats it; {} holds it:\n{input:?}", target.name, kept.display());
        }
    }
}

/// A reader that understands nothing keeps every promise; each must reach what it is for.
#[test]
fn the_corpus_reaches_both_ends_of_every_reader() {
    use lifeboat::{action::manifest::Manifest, azure::storage, run::journal, runbook, sim::Scenario, site};
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap_or_default();
    for target in TARGETS {
        let understands: &dyn Fn(&[u8]) -> bool = match target.name {
            "blobs" => &|bytes| storage::listed(bytes).is_ok_and(|(blobs, _)| !blobs.is_empty()),
            "expression" => &|bytes| runbook::expression::parts(&text(bytes)).is_ok_and(|parts| parts.len() > 1),
            "journal" => &|bytes| journal::parse(Path::new("x"), bytes).is_ok(),
            "manifest" => &|bytes| serde_json::from_slice(bytes).is_ok_and(|it| Manifest::from_value(&it).is_some()),
            "runbook" => &|bytes| runbook::check("x", bytes).is_ok(),
            "scenario" => &|bytes| Scenario::parse(&text(bytes)).is_ok(),
            "site" => &|bytes| site::parse("x", bytes).is_ok(),
            // Judged by its answer's status alone: what it comes to is in `azure/operation.rs`.
            "operation" => &|bytes| bytes.starts_with(b"HTTP/1.1 2"),
            other => panic!("what does it mean that `{other}` is understood?"),
        };
        let corpus = corpus(target);
        let understood = corpus.iter().filter(|(_, bytes)| understands(bytes)).count();
        assert!(understood >= 2 && understood < corpus.len(), "{}: {understood} of {}", target.name, corpus.len());
    }
}
