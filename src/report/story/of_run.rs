//! What happens to the run as a whole, in words.

use jiff::SignedDuration;

use super::{Sentence, Weight, person, said};
use crate::{
    report::Standing,
    run::{
        Event, Outcome, TakeOver,
        approval::{Scope, short},
    },
    style::{Symbol, duration},
};

pub(super) fn tell(event: &Event) -> Sentence {
    let (weight, symbol, text, hint) = match event {
        Event::Planned { run, plan, by } => {
            let expected = SignedDuration::try_from(plan.expected).unwrap_or(SignedDuration::MAX);
            let forced = plan.forced.as_ref();
            let text = format!(
                "run {run} planned by {}: {}, {}, {} steps, predicted {}{}",
                person(by),
                plan.name,
                plan.mode,
                plan.steps.len(),
                duration(expected),
                forced.map(|forced| format!("; forced: {}", forced.reason)).unwrap_or_default()
            );
            let weight = if forced.is_some() { Weight::News } else { Weight::Detail };
            (weight, Symbol::Note, text, "")
        }
        Event::DriverAttached { by, pid, version, take_over: Some(TakeOver { from, reason }), .. } => {
            let text = format!(
                "taken over from {} by {}, process {pid}, lifeboat {version}: {reason}",
                person(from),
                person(by)
            );
            (Weight::News, Symbol::Warning, text, "")
        }
        Event::DriverAttached { generation: 1, by, pid, version, .. } => {
            let text = format!("driven by {}, process {pid}, lifeboat {version}", person(by));
            (Weight::Detail, Symbol::Note, text, "")
        }
        Event::DriverAttached { generation, by, pid, version, .. } => {
            let text =
                format!("taken up by {}, process {pid}, lifeboat {version}, generation {generation}", person(by));
            (Weight::News, Symbol::Note, text, "")
        }
        Event::Confirmed { by, what } => {
            (Weight::Detail, Symbol::Note, format!("{} confirmed: {what}", person(by)), "")
        }
        Event::StopRequested { by, abort, reason, undo } => {
            let verb = if *abort { "aborts" } else { "stops" };
            let hint = if *undo {
                "nothing new starts; what was sent is looked up, then what can be undone is undone, last done first"
            } else {
                "nothing new starts; what was sent is given a moment to be answered"
            };
            (Weight::News, Symbol::Warning, format!("{} {verb} the run: {reason}", person(by)), hint)
        }
        Event::Paused { by, reason } => {
            let hint = "what runs goes on, nothing more starts; `lifeboat resume` lifts it";
            (Weight::News, Symbol::Waiting, format!("{} paused the run{}", person(by), said(reason.as_deref())), hint)
        }
        Event::PauseLifted { by } => (Weight::News, Symbol::Running, format!("{} lifted the pause", person(by)), ""),
        Event::ApprovalFiled { approval } => {
            let scope = match &approval.scope {
                Scope::Plan => "the plan".to_owned(),
                Scope::Step(step) => format!("step {step} of the plan"),
            };
            let text = format!("approval of {} filed, for {scope} {}", person(&approval.by), short(&approval.plan));
            (Weight::Detail, Symbol::Note, text, "")
        }
        Event::DriftAccepted { drift, by, reason, .. } => {
            let text = format!("{} runs the plan although {} moved: {reason}", person(by), drift.what);
            (Weight::News, Symbol::Warning, text, "")
        }
        Event::RunStopped { outcome, reason } => {
            let standing = Standing::Ended(*outcome);
            let weight = if *outcome == Outcome::Succeeded { Weight::Detail } else { Weight::News };
            (weight, standing.symbol(), format!("{}: {reason}", standing.word()), "")
        }
        Event::StepStarted { .. }
        | Event::ChangeIntended { .. }
        | Event::OperationAccepted { .. }
        | Event::StepNoted { .. }
        | Event::StepSucceeded { .. }
        | Event::StepFailed { .. }
        | Event::StepSkipped { .. }
        | Event::StepInDoubt { .. }
        | Event::StepSettled { .. }
        | Event::StepAdopted { .. }
        | Event::ApprovalGiven { .. }
        | Event::ApprovalRefused { .. }
        | Event::ApprovalOverridden { .. }
        | Event::ApprovalSignedOff { .. }
        | Event::UndoStarted { .. }
        | Event::UndoIntended { .. }
        | Event::UndoSucceeded { .. }
        | Event::UndoFailed { .. } => unreachable!("events of steps are told one by one"),
    };
    Sentence::new(weight, symbol, None, text).hint(hint)
}
