//! One broken file for every kind of mistake: what is said of it, and where.

use std::collections::BTreeSet;

use lifeboat::{
    runbook::{self, Code, Given, Mode, Problems},
    site,
};

/// What stands before the steps of a case.
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

/// A mistake and the one file that makes it. `▸` stands where the problem shall be told and is taken out before.
type Case = (Code, Vec<u8>);

const MARK: &str = "▸";

/// The bytes without the mark, and the line and column at which it stood.
fn unmarked(bytes: &[u8]) -> (Vec<u8>, u32, u32) {
    let at = bytes.windows(MARK.len()).position(|part| part == MARK.as_bytes()).expect("every case has a mark");
    let before = std::str::from_utf8(&bytes[..at]).unwrap();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    let bytes = [&bytes[..at], &bytes[at + MARK.len()..]].concat();
    (bytes, line.try_into().unwrap(), column.try_into().unwrap())
}

const STEP: &str = "- { id: a, do: { wait: { duration: 1s } } }\n";

fn runbook_cases() -> Vec<Case> {
    let texts = [
        (Code::TooLarge, format!("▸{}", "#".repeat((16 << 20) + 1))),
        (Code::EmptyFile, "▸".to_owned()),
        (Code::EmptyFile, "▸# nothing\n\n".to_owned()),
        (Code::EmptyFile, "▸~\n".to_owned()),
        (Code::SeveralDocuments, steps(&format!("{STEP}▸---\nx: 1\n"))),
        (Code::TabIndentation, "steps:\n▸\t- id: a\n".to_owned()),
        (Code::TabIndentation, "steps:\n- id: a\n  ▸\tdo: x\n".to_owned()),
        (Code::UnclosedQuote, "version: 1\nname: ▸\"test\n".to_owned()),
        (Code::UnclosedBracket, "version: 1\nname: test\nsteps: ▸[ { id: a }\n".to_owned()),
        (Code::YamlSyntax, "version: 1\nname: test▸: more\n".to_owned()),
        (Code::UnknownAnchor, "version: 1\nname: ▸*nobody\n".to_owned()),
        (Code::UnknownAnchor, "a: &x [▸*x]\n".to_owned()),
        (Code::TooManyAliases, bomb()),
        (Code::TooManyNodes, format!("[{}▸1]", "1,".repeat(1_999_999))),
        (Code::TooDeep, format!("{}▸{}{}", "[".repeat(32), "[".repeat(28), "]".repeat(60))),
        (Code::VersionMissing, format!("▸name: test\nsteps:\n{STEP}")),
        (Code::VersionUnsupported, format!("version: ▸2\nname: test\nsteps:\n{STEP}")),
        (Code::MissingKey, format!("▸version: 1\nsteps:\n{STEP}")),
        (Code::EmptyValue, "version: 1\nname: test\nsteps: ▸[]\n".to_owned()),
        (Code::TooManySteps, format!("version: 1\nname: test\nsteps:\n{}- ▸x: 1\n", "- x: 1\n".repeat(100_000))),
        (
            Code::ParameterKindConflict,
            steps(
                "- id: a
  do: { apim.confirm-outage: { service: \"${{ params.zone }}\" } }
- id: b
  do: { dns.flip-cname: { zone: ▸\"${{ params.zone }}\", record: \"${{ params.record }}\", target: x.y } }
",
            ),
        ),
    ];
    let in_step = one_step_cases()
        .into_iter()
        .map(|(code, step)| (code, steps(&format!("- id: other\n  do: {{ wait: {{ duration: 1s }} }}\n{step}\n"))));
    let in_parameter = parameter_cases()
        .into_iter()
        .map(|(code, parameter)| (code, format!("version: 1\nname: test\nparameters:\n{parameter}\nsteps:\n{STEP}")));
    let all = texts.into_iter().chain(in_step).chain(in_parameter).map(|(code, text)| (code, text.into_bytes()));
    all.chain([(Code::NotUtf8, b"version: 1\nname: \xe2\x96\xb8\xff\n".to_vec())]).collect()
}

fn bomb() -> String {
    let line = |level: usize| {
        let mark = if level == 6 { MARK } else { "" };
        format!("a{level}: &a{level} {mark}[*a{0},*a{0},*a{0},*a{0}]\n", level - 1)
    };
    let first = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    first + &(1..100_000).map(line).collect::<String>()
}

/// Steps, with a step `other` before.
fn one_step_cases() -> Vec<(Code, &'static str)> {
    vec![
        (Code::TagNotSupported, "- { id: a, do: ▸!go { wait: { duration: 1s } } }"),
        (Code::KeyNotText, "- { id: a, ▸[b]: c, do: { wait: { duration: 1s } } }"),
        (Code::DuplicateKey, "- { id: a, ▸id: b, do: { wait: { duration: 1s } } }"),
        (Code::UnknownKey, "- { id: a, ▸ned: [other], do: { wait: { duration: 1s } } }"),
        (Code::UnknownKey, "- { id: a, do: { wait: { ▸duraton: 1s, duration: 1s } } }"),
        (Code::MissingKey, "- { ▸do: { wait: { duration: 1s } } }"),
        (Code::MissingKey, "- { id: a, do: { ▸approval: {} } }"),
        (Code::WrongType, "- { id: a, needs: ▸other, do: { wait: { duration: 1s } } }"),
        (Code::WrongType, "- { id: a, do: { command: { argv: [ls], read_only: ▸yes } } }"),
        (Code::UnknownValue, "- { id: a, on_failure: ▸contine, do: { wait: { duration: 1s } } }"),
        (Code::OutOfRange, "- { id: a, retry: { attempts: ▸0, delay: 1s }, do: { wait: { duration: 1s } } }"),
        (Code::BadName, "- { id: ▸Ünder, do: { wait: { duration: 1s } } }"),
        (Code::DurationWithoutUnit, "- { id: a, timeout: ▸90, do: { wait: { duration: 1s } } }"),
        (Code::DurationWithoutUnit, "- { id: a, do: { wait: { duration: ▸\"90\" } } }"),
        (Code::BadDuration, "- { id: a, do: { wait: { duration: ▸1 hour } } }"),
        (Code::BadResourceId, "- { id: a, do: { apim.confirm-outage: { service: ▸/subscriptions/x } } }"),
        (
            Code::WrongResourceKind,
            "- { id: a, do: { apim.confirm-outage: { service: ▸/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/dnsZones/z } } }",
        ),
        (
            Code::BadHostname,
            "- { id: a, do: { gateway.health-check: { service: \"${{ params.service }}\", hostname: ▸\"https://x\" } } }",
        ),
        (Code::BadUrl, "- { id: a, do: { http.request: { url: ▸contoso.com } } }"),
        (Code::DuplicateStep, "- { id: ▸other, do: { wait: { duration: 1s } } }"),
        (Code::ActionCount, "- { id: a, do: ▸{} }"),
        (Code::ActionCount, "- { id: a, do: { ▸wait: { duration: 1s }, approval: { prompt: x } } }"),
        (Code::UnknownAction, "- { id: a, do: { ▸aproval: { prompt: x } } }"),
        (Code::UnknownMode, "- { id: a, modes: [▸drll], do: { wait: { duration: 1s } } }"),
        (Code::EmptyValue, "- { id: a, modes: ▸[], do: { wait: { duration: 1s } } }"),
        (Code::UnknownStep, "- { id: a, needs: [▸othr], do: { wait: { duration: 1s } } }"),
        (Code::SelfNeed, "- { id: a, needs: [▸a], do: { wait: { duration: 1s } } }"),
        (Code::RepeatedNeed, "- { id: a, needs: [other, ▸other], do: { wait: { duration: 1s } } }"),
        (
            Code::Cycle,
            "- { id: a, needs: [▸b], do: { wait: { duration: 1s } } }\n- { id: b, needs: [a], do: { wait: { duration: 1s } } }",
        ),
        (
            Code::DrillMovesTraffic,
            "- { id: a, do: { dns.flip-cname: { zone: \"${{ params.zone }}\", record: ▸api, target: x.y } } }",
        ),
        (
            Code::DrillMovesTraffic,
            "- { id: a, do: { dns.set-ttl: { zone: \"${{ params.zone }}\", record: ▸api, ttl: 60s } } }",
        ),
        (
            Code::DrillMovesTraffic,
            "- { id: a, do: { private-dns.flip-cname: { zone: /subscriptions/s/resourceGroups/g/providers/Microsoft.Network/privateDnsZones/z, record: ▸api, target: x.y } } }",
        ),
        (
            Code::DrillMovesTraffic,
            "- { id: a, do: { traffic-manager.set-endpoints: { profile: ▸/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/trafficManagerProfiles/p, endpoints: [{ name: e, type: azure, status: enabled }] } } }",
        ),
        (
            Code::DrillMovesTraffic,
            "- { id: a, do: { front-door.set-origin: { profile: ▸/subscriptions/s/resourceGroups/g/providers/Microsoft.Cdn/profiles/p, origin_group: g, origins: [{ name: o, enabled: true }] } } }",
        ),
        (Code::ExpressionUnclosed, "- { id: a, do: { approval: { prompt: \"▸${{ mode\" } } }"),
        (Code::ExpressionSyntax, "- { id: a, do: { approval: { prompt: \"${{ ▸1 + }}\" } } }"),
        (Code::ExpressionExpected, "- { id: a, when: ▸mode, do: { wait: { duration: 1s } } }"),
        (Code::ExpressionNotAllowed, "- { id: a, description: ▸\"in ${{ mode }}\", do: { wait: { duration: 1s } } }"),
        (Code::UnknownName, "- { id: a, do: { approval: { prompt: \"${{ ▸md }}\" } } }"),
        (Code::UnknownFilter, "- { id: a, do: { approval: { prompt: \"${{ mode | ▸uper }}\" } } }"),
        (Code::UnknownParameter, "- { id: a, do: { approval: { prompt: \"${{ ▸params.zon }}\" } } }"),
        (Code::UnknownAttribute, "- { id: a, do: { approval: { prompt: \"${{ ▸params.zone.nam }}\" } } }"),
        (Code::UnknownOutput, "- { id: a, needs: [other], do: { approval: { prompt: \"${{ ▸steps.other.age }}\" } } }"),
        (
            Code::OutputNotNeeded,
            "- { id: a, do: { approval: { prompt: \"${{ ▸steps.b.stdout }}\" } } }\n- { id: b, do: { command: { argv: [ls] } } }",
        ),
        (
            Code::OutputLeftOut,
            "- { id: a, needs: [b], do: { approval: { prompt: \"${{ ▸steps.b.stdout }}\" } } }\n- { id: b, modes: [drill], do: { command: { argv: [ls] } } }",
        ),
        (Code::ParameterTypeMismatch, "- { id: a, do: { wait: { duration: ▸\"${{ params.count }}\" } } }"),
    ]
}

/// The only parameter.
fn parameter_cases() -> Vec<(Code, String)> {
    vec![
        (Code::BadName, "  ▸Zone: { type: string }".to_owned()),
        (Code::UnknownValue, "  zone: { type: ▸strng }".to_owned()),
        (Code::MissingKey, "  zone: { ▸description: x }".to_owned()),
        (Code::WrongType, "  zone: { type: integer, default: ▸\"1\" }".to_owned()),
        (Code::ExpressionNotAllowed, "  zone: { type: string, default: ▸\"${{ mode }}\" }".to_owned()),
        (Code::TooLong, format!("  zone: {{ type: string, description: ▸{} }}", "x".repeat(2000))),
    ]
}

#[test]
fn every_broken_runbook_has_its_one_problem_at_its_place() {
    let mut wrong = Vec::new();
    for (code, marked) in runbook_cases() {
        let (bytes, line, column) = unmarked(&marked);
        let problems = broken(&bytes);
        if told(&problems) != [(code, line, column)] {
            wrong.push(format!("{code:?} {line}:{column}, told {:?}\n{}", told(&problems), problems.render(false)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n----\n"));
}

/// Of a site file's `notify`.
fn notify_cases() -> Vec<(Code, &'static str)> {
    vec![
        (Code::WrongType, "[▸ops@contoso.com]"),
        (Code::InlineSecret, "[{ kind: slack, url: ▸https://hooks.example.com/hunter2 }]"),
        (Code::InlineSecret, "[{ kind: pagerduty, routing_key: ▸hunter2 }]"),
        (Code::MissingKey, "[{ ▸url: { env: U } }]"),
        (Code::MissingKey, "[{ ▸kind: pagerduty, url: { env: U } }]"),
        (Code::UnknownKey, "[{ kind: slack, url: { env: U }, ▸token: { env: T } }]"),
        (Code::UnknownValue, "[{ kind: ▸slak, url: { env: U } }]"),
        (Code::UnknownValue, "[{ kind: teams, url: { env: U }, on: [▸step-fails] }]"),
        (Code::EmptyValue, "[{ kind: teams, url: { env: U }, on: ▸[] }]"),
        (Code::OutOfRange, "[{ kind: teams, url: { env: U }, deadline: ▸1h }]"),
    ]
}

fn site_cases() -> Vec<(Code, &'static str)> {
    vec![
        (
            Code::InlineSecret,
            "version: 1\ncredential: { client-secret: { tenant_id: t, client_id: c, secret: ▸hunter2 } }",
        ),
        (Code::InlineSecret, "version: 1\ncredential: { token: ▸hunter2 }"),
        (Code::InlineSecret, "version: 1\ncredential: { token: { env: ▸hunter2.hunter2-x } }"),
        (Code::CredentialCount, "version: 1\ncredential: ▸azure-cli"),
        (Code::CredentialCount, "version: 1\ncredential: { ▸azure-cli: {}, token: { env: X } }"),
        (Code::BadChain, "version: 1\ncredential: { chain: ▸[] }"),
        (Code::BadPublicKey, "version: 1\ncredential: { azure-cli: {} }\napproval: { trusted: { dana: ▸secret } }"),
        (Code::BadChain, "version: 1\ncredential: { chain: [{ azure-cli: {} }, { ▸chain: [{ azure-cli: {} }] }] }"),
        (Code::UnknownValue, "version: 1\ncredential: { chain: [{ azure-cli: {} }, { ▸azur-cli: {} }] }"),
        (Code::UnknownValue, "version: 1\ncredential: { ▸chain: [{ azure-cli: {} }, { simulated: {} }] }"),
        (Code::CredentialCount, "version: 1\ncredential: { chain: [▸azure-cli] }"),
        (Code::MissingKey, "version: 1\ncredential: { github-actions: { ▸tenant_id: t } }"),
        (Code::MissingKey, "version: 1\ncredential: { azure-pipelines: { ▸tenant_id: t, client_id: c } }"),
        (
            Code::InlineSecret,
            "version: 1\ncredential: { client-certificate: { tenant_id: t, client_id: c, certificate: ▸app.pem } }",
        ),
        (
            Code::InlineSecret,
            "version: 1\ncredential: { client-certificate: { tenant_id: t, client_id: c, certificate: { file: app.pem }, password: ▸hunter2 } }",
        ),
        (Code::UnknownValue, "version: 1\ncredential: { ▸azure-cl: {} }"),
        (Code::UnknownValue, "version: 1\ncredential: { ▸simulated: {} }"),
        (Code::UnknownValue, "{ version: 1, cloud: ▸publik, credential: { azure-cli: {} } }"),
        (
            Code::EndpointsNotCustom,
            "version: 1\ncredential: { azure-cli: {} }\nendpoints: { ▸blob: \"https://x/{account}\" }",
        ),
        (
            Code::PlainHttp,
            "version: 1\ncredential: { azure-cli: {} }\ncloud: custom\nendpoints: { resource_manager: ▸http://arm.example.com, blob: \"https://x/{account}\" }",
        ),
        (
            Code::BadUrl,
            "version: 1\ncredential: { azure-cli: {} }\ncloud: custom\nendpoints: { resource_manager: https://arm.example.com, blob: ▸https://x.example.com }",
        ),
        (
            Code::BadUrl,
            "version: 1\ncredential: { azure-cli: {} }\ncloud: custom\nendpoints: { resource_manager: https://arm.example.com, blob: \"https://x/{account}\", key_vault: ▸https://kv.example.com }",
        ),
        (
            Code::MissingKey,
            "version: 1\ncredential: { azure-cli: {} }\ncloud: custom\nendpoints: { ▸blob: \"https://x/{account}\" }",
        ),
        (Code::BadAddress, "version: 1\ncredential: { azure-cli: {} }\ndns: { resolvers: [1.1.1.1, ▸dns.google] }"),
        (
            Code::BadTimestamp,
            "version: 1\ncredential: { azure-cli: {} }\nsimulated: { anchor: ▸yesterday, since: 2026-01-31T12:00:00Z, speed: 60 }",
        ),
        (Code::UnknownKey, "version: 1\ncredential: { azure-cli: {} }\n▸pasword: hunter2"),
        (Code::BadState, "version: 1\ncredential: { azure-cli: {} }\nstate: ▸https://stdr.blob.core.windows.net"),
        (Code::BadState, "version: 1\ncredential: { azure-cli: {} }\nstate: ▸ftp://contoso/runs"),
        (Code::PlainHttp, "version: 1\ncredential: { azure-cli: {} }\nstate: ▸http://stdr.blob.core.windows.net/runs"),
        (
            Code::InlineSecret,
            "version: 1\ncredential: { azure-cli: {} }\nstate: ▸https://stdr.blob.core.windows.net/runs?sig=hunter2",
        ),
        (
            Code::InlineSecret,
            "version: 1\ncredential: { azure-cli: {} }\nstate: s3://b-b-b\nstate_credential: { aws: { access_key_id: { env: A }, secret_access_key: ▸hunter2 } }",
        ),
        (Code::InlineSecret, "version: 1\ncredential: { azure-cli: {} }\nstate_credential: { sas: ▸sig=hunter2 }"),
        (Code::StateCredential, "version: 1\ncredential: { azure-cli: {} }\nstate_credential: ▸site"),
        (
            Code::StateCredential,
            "version: 1\ncredential: { azure-cli: {} }\nstate: s3://contoso-dr\nstate_credential: { ▸sas: { env: SAS } }",
        ),
        (
            Code::StateCredential,
            "version: 1\ncredential: { azure-cli: {} }\nstate: /runs\nstate_credential: { ▸site: }",
        ),
        (Code::UnknownValue, "version: 1\ncredential: { azure-cli: {} }\nstate_credential: { ▸sass: { env: SAS } }"),
        (
            Code::MissingKey,
            "version: 1\ncredential: { azure-cli: {} }\nstate_credential: { aws: { ▸access_key_id: { env: A } } }",
        ),
        (Code::BadName, "version: 1\ncredential: { azure-cli: {} }\nstate_credential: { aws: { region: ▸Frankfurt } }"),
        (
            Code::PlainHttp,
            "version: 1\ncredential: { azure-cli: {} }\nstate_credential: { google: { endpoint: ▸http://storage.example.com } }",
        ),
        (
            Code::UnknownValue,
            "version: 1\ncredential: { azure-cli: {} }\nsimulated: { ▸anchor: 2026-11-26T00:00:00Z, since: 2026-11-26T00:00:00Z, speed: 1 }",
        ),
        (Code::MissingKey, "▸version: 1"),
        (Code::EmptyFile, "▸"),
    ]
}

#[test]
fn every_broken_site_file_has_its_one_problem_at_its_place_and_shows_no_line() {
    let mut wrong = Vec::new();
    let notify = |(code, text)| (code, format!("version: 1\ncredential: {{ azure-cli: {{}} }}\nnotify: {text}"));
    let of_sites = site_cases().into_iter().map(|(code, text)| (code, text.to_owned()));
    for (code, text) in of_sites.chain(notify_cases().into_iter().map(notify)) {
        let (bytes, line, column) = unmarked(text.as_bytes());
        let problems = site::parse("site.yaml", &bytes).expect_err(&text);
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

/// A job's keys after its id.
fn schedule_cases() -> Vec<(Code, &'static str)> {
    vec![
        (Code::BadCron, "cron: ▸every day, do: { readiness: { runbook: r } }"),
        (Code::BadCron, "cron: ▸61 3 * * *, do: { readiness: { runbook: r } }"),
        (Code::BadCron, "cron: ▸0 0 3 * * *, do: { readiness: { runbook: r } }"),
        (Code::BadTimeZone, "cron: 0 3 * * *, time_zone: ▸Europe/Berln, do: { readiness: { runbook: r } }"),
        (Code::JitterBeyondWindow, "cron: 0 3 * * *, window: 5m, jitter: ▸5m, do: { readiness: { runbook: r } }"),
        (
            Code::JitterBeyondInterval,
            "cron: \"*/10 * * * *\", window: 1h, jitter: ▸10m, do: { readiness: { runbook: r } }",
        ),
        // Two hours apart but on one day of the year.
        (
            Code::JitterBeyondInterval,
            "cron: 0 */2 * * *, time_zone: Europe/Berlin, window: 2h, jitter: ▸90m, do: { readiness: { runbook: r } }",
        ),
        (Code::BadTimestamp, "cron: 0 3 * * *, until: ▸tomorrow, do: { readiness: { runbook: r } }"),
        (Code::UnknownValue, "cron: 0 3 * * *, catch_up: ▸all, do: { readiness: { runbook: r } }"),
        (Code::UnknownValue, "cron: 0 3 * * *, do: { ▸failover: { runbook: r } }"),
        (Code::UnknownKey, "cron: 0 3 * * *, do: { backup: { runbook: r, mode: ▸planned } }"),
        (Code::UnknownKey, "cron: 0 3 * * *, ▸timezone: UTC, do: { backup: { runbook: r } }"),
        (Code::MissingKey, "cron: 0 3 * * *, do: { backup: ▸{} }"),
    ]
}

#[test]
fn every_broken_schedule_has_its_one_problem_at_its_place() {
    let mut wrong = Vec::new();
    let good = "- { id: good, cron: 0 3 * * *, do: { backup: { runbook: r } } }";
    let of_jobs = |jobs: &str| format!("version: 1\njobs:\n{jobs}\n");
    let mut cases: Vec<(Code, String)> = schedule_cases()
        .into_iter()
        .map(|(code, keys)| (code, of_jobs(&format!("{good}\n- {{ id: bad, {keys} }}"))))
        .collect();
    cases.push((Code::DuplicateJob, of_jobs(&format!("{good}\n{}", good.replace("{ id", "{ ▸id")))));
    cases.push((Code::BadName, of_jobs("- { id: ▸Nightly, cron: 0 3 * * *, do: { backup: { runbook: r } } }")));
    cases.push((Code::VersionMissing, "▸jobs:\n- { id: a, cron: 0 3 * * *, do: { backup: { runbook: r } } }".into()));
    cases.push((Code::EmptyValue, "version: 1\njobs: ▸[]\n".into()));
    for (code, text) in &cases {
        let (bytes, line, column) = unmarked(text.as_bytes());
        let problems = lifeboat::schedule::parse("schedule.yaml", &bytes).expect_err(text);
        if told(&problems) != [(*code, line, column)] {
            let rendered = problems.render(false);
            wrong.push(format!("{code:?} {line}:{column}, told {:?}\n{rendered}\n{text}", told(&problems)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n----\n"));
}

#[test]
fn a_site_file_that_is_not_text_shows_no_line_either() {
    let problems = site::parse("site.yaml", b"version: 1\ncredential: { token: hunter2 \xff }\n").unwrap_err();
    assert_eq!(told(&problems), [(Code::NotUtf8, 2, 30)]);
    assert!(!problems.render(false).contains("hunter2"));
    assert!(problems.render(false).contains("site.yaml:2:30"));
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
    let mut covered: BTreeSet<Code> = cases.chain(elsewhere).collect();
    covered.extend(schedule_cases().into_iter().map(|(code, _)| code));
    covered.insert(Code::DuplicateJob);
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
    insta::assert_snapshot!("problems_as_json", format!("{:#}", problems.to_json()[0]));
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
        assert!(rendered.contains(&format!("broken.yaml:3:{}", length + 47)), "{rendered}");
        assert!(rendered.contains("duration: 5 }"), "{rendered}");
    }
}

#[test]
fn a_broken_file_never_costs_more_than_a_moment() {
    let started = std::time::Instant::now();
    let many: Vec<String> =
        (0..20_000).map(|step| format!("- {{ id: s{step}, needs: [nobody{step}], x: 1 }}\n")).collect();
    let problems = broken(steps(&many.concat()).as_bytes());
    assert_eq!(problems.iter().count(), 1000);
    assert!(problems.render(false).contains("… and 59950 more"));
    // Debug builds on a loaded machine included; without the limits this takes minutes.
    assert!(started.elapsed().as_secs() < 30);
}

fn chain(count: usize) -> String {
    let first = "- { id: s0, do: { command: { argv: [ls], read_only: true } } }\n".to_owned();
    let later = (1..count).map(|step| {
        let (before, far) = (step - 1, step.saturating_sub(2));
        format!(
            "- id: s{step}\n  needs: [s{before}]\n  timeout: 5m\n  \
             do: {{ command: {{ argv: [echo, \"${{{{ steps.s{far}.stdout }}}}\"] }} }}\n"
        )
    });
    steps(&std::iter::once(first).chain(later).collect::<Vec<_>>().concat())
}

#[test]
fn large_runbooks_are_checked_in_linear_time() {
    // The best of three: other work on the machine only ever adds.
    let time = |count: usize| {
        let text = chain(count);
        let once = || {
            let started = std::time::Instant::now();
            let runbook = runbook::check("chain.yaml", text.as_bytes()).unwrap();
            assert_eq!(runbook.steps.len(), count);
            started.elapsed()
        };
        (0..3).map(|_| once()).min().unwrap()
    };
    let (small, large) = (time(2000), time(16_000));
    println!("2,000 steps: {small:?}, 16,000 steps: {large:?}");
    // Eight times the steps; a quadratic check would take 64 times as long.
    assert!(large < small * 24, "2,000 steps: {small:?}, 16,000 steps: {large:?}");
}
