//! One broken file for every kind of mistake: what is said of it, and where.

use std::collections::BTreeSet;

use lifeboat::{
    runbook::{self, Code, Given, Mode, Problems},
    site,
};

/// A runbook whose every line but one is right; `# HERE` is where the cases put theirs.
const HEAD: &str = "version: 1
name: test
parameters:
  service: { type: resource-id }
  zone: { type: resource-id }
  record: { type: string, drill: shadow }
  count: { type: integer, default: 1 }
  pause: { type: duration, default: 5m }
steps:
";

fn steps(text: &str) -> String {
    format!("{HEAD}{text}")
}

fn broken(bytes: &[u8]) -> Problems {
    match runbook::check("broken.yaml", bytes) {
        Ok(_) => panic!("no problem in:\n{}", String::from_utf8_lossy(bytes)),
        Err(problems) => problems,
    }
}

fn told(problems: &Problems) -> Vec<(Code, u32, u32)> {
    let place = |problem: &runbook::Problem| problem.place.as_ref().map_or((0, 0), |place| (place.line, place.column));
    problems.iter().map(|problem| (problem.code, place(problem).0, place(problem).1)).collect()
}

type Case = (Code, u32, u32, Vec<u8>);

/// Each with the line and column at which its one problem stands.
fn runbook_cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut whole = |code, line, column, text: &[u8]| cases.push((code, line, column, text.to_vec()));
    whole(Code::NotUtf8, 2, 7, b"version: 1\nname: \xff\n");
    whole(Code::TooLarge, 1, 1, &vec![b'#'; (16 << 20) + 1]);
    whole(Code::EmptyFile, 1, 1, b"");
    whole(Code::EmptyFile, 1, 1, b"# nothing\n\n");
    whole(Code::SeveralDocuments, 11, 1, steps("- { id: a, do: { wait: { duration: 1s } } }\n---\nx: 1\n").as_bytes());
    whole(Code::TabIndentation, 2, 1, b"steps:\n\t- id: a\n");
    whole(Code::TabIndentation, 3, 3, b"steps:\n- id: a\n  \tdo: x\n");
    whole(Code::UnclosedQuote, 2, 7, b"version: 1\nname: \"test\n");
    whole(Code::UnclosedBracket, 3, 8, b"version: 1\nname: test\nsteps: [ { id: a }\n");
    whole(Code::YamlSyntax, 2, 11, b"version: 1\nname: test: more\n");
    whole(Code::UnknownAnchor, 2, 7, b"version: 1\nname: *nobody\n");
    whole(Code::TooManyAliases, 7, 9, bomb().as_bytes());
    whole(Code::TooManyNodes, 1, 4_000_003, format!("[{}]", "1,".repeat(2_000_001)).as_bytes());
    whole(Code::TooDeep, 1, 33, format!("{}{}", "[".repeat(60), "]".repeat(60)).as_bytes());
    whole(Code::VersionMissing, 1, 1, b"name: test\nsteps: [{ id: a, do: { wait: { duration: 1s } } }]\n");
    whole(
        Code::VersionUnsupported,
        1,
        10,
        b"version: 2\nname: t\nsteps: [{ id: a, do: { wait: { duration: 1s } } }]\n",
    );
    whole(Code::MissingKey, 1, 1, b"version: 1\nsteps: [{ id: a, do: { wait: { duration: 1s } } }]\n");
    whole(Code::EmptyValue, 3, 8, b"version: 1\nname: test\nsteps: []\n");
    whole(
        Code::TooManySteps,
        100_003,
        3,
        format!("version: 1\nname: t\nsteps:\n{}", "- x: 1\n".repeat(100_001))
            .replace("t\nsteps:\n", "t\nsteps:\n")
            .as_bytes(),
    );
    whole(
        Code::ParameterKindConflict,
        13,
        24,
        steps(
            "- id: a
  do: { apim.confirm-outage: { service: \"${{ params.zone }}\" } }
- id: b
  do: { dns.flip-cname: { zone: \"${{ params.zone }}\", record: \"${{ params.record }}\", target: x.y } }
",
        )
        .replace("{ zone: \"", "{ zone: \"")
        .as_bytes(),
    );
    cases.extend(one_step_cases().into_iter().map(|(code, column, step)| {
        (code, 12, column, steps(&format!("- id: other\n  do: {{ wait: {{ duration: 1s }} }}\n{step}\n")).into_bytes())
    }));
    cases.extend(parameter_cases().into_iter().map(|(code, column, parameter)| {
        let text = format!(
            "version: 1\nname: t\nparameters:\n{parameter}\nsteps: [{{ id: a, do: {{ wait: {{ duration: 1s }} }} }}]\n"
        );
        (code, 4, column, text.into_bytes())
    }));
    cases
}

fn bomb() -> String {
    let line = |level: usize| format!("a{level}: &a{level} [*a{0},*a{0},*a{0},*a{0}]\n", level - 1);
    let first = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    first + &(1..100_000).map(line).collect::<String>()
}

/// On line 12, with a step `other` before.
fn one_step_cases() -> Vec<(Code, u32, &'static str)> {
    vec![
        (Code::TagNotSupported, 15, "- { id: a, do: !go { wait: { duration: 1s } } }"),
        (Code::KeyNotText, 12, "- { id: a, [b]: c, do: { wait: { duration: 1s } } }"),
        (Code::DuplicateKey, 12, "- { id: a, id: b, do: { wait: { duration: 1s } } }"),
        (Code::UnknownKey, 12, "- { id: a, ned: [other], do: { wait: { duration: 1s } } }"),
        (Code::UnknownKey, 31, "- { id: a, do: { wait: { duraton: 1s, duration: 1s } } }"),
        (Code::MissingKey, 5, "- { do: { wait: { duration: 1s } } }"),
        (Code::MissingKey, 18, "- { id: a, do: { wait: {} } }"),
        (Code::WrongType, 19, "- { id: a, needs: other, do: { wait: { duration: 1s } } }"),
        (Code::WrongType, 44, "- { id: a, do: { command: { argv: [ls], read_only: yes } } }"),
        (Code::UnknownValue, 24, "- { id: a, on_failure: contine, do: { wait: { duration: 1s } } }"),
        (Code::OutOfRange, 30, "- { id: a, retry: { attempts: 0, delay: 1s }, do: { wait: { duration: 1s } } }"),
        (Code::BadName, 9, "- { id: Ünder, do: { wait: { duration: 1s } } }"),
        (Code::DurationWithoutUnit, 21, "- { id: a, timeout: 90, do: { wait: { duration: 1s } } }"),
        (Code::DurationWithoutUnit, 36, "- { id: a, do: { wait: { duration: \"90\" } } }"),
        (Code::BadDuration, 36, "- { id: a, do: { wait: { duration: 1 hour } } }"),
        (Code::BadResourceId, 48, "- { id: a, do: { apim.confirm-outage: { service: /subscriptions/x } } }"),
        (
            Code::WrongResourceKind,
            50,
            "- { id: a, do: { apim.confirm-outage: { service: /subscriptions/s/resourceGroups/g/providers/Microsoft.Network/dnsZones/z } } }",
        ),
        (
            Code::BadHostname,
            79,
            "- { id: a, do: { gateway.health-check: { service: \"${{ params.service }}\", hostname: \"https://x\" } } }",
        ),
        (Code::BadUrl, 38, "- { id: a, do: { http.request: { url: contoso.com } } }"),
        (Code::DuplicateStep, 9, "- { id: other, do: { wait: { duration: 1s } } }"),
        (Code::ActionCount, 16, "- { id: a, do: {} }"),
        (Code::ActionCount, 18, "- { id: a, do: { wait: { duration: 1s }, approval: { prompt: x } } }"),
        (Code::UnknownAction, 18, "- { id: a, do: { aproval: { prompt: x } } }"),
        (Code::UnknownMode, 20, "- { id: a, modes: [drll], do: { wait: { duration: 1s } } }"),
        (Code::EmptyValue, 19, "- { id: a, modes: [], do: { wait: { duration: 1s } } }"),
        (Code::UnknownStep, 20, "- { id: a, needs: [othr], do: { wait: { duration: 1s } } }"),
        (Code::SelfNeed, 20, "- { id: a, needs: [a], do: { wait: { duration: 1s } } }"),
        (Code::RepeatedNeed, 27, "- { id: a, needs: [other, other], do: { wait: { duration: 1s } } }"),
        (
            Code::Cycle,
            20,
            "- { id: a, needs: [b], do: { wait: { duration: 1s } } }\n- { id: b, needs: [a], do: { wait: { duration: 1s } } }",
        ),
        (
            Code::DrillMovesTraffic,
            69,
            "- { id: a, do: { dns.flip-cname: { zone: \"${{ params.zone }}\", record: api, target: x.y } } }",
        ),
        (Code::ExpressionUnclosed, 38, "- { id: a, do: { approval: { prompt: \"${{ mode\" } } }"),
        (Code::ExpressionSyntax, 38, "- { id: a, do: { approval: { prompt: \"${{ 1 + }}\" } } }"),
        (Code::ExpressionExpected, 18, "- { id: a, when: mode, do: { wait: { duration: 1s } } }"),
        (
            Code::ExpressionNotAllowed,
            25,
            "- { id: a, description: \"in ${{ mode }}\", do: { wait: { duration: 1s } } }",
        ),
        (Code::UnknownName, 38, "- { id: a, do: { approval: { prompt: \"${{ md }}\" } } }"),
        (Code::UnknownFilter, 49, "- { id: a, do: { approval: { prompt: \"${{ mode | uper }}\" } } }"),
        (Code::UnknownParameter, 42, "- { id: a, do: { approval: { prompt: \"${{ params.zon }}\" } } }"),
        (Code::UnknownAttribute, 42, "- { id: a, do: { approval: { prompt: \"${{ params.zone.nam }}\" } } }"),
        (
            Code::UnknownOutput,
            58,
            "- { id: a, needs: [other], do: { approval: { prompt: \"${{ steps.other.age }}\" } } }",
        ),
        (
            Code::OutputNotNeeded,
            42,
            "- { id: a, do: { approval: { prompt: \"${{ steps.b.stdout }}\" } } }\n- { id: b, do: { command: { argv: [ls] } } }",
        ),
        (
            Code::OutputLeftOut,
            54,
            "- { id: a, needs: [b], do: { approval: { prompt: \"${{ steps.b.stdout }}\" } } }\n- { id: b, modes: [drill], do: { command: { argv: [ls] } } }",
        ),
        (Code::ParameterTypeMismatch, 36, "- { id: a, do: { wait: { duration: \"${{ params.count }}\" } } }"),
    ]
}

/// On line 4, the only parameter.
fn parameter_cases() -> Vec<(Code, u32, String)> {
    vec![
        (Code::BadName, 3, "  Zone: { type: string }".to_owned()),
        (Code::UnknownValue, 17, "  zone: { type: strng }".to_owned()),
        (Code::MissingKey, 11, "  zone: { description: x }".to_owned()),
        (Code::WrongType, 35, "  zone: { type: integer, default: \"1\" }".to_owned()),
        (Code::ExpressionNotAllowed, 34, "  zone: { type: string, default: \"${{ mode }}\" }".to_owned()),
        (Code::TooLong, 40, format!("  zone: {{ type: string, description: {} }}", "x".repeat(2000))),
    ]
}

#[test]
fn every_broken_runbook_has_its_one_problem_at_its_place() {
    let mut wrong = Vec::new();
    for (code, line, column, bytes) in runbook_cases() {
        let problems = broken(&bytes);
        if told(&problems) != [(code, line, column)] {
            let text = String::from_utf8_lossy(&bytes);
            let shown: String = text.chars().take(900).collect();
            wrong.push(format!(
                "{code:?} {line}:{column}, told {:?}\n{}\n{shown}",
                told(&problems),
                problems.render(false)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n----\n"));
}

fn site_cases() -> Vec<(Code, u32, u32, &'static str)> {
    vec![
        (
            Code::InlineSecret,
            2,
            66,
            "version: 1\ncredential: { client-secret: { tenant_id: t, client_id: c, secret: hunter2 } }",
        ),
        (Code::InlineSecret, 2, 22, "version: 1\ncredential: { token: hunter2 }"),
        (Code::InlineSecret, 2, 29, "version: 1\ncredential: { token: { env: hunter2.hunter2-x } }"),
        (Code::CredentialCount, 2, 13, "version: 1\ncredential: azure-cli"),
        (Code::CredentialCount, 2, 15, "version: 1\ncredential: { azure-cli: {}, token: { env: X } }"),
        (Code::CredentialNotSupported, 2, 15, "version: 1\ncredential: { github-actions: { tenant_id: t } }"),
        (Code::UnknownValue, 2, 15, "version: 1\ncredential: { azure-cl: {} }"),
        (Code::UnknownValue, 2, 15, "version: 1\ncredential: { simulated: {} }"),
        (
            Code::UnknownValue,
            1,
            27,
            "{ version: 1, cloud: publik, credential: { azure-cli: {} } }".trim_start_matches("{ x"),
        ),
        (
            Code::EndpointsNotCustom,
            3,
            14,
            "version: 1\ncredential: { azure-cli: {} }\nendpoints: { blob: https://x/{account} }",
        ),
        (
            Code::PlainHttp,
            4,
            32,
            "version: 1\ncredential: { azure-cli: {} }\ncloud: custom\nendpoints: { resource_manager: http://arm.example.com, blob: \"https://x/{account}\" }",
        ),
        (
            Code::BadUrl,
            4,
            60,
            "version: 1\ncredential: { azure-cli: {} }\ncloud: custom\nendpoints: { resource_manager: https://arm.example.com, blob: https://x.example.com }",
        ),
        (
            Code::MissingKey,
            4,
            14,
            "version: 1\ncredential: { azure-cli: {} }\ncloud: custom\nendpoints: { blob: \"https://x/{account}\" }",
        ),
        (
            Code::BadAddress,
            3,
            28,
            "version: 1\ncredential: { azure-cli: {} }\ndns: { resolvers: [1.1.1.1, dns.google] }",
        ),
        (
            Code::BadTimestamp,
            3,
            22,
            "version: 1\ncredential: { azure-cli: {} }\nsimulated: { anchor: yesterday, since: 2026-01-31T12:00:00Z, speed: 60 }",
        ),
        (Code::NotifyNotSupported, 3, 9, "version: 1\ncredential: { azure-cli: {} }\nnotify: [ops@contoso.com]"),
        (Code::UnknownKey, 3, 1, "version: 1\ncredential: { azure-cli: {} }\npasword: hunter2"),
        (Code::MissingKey, 1, 1, "version: 1"),
        (Code::EmptyFile, 1, 1, ""),
    ]
}

#[test]
fn every_broken_site_file_has_its_one_problem_at_its_place_and_shows_no_line() {
    let mut wrong = Vec::new();
    for (code, line, column, text) in site_cases() {
        let problems = site::parse("site.yaml", text.as_bytes()).expect_err(text);
        let rendered = problems.render(false);
        assert!(!rendered.contains("hunter2"), "{rendered}");
        assert!(!problems.to_json().to_string().contains("hunter2"));
        assert!(!format!("{problems}").contains("hunter2"));
        if told(&problems) != [(code, line, column)] {
            wrong.push(format!("{code:?} {line}:{column}, told {:?}\n{rendered}\n{text}", told(&problems)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n----\n"));
}

#[test]
fn a_ca_file_without_certificates_is_a_problem_and_a_key_in_it_is_left_behind() {
    let text = "version: 1\ncredential: { azure-cli: {} }\ntls: { ca_file: ca.pem }\n";
    let file = site::parse("site.yaml", text.as_bytes()).unwrap();
    assert_eq!(file.ca_file.as_deref(), Some(std::path::Path::new("ca.pem")));
    for content in [None, Some(b"nothing".as_slice())] {
        let problems = file.clone().into_site(content).unwrap_err();
        assert_eq!(told(&problems), [(Code::BadCertificate, 3, 17)]);
    }
    let pem = b"-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n\
        -----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n";
    let site = file.into_site(Some(pem)).unwrap();
    assert_eq!(site.ca_certificates, ["-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n"]);
    assert_eq!(site.endpoints.resource_manager, "https://management.azure.com");
}

const BINDABLE: &str = "version: 1
name: test
parameters:
  service: { type: resource-id, description: the service }
  record: { type: string, drill: shadow }
  count: { type: integer, default: 1 }
  loud: { type: boolean, default: false }
  paths: { type: list, default: [] }
steps:
  - id: look
    do: { apim.confirm-outage: { service: \"${{ params.service }}\" } }
";

const SERVICE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/a";

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_nearest_value_wins_and_a_drill_value_wins_over_all() {
    let runbook = runbook::check("r.yaml", BINDABLE.as_bytes()).unwrap();
    let site = [("record", "site"), ("service", SERVICE), ("unrelated", "x")];
    let mut given =
        Given { site: site.map(|(name, value)| (name.to_owned(), value.into())).into(), file: None, set: Vec::new() };
    let bind = |given: &Given<'_>, mode| runbook::bind(&runbook, given, mode).unwrap();
    assert_eq!(bind(&given, Mode::Planned)["record"], "site");
    assert_eq!(bind(&given, Mode::Planned)["count"], 1);
    given.file = Some(("p.yaml", b"record: file\ncount: 2\n"));
    assert_eq!(bind(&given, Mode::Planned)["record"], "file");
    assert_eq!(bind(&given, Mode::Planned)["count"], 2);
    given.set = pairs(&[("record", "first"), ("record", "set"), ("count", "3"), ("loud", "true"), ("paths", "/a, /b")]);
    let values = bind(&given, Mode::Unplanned);
    assert_eq!(values["record"], "set");
    assert_eq!(values["count"], 3);
    assert_eq!(values["loud"], true);
    assert_eq!(values["paths"], serde_json::json!(["/a", "/b"]));
    assert_eq!(bind(&given, Mode::Drill)["record"], "shadow");
}

#[test]
fn everything_wrong_with_parameters_is_told_at_once() {
    let runbook = runbook::check("r.yaml", BINDABLE.as_bytes()).unwrap();
    let given = Given {
        site: [("loud".to_owned(), "yes".into())].into(),
        file: Some(("p.yaml", b"servce: x\npaths: /a\nservice: /subscriptions/s/resourceGroups/g/providers/Microsoft.Network/dnsZones/z\n")),
        set: pairs(&[("cuont", "1"), ("count", "one")]),
    };
    let problems = runbook::bind(&runbook, &given, Mode::Planned).unwrap_err();
    insta::assert_snapshot!(problems.render(false));
}

#[test]
fn missing_parameters_are_told_together_and_have_no_place() {
    let runbook = runbook::check("r.yaml", BINDABLE.as_bytes()).unwrap();
    let problems = runbook::bind(&runbook, &Given::default(), Mode::Planned).unwrap_err();
    assert_eq!(told(&problems), [(Code::MissingParameter, 0, 0), (Code::MissingParameter, 0, 0)]);
    let drill = runbook::bind(&runbook, &Given::default(), Mode::Drill).unwrap_err();
    assert_eq!(told(&drill), [(Code::MissingParameter, 0, 0)]);
    insta::assert_snapshot!(problems.render(false));
}

#[test]
fn every_kind_of_mistake_has_a_case() {
    let cases = runbook_cases().into_iter().map(|(code, ..)| code);
    let cases = cases.chain(site_cases().into_iter().map(|(code, ..)| code));
    let elsewhere = [Code::MissingParameter, Code::BadCertificate];
    let covered: BTreeSet<Code> = cases.chain(elsewhere).collect();
    let missing: Vec<&Code> = Code::ALL.iter().filter(|code| !covered.contains(code)).collect();
    assert!(missing.is_empty(), "no broken file for {missing:?}");
    let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names.len(), Code::ALL.len(), "a name stands for two codes");
}

const MANY: &str = "version: 1
name: apim-failover
descripton: x
objectives: { rto: 75, rpo: 24h }
parameters:
  active: { type: resource-id }
  record: { type: string }
steps:
  - id: look
    needs: [look, prepare]
    do: { apim.confirm-outage: { service: \"${{ params.actve }}\" } }
  - id: flip
    do:
      dns.flip-cname: { zone: \"${{ params.active }}\", record: \"${{ params.record }}\", target: \"${{ steps.look.host }}\" }
";

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_file() {
    let problems = broken(MANY.as_bytes());
    let lines: Vec<u32> = told(&problems).iter().map(|(_, line, _)| *line).collect();
    assert!(lines.is_sorted(), "{lines:?}");
    insta::assert_snapshot!(problems.render(false));
    insta::assert_json_snapshot!("problems_as_json", problems.to_json()[0]);
    assert!(problems.render(true).contains("\u{1b}["));
    assert!(!problems.render(false).contains('\u{1b}'));
}

#[test]
fn long_lines_are_cut_around_the_place() {
    for length in [300, 100_000] {
        let text = format!(
            "version: 1\nname: t\nsteps: [{{ x: {}, id: a, do: {{ wait: {{ duration: 5 }} }} }}]\n",
            "ä".repeat(length)
        );
        let rendered = broken(text.as_bytes()).render(false);
        assert!(rendered.lines().all(|line| line.chars().count() < 200), "{rendered}");
        assert!(rendered.contains(&format!("broken.yaml:3:{}", length + 49)), "{rendered}");
        assert!(rendered.contains("duration: 5 }"), "{rendered}");
    }
}

#[test]
fn a_broken_file_never_costs_more_than_a_moment() {
    let started = std::time::Instant::now();
    let many: String = (0..20_000).map(|step| format!("- {{ id: s{step}, needs: [nobody{step}], x: 1 }}\n")).collect();
    let problems = broken(steps(&many).as_bytes());
    assert_eq!(problems.iter().count(), 1000);
    assert!(problems.render(false).contains("… and 59950 more"));
    // Debug builds on a loaded machine included; without the limits this takes minutes.
    assert!(started.elapsed().as_secs() < 30);
}

fn chain(count: usize) -> String {
    let mut text = steps("- { id: s0, do: { command: { argv: [ls], read_only: true } } }\n");
    for step in 1..count {
        let before = step - 1;
        let far = step.saturating_sub(2);
        text.push_str(&format!(
            "- id: s{step}\n  needs: [s{before}]\n  timeout: 5m\n  do: {{ command: {{ argv: [echo, \"${{{{ steps.s{far}.stdout }}}}\"] }} }}\n"
        ));
    }
    text
}

#[test]
fn large_runbooks_are_checked_in_linear_time() {
    let time = |count: usize| {
        let text = chain(count);
        let started = std::time::Instant::now();
        let runbook = runbook::check("chain.yaml", text.as_bytes()).unwrap();
        assert_eq!(runbook.steps.len(), count);
        started.elapsed()
    };
    time(100);
    let (small, large) = (time(2000), time(16_000));
    // Eight times the steps; a quadratic check would take 64 times as long.
    assert!(large < small * 24, "2,000 steps: {small:?}, 16,000 steps: {large:?}");
}
