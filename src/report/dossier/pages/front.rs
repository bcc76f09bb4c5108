//! What stands first: the judgement, what failed, the findings, and what it is all about.

use super::{of_symbol, section, sentence, table, tone, value};
use crate::{
    plan::facts::Severity,
    report::{
        Judgement, Objective,
        dossier::{Dossier, Light, said},
        paper::{Block, Cell, Section, Tone},
    },
    style::{moment, one_line},
};

pub(super) fn summary(dossier: &Dossier) -> Option<Section> {
    let judged = &dossier.judged;
    let word = judged.light.word().to_uppercase();
    let title = match &dossier.outcome {
        Some(outcome) => format!("{word}: {}", outcome.standing.word()),
        None => format!("{word}: {}", before(judged.light)),
    };
    let reasons = judged.reasons.iter().map(|reason| sentence(&one_line(reason)));
    let lines =
        std::iter::once(format!("The rule: {} when {}", judged.light.word(), judged.rule)).chain(reasons).collect();
    let mut blocks = vec![Block::Notice { tone: tone(judged.light), title, lines }];
    blocks.extend(dossier.cover.description.as_ref().map(|description| Block::text(description.clone())));
    let mut facts = vec![];
    if let Some(outcome) = &dossier.outcome {
        facts.push(("Took".to_owned(), format!("{}, from {}", outcome.elapsed(), moment(outcome.started_at))));
        facts.push(("Steps done".to_owned(), format!("{} of {}", outcome.steps_done, outcome.steps_in_all)));
        facts.push(("RTO".to_owned(), objective(&outcome.objectives.rto)));
        facts.push(("RPO".to_owned(), objective(&outcome.objectives.rpo)));
        if outcome.drives > 1 {
            facts.push(("Drives".to_owned(), format!("{}: it was resumed", outcome.drives)));
        }
    } else {
        let count = |severity| dossier.findings.iter().filter(|finding| finding.severity == severity).count();
        let counts = [(Severity::Blocker, "blockers"), (Severity::Warning, "warnings"), (Severity::Note, "notes")];
        let counts: Vec<String> =
            counts.iter().map(|(severity, word)| format!("{} {word}", count(*severity))).collect();
        facts.push(("Findings".to_owned(), counts.join(", ")));
        let predicted = &dossier.predicted;
        facts.push(("RTO".to_owned(), foretold(Some(predicted.duration_s), predicted.rto_s, "predicted (p50)")));
        facts.extend(predicted.p90_s.map(|p90| {
            ("RTO, in nine of ten cases".to_owned(), foretold(Some(p90), predicted.rto_s, "predicted (p90)"))
        }));
        facts.push((
            "RPO".to_owned(),
            foretold(predicted.backup_age_s, predicted.rpo_s, "age of the newest usable backup"),
        ));
    }
    facts.push(("Predicted duration".to_owned(), duration(dossier)));
    facts.push((
        "Going back ends".to_owned(),
        match &dossier.point_of_no_return {
            Some(step) => format!("with step {step}; until then everything can be taken back"),
            None => "nowhere: everything can be taken back".to_owned(),
        },
    ));
    facts.push(("Fidelity".to_owned(), format!("{} of 100", dossier.fidelity.score)));
    blocks.push(Block::Facts(facts));
    if let Some(outcome) = &dossier.outcome {
        let rows = outcome.world.truths.iter().map(|truth| {
            let (word, tone) = if truth.certain { ("known", Tone::Plain) } else { ("not known", Tone::Bad) };
            vec![Cell::literal(&truth.subject), Cell::new(&truth.says), Cell::new(word).toned(tone)]
        });
        blocks.extend(table(
            "What is true at the end, as far as the run knows",
            &["subject", "says", "certain"],
            rows.collect(),
        ));
    }
    section("summary", "Executive summary", blocks)
}

/// `57m 23s (p50), 1h 21m (p90); 12 earlier runs`
fn duration(dossier: &Dossier) -> String {
    let predicted = &dossier.predicted;
    let bound = predicted.p90_s.map(|p90| format!(" (p50), {} (p90)", said(p90))).unwrap_or_default();
    format!("{}{bound}; {}", said(dossier.expected_s), predicted.rests_on)
}

fn before(light: Light) -> &'static str {
    match light {
        Light::Green => "nothing stands in the way",
        Light::Amber => "can be run, and somebody has to know what stands below",
        Light::Red => "a run would be refused",
    }
}

fn foretold(predicted: Option<u64>, wanted: Option<u64>, what: &str) -> String {
    match (predicted, wanted) {
        (Some(predicted), Some(wanted)) if predicted > wanted => {
            format!(
                "{what} {}: misses the objective of {} by {}",
                said(predicted),
                said(wanted),
                said(predicted - wanted)
            )
        }
        (Some(predicted), Some(wanted)) => {
            format!(
                "{what} {}: {} to spare of the objective of {}",
                said(predicted),
                said(wanted - predicted),
                said(wanted)
            )
        }
        (Some(predicted), None) => format!("{what} {}; the runbook sets no objective", said(predicted)),
        (None, Some(wanted)) => format!("{what} not known before the run; the objective is {}", said(wanted)),
        (None, None) => "not known, and the runbook sets no objective".to_owned(),
    }
}

fn objective(objective: &Objective) -> String {
    let wanted = objective.wanted.map_or_else(|| "none is set".to_owned(), |wanted| said(wanted.as_secs()));
    let reached = objective.reached.map_or_else(|| "not known".to_owned(), |reached| said(reached.as_secs()));
    let word = match objective.judgement {
        Judgement::Met => "met",
        Judgement::Missed => "missed",
        Judgement::Unknown => "not reached yet, or not known",
        Judgement::NotSet => "not judged",
    };
    format!("{reached} (objective: {wanted}; {word})")
}

/// After a run: what failed, who decided otherwise, what to do next. None before.
pub(super) fn failures(dossier: &Dossier) -> Option<Section> {
    let outcome = dossier.outcome.as_ref()?;
    let rows = outcome.attention.iter().map(|view| {
        let why = match (&view.error, &view.unsettled, &view.note) {
            (Some(error), _, _) => format!("{} [{}]", one_line(&error.message), error.code),
            (None, Some(unsettled), _) => one_line(&unsettled.reason),
            (None, None, Some(note)) => one_line(note),
            (None, None, None) => String::new(),
        };
        let hint = view.error.as_ref().map(|error| one_line(&error.hint)).unwrap_or_default();
        let state = Cell::new(view.state).toned(of_symbol(view.symbol));
        vec![Cell::literal(view.id.as_str()), state, Cell::new(why), Cell::new(hint)]
    });
    let mut blocks = Vec::new();
    blocks.extend(table("Steps that did not simply succeed", &["step", "state", "why", "what to do"], rows.collect()));
    if outcome.attention.is_empty() {
        blocks.push(Block::text("Every step that was reached succeeded."));
    }
    let open: Vec<String> = outcome.open_items().map(|item| sentence(&item.sentence())).collect();
    if !open.is_empty() {
        let title = "Waits to be signed off by somebody else".to_owned();
        blocks.push(Block::Notice { tone: Tone::Careful, title, lines: open });
    }
    let drift = outcome.accepted_drift.iter().map(crate::report::Accepted::sentence);
    let decided = outcome.overrides.iter().map(crate::report::Override::sentence).chain(drift);
    let lines: Vec<String> = decided.map(|decision| sentence(&decision)).collect();
    if lines.is_empty() {
        blocks.push(Block::text("Nobody decided against what was seen."));
    } else {
        let title = "What people decided against what was seen, or in its place".to_owned();
        blocks.push(Block::Notice { tone: Tone::Careful, title, lines });
    }
    let next = outcome.next.iter().map(|advice| vec![Cell::literal(&advice.command), Cell::new(&advice.why)]);
    blocks.extend(table("What to do next", &["command", "what for"], next.collect()));
    section("failures", "What failed, and what people decided", blocks)
}

pub(super) fn findings(dossier: &Dossier) -> Option<Section> {
    let rows = dossier.findings.iter().map(|finding| {
        let tone = match finding.severity {
            Severity::Blocker => Tone::Bad,
            Severity::Warning => Tone::Careful,
            Severity::Note => Tone::Plain,
        };
        vec![
            Cell::new(finding.severity.to_string()).toned(tone),
            Cell::new(one_line(&finding.place())),
            Cell::new(format!("{} [{}]", one_line(&finding.message), finding.code)),
            Cell::new(one_line(&finding.remedy)),
            Cell::time(finding.observed_at.map(moment).unwrap_or_default()),
        ]
    });
    let caption = if dossier.outcome.is_some() { "As the plan told them, the worst first" } else { "The worst first" };
    let blocks = table(caption, &["severity", "where", "finding", "remedy", "seen"], rows.collect());
    let none = || Block::text("The probes found nothing that somebody has to know of.");
    section("findings", "Findings", vec![blocks.unwrap_or_else(none)])
}

pub(super) fn cover(dossier: &Dossier) -> Option<Section> {
    let cover = &dossier.cover;
    let mut facts = vec![
        ("Runbook".to_owned(), cover.runbook.clone()),
        ("Mode".to_owned(), cover.mode.to_string()),
        ("Plan digest".to_owned(), cover.plan_digest.clone()),
        ("Runbook SHA-256".to_owned(), cover.runbook_sha256.clone()),
        ("Planned at".to_owned(), moment(cover.planned_at)),
    ];
    facts.extend(dossier.schedule.valid_until.map(|until| ("May be run until".to_owned(), moment(until))));
    if let Some(outcome) = &dossier.outcome {
        facts.extend(cover.run.as_ref().map(|run| ("Run".to_owned(), run.to_string())));
        facts.push(("Begun by".to_owned(), format!("{} ({})", outcome.by, outcome.identity)));
        facts.push(("Journal".to_owned(), format!("{} records", outcome.records)));
        facts.extend(outcome.head.as_ref().map(|head| ("Hash of the last record".to_owned(), head.clone())));
    }
    let world = if cover.simulated { "simulated, " } else { "" };
    facts.push(("Azure".to_owned(), format!("{world}{}", cover.resource_manager)));
    facts.push((
        "Writes to".to_owned(),
        if cover.touches.is_empty() { "nothing".to_owned() } else { cover.touches.join("; ") },
    ));
    let rows = dossier.parameters.iter().map(|(name, given)| vec![Cell::literal(name), Cell::literal(value(given))]);
    let mut blocks = vec![Block::Facts(facts)];
    blocks.extend(table("Parameters", &["name", "value"], rows.collect()));
    section("identity", "What this is about", blocks)
}
