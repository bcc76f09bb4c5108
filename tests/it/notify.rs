//! Notifications: what is told, in whose words, and that a run never waits for it.

mod command;
mod delivery;
mod payloads;

use std::time::Duration;

use lifeboat::{
    azure::Environment,
    runbook::ActionKind,
    site::{self, Occasion, Receiver},
};

/// A secret that must not be seen anywhere.
pub const SECRET: &str = "hunter2";

/// The receivers of a site file's `notify`.
pub fn receivers(entries: &[String]) -> Vec<Receiver> {
    let text = format!("version: 1\ncredential: {{ azure-cli: {{}} }}\nnotify:\n{}\n", entries.join("\n"));
    let file =
        site::parse("site.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    file.into_site(None).unwrap().notify
}

/// `{ kind: …, url: … }` with the rest of its keys; the URL is in the variable `URL`.
pub fn receiver(kind: &str, more: &str) -> String {
    let key = if kind == "pagerduty" { ", routing_key: { env: KEY }" } else { "" };
    format!("- {{ kind: {kind}, url: {{ env: URL }}{key}{more} }}")
}

/// The variables that [`receiver`] names.
pub fn environment(base: &str) -> Environment {
    let variables = [("URL", format!("{base}/{SECRET}?sig={SECRET}")), ("KEY", format!("key-{SECRET}"))];
    Environment::of(variables.map(|(name, value)| (name.to_owned(), value)))
}

/// Long enough for a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a page shows is read, as somebody would copy it.
#[test]
fn the_example_and_the_how_to_are_understood() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = std::fs::read_to_string(root.join("examples/site.yaml")).unwrap();
    let shown =
        example.lines().skip_while(|line| !line.starts_with("# notify:")).take_while(|line| line.starts_with("# "));
    let shown: String = shown.map(|line| format!("{}\n", &line[2..])).collect();
    let page = std::fs::read_to_string(root.join("docs/how-to/notifications.md")).unwrap();
    let copied = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    for text in [shown.as_str(), copied] {
        let text = format!("version: 1\ncredential: {{ azure-cli: {{}} }}\n{text}");
        let site =
            site::parse("site.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let kinds: Vec<_> = site.into_site(None).unwrap().notify.iter().map(|it| it.form.name()).collect();
        assert_eq!(kinds, ["slack", "teams", "pagerduty", "webhook"]);
    }
    let runbook = page.split("```yaml\n").nth(2).and_then(|rest| rest.split("```").next()).unwrap();
    let checked = lifeboat::runbook::check("told.yaml", runbook.as_bytes());
    let checked = checked.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    assert_eq!(checked.steps[0].action, ActionKind::Notify);
    for occasion in Occasion::ALL {
        assert!(page.contains(&format!("| `{}` |", occasion.as_str())), "{} is not on the page", occasion.as_str());
    }
}
