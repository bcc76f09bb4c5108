//! Text with `${{ … }}` parts: what it refers to, and a form that minijinja can evaluate.
//!
//! `params.<name>[.attribute]`, `steps.<id>.<output>`, `mode` and `run` are found by a scan of our own, because ids may
//! hold hyphens, which minijinja would take for minus signs. Each is replaced by a variable of its own; the rest is
//! minijinja's. Never evaluates anything.

use std::{ops::Range, sync::LazyLock};

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

/// What one expression may cost: far more than any that a person writes, far less than a second.
const FUEL: u64 = 50_000;

/// Longest expression; keeps minijinja's recursive parser shallow.
const LONGEST: usize = 4096;

/// Begins the variable that stands for the reference of that index.
const VARIABLE: &str = "lifeboat_reference_";

/// Sandboxed: no functions, no templates, no I/O; undefined is an error; fuel is bounded.
pub(super) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    let globals: Vec<String> = environment.globals().map(|(name, _)| name.to_owned()).collect();
    for name in globals {
        environment.remove_global(&name);
    }
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    environment
});

/// A text, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Part<'t> {
    Literal(&'t str),
    /// What stands between `${{` and `}}`, and where in the text.
    Expression(Expression),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// For minijinja; every reference is the variable `variable(index)`.
    pub rewritten: String,
    pub references: Vec<Reference>,
    /// Of the whole text, with `${{` and `}}`.
    pub range: Range<usize>,
    /// The whole expression is its one reference and perhaps a path into its value: `.created`.
    pub bare: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    pub target: Target,
    /// In the whole text.
    pub range: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// `params.active.name`
    Parameter {
        name: String,
        attribute: Option<String>,
    },
    /// `steps.flip.target`
    Output {
        step: String,
        output: String,
    },
    Mode,
    Run,
}

/// Why a text cannot be taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub kind: FaultKind,
    /// In the whole text.
    pub range: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    Unclosed,
    /// Lower-case fragment.
    Syntax(String),
    UnknownName(String),
    UnknownFilter(String),
}

impl std::fmt::Display for FaultKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unclosed => f.write_str("a `${{` is never closed"),
            Self::Syntax(what) => write!(f, "an expression cannot be read: {what}"),
            Self::UnknownName(name) => write!(f, "expressions do not know `{name}`"),
            Self::UnknownFilter(name) => write!(f, "there is no filter or test `{name}`"),
        }
    }
}

pub(super) fn variable(index: usize) -> String {
    format!("{VARIABLE}{index}")
}

/// Takes `text` apart. References are not looked up.
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, Fault> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("${{") {
        let start = at + found;
        let inside = start + 3;
        let Some(length) = closing(&text[inside..]) else {
            return Err(Fault { kind: FaultKind::Unclosed, range: start..inside });
        };
        if found > 0 {
            parts.push(Part::Literal(&text[at..start]));
        }
        at = inside + length + 2;
        let mut expression = expression(&text[inside..inside + length], inside)?;
        expression.range = start..at;
        parts.push(Part::Expression(expression));
    }
    if at < text.len() {
        parts.push(Part::Literal(&text[at..]));
    }
    Ok(parts)
}

/// Reads one expression without `${{ }}`; `offset` is where it stands in the whole text.
pub fn expression(text: &str, offset: usize) -> Result<Expression, Fault> {
    let start = offset + (text.len() - text.trim_start().len());
    let range = start..(offset + text.trim_end().len()).max(start);
    let syntax = |what: &str| Fault { kind: FaultKind::Syntax(what.to_owned()), range: range.clone() };
    if text.trim().is_empty() {
        return Err(syntax("it is empty"));
    }
    if text.len() > LONGEST {
        return Err(syntax("it has more than 4096 bytes"));
    }
    let mut scan = Scan { text, offset, at: 0, rewritten: String::with_capacity(text.len()), references: Vec::new() };
    scan.run()?;
    let Scan { rewritten, references, .. } = scan;
    let bare = bare_path(&rewritten, references.len());
    if bare.is_none() {
        compile(&rewritten, &range)?;
    }
    Ok(Expression { rewritten, references, range, bare })
}

/// Bytes before the `}}` that closes an expression: not one in a string literal or of a nested map.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'"' | b'\'') => at = string_end(bytes, at, quote)?,
            b'{' => depth += 1,
            b'}' if depth > 0 => depth -= 1,
            b'}' if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the string literal that begins at `start` has its closing quote.
fn string_end(bytes: &[u8], start: usize, quote: u8) -> Option<usize> {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            byte if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The path behind the only reference, when there is nothing else: `variable.a.b` gives `[a, b]`.
fn bare_path(rewritten: &str, references: usize) -> Option<Vec<String>> {
    let rest = rewritten.trim().strip_prefix(VARIABLE)?.strip_prefix('0').filter(|_| references == 1)?;
    let is_name = |name: &&str| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !name.as_bytes()[0].is_ascii_digit()
    };
    if rest.is_empty() {
        return Some(Vec::new());
    }
    let names: Vec<&str> = rest.strip_prefix('.')?.split('.').collect();
    names.iter().all(is_name).then(|| names.into_iter().map(str::to_owned).collect())
}

fn compile(rewritten: &str, range: &Range<usize>) -> Result<(), Fault> {
    let fault = |kind| Fault { kind, range: range.clone() };
    let compiled = ENVIRONMENT.compile_expression(rewritten).map_err(|error| {
        fault(FaultKind::Syntax(error.detail().unwrap_or("syntax error").replace(VARIABLE, "reference ")))
    })?;
    let unknown = compiled.undeclared_variables(false).into_iter().filter(|name| !name.starts_with(VARIABLE)).min();
    match unknown {
        Some(name) => Err(fault(FaultKind::UnknownName(name))),
        None => Ok(()),
    }
}

/// Goes over an expression, outside string literals, and replaces references.
struct Scan<'t> {
    text: &'t str,
    offset: usize,
    at: usize,
    rewritten: String,
    references: Vec<Reference>,
}

/// What stands before a name decides what it is.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    Dot,
    Pipe,
    Is,
}

impl Scan<'_> {
    fn run(&mut self) -> Result<(), Fault> {
        let bytes = self.text.as_bytes();
        let mut before = Before::Nothing;
        while self.at < bytes.len() {
            let byte = bytes[self.at];
            if byte == b'"' || byte == b'\'' {
                let end = string_end(bytes, self.at, byte).ok_or_else(|| self.syntax("a quote is never closed"))?;
                self.copy(end + 1);
                before = Before::Nothing;
            } else if byte.is_ascii_alphabetic() || byte == b'_' {
                before = self.word(before)?;
            } else if byte.is_ascii_digit() {
                let digits = bytes[self.at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                self.copy(self.at + digits);
                before = Before::Nothing;
            } else {
                let width = self.text[self.at..].chars().next().map_or(1, char::len_utf8);
                before = match byte {
                    b'.' => Before::Dot,
                    b'|' => Before::Pipe,
                    _ if byte.is_ascii_whitespace() => before,
                    _ => Before::Nothing,
                };
                self.copy(self.at + width);
            }
        }
        Ok(())
    }

    fn copy(&mut self, end: usize) {
        self.rewritten.push_str(&self.text[self.at..end]);
        self.at = end;
    }

    /// A name: a reference, an operator, an attribute, a filter or a test.
    fn word(&mut self, before: Before) -> Result<Before, Fault> {
        let start = self.at;
        let end = start + word_length(&self.text[start..]);
        let word = &self.text[start..end];
        match (before, word) {
            (Before::Pipe, _) => self.known(word, start..end, |state, name| {
                matches!(state.apply_filter(name, &[]), Err(error) if error.kind() == ErrorKind::UnknownFilter)
            })?,
            (Before::Nothing, "is") | (Before::Is, "not") => {
                self.copy(end);
                return Ok(Before::Is);
            }
            (Before::Is, _) => self.known(word, start..end, |state, name| {
                matches!(state.perform_test(name, &[]), Err(error) if error.kind() == ErrorKind::UnknownTest)
            })?,
            (Before::Nothing, "params") => return self.parameter(end),
            (Before::Nothing, "steps") => return self.output(end),
            (Before::Nothing, "mode") => return Ok(self.reference(Target::Mode, end)),
            (Before::Nothing, "run") => return Ok(self.reference(Target::Run, end)),
            (Before::Nothing, _) if word.starts_with(VARIABLE) => return Err(self.syntax("this name is reserved")),
            (Before::Dot | Before::Nothing, _) => {}
        }
        self.copy(end);
        Ok(Before::Nothing)
    }

    fn known(
        &self,
        word: &str,
        range: Range<usize>,
        is_unknown: impl Fn(&mut minijinja::State<'_, '_>, &str) -> bool,
    ) -> Result<(), Fault> {
        if is_unknown(&mut ENVIRONMENT.empty_state(), word) {
            let range = range.start + self.offset..range.end + self.offset;
            return Err(Fault { kind: FaultKind::UnknownFilter(word.to_owned()), range });
        }
        Ok(())
    }

    fn parameter(&mut self, at: usize) -> Result<Before, Fault> {
        let (name, mut end) = self.name_after_dot(at).ok_or_else(|| self.syntax("write `params.<name>`"))?;
        let mut attribute = None;
        if let Some((found, after)) = self.name_after_dot(end) {
            attribute = Some(found);
            end = after;
        }
        Ok(self.reference(Target::Parameter { name, attribute }, end))
    }

    fn output(&mut self, at: usize) -> Result<Before, Fault> {
        let found = self.name_after_dot(at).and_then(|(step, end)| {
            let (output, end) = self.name_after_dot(end)?;
            Some((step, output, end))
        });
        let (step, output, end) = found.ok_or_else(|| self.syntax("write `steps.<id>.<output>`"))?;
        Ok(self.reference(Target::Output { step, output }, end))
    }

    /// `.name` at `at`, and where it ends. Hyphens belong to the name.
    fn name_after_dot(&self, at: usize) -> Option<(String, usize)> {
        let rest = self.text[at..].strip_prefix('.')?;
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'-';
        let length = rest.bytes().take_while(is_part).count();
        (length > 0 && rest.as_bytes()[0].is_ascii_alphabetic()).then(|| (rest[..length].to_owned(), at + 1 + length))
    }

    fn reference(&mut self, target: Target, end: usize) -> Before {
        self.rewritten.push_str(&variable(self.references.len()));
        self.references.push(Reference { target, range: self.at + self.offset..end + self.offset });
        self.at = end;
        Before::Nothing
    }

    fn syntax(&self, what: &str) -> Fault {
        let end = self.at + word_length(&self.text[self.at..]).max(1);
        Fault { kind: FaultKind::Syntax(what.to_owned()), range: self.at + self.offset..end + self.offset }
    }
}

fn word_length(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}

/// For one evaluation: the variables of an expression.
pub(super) fn context(values: Vec<Value>) -> Value {
    Value::from_pairs(values.into_iter().enumerate().map(|(index, value)| (variable(index), value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Expression {
        match parts(text).unwrap().as_slice() {
            [Part::Expression(expression)] => expression.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_with_hyphens_are_references_and_not_subtractions() {
        let expression = only("${{ steps.find-backup.backup.created ~ params.my-name_2.group }}");
        let targets: Vec<&Target> = expression.references.iter().map(|reference| &reference.target).collect();
        assert_eq!(
            targets,
            [
                &Target::Output { step: "find-backup".into(), output: "backup".into() },
                &Target::Parameter { name: "my-name_2".into(), attribute: Some("group".into()) },
            ]
        );
        assert_eq!(expression.rewritten, " lifeboat_reference_0.created ~ lifeboat_reference_1 ");
        assert_eq!(expression.bare, None);
    }

    #[test]
    fn string_literals_and_attributes_are_left_alone() {
        let expression = only("${{ 'params.x }}' ~ {\"a\": {\"mode\": mode}}.a.mode }}");
        assert_eq!(expression.references.len(), 1);
        assert_eq!(expression.references[0].target, Target::Mode);
        assert_eq!(only("${{ params.a }}").bare, Some(vec![]));
        assert_eq!(only("${{ steps.a.b.c.d }}").bare, Some(vec!["c".to_owned(), "d".to_owned()]));
    }

    #[test]
    fn text_around_expressions_is_kept() {
        let text = "Move ${{ params.record }}.${{ params.zone.name }} now?";
        let literals: Vec<&str> = parts(text)
            .unwrap()
            .iter()
            .filter_map(|part| match part {
                Part::Literal(text) => Some(*text),
                Part::Expression(_) => None,
            })
            .collect();
        assert_eq!(literals, ["Move ", ".", " now?"]);
        assert_eq!(parts("no expression $ { { }}").unwrap(), [Part::Literal("no expression $ { { }}")]);
        assert_eq!(parts("").unwrap(), []);
    }

    #[test]
    fn faults_say_where_they_are() {
        let fault = |text: &str| parts(text).unwrap_err();
        assert_eq!(fault("ab ${{ mode"), Fault { kind: FaultKind::Unclosed, range: 3..6 });
        assert_eq!(fault("${{ mode | shout }}").kind, FaultKind::UnknownFilter("shout".into()));
        assert_eq!(fault("${{ mode is grand }}").kind, FaultKind::UnknownFilter("grand".into()));
        assert_eq!(fault("${{ parms.x }}").kind, FaultKind::UnknownName("parms".into()));
        assert_eq!(fault("${{ range(9) }}").kind, FaultKind::UnknownName("range".into()));
        for text in ["${{ }}", "${{ 1 + }}", "${{ params }}", "${{ params['x'] }}", "${{ steps.x }}", "${{ 'a }}"] {
            let kind = fault(text).kind;
            assert!(matches!(kind, FaultKind::Syntax(_) | FaultKind::Unclosed), "{text}: {kind:?}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_not_a_crash() {
        let deep = format!("${{{{ {}1{} }}}}", "(".repeat(2000), ")".repeat(2000));
        assert!(matches!(parts(&deep).unwrap_err().kind, FaultKind::Syntax(_)));
    }
}
