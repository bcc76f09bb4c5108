//! What `traffic-manager.set-endpoints` and `front-door.set-origin` have in common: a pool of members, each of which
//! takes traffic or not, with a priority and a weight; and a list of members that shall be different.
//!
//! Pure. How members are read and written is in [`super::pool_azure`], what is done with them in [`super::pool_change`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::arguments::{EndpointKind, EndpointStatus, SetEndpoints, SetOrigin};
use crate::{
    plan::facts::Fact,
    run::{Intent, StepError},
    runbook::ResourceId,
};

/// Which pool.
#[derive(Debug)]
pub enum Pool {
    TrafficManager { profile: ResourceId },
    FrontDoor { profile: ResourceId, group: String },
}

/// A pool, and what shall be different in it, in the author's order.
#[derive(Debug)]
pub struct PoolChange {
    pub pool: Pool,
    pub wishes: Vec<Wish>,
}

/// What of one member shall be so; none: as it is.
#[derive(Debug)]
pub struct Wish {
    pub name: String,
    /// Of an endpoint of Traffic Manager.
    pub kind: Option<EndpointKind>,
    pub enabled: Option<bool>,
    pub priority: Option<u32>,
    pub weight: Option<u32>,
}

/// What of a member decides where traffic goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    pub enabled: bool,
    pub priority: Option<u32>,
    pub weight: Option<u32>,
}

#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    /// Of an endpoint of Traffic Manager; none when it is of a kind that this program does not know.
    pub kind: Option<EndpointKind>,
    pub setting: Setting,
    /// Where it sends traffic.
    pub target: Option<String>,
    /// What Traffic Manager's probes say of it: `Online`, `Degraded`.
    pub health: Option<String>,
    /// A change of it goes on, whoever asked for that.
    pub is_busy: bool,
}

/// A pool as it was read.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Traffic Manager only: the name that users ask for.
    pub hostname: Option<String>,
    /// False: the whole profile is switched off.
    pub is_enabled: bool,
    pub members: Vec<Member>,
}

/// Settings of the members that a change names, by folded name.
pub type Settings = BTreeMap<String, Setting>;

/// The pool before the change and which member is being changed, as the journal has it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Before {
    pub previous: Settings,
    pub member: String,
    /// Of the request; journals of older versions do not have it.
    #[serde(default)]
    pub sent_at: Option<Timestamp>,
}

impl From<SetEndpoints> for PoolChange {
    fn from(set: SetEndpoints) -> Self {
        let wishes = set.endpoints.into_iter().map(|change| Wish {
            name: change.name,
            kind: Some(change.kind),
            enabled: change.status.map(|status| status == EndpointStatus::Enabled),
            priority: change.priority,
            weight: change.weight,
        });
        Self { pool: Pool::TrafficManager { profile: set.profile }, wishes: wishes.collect() }
    }
}

impl From<SetOrigin> for PoolChange {
    fn from(set: SetOrigin) -> Self {
        let wishes = set.origins.into_iter().map(|change| Wish {
            name: change.name,
            kind: None,
            enabled: change.enabled,
            priority: change.priority,
            weight: change.weight,
        });
        Self { pool: Pool::FrontDoor { profile: set.profile, group: set.origin_group }, wishes: wishes.collect() }
    }
}

impl Wish {
    pub fn onto(&self, setting: &Setting) -> Setting {
        Setting {
            enabled: self.enabled.unwrap_or(setting.enabled),
            priority: self.priority.or(setting.priority),
            weight: self.weight.or(setting.weight),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.enabled.is_none() && self.priority.is_none() && self.weight.is_none()
    }
}

impl Setting {
    pub fn shown(&self) -> String {
        let mut words = vec![if self.enabled { "enabled" } else { "disabled" }.to_owned()];
        words.extend(self.priority.map(|priority| format!("priority {priority}")));
        words.extend(self.weight.map(|weight| format!("weight {weight}")));
        words.join(", ")
    }

    /// Only what differs: `disabled → enabled, priority 2 → 1`.
    fn difference(&self, after: &Self) -> String {
        let number = |number: Option<u32>| number.map_or_else(|| "none".to_owned(), |number| number.to_string());
        let mut words = Vec::new();
        if self.enabled != after.enabled {
            words.push(if after.enabled { "disabled → enabled" } else { "enabled → disabled" }.to_owned());
        }
        for (name, before, after) in
            [("priority", self.priority, after.priority), ("weight", self.weight, after.weight)]
        {
            if before != after {
                words.push(format!("{name} {} → {}", number(before), number(after)));
            }
        }
        words.join(", ")
    }
}

impl Seen {
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name.eq_ignore_ascii_case(name))
    }
}

impl Pool {
    /// What a member is called.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::TrafficManager { .. } => "endpoint",
            Self::FrontDoor { .. } => "origin",
        }
    }

    /// Name of the output that lists the members.
    pub fn output(&self) -> &'static str {
        match self {
            Self::TrafficManager { .. } => "endpoints",
            Self::FrontDoor { .. } => "origins",
        }
    }

    pub fn shown(&self) -> String {
        match self {
            Self::TrafficManager { profile } => format!("the Traffic Manager profile {}", profile.name()),
            Self::FrontDoor { profile, group } => format!("the origin group `{group}` of {}", profile.name()),
        }
    }

    /// One run at a time may hold it.
    pub fn target_id(&self) -> String {
        match self {
            Self::TrafficManager { profile } => profile.folded(),
            Self::FrontDoor { profile, group } => {
                format!("{}/origingroups/{}", profile.folded(), group.to_ascii_lowercase())
            }
        }
    }
}

impl PoolChange {
    /// What was there before the first request of this step: what an earlier attempt noted, else what the plan saw,
    /// else what is there now.
    pub fn previous(&self, earlier: Option<&Intent>, planned: &[Fact], seen: &Seen) -> Settings {
        let noted = earlier.and_then(|intent| Before::deserialize(&intent.before).ok());
        let of = |wish: &Wish| {
            let name = folded(&wish.name);
            let earlier = noted.as_ref().and_then(|before| before.previous.get(&name).cloned());
            let fact = format!("{}.{name}", self.pool.noun());
            let fact = planned.iter().find(|known| known.name == fact);
            let planned = fact.and_then(|fact| Setting::deserialize(&fact.value).ok());
            let found = seen.member(&wish.name).map(|member| member.setting.clone());
            Some((name, earlier.or(planned).or(found)?))
        };
        self.wishes.iter().filter_map(of).collect()
    }

    /// What is there now.
    pub fn found(&self, seen: &Seen) -> Settings {
        self.previous(None, &[], seen)
    }

    pub fn wanted(&self, previous: &Settings) -> Settings {
        let of = |wish: &Wish| {
            let name = folded(&wish.name);
            let setting = wish.onto(previous.get(&name)?);
            Some((name, setting))
        };
        self.wishes.iter().filter_map(of).collect()
    }

    /// Named members that are neither as before nor as they shall be: somebody else has changed them.
    pub fn strangers(&self, seen: &Seen, previous: &Settings) -> Vec<String> {
        let wanted = self.wanted(previous);
        let is_strange = |name: &str| match seen.member(name) {
            Some(member) => {
                let now = Some(&member.setting);
                now != previous.get(&folded(name)) && now != wanted.get(&folded(name))
            }
            None => true,
        };
        let names = self.wishes.iter().map(|wish| &wish.name);
        let told = |name: &String| {
            let shown = |setting: Option<&Setting>| setting.map_or_else(|| "gone".to_owned(), Setting::shown);
            format!(
                "`{name}` is {}, and was {}",
                shown(seen.member(name).map(|member| &member.setting)),
                shown(previous.get(&folded(name)))
            )
        };
        names.filter(|name| is_strange(name)).map(told).collect()
    }

    /// Names of the members that are as they shall be, and of those that are not, in the order of the change.
    pub fn set_and_unset(&self, seen: &Seen, previous: &Settings) -> (Vec<String>, Vec<String>) {
        let wanted = self.wanted(previous);
        let is_set = |wish: &&Wish| {
            seen.member(&wish.name).is_some_and(|member| Some(&member.setting) == wanted.get(&folded(&wish.name)))
        };
        let (set, unset): (Vec<&Wish>, Vec<&Wish>) = self.wishes.iter().partition(is_set);
        let names = |wishes: Vec<&Wish>| wishes.into_iter().map(|wish| wish.name.clone()).collect();
        (names(set), names(unset))
    }

    /// Names of the members that are not as they were before.
    pub fn not_back(&self, seen: &Seen, previous: &Settings) -> Vec<String> {
        let is_back =
            |name: &str| seen.member(name).is_some_and(|member| Some(&member.setting) == previous.get(&folded(name)));
        self.wishes.iter().map(|wish| wish.name.clone()).filter(|name| !is_back(name)).collect()
    }

    /// The members that it names, as they are: `` `east` enabled, priority 1; `west` gone ``.
    pub fn shown(&self, seen: &Seen) -> String {
        let one = |wish: &Wish| {
            let setting = seen.member(&wish.name).map_or_else(|| "gone".to_owned(), |member| member.setting.shown());
            format!("`{}` {setting}", wish.name)
        };
        self.wishes.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    /// One line for people.
    pub fn summary(&self, seen: &Seen) -> String {
        let subject = seen.hostname.clone().unwrap_or_else(|| self.pool.shown());
        let found = self.found(seen);
        let wanted = self.wanted(&found);
        let changes: Vec<String> = self
            .wishes
            .iter()
            .filter_map(|wish| {
                let (before, after) = (found.get(&folded(&wish.name))?, wanted.get(&folded(&wish.name))?);
                (before != after).then(|| format!("`{}` {}", wish.name, before.difference(after)))
            })
            .collect();
        match changes.as_slice() {
            [] => format!("leaves {subject} as it is: every {} is so already", self.pool.noun()),
            changes => format!("{subject}: {}", changes.join("; then ")),
        }
    }

    pub fn outputs(&self, hostname: Option<&str>, now: &Settings, previous: &Settings) -> Map<String, Value> {
        let list = |settings: &Settings| {
            let one = |wish: &Wish| {
                let setting = settings.get(&folded(&wish.name))?;
                let Setting { enabled, priority, weight } = setting;
                Some(json!({ "name": wish.name, "enabled": enabled, "priority": priority, "weight": weight }))
            };
            Value::Array(self.wishes.iter().filter_map(one).collect())
        };
        let mut outputs = Map::new();
        if let Some(hostname) = hostname {
            outputs.insert("hostname".to_owned(), json!(hostname));
        }
        outputs.insert(self.pool.output().to_owned(), list(now));
        outputs.insert("previous".to_owned(), list(previous));
        outputs
    }
}

/// Settings from a step's output, by folded name.
pub fn settings_in(output: Option<&Value>) -> Option<Settings> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
        enabled: bool,
        priority: Option<u32>,
        weight: Option<u32>,
    }
    let list = Vec::<Named>::deserialize(output?).ok()?;
    let pair = |Named { name, enabled, priority, weight }| (folded(&name), Setting { enabled, priority, weight });
    Some(list.into_iter().map(pair).collect())
}

/// Adds which members are set and which are not to an error in the middle.
pub fn told_apart(mut error: StepError, set: &[String], unset: &[String]) -> StepError {
    if !set.is_empty() {
        error.message = format!("{}; set: {}; not set: {}", error.message, quoted(set), quoted(unset));
    }
    error.details.insert("set".to_owned(), json!(set));
    error.details.insert("not_set".to_owned(), json!(unset));
    error
}

/// ARM does not mind the case of names.
pub fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// `` `east`, `west` ``, or `none`.
pub fn quoted(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
