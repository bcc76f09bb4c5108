//! What goes wrong: at an append of the journal, at a request, or for a while from a request on. Data.

use std::time::Duration;

use jiff::Timestamp;

use crate::sim::{Act, Fault, LoggedRequest, Scenario};

/// How long something lasts that begins at a request: longer than most retries, shorter than most runs.
const WHILE: Duration = Duration::from_mins(10);

#[derive(Clone, Copy, Debug)]
pub(super) enum Blow {
    /// The process dies, and another one goes on after so long.
    Cut(Cut, Duration),
    /// Half of the append fits. There is room again when another process goes on.
    DiskFull,
    /// Seconds by which the process's clock is set; Azure has another clock.
    Clock(i64),
    /// Another process takes the run over while this one lives, through a shared store.
    TakeOver,
    /// The shared store that the run is kept in does not answer.
    Store(Outage),
    /// One request is struck.
    Strike(fn() -> Act, Reach),
    /// From the moment of a request on, for [`WHILE`].
    Lasting(fn(&Scenario) -> Act),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Before,
    Within,
    After,
}

/// What becomes of requests to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outage {
    /// They are refused for so long.
    Refuses(Duration),
    /// The next write is done, and its answer is lost.
    LosesAnswer,
}

/// Requests that a fault can do anything to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    All,
    /// Those that start an operation or ask for one.
    Operations,
    /// Those about a record of DNS.
    Records,
    /// Those about an endpoint or an origin.
    Members,
}

impl Blow {
    pub fn is_at_appends(&self) -> bool {
        match self {
            Self::Cut(..) | Self::DiskFull | Self::Clock(_) | Self::TakeOver | Self::Store(_) => true,
            Self::Strike(..) | Self::Lasting(_) => false,
        }
    }

    /// Numbers of the requests at which it can do something, given all of an undisturbed run.
    pub fn numbers(&self, requests: &[LoggedRequest]) -> Vec<u32> {
        let all = requests.iter().enumerate();
        let numbers: Vec<usize> = match self {
            Self::Cut(..) | Self::DiskFull | Self::Clock(_) | Self::TakeOver | Self::Store(_) => Vec::new(),
            Self::Strike(_, reach) => {
                all.filter(|(_, request)| reach.holds(request)).map(|(number, _)| number).collect()
            }
            // Requests of one moment are one moment.
            Self::Lasting(_) => {
                let first = |number: usize| number == 0 || requests[number - 1].at != requests[number].at;
                all.map(|(number, _)| number).filter(|number| first(*number)).collect()
            }
        };
        numbers.into_iter().filter_map(|number| u32::try_from(number).ok()).collect()
    }

    /// The faults of a world in which it happens at a request.
    pub fn faults(&self, scenario: &Scenario, number: u32, requests: &[LoggedRequest], began: Timestamp) -> Vec<Fault> {
        match self {
            Self::Cut(..) | Self::DiskFull | Self::Clock(_) | Self::TakeOver | Self::Store(_) => Vec::new(),
            Self::Strike(act, _) => vec![Fault::new(act()).skip(number).times(1)],
            Self::Lasting(act) => {
                let at = requests.get(number as usize).map_or(began, |request| request.at);
                let from = Duration::try_from(at.duration_since(began)).unwrap_or_default();
                vec![Fault::new(act(scenario)).between(from, Some(from + WHILE))]
            }
        }
    }

    /// Somebody else changes what the run changes: its end may be another.
    pub fn meddles(&self) -> bool {
        matches!(self, Self::Strike(_, Reach::Records | Reach::Members))
    }
}

impl Reach {
    fn holds(self, request: &LoggedRequest) -> bool {
        let path = request.url.split('?').next().unwrap_or_default().to_ascii_lowercase();
        let holds = |part: &str| path.contains(part);
        match self {
            Self::All => true,
            Self::Operations => {
                let starts = request.method == "POST" && (path.ends_with("/restore") || path.ends_with("/backup"));
                let changes = request.method == "PATCH" && holds("/microsoft.cdn/");
                starts || changes || holds("operationresult") || holds("operationstatus")
            }
            Self::Records => holds("dnszones/") && holds("/cname/"),
            Self::Members => holds("/trafficmanagerprofiles/") || holds("/origins/"),
        }
    }
}
