//! The one function that answers every request: faults first, then the room that the request is for.

use std::time::Duration;

use http::{Method, StatusCode};

use super::{
    apim, arm, assertion, blob, entra,
    exchange::{Answer, Desk, Door, Ending, Incoming, Reply},
    fault::{Act, Moment, Status, Twice},
    front_door, gateway,
    observe::LoggedRequest,
    state::Planned,
    traffic_manager, vault, zone,
};

/// Answers `incoming` and does what it asks for. Also true: `expired`, if every token was just taken back.
pub(super) fn respond(desk: &mut Desk<'_>, incoming: &Incoming) -> (Answer, bool) {
    apim::settle(desk);
    front_door::settle(desk);
    count(desk, incoming);
    let struck = faults(desk, incoming);
    let acts: Vec<&Act> = struck.iter().map(|place| &desk.scenario.faults[*place].act).collect();
    for act in &acts {
        before(desk, incoming, act);
    }
    let known = (desk.state.operations.len(), desk.state.pools.updates.len());
    let mut delay = desk.scenario.latency;
    let ending = match acts.iter().find(|act| decides(act)) {
        None => Ending::Whole(handle(desk, incoming)),
        Some(Act::Reset(Moment::Before)) => Ending::Reset,
        Some(Act::Reset(Moment::After)) => {
            handle(desk, incoming);
            Ending::Reset
        }
        Some(Act::Status(status)) => {
            if status.acted {
                handle(desk, incoming);
            }
            Ending::Whole(error(desk, incoming, status))
        }
        Some(Act::Truncate) => Ending::Truncated(handle(desk, incoming)),
        Some(Act::Twice(which)) => {
            let first = handle(desk, incoming);
            count(desk, incoming);
            let second = handle(desk, incoming);
            Ending::Whole(match which {
                Twice::First => first,
                Twice::Second => second,
            })
        }
        Some(Act::Hang(length)) => {
            delay += *length;
            Ending::Whole(handle(desk, incoming))
        }
        Some(_) => unreachable!("`decides` names them all"),
    };
    for act in &acts {
        after(desk, known, act);
    }
    let status = match &ending {
        Ending::Whole(reply) | Ending::Truncated(reply) => Some(reply.status.as_u16()),
        Ending::Reset => None,
    };
    let faults = acts.iter().map(|act| name(act)).collect();
    desk.state.remember_request(LoggedRequest {
        at: desk.now,
        method: incoming.method.to_string(),
        url: without_signature(&incoming.url()),
        status,
        faults,
    });
    (Answer { delay, ending }, acts.iter().any(|act| matches!(act, Act::ExpireTokens)))
}

/// Effects count what was received, too, whatever becomes of it.
fn count(desk: &mut Desk<'_>, incoming: &Incoming) {
    if incoming.door != Door::Front {
        return;
    }
    let path = incoming.path.to_ascii_lowercase();
    let effects = &mut desk.state.effects;
    let counter = match incoming.method {
        Method::POST if path.ends_with("/restore") => &mut effects.restore_posts_received,
        Method::POST if path.ends_with("/backup") => &mut effects.backup_posts_received,
        Method::PATCH if path.contains("/trafficmanagerprofiles/") => &mut effects.endpoint_patches_received,
        Method::PATCH if path.contains("/microsoft.cdn/") => &mut effects.origin_patches_received,
        Method::PUT | Method::PATCH if path.contains("dnszones/") => &mut effects.record_puts_received,
        _ => return,
    };
    *counter += 1;
    desk.state.changed = true;
}

fn handle(desk: &mut Desk<'_>, incoming: &Incoming) -> Reply {
    if let Door::Gateway(service) = &incoming.door {
        return gateway::answer(desk, incoming, service);
    }
    let host = incoming.host().to_ascii_lowercase();
    if let Some(account) = host.strip_suffix(".blob.core.windows.net") {
        return blob::answer(desk, incoming, account, &incoming.path);
    }
    // Beside the host, an emulator's style: the account as the first segment.
    let rest = incoming.path.trim_start_matches('/').strip_prefix(desk.scenario.storage.account.as_str());
    if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        return blob::answer(desk, incoming, &desk.scenario.storage.account, rest);
    }
    if let Some(rest) = vault::path(desk, incoming, &host) {
        return vault::answer(desk, incoming, &rest);
    }
    let identity = assertion::answer(desk, incoming).or_else(|| entra::answer(desk, incoming));
    identity.unwrap_or_else(|| arm::answer(desk, incoming))
}

/// Places of the faults that strike this request. Of those that decide the answer, only the first does.
fn faults(desk: &mut Desk<'_>, incoming: &Incoming) -> Vec<usize> {
    let (method, host, target) = (incoming.method.as_str(), incoming.host().to_owned(), incoming.target());
    let mut struck = Vec::new();
    let mut decided = false;
    for (place, fault) in desk.scenario.faults.iter().enumerate() {
        let of_requests = match &fault.act {
            Act::DnsServer(_) | Act::Gateway(_) | Act::RegionDown(_) => false,
            act => !(decided && decides(act)),
        };
        if of_requests && fault.on.matches(method, &host, &target) && strikes(desk, place) {
            decided |= decides(&fault.act);
            struck.push(place);
        }
    }
    struck
}

/// Counts a chance of a fault, and says whether it takes it.
pub(super) fn strikes(desk: &mut Desk<'_>, place: usize) -> bool {
    let fault = &desk.scenario.faults[place];
    let elapsed = Duration::try_from(desk.now.duration_since(desk.state.started)).unwrap_or_default();
    if !fault.is_in_season(elapsed) {
        return false;
    }
    desk.state.changed = true;
    let counted = &mut desk.state.strikes[place];
    counted.seen += 1;
    let due = counted.seen > fault.skip && fault.times.is_none_or(|times| counted.struck < times);
    let strikes = due && desk.state.happens(fault.probability);
    desk.state.strikes[place].struck += u32::from(strikes);
    strikes
}

/// Whether it says what the client gets; the others change the world and let the request through.
fn decides(act: &Act) -> bool {
    match act {
        Act::Status(_) | Act::Reset(_) | Act::Hang(_) | Act::Truncate | Act::Twice(_) => true,
        Act::ExpireTokens
        | Act::LoseOperation
        | Act::FailOperation { .. }
        | Act::StickOperation
        | Act::StaleEtag
        | Act::ChangeRecord { .. }
        | Act::ChangeMember(_)
        | Act::DnsServer(_)
        | Act::Gateway(_)
        | Act::RegionDown(_) => false,
    }
}

fn before(desk: &mut Desk<'_>, incoming: &Incoming, act: &Act) {
    match act {
        Act::ExpireTokens => {
            for token in &mut desk.state.tokens {
                token.expires = token.expires.min(desk.now);
            }
        }
        Act::StaleEtag => zone::meddle(desk, &incoming.path, None),
        Act::ChangeRecord { target } => zone::meddle(desk, &incoming.path, Some(target)),
        Act::ChangeMember(change) => traffic_manager::meddle(desk, &incoming.path, &change.member, |setting| {
            setting.enabled = change.enabled.unwrap_or(setting.enabled);
            setting.priority = change.priority.or(setting.priority);
            setting.weight = change.weight.unwrap_or(setting.weight);
        }),
        Act::LoseOperation | Act::FailOperation { .. } | Act::StickOperation => {
            let named = |id: &str| incoming.path.split('/').any(|segment| segment == id);
            if let Some(place) = desk.state.pools.updates.iter().position(|update| named(&update.id)) {
                front_door::tamper(desk, place, act, true);
            }
            let id = incoming.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            if let Some(place) = desk.state.operations.iter().position(|operation| operation.id == id) {
                tamper(desk, place, act, true);
            }
        }
        Act::Status(_)
        | Act::Reset(_)
        | Act::Hang(_)
        | Act::Truncate
        | Act::Twice(_)
        | Act::DnsServer(_)
        | Act::Gateway(_)
        | Act::RegionDown(_) => {}
    }
}

/// On the operations that the request has started.
fn after(desk: &mut Desk<'_>, (operations, updates): (usize, usize), act: &Act) {
    front_door::tamper(desk, updates, act, false);
    for place in operations..desk.state.operations.len() {
        tamper(desk, place, act, false);
    }
}

/// `now`: a failure shows at once, not when the operation would have ended.
fn tamper(desk: &mut Desk<'_>, place: usize, act: &Act, now: bool) {
    let at = desk.now;
    let operation = &mut desk.state.operations[place];
    match act {
        Act::LoseOperation => operation.lost = true,
        Act::StickOperation if !operation.ended => operation.ends = None,
        Act::FailOperation { code, message } if !operation.ended => {
            operation.outcome = Planned::Failed { code: code.clone(), message: message.clone() };
            if now {
                operation.ends = Some(at);
            }
        }
        _ => return,
    }
    desk.state.changed = true;
    apim::settle(desk);
}

fn error(desk: &mut Desk<'_>, incoming: &Incoming, status: &Status) -> Reply {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let usual = match status.code {
        401 => "ExpiredAuthenticationToken",
        403 => "AuthorizationFailed",
        404 => "ResourceNotFound",
        409 => "ServiceLocked",
        412 => "PreconditionFailed",
        429 => "TooManyRequests",
        500 => "InternalServerError",
        503 => "ServiceUnavailable",
        _ => "SimulatedFault",
    };
    let message = status.message.clone().unwrap_or_else(|| format!("The simulator was told to answer {code}."));
    let reply = match incoming.door {
        Door::Gateway(_) => Reply::empty(code),
        Door::Front => {
            arm::dress(desk, incoming, Reply::error(code, status.error_code.as_deref().unwrap_or(usual), message))
        }
    };
    match status.retry_after {
        Some(after) => reply.with("retry-after", desk.retry_after(after.as_secs())),
        None => reply,
    }
}

fn name(act: &Act) -> String {
    match act {
        Act::Status(status) => format!("status {}", status.code),
        Act::Reset(Moment::Before) => "reset before".to_owned(),
        Act::Reset(Moment::After) => "reset after".to_owned(),
        Act::Hang(_) => "hang".to_owned(),
        Act::Truncate => "truncate".to_owned(),
        Act::Twice(Twice::First) => "twice first".to_owned(),
        Act::Twice(Twice::Second) => "twice second".to_owned(),
        Act::ExpireTokens => "expire-tokens".to_owned(),
        Act::LoseOperation => "lose-operation".to_owned(),
        Act::FailOperation { .. } => "fail-operation".to_owned(),
        Act::StickOperation => "stick-operation".to_owned(),
        Act::StaleEtag => "stale-etag".to_owned(),
        Act::ChangeRecord { .. } => "change-record".to_owned(),
        Act::ChangeMember(_) => "change-member".to_owned(),
        Act::DnsServer(_) => "dns-server".to_owned(),
        Act::Gateway(_) => "gateway".to_owned(),
        Act::RegionDown(_) => "region-down".to_owned(),
    }
}

/// A signature in a URL is as good as a key.
fn without_signature(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let masked: Vec<&str> =
        query.split('&').map(|pair| if pair.starts_with("sig=") { "sig=***" } else { pair }).collect();
    format!("{path}?{}", masked.join("&"))
}
