//! `wait`: lets time pass, for a while or until a moment. Changes nothing and is always safe to start again.

use serde_json::Map;

use super::{Context, Done, arguments::Wait, fact::after};
use crate::{
    plan::facts::Probe,
    run::{Disposition, StepError},
    runbook::span,
};

pub fn probe(wait: &Wait) -> Result<Probe, StepError> {
    let summary = match (wait.duration, wait.until) {
        (Some(duration), None) => format!("waits {}", span::format(duration)),
        (None, Some(until)) => format!("waits until {until}"),
        (Some(duration), Some(until)) => format!("waits {}, and until {until}", span::format(duration)),
        (None, None) => {
            return Err(StepError::new(
                Disposition::Final,
                "invalid-arguments",
                "it is not said how long to wait",
                "give `duration` or `until`",
            ));
        }
    };
    Ok(Probe { summary, verified: true, expected: wait.duration, ..Probe::default() })
}

/// Cheap when the duration is zero: nothing is allocated and the clock is not asked.
pub async fn perform(wait: &Wait, context: &Context) -> Done {
    match (wait.duration.filter(|duration| !duration.is_zero()), wait.until) {
        (None, None) => {}
        (duration, until) => {
            let over = duration.map(|duration| after(context.clock.now(), duration));
            // An absent moment comes before every other.
            if let Some(last) = over.max(until) {
                context.clock.sleep_until(last).await;
            }
        }
    }
    Done { outputs: Map::new(), evidence: serde_json::Value::Null }
}
