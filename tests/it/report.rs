//! What people and programs see: the dry run, the live view, lines, JSON, summaries, status and lists.

pub mod fixture;
mod live;
mod stories;
mod summaries;

use lifeboat::{
    plan::{
        Plan,
        facts::Finding,
        text::{Next, paper, render},
    },
    runbook::{OnFailure, StepId},
    style::{Style, columns},
};

const NEXT: Next<'static> = Next {
    run: "lifeboat run runbooks/apim-failover.yaml --site site.yaml --mode unplanned",
    plan: "lifeboat plan runbooks/apim-failover.yaml --site site.yaml --mode unplanned",
};

fn style(width: usize) -> Style {
    Style { colour: false, unicode: true, width }
}

/// Wider than the page is only what cannot be broken: a word (a URL, an id), or the command to copy.
fn assert_fits(text: &str, width: usize) {
    for line in text.lines().filter(|line| columns(line) > width) {
        let command = ["lifeboat ", "dig ", "az "].iter().any(|word| line.trim_start().starts_with(word));
        let words = line.split_whitespace().count();
        let json = line.trim_start().starts_with(['"', '{']);
        let head = line.starts_with("Dry run of ") || line.contains("  run dr-");
        assert!(command || words <= 3 || json || head, "{width}: {line}");
    }
}

#[test]
fn a_dry_run_on_an_old_terminal() {
    insta::assert_snapshot!(render(&fixture::plan(), &style(80), &NEXT));
}

#[test]
fn a_dry_run_on_a_wide_terminal() {
    insta::assert_snapshot!(render(&fixture::plan(), &style(120), &NEXT));
}

#[test]
fn the_runbook_on_paper_has_every_request_a_way_to_see_it_and_a_way_back() {
    let plan = fixture::plan();
    let text = paper(&plan, &style(80));
    for (number, step) in plan.steps.iter().enumerate() {
        assert!(text.contains(&format!("{:>3}. [ ] {}  {}", number + 1, step.id, step.action)), "{}: {text}", step.id);
        for request in &step.probe.requests {
            assert!(text.lines().any(|line| line.trim() == request.url), "{}: {text}", request.url);
        }
    }
    assert_eq!(text.matches("it worked when: ").count(), plan.steps.len());
    assert_eq!(text.matches("to go back: ").count(), plan.steps.len());
    assert!(text.contains(&plan.digest) && text.contains("Authorization: Bearer TOKEN"), "{text}");
    for width in [80, 200] {
        assert_fits(&paper(&plan, &style(width)), width);
    }
    insta::assert_snapshot!(text);
}

fn blocked() -> Plan {
    let mut plan = fixture::plan();
    let message = "apim-east is StandardV2; the backup was taken from Premium";
    let mut blocker = Finding::blocker("tier-mismatch", message, "name a standby of tier Premium");
    blocker.step = Some(StepId::new("verify-standby"));
    plan.findings.push(blocker);
    plan.steps[1].probe.outputs.clear();
    plan.steps[2].on_failure = OnFailure::Continue;
    plan.steps[4].when = Some("mode != 'drill'".to_owned());
    plan.expected = std::time::Duration::from_mins(80);
    plan
}

#[test]
fn a_dry_run_that_is_blocked() {
    let text = render(&blocked(), &Style::plain(80), &NEXT);
    let (head, rest) = text.split_once("Steps (8)").unwrap();
    insta::assert_snapshot!(head);
    assert!(rest.contains("if it fails, the run goes on"));
    assert!(rest.contains("only when mode != 'drill'"));
    let foot: Vec<&str> = rest.lines().rev().take(3).collect();
    assert!(foot[0].contains(NEXT.plan), "the command is the one that plans again: {foot:?}");
    assert!(!rest.contains(NEXT.run));
    assert!(text.is_ascii(), "no symbol but ASCII where the locale is not UTF-8");
}

#[test]
fn a_dry_run_fits_every_width() {
    for width in [40, 60, 79, 80, 100, 132, 200] {
        assert_fits(&render(&blocked(), &style(width), &NEXT), width);
    }
    let squeezed = render(&fixture::plan(), &style(10), &NEXT);
    assert_eq!(squeezed, render(&fixture::plan(), &style(Style::NARROWEST), &NEXT));
}

#[test]
fn the_line_where_going_back_ends_stands_before_its_step() {
    let text = render(&fixture::plan(), &style(80), &NEXT);
    let place = |word: &str| text.find(word).unwrap();
    assert!(place("3. verify-standby") < place("going back ends here"));
    assert!(place("going back ends here") < place("4. restore"));
    let mut harmless = fixture::plan();
    harmless.point_of_no_return = None;
    assert!(!render(&harmless, &style(80), &NEXT).contains("going back ends here"));
}

#[test]
fn a_plan_of_hundreds_of_steps_draws_only_its_critical_path() {
    let mut plan = fixture::wide_plan(300);
    plan.critical_path = vec![StepId::new("wait-7")];
    let text = render(&plan, &style(80), &NEXT);
    let (steps, timeline) = text.split_once("Predicted timeline").unwrap();
    assert!((0..300).all(|number| steps.contains(&format!(" wait-{number}  wait\n"))), "every step is told");
    assert!(timeline.contains("300 steps; only the critical path is drawn"));
    assert!(timeline.lines().count() < 12, "{timeline}");
}

#[test]
fn a_secret_that_was_masked_stays_masked_and_colour_stays_out() {
    let text = render(&fixture::plan(), &style(80), &NEXT);
    assert!(text.contains(r#""accessKey": "***""#));
    assert!(!text.contains('\x1b'));
    let coloured = render(&fixture::plan(), &Style { colour: true, ..style(80) }, &NEXT);
    assert!(coloured.contains('\x1b'));
    let mut stripped = String::new();
    for (place, part) in coloured.split('\x1b').enumerate() {
        stripped.push_str(if place == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    assert_eq!(stripped, text, "colour only ever underlines what the words say");
}
