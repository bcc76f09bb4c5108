//! What was recorded, and what it can be held against: the phase clock, deviations, approvals, the log, the appendix.

use super::{said_once, section, sentence, steps_named, table};
use crate::{
    plan::facts::PlannedRequest,
    report::{
        OpenItem, Standing,
        dossier::{Dossier, said},
        paper::{Block, Cell, Section, Tone},
    },
    run::Outcome,
    style::{moment, one_line},
};

pub(super) fn clock(dossier: &Dossier) -> Option<Section> {
    let outcome = dossier.outcome.as_ref()?;
    let clock = &outcome.clock;
    let from = if clock.incident_known {
        "the incident's beginning"
    } else {
        "the run's beginning: nobody said when the incident began (`--incident-start`)"
    };
    let rows = clock.phases.iter().map(|phase| {
        let took = phase.took_s.map_or_else(
            || "not known, or not reached".to_owned(),
            |took| if phase.done { said(took) } else { format!("{}, not done", said(took)) },
        );
        let expected = phase.expected_s.map_or_else(|| "not predicted".to_owned(), said);
        vec![Cell::new(phase.name), Cell::time(took), Cell::time(expected), Cell::new(phase.what)]
    });
    let mut blocks = vec![Block::text(format!("From {}, {from}, to {}.", moment(clock.from), moment(clock.to)))];
    blocks.extend(table("Phase by phase", &["phase", "took", "predicted", "what is counted"], rows.collect()));
    blocks.push(Block::List(outcome.computed.iter().map(|line| sentence(line)).collect()));
    section("clock", "Phase clock, RTO and RPO", blocks)
}

pub(super) fn deviations(dossier: &Dossier) -> Option<Section> {
    let outcome = dossier.outcome.as_ref()?;
    let rows = outcome.deviations.iter().map(|deviation| {
        let step = deviation.step.as_ref().map_or("the run", crate::runbook::StepId::as_str);
        let why = if deviation.why.is_empty() { "the events do not tell".to_owned() } else { deviation.why.join("; ") };
        vec![Cell::literal(step), Cell::new(one_line(&deviation.what)), Cell::new(one_line(&why))]
    });
    let none = || Block::text("It went as the plan foretold.");
    let block = table("Where it went otherwise than planned", &["step", "what", "why"], rows.collect());
    section("deviations", "Deviations from the plan", vec![block.unwrap_or_else(none)])
}

pub(super) fn evidence(dossier: &Dossier) -> Option<Section> {
    let evidence = &dossier.evidence;
    let lines = evidence.says.iter().map(|line| sentence(&one_line(line))).collect();
    let mut blocks = vec![Block::List(lines)];
    let drills = evidence.drills.iter().flat_map(|it| it.drills.iter().rev()).map(|drill| {
        let (word, tone) = match drill.outcome {
            Some(Outcome::Succeeded) => ("succeeded", Tone::Good),
            Some(ended) => (Standing::Ended(ended).word(), Tone::Bad),
            None => ("did not end", Tone::Careful),
        };
        let took = drill.took.map(|took| said(took.as_secs())).unwrap_or_default();
        let wanted = drill.objective.map_or_else(|| "none".to_owned(), |wanted| said(wanted.as_secs()));
        let hand = if drill.interrupted { "yes: its times are not counted" } else { "no" };
        vec![
            Cell::literal(&*drill.run.0),
            Cell::time(moment(drill.started_at)),
            Cell::new(word).toned(tone),
            Cell::new(took),
            Cell::new(wanted),
            Cell::new(hand),
        ]
    });
    blocks.extend(table(
        "The last rehearsals before the plan was made, the newest first",
        &["drill", "began", "ended", "took", "RTO", "interrupted"],
        drills.collect(),
    ));
    let rows = evidence.crash.iter().flat_map(|crash| &crash.rows).map(|row| {
        let fails = Cell::new(row.fails.to_string()).toned(if row.fails == 0 { Tone::Plain } else { Tone::Bad });
        let (points, same) = (Cell::new(row.points.to_string()), Cell::new(row.same.to_string()));
        vec![Cell::new(&row.what), points, same, Cell::new(&row.otherwise), fails]
    });
    blocks.extend(table(
        &format!("The crash matrix of the mode {}, in the simulator", dossier.cover.mode),
        &["what goes wrong", "points", "as undisturbed", "otherwise, explained", "fails"],
        rows.collect(),
    ));
    section("evidence", "Evidence", blocks)
}

pub(super) fn approvals(dossier: &Dossier) -> Option<Section> {
    let mut rows = Vec::new();
    for approval in &dossier.approvals {
        let asks = format!("{} ({} needed)", one_line(&approval.prompt), approval.approvers);
        let mut row = |decision: Cell, at: String| {
            rows.push(vec![Cell::literal(approval.step.as_str()), Cell::new(asks.clone()), decision, Cell::time(at)]);
        };
        let alone = dossier.outcome.iter().flat_map(|outcome| &outcome.done_alone);
        let alone: Vec<&OpenItem> = alone.filter(|item| item.step == approval.step).collect();
        let nobody = approval.given.is_empty() && approval.refused.is_empty() && alone.is_empty();
        let missing = approval.approvers.saturating_sub(approval.given.len() as u64);
        match (dossier.outcome.is_some(), missing) {
            (true, _) if nobody => row(Cell::new("nobody decided"), String::new()),
            (false, _) if nobody => row(Cell::new("asked in the run"), String::new()),
            (false, 1..) => row(Cell::new(format!("{missing} more asked in the run")), String::new()),
            (true, _) | (false, 0) => {}
        }
        for given in &approval.given {
            let until = given.until.map(|until| format!(", until {}", moment(until))).unwrap_or_default();
            let told =
                format!("approved by {}, {}{until}{}", given.by, given.identity(), comment(given.comment.as_deref()));
            row(Cell::new(one_line(&told)).toned(Tone::Good), moment(given.at));
        }
        for refusal in &approval.refused {
            let told =
                format!("refused by {}, {}{}", refusal.by, refusal.identity, comment(refusal.comment.as_deref()));
            row(Cell::new(one_line(&told)).toned(Tone::Bad), moment(refusal.at));
        }
        for item in alone {
            let tone = if item.signed_off_at.is_some() { Tone::Good } else { Tone::Careful };
            row(Cell::new(one_line(&item.sentence())).toned(tone), moment(item.at));
        }
    }
    let none = || Block::text("No step asks a person.");
    let block = table("Who has to agree, and who did", &["step", "question", "decision", "at"], rows);
    let mut blocks = vec![
        Block::text(format!("Every approval is for the plan {} and for no other.", dossier.cover.plan_digest)),
        block.unwrap_or_else(none),
    ];
    if let Some(outcome) = &dossier.outcome {
        let until = outcome.ended_at.unwrap_or(dossier.cover.at);
        let unused = outcome.unused_approvals.iter().map(|one| {
            let why = if one.until.is_some_and(|end| end <= until) {
                "it ended before a step took it"
            } else {
                "no step asked for it"
            };
            sentence(&format!("{why}: {}", one.sentence()))
        });
        let lines: Vec<String> = unused.collect();
        if !lines.is_empty() {
            blocks.push(Block::List(lines));
        }
    }
    section("approvals", "Approvals", blocks)
}

fn comment(comment: Option<&str>) -> String {
    comment.map(|comment| format!(": {comment}")).unwrap_or_default()
}

pub(super) fn criteria(dossier: &Dossier) -> Option<Section> {
    let run = dossier.outcome.is_some();
    let rows = dossier.criteria.iter().map(|criterion| {
        let (word, tone) = match (run, criterion.met) {
            (false, _) => ("judged after the run", Tone::Plain),
            (true, Some(true)) => ("met", Tone::Good),
            (true, Some(false)) => ("not met", Tone::Bad),
            (true, None) if criterion.not_asked_for => ("not asked for", Tone::Plain),
            (true, None) => ("not reached, or not known", Tone::Careful),
        };
        vec![
            Cell::new(sentence(&criterion.what)),
            Cell::new(criterion.step.as_ref().map(ToString::to_string).unwrap_or_default()),
            Cell::new(word).toned(tone),
            Cell::new(criterion.seen.clone().unwrap_or_default()),
        ]
    });
    let none = || Block::text("The runbook sets no objective, and no step proves anything.");
    let block = table("It has succeeded when", &["criterion", "shown by", "judgement", "seen"], rows.collect());
    section("criteria", "Success criteria", vec![block.unwrap_or_else(none)])
}

pub(super) fn happened(dossier: &Dossier) -> Option<Section> {
    let outcome = dossier.outcome.as_ref()?;
    let rows = outcome.happened.iter().map(|line| {
        let step = line.step.as_ref().map(ToString::to_string).unwrap_or_default();
        vec![Cell::time(moment(line.at)), Cell::new(step), Cell::new(&line.says), Cell::new(line.seq.to_string())]
    });
    let block = table(
        "From the journal, in the order in which it was written",
        &["at", "step", "what", "record"],
        rows.collect(),
    )?;
    let people = "People are named as the operating system of their machine names them, which nobody has checked; who is known \
                  by an account or a key stands where it is said what they decided.";
    section("happened", "What happened", vec![Block::text(people), block])
}

pub(super) fn requests(dossier: &Dossier) -> Option<Section> {
    let requests =
        dossier.steps.iter().flat_map(|step| step.requests.iter().map(|request| (written(request), &step.id)));
    let mut blocks: Vec<Block> = Vec::new();
    for (text, steps) in said_once(requests) {
        blocks.push(Block::Code { caption: format!("{}, as planned", steps_named(dossier, &steps)), text });
    }
    if blocks.is_empty() {
        blocks.push(Block::text("No request that changes anything is known before the run."));
    }
    section("requests", "Appendix: the requests", blocks)
}

/// As it would go over the wire; secrets were masked when it was planned.
fn written(request: &PlannedRequest) -> String {
    let headers: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    let body = request.body.as_ref().map(|body| format!("\n{body:#}\n")).unwrap_or_default();
    format!("{} {}\n{headers}{body}", request.method, request.url)
}

pub(super) fn runbook(dossier: &Dossier) -> Option<Section> {
    let block = match &dossier.runbook {
        Some(text) => Block::Code { caption: format!("SHA-256 {}", dossier.cover.runbook_sha256), text: text.clone() },
        None => Block::Code {
            caption: format!(
                "The file is not at hand (SHA-256 {}); these are its steps as they were planned",
                dossier.cover.runbook_sha256
            ),
            text: as_planned(dossier),
        },
    };
    section("runbook", "Appendix: the runbook", vec![block])
}

fn as_planned(dossier: &Dossier) -> String {
    let steps = dossier.steps.iter().map(|step| {
        let needs: Vec<&str> = step.needs.iter().map(crate::runbook::StepId::as_str).collect();
        let arguments = serde_json::Value::Object(step.arguments.clone());
        format!(
            "{} needs [{}] timeout {} attempts {}\n  {} {arguments}\n",
            step.id,
            needs.join(", "),
            said(step.timeout_s),
            step.attempts_allowed,
            step.action
        )
    });
    steps.collect()
}

pub(super) fn hashes(dossier: &Dossier) -> Option<Section> {
    let lines = dossier.verify.iter().map(|line| sentence(line)).collect();
    section("hashes", "Appendix: how to check the hashes", vec![Block::List(lines)])
}
