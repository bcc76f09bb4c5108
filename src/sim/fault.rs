//! Faults: what goes wrong, on which requests, how often and when. Data and matching only; what a fault does
//! to an answer is in `respond`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::scenario::Scenario;
use crate::runbook::span;

/// One fault of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Requests it is for; absent: all. Means nothing for `dns-server` and `region-down`.
    #[serde(default, skip_serializing_if = "On::is_all")]
    pub on: On,
    /// Lets this many matching requests pass first.
    #[serde(default)]
    pub skip: u32,
    /// Strikes so many times; absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Of striking a request that it could strike.
    #[serde(default = "certain")]
    pub probability: f64,
    /// Since the start of the world.
    #[serde(default, with = "span")]
    pub from: Duration,
    #[serde(default, with = "span::optional", skip_serializing_if = "Option::is_none")]
    pub until: Option<Duration>,
    #[serde(rename = "do")]
    pub act: Act,
}

/// Which requests. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct On {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Of the path with its query: a glob when it holds a `*`, else a part of it. Case does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// This answer instead of the real one.
    Status(Status),
    /// The connection is reset, before or after the server acted on the request.
    Reset(Moment),
    /// The server acts and answers so much later.
    Hang(#[serde(with = "span")] Duration),
    /// The server acts; half of the body arrives.
    Truncate,
    /// Something between sends the request on twice; the answer to one of the two comes back.
    Twice(Twice),
    /// Every token that was given so far has expired.
    ExpireTokens,
    /// The operation that the request starts or asks for goes on, but its URL is not found any more.
    LoseOperation,
    /// The operation that the request starts or asks for fails.
    FailOperation {
        code: String,
        message: String,
    },
    /// The operation that the request starts or asks for never ends.
    StickOperation,
    /// The record set gets a new etag just before the request is looked at.
    StaleEtag,
    /// Somebody else changes the record set just before the request is looked at.
    ChangeRecord {
        target: String,
    },
    /// Somebody else changes an endpoint or origin of the profile that the request names, just before it is looked at.
    ChangeMember(MemberChange),
    /// A name server or resolver lags behind or does not answer.
    DnsServer(DnsTrouble),
    Gateway(GatewayFault),
    /// A region (display form) is lost.
    RegionDown(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    pub code: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, with = "span::optional", skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// The server acted on the request all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub acted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    Before,
    After,
}

/// Which of two answers comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Twice {
    First,
    Second,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsTrouble {
    /// A name server by its name; `resolver-1`, `resolver-2`, … by number.
    pub server: String,
    #[serde(default, with = "span::optional", skip_serializing_if = "Option::is_none")]
    pub lag: Option<Duration>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub down: bool,
}

/// What somebody else makes of an endpoint or origin; absent: as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberChange {
    pub member: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayFault {
    pub service: String,
    pub trouble: GatewayTrouble,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayTrouble {
    /// Every second connection is refused.
    Flap,
    Down,
    /// It shows a certificate for another name.
    WrongCertificate,
    ExpiredCertificate,
}

fn certain() -> f64 {
    1.0
}

impl Fault {
    /// On every request, always.
    pub fn new(act: Act) -> Self {
        Self { on: On::default(), skip: 0, times: None, probability: 1.0, from: Duration::ZERO, until: None, act }
    }

    /// An error answer of the resource manager instead of the real one.
    pub fn status(code: u16, error_code: &str) -> Self {
        Self::new(Act::Status(Status {
            code,
            error_code: Some(error_code.to_owned()),
            message: None,
            retry_after: None,
            acted: false,
        }))
    }

    /// Only on requests of `method` whose path matches; see [`On::path`].
    #[must_use]
    pub fn on(mut self, method: &str, path: &str) -> Self {
        self.on = On { method: Some(method.to_owned()), path: Some(path.to_owned()), host: self.on.host };
        self
    }

    #[must_use]
    pub fn skip(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    #[must_use]
    pub fn between(mut self, from: Duration, until: Option<Duration>) -> Self {
        (self.from, self.until) = (from, until);
        self
    }

    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    /// Whether it can strike `elapsed` after the start of the world.
    pub(super) fn is_in_season(&self, elapsed: Duration) -> bool {
        elapsed >= self.from && self.until.is_none_or(|until| elapsed < until)
    }

    /// A lower-case fragment that says what is wrong.
    pub(super) fn check(&self, scenario: &Scenario) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.probability) {
            return Err("`probability` must be between 0 and 1".to_owned());
        }
        match &self.act {
            Act::Status(status) if !(100..=599).contains(&status.code) => {
                Err(format!("{} is not a status code", status.code))
            }
            Act::DnsServer(trouble) if trouble.lag.is_some() == trouble.down => {
                Err("`dns-server` needs either `lag` or `down: true`".to_owned())
            }
            Act::DnsServer(trouble) if !knows_server(scenario, &trouble.server) => {
                Err(format!("there is no name server or resolver `{}`", trouble.server))
            }
            Act::Gateway(fault) if ![&scenario.active.name, &scenario.standby.name].contains(&&fault.service) => {
                Err(format!("there is no service `{}`", fault.service))
            }
            Act::Status(_)
            | Act::Reset(_)
            | Act::Hang(_)
            | Act::Truncate
            | Act::Twice(_)
            | Act::ExpireTokens
            | Act::LoseOperation
            | Act::FailOperation { .. }
            | Act::StickOperation
            | Act::StaleEtag
            | Act::ChangeRecord { .. }
            | Act::ChangeMember(_)
            | Act::DnsServer(_)
            | Act::Gateway(_)
            | Act::RegionDown(_) => Ok(()),
        }
    }
}

fn knows_server(scenario: &Scenario, name: &str) -> bool {
    scenario.dns.name_servers.iter().any(|server| server == name)
        || (1..=scenario.dns.resolvers).any(|number| name == format!("resolver-{number}"))
}

impl On {
    fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// `target`: path and query.
    pub(super) fn matches(&self, method: &str, host: &str, target: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.host.as_ref().is_none_or(|wanted| fits(wanted, host))
            && self.path.as_ref().is_none_or(|wanted| fits(wanted, target))
    }
}

/// A glob when it holds a `*`, else a part of the text.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let rest: Vec<&str> = pieces.collect();
    let Some((last, middle)) = rest.split_last() else { return text.contains(&pattern) };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    for piece in middle {
        let Some(at) = left.find(piece) else { return false };
        left = &left[at + piece.len()..];
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_globs_or_parts() {
        let path =
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/a/restore?api-version=1";
        for pattern in ["/restore", "*/restore?*", "*Service/*/restore*", "*", "/subscriptions/*=1"] {
            assert!(fits(pattern, path), "{pattern}");
        }
        for pattern in ["/backup", "*/restore", "/service*", "*a*a*restore*x"] {
            assert!(!fits(pattern, path), "{pattern}");
        }
    }

    #[test]
    fn a_season_begins_and_ends() {
        let minute = Duration::from_mins(1);
        let fault = Fault::new(Act::Truncate).between(minute, Some(2 * minute));
        assert!(!fault.is_in_season(Duration::ZERO));
        assert!(fault.is_in_season(minute));
        assert!(!fault.is_in_season(2 * minute));
    }
}
