//! The rows of the matrix, and the points of a row: where one thing goes wrong in one run.

use std::{fmt, str::FromStr, time::Duration};

use super::{
    blow::{Blow, Cut, Outage, Reach},
    shared::DOWN,
};
use crate::{
    runbook::Mode,
    sim::{Act, DnsTrouble, GatewayFault, GatewayTrouble, MemberChange, Moment, Scenario, Status, Twice},
};

/// One kind of mishap.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Unique, kebab-case.
    pub slug: &'static str,
    /// What happens, as a lower-case fragment.
    pub words: &'static str,
    pub(super) blow: Blow,
    /// It happens while the plan is made.
    pub(super) planning: bool,
}

/// A process is started again at once, or after everything that takes longer than most timeouts.
const SHORT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_mins(40);
/// Longer than any request is waited for.
const HANG: Duration = Duration::from_mins(5);
/// How far a clock is set.
const HOURS: i64 = 2 * 3600;

const fn row(slug: &'static str, words: &'static str, blow: Blow) -> Row {
    Row { slug, words, blow, planning: false }
}

const fn while_planning(slug: &'static str, words: &'static str, blow: Blow) -> Row {
    Row { slug, words, blow, planning: true }
}

/// Every row, in the order in which they are shown.
pub fn rows() -> &'static [Row] {
    ROWS
}

const ROWS: &[Row] = &[
    row("cut-before", "power cut before an append, resumed after 5 s", Blow::Cut(Cut::Before, SHORT)),
    row("cut-within", "power cut in the middle of an append, resumed after 5 s", Blow::Cut(Cut::Within, SHORT)),
    row("cut-after", "power cut after an append, resumed after 5 s", Blow::Cut(Cut::After, SHORT)),
    row("cut-before-long", "power cut before an append, resumed after 40 min", Blow::Cut(Cut::Before, LONG)),
    row("cut-within-long", "power cut in the middle of an append, resumed after 40 min", Blow::Cut(Cut::Within, LONG)),
    row("cut-after-long", "power cut after an append, resumed after 40 min", Blow::Cut(Cut::After, LONG)),
    row("disk-full", "the disk fills in the middle of an append", Blow::DiskFull),
    row("clock-forward", "the machine's clock is set 2 h forward at an append", Blow::Clock(HOURS)),
    row("clock-back", "the machine's clock is set 2 h back at an append", Blow::Clock(-HOURS)),
    row("take-over", "another process takes the run over after an append, while the first lives", Blow::TakeOver),
    row(
        "store-refuses",
        "the shared store refuses everything for 3 s after an append",
        Blow::Store(Outage::Refuses(Duration::from_secs(3))),
    ),
    row("store-down", "the shared store is down for 3 min after an append", Blow::Store(Outage::Refuses(DOWN))),
    row("store-answer", "the shared store takes a record and its answer is lost", Blow::Store(Outage::LosesAnswer)),
    row(
        "reset-before",
        "the connection is reset before Azure acts",
        Blow::Strike(|| Act::Reset(Moment::Before), Reach::All),
    ),
    row(
        "reset-after",
        "the connection is reset after Azure acted",
        Blow::Strike(|| Act::Reset(Moment::After), Reach::All),
    ),
    row(
        "twice-first",
        "the request arrives twice, the first answer comes back",
        Blow::Strike(|| Act::Twice(Twice::First), Reach::All),
    ),
    row(
        "twice-second",
        "the request arrives twice, the second answer comes back",
        Blow::Strike(|| Act::Twice(Twice::Second), Reach::All),
    ),
    row("hang", "Azure acts and answers 5 min late", Blow::Strike(|| Act::Hang(HANG), Reach::All)),
    row("truncate", "Azure acts and half of the answer arrives", Blow::Strike(|| Act::Truncate, Reach::All)),
    row("status-401", "401: the token is not taken", Blow::Strike(|| status(401, None, false), Reach::All)),
    row("status-403", "403: forbidden", Blow::Strike(|| status(403, None, false), Reach::All)),
    row("status-404", "404: not found", Blow::Strike(|| status(404, None, false), Reach::All)),
    row("status-409", "409: the service is locked", Blow::Strike(|| status(409, None, false), Reach::All)),
    row("status-429", "429 with Retry-After", Blow::Strike(|| status(429, Some(RETRY), false), Reach::All)),
    row("status-500", "500", Blow::Strike(|| status(500, None, false), Reach::All)),
    row("status-500-acted", "500, and Azure acted all the same", Blow::Strike(|| status(500, None, true), Reach::All)),
    row("status-503", "503 with Retry-After", Blow::Strike(|| status(503, Some(RETRY), false), Reach::All)),
    row("expire-tokens", "every token expires", Blow::Strike(|| Act::ExpireTokens, Reach::All)),
    row("lose-operation", "the operation's URL is lost", Blow::Strike(|| Act::LoseOperation, Reach::Operations)),
    row("fail-operation", "the operation fails", Blow::Strike(failed_operation, Reach::Operations)),
    row("stick-operation", "the operation never ends", Blow::Strike(|| Act::StickOperation, Reach::Operations)),
    row("stale-etag", "the record's ETag moves", Blow::Strike(|| Act::StaleEtag, Reach::Records)),
    row("change-record", "somebody else changes the record", Blow::Strike(foreign_record, Reach::Records)),
    row("change-member", "somebody else changes an endpoint or origin", Blow::Strike(foreign_member, Reach::Members)),
    row(
        "active-region-down",
        "the first region is lost for 10 min",
        Blow::Lasting(|it| Act::RegionDown(it.active.location.clone())),
    ),
    row(
        "standby-region-down",
        "the second region is lost for 10 min",
        Blow::Lasting(|it| Act::RegionDown(it.standby.location.clone())),
    ),
    row("name-server-down", "a name server is silent for 10 min", Blow::Lasting(|it| server(it, None))),
    row("name-server-lag", "a name server lags 5 min behind for 10 min", Blow::Lasting(|it| server(it, Some(5)))),
    row("resolver-down", "a resolver is silent for 10 min", Blow::Lasting(|_| resolver())),
    row(
        "gateway-flap",
        "the standby's gateway refuses every second connection for 10 min",
        Blow::Lasting(|it| gateway(it, GatewayTrouble::Flap)),
    ),
    row(
        "gateway-down",
        "the standby's gateway is down for 10 min",
        Blow::Lasting(|it| gateway(it, GatewayTrouble::Down)),
    ),
    row(
        "gateway-wrong-certificate",
        "the standby's gateway shows another name's certificate for 10 min",
        Blow::Lasting(|it| gateway(it, GatewayTrouble::WrongCertificate)),
    ),
    row(
        "gateway-expired-certificate",
        "the standby's gateway shows an expired certificate for 10 min",
        Blow::Lasting(|it| gateway(it, GatewayTrouble::ExpiredCertificate)),
    ),
    while_planning(
        "plan-reset-before",
        "while planning: the connection is reset before Azure acts",
        Blow::Strike(|| Act::Reset(Moment::Before), Reach::All),
    ),
    while_planning(
        "plan-hang",
        "while planning: Azure answers 5 min late",
        Blow::Strike(|| Act::Hang(HANG), Reach::All),
    ),
    while_planning(
        "plan-truncate",
        "while planning: half of the answer arrives",
        Blow::Strike(|| Act::Truncate, Reach::All),
    ),
    while_planning("plan-status-403", "while planning: 403", Blow::Strike(|| status(403, None, false), Reach::All)),
    while_planning(
        "plan-status-429",
        "while planning: 429 with Retry-After",
        Blow::Strike(|| status(429, Some(RETRY), false), Reach::All),
    ),
    while_planning(
        "plan-status-503",
        "while planning: 503 with Retry-After",
        Blow::Strike(|| status(503, Some(RETRY), false), Reach::All),
    ),
    while_planning(
        "plan-expire-tokens",
        "while planning: every token expires",
        Blow::Strike(|| Act::ExpireTokens, Reach::All),
    ),
];

const RETRY: Duration = Duration::from_secs(30);

fn status(code: u16, retry_after: Option<Duration>, acted: bool) -> Act {
    Act::Status(Status { code, error_code: None, message: None, retry_after, acted })
}

fn failed_operation() -> Act {
    Act::FailOperation { code: "OperationFailed".to_owned(), message: "The operation failed.".to_owned() }
}

fn foreign_record() -> Act {
    Act::ChangeRecord { target: "somebody-else.contoso.net".to_owned() }
}

/// The endpoint or origin that leaves, in every built-in profile.
fn foreign_member() -> Act {
    Act::ChangeMember(MemberChange { member: "west".to_owned(), weight: Some(7), ..MemberChange::default() })
}

/// `lag`: minutes; none: silent.
fn server(scenario: &Scenario, lag: Option<u64>) -> Act {
    let server = scenario.dns.name_servers.first().cloned().unwrap_or_default();
    Act::DnsServer(DnsTrouble { server, lag: lag.map(Duration::from_mins), down: lag.is_none() })
}

fn resolver() -> Act {
    Act::DnsServer(DnsTrouble { server: "resolver-1".to_owned(), lag: None, down: true })
}

fn gateway(scenario: &Scenario, trouble: GatewayTrouble) -> Act {
    Act::Gateway(GatewayFault { service: scenario.standby.name.clone(), trouble })
}

/// Where one thing goes wrong in one run. Written `MODE/ROW/NUMBER`.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub mode: Mode,
    pub row: &'static Row,
    /// Of the append, or of the request, from 0.
    pub number: u32,
}

impl PartialEq for Point {
    fn eq(&self, other: &Self) -> bool {
        (self.mode, self.row.slug, self.number) == (other.mode, other.row.slug, other.number)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.mode, self.row.slug, self.number)
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('/');
        let (Some(mode), Some(slug), Some(number), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("a point is written MODE/ROW/NUMBER, such as unplanned/cut-after/12".to_owned());
        };
        let mode = Mode::ALL.into_iter().find(|known| known.as_str() == mode);
        let mode = mode.ok_or("a point begins with planned, unplanned or drill")?;
        let row = ROWS.iter().find(|row| row.slug == slug).ok_or_else(|| format!("the matrix has no row `{slug}`"))?;
        let number = number.parse().map_err(|_| format!("`{number}` is no number of an append or a request"))?;
        Ok(Self { mode, row, number })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_point_is_read_as_it_is_written() {
        for row in ROWS {
            let point = Point { mode: Mode::Drill, row, number: 7 };
            assert_eq!(Point::from_str(&point.to_string()).unwrap().to_string(), point.to_string());
        }
        for wrong in
            ["", "drill", "drill/cut-after", "drill/cut-after/x", "night/cut-after/1", "drill/rain/1", "a/b/1/2"]
        {
            assert!(Point::from_str(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_two_rows_have_one_name() {
        let slugs: BTreeSet<&str> = ROWS.iter().map(|row| row.slug).collect();
        assert_eq!(slugs.len(), ROWS.len());
    }
}
