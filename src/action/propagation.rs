//! `dns.verify-propagation`: waits until the world sees the new target.
//!
//! ```text
//!  every name server of the zone, every address of each      say it ─┐
//!  every resolver of the panel                     no longer cache ──┴─► old TTL has run out ─► done
//! ```
//!
//! Reads only. Asks no cache before the source has changed, so that it does not plant the old answer there itself.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Context, Done, Recorder,
    arguments::VerifyPropagation,
    cname_change::drained_at,
    cname_notes::{About, Noted, folded},
    error,
    fact::{Facts, after, note, note_until},
};
use crate::{
    azure::{Arm, dns},
    net::{Dns, DnsAnswer, RecordData, RecordKind, ResponseCode},
    plan::facts::{Finding, Probe},
    run::{Disposition, StepError},
    runbook::span,
};

const DNS_PORT: u16 = 53;
/// A resolver that has been silent this often in a row misleads nobody, and is no longer waited for.
const PATIENCE_WITH_RESOLVER: u32 = 3;
/// What is not said again although nothing moved: a line in the journal every so many rounds is enough.
const ROUNDS_BETWEEN_NOTES: u32 = 12;

/// A server that is asked.
#[derive(Clone, Debug)]
struct Server {
    /// `ns1-07.azure-dns.com`, or the address.
    name: String,
    addresses: Vec<SocketAddr>,
    /// A resolver: may cache, and is asked to recurse.
    resolver: bool,
    silent_rounds: u32,
}

/// What one server said last. The worst of its addresses speaks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The expected target.
    Agrees,
    /// A name server that still gives another target: it lags.
    Lags {
        target: String,
    },
    /// A resolver that still holds another target, for so many seconds more.
    Caches {
        target: String,
        ttl: u32,
    },
    /// It knows no such record.
    NoRecord {
        code: ResponseCode,
    },
    Silent {
        why: String,
    },
}

impl Sight {
    /// Says the same as another, for somebody who watches: a cache's seconds count down and are no news.
    fn resembles(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Caches { target, .. }, Self::Caches { target: before, .. }) => target == before,
            (Self::Silent { .. }, Self::Silent { .. }) => true,
            (one, before) => one == before,
        }
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agrees => f.write_str("gives the new target"),
            Self::Lags { target } => write!(f, "lags: it still answers {target}"),
            Self::Caches { target, ttl } => write!(f, "still has {target} in its cache, for {ttl} s more"),
            Self::NoRecord { code } => write!(f, "knows no such CNAME ({code:?})"),
            Self::Silent { why } => write!(f, "does not answer ({why})"),
        }
    }
}

/// When the old answer was replaced, and for how long caches may keep it.
#[derive(Clone, Debug)]
struct Drain {
    flipped_at: Timestamp,
    previous_ttl: Duration,
    /// Where that is known from.
    source: String,
    /// The TTL was changed before the flip, and caches may hold the old answer with the TTL from before that until then.
    earlier_ttl_until: Option<Timestamp>,
}

pub async fn probe(arguments: &VerifyPropagation, context: &Context) -> Result<Probe, StepError> {
    let (servers, mut findings) = servers(arguments, context, &context.arm).await?;
    let record = dns::cname(&context.arm, &arguments.zone, &arguments.record).await;
    let ttl = record.as_ref().ok().map(|record| Duration::from_secs(u64::from(record.ttl)));
    let name = hostname(arguments);
    let mut facts = Facts::seen(format!("DNS {} SOA", arguments.zone.name()), context.clock.now());
    for server in &servers {
        let said = match can_be_asked(&context.dns, server, &folded(arguments.zone.name())).await {
            Ok(()) => "answers".to_owned(),
            Err(why) => {
                findings.push(Finding::warning(
                    "dns-server-silent",
                    format!("{} does not answer ({why})", server.name),
                    "let this machine ask it on port 53 over UDP and TCP, or name other servers in the site's `dns`",
                ));
                format!("does not answer ({why})")
            }
        };
        facts = facts.with_volatile(&format!("dns.{}", server.name), said);
    }
    let drain = ttl.filter(|_| arguments.drain).unwrap_or_default();
    Ok(Probe {
        summary: format!(
            "asks {} servers until all give {} for {name}, and waits {} for old answers to run out",
            servers.len(),
            arguments.target,
            span::format(drain),
        ),
        facts: facts.into_vec(),
        findings,
        verified: false,
        expected: ttl.map(|_| drain.max(arguments.interval)),
        ..Probe::default()
    })
}

pub async fn perform(arguments: &VerifyPropagation, context: &Context, record: &Recorder) -> Result<Done, StepError> {
    let arm = context.arm.noting(record.sink());
    let started = context.clock.now();
    let (servers, findings) = servers(arguments, context, &arm).await?;
    for finding in &findings {
        note(record, &finding.message);
    }
    let mut watch = Watch::new(servers, hostname(arguments), arguments.target.clone());
    let agreed_late_at = watch.until_agreed(context, record, arguments.interval).await;
    let agreed_at = context.clock.now();
    let drained_at = drain(arguments, context, &arm, record, started, agreed_late_at).await;
    let told = watch.told();
    let outputs = Map::from_iter([
        ("servers".to_owned(), Value::Object(told.clone())),
        ("drained_at".to_owned(), json!(drained_at)),
    ]);
    Ok(Done { outputs, evidence: json!({ "servers": told, "agreed_at": agreed_at, "rounds": watch.round }) })
}

/// Round after round of questions, until nobody is waited for.
#[derive(Debug)]
struct Watch {
    servers: Vec<Server>,
    name: String,
    target: String,
    /// What each server said last; none: it has not been asked yet.
    sights: Vec<Option<Sight>>,
    round: u32,
}

impl Watch {
    fn new(servers: Vec<Server>, name: String, target: String) -> Self {
        let sights = vec![None; servers.len()];
        Self { servers, name, target, sights, round: 0 }
    }

    /// Resolvers are asked once the name servers agree: asking earlier would put the old answer into their caches.
    /// When a name server lagged: the time at which all of them agreed.
    async fn until_agreed(&mut self, context: &Context, record: &Recorder, interval: Duration) -> Option<Timestamp> {
        let mut lagged = false;
        let mut agreed_at = None;
        loop {
            self.ask(&context.dns, false, record).await;
            if self.is_waited_for(false) {
                // Also when it had agreed before: what counts is the last time that it did not.
                (lagged, agreed_at) = (true, None);
            } else {
                agreed_at.get_or_insert_with(|| context.clock.now());
                self.ask(&context.dns, true, record).await;
                if !self.is_waited_for(true) {
                    return agreed_at.filter(|_| lagged);
                }
            }
            let next_look = after(context.clock.now(), interval);
            if self.round == 0 {
                note_until(record, format!("waiting for {}", self.waited_for()), next_look);
            }
            self.round += 1;
            context.clock.sleep_until(next_look).await;
        }
    }

    /// Asks the name servers, or the resolvers, all at once; says what is news.
    async fn ask(&mut self, dns: &Dns, resolvers: bool, record: &Recorder) {
        let mut asked = tokio::task::JoinSet::new();
        for (place, server) in self.servers.iter().enumerate().filter(|(_, server)| server.resolver == resolvers) {
            let (dns, server, name, target) = (dns.clone(), server.clone(), self.name.clone(), self.target.clone());
            asked.spawn(async move { (place, look(&dns, &server, &name, &target).await) });
        }
        let mut answers: Vec<(usize, Sight)> = asked.join_all().await;
        answers.sort_by_key(|(place, _)| *place);
        for (place, sight) in answers {
            let server = &mut self.servers[place];
            server.silent_rounds = if matches!(sight, Sight::Silent { .. }) { server.silent_rounds + 1 } else { 0 };
            let is_news = match &self.sights[place] {
                None => sight != Sight::Agrees,
                Some(before) => !sight.resembles(before),
            };
            let reminder =
                self.round > 0 && self.round.is_multiple_of(ROUNDS_BETWEEN_NOTES) && holds_up(server, &sight);
            if is_news || reminder {
                note(record, format!("{} {sight}", server.name));
            }
            self.sights[place] = Some(sight);
        }
    }

    fn is_waited_for(&self, resolvers: bool) -> bool {
        let sights = self.servers.iter().zip(&self.sights).filter(|(server, _)| server.resolver == resolvers);
        sights.into_iter().any(|(server, sight)| sight.as_ref().is_none_or(|sight| holds_up(server, sight)))
    }

    fn waited_for(&self) -> String {
        let held = |(server, sight): (&Server, &Option<Sight>)| {
            sight.as_ref().is_some_and(|sight| holds_up(server, sight)).then(|| server.name.clone())
        };
        self.servers.iter().zip(&self.sights).filter_map(held).collect::<Vec<_>>().join(", ")
    }

    fn told(&self) -> Map<String, Value> {
        let told = |(server, sight): (&Server, &Option<Sight>)| {
            Some((server.name.clone(), json!(sight.as_ref()?.to_string())))
        };
        self.servers.iter().zip(&self.sights).filter_map(told).collect()
    }
}

/// Waits until no cache may hold the old answer any more. None when that is not wanted.
async fn drain(
    arguments: &VerifyPropagation,
    context: &Context,
    arm: &Arm,
    record: &Recorder,
    started: Timestamp,
    agreed_late_at: Option<Timestamp>,
) -> Option<Timestamp> {
    if !arguments.drain {
        return None;
    }
    let drain = known_drain(arguments, arm, started).await;
    // A name server that lagged gave the old answer until it agreed, with its whole TTL.
    let since = agreed_late_at.map_or(drain.flipped_at, |agreed| agreed.max(drain.flipped_at));
    let own = after(since, drain.previous_ttl);
    let drained_at = drain.earlier_ttl_until.map_or(own, |earlier| earlier.max(own));
    if drained_at > context.clock.now() {
        let held = if drained_at > own {
            "with the TTL that it had until that was changed (noted on the record)".to_owned()
        } else {
            format!("for its TTL of {} ({})", span::format(drain.previous_ttl), drain.source)
        };
        note_until(record, format!("every server agrees; the old answer may live in caches {held}"), drained_at);
        context.clock.sleep_until(drained_at).await;
    }
    Some(drained_at)
}

/// The record notes both; without the notes the present TTL and the start of this step are the best that is known.
async fn known_drain(arguments: &VerifyPropagation, arm: &Arm, started: Timestamp) -> Drain {
    let record = match dns::cname(arm, &arguments.zone, &arguments.record).await {
        Ok(record) => record,
        Err(failure) => {
            return Drain {
                flipped_at: started,
                previous_ttl: FALLBACK_TTL,
                source: format!("assumed, since the record cannot be read: {failure}"),
                earlier_ttl_until: None,
            };
        }
    };
    let flip = Noted::on(&record.metadata, About::Target);
    let source = match (flip.at, flip.ttl) {
        (Some(_), Some(_)) => "noted on the record",
        (_, _) => "from the present TTL and the start of this step, since the record notes no flip",
    };
    let flipped_at = flip.at.unwrap_or(started);
    let lowering = Noted::on(&record.metadata, About::Ttl);
    Drain {
        flipped_at,
        previous_ttl: Duration::from_secs(u64::from(flip.ttl.unwrap_or(record.ttl))),
        source: source.to_owned(),
        // A TTL that was changed after the flip is that of the new answer.
        earlier_ttl_until: drained_at(&lowering).filter(|_| lowering.at.is_some_and(|at| at <= flipped_at)),
    }
}

/// Azure DNS gives new records an hour, as its own tools do.
const FALLBACK_TTL: Duration = Duration::from_hours(1);

fn hostname(arguments: &VerifyPropagation) -> String {
    folded(&format!("{}.{}", arguments.record, arguments.zone.name()))
}

/// Whether the step waits for this server.
fn holds_up(server: &Server, sight: &Sight) -> bool {
    match sight {
        Sight::Agrees => false,
        Sight::Silent { .. } => !server.resolver || server.silent_rounds < PATIENCE_WITH_RESOLVER,
        Sight::Lags { .. } | Sight::Caches { .. } | Sight::NoRecord { .. } => true,
    }
}

/// Asks for the zone's SOA: asking for the record would put its old answer into caches just before the flip.
async fn can_be_asked(dns: &Dns, server: &Server, zone: &str) -> Result<(), String> {
    let mut silence = "it has no address".to_owned();
    for address in &server.addresses {
        match dns.ask(*address, zone, RecordKind::Soa, server.resolver).await {
            Ok(_) => return Ok(()),
            Err(failure) => silence = failure.to_string(),
        }
    }
    Err(silence)
}

/// Asks every address of a server; one that does not answer counts only when none does.
async fn look(dns: &Dns, server: &Server, name: &str, target: &str) -> Sight {
    let mut answers = Vec::new();
    let mut silence = "it has no address".to_owned();
    let mut addresses = server.addresses.clone();
    if addresses.is_empty() {
        // It could not be looked up at the start; by now it may be.
        match dns.addresses(&server.name).await {
            Ok(found) => addresses = Server::named(server.name.clone(), &found).addresses,
            Err(failure) => silence = failure.to_string(),
        }
    }
    for address in &addresses {
        match dns.ask(*address, name, RecordKind::Cname, server.resolver).await {
            Ok(answer) => answers.push(judge(&answer, name, target, server.resolver)),
            Err(failure) => silence = failure.to_string(),
        }
    }
    let worst = answers.iter().find(|sight| **sight != Sight::Agrees).or(answers.first());
    worst.cloned().unwrap_or(Sight::Silent { why: silence })
}

/// What an answer means. Pure.
fn judge(answer: &DnsAnswer, name: &str, target: &str, resolver: bool) -> Sight {
    match answer.code {
        ResponseCode::NoError => {}
        code @ ResponseCode::NxDomain => return Sight::NoRecord { code },
        code @ (ResponseCode::ServFail | ResponseCode::Refused | ResponseCode::Other(_)) => {
            return Sight::Silent { why: format!("it answers {code:?}") };
        }
    }
    let found = answer.records.iter().find_map(|record| match &record.data {
        RecordData::Cname(found) if folded(&record.name) == name => Some((folded(found), record.ttl)),
        RecordData::Cname(_) | RecordData::Address(_) | RecordData::Ns(_) | RecordData::Other(_) => None,
    });
    match found {
        None => Sight::NoRecord { code: answer.code },
        Some((found, _)) if found == target => Sight::Agrees,
        Some((target, ttl)) if resolver => Sight::Caches { target, ttl },
        Some((target, _)) => Sight::Lags { target },
    }
}

/// The zone's name servers and the panel. The site's `dns.authoritative` wins over what the zone names.
async fn servers(
    arguments: &VerifyPropagation,
    context: &Context,
    arm: &Arm,
) -> Result<(Vec<Server>, Vec<Finding>), StepError> {
    let mut findings = Vec::new();
    let zone = folded(arguments.zone.name());
    let named = context.site.dns.authoritative.iter().find(|(name, _)| folded(name) == zone);
    let mut servers: Vec<Server> = if let Some((_, addresses)) = named {
        addresses.iter().map(|address| Server::at(*address, false)).collect()
    } else {
        let zone = dns::zone(arm, &arguments.zone)
            .await
            .map_err(|failure| error::from_read(&format!("the zone {zone}"), &failure))?;
        let mut servers = Vec::new();
        for name in zone.name_servers {
            let addresses = context.dns.addresses(&name).await.unwrap_or_else(|failure| {
                findings.push(Finding::warning(
                    "name-server-unknown",
                    format!("the address of the name server {name} cannot be had: {failure}"),
                    "check the site's `dns.resolvers`, or name the servers in `dns.authoritative`",
                ));
                Vec::new()
            });
            servers.push(Server::named(name, &addresses));
        }
        servers
    };
    if servers.is_empty() {
        return Err(StepError::new(
            Disposition::Final,
            "no-name-servers",
            format!("Azure names no name servers for {}", arguments.zone.name()),
            "check that this is the public zone, or name its servers in the site's `dns.authoritative`",
        ));
    }
    servers.extend(context.dns.panel().into_iter().map(|address| Server::at(address, true)));
    Ok((servers, findings))
}

impl Server {
    fn at(address: SocketAddr, resolver: bool) -> Self {
        let name = if resolver { format!("resolver {address}") } else { address.to_string() };
        Self { name, addresses: vec![address], resolver, silent_rounds: 0 }
    }

    fn named(name: String, addresses: &[IpAddr]) -> Self {
        let addresses = addresses.iter().map(|address| SocketAddr::new(*address, DNS_PORT)).collect();
        Self { name, addresses, resolver: false, silent_rounds: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::DnsRecord;

    fn answer(code: ResponseCode, target: Option<&str>) -> DnsAnswer {
        let record = |target: &str| DnsRecord {
            name: "api.contoso.com".to_owned(),
            ttl: 17,
            data: RecordData::Cname(target.to_owned()),
        };
        DnsAnswer { records: target.map(record).into_iter().collect(), authoritative: true, code }
    }

    fn sight(code: ResponseCode, target: Option<&str>, resolver: bool) -> Sight {
        judge(&answer(code, target), "api.contoso.com", "new.example.net", resolver)
    }

    #[test]
    fn a_server_that_lags_one_that_caches_and_one_that_is_silent_are_told_apart() {
        let ok = ResponseCode::NoError;
        assert_eq!(sight(ok, Some("New.example.net."), false), Sight::Agrees);
        assert_eq!(sight(ok, Some("old.example.net"), false).to_string(), "lags: it still answers old.example.net");
        assert_eq!(
            sight(ok, Some("old.example.net"), true).to_string(),
            "still has old.example.net in its cache, for 17 s more"
        );
        assert!(sight(ok, None, false).to_string().starts_with("knows no such CNAME"));
        assert!(sight(ResponseCode::NxDomain, None, true).to_string().starts_with("knows no such CNAME"));
        for code in [ResponseCode::ServFail, ResponseCode::Refused, ResponseCode::Other(9)] {
            assert!(sight(code, None, true).to_string().starts_with("does not answer"));
        }
    }

    #[test]
    fn a_name_server_is_waited_for_and_a_silent_resolver_only_for_a_while() {
        let address = "192.0.2.1:53".parse().unwrap();
        let silent = Sight::Silent { why: "no answer".to_owned() };
        let server = |resolver, silent_rounds| Server { silent_rounds, ..Server::at(address, resolver) };
        assert!(holds_up(&server(false, 100), &silent));
        assert!(holds_up(&server(true, 1), &silent));
        assert!(!holds_up(&server(true, PATIENCE_WITH_RESOLVER), &silent));
        assert!(holds_up(&server(true, 100), &Sight::Caches { target: "old".to_owned(), ttl: 1 }));
    }
}
