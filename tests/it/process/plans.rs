//! Saved plans and approvals through the binary: what moved, what was edited, what ended, and who may say yes.

use lifeboat::{
    plan::{Plan, digest::digest, saved},
    runbook::Effect,
};

use super::*;

const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

/// Nobody's.
const OTHER_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
                         MC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n-----END PRIVATE KEY-----\n";

impl Simulator {
    /// As another person of this machine.
    fn typed_by(&self, user: &str, arguments: &[&str]) -> (i32, String) {
        let output = output(self.lifeboat(arguments).env("USER", user));
        (output.status.code().unwrap_or(-1), text(&output))
    }

    fn file(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn site_with(&self, name: &str, more: &str) -> String {
        let text = std::fs::read_to_string(self.path("site.yaml")).unwrap();
        std::fs::write(self.path(name), format!("{text}{more}")).unwrap();
        self.file(name)
    }

    fn plan(&self, name: &str, site: &str, more: &[&str]) -> Value {
        let file = self.file(name);
        let mut arguments = vec!["plan", FLAGSHIP, "--mode", "unplanned", "--site", site, "--out", &file];
        arguments.extend(more);
        let (code, said) = self.typed_by("ann", &arguments);
        assert_eq!(code, 0, "{said}");
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
    }

    /// Somebody who knows how the seal is made edits a plan.
    fn edit_plan(&self, from: &str, to: &str, change: impl FnOnce(&mut Plan)) -> String {
        let (mut plan, beside) = saved::read(&std::fs::read(self.path(from)).unwrap()).unwrap();
        change(&mut plan);
        plan.digest = digest(&plan);
        std::fs::write(self.path(to), saved::write(&plan, beside)).unwrap();
        self.file(to)
    }

    /// Somebody writes the record past lifeboat.
    fn point_api_at(&self, target: &str) {
        let text = std::fs::read_to_string(self.path("site.yaml")).unwrap();
        let value = |key: &str| -> Value {
            let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            serde_json::from_str(line).unwrap()
        };
        let (endpoints, credential, parameters) = (value("endpoints: "), value("credential: "), value("parameters: "));
        let token = std::fs::read_to_string(credential["token"]["file"].as_str().unwrap()).unwrap();
        let manager = endpoints["resource_manager"].as_str().unwrap();
        let url = format!("{manager}{}/CNAME/api?api-version=2018-05-01", parameters["zone"].as_str().unwrap());
        let body = serde_json::json!({ "properties": { "TTL": 300, "CNAMERecord": { "cname": target } } });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let request = client.put(url).bearer_auth(token.trim()).header("content-type", "application/json");
            request.body(body.to_string()).send().await.unwrap()
        });
        assert!(answer.status().is_success(), "{answer:?}");
    }
}

fn events(simulator: &Simulator, run: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(simulator.path("state").join("runs").join(run).join("journal.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].clone()).collect()
}

#[test]
fn a_saved_plan_is_refused_when_the_record_was_changed_by_hand_and_run_when_that_is_accepted() {
    let simulator = Simulator::start(SPEED, None);
    let site = simulator.file("site.yaml");
    let plan = simulator.plan("plan.json", &site, &[]);
    let digest = plan["digest"].as_str().unwrap();
    let (file, approval) = (simulator.file("plan.json"), simulator.file("approval.json"));
    let again = simulator.plan("again.json", &site, &[]);
    assert_eq!(again["digest"], digest, "the same world, a moment later");

    simulator.point_api_at("somewhere.contoso.net");
    let run = ["run", &file, "--site", &site, "--yes", "--run-id", "moved"];
    let (code, said) = simulator.typed_by("ann", &run);
    assert_eq!(code, 4, "{said}");
    let three = said.lines().skip_while(|line| !line.contains("what: flip.record.target")).take(3).collect::<Vec<_>>();
    assert!(
        three.len() == 3 && three[1].contains("was:") && three[2].contains("is:   somewhere.contoso.net"),
        "{said}"
    );
    assert!(said.contains("--accept-drift flip.record.target"), "{said}");
    assert!(said.contains(&format!("lifeboat plan {FLAGSHIP}")), "the command that makes a new one: {said}");
    assert_eq!(simulator.count("POST", "/restore?"), 0);
    let (code, said) = simulator.typed_by("ann", &["status", "moved"]);
    assert_eq!(code, 2, "nothing was begun: {said}");

    let (code, said) = simulator.typed_by("bob", &["approve", &file, "--out", &approval, "--comment", "seen"]);
    assert!(code == 0 && said.contains(digest), "{said}");
    let accepted = said_names(&three_names(&simulator, &run));
    let accepting = |file: &str| {
        let run = ["run", file, "--site", &site, "--yes", "--run-id", "moved", "--approval", &approval];
        let mut arguments = run.to_vec();
        for name in &accepted {
            arguments.extend(["--accept-drift", name]);
        }
        arguments.extend(["--reason", "we moved it to the waiting page"]);
        simulator.typed_by("ann", &arguments)
    };
    // A second difference does not hide behind the first.
    let propagated = |plan: &mut Plan| plan.steps.last_mut().unwrap().timeout *= 2;
    let (code, said) = accepting(&simulator.edit_plan("plan.json", "longer.json", propagated));
    assert!(code == 4 && said.contains("what: plan"), "{said}");
    // What the digest does not hold is made anew: the run does not believe that the flip only reads.
    let harmless = |plan: &mut Plan| {
        for step in &mut plan.steps {
            step.effect = Effect::ReadOnly;
            step.probe.targets.clear();
        }
    };
    let edited = simulator.edit_plan("plan.json", "plan.json", harmless);
    let (code, said) = accepting(&edited);
    assert_eq!(code, 0, "{said}");
    assert_moved_once_more(&simulator);
    let seen = events(&simulator, "moved");
    assert_eq!(seen[0]["plan"]["digest"], digest, "the plan that was approved is the one that is run");
    let flip = seen[0]["plan"]["steps"].as_array().unwrap().iter().find(|step| step["id"] == "flip").unwrap();
    assert_eq!((flip["effect"].as_str(), flip["probe"]["targets"].as_array().unwrap().len()), (Some("reversible"), 1));
    let drift: Vec<&Value> = seen.iter().filter(|event| event["type"] == "drift-accepted").collect();
    assert_eq!(drift.len(), accepted.len());
    let given = seen.iter().find(|event| event["type"] == "approval-given").unwrap();
    assert_eq!((given["by"]["name"].as_str(), given["comment"].as_str()), (Some("bob"), Some("seen")));
    let (_, said) = simulator.typed_by("ann", &["status", "moved"]);
    assert!(said.contains("we moved it to the waiting page") && said.contains(digest), "{said}");
    let (code, said) = simulator.typed_by("ann", &["verify", "moved"]);
    assert!(code == 0 && said.contains("1 approval of its plan"), "{said}");
}

/// What the refusal says may be accepted.
fn three_names(simulator: &Simulator, run: &[&str]) -> String {
    simulator.typed_by("ann", run).1
}

fn said_names(said: &str) -> Vec<String> {
    let words: Vec<&str> = said.split_whitespace().collect();
    let pairs = words.windows(2).filter(|pair| pair[0] == "--accept-drift");
    pairs.map(|pair| pair[1].to_owned()).collect()
}

/// One PUT is the hand's, one the run's.
fn assert_moved_once_more(simulator: &Simulator) {
    assert_eq!(simulator.count("POST", "/restore?"), 1, "restore POSTs");
    assert_eq!(simulator.count("PUT", "/CNAME/api?"), 2, "record PUTs");
}

#[test]
fn a_plan_that_was_edited_or_has_ended_or_whose_runbook_or_parameter_moved_is_refused() {
    let simulator = Simulator::start(SPEED, None);
    let site = simulator.file("site.yaml");
    let runbook = simulator.file("book.yaml");
    std::fs::copy(FLAGSHIP, &runbook).unwrap();
    let file = simulator.file("plan.json");
    let made = ["plan", &runbook, "--mode", "unplanned", "--site", &site, "--out", &file, "--valid-for", "24h"];
    assert_eq!(simulator.typed_by("ann", &made).0, 0);
    let whole = std::fs::read_to_string(&file).unwrap();
    let refused = |arguments: &[&str], words: &str| {
        let (code, said) = simulator.typed_by("ann", arguments);
        assert!(code == 4 && said.contains(words), "{code}, {words}: {said}");
        said
    };
    let run = ["run", file.as_str(), "--yes"];

    std::fs::write(&file, whole.replacen("\"timeout\": \"15m\"", "\"timeout\": \"16m\"", 1)).unwrap();
    refused(&run, "it was changed by hand: its digest says");
    let (from, to) = (whole.find("\"valid_until\": \"20").unwrap(), "\"valid_until\": \"20".len());
    let later = format!("{}99{}", &whole[..from + to], &whole[from + to + 2..]);
    std::fs::write(&file, later).unwrap();
    refused(&run, "its seal does not fit");
    refused(&["verify", file.as_str()], "its seal does not fit");
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(simulator.typed_by("ann", &["verify", &file]).0, 0);
    // A yes outlives neither what it was said for nor the plan.
    let approval = simulator.file("approval.json");
    assert_eq!(simulator.typed_by("bob", &["approve", &file, "--out", &approval, "--valid-for", "30d"]).0, 0);
    let read = |file: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap() };
    assert_eq!(read(&approval)["until"], read(&file)["saved"]["valid_until"]);

    let parameter = [&run[..], &["--set", "record=www"]].concat();
    refused(&parameter, "what: parameters.record");
    let accepted = [&parameter[..], &["--accept-drift", "parameters.record", "--reason", "it is www now"]].concat();
    let said = refused(&accepted, "what: parameters.record");
    assert!(!said.contains("or run it all the same"), "another value is another plan: {said}");
    std::fs::write(&runbook, std::fs::read_to_string(FLAGSHIP).unwrap() + "# later\n").unwrap();
    let said = refused(&run, "what: runbook");
    assert!(said.contains("--accept-drift runbook"), "{said}");

    let short = ["plan", &runbook, "--mode", "unplanned", "--site", &site, "--out", &file, "--valid-for", "1s"];
    assert_eq!(simulator.typed_by("ann", &short).0, 0);
    let said = refused(&run, "was valid until");
    assert!(said.contains(&format!("lifeboat plan {runbook} --site {site} --mode unplanned --out {file}")), "{said}");
}

#[test]
fn a_drill_of_an_edited_plan_never_moves_the_production_name() {
    let simulator = Simulator::start(SPEED, None);
    let (site, drill) = (simulator.file("site.yaml"), simulator.file("drill.json"));
    let made = ["plan", FLAGSHIP, "--mode", "drill", "--site", &site, "--out", &drill];
    assert_eq!(simulator.typed_by("ann", &made).0, 0);
    let edited = simulator.edit_plan("drill.json", "edited.json", |plan| {
        plan.parameters.insert("record".to_owned(), "api".into());
    });
    let run = ["drill", &edited, "--site", &site, "--yes"];
    let accepting = ["--accept-drift", "parameters.record", "--reason", "it is the same"];
    for more in [&[][..], &accepting[..]] {
        let (code, said) = simulator.typed_by("ann", &[&run[..], more].concat());
        assert!(code == 4 && said.contains("what: parameters.record"), "{code}: {said}");
    }
    assert_eq!(simulator.count("PUT", "/CNAME/api?") + simulator.count("POST", "/restore?"), 0, "nothing was begun");
}

#[test]
fn an_approval_counts_for_its_plan_its_time_and_another_person_only() {
    let simulator = Simulator::start(SPEED, None);
    let (key, wrong) = (simulator.file("key.pem"), simulator.file("other.pem"));
    std::fs::write(&key, KEY).unwrap();
    std::fs::write(&wrong, OTHER_KEY).unwrap();
    let trusted = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let rules = |key: &str| format!("approval: {{ key: {{ file: {key} }}, trusted: {{ bob: {trusted} }} }}\n");
    let signing = simulator.site_with("signing.yaml", &rules(&key));
    // Whoever runs has no key.
    let site = simulator.site_with("signed.yaml", &format!("approval: {{ trusted: {{ bob: {trusted} }} }}\n"));
    let plan = simulator.plan("plan.json", &site, &[]);
    let other = simulator.plan("other.json", &site, &["--force", "another plan"]);
    assert_ne!(plan["digest"], other["digest"]);
    let file = |name: &str| simulator.file(name);
    let approve = |by: &str, plan: &str, out: &str, more: &[&str]| {
        let (plan, out) = (file(plan), file(out));
        let arguments = [&["approve", &plan, "--out", &out, "--site", &signing], more].concat();
        let (code, said) = simulator.typed_by(by, &arguments);
        assert_eq!(code, 0, "{said}");
    };
    let refused = |approvals: &[&str], words: &str| {
        let plan = file("plan.json");
        let files: Vec<String> = approvals.iter().map(|name| file(name)).collect();
        let mut arguments = vec!["run", &plan, "--site", &site, "--yes", "--run-id", "signed"];
        for name in &files {
            arguments.extend(["--approval", name]);
        }
        let (code, said) = simulator.typed_by("ann", &arguments);
        assert!(code == 4 && said.contains(words), "{code}, {words}: {said}");
    };
    approve("bob", "other.json", "for-other.json", &[]);
    refused(&["for-other.json"], "the approval is for the plan");
    approve("bob", "plan.json", "short.json", &["--valid-for", "1ms"]);
    refused(&["short.json"], "the approval ended at");
    approve("ann", "plan.json", "own.json", &[]);
    refused(&["own.json"], "ann started the run");
    approve("bob", "plan.json", "good.json", &["--comment", "seen"]);
    refused(&["good.json", "good.json"], "bob has approved already");
    approve("carol", "plan.json", "carol.json", &["approve"]);
    refused(&["good.json", "carol.json"], "carol has approved already");
    let (code, said) = simulator
        .typed_by("ann", &["run", &file("plan.json"), "--site", &signing, "--yes", "--approval", &file("carol.json")]);
    assert!(code == 4 && said.contains("carol started the run"), "her own key: {said}");
    let forged = std::fs::read_to_string(file("good.json")).unwrap().replace("\"seen\"", "\"never seen\"");
    std::fs::write(file("forged.json"), forged).unwrap();
    refused(&["forged.json"], "the signature does not fit");
    let (code, said) = simulator.typed_by("ann", &["verify", &file("forged.json")]);
    assert!(code == 4 && said.contains("the signature does not fit"), "{said}");
    let (code, said) = simulator.typed_by("ann", &["verify", &file("good.json"), "--site", &site]);
    assert!(code == 0 && said.contains("signed with the key of bob: seen; the signature fits"), "{said}");
    assert!(said.contains("the whole plan approved by bob@") && said.contains(", until "), "{said}");
    let stranger = simulator.site_with("stranger.yaml", &rules(&wrong));
    let (plan, out) = (file("plan.json"), file("stranger.json"));
    let (code, said) = simulator.typed_by("eve", &["approve", &plan, "--out", &out, "--site", &stranger]);
    assert!(code == 4 && said.contains("signed by none of them"), "{said}");
    assert_eq!(simulator.count("POST", "/restore?"), 0, "nothing was begun");

    let (plan, good) = (file("plan.json"), file("good.json"));
    let (code, said) = simulator.typed_by("kim", &["report", &plan, "--approval", &good]);
    assert!(code == 0 && said.contains("approved by bob@"), "{said}");
    assert!(said.contains("signed with the key of bob, until ") && !said.contains("asked in the run"), "{said}");
    let (code, said) = simulator.typed_by("kim", &["report", &plan, "--approval", &file("for-other.json")]);
    assert!(code == 4 && said.contains("the approval is for the plan"), "{said}");
    let run = ["run", &plan, "--site", &site, "--yes", "--run-id", "signed", "--approval", &good];
    let (code, said) = simulator.typed_by("ann", &run);
    assert_eq!(code, 0, "{said}");
    assert_moved_once(&simulator);
    let (code, said) = simulator.typed_by("ann", &["verify", "signed"]);
    assert!(code == 0 && said.contains("1 of them signed"), "{said}");
}

#[test]
fn an_unsigned_approval_says_nothing_of_itself_that_counts() {
    let simulator = Simulator::start(SPEED, None);
    let site = simulator.file("site.yaml");
    simulator.plan("plan.json", &site, &[]);
    let (plan, file) = (simulator.file("plan.json"), simulator.file("approval.json"));
    let (code, said) = simulator.typed_by("bob", &["approve", &plan, "--out", &file, "--valid-for", "30d"]);
    assert!(code == 0 && said.contains("until "), "{said}");
    let whole: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let write = |by: Value| {
        let mut edited = whole.clone();
        let of = edited["by"].as_object_mut().unwrap();
        of.extend(by.as_object().unwrap().clone());
        std::fs::write(&file, edited.to_string()).unwrap();
    };
    let run = ["run", &plan, "--site", &site, "--yes", "--run-id", "unsigned", "--approval", &file];
    write(serde_json::json!({ "name": "ann", "simulated": true }));
    let (code, said) = simulator.typed_by("ann", &run);
    assert!(code == 4 && said.contains("by the stand-in of a simulation"), "{said}");
    write(serde_json::json!({ "name": "ann", "verified": true, "account": "cio@contoso.com" }));
    let (code, said) = simulator.typed_by("ann", &run);
    assert!(code == 4 && said.contains("cio@contoso.com started the run"), "{said}");
    write(serde_json::json!({ "verified": true, "account": "cio@contoso.com" }));
    let (code, said) = simulator.typed_by("ann", &run);
    assert_eq!(code, 0, "{said}");
    let status = output(&mut simulator.lifeboat(&["status", "unsigned", "--output", "json"]));
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let approval = &status["approvals"][0];
    assert_eq!((approval["by"].as_str(), approval["verified"].as_bool()), (Some("cio@contoso.com"), Some(false)));
    let (code, said) = simulator.typed_by("ann", &["verify", &file]);
    assert!(code == 0 && said.contains("unverified; whoever can write the file can have written it"), "{said}");
    let told = output(&mut simulator.lifeboat(&["verify", &file, "--output", "json"]));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((told["signed"].as_bool(), told["approval"]["verified"].as_bool()), (Some(false), Some(false)));
}

#[test]
fn whoever_starts_a_run_goes_on_alone_only_in_the_open() {
    let simulator = Simulator::start(SPEED, None);
    let mut command = simulator.run("alone");
    command.env("USER", "ann");
    let mut run = Watched::start(command);
    while let Some(event) = run.plain_next() {
        if event["type"] == "step-started" && event["step"] == "approve" {
            break;
        }
    }
    let (code, said) = simulator.typed_by("ann", &["approve", "alone", "approve"]);
    assert!(code == 4 && said.contains("ann started the run"), "{said}");
    let (code, said) =
        simulator.typed_by("ann", &["approve", "alone", "approve", "--override", "--reason", "nobody answers"]);
    assert!(code == 0 && said.contains("signed off by somebody else"), "{said}");
    while run.plain_next().is_some() {}
    let (code, _, story) = run.finish();
    assert_eq!(code, 0, "{story}");
    assert!(story.contains("open: step approve was approved by ann"), "{story}");
    let status = || -> Value {
        let output = output(&mut simulator.lifeboat(&["status", "alone", "--output", "json"]));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let seen = status();
    assert_eq!(seen["open_items"][0]["step"], "approve");
    assert_eq!(seen["overrides"][0]["kind"], "approved-alone");
    assert!(
        seen["next"]
            .as_array()
            .unwrap()
            .iter()
            .any(|next| next["command"].as_str().unwrap().contains("approve alone approve"))
    );

    let (code, said) = simulator.typed_by("ann", &["approve", "alone", "approve"]);
    assert!(code == 4 && said.contains("it is signed off by somebody else"), "{said}");
    let (code, said) = simulator.typed_by("kim", &["approve", "alone", "approve", "--comment", "rightly so"]);
    assert!(code == 0 && said.contains("signed off"), "{said}");
    assert_eq!(status().get("open_items"), None);
    let (code, said) = simulator.typed_by("kim", &["approve", "alone", "approve"]);
    assert!(code == 4 && said.contains("is over"), "{said}");
    let (code, said) = simulator.typed_by("ann", &["verify", "alone"]);
    assert_eq!(code, 0, "{said}");
}
