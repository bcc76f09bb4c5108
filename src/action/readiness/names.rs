//! Names: whether the world asks the name servers that Azure will change, and for how long it keeps the old answer.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    ask::{Asker, Seen},
    subjects::{Probed, Subject},
};
use crate::{
    action::{
        cname_notes::{About, Noted},
        fact::after,
    },
    azure::{
        AzureError, AzureErrorKind,
        dns::{self, Zone},
    },
    net::{RecordData, RecordKind, ResponseCode},
    plan::{codes, facts::Finding},
    runbook::{ActionKind, ResourceId, span},
};

/// A TTL that takes more than this share of the recovery time objective is most of a short failover.
const SHARE_OF_RTO: u32 = 4;
/// The objective that is assumed where the runbook names none.
const USUAL_RTO: Duration = Duration::from_hours(1);

/// A public zone, as Azure tells it and as resolvers find it.
#[derive(Clone, Debug)]
pub struct SeenZone {
    id: ResourceId,
    zone: Seen<Zone>,
    delegated: Seen<Vec<String>>,
}

pub async fn observe(asker: &Asker<'_>, zone: &Subject) -> SeenZone {
    let (told, delegated) =
        tokio::join!(asker.ask(dns::zone(asker.arm(), &zone.id)), asker.ask(delegation(asker, zone.id.name())),);
    SeenZone { id: zone.id.clone(), zone: told, delegated }
}

/// Names of the name servers that the first resolver that answers is sent to, sorted.
async fn delegation(asker: &Asker<'_>, zone: &str) -> Result<Vec<String>, AzureError> {
    let dns = &asker.context.dns;
    let mut last = "there is no resolver".to_owned();
    for resolver in dns.panel() {
        match dns.ask(resolver, zone, RecordKind::Ns, true).await {
            Ok(answer) if !matches!(answer.code, ResponseCode::NoError | ResponseCode::NxDomain) => {
                last = format!("{resolver} answers {:?}", answer.code);
            }
            Ok(answer) => {
                let servers = answer.records.iter().filter_map(|record| match &record.data {
                    RecordData::Ns(server) => Some(server.trim_end_matches('.').to_ascii_lowercase()),
                    RecordData::Address(_) | RecordData::Cname(_) | RecordData::Other(_) => None,
                });
                let mut servers: Vec<String> = servers.collect();
                servers.sort();
                return Ok(servers);
            }
            Err(failure) => last = failure.to_string(),
        }
    }
    Err(AzureError::new(AzureErrorKind::Transport, last))
}

/// Whether the domain is delegated to the name servers of this zone. Pure.
pub fn judge_delegation(seen: &SeenZone) -> Option<Finding> {
    let name = seen.id.name();
    // A zone that cannot be read, or has no name servers, is told by the probe that needs it.
    let own = seen.zone.answer.as_ref().ok().map(|zone| &zone.name_servers).filter(|own| !own.is_empty())?;
    let finding = match &seen.delegated.answer {
        Err(failure) => codes::finding(
            "delegation-unverified",
            format!("no resolver tells to which name servers {name} is delegated: {failure}"),
        ),
        Ok(found) if !found.iter().any(|server| own.contains(server)) => {
            let found = if found.is_empty() { "nobody".to_owned() } else { found.join(", ") };
            codes::finding(
                "zone-not-delegated",
                format!(
                    "{name} is delegated to {found}, and not to the name servers of this zone ({})",
                    own.join(", ")
                ),
            )
        }
        Ok(found) if found.len() != own.len() || !own.iter().all(|server| found.contains(server)) => codes::finding(
            "zone-delegation-differs",
            format!("{name} is delegated to {}, and the zone has {}", found.join(", "), own.join(", ")),
        ),
        Ok(_) => return None,
    };
    Some(finding.on(name).seen(seen.delegated.at))
}

/// The TTL in force against the objective, for every record that is moved. Pure.
pub fn judge_ttl(probed: &[Probed<'_>], rto: Option<Duration>, now: Timestamp) -> Vec<Finding> {
    let flips =
        probed.iter().filter(|probed| matches!(probed.kind, ActionKind::FlipCname | ActionKind::FlipPrivateCname));
    flips.filter_map(|flip| long_ttl(flip, rto, now)).collect()
}

fn long_ttl(flip: &Probed<'_>, rto: Option<Duration>, now: Timestamp) -> Option<Finding> {
    let fact = |name: &str| flip.facts.iter().find(|fact| fact.name == name);
    let read = fact("record.ttl")?;
    let ttl = u32::try_from(read.value.as_u64()?).ok()?;
    let metadata = fact("record.metadata").and_then(|fact| BTreeMap::deserialize(&fact.value).ok()).unwrap_or_default();
    let in_force = in_force(ttl, &metadata, now);
    let objective = rto.unwrap_or(USUAL_RTO);
    let longest = objective / SHARE_OF_RTO;
    let hostname = fact("record.hostname").and_then(|fact| fact.value.as_str()).unwrap_or("the record");
    let seconds = Duration::from_secs(u64::from(in_force));
    (seconds > longest).then(|| {
        let lowered = if in_force > ttl {
            format!(" (it was lowered to {ttl} s, and caches still hold the old one)")
        } else {
            String::new()
        };
        let message = format!(
            "caches may keep the old target of {hostname} for {}{lowered}, and the objective is {}",
            span::format(seconds),
            span::format(objective)
        );
        let finding = codes::finding("ttl-exceeds-rto", message).on(hostname).seen(read.observed_at);
        Finding { step: Some(flip.step.clone()), ..finding }
    })
}

/// Seconds for which a cache may hold what it heard: for as long as the TTL before the last change said, if that has not
/// run out.
fn in_force(ttl: u32, metadata: &BTreeMap<String, String>, now: Timestamp) -> u32 {
    let earlier = [About::Ttl, About::Target].into_iter().filter_map(|about| {
        let noted = Noted::on(metadata, about);
        let (before, at) = (noted.ttl?, noted.at?);
        (after(at, Duration::from_secs(u64::from(before))) > now).then_some(before)
    });
    earlier.chain([ttl]).max().unwrap_or(ttl)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lowered_ttl_holds_once_the_old_one_has_run_out() {
        let lowered: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        let metadata = BTreeMap::from([("lifeboat_ttl_before".to_owned(), format!("3600 {lowered} run-1"))]);
        let minutes = |minutes| after(lowered, Duration::from_mins(minutes));
        assert_eq!(in_force(60, &metadata, minutes(59)), 3600);
        assert_eq!(in_force(60, &metadata, minutes(61)), 60);
        assert_eq!(in_force(60, &BTreeMap::new(), minutes(1)), 60);
    }
}
