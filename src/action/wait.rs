//! `wait`: lets time pass. Changes nothing and is always safe to start again.

use serde_json::Map;

use super::{Context, Done, arguments::Wait};
use crate::{plan::facts::Probe, runbook::span};

pub fn probe(wait: &Wait) -> Probe {
    Probe {
        summary: format!("waits {}", span::format(wait.duration)),
        verified: true,
        expected: Some(wait.duration),
        ..Probe::default()
    }
}

/// Cheap when the duration is zero: nothing is allocated and the clock is not asked.
pub async fn perform(wait: &Wait, context: &Context) -> Done {
    if !wait.duration.is_zero() {
        context.clock.sleep(wait.duration).await;
    }
    Done { outputs: Map::new(), evidence: serde_json::Value::Null }
}
