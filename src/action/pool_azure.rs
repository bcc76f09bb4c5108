//! A pool on the wire: reads its members, and sends the change of one.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::{
    Context, Recorder,
    arguments::EndpointKind,
    fact::{after, note, note_until},
    pool::{Member, Pool, PoolChange, Seen, Setting, Wish},
};
use crate::{
    azure::{
        Arm, AzureError, AzureErrorKind, Operation, OperationState, Reply, front_door, operation,
        traffic_manager::{self, Endpoint},
    },
    plan::facts::PlannedRequest,
};

/// Between two looks at what goes on, when Azure names no time: Front Door takes a minute or more.
const POLL_INTERVAL: Duration = Duration::from_secs(10);
/// Azure may ask for more; a switch of traffic is watched more closely than that.
const LONGEST_POLL: Duration = Duration::from_mins(1);

impl Pool {
    pub fn url(&self, arm: &Arm) -> Url {
        match self {
            Self::TrafficManager { profile } => traffic_manager::profile_url(arm, profile),
            Self::FrontDoor { profile, group } => front_door::origins_url(arm, profile, group),
        }
    }

    pub async fn read(&self, arm: &Arm) -> Result<Seen, AzureError> {
        match self {
            Self::TrafficManager { profile } => {
                let found = traffic_manager::profile(arm, profile).await?;
                let members = found.endpoints.into_iter().map(endpoint).collect();
                Ok(Seen { hostname: found.hostname, is_enabled: found.is_enabled, members })
            }
            Self::FrontDoor { profile, group } => {
                let origins = front_door::origins(arm, profile, group).await?;
                let member = |origin: front_door::Origin| Member {
                    is_busy: origin.is_busy(),
                    name: origin.name,
                    kind: None,
                    setting: Setting { enabled: origin.is_enabled, priority: origin.priority, weight: origin.weight },
                    target: origin.host,
                    health: None,
                };
                Ok(Seen { hostname: None, is_enabled: true, members: origins.into_iter().map(member).collect() })
            }
        }
    }

    /// As `read`, but not before changes that go on have ended; the step's timeout bounds it.
    pub async fn read_idle(&self, arm: &Arm, context: &Context, record: &Recorder) -> Result<Seen, AzureError> {
        loop {
            let seen = self.read(arm).await?;
            let Some(busy) = seen.members.iter().find(|member| member.is_busy) else { return Ok(seen) };
            let next_look = after(context.clock.now(), POLL_INTERVAL);
            note_until(record, format!("a change of the {} `{}` goes on in Azure", self.noun(), busy.name), next_look);
            context.clock.sleep_until(next_look).await;
        }
    }

    /// The request that gives a member what of `setting` the wish is about.
    pub fn request(&self, arm: &Arm, wish: &Wish, setting: &Setting) -> PlannedRequest {
        PlannedRequest {
            method: "PATCH".to_owned(),
            url: self.member_url(arm, wish).to_string(),
            headers: Vec::new(),
            body: Some(self.body(wish, setting)),
        }
    }

    /// Sends it, once.
    pub async fn patch(&self, arm: &Arm, wish: &Wish, setting: &Setting) -> Result<Reply, AzureError> {
        let (url, body) = (self.member_url(arm, wish), self.body(wish, setting));
        match self {
            Self::TrafficManager { .. } => traffic_manager::patch_endpoint(arm, url, &body).await,
            Self::FrontDoor { .. } => front_door::patch_origin(arm, url, &body).await,
        }
    }

    fn member_url(&self, arm: &Arm, wish: &Wish) -> Url {
        match self {
            Self::TrafficManager { profile } => {
                let kind = wish.kind.map_or("ExternalEndpoints", segment);
                traffic_manager::endpoint_url(arm, profile, kind, &wish.name)
            }
            Self::FrontDoor { profile, group } => front_door::origin_url(arm, profile, group, &wish.name),
        }
    }

    /// Absolute values, and only of what the wish names.
    fn body(&self, wish: &Wish, setting: &Setting) -> Value {
        let state = match self {
            Self::TrafficManager { .. } => "endpointStatus",
            Self::FrontDoor { .. } => "enabledState",
        };
        let mut properties = json!({});
        if wish.enabled.is_some() {
            properties[state] = json!(if setting.enabled { "Enabled" } else { "Disabled" });
        }
        if let Some(priority) = setting.priority.filter(|_| wish.priority.is_some()) {
            properties["priority"] = json!(priority);
        }
        if let Some(weight) = setting.weight.filter(|_| wish.weight.is_some()) {
            properties["weight"] = json!(weight);
        }
        json!({ "properties": properties })
    }
}

/// How an operation of Azure ended.
pub enum Ended {
    /// It succeeded, or Azure knows nothing of it any more: the members tell.
    Over,
    Failed {
        code: Option<String>,
        message: String,
    },
}

/// Watches an accepted change to its end; the step's timeout bounds it.
pub async fn watch(
    change: &PoolChange,
    context: &Context,
    arm: &Arm,
    operation: &Operation,
    record: &Recorder,
) -> Ended {
    let mut wait = interval(operation.retry_after_s);
    loop {
        let next_look = after(context.clock.now(), wait);
        note_until(record, format!("the change of {} goes on in Azure", change.pool.shown()), next_look);
        context.clock.sleep_until(next_look).await;
        match operation::look(arm, operation).await {
            Ok(OperationState::Running { retry_after_s }) => wait = interval(retry_after_s),
            Ok(OperationState::Succeeded(_)) => return Ended::Over,
            Ok(OperationState::Failed { code, message }) => return Ended::Failed { code, message },
            Ok(OperationState::Lost) => {
                note(record, "Azure does not know the operation any more; reading what became of it");
                return Ended::Over;
            }
            Err(failure) if failure.kind == AzureErrorKind::Forbidden => {
                note(record, format!("the operation may not be looked at ({failure}); reading what becomes of it"));
                return Ended::Over;
            }
            Err(failure) => {
                note(record, format!("the operation could not be looked at ({failure}); it goes on in Azure"));
                wait = POLL_INTERVAL;
            }
        }
    }
}

fn interval(retry_after_s: Option<u64>) -> Duration {
    retry_after_s.map_or(POLL_INTERVAL, Duration::from_secs).clamp(Duration::from_secs(1), LONGEST_POLL)
}

fn endpoint(endpoint: Endpoint) -> Member {
    let kinds = [EndpointKind::Azure, EndpointKind::External, EndpointKind::Nested];
    Member {
        kind: kinds.into_iter().find(|kind| segment(*kind).eq_ignore_ascii_case(&endpoint.kind)),
        name: endpoint.name,
        setting: Setting { enabled: endpoint.is_enabled, priority: endpoint.priority, weight: endpoint.weight },
        target: endpoint.target,
        health: endpoint.monitor,
        is_busy: false,
    }
}

fn segment(kind: EndpointKind) -> &'static str {
    match kind {
        EndpointKind::Azure => "AzureEndpoints",
        EndpointKind::External => "ExternalEndpoints",
        EndpointKind::Nested => "NestedEndpoints",
    }
}
