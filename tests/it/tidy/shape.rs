//! Sizes, names, forgotten files, and marks of unfinished work.

use std::collections::BTreeSet;

use super::source::{Source, block_length, sources};

/// Lines of one file of the product, its unit tests not counted.
const LONGEST_FILE: usize = 400;

/// Lines of one function.
const LONGEST_FUNCTION: usize = 100;

/// Files that may be longer, and why.
const LONG_FILES: &[(&str, &str)] = &[
    (
        "src/action/propagation.rs",
        "one action: ask every server, judge what they say, wait for the old answer to drain",
    ),
    ("src/runbook/problem/mistake.rs", "a list: one constructor a mistake"),
    ("src/run/engine.rs", "one owner of state, journal and tasks"),
];

/// Functions that may be longer, and why.
const LONG_FUNCTIONS: &[(&str, &str, &str)] =
    &[("tests/it/report/fixture.rs", "steps", "a table of the flagship's eight steps")];

/// Names that say nothing about what stands behind them.
const EMPTY_NAMES: &[&str] = &[
    "util", "utils", "helper", "helpers", "common", "core", "model", "models", "types", "manager", "service",
    "handler", "misc",
];

/// Marks of work that is not done, and of tests that do not run.
const UNFINISHED: &[&str] = &["unimplemented!", "todo!", "dbg!", "#[ignore", "#![allow", "#[allow"];

/// Every file that is a crate of its own.
const ROOTS: &[&str] = &[
    "src/lib.rs",
    "src/main.rs",
    "tests/it/main.rs",
    "tests/bench/main.rs",
    "tests/fuzz/src/lib.rs",
    "tests/fuzz/src/main.rs",
];

fn all() -> Vec<Source> {
    let mut all = sources("src");
    all.extend(sources("tests"));
    all
}

#[test]
fn files_are_rooms_with_one_purpose() {
    let mut long = Vec::new();
    for source in sources("src") {
        let lines = source.product.lines().count();
        if lines > LONGEST_FILE {
            long.push((source.path, lines));
        }
    }
    for (path, lines) in &long {
        assert!(
            LONG_FILES.iter().any(|(listed, _)| listed == path),
            "{path} has {lines} lines, more than {LONGEST_FILE}"
        );
    }
    for (listed, reason) in LONG_FILES {
        assert!(long.iter().any(|(path, _)| path == listed), "{listed} is short by now; strike it off ({reason})");
    }
}

#[test]
fn functions_fit_a_screen_or_two() {
    let mut long = Vec::new();
    for source in all() {
        for (name, lines) in functions(&source.code) {
            if lines > LONGEST_FUNCTION {
                long.push((source.path.clone(), name, lines));
            }
        }
    }
    let is_listed = |(path, name, _): &&(String, String, usize)| {
        LONG_FUNCTIONS.iter().any(|(file, function, _)| file == path && function == name)
    };
    let surprising: Vec<_> = long.iter().filter(|found| !is_listed(found)).collect();
    assert_eq!(surprising, Vec::<&(String, String, usize)>::new(), "longer than {LONGEST_FUNCTION} lines");
    for (file, function, reason) in LONG_FUNCTIONS {
        let needed = long.iter().any(|(path, name, _)| path == file && name == function);
        assert!(needed, "{file}: `{function}` is short by now; strike it off ({reason})");
    }
}

/// Name and lines of every function with a body.
fn functions(code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let alone = at == 0 || !code.as_bytes()[at - 1].is_ascii_alphanumeric() && code.as_bytes()[at - 1] != b'_';
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let Some(open) = code[at..].find(['{', ';']).filter(|open| code.as_bytes()[at + open] == b'{') else {
            continue;
        };
        if alone && !name.is_empty() {
            let whole = &code[at..at + open + block_length(&code[at + open..])];
            found.push((name, whole.lines().count()));
        }
    }
    found
}

#[test]
fn lengths_are_counted_right() {
    let code = "impl A {\n    fn a(&self) -> u8 {\n        1\n    }\n    fn b();\n}\nfn often() { if true { c() } }\n";
    assert_eq!(functions(code), [("a".to_owned(), 3), ("often".to_owned(), 1)]);
}

#[test]
fn names_say_what_stands_behind_them() {
    for source in all() {
        for name in source.path.trim_end_matches(".rs").split('/').skip(1) {
            assert!(!EMPTY_NAMES.contains(&name), "{}: `{name}` says nothing", source.path);
        }
        for (name, _) in modules(&source.code) {
            assert!(!EMPTY_NAMES.contains(&name.as_str()), "{}: `mod {name}` says nothing", source.path);
        }
    }
}

#[test]
fn nothing_is_left_unfinished() {
    for source in all() {
        for mark in UNFINISHED {
            let found = source.code.find(mark).map(|at| source.code[..at].lines().count());
            assert_eq!(found, None, "{}: `{mark}` near this line", source.path);
        }
    }
}

/// Every `mod name;` (true) and `mod name {` (false).
fn modules(code: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for line in code.lines() {
        let line =
            line.trim().trim_start_matches("pub ").trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
        let Some(rest) = line.strip_prefix("mod ") else { continue };
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        found.push((name, rest.trim_end().ends_with(';')));
    }
    found
}

#[test]
fn no_file_is_forgotten() {
    let files: Vec<Source> = all();
    let known: BTreeSet<&str> = files.iter().map(|source| source.path.as_str()).collect();
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = ROOTS.iter().map(|path| (*path).to_owned()).collect();
    while let Some(path) = open.pop() {
        let source = files.iter().find(|source| source.path == path).unwrap_or_else(|| panic!("{path} is not there"));
        let (folder, file) = path.rsplit_once('/').unwrap();
        let stands_for_its_folder = ROOTS.contains(&path.as_str()) || file == "mod.rs";
        let folder = if stands_for_its_folder {
            folder.to_owned()
        } else {
            format!("{folder}/{}", file.trim_end_matches(".rs"))
        };
        for (name, _) in modules(&source.code).into_iter().filter(|(_, in_a_file)| *in_a_file) {
            let candidates = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")];
            open.extend(candidates.into_iter().filter(|path| known.contains(path.as_str())));
        }
        reached.insert(path);
    }
    let forgotten: Vec<&str> = known.into_iter().filter(|path| !reached.contains(*path)).collect();
    assert_eq!(forgotten, Vec::<&str>::new(), "no `mod` line leads to these files");
}
