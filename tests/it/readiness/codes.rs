//! The table of codes against the scenarios, the source and the reference.

use std::{collections::BTreeSet, fmt::Write, sync::Arc, time::Duration};

use lifeboat::{
    action::{Context, Others},
    azure::Environment,
    plan,
    runbook::{Mode, bind},
    site::{Credential, Form, Location, Occasion, Receiver, Rehearsal, SecretReference, Site, StateCredential},
};

use super::*;
use crate::docs::check_generated;

/// What has to be different besides the world, for the rows that say so: in the runbook's text.
fn runbook(row: &Code) -> String {
    let mut text = std::fs::read_to_string(FLAGSHIP).unwrap();
    let by_name = |name: &str| {
        let account = "storage: \"${{ params.storage }}\", account: stcontosodr, container: apim-backups";
        (
            "backup: \"${{ steps.find-backup.backup }}\", access",
            format!("backup: {{ {account}, name: {name} }}, access"),
        )
    };
    let access = "access: system-assigned-identity";
    if row.code == "permissions-open" {
        text = text
            .replace("    needs: [approve", "    needs: [zone, approve")
            .replace("steps:\n", "steps:\n  - id: zone\n    do: { command: { argv: [\"true\"], read_only: true } }\n");
    }
    let backup = |container: &str, name: &str| {
        let service = "service: \"${{ params.standby }}\", storage: \"${{ params.storage }}\"";
        let arguments = format!("{service}, container: {container}, access: system-assigned-identity{name}");
        ("steps:\n", format!("steps:\n  - id: take\n    do: {{ apim.backup: {{ {arguments} }} }}\n"))
    };
    let (from, to) = match row.code {
        "runs-unread" => {
            let place = "storage: \"${{ params.storage }}\", container: apim-backups";
            let prune = format!("backup.prune: {{ service: \"${{{{ params.standby }}}}\", {place} }}");
            ("steps:\n", format!("steps:\n  - id: prune\n    do: {{ {prune} }}\n"))
        }
        "permissions-open" => (
            "dns.flip-cname: { zone: \"${{ params.zone }}\"",
            "dns.flip-cname: { zone: \"${{ steps.zone.stdout }}\"".to_owned(),
        ),
        "shared-key-disabled" | "storage-firewall-same-region" => (access, "access: access-key".to_owned()),
        "access-key-missing" => (access, "access: access-key, access_key: { env: NO_SUCH_KEY }".to_owned()),
        "storage-firewall-user-identity" => {
            let client = "00000000-0000-0000-0000-0000000000c1";
            (access, format!("access: user-assigned-identity, client_id: {client}"))
        }
        "invalid-arguments" => (access, "access: user-assigned-identity".to_owned()),
        "certificate-unexpected" => {
            ("hostname: \"${{ params.record }}", "thumbprint: \"0A1B\", hostname: \"${{ params.record }}".to_owned())
        }
        "subscription-key-missing" => {
            let paths = "paths: [{ path: /orders, subscription_key: { env: NO_SUCH_KEY } }]";
            ("hostname: \"${{ params.record }}", format!("{paths}, hostname: \"${{{{ params.record }}}}"))
        }
        "manifest-missing" => (
            "steps:\n",
            "steps:\n  - id: prove\n    do:\n      apim.verify-restore: { service: \"${{ params.standby }}\", backup: \"${{ steps.find-backup.backup }}\" }\n    needs: [find-backup]\n"
                .to_owned(),
        ),
        "configuration-differs" => (
            "steps:\n",
            "steps:\n  - id: differ\n    do: { apim.compare: { service: \"${{ params.active }}\", with: \"${{ params.standby }}\" } }\n"
                .to_owned(),
        ),
        "nothing-in-this-mode" => {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/apim-failback.yaml");
            return std::fs::read_to_string(path).unwrap();
        }
        "backup-of-another-service" => {
            ("active: \"${{ params.active }}\"\n", "active: \"${{ params.standby }}\"\n".to_owned())
        }
        "backup-missing" => by_name("no-such"),
        "backup-expired" => by_name("apim-contoso-west-20261022T210000Z.apimbackup"),
        "backup-unusable" => by_name("apim-contoso-west-20261123T020000Z.apimbackup"),
        "expression" => (
            "active: \"${{ params.active }}\"\n",
            "expect_tier: \"${{ steps.find-backup.backup.nothing }}\"\n".to_owned(),
        ),
        "argument" => ("prefix: \"${{ params.active.name }}-\"", "margin: \"${{ params.container }}\"".to_owned()),
        "service-busy" | "service-broken" | "storage-unreadable" => backup("apim-backups", ""),
        "container-missing" => backup("elsewhere", ""),
        "backup-exists" => backup("apim-backups", ", name: apim-contoso-west-20261122T210000Z.apimbackup"),
        "program-not-found" => {
            ("steps:\n", "steps:\n  - id: page\n    do: { command: { argv: [no-such-program-here] } }\n".to_owned())
        }
        "notify-nobody" | "notify-stops-the-run" => ("steps:\n", "steps:\n  - id: say\n    do: { notify: { message: it begins } }\n".to_owned()),
        "rto-predicted-missed" => ("rto: 75m", "rto: 20m".to_owned()),
        code => {
            let Some(step) = super::switches::step(code) else { return text };
            ("steps:\n", format!("steps:\n{step}"))
        }
    };
    assert!(text.contains(from), "{}: `{from}` is not in the runbook any more", row.code);
    text.replace(from, &to)
}

/// Plans in the row's scenario, with what the row says is different.
async fn plan_of(row: &Code) -> Plan {
    let mut stage = Stage::with(shipped(row.scenario), &runbook(row));
    stage.purpose = Purpose::Readiness;
    match row.code {
        "service-looks-alive" => stage.purpose = Purpose::Run,
        "credential-unavailable" => return without_a_token(&stage).await,
        "runs-unread" => {
            let damaged = Others::asking(|| std::future::ready(Err("line 1 is damaged".to_owned())));
            return planned(&stage, stage.context().beside(damaged)).await;
        }
        "not-rehearsed" => return before(&stage, plan::History::none()).await,
        "history-unread" => {
            let unread = Some("line 1 of a journal is damaged".to_owned());
            return before(&stage, plan::History { unread, ..plan::History::none() }).await;
        }
        "drill-left-over" => {
            let left = plan::Leftover {
                run: lifeboat::run::RunId("drill-1".into()),
                runbook: "apim-failover".to_owned(),
                standing: "never ended".to_owned(),
                left: vec!["api-drill.contoso.com points at the standby".to_owned()],
                remedy: "`lifeboat abort drill-1 --undo` takes back what it moved".to_owned(),
            };
            return before(&stage, plan::History { leftovers: vec![left], ..plan::History::none() }).await;
        }
        "notify-secret-missing" | "notify-stops-the-run" => return with_receivers(&stage).await,
        "record-apex" => return with_record(&stage, "@").await,
        code if code.starts_with("state-") => return with_state(&stage, code).await,
        _ => {}
    }
    look(&stage).await
}

/// A planned run after what is known of the ones before, at a site that wants rehearsals.
async fn before(stage: &Stage, history: plan::History) -> Plan {
    let site = stage.world.site();
    let site = Site { rehearsal: Some(Rehearsal { within: Duration::from_hours(90 * 24) }), ..site };
    let given = lifeboat::runbook::Given { site: site.parameters.clone(), file: None, set: Vec::new() };
    let parameters = bind(&stage.runbook, &given, Mode::Planned).unwrap();
    let (mode, purpose) = (Mode::Planned, Purpose::Readiness);
    let ingredients =
        plan::Ingredients { runbook: &stage.runbook, parameters, mode, purpose, forced: None, site, history };
    plan::make(ingredients, Arc::new(stage.context())).await
}

async fn with_record(stage: &Stage, record: &str) -> Plan {
    let site = stage.world.site();
    let set = vec![("record".to_owned(), record.to_owned())];
    let given = lifeboat::runbook::Given { site: site.parameters.clone(), file: None, set };
    let parameters = bind(&stage.runbook, &given, Mode::Unplanned).unwrap();
    let (mode, purpose) = (Mode::Unplanned, Purpose::Readiness);
    let ingredients = plan::Ingredients {
        runbook: &stage.runbook,
        parameters,
        mode,
        purpose,
        forced: None,
        site,
        history: plan::History::none(),
    };
    plan::make(ingredients, Arc::new(stage.context())).await
}

async fn without_a_token(stage: &Stage) -> Plan {
    let mut site = stage.world.site();
    site.credential = Credential::Token(SecretReference::Env("NO_SUCH_TOKEN".to_owned()));
    let context = Context::simulated(stage.world.clone(), Arc::new(site), stage.clock.clone(), std::env::temp_dir());
    planned(stage, context.unwrap()).await
}

/// The same site, telling somebody whose URL is there and somebody whose URL is not.
async fn with_receivers(stage: &Stage) -> Plan {
    let slack = |name: &str| Receiver {
        form: Form::Slack { url: SecretReference::Env(name.to_owned()) },
        on: [Occasion::Message].into(),
        deadline: Duration::from_secs(30),
    };
    let site = Site { notify: vec![slack("SET"), slack("NOT_SET")], ..stage.world.site() };
    let context =
        Context::simulated(stage.world.clone(), Arc::new(site), stage.clock.clone(), std::env::temp_dir()).unwrap();
    let environment = Environment::of([("SET".to_owned(), "https://hooks.example.com/hunter2".to_owned())]);
    let plan = planned(stage, Context { environment, ..context }).await;
    let told: Vec<_> = plan.findings.iter().filter(|finding| finding.code == "notify-secret-missing").collect();
    assert!(told.len() == 1 && told[0].message.starts_with("notification 2 (slack)"), "{told:#?}");
    plan
}

/// The same site with its runs elsewhere.
async fn with_state(stage: &Stage, code: &str) -> Plan {
    let blob = "https://stcontosodr.blob.core.windows.net";
    let (state, signature) = match code {
        "state-unreadable" => (format!("{blob}/no-such-container"), None),
        "state-read-only" => (format!("{blob}/apim-backups/runs"), Some("sp=rl&se=2030-01-01&sig=x")),
        "state-credential-ends" => (format!("{blob}/apim-backups/runs"), Some("sp=rwdl&se=2026-11-23T12:00:00Z&sig=x")),
        "state-region" => (format!("{blob}/apim-backups/runs"), None),
        "state-region-unknown" => ("https://stelsewhere.blob.core.windows.net/runs".to_owned(), None),
        "state-elsewhere" => ("s3://contoso-dr/runs".to_owned(), None),
        other => panic!("{other} has no state here"),
    };
    let mut site = stage.world.site();
    site.state = Some(Location::parse(&state).unwrap());
    site.state_credential = signature.map(|_| StateCredential::Sas(SecretReference::Env("SAS".to_owned())));
    let signature = signature.map(|signature| ("SAS".to_owned(), signature.to_owned()));
    let context =
        Context::simulated(stage.world.clone(), Arc::new(site), stage.clock.clone(), std::env::temp_dir()).unwrap();
    let plan = planned(stage, Context { environment: Environment::of(signature), ..context }).await;
    let written = stage.world.requests().into_iter().find(|request| request.method != "GET");
    assert_eq!(written.map(|request| request.url), None);
    plan
}

async fn planned(stage: &Stage, context: Context) -> Plan {
    let site = lifeboat::site::Site::clone(&context.site);
    let given = lifeboat::runbook::Given { site: site.parameters.clone(), file: None, set: Vec::new() };
    let parameters = bind(&stage.runbook, &given, Mode::Unplanned).unwrap();
    let (mode, purpose) = (Mode::Unplanned, Purpose::Readiness);
    let ingredients = plan::Ingredients {
        runbook: &stage.runbook,
        parameters,
        mode,
        purpose,
        forced: None,
        site,
        history: plan::History::none(),
    };
    plan::make(ingredients, Arc::new(context)).await
}

#[test]
fn every_code_is_produced_by_its_scenario() {
    let mut missing = Vec::new();
    for row in table::all() {
        let plan = on_paused_clock(plan_of(row));
        let Some(finding) = plan.findings.iter().find(|finding| finding.code == row.code) else {
            missing.push(format!("{} in {}: {:?}", row.code, row.scenario, told(&plan)));
            continue;
        };
        assert_eq!(finding.severity, row.severity, "{}", row.code);
        assert!(!finding.message.is_empty() && !finding.remedy.is_empty(), "{finding:?}");
        let from_the_world = row.scenario == row.code && row.with.is_empty();
        let from_the_plan = row.code.ends_with("-predicted-missed");
        assert!(finding.observed_at.is_some() || !from_the_world || from_the_plan, "nobody says when: {finding:?}");
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// Every file is the scenario of a code, and `clean` of many.
#[test]
fn every_scenario_belongs_to_a_code() {
    let directory = format!("{}/examples/scenarios/readiness", env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.strip_suffix(".yaml").unwrap_or_else(|| panic!("{name}"));
        assert!(table::all().any(|row| row.scenario == name), "{name} belongs to no code");
    }
}

#[test]
fn no_finding_is_told_twice() {
    for row in table::all() {
        let plan = on_paused_clock(plan_of(row));
        let mut seen = BTreeSet::new();
        for finding in &plan.findings {
            assert!(seen.insert((&finding.code, &finding.message)), "{}: {finding:?}", row.scenario);
        }
    }
}

/// Path and text of every source file, without its unit tests.
fn product() -> Vec<(String, String)> {
    let text = |path: String| {
        let text = crate::tidy::source::read(Path::new(&path));
        let product = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        (path, product)
    };
    crate::tidy::source::sources("src").into_iter().map(|source| text(source.path)).collect()
}

/// Codes in the source, where a finding is made of one.
fn codes_in_the_source() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, text) in product() {
        for maker in ["Finding::blocker(", "Finding::warning(", "remark(", "codes::finding("] {
            for (at, _) in text.match_indices(maker) {
                found
                    .extend(first_argument(&text[at + maker.len()..]).split('"').skip(1).step_by(2).map(str::to_owned));
            }
        }
    }
    found
}

/// A code may be chosen there: `match kind { … => "standby-busy", … => "service-busy" }`.
fn first_argument(rest: &str) -> &str {
    let mut depth = 0;
    let end = rest.char_indices().find(|(_, letter)| {
        match letter {
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth -= 1,
            _ => {}
        }
        depth < 0 || depth == 0 && *letter == ','
    });
    &rest[..end.expect("a call ends").0]
}

#[test]
fn every_code_of_the_source_stands_in_the_table() {
    let found = codes_in_the_source();
    assert!(found.len() > 25, "{found:?}");
    let unknown: Vec<&String> = found.iter().filter(|code| table::find(code).is_none()).collect();
    assert_eq!(unknown, Vec::<&String>::new(), "write them into src/plan/codes");
    // And nothing stands there that nobody says any more.
    let sources = product();
    let said = |code: &str| {
        let quoted = format!("\"{code}\"");
        sources.iter().any(|(path, text)| !path.starts_with("src/plan/codes") && text.contains(&quoted))
    };
    let unsaid: Vec<&str> = table::all().map(|row| row.code).filter(|code| !said(code)).collect();
    assert_eq!(unsaid, Vec::<&str>::new(), "nothing says these codes any more");
}

#[test]
fn the_reference_is_current() {
    let mut text = String::from(HEAD);
    for (area, rows) in table::AREAS {
        write!(text, "\n## {area}\n\n| code | severity | meaning | remedy | scenario |\n|---|---|---|---|---|\n")
            .unwrap();
        for row in rows {
            let with = if row.with.is_empty() { String::new() } else { format!(", with {}", row.with) };
            writeln!(
                text,
                "| `{}` | {} | {} | {} | [`{}`](../../examples/scenarios/readiness/{}.yaml){with} |",
                row.code, row.severity, row.meaning, row.remedy, row.scenario, row.scenario
            )
            .unwrap();
        }
    }
    check_generated("docs/reference/readiness.md", &text);
}

const HEAD: &str = include_str!("readiness.head.md");
