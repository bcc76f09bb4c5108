//! What the plan says: scope, facts, the change, the steps and their graph, loss, risks, the way back, the schedule.

use super::{of_symbol, said_once, section, sentence, steps_named, table, value};
use crate::{
    plan::Certainty,
    report::{
        dossier::{Dossier, Level, StepRow, said},
        paper::{Block, Cell, Drawing, Section, Tone},
        picture::Picture,
    },
    style::{moment, one_line},
};

/// A picture of more steps is not looked at; then only the critical path is drawn.
const MOST_BOXES: usize = 60;

pub(super) fn scope(dossier: &Dossier) -> Option<Section> {
    let scope = &dossier.scope;
    let mut blocks = Vec::new();
    if scope.covers.is_empty() {
        blocks.push(Block::text("No step of this plan changes anything."));
    } else {
        blocks.push(Block::text("It changes:"));
        blocks.push(Block::List(scope.covers.iter().map(|line| one_line(line)).collect()));
    }
    if !scope.not_brought.is_empty() {
        blocks.push(Block::text("A restore does not bring these; they have to be in place on the standby already:"));
        blocks.push(Block::List(scope.not_brought.iter().map(|line| (*line).to_owned()).collect()));
    }
    blocks.push(Block::text("It does not cover:"));
    blocks.push(Block::List(scope.excluded.iter().map(|line| (*line).to_owned()).collect()));
    if !dossier.left_out.is_empty() {
        let ids: Vec<String> = dossier.left_out.iter().map(ToString::to_string).collect();
        let text = format!("Steps of the runbook that the mode {} leaves out: {}.", dossier.cover.mode, ids.join(", "));
        blocks.push(Block::text(text));
    }
    section("scope", "Scope and exclusions", blocks)
}

pub(super) fn observed(dossier: &Dossier) -> Option<Section> {
    let mut blocks = vec![Block::text("Everything that the plan's probes read. Nothing was written.")];
    // One table a look: what was read by one probe at one time.
    let looks = dossier
        .observed
        .chunk_by(|one, other| (&one.step, &one.source, one.at) == (&other.step, &other.source, other.at));
    let looks = looks.map(|look| {
        let facts = look.iter().map(|fact| (fact.name.as_str(), value(&fact.value), fact.volatile));
        ((look[0].source.as_str(), look[0].at, facts.collect::<Vec<_>>()), &look[0].step)
    });
    for ((source, at, facts), steps) in said_once(looks) {
        let rows = facts.into_iter().map(|(name, value, volatile)| {
            let kind = if volatile { "may move" } else { "part of the digest" };
            vec![Cell::literal(name), Cell::literal(value), Cell::new(kind)]
        });
        let caption = format!("{}, seen {}: {source}", steps_named(dossier, &steps), moment(at));
        blocks.extend(table(&caption, &["fact", "value", "standing"], rows.collect()));
    }
    if dossier.observed.is_empty() {
        blocks = vec![Block::text("No probe read anything.")];
    }
    section("observed", "Observed state", blocks)
}

pub(super) fn changes(dossier: &Dossier) -> Option<Section> {
    let mut blocks = Vec::new();
    let changes = dossier.changes.iter().map(|it| ((it.request.as_deref(), &it.fields, it.what.as_str()), &it.step));
    for ((request, fields, what), steps) in said_once(changes) {
        let rows = fields.iter().map(|field| {
            let before = field.before.clone().unwrap_or_else(|| "not read".to_owned());
            let word = match (field.stays(), &field.before) {
                (true, _) => "stays",
                (false, Some(_)) => "changes",
                (false, None) => "is sent",
            };
            let after = field.after.clone().unwrap_or_default();
            vec![Cell::literal(&field.field), Cell::literal(before), Cell::literal(after), Cell::new(word)]
        });
        let request = request.unwrap_or("the request is only known in the run");
        let steps = steps_named(dossier, &steps);
        let none = Block::text(format!("{steps}: {} ({request})", one_line(what)));
        let caption = format!("{steps}: {request}");
        blocks.push(table(&caption, &["field", "before", "after", "effect"], rows.collect()).unwrap_or(none));
    }
    if blocks.is_empty() {
        blocks.push(Block::text("Nothing is changed."));
    }
    section("change", "The change, field by field", blocks)
}

pub(super) fn steps(dossier: &Dossier) -> Option<Section> {
    let run = dossier.outcome.is_some();
    let mut columns = vec!["step", "what", "reversible", "certainty", "predicted"];
    if run {
        columns.extend(["became", "took"]);
    }
    columns.push("how its success is seen");
    let rows = dossier.steps.iter().map(|step| row(step, run)).collect();
    let mut blocks = vec![Block::text(
        "Predicted: the middle (p50), and what nine of ten keep (p90). The figures come from earlier runs where there are any; \
         else they are the documented default. What they rest on is named beside them.",
    )];
    blocks.extend(table("In an order in which every step stands after its needs", &columns, rows));
    blocks.extend(permissions(dossier));
    section("steps", "Steps", blocks)
}

fn row(step: &StepRow, run: bool) -> Vec<Cell> {
    let reversible = match step.effect {
        crate::runbook::Effect::ReadOnly => Cell::new("reads only"),
        crate::runbook::Effect::Reversible => Cell::new("yes"),
        crate::runbook::Effect::Irreversible => Cell::new("no").toned(Tone::Careful),
    };
    let certainty = match step.certainty {
        Certainty::Verified => Cell::new("verified live"),
        Certainty::Predicted => Cell::new("predicted"),
        Certainty::Unknown => Cell::new("only known in the run").toned(Tone::Careful),
    };
    let critical = if step.critical { ", on the critical path" } else { "" };
    let what = step.description.as_ref().map_or_else(|| one_line(&step.summary), |description| one_line(description));
    let mut cells = vec![
        Cell::new(format!("{}. {}", step.number, step.id)),
        Cell::new(format!("{what} ({})", step.action)),
        reversible,
        certainty,
        Cell::new(format!("{}{} ({}){critical}", said(step.expected_s), step.bound(), step.expected_source)),
    ];
    if run {
        let actual = step.actual.as_ref();
        let state = actual.map_or(Cell::new(""), |actual| Cell::new(actual.state).toned(of_symbol(actual.symbol)));
        let took = actual.map(|actual| {
            let took = actual.took_s.map(said).unwrap_or_default();
            if actual.attempts > 1 { format!("{took}, {} attempts", actual.attempts) } else { took }
        });
        cells.extend([state, Cell::time(took.unwrap_or_default())]);
    }
    cells.push(Cell::new(step.verification));
    cells
}

/// Each once, with the steps that need it.
fn permissions(dossier: &Dossier) -> Option<Block> {
    let all = dossier.steps.iter().flat_map(|step| step.permissions.iter().map(|one| (one, &step.id)));
    let rows = said_once(all).into_iter().map(|(one, steps)| {
        let without = if one.required { "the step fails" } else { "it goes on, and says what could not be seen" };
        vec![
            Cell::literal(&one.action),
            Cell::literal(&one.on),
            Cell::new(&one.why),
            Cell::new(without),
            Cell::new(steps_named(dossier, &steps)),
        ]
    });
    let columns = ["permission", "on", "what for", "without it", "steps"];
    table("What the tool's own credential needs to be allowed", &columns, rows.collect())
}

pub(super) fn graph(dossier: &Dossier) -> Option<Section> {
    if dossier.steps.is_empty() {
        return None;
    }
    let arrow = " → ";
    let path: Vec<&str> = dossier.critical_path.iter().map(crate::runbook::StepId::as_str).collect();
    let (picture, note) = drawn(&dossier.picture);
    let ends = dossier.point_of_no_return.as_ref().map_or_else(
        || "Everything can be taken back.".to_owned(),
        |step| format!("Going back ends with step {step}."),
    );
    let needs = dossier.steps.iter().map(|step| {
        let needs: Vec<&str> = step.needs.iter().map(crate::runbook::StepId::as_str).collect();
        if needs.is_empty() {
            format!("{} waits for nothing", step.id)
        } else {
            format!("{} waits for {}", step.id, needs.join(", "))
        }
    });
    let alternative = format!("{}. Critical path: {}. {ends}", needs.collect::<Vec<_>>().join("; "), path.join(", "));
    let caption = format!(
        "Which step waits for which. Thick arrows: the critical path. Thick frame: cannot be undone. {ends}{note}"
    );
    let drawing = Drawing { caption, alternative, svg: picture.svg(), mermaid: Some(picture.mermaid()) };
    let blocks = vec![
        Block::text(format!("The critical path, {} in all: {}.", said(dossier.expected_s), path.join(arrow))),
        Block::Picture(drawing),
    ];
    section("graph", "Order of the steps", blocks)
}

/// The picture, or what of it can be looked at.
fn drawn(picture: &Picture) -> (Picture, &'static str) {
    if picture.nodes.len() <= MOST_BOXES {
        return (picture.clone(), "");
    }
    let kept: Vec<usize> = picture.critical.iter().copied().take(MOST_BOXES).collect();
    let place = |step: &usize| kept.iter().position(|other| other == step);
    let edges = picture.edges.iter().filter_map(|(from, to)| Some((place(from)?, place(to)?))).collect();
    let smaller = Picture {
        title: picture.title.clone(),
        nodes: kept.iter().map(|step| picture.nodes[*step].clone()).collect(),
        edges,
        critical: (0..kept.len()).collect(),
        point_of_no_return: picture.point_of_no_return.as_ref().and_then(place),
    };
    (smaller, " Only the critical path is drawn, or its beginning: there are too many steps to look at.")
}

pub(super) fn loss(dossier: &Dossier) -> Option<Section> {
    let loss = &dossier.loss;
    let mut blocks: Vec<Block> = loss.says.iter().map(|line| Block::text(sentence(line))).collect();
    let mut facts = Vec::new();
    facts.extend(loss.backup.as_ref().map(|backup| ("Backup".to_owned(), backup.clone())));
    facts.extend(loss.created.map(|created| ("Taken".to_owned(), moment(created))));
    if !loss.holds.is_empty() {
        let counts: Vec<String> = loss.holds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        facts.push(("It holds, by its manifest".to_owned(), counts.join(", ")));
    }
    if !facts.is_empty() {
        blocks.push(Block::Facts(facts));
    }
    let rows = loss.names.iter().map(|name| {
        vec![Cell::literal(&name.name), Cell::new(&name.kind), Cell::new(&name.says), Cell::new(name.step.as_str())]
    });
    blocks.extend(table("By name", &["name", "kind", "says", "seen by"], rows.collect()));
    blocks.extend(
        loss.ask
            .as_ref()
            .map(|ask| Block::Code { caption: "Who changed what since the backup".to_owned(), text: ask.clone() }),
    );
    section("loss", "Impact and what is lost", blocks)
}

pub(super) fn risks(dossier: &Dossier) -> Option<Section> {
    let level = |level: Level| {
        Cell::new(level.word()).toned(match level {
            Level::Low => Tone::Plain,
            Level::Medium => Tone::Careful,
            Level::High => Tone::Bad,
        })
    };
    let rows = dossier.risks.iter().map(|risk| {
        let code = risk.code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
        vec![
            Cell::new(format!("{}{code}", one_line(&risk.risk))),
            level(risk.likelihood),
            level(risk.impact),
            Cell::new(one_line(&risk.answer)),
        ]
    });
    let mut blocks = Vec::new();
    blocks.extend(table(
        "The heaviest first",
        &["risk", "likelihood", "impact", "what is done about it"],
        rows.collect(),
    ));
    blocks.push(Block::text("Taken for granted:"));
    blocks.push(Block::List(dossier.assumptions.clone()));
    section("risks", "Risks and assumptions", blocks)
}

pub(super) fn fidelity(dossier: &Dossier) -> Option<Section> {
    let fidelity = &dossier.fidelity;
    let text = format!(
        "Fidelity {} of 100: {} steps verified live, {} predicted, {} only known in the run. The rule: {}",
        fidelity.score, fidelity.verified, fidelity.predicted, fidelity.unknown, fidelity.rule
    );
    let rows = fidelity.unverified.iter().map(|one| vec![Cell::new(&one.subject), Cell::new(one_line(&one.why))]);
    let mut blocks = vec![Block::text(text)];
    let none = || Block::text("Everything that the plan depends on was read.");
    blocks.push(table("What could not be verified", &["what", "why"], rows.collect()).unwrap_or_else(none));
    section("fidelity", "What could not be verified", blocks)
}

pub(super) fn backout(dossier: &Dossier) -> Option<Section> {
    let rows = dossier.backout.iter().map(|row| {
        let takes = Cell::new(row.takes());
        vec![
            Cell::literal(row.step.as_str()),
            Cell::new(sentence(&row.how)),
            if row.stays.is_some() { takes.toned(Tone::Careful) } else { takes },
        ]
    });
    let columns = ["after step", "how it is taken back", "going all the way back from here"];
    let text = "For whoever stops right after a step: `lifeboat abort RUN --undo` takes back what can be taken back, the last \
                one first, and says what it leaves behind. The time is that of the writes back and of the longest TTL that \
                caches may hold; what cannot be taken back stays, however long one waits.";
    let mut blocks = vec![Block::text(text)];
    blocks.extend(table("The way back from each point", &columns, rows.collect()));
    section("backout", "Backout plan", blocks)
}

pub(super) fn schedule(dossier: &Dossier) -> Option<Section> {
    let lines = dossier.schedule.says.iter().map(|line| sentence(line)).collect();
    section("schedule", "Schedule and validity", vec![Block::List(lines)])
}
