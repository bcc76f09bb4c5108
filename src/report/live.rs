//! The live view: what goes on now, redrawn in place; what happened, as lines that stay above it.
//!
//! A thread of its own owns the terminal. The engine only leaves facts for it, so a terminal that is stopped
//! (Ctrl-S), slow or gone never holds up a run. Dropping the view leaves the terminal clean, also in a panic.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::{board::Board, story::Voice};
use crate::{
    clock::Clock,
    run::{State, engine::Observer},
    style::Style,
};

/// Eight times a second: a countdown looks alive, and a serial console keeps up.
const TICK: Duration = Duration::from_millis(125);

/// Redraws a second that indicatif lets through: more than there are ticks, so that none is dropped.
const MOST_DRAWS: u8 = 60;

/// Writes one line.
pub type LineWriter = Box<dyn FnMut(&str) -> io::Result<()> + Send>;

/// Where the view is drawn.
pub struct Canvas {
    /// A new target for the lines that are redrawn.
    pub target: Box<dyn Fn() -> ProgressDrawTarget + Send>,
    /// Writes a line that stays; called while nothing else is drawn.
    pub write: LineWriter,
    /// Rows and columns now.
    pub size: Box<dyn Fn() -> (usize, usize) + Send>,
}

impl std::fmt::Debug for Canvas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Canvas")
    }
}

impl Canvas {
    pub fn stderr() -> Self {
        let term = Term::buffered_stderr();
        let writer = term.clone();
        let measured = term.clone();
        Self {
            target: Box::new(move || ProgressDrawTarget::term_like_with_hz(Box::new(Screen(term.clone())), MOST_DRAWS)),
            write: Box::new(move |line| writer.write_line(line).and_then(|()| writer.flush())),
            size: Box::new(move || {
                let (rows, columns) = measured.size();
                (usize::from(rows), usize::from(columns))
            }),
        }
    }
}

/// A terminal whose cursor rests at the start of the last line. What the terminal echoes (`^C`, a stray key) then
/// lands on a line that is drawn again at once, and does not push the view down by wrapping at its end.
#[derive(Debug)]
struct Screen(Term);

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.0.size().1
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.0.write_line(line)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.write_str("\r")?;
        self.0.flush()
    }
}

/// The view; it lives until it is dropped.
#[derive(Debug)]
pub struct Live {
    board: Arc<Mutex<Board>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// `state` before the drive. `style.width` is only a first guess: the canvas is measured at every redraw.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(state: &State, clock: Clock, style: Style, voice: Voice, canvas: Canvas) -> io::Result<Self> {
        let board = Arc::new(Mutex::new(Board::new(state, voice, clock.speed())));
        let (stop, stopped) = channel();
        let painter = Painter { board: board.clone(), clock, style, canvas, bar: None };
        let thread = std::thread::Builder::new().name("live".to_owned()).spawn(move || painter.paint(&stopped))?;
        Ok(Self { board, stop: Some(stop), thread: Some(thread) })
    }

    pub fn observer(&self) -> Observer {
        let board = self.board.clone();
        Box::new(move |at, event, state| lock(&board).see(at, event, state))
    }

    /// Lines that stay, such as a warning of the command itself.
    pub fn say(&self, line: &str) {
        lock(&self.board).say(line);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the live view stopped in the middle");
        }
    }
}

/// A board is plain data: what a panic left of it can still be drawn.
fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Painter {
    board: Arc<Mutex<Board>>,
    clock: Clock,
    style: Style,
    canvas: Canvas,
    bar: Option<ProgressBar>,
}

impl Painter {
    fn paint(mut self, stopped: &Receiver<()>) {
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(TICK) {
            self.redraw(false);
        }
        self.redraw(true);
    }

    fn redraw(&mut self, last: bool) {
        let (rows, columns) = (self.canvas.size)();
        // One column is left free: some terminals wrap when the last one is written.
        self.style.width = columns.saturating_sub(1);
        let (lines, frame) = {
            let mut board = lock(&self.board);
            let lines = board.take_lines(&self.style);
            let quiet = last || board.is_asking_here();
            (lines, if quiet { None } else { Some(board.frame(self.clock.now(), &self.style, rows)) })
        };
        if !lines.is_empty() {
            match self.bar.take() {
                Some(bar) => {
                    bar.suspend(|| self.write(&lines));
                    self.bar = Some(bar);
                }
                None => self.write(&lines),
            }
        }
        match (frame, self.bar.take()) {
            (Some(frame), Some(bar)) => {
                bar.set_message(frame.join("\n"));
                self.bar = Some(bar);
            }
            (Some(frame), None) => {
                let style = ProgressStyle::with_template("{msg}").expect("a template of one key");
                let bar = ProgressBar::with_draw_target(None, (self.canvas.target)()).with_style(style);
                bar.set_message(frame.join("\n"));
                self.bar = Some(bar);
            }
            // A question is typed under the last line that stays: nothing may be drawn over it.
            (None, Some(bar)) => bar.finish_and_clear(),
            (None, None) => {}
        }
    }

    fn write(&mut self, lines: &[String]) {
        for line in lines {
            if let Err(error) = (self.canvas.write)(line) {
                tracing::warn!(%error, "the terminal cannot be written to; the run goes on");
                return;
            }
        }
    }
}
