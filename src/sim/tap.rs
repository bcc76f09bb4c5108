//! Whole exchanges for whoever holds them against a description: headers and bodies, also those that carry a key.
//! Nothing of it is kept or written anywhere; a tap is for tests.

use std::{fmt, sync::OnceLock};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::exchange::{Ending, Incoming, Reply};

/// A request and what was answered.
#[derive(Clone, Debug)]
pub struct Exchanged {
    pub method: Method,
    /// With the query.
    pub url: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// None: the connection was cut, within the answer or before it.
    pub answer: Option<(StatusCode, HeaderMap, Bytes)>,
}

type Listener = Box<dyn Fn(Exchanged) + Send + Sync>;

/// Where exchanges go, if anywhere.
#[derive(Default)]
pub(super) struct Tap(OnceLock<Listener>);

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tap").field(&self.0.get().is_some()).finish()
    }
}

impl Tap {
    /// False: somebody listens already.
    pub fn open(&self, listener: Listener) -> bool {
        self.0.set(listener).is_ok()
    }

    pub fn tell(&self, incoming: &Incoming, ending: &Ending) {
        let Some(listener) = self.0.get() else { return };
        let answer = match ending {
            Ending::Whole(Reply { status, headers, body }) => Some((*status, headers.clone(), body.clone())),
            Ending::Truncated(_) | Ending::Reset => None,
        };
        listener(Exchanged {
            method: incoming.method.clone(),
            url: incoming.url(),
            headers: incoming.headers.clone(),
            body: incoming.body.clone(),
            answer,
        });
    }
}
