//! What was changed in a service since its backup was made, by name: lost with a restore. From the activity log. Reads only.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::json;

use super::{Context, fact::Facts};
use crate::{
    azure::{
        AzureError, AzureErrorKind,
        activity::{self, Activity, Log},
    },
    plan::{
        changes::{COUNT, Changed, FACT, UNREAD},
        codes,
        facts::{Fact, Finding},
    },
    runbook::ResourceId,
};

/// Nobody waits longer for what only names a loss.
const PATIENCE: Duration = Duration::from_secs(5);
/// Kept in the plan: more than a board reads.
const MOST_KEPT: usize = 200;
/// Told in one sentence.
const MOST_NAMED: usize = 5;

/// Actions of API Management that change nothing of what a backup holds, by how their name begins.
const NO_CHANGES: [&str; 8] = ["backup", "list", "get", "check", "validate", "export", "send", "applynetwork"];

/// Facts and findings for the plan. `since`: when the backup was made. `left`: of the time of whoever asks.
pub async fn since_backup(
    service: &ResourceId,
    since: Timestamp,
    left: Duration,
    context: &Context,
) -> (Vec<Fact>, Vec<Finding>) {
    let (arm, now) = (&context.arm, context.clock.now());
    let patience = context.clock.lenient(PATIENCE).min(left);
    let answer = tokio::select! {
        biased;
        answer = activity::succeeded(arm, service, (since, now)) => answer,
        () = context.clock.sleep(patience) => {
            Err(AzureError::new(AzureErrorKind::Transport, format!("no answer within {} s", patience.as_secs())))
        }
    };
    let name = service.name();
    match answer {
        Ok(Log { activities, unread }) => {
            let changed = of(service, &activities);
            let source = format!("GET {}", activity::url(arm, service, (since, now)));
            let kept = &changed[..changed.len().min(MOST_KEPT)];
            let mut facts =
                Facts::seen(source, now).with_volatile(FACT, json!(kept)).with_volatile(COUNT, changed.len());
            if unread > 0 {
                facts = facts.with_volatile(UNREAD, unread);
            }
            let findings = told(name, &changed).into_iter().chain(gaps(service, unread));
            (facts.into_vec(), findings.map(|finding| finding.on(name).seen(now)).collect())
        }
        Err(failure) => {
            let message = format!("what was changed in {name} since the backup is not known: {failure}");
            (Vec::new(), vec![codes::finding("changes-unread", message).on(name).seen(now)])
        }
    }
}

/// Each thing once, as it was changed last; the newest first.
fn of(service: &ResourceId, activities: &[Activity]) -> Vec<Changed> {
    let prefix = service.folded();
    let mut last: BTreeMap<String, Changed> = BTreeMap::new();
    for activity in activities {
        let folded = activity.resource.to_ascii_lowercase();
        let Some(below) = folded.strip_prefix(&prefix).filter(|below| below.is_empty() || below.starts_with('/'))
        else {
            continue;
        };
        let Some(operation) = change(&activity.operation) else { continue };
        let what = activity.resource[prefix.len()..].trim_start_matches('/').to_owned();
        let by = activity.caller.clone().unwrap_or_default();
        let changed = Changed { what, operation, at: activity.at, by };
        let newer = last.get(below).is_none_or(|known| known.at <= changed.at);
        if newer {
            last.insert(below.to_owned(), changed);
        }
    }
    let mut all: Vec<Changed> = last.into_values().collect();
    all.sort_by(|one, two| two.at.cmp(&one.at).then_with(|| one.what.cmp(&two.what)));
    all
}

/// `Microsoft.ApiManagement/service/apis/write` → `write`. None: it changes nothing that a backup holds.
fn change(operation: &str) -> Option<String> {
    let mut words = operation.rsplit('/');
    let verb = words.next()?.to_ascii_lowercase();
    match verb.as_str() {
        "write" | "delete" => Some(verb),
        "action" => {
            let name = words.next()?;
            let folded = name.to_ascii_lowercase();
            (!NO_CHANGES.iter().any(|begin| folded.starts_with(begin))).then(|| format!("{name}/action"))
        }
        _ => None,
    }
}

fn told(service: &str, changed: &[Changed]) -> Option<Finding> {
    let (more, shown) = (changed.len().saturating_sub(MOST_NAMED), changed.iter().take(MOST_NAMED));
    let mut names = shown.map(|one| format!("{} ({})", one.name(), one.how())).collect::<Vec<_>>().join("; ");
    if more > 0 {
        names = format!("{names}; and {more} more");
    }
    let message = format!("changed in {service} since the backup was made, and not in it: {names}");
    (!changed.is_empty()).then(|| codes::finding("changed-since-backup", message))
}

/// Entries that say too little, which nobody may take for none.
fn gaps(service: &ResourceId, unread: usize) -> Option<Finding> {
    let entries = if unread == 1 { "one entry".to_owned() } else { format!("{unread} entries") };
    let message = format!(
        "{entries} of the activity log of {} cannot be read: what was changed in {}, or when, is missing",
        service.group(),
        service.name()
    );
    (unread > 0).then(|| Finding {
        remedy: "look at the log of that time in the portal".to_owned(),
        ..codes::finding("changes-unread", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.ApiManagement/service/west";

    fn activity(below: &str, operation: &str, second: i64) -> Activity {
        Activity {
            at: Timestamp::from_second(second).unwrap(),
            operation: format!("Microsoft.ApiManagement/service/{operation}"),
            resource: format!("{}{below}", SERVICE.replace("resourceGroups", "resourcegroups")),
            caller: Some("ann@contoso.com".to_owned()),
        }
    }

    #[test]
    fn each_thing_is_named_once_as_it_was_changed_last() {
        let service = ResourceId::parse(SERVICE).unwrap();
        let found = of(
            &service,
            &[
                activity("/apis/Orders", "apis/write", 10),
                activity("/apis/orders", "apis/delete", 30),
                activity("/products/a/apis/b", "products/apis/write", 20),
                activity("", "write", 5),
                activity("", "backup/action", 40),
                activity("/subscriptions/s", "subscriptions/regeneratePrimaryKey/action", 25),
                activity("/namedValues/n", "namedValues/listValue/action", 50),
                activity("-2/apis/other", "apis/write", 60),
            ],
        );
        let told: Vec<String> = found.iter().map(|one| format!("{} {}", one.what, one.operation)).collect();
        let expected =
            ["apis/orders delete", "subscriptions/s regeneratePrimaryKey/action", "products/a/apis/b write", " write"];
        assert_eq!(told, expected);
        assert_eq!(
            (found[3].name(), found[3].how().as_str()),
            ("the service itself", "write by ann@contoso.com, 1970-01-01 00:00:05Z")
        );
    }
}
