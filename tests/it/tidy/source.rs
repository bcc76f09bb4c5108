//! Reads the project's Rust files: code without comments and texts, and the paths that it names.

use std::path::{Path, PathBuf};

/// Where the project lies.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder of the project, as paths from its root, sorted. Nothing below `target` or a hidden folder
/// other than `.ci` and `.github`.
pub fn files(below: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(below)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let hidden = name.starts_with('.') && name != ".ci" && name != ".github";
            if path.is_dir() && !hidden && name != "target" {
                folders.push(path);
            } else if path.is_file() && name != ".git" {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One Rust file.
pub struct Source {
    /// From the project's root, with `/`.
    pub path: String,
    /// Comments, texts and characters are blank; line feeds are kept.
    pub code: String,
    /// `code` without its unit tests.
    pub product: String,
}

/// Every Rust file below a folder.
pub fn sources(below: &str) -> Vec<Source> {
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    files(below)
        .into_iter()
        .filter(is_rust)
        .map(|path| {
            let code = blank(&read(&path));
            let product = without_tests(&code);
            Source { path: path.to_string_lossy().replace('\\', "/"), code, product }
        })
        .collect()
}

impl Source {
    /// `src/run/decide.rs` is `run::decide`, `src/run/mod.rs` is `run`, `src/lib.rs` is empty.
    pub fn module(&self) -> Vec<String> {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let mut names: Vec<String> = path.split('/').map(str::to_owned).collect();
        if matches!(names.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            names.pop();
        }
        names
    }

    /// Every path that the product's code names, whole: `crate::run::Event`, `tokio::sync::mpsc`. `self` and `super`
    /// are resolved.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        let mut rest = String::new();
        let mut code = self.product.as_str();
        while let Some(at) = find_word(code, "use") {
            rest.push_str(&code[..at]);
            let Some(end) = code[at..].find(';') else { break };
            expand(&code[at + "use".len()..at + end], "", &mut paths);
            code = &code[at + end..];
        }
        rest.push_str(code);
        paths.extend(inline_paths(&rest));
        paths.into_iter().map(|path| self.resolve(&path)).collect()
    }

    fn resolve(&self, path: &str) -> String {
        let mut names: Vec<&str> = path.split("::").collect();
        let module = self.module();
        let mut here: Vec<&str> = module.iter().map(String::as_str).collect();
        match names[0] {
            "self" | "super" => {}
            _ => return path.to_owned(),
        }
        while let Some(first @ ("self" | "super")) = names.first().copied() {
            names.remove(0);
            if first == "super" {
                here.pop();
            }
        }
        [&["crate"], here.as_slice(), names.as_slice()].concat().join("::")
    }
}

/// Where a word stands alone.
fn find_word(code: &str, word: &str) -> Option<usize> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    code.match_indices(word).map(|(at, _)| at).find(|at| {
        let before = at.checked_sub(1).is_none_or(|before| !is_name(code.as_bytes()[before]));
        let after = code.as_bytes().get(at + word.len()).is_none_or(|after| !is_name(*after));
        before && after
    })
}

/// The paths of a `use` tree.
fn expand(tree: &str, prefix: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let name = tree.split_whitespace().next().unwrap_or_default();
        paths.push(format!("{prefix}{name}"));
        return;
    };
    let prefix = format!("{prefix}{}", tree[..open].trim());
    let inside = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let mut depth = 0;
    for branch in inside.split(|character| {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    }) {
        if !branch.trim().is_empty() {
            expand(branch, &prefix, paths);
        }
    }
}

/// `a::b::c` anywhere in code.
fn inline_paths(code: &str) -> Vec<String> {
    let name = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == ':';
    code.split(|character| !name(character))
        .filter(|path| path.contains("::"))
        .map(|path| path.trim_matches(':').to_owned())
        .filter(|path| !path.is_empty())
        .collect()
}

/// Cuts every `#[cfg(test)] mod … { … }` off, and leaves the lines before and after.
fn without_tests(code: &str) -> String {
    let mut product = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        let after = &rest[at..];
        let end = match (after.find('{'), after.find(';')) {
            (Some(open), semicolon) if semicolon.is_none_or(|semicolon| open < semicolon) => {
                open + block_length(&after[open..])
            }
            (_, Some(semicolon)) => semicolon + 1,
            (_, None) => after.len(),
        };
        product.push_str(&rest[..at]);
        rest = &after[end..];
    }
    product.push_str(rest);
    product
}

/// Bytes from an opening brace to the one that closes it.
pub fn block_length(code: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// Code with its comments, texts and characters blank, byte for byte.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let length = inert_length(bytes, at);
        for byte in &mut code[at..at + length] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at += length.max(1);
    }
    String::from_utf8(code).unwrap()
}

/// Bytes of the comment, text or character that begins here; 0 when none does.
fn inert_length(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let until = |end: &[u8], from: usize| {
        let found = rest[from..].windows(end.len()).position(|window| window == end);
        found.map_or(rest.len(), |found| from + found + end.len())
    };
    let in_name = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => until(b"\n", 2) - usize::from(until(b"\n", 2) < rest.len()),
        [b'/', b'*', ..] => until(b"*/", 2),
        [b'"', ..] => text_length(rest),
        [b'r' | b'b' | b'c', ..] if !in_name => {
            let prefix = rest.iter().take_while(|byte| matches!(byte, b'r' | b'b' | b'c')).count();
            let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
            match rest.get(prefix + hashes) {
                Some(b'"') if rest[..prefix].contains(&b'r') => {
                    until(&[b"\"".as_slice(), &b"#".repeat(hashes)].concat(), prefix + hashes + 1)
                }
                Some(b'"') if hashes == 0 && prefix == 1 => prefix + text_length(&rest[prefix..]),
                _ => 0,
            }
        }
        // A character, not a lifetime: it ends after one character or an escape.
        [b'\'', b'\\', ..] => until(b"'", 3),
        [b'\'', ..] => {
            let width = std::str::from_utf8(&rest[1..rest.len().min(5)])
                .or_else(|error| std::str::from_utf8(&rest[1..=error.valid_up_to()]))
                .ok()
                .and_then(|text| text.chars().next())
                .map_or(0, char::len_utf8);
            if width > 0 && rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
        }
        _ => 0,
    }
}

/// Bytes of a text that begins with its quotation mark.
fn text_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

#[test]
fn texts_and_comments_are_not_taken_for_code() {
    let text = "a \"use \\\" x\" /* b */ c // d\n'x' 'é' '\\'' &'a str r#\"{ \"e\" }\"# b\"f\" tr";
    let code: Vec<String> = blank(text).split_whitespace().map(str::to_owned).collect();
    assert_eq!(code, ["a", "c", "&'a", "str", "tr"]);
    assert_eq!(blank(text).len(), text.len());
}

#[test]
fn paths_are_found_in_use_trees_and_in_code() {
    let code = "use std::{fmt, sync::{Arc, Mutex as M}};\nuse super::{Event, state::State};\nfn f() { super::super::net::go(crate::azure::X); tokio::select! {} }\n#[cfg(test)]\nmod tests { use crate::cli; }\n";
    let source = Source { path: "src/run/decide.rs".into(), code: code.into(), product: without_tests(code) };
    let mut paths = source.paths();
    paths.sort();
    assert_eq!(
        paths,
        [
            "crate::azure::X",
            "crate::net::go",
            "crate::run::Event",
            "crate::run::state::State",
            "std::fmt",
            "std::sync::Arc",
            "std::sync::Mutex",
            "tokio::select"
        ]
    );
}
