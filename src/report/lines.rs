//! Plain lines for a log or a pipe: one event a line, with the time, the time since the run began, and no colour.
//!
//! ```text
//! 14:03:22Z +2m 10s  restore  + done in 45m 10s
//! ```
//!
//! Never a carriage return. A message that only says that something is still awaited is not repeated at every look.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    outlet::Inlet,
    story::{Sentence, Voice, Weight, tell},
};
use crate::{
    run::{Event, State, engine::Observer},
    runbook::StepId,
    style::{Style, Symbol, columns, pad, precise, time},
};

/// The same notice is said again after this long, so that a log shows that somebody still waits.
const REMINDER: SignedDuration = SignedDuration::from_secs(5 * 60);

/// Ids longer than this push their line to the right.
const WIDEST_ID: usize = 24;

/// `style.colour` is not used: a log holds no escapes.
pub fn observer(inlet: Inlet, style: Style, voice: Voice) -> Observer {
    let mut teller = Teller::new(style, voice);
    Box::new(move |at, event, state| {
        for line in teller.lines(at, event, state) {
            inlet.send(line);
        }
    })
}

/// Remembers what was said last of each step.
#[derive(Debug)]
pub struct Teller {
    style: Style,
    voice: Voice,
    /// The last notice of a step, without its figures, and when it was said.
    said: HashMap<StepId, (String, Timestamp)>,
    wide: Option<usize>,
}

impl Teller {
    pub fn new(style: Style, voice: Voice) -> Self {
        Self { style: Style { colour: false, ..style }, voice, said: HashMap::new(), wide: None }
    }

    /// The lines of an event, each with its line feed; none when it says nothing new.
    pub fn lines(&mut self, at: Timestamp, event: &Event, state: &State) -> Vec<String> {
        let wide = *self.wide.get_or_insert_with(|| {
            let ids = state.plan.steps.iter().map(|step| columns(step.id.as_str()));
            ids.max().unwrap_or_default().min(WIDEST_ID)
        });
        let sentences = tell(at, event, state, &self.voice);
        let mut lines = Vec::new();
        for sentence in &sentences {
            if !self.is_new(at, sentence) {
                continue;
            }
            let since = precise(at.duration_since(state.created_at));
            let step = sentence.step.as_ref().map_or("run", |step| step.as_str());
            let stamp = format!("{} {}", time(at), pad(&format!("+{since}"), 8));
            let symbol = self.style.symbol(sentence.symbol);
            lines.push(format!("{stamp} {} {symbol} {}\n", pad(step, wide), sentence.text));
            if let Some(hint) = &sentence.hint {
                let arrow = self.style.symbol(Symbol::Arrow);
                lines.push(format!("{stamp} {} {arrow} {hint}\n", pad(step, wide)));
            }
        }
        lines
    }

    fn is_new(&mut self, at: Timestamp, sentence: &Sentence) -> bool {
        let Some(step) = &sentence.step else { return true };
        if sentence.weight > Weight::Passing {
            self.said.remove(step);
            return true;
        }
        let shape = without_figures(&sentence.text);
        let again =
            self.said.get(step).is_some_and(|(before, when)| *before == shape && at.duration_since(*when) < REMINDER);
        if !again {
            self.said.insert(step.clone(), (shape, at));
        }
        !again
    }
}

/// `still running, 12m 03s so far` and `still running, 59s so far` are the same message: a word with a digit is a
/// figure, and several in a row are one.
fn without_figures(text: &str) -> String {
    let mut shape: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        let figure = word.contains(|character: char| character.is_ascii_digit());
        match (figure, shape.last()) {
            (true, Some(&"#")) => {}
            (true, _) => shape.push("#"),
            (false, _) => shape.push(word),
        }
    }
    shape.join(" ")
}
