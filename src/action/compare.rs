//! `apim.compare`: what only one of two services has, by name. A report for people, before one is overwritten with the
//! other. Reads only; a difference is no failure.

use serde_json::{Map, Value, json};

use super::{
    Context, Done, Recorder,
    arguments::Compare,
    content_words::{by_kind, counted, counts, first, second, told},
    error,
    fact::{Facts, note, remark},
};
use crate::{
    azure::{
        Arm,
        apim_content::{ContentDifference, ContentNames, list_content},
    },
    plan::facts::Probe,
    run::StepError,
};

/// Both services as they are now.
struct Pair {
    service: ContentNames,
    other: ContentNames,
    differences: Vec<ContentDifference>,
}

pub async fn probe(arguments: &Compare, context: &Context) -> Result<Probe, StepError> {
    let pair = read(arguments, &context.arm).await?;
    let (service, other) = (arguments.service.name(), arguments.with.name());
    let facts = Facts::seen(format!("lists of {service} and {other}"), context.clock.now())
        .with_volatile("service.counts", counts(&pair.service))
        .with_volatile("other.counts", counts(&pair.other));
    let remarks = sentences(arguments, &pair).into_iter().map(|sentence| {
        remark("configuration-differs", sentence, "know what is lost when one is overwritten with the other")
    });
    Ok(Probe {
        summary: format!("compares {service} with {other} by name: {} names differ today", count(&pair)),
        facts: facts.into_vec(),
        findings: remarks.collect(),
        outputs: outputs(arguments, &pair),
        verified: true,
        ..Probe::default()
    })
}

pub async fn perform(arguments: &Compare, context: &Context, record: &Recorder) -> Result<Done, StepError> {
    let arm = context.arm.noting(record.sink());
    let pair = read(arguments, &arm).await?;
    for sentence in sentences(arguments, &pair) {
        note(record, sentence);
    }
    let evidence = json!({ "service": counts(&pair.service), "other": counts(&pair.other) });
    Ok(Done { outputs: outputs(arguments, &pair), evidence })
}

async fn read(arguments: &Compare, arm: &Arm) -> Result<Pair, StepError> {
    let unread = |name: &str, failure| error::from_read(&format!("what {name} holds"), &failure);
    let (service, other) =
        tokio::join!(Box::pin(list_content(arm, &arguments.service)), Box::pin(list_content(arm, &arguments.with)),);
    let service = service.map_err(|failure| unread(arguments.service.name(), failure))?;
    let other = other.map_err(|failure| unread(arguments.with.name(), failure))?;
    let differences = service.diff(&other);
    Ok(Pair { service, other, differences })
}

fn outputs(arguments: &Compare, pair: &Pair) -> Map<String, Value> {
    Map::from_iter([
        ("only_in_service".to_owned(), by_kind(&pair.differences, first)),
        ("only_in_other".to_owned(), by_kind(&pair.differences, second)),
        ("differences".to_owned(), json!(count(pair))),
        ("told".to_owned(), json!(verdict(arguments, pair))),
    ])
}

/// How many names only one of them has.
fn count(pair: &Pair) -> usize {
    pair.differences.iter().map(|one| one.only_first.len() + one.only_second.len()).sum()
}

fn sentences(arguments: &Compare, pair: &Pair) -> Vec<String> {
    let sides = [
        (arguments.service.name(), told(&pair.differences, first)),
        (arguments.with.name(), told(&pair.differences, second)),
    ];
    sides
        .into_iter()
        .filter(|(_, told)| !told.is_empty())
        .map(|(name, told)| format!("only {name} has {told}"))
        .collect()
}

/// One sentence for the report.
fn verdict(arguments: &Compare, pair: &Pair) -> String {
    let other = arguments.with.name();
    match count(pair) {
        0 => format!("held the same names as {other}: {}", counted(&pair.service)),
        differ => format!("differed from {other} in {differ} names: {}", sentences(arguments, pair).join("; ")),
    }
}
