//! Lines that leave through a thread of their own: a reader that is slow, stalled or gone never holds up a run.
//!
//! Resilient against: a closed pipe (said once in the log; the rest is dropped), a stalled reader.
//! Unbounded only in name: a run's events are bounded by its journal.

use std::{
    io::{self, Write},
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
};

enum Message {
    Line(String),
    End,
}

/// Where lines go in.
#[derive(Clone, Debug)]
pub struct Inlet(Sender<Message>);

impl Inlet {
    /// `line` ends with its line feed. Does not wait and cannot fail.
    pub fn send(&self, line: String) {
        let _the_reader_has_gone = self.0.send(Message::Line(line));
    }
}

/// Owns the writer. Dropping it waits until everything was written or the writer failed.
#[derive(Debug)]
pub struct Outlet {
    inlet: Inlet,
    thread: Option<JoinHandle<()>>,
}

impl Outlet {
    /// # Errors
    /// The thread cannot be started.
    pub fn start(writer: Box<dyn Write + Send>) -> io::Result<Self> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new().name("outlet".to_owned()).spawn(move || pump(writer, &receiver))?;
        Ok(Self { inlet: Inlet(sender), thread: Some(thread) })
    }

    pub fn inlet(&self) -> Inlet {
        self.inlet.clone()
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        let _the_thread_has_ended = self.inlet.0.send(Message::End);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the thread that writes the output stopped in the middle");
        }
    }
}

/// Every line is flushed: whoever reads sees it at once.
fn pump(mut writer: Box<dyn Write + Send>, lines: &Receiver<Message>) {
    while let Ok(Message::Line(line)) = lines.recv() {
        if let Err(error) = writer.write_all(line.as_bytes()).and_then(|()| writer.flush()) {
            tracing::warn!(%error, "output ends here; the run goes on");
            return;
        }
    }
}
