//! `readiness`: would a failover work now? Plans, tells the findings, keeps nothing.

use super::{Exit, Failure, Session, arguments::ReadinessArguments, plan, print};
use crate::{plan::Purpose, report::readiness};

pub async fn readiness(session: &Session, arguments: ReadinessArguments) -> Result<Exit, Failure> {
    let ReadinessArguments { runbook, place, mode } = arguments;
    let (plan, _scene) = plan::make_for(Purpose::Readiness, session, &runbook, &place, Some(mode), None, false).await?;
    print(&if session.json() { readiness::json(&plan) } else { readiness::text(&plan, &session.machine.style_out()) })?;
    Ok(if plan::is_blocked(&plan) { Exit::Refused } else { Exit::Done })
}
