//! The live view: its frames, and the terminal that it leaves behind.

use std::{
    io,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use indicatif::{ProgressDrawTarget, TermLike};
use jiff::{SignedDuration, Timestamp};
use lifeboat::{
    clock::Clock,
    report::{
        board::Board,
        live::{Canvas, Live},
        story::Voice,
    },
    run::{Event, Outcome, State},
    runbook::StepId,
    style::{Style, columns},
};
use serde_json::json;

use super::{
    fixture::{self, Tape, dana},
    style,
};

fn begun(tape: &Tape) -> State {
    State::begin(tape.events[0].0, &tape.events[0].1).unwrap()
}

fn board(tape: &Tape, asks_here: bool) -> Board {
    let mut board = Board::new(&begun(tape), Voice { asks_here, ..Voice::default() }, 1.0);
    tape.replay(|at, event, state| board.see(at, event, state));
    board
}

fn screen(tape: &Tape, now: Timestamp, width: usize) -> String {
    let (mut board, style) = (board(tape, false), style(width));
    let lines = board.take_lines(&style);
    let frame = board.frame(now, &style, 24);
    assert!(frame.iter().all(|line| columns(line) <= width), "{frame:#?}");
    format!("{}\n--------\n{}\n", lines.join("\n"), frame.join("\n"))
}

#[test]
fn what_is_shown_while_it_restores() {
    let mut tape = Tape::of(fixture::plan());
    tape.until_restoring().note("restore", "the restore of apim-east goes on in Azure", Some(60));
    let now = tape.now() + SignedDuration::from_secs(18);
    insta::assert_snapshot!(screen(&tape, now, 79));
    insta::assert_snapshot!(screen(&tape, now, 119));
}

#[test]
fn what_is_shown_while_it_waits_for_the_next_attempt_and_is_late() {
    let mut tape = Tape::of(fixture::plan());
    tape.until_asked();
    let retry = tape.events.iter().position(|(_, event)| matches!(event, Event::StepFailed { .. })).unwrap();
    tape.events.truncate(retry + 1);
    let at = tape.events[retry].0;
    insta::assert_snapshot!(screen(&tape, at + SignedDuration::from_secs(3), 99));
    let late = screen(&tape, at + SignedDuration::from_hours(1), 99);
    assert!(late.contains("RTO missed by 32m"), "{late}");
}

#[test]
fn a_question_is_asked_once_and_nothing_moves_while_it_is_typed() {
    let mut tape = Tape::of(fixture::plan());
    tape.until_asked();
    insta::assert_snapshot!(screen(&tape, tape.now() + SignedDuration::from_secs(30), 99));
    assert!(!board(&tape, false).is_asking_here(), "somebody else answers: the view goes on");
    let mut here = board(&tape, true);
    assert!(here.is_asking_here());
    let lines = here.take_lines(&style(79)).join("\n");
    assert_eq!(lines.matches("asks: Move api.contoso.com").count(), 1);
    assert!(lines.contains("type yes or no and press Enter"), "{lines}");
    // Whoever takes the run up is asked again.
    tape.after(60).attach(2);
    let again = board(&tape, true).take_lines(&style(79)).join("\n");
    assert_eq!(again.matches("asks: Move api.contoso.com").count(), 2);
    let (step, by) = (StepId::new("approve"), dana());
    tape.after(5).add(Event::ApprovalGiven { step, by, comment: None });
    tape.done("approve", json!({ "approved_by": ["dana"] }));
    assert!(!board(&tape, true).is_asking_here());
}

#[test]
fn hundreds_of_steps_fit_a_small_terminal() {
    let mut tape = Tape::of(fixture::wide_plan(300));
    for number in 0..200 {
        tape.start(&format!("wait-{number}"), 1, 60, json!({}));
    }
    for number in 0..100 {
        tape.done(&format!("wait-{number}"), json!({}));
    }
    let mut board = board(&tape, false);
    let lines = board.take_lines(&style(79));
    assert_eq!(lines, ["  ✓ 100 more steps done"], "many at once are counted");
    for rows in [5, 24, 50] {
        let frame = board.frame(tape.now(), &style(79), rows);
        assert!(frame.len() < rows.max(7), "{} lines on {rows}", frame.len());
        assert!(frame.iter().all(|line| columns(line) <= 79), "{frame:#?}");
    }
    let frame = board.frame(tape.now(), &style(79), 24).join("\n");
    assert!(
        frame.contains("100 of 300 steps")
            && frame.contains("more steps at work")
            && frame.contains("100 more to come"),
        "{frame}"
    );
}

#[test]
fn a_terminal_that_takes_nothing_costs_a_bounded_amount() {
    let mut tape = Tape::of(fixture::wide_plan(3000));
    for number in 0..3000 {
        tape.start(&format!("wait-{number}"), 1, 60, json!({}));
    }
    for number in 0..3000 {
        tape.done(&format!("wait-{number}"), json!({}));
    }
    let mut board = board(&tape, false);
    board.say("the last word");
    assert_eq!(board.take_lines(&style(79)), ["  the last word", "  ✓ 3000 more steps done"]);
    assert!(board.take_lines(&style(79)).is_empty());
}

#[test]
fn frames_fit_every_width() {
    let mut tape = Tape::of(fixture::plan());
    tape.until_flipped().note("propagated", "ns2-07.azure-dns.net lags: it still answers apim-west", Some(5));
    for width in 10..200 {
        for style in [style(width), Style::plain(width), Style { colour: true, ..style(width) }] {
            let frame = board(&tape, false).frame(tape.now(), &style, 24);
            assert!(frame.iter().all(|line| columns(line) <= width), "{width}: {frame:#?}");
        }
    }
}

/// A terminal of 40 rows that keeps what was written, row by row.
#[derive(Clone, Debug, Default)]
struct Terminal(Arc<(Mutex<Glass>, Condvar)>);

#[derive(Debug, Default)]
struct Glass {
    rows: Vec<String>,
    row: usize,
    column: usize,
    draws: u32,
}

const WIDTH: usize = 100;

impl Glass {
    fn write(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '\r' => self.column = 0,
                '\n' => (self.row, self.column) = (self.row + 1, 0),
                character => {
                    if self.column == WIDTH {
                        (self.row, self.column) = (self.row + 1, 0);
                    }
                    while self.rows.len() <= self.row {
                        self.rows.push(" ".repeat(WIDTH));
                    }
                    let mut row: Vec<char> = self.rows[self.row].chars().collect();
                    row[self.column] = character;
                    self.rows[self.row] = row.into_iter().collect();
                    self.column += 1;
                }
            }
        }
    }

    fn text(&self) -> String {
        self.rows.iter().map(|row| row.trim_end()).collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }
}

impl Terminal {
    fn glass<R>(&self, act: impl FnOnce(&mut Glass) -> R) -> R {
        act(&mut self.0.0.lock().unwrap())
    }

    /// Waits until something that holds `text` is on the screen.
    fn wait_for(&self, text: &str) {
        let (glass, changed) = &*self.0;
        let guard = glass.lock().unwrap();
        let patience = Duration::from_secs(20);
        let (guard, timeout) =
            changed.wait_timeout_while(guard, patience, |glass| !glass.text().contains(text)).unwrap();
        assert!(!timeout.timed_out(), "`{text}` never came: {}", guard.text());
    }

    fn canvas(&self) -> Canvas {
        let (target, writer) = (self.clone(), self.clone());
        Canvas {
            target: Box::new(move || ProgressDrawTarget::term_like(Box::new(target.clone()))),
            write: Box::new(move |line| writer.write_line(line).and_then(|()| writer.flush())),
            size: Box::new(|| (40, WIDTH)),
        }
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        100
    }

    fn height(&self) -> u16 {
        40
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.glass(|glass| glass.row = glass.row.saturating_sub(lines));
        Ok(())
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.glass(|glass| glass.row += lines);
        Ok(())
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.glass(|glass| glass.column = (glass.column + columns).min(WIDTH));
        Ok(())
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.glass(|glass| glass.column = glass.column.saturating_sub(columns));
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.glass(|glass| glass.write(&format!("{line}\n")));
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.glass(|glass| glass.write(text));
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.glass(|glass| {
            let row = glass.row;
            if let Some(row) = glass.rows.get_mut(row) {
                *row = " ".repeat(WIDTH);
            }
            glass.column = 0;
        });
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.glass(|glass| {
            glass.write("\r");
            glass.draws += 1;
        });
        self.0.1.notify_all();
        Ok(())
    }
}

/// Drives the view with real redraws, as the engine would.
fn watch(tape: &Tape, terminal: &Terminal, seen: &str) -> Live {
    let clock = Clock::Scaled { anchor: tape.now(), since: tape.now(), speed: 1e-9 };
    let live = Live::start(&begun(tape), clock, style(WIDTH), Voice::default(), terminal.canvas()).unwrap();
    let mut observer = live.observer();
    tape.replay(|at, event, state| observer(at, event, state));
    terminal.wait_for(seen);
    live
}

#[test]
fn the_terminal_is_clean_when_the_view_has_gone() {
    let mut tape = Tape::of(fixture::plan());
    tape.until_restoring();
    let terminal = Terminal::default();
    let live = watch(&tape, &terminal, "● running  restore");
    let mut observer = live.observer();
    let mut state = tape.state();
    let stopped = Event::RunStopped { outcome: Outcome::Interrupted, reason: "stopped by SIGINT".to_owned() };
    state.apply(tape.now(), &stopped).unwrap();
    observer(tape.now(), &stopped, &state);
    drop(live);
    let left = terminal.glass(|glass| (glass.text(), glass.column));
    insta::assert_snapshot!(left.0);
    assert_eq!(left.1, 0, "the next line begins at the left");
}

#[test]
fn the_terminal_is_clean_after_a_panic() {
    let mut tape = Tape::of(fixture::plan());
    tape.until_restoring();
    let terminal = Terminal::default();
    let inside = terminal.clone();
    let panicked = std::thread::spawn(move || {
        let _live = watch(&tape, &inside, "● running  restore");
        panic!("a bug, on purpose");
    });
    assert!(panicked.join().is_err());
    let text = terminal.glass(|glass| glass.text());
    assert!(!text.contains("running"), "{text}");
    assert!(text.contains("done in 2m 10s"), "{text}");
}
