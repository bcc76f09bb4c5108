//! `lifeboat handover RUN`: the note that one operator leaves for the next, in Markdown. All of it is what the journal says.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{Commands, Standing, Status, Summary, paper::plain, story};
use crate::{
    run::{Event, State},
    style::{moment, one_line},
};

/// Events at the end of the note: what happened last.
const LAST_EVENTS: usize = 12;

/// The note. `events`: all of the run's. Ends with a line feed.
pub fn note(
    status: &Status,
    state: &State,
    events: &[(Timestamp, Event)],
    now: Timestamp,
    commands: &Commands,
) -> String {
    let (summary, outlook) = (&status.summary, &status.outlook);
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes everything");
    line(format!("# Handover of run `{}`: {}\n", summary.run, summary.standing.word()));
    line(format!(
        "{}, mode {}, plan `{}`. Begun {} by {}; written {}.\n",
        plain(&summary.runbook),
        summary.mode,
        summary.plan_digest,
        moment(summary.started_at),
        plain(&story::person(&state.by)),
        moment(now)
    ));
    line(format!("**{} of {} steps done.** {}\n", summary.steps_done, summary.steps_in_all, driven(status)));
    let mut section = |title: &str, items: Vec<String>| {
        if !items.is_empty() {
            let list = items.iter().map(|item| format!("- {item}\n")).collect::<String>();
            write!(text, "## {title}\n\n{list}\n").expect("a string takes everything");
        }
    };
    section("What is true now", truths(summary));
    let waits = outlook.awaits.iter().map(|awaited| {
        let since = awaited.since.map(|since| format!(" since {}", moment(since))).unwrap_or_default();
        format!("`{}` {}{since}", awaited.step, awaited.state)
    });
    let paused = summary.paused.iter().map(|paused| plain(&paused.sentence()));
    section("What it waits for", paused.chain(waits).collect());
    let countdown = outlook.countdown(summary.objectives.rto.wanted).into_iter().flatten();
    section("How long", countdown.map(|line| plain(&line)).collect());
    let mut decisions = vec![plain(&outlook.decision)];
    decisions.extend(status.questions.iter().map(|(step, question)| format!("`{step}` asks: {}", plain(question))));
    section("The next decision", decisions);
    section("What aborting now would cost", vec![plain(&outlook.aborting)]);
    let people = summary.overrides.iter().map(super::Override::sentence);
    let people = people.chain(summary.open_items.iter().map(super::OpenItem::sentence));
    let people = people.chain(summary.accepted_drift.iter().map(super::Accepted::sentence));
    let people = people.chain(summary.approvals.iter().map(super::Approved::sentence));
    section("What people decided", people.map(|sentence| plain(&sentence)).collect());
    let look = summary.attention.iter().map(|step| {
        let why = step.error.as_ref().map(|error| format!(": {} ({})", error.message, error.hint)).unwrap_or_default();
        format!("`{}` {}{}", step.id, step.state, plain(&why))
    });
    section("Steps to look at", look.collect());
    section("What happened last", last(events, commands));
    text.push_str("## What to type\n\n```text\n");
    for advice in &summary.next {
        let _infallible = writeln!(text, "{}   # {}", one_line(&advice.command), one_line(&advice.why));
    }
    text.push_str("```\n");
    text
}

/// What is so, and what Azure was asked for and nobody has seen the end of.
fn truths(summary: &Summary) -> Vec<String> {
    let truths = summary.world.truths.iter().map(|truth| {
        let doubt = if truth.certain { "" } else { "not certain: " };
        format!("{} {doubt}{}", plain(&truth.subject), plain(&truth.says))
    });
    let operations = summary.world.operations.iter().map(|operation| {
        format!(
            "not certain: an operation of `{}`, begun at {}, was accepted, and nobody has seen its end: {}",
            operation.step,
            moment(operation.since),
            plain(&operation.url)
        )
    });
    truths.chain(operations).collect()
}

fn driven(status: &Status) -> String {
    let by = status.driver.as_deref().map_or_else(|| "nobody yet".to_owned(), plain);
    match (status.summary.standing, &status.process) {
        (_, Some(process)) => format!("Held by {}.", plain(&process.sentence())),
        (Standing::Driven, None) => format!("Driven by {by}."),
        (Standing::Abandoned | Standing::Unknown | Standing::Ended(_), None) => format!("Last driven by {by}."),
    }
}

/// The last events that people read as news, the oldest first, as they were told when they happened.
fn last(events: &[(Timestamp, Event)], commands: &Commands) -> Vec<String> {
    let voice = story::Voice { commands: commands.clone(), asks_here: false };
    let told = story::retell(events.iter().map(|(at, event)| (*at, event)), &voice);
    let news = told.into_iter().filter(|(_, _, sentence)| sentence.weight == story::Weight::News);
    let mut lines: Vec<String> = news
        .map(|(_, at, sentence)| {
            let step = sentence.step.map(|step| format!(" `{step}`")).unwrap_or_default();
            format!("{}{step} {}", moment(at), plain(&sentence.text))
        })
        .collect();
    lines.drain(..lines.len().saturating_sub(LAST_EVENTS));
    lines
}
