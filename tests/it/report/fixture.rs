//! A plan like the flagship's and runs of it, built by hand: no clock, no network, no engine.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use lifeboat::{
    azure::Operation,
    plan::{Plan, facts::PlannedRequest},
    run::{Disposition, Event, Intent, Outcome, Person, RunId, State, StepError, Verdict},
    runbook::StepId,
};
use serde_json::{Map, Value, json};

pub const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000001";
pub const OPERATION: &str = "https://management.azure.com/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-east/providers/Microsoft.ApiManagement/service/apim-east/operationresults/bm9ydGhldXJvcGU6YXBpbS1lYXN0X1Jlc3RvcmVfYjk4ZjZhNGE=?api-version=2024-05-01";
pub const BACKUP: &str = "apim-west-20261123T090000Z.apimbackup";

/// When the plan was made; runs begin five seconds later.
pub fn noon() -> Timestamp {
    "2026-11-23T14:00:00Z".parse().unwrap()
}

fn fact(name: &str, value: impl Into<Value>, source: &str) -> Value {
    json!({ "name": name, "value": value.into(), "source": source, "observed_at": noon() })
}

struct Shape {
    id: &'static str,
    action: &'static str,
    effect: &'static str,
    needs: &'static [&'static str],
    timeout: &'static str,
    expected: &'static str,
    source: &'static str,
    certainty: &'static str,
}

fn step(shape: &Shape, arguments: &Value, probe: &Value) -> Value {
    json!({
        "id": shape.id, "action": shape.action, "effect": shape.effect, "needs": shape.needs,
        "timeout": shape.timeout, "retry": { "attempts": 1, "delay": "0s" }, "on_failure": "stop",
        "arguments": arguments, "certainty": shape.certainty, "probe": probe,
        "expected": shape.expected, "expected_source": shape.source,
    })
}

/// confirm-outage, find-backup, verify-standby → restore → gateway-healthy → approve → flip → propagated.
pub fn plan() -> Plan {
    serde_json::from_value(plan_json()).unwrap()
}

fn plan_json() -> Value {
    let group = |group: &str, rest: &str| format!("{SUBSCRIPTION}/resourceGroups/{group}/providers/{rest}");
    let east = group("rg-east", "Microsoft.ApiManagement/service/apim-east");
    let url = format!("https://management.azure.com{east}?api-version=2024-05-01");
    let record = "https://management.azure.com/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-dns/providers/Microsoft.Network/dnsZones/contoso.com/CNAME/api?api-version=2018-05-01";
    json!({
        "format": 1,
        "digest": "3f9c2a1b7d04e5868e1f4f1a0c2d9b7a6e5d4c3b2a190f8e7d6c5b4a39281706",
        "name": "apim-failover",
        "description": "Restore the newest unexpired backup into the standby region and move the API hostname to it.",
        "runbook_sha256": "00", "mode": "unplanned", "made_at": noon(),
        "objectives": { "rto": "75m", "rpo": "24h" },
        "parameters": {
            "active": group("rg-west", "Microsoft.ApiManagement/service/apim-west"), "standby": east,
            "zone": group("rg-dns", "Microsoft.Network/dnsZones/contoso.com"), "record": "api",
        },
        "site": {
            "cloud": "public",
            "endpoints": {
                "resource_manager": "https://management.azure.com", "scope": "https://management.azure.com/.default",
                "authority": "https://login.microsoftonline.com", "blob": "https://{account}.blob.core.windows.net",
            },
            "credential": "azure-cli",
            "dns": { "resolvers": ["1.1.1.1:53"], "authoritative": {} },
        },
        "steps": steps(&east, &url, record),
        "left_out": ["fresh-backup"],
        "critical_path": ["confirm-outage", "restore", "gateway-healthy", "approve", "flip", "propagated"],
        "expected": "57m23s",
        "point_of_no_return": "restore",
        "findings": [{
            "severity": "warning", "step": "verify-standby", "code": "standby-smaller",
            "message": "apim-east has 1 unit where the other has 2",
            "remedy": "scale it out after the failover if the load needs it",
        }],
    })
}

fn steps(east: &str, url: &str, record: &str) -> Value {
    let confirm = Shape {
        id: "confirm-outage",
        action: "apim.confirm-outage",
        effect: "read-only",
        needs: &[],
        timeout: "10m",
        expected: "2m10s",
        source: "two observations, hold_off apart",
        certainty: "verified",
    };
    let find =
        Shape { id: "find-backup", action: "backup.find-latest", expected: "5s", source: "one listing", ..confirm };
    let verify = Shape { id: "verify-standby", action: "apim.verify-standby", timeout: "2m", ..find };
    let restore = Shape {
        id: "restore",
        action: "apim.restore",
        effect: "irreversible",
        needs: &["confirm-outage", "find-backup", "verify-standby"],
        timeout: "90m",
        expected: "45m",
        source: "Microsoft: 45 minutes or more",
        certainty: "verified",
    };
    let healthy = Shape {
        id: "gateway-healthy",
        action: "gateway.health-check",
        effect: "read-only",
        needs: &["restore"],
        timeout: "10m",
        expected: "10s",
        source: "three answers in a row",
        certainty: "predicted",
    };
    let approve = Shape {
        id: "approve",
        action: "approval",
        needs: &["gateway-healthy"],
        timeout: "30m",
        expected: "5m",
        source: "assumed",
        certainty: "unknown",
        ..healthy
    };
    let flip = Shape {
        id: "flip",
        action: "dns.flip-cname",
        effect: "reversible",
        needs: &["approve"],
        timeout: "2m",
        expected: "3s",
        source: "one write",
        certainty: "verified",
    };
    let propagated = Shape {
        id: "propagated",
        action: "dns.verify-propagation",
        effect: "read-only",
        needs: &["flip"],
        timeout: "15m",
        expected: "5m",
        source: "the old TTL, at least",
        certainty: "predicted",
    };
    let listing = "list blobs stdr/apim-backups";
    let seen = format!("GET {url}");
    let mut healthy = step(
        &healthy,
        &json!({ "service": "${{ params.standby }}", "hostname": "${{ params.record }}.${{ params.zone.name }}" }),
        &json!({ "summary": "asks the gateway of apim-east for api.contoso.com, 3 times in a row", "verified": false }),
    );
    healthy["retry"] = json!({ "attempts": 20, "delay": "15s" });
    let mut propagated = step(
        &propagated,
        &json!({ "zone": "${{ params.zone }}", "record": "${{ params.record }}", "target": "${{ steps.flip.target }}" }),
        &json!({ "summary": "asks 6 servers until all give apim-east.azure-api.net", "verified": false }),
    );
    propagated["on_failure"] = json!("undo");
    json!([
        step(
            &confirm,
            &json!({ "service": "${{ params.active }}" }),
            &json!({
                "summary": "looks at apim-west twice, 2m apart, and goes on only if it looks lost both times", "verified": true,
            })
        ),
        step(
            &find,
            &json!({ "container": "apim-backups" }),
            &json!({
                "summary": format!("restores from `{BACKUP}`, 5h old, the newest of 30 usable backups"), "verified": true,
                "facts": [fact("backup.name", BACKUP, listing), fact("backups.listed", 37, listing)],
                "outputs": { "name": BACKUP, "created": "2026-11-23T09:00:00Z", "age": "5h" },
            })
        ),
        step(
            &verify,
            &json!({ "standby": "${{ params.standby }}" }),
            &json!({
                "summary": "verifies that apim-east (Premium) can take a backup of tier Premium", "verified": true,
                "facts": [fact("standby.tier", "Premium", &seen), fact("standby.location", "North Europe", &seen)],
            })
        ),
        step(
            &restore,
            &json!({ "service": "${{ params.standby }}", "backup": "${{ steps.find-backup.backup }}" }),
            &json!({
                "summary": format!("overwrites apim-east with the backup `{BACKUP}`; cannot be undone"), "verified": true,
                "requests": [{ "method": "POST", "url": format!("https://management.azure.com{east}/restore?api-version=2024-05-01"),
                    "body": { "storageAccount": "stdr", "containerName": "apim-backups", "backupName": BACKUP,
                              "accessType": "AccessKey", "accessKey": "***" } }],
            })
        ),
        healthy,
        step(
            &approve,
            &json!({ "prompt": "Move api.contoso.com to the standby?", "approvers": 1 }),
            &json!({
                "summary": "waits until one person approves", "verified": false,
            })
        ),
        step(
            &flip,
            &json!({ "zone": "${{ params.zone }}", "record": "${{ params.record }}", "target": "apim-east.azure-api.net" }),
            &json!({
                "summary": "api.contoso.com: apim-west.azure-api.net -> apim-east.azure-api.net, TTL 300 s -> 60 s", "verified": true,
                "facts": [fact("record.target", "apim-west.azure-api.net", &format!("GET {record}")),
                          fact("record.ttl", 300, &format!("GET {record}"))],
                "requests": [{ "method": "PUT", "url": record, "headers": [["If-Match", "6775dc77-0156"]],
                    "body": { "properties": { "TTL": 60, "CNAMERecord": { "cname": "apim-east.azure-api.net" } } } }],
            })
        ),
        propagated,
    ])
}

/// A plan of many independent steps that only wait.
pub fn wide_plan(steps: usize) -> Plan {
    let shape = Shape {
        id: "",
        action: "wait",
        effect: "read-only",
        needs: &[],
        timeout: "1h",
        expected: "2m",
        source: "the step itself",
        certainty: "verified",
    };
    let steps = (0..steps).map(|number| {
        let mut step = step(&shape, &json!({ "duration": "2m" }), &json!({ "summary": "waits 2m", "verified": true }));
        step["id"] = json!(format!("wait-{number}"));
        step
    });
    let mut plan = plan_json();
    plan["steps"] = steps.collect();
    for gone in ["left_out", "critical_path", "findings"] {
        plan[gone] = json!([]);
    }
    plan["point_of_no_return"] = Value::Null;
    serde_json::from_value(plan).unwrap()
}

pub fn dana() -> Person {
    Person { name: "dana".to_owned(), host: "jump-1".to_owned(), ..Person::default() }
}

/// A run as it is written: events with their times.
pub struct Tape {
    pub events: Vec<(Timestamp, Event)>,
    now: Timestamp,
}

impl Tape {
    pub fn of(plan: Plan) -> Self {
        let now = noon() + SignedDuration::from_secs(5);
        let run = RunId("dr-20261123".into());
        let planned = Event::Planned { run, plan: Arc::new(plan), by: dana() };
        let mut tape = Self { events: vec![(now, planned)], now };
        tape.attach(1);
        tape
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn state(&self) -> State {
        State::fold(self.events.iter().map(|(at, event)| (*at, event))).unwrap()
    }

    /// Every event with the state after it, but the first.
    pub fn replay(&self, mut see: impl FnMut(Timestamp, &Event, &State)) {
        let (at, first) = &self.events[0];
        let mut state = State::begin(*at, first).unwrap();
        for (at, event) in &self.events[1..] {
            state.apply(*at, event).unwrap();
            see(*at, event, &state);
        }
    }

    pub fn after(&mut self, seconds: i64) -> &mut Self {
        self.now += SignedDuration::from_secs(seconds);
        self
    }

    pub fn add(&mut self, event: Event) -> &mut Self {
        self.events.push((self.now, event));
        self
    }

    pub fn attach(&mut self, generation: u32) -> &mut Self {
        self.add(crate::transitions::taken_up(generation, dana(), 4711))
    }

    pub fn start(&mut self, step: &str, attempt: u32, minutes: i64, arguments: Value) -> &mut Self {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let deadline = self.now + SignedDuration::from_mins(minutes);
        self.add(Event::StepStarted { step: StepId::new(step), attempt, deadline, arguments: Arc::new(arguments) })
    }

    pub fn note(&mut self, step: &str, message: &str, until: Option<i64>) -> &mut Self {
        let until = until.map(|seconds| self.now + SignedDuration::from_secs(seconds));
        self.add(Event::StepNoted { step: StepId::new(step), message: message.to_owned(), until })
    }

    pub fn done(&mut self, step: &str, outputs: Value) -> &mut Self {
        let Value::Object(outputs) = outputs else { panic!("outputs are an object") };
        self.add(Event::StepSucceeded { step: StepId::new(step), outputs, evidence: Value::Null })
    }

    pub fn fail(&mut self, step: &str, error: StepError, again: Option<i64>) -> &mut Self {
        let retry_at = again.map(|seconds| self.now + SignedDuration::from_secs(seconds));
        self.add(Event::StepFailed { step: StepId::new(step), error, retry_at })
    }

    pub fn intend(&mut self, step: &str, method: &str, url: &str) -> &mut Self {
        self.add(Event::ChangeIntended { step: StepId::new(step), intent: intent(method, url) })
    }

    pub fn accept(&mut self, step: &str) -> &mut Self {
        let operation = Operation { url: OPERATION.to_owned(), retry_after_s: Some(60) };
        self.add(Event::OperationAccepted { step: StepId::new(step), operation })
    }

    pub fn settle(&mut self, step: &str, verdict: Verdict) -> &mut Self {
        self.add(Event::StepSettled { step: StepId::new(step), verdict, word: None })
    }

    pub fn stop(&mut self, outcome: Outcome, reason: &str) -> &mut Self {
        self.add(Event::RunStopped { outcome, reason: reason.to_owned() })
    }

    /// The first three steps, then the restore is accepted and followed: 2m 20s.
    pub fn until_restoring(&mut self) -> &mut Self {
        self.start("confirm-outage", 1, 10, json!({}));
        self.start("find-backup", 1, 5, json!({}));
        self.start("verify-standby", 1, 2, json!({}));
        self.note("confirm-outage", "apim-west looks lost; looking once more", Some(120));
        self.after(4).done("find-backup", json!({ "name": BACKUP, "created": "2026-11-23T09:00:00Z", "age": "5h" }));
        self.after(2).done(
            "verify-standby",
            json!({
                "tier": "Premium", "location": "North Europe", "gateway_host": "apim-east.azure-api.net",
            }),
        );
        self.after(124).done("confirm-outage", json!({}));
        let east = format!("{SUBSCRIPTION}/resourceGroups/rg-east/providers/Microsoft.ApiManagement/service/apim-east");
        self.start("restore", 1, 90, json!({ "service": east, "backup": { "name": BACKUP } }));
        self.after(5).intend(
            "restore",
            "POST",
            &format!("https://management.azure.com{east}/restore?api-version=2024-05-01"),
        );
        self.after(5).accept("restore");
        for _ in 0..3 {
            self.note("restore", "the restore of apim-east goes on in Azure", Some(60)).after(60);
        }
        self
    }

    /// Restored and healthy: the approval is asked for 47m 30s after the start.
    pub fn until_asked(&mut self) -> &mut Self {
        self.until_restoring().after(42 * 60 - 10).done("restore", json!({ "operation": OPERATION }));
        self.start("gateway-healthy", 1, 10, json!({})).after(5);
        let error = StepError::new(Disposition::Retryable, "gateway-status", "the gateway answered 503", "wait for it");
        self.fail("gateway-healthy", error, Some(15)).after(15);
        self.start("gateway-healthy", 2, 10, json!({})).after(6);
        self.done("gateway-healthy", json!({ "address": "40.113.1.1:443" }));
        self.start("approve", 1, 30, json!({ "prompt": "Move api.contoso.com to the standby?", "approvers": 1 }))
    }

    /// Approved, the record about to be written.
    pub fn until_flipping(&mut self) -> &mut Self {
        let (step, comment) = (StepId::new("approve"), Some("looks good".to_owned()));
        self.until_asked().after(90).add(Event::ApprovalGiven { step, by: dana(), comment });
        self.done("approve", json!({ "approved_by": ["dana"] }));
        self.start("flip", 1, 2, json!({
            "zone": format!("{SUBSCRIPTION}/resourceGroups/rg-dns/providers/Microsoft.Network/dnsZones/contoso.com"),
            "record": "api", "target": "apim-east.azure-api.net",
        }));
        self.after(1).intend("flip", "PUT", "https://management.azure.com/x/dnsZones/contoso.com/CNAME/api")
    }

    pub fn until_flipped(&mut self) -> &mut Self {
        self.until_flipping().after(2).done(
            "flip",
            json!({
                "hostname": "api.contoso.com", "target": "apim-east.azure-api.net",
                "previous_target": "apim-west.azure-api.net", "previous_ttl": 300,
            }),
        );
        self.start("propagated", 1, 15, json!({
            "zone": format!("{SUBSCRIPTION}/resourceGroups/rg-dns/providers/Microsoft.Network/dnsZones/contoso.com"),
            "record": "api", "target": "apim-east.azure-api.net",
        }))
    }

    pub fn until_succeeded(&mut self) -> &mut Self {
        self.until_flipped().after(301).done("propagated", json!({}));
        self.stop(Outcome::Succeeded, "every step is done")
    }
}

pub fn intent(method: &str, url: &str) -> Intent {
    let request = PlannedRequest { method: method.to_owned(), url: url.to_owned(), headers: Vec::new(), body: None };
    Intent { request, before: Value::Null }
}

/// What Azure says when a backup is too old.
pub fn expired() -> StepError {
    let hint = "take a fresh backup, or name a younger one, then resume the run";
    let details = [
        ("azure_code", "RestoreFailed"),
        ("request_id", "5b0c8f1e-1111-2222-3333-444455556666"),
        ("correlation_id", "0f9f9d1e-aaaa-bbbb-cccc-ddddeeeeffff"),
    ];
    let details: Map<String, Value> = details.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    StepError {
        details,
        ..StepError::new(Disposition::Final, "restore-failed", "cannot restore: backup expired", hint)
    }
}
