//! One constructor for every kind of mistake: the only place where its words are written.
//!
//! A message is a lower-case fragment; the help says what to do. Neither ever holds more than a name that the author
//! wrote in a place where no secret belongs.

use std::{fmt::Display, time::Duration};

use super::{Code, Problem};
use crate::runbook::span;

/// Longest piece of the author's text that a message repeats, in characters.
const LONGEST_QUOTE: usize = 80;

/// `` `text` ``, cut when it is long.
pub(crate) fn quote(text: &str) -> String {
    match text.char_indices().nth(LONGEST_QUOTE) {
        None => format!("`{text}`"),
        Some((at, _)) => format!("`{}…`", &text[..at]),
    }
}

/// "`a`, `b` or `c`"
fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The known name that `found` was probably meant to be.
pub fn similar<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Names far longer or shorter cannot be near; this keeps long lists cheap.
    let length = found.len();
    known
        .into_iter()
        .filter(|name| name.len().abs_diff(length) <= 3.max(length / 2))
        .map(|name| (strsim::jaro_winkler(found, name), name))
        .filter(|(likeness, name)| *likeness >= 0.8 || strsim::damerau_levenshtein(found, name) <= 1)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

/// "did you mean `x`?", else "known are …" when the list is short, else `otherwise`.
fn suggest<'a>(found: &str, known: impl IntoIterator<Item = &'a str> + Clone, otherwise: &str) -> String {
    if let Some(name) = similar(found, known.clone()) {
        return format!("did you mean `{name}`?");
    }
    let known: Vec<&str> = known.into_iter().take(25).collect();
    if known.is_empty() || known.len() == 25 { otherwise.to_owned() } else { format!("known here: {}", one_of(known)) }
}

// The text itself.

pub fn not_utf8(byte: u8) -> Problem {
    let help = "save the file as UTF-8 (without UTF-16 or a code page)";
    Problem::new(Code::NotUtf8, format!("byte 0x{byte:02x} is not part of any UTF-8 character"), help)
}

pub fn too_large(size: usize, limit: usize) -> Problem {
    let message = format!("the file has {size} bytes; {limit} are allowed");
    Problem::new(Code::TooLarge, message, "split the runbook, or check that this is the file you meant")
}

pub fn empty_file(what: &str) -> Problem {
    let help = format!("write {what}; the examples directory has one to start from");
    Problem::new(Code::EmptyFile, "the file is empty", help)
}

pub fn several_documents() -> Problem {
    let help = "keep one document a file; remove the `---` and what does not belong here";
    Problem::new(Code::SeveralDocuments, "a second YAML document begins here", help)
}

pub fn tab_indentation() -> Problem {
    Problem::new(Code::TabIndentation, "a tab is used for indentation", "indent with spaces")
}

pub fn unclosed_quote() -> Problem {
    Problem::new(Code::UnclosedQuote, "this quote is never closed", "close it, or remove it")
}

pub fn unclosed_bracket(bracket: Option<char>) -> Problem {
    let message = match bracket {
        Some(bracket) => format!("a `{bracket}` is never closed"),
        None => "a bracket is never closed".to_owned(),
    };
    Problem::new(Code::UnclosedBracket, message, "close it, or put the text in quotes if it is meant literally")
}

pub fn yaml_syntax(what: &str) -> Problem {
    let help = "check the indentation and the colon after each key; put text with `: ` or ` #` in quotes";
    Problem::new(Code::YamlSyntax, format!("this is not YAML: {what}"), help)
}

pub fn unknown_anchor() -> Problem {
    let help =
        "define it with `&name` before it is used, and not inside itself; put text that begins with `*` in quotes";
    Problem::new(Code::UnknownAnchor, "no anchor of this name stands before this alias", help)
}

pub fn too_many_aliases(limit: usize) -> Problem {
    let message = format!("the aliases of this file repeat more than {limit} values");
    Problem::new(Code::TooManyAliases, message, "write the values out, or use parameters")
}

pub fn too_many_nodes(limit: usize) -> Problem {
    let message = format!("the file holds more than {limit} values");
    Problem::new(Code::TooManyNodes, message, "split the runbook")
}

pub fn too_deep(limit: usize) -> Problem {
    let message = format!("values are nested more than {limit} deep");
    Problem::new(Code::TooDeep, message, "nothing here needs that; check the brackets and the indentation")
}

pub fn tag_not_supported() -> Problem {
    Problem::new(Code::TagNotSupported, "YAML tags are not used here", "remove the `!…`, or put the text in quotes")
}

pub fn key_not_text() -> Problem {
    let help = "use a plain name as the key; text with `${{ }}` needs quotes";
    Problem::new(Code::KeyNotText, "a list or a map stands where a key belongs", help)
}

pub fn duplicate_key(key: &str, first_line: u32) -> Problem {
    let message = format!("the key {} is already on line {first_line}", quote(key));
    Problem::new(Code::DuplicateKey, message, "keep one of the two")
}

// Keys and values.

pub fn unknown_key<'a>(key: &str, holder: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Problem {
    let help = suggest(key, known, "remove it");
    Problem::new(Code::UnknownKey, format!("{holder} has no key {}", quote(key)), help)
}

pub fn missing_key(key: &str, holder: &str, summary: &str) -> Problem {
    Problem::new(Code::MissingKey, format!("{holder} needs the key `{key}`"), format!("add `{key}`: {summary}"))
}

pub fn wrong_type(expected: &str, found: &str) -> Problem {
    let help = match (expected, found) {
        ("text", "an integer" | "a decimal number" | "true or false") => "put it in quotes to make it text".to_owned(),
        ("true or false", "text") => "write `true` or `false`, without quotes".to_owned(),
        ("an integer", "text") => "write digits only, without quotes, without leading zeros".to_owned(),
        ("a list", _) => "write `[a, b]`, or one `- ` line an entry".to_owned(),
        _ => format!("write {expected}"),
    };
    Problem::new(Code::WrongType, format!("{expected} is expected here, this is {found}"), help)
}

pub fn empty_value(what: &str, help: &str) -> Problem {
    Problem::new(Code::EmptyValue, format!("{what} is empty"), help)
}

pub fn unknown_value<'a>(what: &str, found: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Problem {
    let help = match similar(found, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("write {}", one_of(known)),
    };
    Problem::new(Code::UnknownValue, format!("{} is not a {what}", quote(found)), help)
}

pub fn out_of_range(found: impl Display, least: impl Display, most: impl Display) -> Problem {
    let help = format!("write a number from {least} to {most}");
    Problem::new(Code::OutOfRange, format!("{found} is out of range"), help)
}

pub fn too_long(what: &str, limit: usize) -> Problem {
    Problem::new(Code::TooLong, format!("{what} has more than {limit} bytes"), "shorten it")
}

pub fn bad_name(found: &str, what: &str, form: &str) -> Problem {
    Problem::new(Code::BadName, format!("{} cannot be {what}", quote(found)), form)
}

pub fn duration_without_unit(found: &str) -> Problem {
    let message = format!("the duration `{found}` has no unit");
    Problem::new(Code::DurationWithoutUnit, message, format!("write `{found}s`, `{found}m` or `{found}h`"))
}

pub fn bad_duration(found: &str) -> Problem {
    let help = "write numbers with units, largest first, such as `90s`, `45m` or `1h30m`; at most a year";
    Problem::new(Code::BadDuration, format!("{} is not a duration", quote(found)), help)
}

pub fn bad_resource_id(message: &str) -> Problem {
    let help = "copy it from the portal: Overview → JSON View → Resource ID";
    Problem::new(Code::BadResourceId, message, help)
}

pub fn wrong_resource_kind(found: &str, expected: &str) -> Problem {
    let message = format!("this is the id of a {}, not of a `{expected}`", quote(found));
    Problem::new(Code::WrongResourceKind, message, format!("give the id of a `{expected}`"))
}

pub fn bad_hostname(found: &str) -> Problem {
    let help = "write a host name only, such as `api.contoso.com`: no scheme, port, path, address or trailing dot";
    Problem::new(Code::BadHostname, format!("{} is not a host name", quote(found)), help)
}

pub fn bad_url(found: &str) -> Problem {
    let help = "write an absolute URL, such as `https://api.contoso.com/health`, without user name and password";
    Problem::new(Code::BadUrl, format!("{} is not an http or https URL", quote(found)), help)
}

pub fn version_missing() -> Problem {
    let message = "the file does not say its format version";
    Problem::new(Code::VersionMissing, message, "add `version: 1` as the first line")
}

pub fn version_unsupported(found: i64) -> Problem {
    let message = format!("format version {found} is not known to this lifeboat, which reads version 1");
    let help = if found > 1 { "use a newer lifeboat, or write the file for version 1" } else { "write `version: 1`" };
    Problem::new(Code::VersionUnsupported, message, help)
}

// Steps.

pub fn too_many_steps(count: usize, limit: usize) -> Problem {
    let message = format!("the runbook has {count} steps; {limit} are allowed");
    Problem::new(Code::TooManySteps, message, "split the runbook")
}

pub fn duplicate_step(id: &str, first_line: u32) -> Problem {
    let message = format!("the step {} is already on line {first_line}", quote(id));
    Problem::new(Code::DuplicateStep, message, "give one of the two another id")
}

pub fn action_count(names: &[&str]) -> Problem {
    let message = if names.is_empty() {
        "`do` names no action".to_owned()
    } else {
        format!("`do` names {} actions: {}", names.len(), names.join(", "))
    };
    Problem::new(Code::ActionCount, message, "name exactly one action; a second one needs a step of its own")
}

pub fn unknown_action<'a>(found: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Problem {
    let message = format!("there is no action {}", quote(found));
    Problem::new(Code::UnknownAction, message, suggest(found, known, "see `lifeboat schema`"))
}

pub fn unknown_mode<'a>(found: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Problem {
    let message = format!("there is no mode {}", quote(found));
    Problem::new(Code::UnknownMode, message, suggest(found, known, "remove it"))
}

pub fn unknown_step<'a>(found: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Problem {
    let message = format!("there is no step {}", quote(found));
    Problem::new(Code::UnknownStep, message, suggest(found, known, "name a step of this runbook"))
}

pub fn self_need(id: &str) -> Problem {
    Problem::new(Code::SelfNeed, format!("the step `{id}` needs itself"), "remove it from `needs`")
}

pub fn repeated_need(id: &str) -> Problem {
    Problem::new(Code::RepeatedNeed, format!("{} is needed twice", quote(id)), "keep one of the two")
}

/// `ids`: every step needs the next, and the last the first.
pub fn cycle(ids: &[&str]) -> Problem {
    const MOST_NAMED: usize = 20;
    let mut names: Vec<&str> = ids.iter().copied().take(MOST_NAMED).collect();
    if ids.len() > MOST_NAMED {
        names.push("…");
    }
    names.extend(ids.first());
    let message = format!("these steps wait for each other: {}", names.join(" → "));
    Problem::new(Code::Cycle, message, "remove one of these needs")
}

pub fn drill_moves_traffic(step: &str, field: &str) -> Problem {
    let message = format!("in a drill, the step `{step}` would move production traffic: `{field}` has no drill value");
    let help = format!(
        "take `{field}` from a parameter that has a `drill:` value, or keep the step out of drills with `modes: [planned, unplanned]`"
    );
    Problem::new(Code::DrillMovesTraffic, message, help)
}

// Expressions.

pub fn expression_unclosed() -> Problem {
    let help = "close it with `}}`; to write the characters themselves: `${{ '${{' }}`";
    Problem::new(Code::ExpressionUnclosed, "this `${{` is never closed", help)
}

pub fn expression_syntax(what: &str) -> Problem {
    let help = "write for example `${{ params.zone.name }}`, `${{ steps.flip.target }}` or `${{ mode == 'drill' }}`";
    Problem::new(Code::ExpressionSyntax, format!("this expression cannot be read: {what}"), help)
}

pub fn expression_expected(what: &str) -> Problem {
    let message = format!("{what} takes one expression and nothing else");
    Problem::new(Code::ExpressionExpected, message, "write it as `\"${{ mode == 'drill' }}\"`")
}

pub fn expression_not_allowed(what: &str) -> Problem {
    let message = format!("{what} cannot hold an expression");
    Problem::new(Code::ExpressionNotAllowed, message, "write the value itself")
}

pub fn unknown_name(found: &str) -> Problem {
    let known = ["params", "steps", "mode", "run"];
    let message = format!("expressions do not know {}", quote(found));
    let help = match similar(found, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "write `params.<name>`, `steps.<id>.<output>`, `mode` or `run`; put literal text in quotes".to_owned(),
    };
    Problem::new(Code::UnknownName, message, help)
}

pub fn unknown_filter(found: &str) -> Problem {
    let known = ["default", "upper", "lower", "replace", "trim", "join", "length", "first", "last", "split", "int"];
    let message = format!("there is no filter or test {}", quote(found));
    Problem::new(Code::UnknownFilter, message, suggest(found, known, "see the reference of expressions"))
}

pub fn unknown_parameter<'a>(found: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Problem {
    let message = format!("there is no parameter {}", quote(found));
    Problem::new(Code::UnknownParameter, message, suggest(found, known, "declare it under `parameters`"))
}

pub fn unknown_attribute(parameter: &str, kind: &str, found: &str, known: &[&str]) -> Problem {
    let message = format!("the parameter `{parameter}` is a {kind} and has no {}", quote(found));
    let help = match similar(found, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => format!("write `params.{parameter}`"),
        None => format!("it has {}", one_of(known.iter().copied())),
    };
    Problem::new(Code::UnknownAttribute, message, help)
}

pub fn unknown_output<'a>(
    step: &str,
    action: &str,
    found: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Problem {
    let message = format!("the step `{step}` ({action}) has no output {}", quote(found));
    Problem::new(Code::UnknownOutput, message, suggest(found, known, "it gives none"))
}

pub fn output_not_needed(step: &str, used: &str) -> Problem {
    let message = format!("the step `{step}` uses an output of `{used}` but does not need it");
    Problem::new(Code::OutputNotNeeded, message, format!("add `{used}` to the `needs` of `{step}`"))
}

pub fn output_left_out(step: &str, used: &str, mode: &str) -> Problem {
    let message = format!("in {mode} mode the step `{used}` is left out, and `{step}` uses its output");
    let help = format!("give both the same `modes`, or keep `{step}` out of {mode} mode");
    Problem::new(Code::OutputLeftOut, message, help)
}

pub fn parameter_type_mismatch(parameter: &str, kind: &str, expected: &str) -> Problem {
    let message = format!("{expected} is expected here, and the parameter `{parameter}` is a {kind}");
    Problem::new(Code::ParameterTypeMismatch, message, "use another parameter, or declare it with another `type`")
}

pub fn parameter_kind_conflict(parameter: &str, one: &str, other: &str) -> Problem {
    let message = format!("the parameter `{parameter}` is used as a `{one}` here and as a `{other}` elsewhere");
    Problem::new(Code::ParameterKindConflict, message, "no resource is both; declare a second parameter")
}

// Values for parameters.

pub fn missing_parameter(name: &str, kind: &str, description: Option<&str>) -> Problem {
    let message = match description {
        Some(description) => format!("the parameter `{name}` has no value ({kind}: {description})"),
        None => format!("the parameter `{name}` has no value ({kind})"),
    };
    let help = format!("give it with `--set {name}=…`, in a `--parameters` file, or under `parameters` of the site");
    Problem::new(Code::MissingParameter, message, help)
}

// Site files.

/// The value itself is never told.
pub fn inline_secret(what: &str) -> Problem {
    let help = "name where it is instead: `{ env: NAME }` or `{ file: PATH }`; and change the secret, it was in a file";
    let mut problem = Problem::new(Code::InlineSecret, format!("{what} is written in the file itself"), help);
    problem.hides_source = true;
    problem
}

pub fn credential_count(names: &[&str]) -> Problem {
    let message = match names {
        [] => "`credential` names no form".to_owned(),
        names => format!("`credential` names {} forms: {}", names.len(), names.join(", ")),
    };
    Problem::new(Code::CredentialCount, message, "name exactly one, for example `credential: { azure-cli: {} }`")
}

pub fn chain_length(found: usize, most: usize) -> Problem {
    let message = match found {
        0 => "the chain names no credential".to_owned(),
        found => format!("the chain names {found} credentials, more than {most}"),
    };
    let help = "list them in the order in which they are asked: `chain: [{ managed-identity: {} }, { azure-cli: {} }]`";
    Problem::new(Code::BadChain, message, help)
}

pub fn chain_in_chain() -> Problem {
    let help = "list its credentials in the outer chain, in the order in which they are asked";
    Problem::new(Code::BadChain, "a chain stands inside a chain", help)
}

pub fn endpoints_not_custom() -> Problem {
    let message = "`endpoints` stands with `cloud: custom` only";
    Problem::new(Code::EndpointsNotCustom, message, "write `cloud: custom`, or remove `endpoints`")
}

/// `name`: `{account}`.
pub fn url_without_name(what: &str, name: &str) -> Problem {
    let message = format!("the URL `{what}` does not say where the name belongs");
    Problem::new(Code::BadUrl, message, format!("write `{name}` in it, as in `https://{name}.example.com`"))
}

pub fn plain_http(what: &str) -> Problem {
    let message = format!("`{what}` is plain http to another machine");
    let help = "write https; plain http is for this machine (127.0.0.1, ::1, localhost), since tokens travel over it";
    Problem::new(Code::PlainHttp, message, help)
}

pub fn bad_address(found: &str) -> Problem {
    let help =
        "write `1.1.1.1`, `10.0.0.4:5301`, or `\"[2606:4700:4700::1111]:53\"` in quotes; the port is 53 when absent";
    Problem::new(Code::BadAddress, format!("{} is not an IP address with or without a port", quote(found)), help)
}

pub fn bad_timestamp(found: &str) -> Problem {
    let message = format!("{} is not a timestamp", quote(found));
    Problem::new(Code::BadTimestamp, message, "write it as `2026-01-31T12:00:00Z`")
}

pub fn bad_certificate(file: &str) -> Problem {
    let message = format!("{} holds no certificate in PEM form", quote(file));
    let help = "name a file with `-----BEGIN CERTIFICATE-----`; convert DER with `openssl x509 -inform der`";
    Problem::new(Code::BadCertificate, message, help)
}

/// The key is public; what stands there may be another.
pub fn simulated_elsewhere() -> Problem {
    let message = "`simulated` is the clock of a simulator on this machine, and the resource manager is elsewhere";
    let help = "leave it out; `lifeboat sim --site-out FILE` writes it";
    Problem::new(Code::UnknownValue, message, help)
}

pub fn bad_public_key(name: &str) -> Problem {
    let message = format!("the key of {} is no public ed25519 key in base64", quote(name));
    let help = "`openssl pkey -in KEY.pem -pubout` prints it: the line between the two of dashes";
    Problem::new(Code::BadPublicKey, message, help)
}

/// `what`: `a URL without a container`; never the URL itself, which may hold a secret.
pub fn bad_state(what: &str, help: &str) -> Problem {
    Problem::new(Code::BadState, format!("runs cannot be kept there: {what}"), help)
}

/// The URL is never told.
pub fn secret_in_state() -> Problem {
    let help = "write the URL up to the prefix, without `?`, `#` or `@`; a shared access signature belongs into a variable or a \
                file that the site names: `state_credential: { sas: { env: NAME } }`; and change the secret, it was written down";
    let mut problem =
        Problem::new(Code::InlineSecret, "the URL of the state has a user name, a query or a fragment", help);
    problem.hides_source = true;
    problem
}

pub fn state_credential_count(names: &[&str]) -> Problem {
    let message = match names {
        [] => "`state_credential` names no form".to_owned(),
        names => format!("`state_credential` names {} forms: {}", names.len(), names.join(", ")),
    };
    let help = "name exactly one, for example `state_credential: { sas: { env: LIFEBOAT_SAS } }`";
    Problem::new(Code::StateCredential, message, help)
}

/// `kind`: `S3`.
pub fn state_credential_kind(form: &str, kind: &str) -> Problem {
    let help = "Azure Blob Storage takes `site`, `sas` or `account-key`, S3 takes `aws`, Google Cloud Storage takes `google`; \
                a directory takes none";
    Problem::new(Code::StateCredential, format!("`{form}` is no credential for {kind}"), help)
}

/// `why`: as the parser says it.
pub fn bad_cron(found: &str, why: &str) -> Problem {
    let help = format!(
        "write minute, hour, day of month, month and day of week, such as `0 3 * * SUN`; the parser says: {}",
        why.trim_end_matches('.')
    );
    Problem::new(Code::BadCron, format!("{} is not a cron expression", quote(found)), help)
}

pub fn bad_time_zone<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Problem {
    let help = match similar(found, known) {
        Some(similar) => format!("did you mean `{similar}`?"),
        None => {
            "write an IANA name such as `Europe/Berlin`; abbreviations such as `CET` have no summer time".to_owned()
        }
    };
    Problem::new(Code::BadTimeZone, format!("no time zone is called {}", quote(found)), help)
}

pub fn jitter_beyond_window(jitter: Duration, window: Duration) -> Problem {
    let message =
        format!("the jitter {} is not shorter than the window {}", span::format(jitter), span::format(window));
    Problem::new(
        Code::JitterBeyondWindow,
        message,
        "some would miss their window: make the jitter shorter, or the window longer",
    )
}

pub fn jitter_beyond_interval(jitter: Duration, apart: Duration) -> Problem {
    let message = format!(
        "the jitter {} is not shorter than the {} between two times of the cron expression",
        span::format(jitter),
        span::format(apart)
    );
    Problem::new(
        Code::JitterBeyondInterval,
        message,
        "a later one could start before an earlier one: make the jitter shorter, or the job rarer",
    )
}

pub fn duplicate_job(id: &str, first_line: u32) -> Problem {
    let message = format!("job {} is there already, in line {first_line}", quote(id));
    Problem::new(Code::DuplicateJob, message, "give every job its own id: runs and claims are named after it")
}
