//! `plan --print`: the runbook on paper, for the day on which nothing else works. Numbered steps with the exact requests,
//! how to see that each worked, and how to go back. Secrets are masked, as they are everywhere in a plan.

use crate::{
    plan::{Certainty, Plan, PlannedStep, facts::PlannedRequest},
    runbook::{ActionKind, Effect, StepId},
    style::{Page, Style, moment, one_line, say},
};

use super::{value, whole};

const INDENT: &str = "     ";

/// The whole plan, to be printed and kept. Ends with a line feed.
pub fn paper(plan: &Plan, style: &Style) -> String {
    let style = Style { colour: false, ..*style };
    let mut page = Page::new(&style);
    page.line(&format!("{}: by hand", one_line(&plan.name)));
    page.hang("", &format!("mode {}; made {}; plan {}", plan.mode, moment(plan.made_at), plan.digest));
    if let Some(until) = plan.saved.as_ref().and_then(|saved| saved.valid_until) {
        page.hang("", &format!("valid until {}", moment(until)));
    }
    page.hang("", &format!("predicted: {} in all", say(plan.expected)));
    whole::parameters(&mut page, plan);
    before(&mut page, plan);
    page.heading("Steps");
    for (place, step) in plan.steps.iter().enumerate() {
        if plan.point_of_no_return.as_ref() == Some(&step.id) {
            page.gap();
            page.line("---- from here on there is no way back to what the standby holds now ----");
        }
        self::step(&mut page, place + 1, step);
    }
    page.heading("Write down who did this, and when each step was begun and seen to work.");
    page.text()
}

fn before(page: &mut Page, plan: &Plan) {
    page.heading("Before you begin");
    let site = &plan.site.endpoints;
    let resource = site.scope.strip_suffix("/.default").unwrap_or(&site.scope);
    page.hang("  1. ", "Make sure that no other process or person is at it: `lifeboat runs`, the team's channel.");
    page.hang("  2. ", "Get a token; it is good for about an hour, then get another:");
    page.line(&format!("{INDENT}az account get-access-token --resource {resource} \\"));
    page.line(&format!("{INDENT}  --query accessToken -o tsv"));
    page.hang("  3. ", "Send each request with these headers, and those that the step names:");
    page.line(&format!("{INDENT}Authorization: Bearer TOKEN"));
    page.line(&format!("{INDENT}Content-Type: application/json"));
    page.hang("  4. ", "Send a POST once. If no answer comes, read the service before you do anything else: a second one may do the work twice.");
}

fn step(page: &mut Page, number: usize, step: &PlannedStep) {
    page.gap();
    let lead = format!("{number:>3}. [ ] {}  {}  ", step.id, step.action);
    page.hang(&lead, &format!("({}; about {})", step.effect, say(step.expected)));
    if let Some(description) = &step.description {
        page.hang(INDENT, &one_line(description));
    }
    if !step.needs.is_empty() {
        let needs: Vec<&str> = step.needs.iter().map(StepId::as_str).collect();
        page.hang(INDENT, &format!("after {}", needs.join(", ")));
    }
    if let Some(when) = &step.when {
        page.hang(INDENT, &format!("only when {}", one_line(when)));
    }
    if step.certainty == Certainty::Unknown {
        page.hang(INDENT, "What is asked depends on what the steps before it bring; `${{ }}` stands for that:");
        for line in value::lines(&serde_json::Value::from(step.arguments.clone()), page.style.columns()) {
            page.line(&format!("{INDENT}  {line}"));
        }
    }
    for request in &step.probe.requests {
        self::request(page, request);
    }
    if step.probe.requests.is_empty() {
        page.hang(&format!("{INDENT}do: "), &by_reading(step));
        looked_at(page, step);
    }
    page.hang(&format!("{INDENT}it worked when: "), worked(step.action));
    page.hang(&format!("{INDENT}to go back: "), &back(step));
}

fn request(page: &mut Page, request: &PlannedRequest) {
    page.line(&format!("{INDENT}{}", request.method));
    page.line(&format!("{INDENT}  {}", one_line(&request.url)));
    for (name, value) in &request.headers {
        let fresh = if name.eq_ignore_ascii_case("if-match") { "   (read it anew with GET first)" } else { "" };
        page.line(&format!("{INDENT}  {name}: {}{fresh}", one_line(value)));
    }
    if let Some(body) = &request.body {
        let room = page.style.columns().saturating_sub(INDENT.len() + 2);
        for line in value::lines(body, room) {
            page.line(&format!("{INDENT}  {line}"));
        }
    }
}

/// The requests that the probe sent: they only read.
fn looked_at(page: &mut Page, step: &PlannedStep) {
    let mut sources: Vec<&str> = step.probe.facts.iter().map(|fact| fact.source.as_str()).collect();
    sources.dedup();
    for source in sources.into_iter().take(6) {
        page.line(&format!("{INDENT}  {}", one_line(source)));
    }
}

fn by_reading(step: &PlannedStep) -> String {
    match step.action {
        ActionKind::Approval => format!("ask: {}", one_line(&step.probe.summary)),
        ActionKind::Wait => format!("wait: {}", one_line(&step.probe.summary)),
        ActionKind::Notify => format!("{}:", one_line(&step.probe.summary)),
        _ if step.effect == Effect::ReadOnly => "change nothing; look at:".to_owned(),
        _ => format!("{}:", one_line(&step.probe.summary)),
    }
}

/// How to see it, without lifeboat.
fn worked(action: ActionKind) -> &'static str {
    match action {
        ActionKind::ConfirmOutage => {
            "two people agree, two minutes apart, that the service serves nobody; else stop here"
        }
        ActionKind::VerifyStandby => {
            "tier, hostnames and certificate thumbprints equal those of the service that is left"
        }
        ActionKind::Backup => "GET on the Location of the answer says 200, and the blob is listed with its full length",
        ActionKind::FindLatest => {
            "the newest blob of the service is younger than 30 days, not empty, and not in the archive tier"
        }
        ActionKind::Prune => "what was to go is not listed any more, and the newest usable backup still is",
        ActionKind::Restore => {
            "GET on the Location of the answer, once a minute, says 200 (202 until then, 45 minutes or more), and GET on the \
             service says provisioningState Succeeded"
        }
        ActionKind::VerifyRestore => {
            "APIs, products, subscriptions and named values are as many as the backup's manifest says"
        }
        ActionKind::Compare => "the two services hold the same by name",
        ActionKind::GatewayHealth => {
            "GET https://HOSTNAME/status-0123456789abcdef, sent to the standby's address (curl --connect-to), says 200 with the \
             right certificate"
        }
        ActionKind::SetTtl => "every authoritative name server answers with the new TTL, and the old one has passed",
        ActionKind::FlipCname => "dig +short NAME CNAME @each authoritative name server says the new target",
        ActionKind::FlipPrivateCname => "a machine in the virtual network resolves the name to the new target",
        ActionKind::VerifyPropagation => "every authoritative name server and the public resolvers say the new target",
        ActionKind::SetEndpoints => {
            "GET on the profile shows the endpoints as wanted, and its name resolves to the standby"
        }
        ActionKind::SetOrigin => {
            "GET on the origins shows them as wanted, and a request through the endpoint is served by the standby"
        }
        ActionKind::Approval => "the people named have said yes, in writing",
        ActionKind::HttpRequest => "the answer has the status that the runbook expects",
        ActionKind::Command => "its exit code is 0",
        ActionKind::Notify => "the message is seen where it was to be told",
        ActionKind::Wait => "the time is over",
    }
}

fn back(step: &PlannedStep) -> String {
    let before: Vec<String> = step
        .probe
        .facts
        .iter()
        .filter(|fact| {
            step.effect == Effect::Reversible && fact.name != "record.etag" && fact.name != "record.metadata"
        })
        .map(|fact| format!("{} {}", fact.name, value::inline(&fact.value)))
        .collect();
    match step.effect {
        Effect::ReadOnly => "nothing was changed".to_owned(),
        Effect::Irreversible => "there is no way back; the only way is forward".to_owned(),
        Effect::Reversible if before.is_empty() => "send the same with what GET said before".to_owned(),
        Effect::Reversible => format!("send the same with what was there before: {}", before.join("; ")),
    }
}
