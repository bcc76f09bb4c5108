//! `notify`: a message of the runbook, told to the receivers of the site.
//!
//! Sends each receiver one request an attempt and never repeats it; what is told again, after a retry or a resume, has the
//! same id. Never shows a secret or the URL of a receiver. Whatever was not told fails the step: whether the run goes on
//! is what the step's `on_failure` says.

use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::{Call, Context, Done, Outside, arguments::Notify};
use crate::{
    clock::Clock,
    notify::{News, Post, check},
    plan::facts::{Finding, PlannedRequest, Probe},
    run::{Disposition, StepError},
    site::Occasion,
};

/// Sends nothing. Whether the secrets are there is said of every receiver, whatever the steps.
pub fn probe(arguments: &Notify, context: &Context) -> Probe {
    let posts = posts(context);
    let names: Vec<&str> = posts.iter().map(|post| post.name.as_str()).collect();
    let pretended = context.outside == Outside::Pretended;
    let mut findings = Vec::new();
    if names.is_empty() && !pretended {
        findings.push(Finding::warning(
            "notify-nobody",
            "nobody would be told: no receiver of the site takes messages of a runbook",
            "add one to `notify` in the site file, or `message` to the `on` of one that is there",
        ));
    }
    let request = |name: &&str| PlannedRequest {
        method: "POST".to_owned(),
        url: (*name).to_owned(),
        headers: Vec::new(),
        body: Some(json!({ "message": arguments.message, "severity": arguments.severity })),
    };
    Probe {
        summary: format!("tells {}: {}", listed(&names), arguments.message),
        requests: names.iter().map(request).collect(),
        // As far as it can be without telling anybody.
        verified: posts.iter().all(|post| check(&post.receiver, &post.environment).is_ok()),
        findings,
        ..Probe::default()
    }
}

pub async fn perform(arguments: &Notify, call: &Call, context: &Context) -> Result<Done, StepError> {
    if context.outside == Outside::Pretended {
        return Ok(done(&[], true));
    }
    let (at, host) = (context.clock.now(), &context.host);
    let news = News::of_message(&context.run, &call.step, at, host, arguments.severity, &arguments.message);
    let news = News { runbook: context.runbook.clone(), mode: context.mode, ..news };
    let posts = posts(context);
    let mut sending = JoinSet::new();
    for (place, post) in posts.iter().cloned().enumerate() {
        let news = news.clone();
        sending.spawn(async move { (place, post.once(&news).await) });
    }
    let mut answers: Vec<_> = posts.iter().map(|_| None).collect();
    while let Some(sent) = sending.join_next().await {
        if let Ok((place, answer)) = sent {
            answers[place] = Some(answer);
        }
    }
    let (mut told, mut untold, mut passes) = (Vec::new(), Vec::new(), false);
    for (post, answer) in posts.iter().zip(answers) {
        match answer {
            Some(Ok(())) => told.push(post.name.as_str()),
            Some(Err(failed)) => {
                passes |= failed.passes();
                untold.push(format!("{}: {}", post.name, failed.why()));
            }
            None => untold.push(format!("{}: telling it came to no end", post.name)),
        }
    }
    if untold.is_empty() {
        return Ok(done(&told, false));
    }
    let mut failure = StepError::new(
        if passes { Disposition::Retryable } else { Disposition::Final },
        "not-told",
        format!("not everybody was told: {}", untold.join("; ")),
        "`lifeboat notify --test` tries the receivers; `on_failure: continue` goes on without them",
    );
    failure.details = Map::from_iter([("told".to_owned(), json!(told)), ("untold".to_owned(), json!(untold))]);
    Err(failure)
}

fn done(told: &[&str], pretended: bool) -> Done {
    let outputs = Map::from_iter([("told".to_owned(), Value::from(told.to_vec()))]);
    let evidence = if pretended { json!({ "pretended": true }) } else { json!({ "told": told }) };
    Done { outputs, evidence }
}

/// Those of the site that take messages. Their deadlines pass by the machine's clock, also where the run's is simulated.
fn posts(context: &Context) -> Vec<Post> {
    let all = context.site.notify.iter().enumerate();
    let takes = all.filter(|(_, receiver)| receiver.on.contains(&Occasion::Message));
    let post = |(place, receiver)| Post::new(place, receiver, &context.http, &context.environment, &Clock::Wall);
    takes.map(post).collect()
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}
