//! A bounded queue and a task for each receiver. Whoever tells waits for nothing.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle};

use super::{News, Post};
use crate::{
    azure::Environment,
    clock::{Clock, Moment},
    net::Http,
    run::engine::Observer,
    site::{Occasion, Receiver},
};

/// News that wait for one receiver. A run with more trouble than that at once has told enough.
const CAPACITY: usize = 64;

/// A task gives up by itself at the deadline; it is waited for so much longer, so that it says why.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What became of what one receiver should have been told.
#[derive(Debug, Default)]
struct Tally {
    handed: u32,
    told: u32,
    /// Of those that are over without having been told.
    lost: u32,
    /// Of the first that was lost.
    why: Option<String>,
}

/// Shared with the receiver's task.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Tally>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost(&self, name: &str, why: String) {
        let mut tally = self.lock();
        tally.lost += 1;
        if tally.why.is_none() {
            tracing::warn!(receiver = name, why, "a notification could not be delivered; the run goes on");
            tally.why = Some(why);
        }
    }
}

/// Something that a receiver was not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// Its position in the site's `notify`, from 0.
    pub place: usize,
    /// `notification 2 (slack)`
    pub receiver: String,
    pub lost: u32,
    pub of: u32,
    /// Why the first was not. Lower-case fragment, without secrets.
    pub why: String,
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place: _, receiver, lost, of, why } = self;
        write!(f, "{receiver}: {lost} of {of} could not be delivered: {why}")
    }
}

/// The sending side of one receiver.
#[derive(Clone, Debug)]
struct Inlet {
    name: String,
    on: BTreeSet<Occasion>,
    /// It keeps an alarm open until it is told that all is well.
    keeps_alarms: bool,
    queue: mpsc::Sender<(News, Moment)>,
    shared: Shared,
    clock: Clock,
}

impl Inlet {
    fn wants(&self, news: &News) -> bool {
        match (news.occasion, news.ended_well) {
            (_, true) if self.keeps_alarms => true,
            // Only what closes an alarm.
            (Occasion::Test | Occasion::JobFailed, true) => false,
            (Occasion::Test, false) => true,
            (occasion, _) => self.on.contains(&occasion),
        }
    }

    fn tell(&self, news: &News) {
        if !self.wants(news) {
            return;
        }
        self.shared.lock().handed += 1;
        if let Err(error) = self.queue.try_send((news.clone(), self.clock.moment())) {
            let why = match error {
                mpsc::error::TrySendError::Full(_) => format!("more than {CAPACITY} waited for it"),
                mpsc::error::TrySendError::Closed(_) => "its task has ended".to_owned(),
            };
            self.shared.lost(&self.name, why);
        }
    }
}

#[derive(Debug)]
struct Outgoing {
    place: usize,
    inlet: Inlet,
    deadline: Duration,
    task: JoinHandle<()>,
}

/// Tells every receiver of a site. Dropped, it stops in the middle; see [`Notifier::finish`].
#[derive(Debug)]
pub struct Notifier {
    all: Vec<Outgoing>,
    clock: Clock,
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Notifier {
    /// Starts a task for each receiver, on the runtime that is entered. Sends nothing, reads no secret yet.
    ///
    /// `clock`: the one by which deadlines pass; of the machine, also where a run's is simulated.
    pub fn start(receivers: &[Receiver], http: &Http, environment: &Environment, clock: &Clock) -> Self {
        let outgoing = |(place, receiver): (usize, &Receiver)| {
            let post = Post::new(place, receiver, http, environment, clock);
            let name = post.name.clone();
            let (queue, mut waiting) = mpsc::channel::<(News, Moment)>(CAPACITY);
            let shared = Shared::default();
            let inlet = Inlet {
                name,
                on: receiver.on.clone(),
                keeps_alarms: receiver.form.keeps_alarms(),
                queue,
                shared: shared.clone(),
                clock: clock.clone(),
            };
            let task = tokio::spawn(async move {
                while let Some((news, handed)) = waiting.recv().await {
                    match post.deliver(&news, &handed).await {
                        Ok(()) => shared.lock().told += 1,
                        Err(why) => shared.lost(&post.name, why),
                    }
                }
            });
            Outgoing { place, inlet, deadline: receiver.deadline, task }
        };
        Self { all: receivers.iter().enumerate().map(outgoing).collect(), clock: clock.clone() }
    }

    /// Never waits.
    pub fn tell(&self, news: &News) {
        for outgoing in &self.all {
            outgoing.inlet.tell(news);
        }
    }

    /// What the engine tells. `next`: journal number of the first event that will be seen.
    pub fn observer(&self, next: u64) -> Observer {
        let inlets: Vec<Inlet> = self.all.iter().map(|outgoing| outgoing.inlet.clone()).collect();
        let mut seq = next;
        Box::new(move |at, event, state| {
            if !inlets.is_empty()
                && let Some(news) = News::of(seq, at, event, state)
            {
                for inlet in &inlets {
                    inlet.tell(&news);
                }
            }
            seq += 1;
        })
    }

    /// Waits until everything was told or given up: at most the longest deadline, and not at all when nothing waits.
    /// What could not be told, a receiver each.
    pub async fn finish(self) -> Vec<Untold> {
        let begin = self.clock.moment();
        let mut untold = Vec::new();
        for outgoing in self.all {
            // All wait side by side: their tasks go on while the one before is waited for.
            let left = (outgoing.deadline + LAST_WORD).saturating_sub(self.clock.since(&begin));
            untold.extend(outgoing.finish(&self.clock, left).await);
        }
        untold
    }
}

impl Outgoing {
    async fn finish(mut self, clock: &Clock, left: Duration) -> Option<Untold> {
        let (closed, _) = mpsc::channel(1);
        // The last sender but those of an observer; a task whose senders are gone ends with its queue.
        self.inlet.queue = closed;
        tokio::select! {
            _ended = &mut self.task => {}
            () = clock.sleep(left) => {}
        }
        let tally = self.inlet.shared.lock();
        let lost = tally.handed - tally.told;
        let why = tally.why.clone().unwrap_or_else(|| "the time for it was over".to_owned());
        (lost > 0).then(|| Untold { place: self.place, receiver: self.inlet.name.clone(), lost, of: tally.handed, why })
    }
}
