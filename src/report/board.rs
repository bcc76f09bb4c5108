//! What the live view shows, without a terminal: rows of what goes on, and lines that are still to be printed.
//!
//! Pure. Keeps copies of the few things it shows, so that drawing never needs the engine's state; each event costs
//! the step it is about, not the whole plan.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    Standing,
    step::word,
    story::{Sentence, Voice, Weight, person, tell},
};
use crate::{
    plan::Plan,
    run::{Event, RunId, State, StepState},
    runbook::ActionKind,
    style::{Page, Style, Symbol, columns, duration, fit, one_line, pad, precise},
};

/// Lines that wait for a terminal that does not take them. Beyond this the oldest good news is dropped.
const MOST_LINES: usize = 2000;

/// When more steps than this finished between two redraws, they are counted and not named.
const MOST_DONE_LINES: usize = 20;

/// Rows of steps that have not started, so that one sees what comes.
const MOST_PENDING: usize = 8;

/// Columns of the bar of a long step.
const BAR: usize = 14;

/// Narrower than this, a row is cut wherever it has to be.
const MOST_COLUMNS_FOR_NAMES: usize = 32;

/// Rows that are not steps: header, counts, and a line for the cursor.
const FRAME_ROWS: usize = 4;

#[derive(Debug)]
pub struct Board {
    run: RunId,
    plan: Arc<Plan>,
    voice: Voice,
    created_at: Timestamp,
    /// Simulated seconds a second.
    speed: f64,
    finished: usize,
    failed: usize,
    /// What goes on, by place in the plan.
    rows: BTreeMap<usize, Row>,
    pending: BTreeSet<usize>,
    /// Approvals that wait for an answer.
    asking: BTreeSet<usize>,
    stopping: bool,
    /// Who holds it.
    paused: Option<String>,
    queue: VecDeque<Line>,
    /// Good news that found no room.
    dropped: usize,
}

#[derive(Debug)]
struct Row {
    symbol: Symbol,
    word: &'static str,
    since: Option<Timestamp>,
    attempt: u32,
    note: Option<(String, Option<Timestamp>)>,
}

#[derive(Debug)]
enum Line {
    Sentence(Sentence),
    Plain(String),
}

impl Board {
    pub fn new(state: &State, voice: Voice, speed: f64) -> Self {
        let mut board = Self {
            run: state.run.clone(),
            plan: state.plan.clone(),
            voice,
            created_at: state.created_at,
            speed,
            finished: 0,
            failed: 0,
            rows: BTreeMap::new(),
            pending: BTreeSet::new(),
            asking: BTreeSet::new(),
            stopping: false,
            paused: None,
            queue: VecDeque::new(),
            dropped: 0,
        };
        board.look_at_all(state);
        board.paused = state.hold.as_ref().map(|hold| person(&hold.by));
        board
    }

    /// Takes in an event; `state` is the one after it.
    pub fn see(&mut self, at: Timestamp, event: &Event, state: &State) {
        for sentence in tell(at, event, state, &self.voice) {
            if sentence.weight == Weight::News {
                self.push(Line::Sentence(sentence));
            }
        }
        match event.step().and_then(|step| state.place(step)) {
            Some(place) => self.look(state, place),
            None => self.look_at_all(state),
        }
        self.finished = state.finished;
        self.failed = state.failed.len();
        self.stopping = state.stop.is_some();
        self.paused = state.hold.as_ref().map(|hold| person(&hold.by));
    }

    pub fn say(&mut self, line: &str) {
        self.push(Line::Plain(one_line(line)));
    }

    /// This process waits for a typed answer: nothing may move on the screen.
    pub fn is_asking_here(&self) -> bool {
        self.voice.asks_here && !self.asking.is_empty() && !self.stopping
    }

    fn look_at_all(&mut self, state: &State) {
        for place in 0..state.steps.len() {
            self.look(state, place);
        }
        self.finished = state.finished;
        self.failed = state.failed.len();
    }

    fn look(&mut self, state: &State, place: usize) {
        let record = &state.steps[place];
        let approval = state.planned(place).action == ActionKind::Approval;
        let (word, symbol) = word(&record.state, Standing::Driven, approval);
        let row = |since, attempt, note| Row { symbol, word, since, attempt, note };
        self.pending.remove(&place);
        self.rows.remove(&place);
        self.asking.remove(&place);
        let row = match &record.state {
            StepState::Pending { .. } => {
                self.pending.insert(place);
                return;
            }
            StepState::Running { attempt, .. } if approval => {
                self.asking.insert(place);
                row(
                    Some(attempt.since),
                    attempt.number,
                    Some(("waits for an answer".to_owned(), Some(attempt.deadline))),
                )
            }
            StepState::Running { attempt, .. } => row(Some(attempt.since), attempt.number, record.note.clone()),
            StepState::Waiting { next_attempt, until, error } => {
                row(None, *next_attempt, Some((error.message.clone(), Some(*until))))
            }
            StepState::InDoubt { attempt, unknown, .. } => {
                let note = match unknown {
                    Some(unknown) => unknown.reason.clone(),
                    None => "looking what became of its request".to_owned(),
                };
                row(Some(attempt.since), attempt.number, Some((note, None)))
            }
            StepState::Undoing { .. } => row(None, 1, record.note.clone()),
            StepState::Succeeded { .. }
            | StepState::Failed { .. }
            | StepState::Skipped { .. }
            | StepState::Undone
            | StepState::UndoFailed { .. } => return,
        };
        self.rows.insert(place, row);
    }

    fn push(&mut self, line: Line) {
        if self.queue.len() >= MOST_LINES {
            let good = self.queue.iter().position(is_good_news);
            if good.and_then(|place| self.queue.remove(place)).is_some() {
                self.dropped += 1;
            }
        }
        self.queue.push_back(line);
    }

    /// Takes the lines that are to stay on the screen, oldest first.
    pub fn take_lines(&mut self, style: &Style) -> Vec<String> {
        let good = self.queue.iter().filter(|line| is_good_news(line)).count() + self.dropped;
        let mut page = Page::new(style);
        let wide = self.plan.steps.iter().map(|step| step.id.as_str().len()).max().unwrap_or_default().min(24);
        for line in std::mem::take(&mut self.queue) {
            match line {
                line if good > MOST_DONE_LINES && is_good_news(&line) => {}
                Line::Plain(line) => page.hang("  ", &line),
                Line::Sentence(sentence) => print(&mut page, &sentence, wide),
            }
        }
        if good > MOST_DONE_LINES {
            page.hang(&format!("  {} ", style.mark(Symbol::Done)), &format!("{good} more steps done"));
        }
        self.dropped = 0;
        page.text().lines().map(str::to_owned).collect()
    }

    /// What goes on at `now`, in at most `rows` lines of at most `style.width` columns.
    pub fn frame(&self, now: Timestamp, style: &Style, rows: usize) -> Vec<String> {
        let room = rows.saturating_sub(FRAME_ROWS).max(3);
        let active = self.rows.len().min(room);
        let wide = self.rows.keys().take(active).chain(self.pending.iter().take(MOST_PENDING));
        let wide = wide.map(|place| columns(self.plan.steps[*place].id.as_str())).max().unwrap_or_default();
        let wide = wide.min(28).min(style.width / 3);
        let mut lines = vec![self.header(now, style)];
        for (place, row) in self.rows.iter().take(active) {
            lines.push(self.row(*place, row, now, wide, style));
        }
        let hidden = self.rows.len() - active;
        if hidden > 0 {
            lines.push(fit(&format!("    and {hidden} more steps at work"), style.width, style));
        }
        let pending = self.pending.len().min(MOST_PENDING).min(room - active);
        for place in self.pending.iter().take(pending) {
            let step = &self.plan.steps[*place];
            let id = pad(&fit(step.id.as_str(), wide, style), wide);
            let about = SignedDuration::try_from(step.expected).unwrap_or(SignedDuration::MAX);
            let text = format!("{} pending  {id}  about {}", style.symbol(Symbol::Pending), duration(about));
            lines.push(style.dim(format!("  {}", fit(&text, style.width.saturating_sub(2), style))));
        }
        let later = self.pending.len() - pending;
        if later > 0 {
            lines.push(style.dim(fit(&format!("    and {later} more to come"), style.width, style)));
        }
        lines
    }

    /// `run  unplanned  12m 03s of 1h 15m (RTO)  3 of 8 steps`
    fn header(&self, now: Timestamp, style: &Style) -> String {
        let elapsed = now.duration_since(self.created_at);
        let rto = self.plan.objectives.rto.and_then(|rto| SignedDuration::try_from(rto).ok());
        let predicted = SignedDuration::try_from(self.plan.expected).unwrap_or(SignedDuration::MAX);
        let (tone, against) = match rto {
            Some(rto) if elapsed > rto => {
                (Symbol::Failed, format!("{}, RTO missed by {}", precise(elapsed), duration(elapsed - rto)))
            }
            Some(rto) => (Symbol::Done, format!("{} of RTO {}", precise(elapsed), duration(rto))),
            None => (Symbol::Note, format!("{}, predicted {}", precise(elapsed), duration(predicted))),
        };
        let steps = format!("{} of {} steps", self.finished, self.plan.steps.len());
        let mut parts = vec![(Symbol::Note, self.plan.mode.to_string()), (tone, against), (Symbol::Note, steps)];
        if self.failed > 0 {
            parts.push((Symbol::Failed, format!("{} failed", self.failed)));
        }
        if let Some(by) = &self.paused {
            parts.push((Symbol::Waiting, format!("paused by {}", one_line(by))));
        }
        if self.stopping {
            parts.push((Symbol::Warning, "stopping".to_owned()));
        }
        if (self.speed - 1.0).abs() > f64::EPSILON {
            parts.push((Symbol::Note, format!("simulated, {}x", self.speed.round())));
        }
        let mut line = style.bold(fit(&self.run.0, style.width, style));
        for (tone, part) in parts {
            if columns(&line) + 2 + columns(&part) <= style.width {
                line.push_str("  ");
                line.push_str(&style.toned(tone, part));
            }
        }
        line
    }

    fn row(&self, place: usize, row: &Row, now: Timestamp, wide: usize, style: &Style) -> String {
        let step = &self.plan.steps[place];
        let expected = SignedDuration::try_from(step.expected).unwrap_or(SignedDuration::MAX);
        let least = format!("  {} {:7}  {}", style.symbol(row.symbol), row.word, step.id);
        if style.width < MOST_COLUMNS_FOR_NAMES.min(columns(&least)) {
            return fit(&least, style.width, style);
        }
        let mut line = format!(
            "  {} {}  {}",
            style.mark(row.symbol),
            style.toned(row.symbol, pad(row.word, 7)),
            pad(&fit(step.id.as_str(), wide, style), wide)
        );
        let mut add = |part: &str, tone: Symbol| {
            if columns(&line) + 2 + columns(part) <= style.width {
                line.push_str("  ");
                line.push_str(&style.toned(tone, part));
            }
        };
        if let Some(since) = row.since {
            let elapsed = now.duration_since(since).max(SignedDuration::ZERO);
            let over = elapsed > expected;
            let of = format!("{} of about {}", precise(elapsed), duration(expected));
            if expected >= SignedDuration::from_mins(1) && style.width >= 100 {
                add(&bar(elapsed, expected, style), if over { Symbol::Waiting } else { Symbol::Running });
            }
            add(&pad(&of, 19), if over { Symbol::Waiting } else { Symbol::Note });
        }
        if row.attempt > 1 || row.since.is_none() && step.retry.attempts > 1 {
            add(&format!("attempt {} of {}", row.attempt, step.retry.attempts), Symbol::Waiting);
        }
        if let Some((message, until)) = &row.note {
            let left = until.map(|until| until.duration_since(now)).filter(SignedDuration::is_positive);
            let left = left.map(|left| format!(", {} left", precise(left))).unwrap_or_default();
            let used = columns(&line) + 2;
            let room = style.width.saturating_sub(used + columns(&left));
            if room >= 12 {
                line.push_str("  ");
                line.push_str(&fit(&one_line(message), room, style));
                line.push_str(&left);
            }
        }
        line
    }
}

fn bar(elapsed: SignedDuration, expected: SignedDuration, style: &Style) -> String {
    let (full, empty) = if style.unicode { ("█", "░") } else { ("#", "-") };
    let share = (elapsed.as_secs_f64() / expected.as_secs_f64().max(1.0)).clamp(0.0, 1.0);
    let filled = (0..BAR).filter(|cell| (*cell as f64) < share * BAR as f64).count();
    format!("{}{}", full.repeat(filled), empty.repeat(BAR - filled))
}

fn is_good_news(line: &Line) -> bool {
    match line {
        Line::Sentence(sentence) => {
            matches!(sentence.symbol, Symbol::Done | Symbol::Skipped) && sentence.hint.is_none()
        }
        Line::Plain(_) => false,
    }
}

/// `  ✓ restore   done in 45m 10s`
fn print(page: &mut Page, sentence: &Sentence, wide: usize) {
    let style = page.style;
    let step = sentence.step.as_ref().map_or("run", |step| step.as_str());
    let lead = format!("  {} {}  ", style.mark(sentence.symbol), style.bold(pad(step, wide)));
    let text = match sentence.symbol {
        Symbol::Failed | Symbol::Doubt | Symbol::Ask | Symbol::Warning => style.toned(sentence.symbol, &sentence.text),
        Symbol::Pending
        | Symbol::Running
        | Symbol::Waiting
        | Symbol::Done
        | Symbol::Skipped
        | Symbol::Undo
        | Symbol::Note
        | Symbol::Arrow => sentence.text.clone(),
    };
    page.hang(&lead, &text);
    if let Some(hint) = &sentence.hint {
        page.hang(&format!("      {} ", style.mark(Symbol::Arrow)), hint);
    }
}
