//! What is not code: reasons of dependencies, links, and traces of somebody's machine.

use std::path::Path;

use super::source::{files, read, root, sources};

/// Every dependency, and whether a comment says why it is there.
fn dependencies(manifest: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut inside = false;
    let mut before = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.trim_matches(['[', ']']).ends_with("dependencies");
        } else if inside
            && !line.starts_with('#')
            && let Some((name, rest)) = line.split_once('=')
        {
            let beside = rest.rsplit_once('#').is_some_and(|(_, why)| !why.contains('"'));
            found.push((name.trim().to_owned(), before.starts_with("# ") || beside));
        }
        before = line;
    }
    found
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = read(Path::new("Cargo.toml"));
    let found = dependencies(&manifest);
    assert!(found.len() > 20, "only {} dependencies were found", found.len());
    let without: Vec<String> = found.into_iter().filter(|(_, has)| !has).map(|(name, _)| name).collect();
    assert_eq!(without, Vec::<String>::new(), "a comment above or beside each of these must say why it is there");
}

#[test]
fn every_dependency_is_used() {
    let code: String =
        ["src", "tests"].into_iter().flat_map(sources).map(|source| source.code).collect::<Vec<_>>().join("\n");
    let is_used = |name: &str| code.contains(&format!("{}::", name.replace('-', "_")));
    let unused: Vec<String> = dependencies(&read(Path::new("Cargo.toml")))
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !is_used(name))
        .collect();
    assert_eq!(unused, Vec::<String>::new(), "nothing names these; strike them off");
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let mut links = 0;
    for page in files("").into_iter().filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        for target in targets(&read(&page)) {
            links += 1;
            let file = page.parent().unwrap().join(&target);
            assert!(root().join(&file).exists(), "{}: the link to {target} leads nowhere", page.display());
        }
    }
    assert!(links > 0, "no link was found");
}

/// The files that a page's relative links name.
fn targets(page: &str) -> Vec<String> {
    let links = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links
        .filter(|link| !link.contains("://") && !link.starts_with('#') && !link.starts_with("mailto:"))
        .map(|link| link.split(['#', ' ']).next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn nothing_tells_of_the_machine_it_was_written_on() {
    // Put together here, so that this file does not tell either.
    let traces = ["work", "root", "home", "Users"].map(|folder| format!("/{folder}/"));
    for path in files("") {
        // Pictures and fixtures that are not text cannot hold a path that matters.
        let Ok(text) = std::fs::read_to_string(root().join(&path)) else { continue };
        for trace in &traces {
            let found = text.lines().position(|line| line.contains(trace.as_str()));
            assert_eq!(found, None, "{}: `{trace}` on the line after this one", path.display());
        }
    }
}

#[test]
fn every_locked_crate_is_from_the_public_registry() {
    const PUBLIC: &str = "registry+https://github.com/rust-lang/crates.io-index";
    let sources: Vec<String> = read(Path::new("Cargo.lock"))
        .lines()
        .filter_map(|line| line.strip_prefix("source = "))
        .map(|source| source.trim_matches('"').to_owned())
        .collect();
    assert!(sources.len() > 100, "only {} crates are locked", sources.len());
    assert!(sources.iter().all(|source| source == PUBLIC), "a crate is from elsewhere");
    for name in [".cargo/config.toml", ".cargo/config"] {
        assert!(!root().join(name).exists(), "`{name}` would send others to one machine's registry");
    }
}
