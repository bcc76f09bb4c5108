//! Who may know whom (docs/architecture.md).

use super::source::{Source, sources};

/// Modules that only compute: what they are given is all they know.
const PURE: &[&str] = &[
    "notify::news",
    "notify::payload",
    "runbook",
    "site",
    "style",
    "plan",
    "plan::codes",
    "plan::digest",
    "plan::drift",
    "plan::saved",
    "plan::graph",
    "plan::history",
    "plan::prediction",
    "plan::facts",
    "plan::live",
    "plan::text",
    "run::approval",
    "run::event",
    "run::state",
    "run::transition",
    "run::decide",
];

/// Paths through which a computation would reach the world.
const WORLD: &[&str] = &[
    "tokio",
    "tokio_util",
    "reqwest",
    "hyper",
    "hickory_resolver",
    "hickory_server",
    "rustix",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "crate::clock",
    "Timestamp::now",
    "jiff::Timestamp::now",
    "jiff::Zoned",
];

/// What a layer must never name, whatever for.
const NEVER: &[(&str, &[&str])] = &[
    ("runbook", &["action", "azure", "cli", "net", "plan", "prove", "report", "run", "sim", "site", "store", "style"]),
    ("site", &["action", "azure", "cli", "net", "plan", "prove", "report", "run", "sim", "store", "style"]),
    ("style", &["action", "azure", "cli", "net", "plan", "prove", "report", "run", "runbook", "sim", "site", "store"]),
    ("plan", &["azure", "cli", "net", "prove", "report", "sim", "store"]),
    ("run", &["cli", "prove", "report", "sim", "store"]),
    ("store", &["action", "azure", "cli", "prove", "report", "sim"]),
    ("action", &["cli", "prove", "report", "store"]),
    ("azure", &["action", "cli", "plan", "prove", "report", "run", "sim", "store", "style"]),
    ("shared_state", &["action", "cli", "plan", "prove", "report", "run", "runbook", "sim", "store", "style"]),
    ("net", &["action", "azure", "cli", "plan", "prove", "report", "run", "runbook", "site", "store", "style"]),
    ("sim", &["action", "cli", "plan", "prove", "report", "run", "store"]),
    ("report", &["action", "azure", "cli", "net", "prove", "sim", "store"]),
    ("prove", &["cli"]),
    ("notify", &["action", "cli", "plan", "prove", "report", "sim", "store"]),
    ("schedule", &["action", "azure", "cli", "net", "plan", "prove", "report", "sim", "site", "style"]),
];

/// Doors through which a layer looks into another: all that it may name of it.
const ONLY: &[(&str, &str, &[&str])] = &[
    // An operation is journalled as Azure gave it; a notice becomes an event.
    ("run", "azure", &["azure::Operation", "azure::Notice"]),
    // A journal may lie in a shared store.
    ("run", "net", &["net::Objects", "net::ObjectError", "net::objects::Created", "net::CONNECT_TIMEOUT"]),
    ("store", "net", &["net::Objects", "net::ObjectError", "net::objects"]),
    // A transport is real or simulated.
    ("net", "sim", &["sim::World"]),
];

/// The modules through which a layer reaches another one, when not all of it may.
const DOORS: &[(&str, &str, &str)] = &[("run", "action", "run::engine"), ("plan", "action", "plan::make")];

fn is_within(path: &str, whole: &str) -> bool {
    path.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// A module is pure when it, or a module around it that is not only a heading, is listed.
fn is_pure(module: &str) -> bool {
    PURE.iter().any(|pure| if *pure == "plan" { module == "plan" } else { is_within(module, pure) })
}

fn product() -> Vec<(Source, String)> {
    let with_module = |source: Source| {
        let module = source.module().join("::");
        (source, module)
    };
    sources("src").into_iter().map(with_module).collect()
}

#[test]
fn what_only_computes_reaches_nothing_of_the_world() {
    let mut found = Vec::new();
    for (source, module) in product().iter().filter(|(_, module)| is_pure(module)) {
        for path in source.paths() {
            if WORLD.iter().any(|world| is_within(&path, world)) {
                found.push(format!("{}: {module} names {path}", source.path));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

/// Every path within the crate that the product names: file, module, path without `crate::`.
fn named() -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for (source, module) in product() {
        for path in source.paths() {
            if let Some(named) = path.strip_prefix("crate::") {
                all.push((source.path.clone(), module.clone(), named.to_owned()));
            }
        }
    }
    all
}

#[test]
fn layers_know_only_what_lies_below_them() {
    let mut found = Vec::new();
    for (file, module, named) in named() {
        let never = NEVER
            .iter()
            .any(|(layer, never)| is_within(&module, layer) && never.iter().any(|never| is_within(&named, never)));
        let beside_the_door = DOORS.iter().any(|(layer, other, door)| {
            is_within(&module, layer) && is_within(&named, other) && !is_within(&module, door)
        });
        let too_much = ONLY.iter().any(|(layer, other, only)| {
            is_within(&module, layer) && is_within(&named, other) && !only.iter().any(|only| is_within(&named, only))
        });
        if never || beside_the_door || too_much {
            found.push(format!("{file}: {module} names {named}"));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn only_the_command_line_knows_the_command_line() {
    let outside = |(_, module, named): &&(String, String, String)| !is_within(module, "cli") && is_within(named, "cli");
    assert_eq!(named().iter().find(outside), None);
    // The binary is one call.
    assert!(super::source::read(std::path::Path::new("src/main.rs")).lines().count() <= 10);
}

/// Whatever else somebody is told never depends on it: but for the step whose work it is to tell.
#[test]
fn only_the_command_line_and_the_step_that_tells_know_who_is_told() {
    const KNOWS: [&str; 4] = ["cli", "notify", "action::tell", "action::arguments"];
    let outside = |(_, module, named): &&(String, String, String)| {
        !KNOWS.iter().any(|knows| is_within(module, knows)) && is_within(named, "notify")
    };
    assert_eq!(named().iter().find(outside), None);
}

/// A rule that names nothing holds of nothing.
#[test]
fn the_rules_see_what_they_judge() {
    let named = named();
    assert!(named.len() > 300, "only {} paths were found", named.len());
    for (layer, other, door) in DOORS {
        let seen = named.iter().any(|(_, module, named)| is_within(module, door) && is_within(named, other));
        assert!(seen, "{door} does not lead from {layer} to {other} any more");
    }
    for (layer, _, only) in ONLY {
        for only in *only {
            let seen = named.iter().any(|(_, module, named)| is_within(module, layer) && is_within(named, only));
            assert!(seen, "{layer} does not name {only} any more");
        }
    }
}

#[test]
fn the_lists_name_modules_that_exist() {
    let modules: Vec<String> = product().into_iter().map(|(_, module)| module).collect();
    for listed in PURE.iter().chain(NEVER.iter().map(|(layer, _)| layer)) {
        assert!(modules.iter().any(|module| is_within(module, listed)), "there is no module {listed} any more");
    }
}
