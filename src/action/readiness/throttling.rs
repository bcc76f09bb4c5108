//! What is left of the requests that the resource manager takes. Pure.

use jiff::Timestamp;

use crate::{
    azure::Budget,
    plan::{codes, facts::Finding},
};

/// A plan reads about sixty times, and a run polls for an hour; ARM gives 25 reads a second back (azure-facts 4).
const ENOUGH_READS: u32 = 60;
/// A failover writes a handful of times.
const ENOUGH_WRITES: u32 = 10;

pub fn judge(budget: &Budget, at: Timestamp) -> Option<Finding> {
    let low = |left: Option<u32>, enough, what: &str| {
        left.filter(|left| *left < enough).map(|left| format!("{left} {what} are left"))
    };
    let told: Vec<String> = [low(budget.reads(), ENOUGH_READS, "reads"), low(budget.writes(), ENOUGH_WRITES, "writes")]
        .into_iter()
        .flatten()
        .collect();
    (!told.is_empty()).then(|| {
        let message = format!("the resource manager is about to throttle this identity: {}", told.join(", "));
        codes::finding("arm-budget-low", message).seen(at)
    })
}
