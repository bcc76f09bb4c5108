//! Which hostnames lead to a service: would overwriting it overwrite what clients use?
//!
//! Asks the resolvers for the CNAME of every hostname that somebody gave the service. Reads only. What nobody answers is
//! told as unknown, never as "serves nobody", and stops nothing: an outage may have taken the resolvers too.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use serde_json::json;
use tokio::task::JoinSet;

use super::{Call, Context, Recorder, cname_notes::folded, fact::note, verify_standby::custom_hostnames};
use crate::{
    azure::apim::Service,
    net::{RecordData, RecordKind, ResponseCode},
    plan::{
        facts::Finding,
        live::{self, RESTORE_OVER_LIVE, SERVES},
    },
    run::{Disposition, StepError},
};

/// More than a gateway has in practice; what lies beyond is told as unknown.
const MOST_HOSTNAMES: usize = 32;
/// One that answers is enough, and a few that do not agree tell of a cache.
const MOST_RESOLVERS: usize = 4;
/// A resolver that needs longer tells nothing: the plan, and the restore, go on without it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the resolvers say of a service's hostnames; both sorted.
#[derive(Debug)]
pub struct Serving {
    pub hostnames: Vec<String>,
    /// Nobody tells where these lead.
    pub untold: Vec<String>,
}

impl Serving {
    /// What is not known.
    pub fn unverified(&self, service: &str) -> Option<Finding> {
        (!self.untold.is_empty()).then(|| {
            Finding::warning(
                "serving-unverified",
                format!("it is not known whether {service} serves {}: no resolver tells", self.untold.join(", ")),
                "make sure by other means that no client uses the service that will be overwritten; let this machine ask \
                 the site's `dns.resolvers`",
            )
        })
    }
}

/// One resolver that names the service's gateway is enough.
pub async fn look(service: &Service, context: &Context) -> Serving {
    let all: BTreeSet<String> = custom_hostnames(service).iter().map(|(name, _)| folded(name)).collect();
    let (mut hostnames, mut untold) = (BTreeSet::new(), all.clone());
    if let Some(gateway) = service.gateway_host().map(|host| folded(&host)) {
        let resolvers: Vec<SocketAddr> = context.dns.panel().into_iter().take(MOST_RESOLVERS).collect();
        let mut asked = JoinSet::new();
        for name in all.into_iter().take(MOST_HOSTNAMES) {
            for resolver in resolvers.clone() {
                let (context, name) = (context.clone(), name.clone());
                asked.spawn(async move {
                    let targets = targets(&context, resolver, &name).await;
                    (name, targets)
                });
            }
        }
        for (name, targets) in asked.join_all().await {
            let Some(targets) = targets else { continue };
            untold.remove(&name);
            if targets.contains(&gateway) {
                hostnames.insert(name);
            }
        }
    }
    Serving { hostnames: hostnames.into_iter().collect(), untold: untold.into_iter().collect() }
}

/// Where a name points as one resolver tells it; none: it tells nothing.
async fn targets(context: &Context, resolver: SocketAddr, name: &str) -> Option<Vec<String>> {
    let answer = tokio::select! {
        biased;
        answer = context.dns.ask(resolver, name, RecordKind::Cname, true) => answer.ok()?,
        () = context.clock.patience(PATIENCE) => return None,
    };
    match answer.code {
        ResponseCode::NoError | ResponseCode::NxDomain => {}
        ResponseCode::ServFail | ResponseCode::Refused | ResponseCode::Other(_) => return None,
    }
    let target = |data| match data {
        RecordData::Cname(target) => Some(folded(&target)),
        RecordData::Address(_) | RecordData::Ns(_) | RecordData::Other(_) => None,
    };
    Some(answer.records.into_iter().filter_map(|record| target(record.data)).collect())
}

/// Looks again, right before a restore is sent: nothing may lead to the service that the plan did not know of.
///
/// # Errors
/// Refused: a name was moved to the service since the plan was made, and nobody forced the run.
pub async fn refuse_live(
    (name, service): (&str, &Service),
    call: &Call,
    context: &Context,
    record: &Recorder,
) -> Result<(), StepError> {
    let seen = look(service, context).await;
    if let Some(finding) = seen.unverified(name) {
        note(record, finding.message);
    }
    let planned = call.planned.iter().find(|fact| fact.name == SERVES).and_then(|fact| fact.value.as_array());
    let known = |hostname: &String| planned.is_some_and(|planned| planned.contains(&json!(hostname)));
    let new: Vec<String> = seen.hostnames.into_iter().filter(|hostname| !known(hostname)).collect();
    if new.is_empty() {
        return Ok(());
    }
    let message = live::message(name, &new);
    if let Some(forced) = &call.forced {
        note(record, forced.over(&message));
        return Ok(());
    }
    let mut step = StepError::new(
        Disposition::Refused,
        RESTORE_OVER_LIVE,
        format!("{message}; when the plan was made, it did not"),
        "find out who moved the name and why (the zone's activity log): if the failover has happened already, \
         `lifeboat abort` this run; nothing was sent",
    );
    step.details.insert("serves".to_owned(), json!(new));
    Err(step)
}
