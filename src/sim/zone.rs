//! The DNS zones through the resource manager, the public one and the private one: the zone, and CNAME record sets with
//! their etags. Private zones write keys in plain camel case and know no aliases (azure-facts 2.2); no name server of
//! this world serves them, as none of the internet does.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    arm::{self, Place},
    exchange::{Desk, Incoming, Reply},
    scenario::Scenario,
    state::{RecordSet, RecordState, State},
};

/// Which of the two zones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Realm {
    Public,
    Private,
}

impl Realm {
    /// As the resource manager writes it in answers.
    fn kind(self) -> &'static str {
        match self {
            Self::Public => "Microsoft.Network/dnszones",
            Self::Private => "Microsoft.Network/privateDnsZones",
        }
    }

    fn name(self, scenario: &Scenario) -> &str {
        match self {
            Self::Public => &scenario.zone.name,
            Self::Private => &scenario.private_zone.name,
        }
    }

    fn group(self, scenario: &Scenario) -> &str {
        match self {
            Self::Public => &scenario.zone.group,
            Self::Private => &scenario.private_zone.group,
        }
    }

    fn records(self, state: &State) -> &BTreeMap<String, RecordState> {
        match self {
            Self::Public => &state.records,
            Self::Private => &state.private_records,
        }
    }

    fn records_mut(self, state: &mut State) -> &mut BTreeMap<String, RecordState> {
        match self {
            Self::Public => &mut state.records,
            Self::Private => &mut state.private_records,
        }
    }

    /// Keys of TTL and CNAME record.
    fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::Public => ("TTL", "CNAMERecord"),
            Self::Private => ("ttl", "cnameRecord"),
        }
    }
}

#[derive(Deserialize)]
struct Body {
    properties: Properties,
}

/// The case of the keys is Azure's; it takes either.
#[derive(Deserialize)]
struct Properties {
    #[serde(rename = "TTL", alias = "ttl")]
    ttl: Option<u32>,
    #[serde(rename = "CNAMERecord", alias = "cnameRecord")]
    cname: Option<Cname>,
    metadata: Option<BTreeMap<String, String>>,
    #[serde(rename = "targetResource")]
    alias: Option<Alias>,
}

#[derive(Deserialize)]
struct Cname {
    cname: String,
}

#[derive(Deserialize)]
struct Alias {
    id: Option<String>,
}

pub(super) fn answer(desk: &mut Desk<'_>, incoming: &Incoming, place: &Place<'_>, realm: Realm) -> Reply {
    let group = place.group.unwrap_or_default();
    if !place.rest[2].eq_ignore_ascii_case(realm.name(desk.scenario))
        || !group.eq_ignore_ascii_case(realm.group(desk.scenario))
    {
        return arm::not_found(realm.kind(), place.rest[2], group);
    }
    let is_cname = |kind: &str| kind.eq_ignore_ascii_case("CNAME");
    match &place.rest[3..] {
        [] if incoming.method == Method::GET => the_zone(desk, realm),
        [kind] if incoming.method == Method::GET && (is_cname(kind) || kind.eq_ignore_ascii_case("recordsets")) => {
            list(desk, realm)
        }
        [kind, name] if is_cname(kind) => {
            let name = name.to_ascii_lowercase();
            match incoming.method {
                Method::GET => read(desk, &name, realm),
                Method::PUT => write(desk, incoming, &name, None, realm),
                Method::PATCH => patch(desk, incoming, &name, realm),
                Method::DELETE => delete(desk, incoming, &name, realm),
                _ => arm::no_method(incoming),
            }
        }
        [] | [_] => arm::no_method(incoming),
        _ => arm::no_route(incoming),
    }
}

fn zone_id(desk: &Desk<'_>, realm: Realm) -> String {
    let scenario = desk.scenario;
    let (group, name) = (realm.group(scenario), realm.name(scenario));
    format!("/subscriptions/{}/resourceGroups/{group}/providers/{}/{name}", scenario.subscription, realm.kind())
}

fn the_zone(desk: &Desk<'_>, realm: Realm) -> Reply {
    let records = realm.records(desk.state).values().filter(|record| record.current.is_some()).count();
    let properties = match realm {
        Realm::Public => {
            let servers = desk.scenario.dns.name_servers.iter().filter(|_| desk.scenario.zone.served);
            json!({
                "maxNumberOfRecordSets": 10000,
                "nameServers": servers.map(|server| format!("{server}.")).collect::<Vec<String>>(),
                // SOA and NS are record sets too.
                "numberOfRecordSets": records + 2,
                "zoneType": "Public",
            })
        }
        Realm::Private => json!({
            "maxNumberOfRecordSets": 25000,
            "maxNumberOfVirtualNetworkLinks": 1000,
            "maxNumberOfVirtualNetworkLinksWithRegistration": 100,
            "numberOfRecordSets": records + 1,
            "numberOfVirtualNetworkLinks": 1,
            "numberOfVirtualNetworkLinksWithRegistration": 0,
            "provisioningState": "Succeeded",
        }),
    };
    Reply::json(
        StatusCode::OK,
        &json!({
            "id": zone_id(desk, realm),
            "name": realm.name(desk.scenario),
            "type": realm.kind(),
            "etag": "00000002-0000-0000-7f1b-6d2c6f3fd901",
            "location": "global",
            "tags": {},
            "properties": properties,
        }),
    )
}

fn list(desk: &Desk<'_>, realm: Realm) -> Reply {
    let records = realm.records(desk.state).iter();
    let value: Vec<Value> =
        records.filter_map(|(name, record)| Some(record_json(desk, name, record.current.as_ref()?, realm))).collect();
    Reply::json(StatusCode::OK, &json!({ "value": value }))
}

fn record_json(desk: &Desk<'_>, name: &str, set: &RecordSet, realm: Realm) -> Value {
    let (ttl, cname_record) = realm.keys();
    let mut properties = json!({
        "metadata": set.metadata,
        "fqdn": format!("{name}.{}.", realm.name(desk.scenario)),
        ttl: set.ttl,
    });
    match realm {
        Realm::Public => {
            properties["targetResource"] = set.alias.as_ref().map_or_else(|| json!({}), |id| json!({ "id": id }));
            properties["provisioningState"] = json!("Succeeded");
        }
        Realm::Private => properties["isAutoRegistered"] = json!(is_auto_registered(desk, name)),
    }
    if let Some(target) = &set.target {
        properties[cname_record] = json!({ "cname": target });
    }
    json!({
        "id": format!("{}/CNAME/{name}", zone_id(desk, realm)),
        "name": name,
        "type": format!("{}/CNAME", realm.kind()),
        "etag": set.etag,
        "properties": properties,
    })
}

/// Of the private zone.
fn is_auto_registered(desk: &Desk<'_>, name: &str) -> bool {
    desk.scenario.private_zone.auto_registered.iter().any(|registered| registered.eq_ignore_ascii_case(name))
}

fn read(desk: &Desk<'_>, name: &str, realm: Realm) -> Reply {
    if let Some(set) = realm.records(desk.state).get(name).and_then(|record| record.current.as_ref()) {
        return Reply::json(StatusCode::OK, &record_json(desk, name, set, realm));
    }
    let message = format!(
        "The resource record '{name}' does not exist in resource group '{}' of subscription '{}'.",
        realm.group(desk.scenario),
        desk.scenario.subscription
    );
    Reply::error(StatusCode::NOT_FOUND, "NotFound", message)
}

/// Whether the request's conditions hold for the record set as it is.
fn refuse_stale(incoming: &Incoming, current: Option<&RecordSet>) -> Option<Reply> {
    let stale = |why: &str| {
        let message = format!("Precondition check failed. {why}");
        Some(Reply::error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message))
    };
    if incoming.header("if-none-match") == Some("*") && current.is_some() {
        return stale("The record set exists.");
    }
    match (incoming.header("if-match"), current) {
        (None, _) | (Some("*"), Some(_)) => None,
        (Some(wanted), Some(set)) if wanted.trim_matches('"') == set.etag => None,
        (Some(_), Some(_)) => stale("The ETag of the record set has changed."),
        (Some(_), None) => stale("The record set does not exist."),
    }
}

/// What the body does not name stays.
fn patch(desk: &mut Desk<'_>, incoming: &Incoming, name: &str, realm: Realm) -> Reply {
    match realm.records(desk.state).get(name).and_then(|record| record.current.clone()) {
        Some(stored) => write(desk, incoming, name, Some(&stored), realm),
        None => read(desk, name, realm),
    }
}

/// `kept`: the set that fills in what the body does not name.
fn write(desk: &mut Desk<'_>, incoming: &Incoming, name: &str, kept: Option<&RecordSet>, realm: Realm) -> Reply {
    let current = realm.records(desk.state).get(name).and_then(|record| record.current.as_ref());
    if let Some(refusal) = refuse_stale(incoming, current) {
        return refusal;
    }
    let existed = current.is_some();
    let bad = |message: String| Reply::error(StatusCode::BAD_REQUEST, "BadRequest", message);
    let properties = match serde_json::from_slice::<Body>(&incoming.body) {
        Ok(body) => body.properties,
        Err(error) => return bad(format!("The request body is not a record set: {error}")),
    };
    let mut alias = properties.alias.and_then(|alias| alias.id);
    let mut target = properties.cname.map(|cname| cname.cname);
    if let Some(kept) = kept.filter(|_| alias.is_none() && target.is_none()) {
        (alias, target) = (kept.alias.clone(), kept.target.clone());
    }
    let metadata = properties.metadata.or_else(|| kept.map(|kept| kept.metadata.clone())).unwrap_or_default();
    let ttl = properties.ttl.or(kept.map(|kept| kept.ttl));
    let Some(ttl) = ttl.filter(|ttl| (1..=i32::MAX.unsigned_abs()).contains(ttl)) else {
        return bad("The record set needs a TTL between 1 and 2147483647.".to_owned());
    };
    if target.is_some() == alias.is_some() {
        return bad("The record set needs either a CNAME record or a target resource.".to_owned());
    }
    if realm == Realm::Private && (alias.is_some() || is_auto_registered(desk, name)) {
        return bad("The record set is not one that can be written in a private zone.".to_owned());
    }
    if name == "@" {
        return bad("A CNAME record set cannot be at the apex of the zone.".to_owned());
    }
    let etag = desk.state.guid();
    let set = RecordSet { target, ttl, etag, metadata, alias };
    let body = record_json(desk, name, &set, realm);
    realm.records_mut(desk.state).entry(name.to_owned()).or_default().set(Some(set), desk.now);
    desk.state.effects.record_puts_accepted += 1;
    desk.state.changed = true;
    Reply::json(if existed { StatusCode::OK } else { StatusCode::CREATED }, &body)
}

fn delete(desk: &mut Desk<'_>, incoming: &Incoming, name: &str, realm: Realm) -> Reply {
    let Some(record) = realm.records_mut(desk.state).get_mut(name).filter(|record| record.current.is_some()) else {
        return Reply::empty(StatusCode::NO_CONTENT);
    };
    if let Some(refusal) = refuse_stale(incoming, record.current.as_ref()) {
        return refusal;
    }
    record.set(None, desk.now);
    desk.state.effects.record_deletes_accepted += 1;
    desk.state.changed = true;
    Reply::empty(StatusCode::OK)
}

/// Somebody else writes the record set of a request just before it: a new etag, and a new target if one is given.
pub(super) fn meddle(desk: &mut Desk<'_>, path: &str, target: Option<&str>) {
    let Some(name) = path.trim_matches('/').rsplit('/').next().map(str::to_ascii_lowercase) else { return };
    let etag = desk.state.guid();
    let now = desk.now;
    let private = path.to_ascii_lowercase().contains("/privatednszones/");
    let realm = if private { Realm::Private } else { Realm::Public };
    let Some(record) = realm.records_mut(desk.state).get_mut(&name) else { return };
    let Some(set) = record.current.clone() else { return };
    let target = target.map(str::to_owned).or(set.target);
    record.set(Some(RecordSet { target, etag, ..set }), now);
    desk.state.changed = true;
}
