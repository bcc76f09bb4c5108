//! `notify`: whether the site's notifications can be sent, on a calm day. And how a drive and a schedule send theirs.

use serde_json::json;

use super::{Exit, Failure, Session, print, world};
use crate::{
    clock::Clock,
    notify::{News, Notifier, check},
    site::Receiver,
};

/// Of the site that a run acts on. Deadlines pass by the machine's clock, also where the run's is simulated.
pub fn start(session: &Session, scene: &world::Scene) -> Notifier {
    Notifier::start(&scene.site.notify, &scene.context.http, &session.machine.environment, &Clock::Wall)
}

/// Of the site that --site names.
pub fn of_site(session: &Session) -> Result<Notifier, Failure> {
    let Some(site) = session.site()? else {
        return Err(world::no_site());
    };
    let access = world::access(session, Some(&site));
    let access = access.map_err(|message| Failure::new(Exit::Problems, message, "correct the site file"))?;
    Ok(Notifier::start(&site.notify, &access.http, &access.environment, &Clock::Wall))
}

/// Waits for what is still to be told, and says what could not be.
pub async fn finish(session: &Session, notifier: Notifier) {
    let untold = notifier.finish().await;
    for untold in &untold {
        eprintln!("{untold}");
    }
    if !untold.is_empty() {
        let site = session.everywhere.site.as_ref().map(|site| format!(" --site {}", site.display()));
        eprintln!("nothing else depends on it; `lifeboat notify --test{}` tries it", site.unwrap_or_default());
    }
}

/// Reads every secret; with `test` sends.
pub async fn notify(session: &Session, test: bool) -> Result<Exit, Failure> {
    let Some(site) = session.site()? else {
        return Err(world::no_site());
    };
    if site.notify.is_empty() {
        return Err(Failure::refused("the site tells nobody", "add `notify` to the site file: see examples/site.yaml"));
    }
    let ready = |receiver: &Receiver| check(receiver, &session.machine.environment).err();
    let mut rows: Vec<Row> = site.notify.iter().map(|it| Row { receiver: it, why: ready(it) }).collect();
    if test {
        let notifier = of_site(session)?;
        let (now, host) = (Clock::Wall.now(), &session.machine.user.host);
        notifier.tell(&News::test(now, host, false));
        notifier.tell(&News::test(now, host, true));
        for untold in notifier.finish().await {
            rows[untold.place].why.get_or_insert(untold.why);
        }
    }
    show(session, &rows, test)?;
    let failed = rows.iter().filter(|row| row.why.is_some()).count();
    if failed == 0 {
        return Ok(Exit::Done);
    }
    Err(Failure::new(
        if test { Exit::StepFailed } else { Exit::Refused },
        format!("{failed} of {} receivers would be told nothing", rows.len()),
        "a run goes on without them; correct what stands beside each, and type the command again",
    ))
}

/// One receiver, and why it would not be told.
struct Row<'a> {
    receiver: &'a Receiver,
    why: Option<String>,
}

fn show(session: &Session, rows: &[Row<'_>], test: bool) -> Result<Exit, Failure> {
    if session.json() {
        let rows = rows.iter().map(|Row { receiver, why }| {
            json!({ "kind": receiver.form.name(), "on": receiver.on, "deadline_s": receiver.deadline.as_secs_f64(), "why_not": why })
        });
        let shown = json!({ "v": 1, "tested": test, "receivers": rows.collect::<Vec<_>>() });
        return print(&serde_json::to_string_pretty(&shown).expect("text keys"));
    }
    let good = if test { "took the test" } else { "has its secrets; --test sends it something" };
    let line = |(place, Row { receiver, why }): (usize, &Row<'_>)| {
        let what = why.as_deref().map_or_else(|| good.to_owned(), |why| format!("no: {why}"));
        format!("{}  {:9}  {what}\n", place + 1, receiver.form.name())
    };
    print(&rows.iter().enumerate().map(line).collect::<String>())
}
