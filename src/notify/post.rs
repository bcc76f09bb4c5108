//! One receiver: reads its secrets, posts, and posts again until the deadline. Its reasons name no URL, host or secret.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use http::{HeaderValue, Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{News, payload};
use crate::{
    azure::{Environment, read_secret, retry_after::retry_after},
    clock::{Clock, Moment},
    net::{Http, HttpError, HttpErrorKind, HttpRequest, http::is_local},
    site::{Form, Receiver, SecretReference},
};

/// First wait; doubles.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
/// A receiver that restarts is noticed within this.
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
/// Repeats of one piece of news. The deadline comes first, unless it is long.
const MOST_REPEATS: usize = 60;
/// Nobody reads the answer; larger ones are cut off, and count as none.
const MOST_ANSWER: usize = 1 << 20;

/// Where `PagerDuty` takes events of accounts in the United States.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// A receiver, and the way to it.
#[derive(Clone, Debug)]
pub struct Post {
    /// `notification 2 (slack)`: never its URL.
    pub name: String,
    pub receiver: Receiver,
    pub http: Http,
    pub environment: Environment,
    pub clock: Clock,
}

/// Why an attempt brought nothing.
#[derive(Debug)]
pub enum Failed {
    /// Another would bring nothing either.
    ForGood(String),
    ForNow {
        why: String,
        asked: Option<Duration>,
    },
}

impl Failed {
    /// Lower-case fragment, without secrets.
    pub fn why(&self) -> &str {
        match self {
            Self::ForGood(why) | Self::ForNow { why, .. } => why,
        }
    }

    /// Another attempt may bring something.
    pub fn passes(&self) -> bool {
        match self {
            Self::ForGood(_) => false,
            Self::ForNow { .. } => true,
        }
    }
}

/// What is said of a receiver whose answer did not come: it may have been told.
const NO_ANSWER: &str = "it did not answer in time";

/// What is needed to post, read at the moment of use.
struct Secrets {
    url: Url,
    /// Of a webhook.
    token: Option<SecretString>,
    /// Of `PagerDuty`.
    key: Option<SecretString>,
}

impl Post {
    /// `place`: its position in the site's `notify`, from 0.
    pub fn new(place: usize, receiver: &Receiver, http: &Http, environment: &Environment, clock: &Clock) -> Self {
        Self {
            name: format!("notification {} ({})", place + 1, receiver.form.name()),
            receiver: receiver.clone(),
            http: http.clone(),
            environment: environment.clone(),
            clock: clock.clone(),
        }
    }

    /// One request, within the receiver's deadline. Cancel safe: at worst it is not known whether it was told.
    ///
    /// # Errors
    /// It was not told, or nobody knows whether it was.
    pub async fn once(&self, news: &News) -> Result<(), Failed> {
        let deadline = self.receiver.deadline;
        tokio::select! {
            attempt = self.attempt(news, deadline, false) => attempt,
            () = self.clock.sleep(deadline) => Err(Failed::ForNow { why: NO_ANSWER.to_owned(), asked: None }),
        }
    }

    /// How much of the deadline is left for what was handed over then.
    fn left(&self, handed: &Moment) -> Duration {
        self.receiver.deadline.saturating_sub(self.clock.since(handed))
    }

    /// Until it is taken, or its deadline has passed. `handed`: when it happened. Cancel safe: at worst it is not told.
    ///
    /// # Errors
    /// Why it was given up: a lower-case fragment.
    pub async fn deliver(&self, news: &News, handed: &Moment) -> Result<(), String> {
        let mut backoff = ExponentialBuilder::new()
            .with_min_delay(FIRST_BACKOFF)
            .with_max_delay(LONGEST_BACKOFF)
            .with_factor(2.0)
            .with_max_times(MOST_REPEATS)
            .build();
        let mut last = "its turn came too late".to_owned();
        loop {
            let left = self.left(handed);
            if left.is_zero() {
                return Err(last);
            }
            let attempt = tokio::select! {
                attempt = self.attempt(news, left, true) => attempt,
                () = self.clock.sleep(left) => return Err(NO_ANSWER.to_owned()),
            };
            let (why, asked) = match attempt {
                Ok(()) => return Ok(()),
                Err(Failed::ForGood(why)) => return Err(why),
                Err(Failed::ForNow { why, asked }) => (why, asked),
            };
            let Some(wait) = backoff.next() else { return Err(why) };
            let wait = asked.map_or(wait, |asked| asked.max(wait));
            if wait >= self.left(handed) {
                let asks = asked.map(|asked| format!(" and asks to wait for {} s", asked.as_secs()));
                return Err(format!("{why}{}", asks.unwrap_or_default()));
            }
            tracing::debug!(receiver = self.name, why, "a notification is sent again");
            self.clock.sleep(wait).await;
            last = why;
        }
    }

    /// `repeatable`: the transport may send it twice.
    async fn attempt(&self, news: &News, left: Duration, repeatable: bool) -> Result<(), Failed> {
        let secrets = secrets(&self.receiver.form, &self.environment).map_err(Failed::ForGood)?;
        let (kind, body) = payload(&self.receiver.form, news, secrets.key.as_ref());
        let mut request = HttpRequest::new(Method::POST, secrets.url);
        request.secret_url = true;
        request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(token) = &secrets.token {
            request.headers.insert(header::AUTHORIZATION, bearer(token).map_err(Failed::ForGood)?);
        }
        request.body = body.expose_secret().to_owned().into();
        request.timeout = self.clock.real(left);
        request.max_body = MOST_ANSWER;
        // Whatever is told twice has the same id.
        request.repeatable = repeatable;
        let response = self.http.send(request).await.map_err(|error| unanswered(&error))?;
        let status = response.status;
        let why = format!("it answered {}", status.as_u16());
        let passes = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        if status.is_success() {
            Ok(())
        } else if passes || status.is_server_error() {
            Err(Failed::ForNow { why, asked: retry_after(&response.headers, self.clock.now()) })
        } else if status.is_redirection() {
            Err(Failed::ForGood(format!("{why}, and redirects are not followed")))
        } else {
            Err(Failed::ForGood(why))
        }
    }
}

/// Without the message: it names the host.
fn unanswered(error: &HttpError) -> Failed {
    let why = match error.kind {
        HttpErrorKind::NameNotFound => "its name cannot be found",
        HttpErrorKind::Connect => "it cannot be reached",
        HttpErrorKind::Timeout => NO_ANSWER,
        HttpErrorKind::Broken => "the connection to it broke",
        HttpErrorKind::Certificate => return Failed::ForGood("its certificate is not trusted".to_owned()),
        HttpErrorKind::TooLarge => return Failed::ForGood("its answer is too large".to_owned()),
    };
    Failed::ForNow { why: why.to_owned(), asked: None }
}

/// Whether its secrets can be read and make sense. Sends nothing.
///
/// # Errors
/// A lower-case fragment, without the secret.
pub fn check(receiver: &Receiver, environment: &Environment) -> Result<(), String> {
    let secrets = secrets(&receiver.form, environment)?;
    secrets.token.as_ref().map_or(Ok(()), |token| bearer(token).map(|_| ()))
}

fn secrets(form: &Form, environment: &Environment) -> Result<Secrets, String> {
    let read = |reference: &SecretReference, what: &str| {
        read_secret(reference, environment, what).map_err(|error| match error.hint {
            Some(hint) => format!("{}; {hint}", error.message),
            None => error.message,
        })
    };
    let url_of = |reference: &SecretReference| url(&read(reference, "its URL")?);
    match form {
        Form::Webhook { url, token } => {
            let token = token.as_ref().map(|token| read(token, "its token")).transpose()?;
            Ok(Secrets { url: url_of(url)?, token, key: None })
        }
        Form::Slack { url } | Form::Teams { url } => Ok(Secrets { url: url_of(url)?, token: None, key: None }),
        Form::PagerDuty { routing_key, url } => {
            let own = || Ok(Url::parse(PAGERDUTY).expect("a constant that is a URL"));
            let url = url.as_ref().map_or_else(own, url_of)?;
            Ok(Secrets { url, token: None, key: Some(read(routing_key, "its integration key")?) })
        }
    }
}

/// https, or http on this machine. Never repeated: it is the secret.
fn url(secret: &SecretString) -> Result<Url, String> {
    let url = Url::parse(secret.expose_secret()).ok();
    let url = url.filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
    let Some(url) = url else {
        return Err("its URL is none: it begins with https:// and has a host".to_owned());
    };
    if url.scheme() == "http" && !is_local(&url) {
        return Err("its URL is plain http to another machine; write https".to_owned());
    }
    Ok(url)
}

/// Sensitive: its `Debug` says so instead of showing it.
fn bearer(token: &SecretString) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
        .map_err(|_| "its token holds characters that no header may hold".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}
