//! What a scheduler writes down and says.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Occurrence;
use crate::run::{Outcome, lease::Holder};

/// Version of what is written about an occurrence.
pub(super) const FORMAT: u32 = 1;

/// What is written about an occurrence: who took it, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub v: u32,
    /// Tells two schedulers apart also when they are alike: a claim that finds its own bytes counts as its own.
    pub by: Holder,
    pub started_at: Timestamp,
    /// When the job was due, as the file said it then. After another rule nobody can say what was missed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// Exit code of what was started; none: not known yet, or never started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// How the run of an occurrence stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stands {
    /// There is none: it has not begun, or never does, as that of a readiness.
    Absent,
    /// Somebody drives it.
    Driven {
        /// Number of the drive.
        generation: u32,
    },
    /// Nobody drives it, and it is not over: what it acts on is held by it.
    Open {
        /// None: whoever drove it is gone without a word, and nobody had asked it to stop.
        outcome: Option<Outcome>,
        /// Somebody wants it to hold.
        paused: bool,
        /// Number of its last drive.
        generation: u32,
        /// How long the whole run was predicted to take.
        predicted: Duration,
    },
    /// Its journal cannot be read, and others can: why.
    Unreadable(String),
    Over {
        exit: i32,
    },
}

/// Whether what is started is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Anew,
    /// The run of the occurrence goes on.
    Resumed,
}

/// What somebody who watches should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "told", rename_all = "kebab-case")]
pub enum Told {
    Started {
        job: String,
        occurrence: Occurrence,
    },
    /// Its run was interrupted, or its driver died; it goes on here.
    Resumed {
        job: String,
        occurrence: Occurrence,
    },
    Ended {
        job: String,
        occurrence: Occurrence,
        exit: i32,
    },
    /// Another scheduler has it.
    Taken {
        job: String,
        occurrence: Occurrence,
    },
    /// It was not started in time, nor were those before it.
    Missed {
        job: String,
        occurrence: Occurrence,
        more: usize,
    },
    /// A scheduler claimed it, and is gone without having started it.
    Lost {
        job: String,
        occurrence: Occurrence,
    },
    /// The one before it still runs.
    Overlaps {
        job: String,
        occurrence: Occurrence,
    },
    /// Its run is not over, and does not go on by itself: it holds what it acts on, also against a real failover.
    Open {
        job: String,
        occurrence: Occurrence,
        outcome: Option<Outcome>,
        paused: bool,
        /// Why no scheduler goes on with it, where its outcome does not say so; a lower-case fragment.
        #[serde(skip_serializing_if = "String::is_empty")]
        why: String,
        /// Nobody has been told so before.
        #[serde(skip)]
        first: bool,
    },
    StoreFailed {
        job: String,
        error: String,
    },
}
