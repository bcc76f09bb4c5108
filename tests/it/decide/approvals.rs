//! Who says yes, to what, until when, and what one person does alone.

use std::{collections::BTreeMap, sync::Arc};

use lifeboat::{
    plan::Plan,
    run::{
        Event, Outcome, Person,
        approval::{self, Approval, Key, Scope},
        engine::{Response, respond},
        request::{Request, approvals_hold},
    },
    runbook::StepId,
    site::{ApprovalRules, Credential, Simulated},
};

use super::play::{Play, approval, plan, step};
use crate::transitions::{at, person};

/// Nobody's but cleo's.
const OTHER_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
                         MC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n-----END PRIVATE KEY-----\n";

const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

/// A yes to the plan of these tests, whose digest is empty.
fn filed(by: &str, scope: Scope, until: Option<i64>) -> Event {
    let approval = Approval {
        format: approval::FORMAT,
        plan: String::new(),
        scope,
        run: None,
        by: person(by),
        comment: None,
        at: at(0),
        until: until.map(at),
        signature: None,
    };
    Event::ApprovalFiled { approval: Arc::new(approval) }
}

#[test]
fn an_approval_that_was_filed_before_counts_once_the_step_asks_and_while_it_lasts() {
    let steps = || vec![step("first", &[]), approval("ask", &["first"], 2)];
    let mut play = Play::new(plan(steps()));
    for (by, scope, until) in [
        ("ben", Scope::Plan, None),
        ("ben", Scope::Step(StepId::new("ask")), None),
        ("cleo", Scope::Step(StepId::new("first")), None),
        ("dora", Scope::Plan, Some(100)),
    ] {
        play.take(filed(by, scope, until));
    }
    play.attach();
    play.pass(200);
    play.told();
    play.succeed("first");
    let told = play.told();
    assert_eq!(
        told,
        ["done first", "start ask #1 until 800", "ben approves ask"],
        "one person, and what has not ended"
    );
    play.approve("ask", "eve");
    assert_eq!(play.told(), ["eve approves ask", "done ask", "ends succeeded"]);
}

#[test]
fn an_approval_that_ends_while_others_are_awaited_counts_no_more() {
    let mut play = Play::new(plan(vec![approval("ask", &[], 2)]));
    play.take(filed("ben", Scope::Plan, Some(300)));
    play.attach();
    play.told();
    play.pass(400);
    play.approve("ask", "cleo");
    assert_eq!(play.told(), ["cleo approves ask"]);
    play.approve("ask", "dora");
    assert_eq!(play.outcome(), Some(Outcome::Succeeded));
}

/// A document for `ask`, as it is handed in.
fn document(by: &str, second: i64, until: Option<i64>) -> Approval {
    let Event::ApprovalFiled { approval } = filed(by, Scope::Step(StepId::new("ask")), until) else { unreachable!() };
    Approval { at: at(second), ..Arc::unwrap_or_clone(approval) }
}

fn vouch(approval: Approval) -> Request {
    Request::Vouch { step: StepId::new("ask"), approval: Arc::new(approval), over: None }
}

fn alone(by: &str) -> Request {
    let approval = Arc::new(document(by, 0, None));
    Request::Vouch { step: StepId::new("ask"), approval, over: Some("nobody answers".to_owned()) }
}

/// Asks while nobody drives: the event goes straight into the journal.
fn record(play: &mut Play, request: Request) {
    let Response::Take(event) = respond(&play.state, play.now, request).unwrap() else { panic!("it looks") };
    play.take(event);
}

/// No simulation, in which one person would play everybody.
fn real(change: impl FnOnce(&mut Plan)) -> Play {
    let mut plan = Arc::unwrap_or_clone(plan(vec![approval("ask", &[], 2)]));
    plan.site.credential = Credential::AzureCli;
    change(&mut plan);
    let mut play = Play::new(Arc::new(plan));
    play.attach();
    play
}

#[test]
fn whoever_goes_on_alone_leaves_an_item_that_only_somebody_else_closes_even_after_the_end() {
    let mut play = Play::start(vec![approval("ask", &[], 2)]);
    play.told();
    assert!(play.ask(vouch(document("ann", 0, None)), None).unwrap_err().contains("ann started the run"));
    play.ask(alone("ann"), None).unwrap();
    assert_eq!(play.told(), ["ann goes past ask alone", "done ask", "ends succeeded"]);
    assert_eq!(play.state.open_items().count(), 1);
    assert!(play.ask(vouch(document("ann", 0, None)), None).is_err());
    play.ask(vouch(document("ben", 0, None)), None).unwrap();
    assert_eq!(play.state.open_items().count(), 0);
    let refused = play.ask(vouch(document("cleo", 0, None)), None).unwrap_err();
    assert!(refused.contains("does not wait for an approval"), "{refused}");
}

#[test]
fn what_was_done_alone_is_signed_off_for_its_step_after_it_was_done_and_by_nobody_who_had_a_hand_in_it() {
    let key = Key::of_pem(KEY).unwrap();
    let bare = key.public()[16..].to_owned();
    // Cleo goes on alone; her key is trusted under her name.
    let mut play = real(|plan| {
        let trusted = BTreeMap::from([("cleo".to_owned(), bare)]);
        plan.site.approval = Some(ApprovalRules { key: None, trusted });
    });
    play.pass(100);
    play.ask(alone("cleo"), None).unwrap();
    let mut refused = |approval: Approval, why: &str| {
        let said = play.ask(vouch(approval.signed(&key)), None).unwrap_err();
        assert!(said.contains(why), "{why}: {said}");
    };
    let other = Approval { scope: Scope::Step(StepId::new("other")), ..document("ben", 200, None) };
    // With her own key under another name.
    refused(other.clone(), "cleo went on alone");
    refused(document("ben", 200, None), "it is signed off by somebody else");

    let mut play = real(|_| ());
    play.pass(100);
    play.ask(alone("cleo"), None).unwrap();
    let mut refused = |approval: Approval, why: &str| {
        let said = play.ask(vouch(approval), None).unwrap_err();
        assert!(said.contains(why), "{why}: {said}");
    };
    refused(other, "the approval is for another step than `ask`");
    refused(document("ben", 99, None), "before cleo went on alone");
    refused(document("cleo", 200, None), "cleo went on alone");
    refused(document("ann", 200, None), "ann started the run");
    play.ask(vouch(document("ben", 100, None)), None).unwrap();
    assert_eq!(play.state.open_items().count(), 0);
}

#[test]
fn what_was_done_alone_counts_for_the_asking_that_it_was_done_in_signed_off_or_not() {
    // The driver died; ann goes on alone, ben signs it off, and only then somebody resumes.
    let mut play = Play::start(vec![approval("ask", &[], 2), step("go", &["ask"])]);
    record(&mut play, alone("ann"));
    record(&mut play, vouch(document("ben", 0, None)));
    play.told();
    play.attach();
    assert_eq!(play.told(), ["attached 2", "done ask", "start go #1 until 600"]);

    // Ben refused and ann went past it: the refusal wins, and the next asking is a new one.
    let mut play = Play::start(vec![approval("ask", &[], 1)]);
    let by = person("ben");
    record(&mut play, Request::Refuse { step: StepId::new("ask"), by, comment: None });
    record(&mut play, alone("ann"));
    play.settle();
    assert_eq!(play.outcome(), Some(Outcome::Refused));
    play.told();
    play.attach();
    assert_eq!(play.told(), ["attached 2", "start ask #1 until 600"], "it asks again");
    assert_eq!(play.word("ask"), "running");
}

#[test]
fn whoever_approved_for_a_time_may_approve_again() {
    let mut play = real(|_| ());
    play.ask(vouch(document("ben", 0, Some(60))), None).unwrap();
    let refused = play.ask(vouch(document("ben", 0, Some(500))), None).unwrap_err();
    assert!(refused.contains("ben has approved already"), "{refused}");
    play.wait(100);
    play.ask(vouch(document("ben", 100, Some(500))), None).unwrap();
    play.told();
    play.ask(vouch(document("cleo", 100, None)), None).unwrap();
    assert_eq!(play.told(), ["cleo files an approval", "cleo approves ask", "done ask", "ends succeeded"]);
}

#[test]
fn one_key_counts_once_whatever_names_stand_beside_it() {
    let key = Key::of_pem(KEY).unwrap();
    let mut play = real(|plan| {
        let trusted = BTreeMap::from([("ben".to_owned(), key.public())]);
        plan.site.approval = Some(ApprovalRules { key: None, trusted });
    });
    let mut as_cleo = document("cleo", 0, None).signed(&key);
    as_cleo.signature.as_mut().unwrap().key.drain(..16);
    // Both in the journal, as if they had been filed before the step asked.
    play.take(Event::ApprovalFiled { approval: Arc::new(document("ben", 0, None).signed(&key)) });
    play.take(Event::ApprovalFiled { approval: Arc::new(as_cleo.clone()) });
    play.told();
    play.settle();
    assert_eq!(play.told(), ["ben approves ask"]);
    let refused = play.ask(vouch(as_cleo), None).unwrap_err();
    assert!(refused.contains("has approved already"), "{refused}");
    assert_eq!(play.word("ask"), "running");
}

#[test]
fn a_stand_in_counts_in_a_simulation_only_and_a_document_of_another_run_nowhere() {
    let stand_in = Person { simulated: true, ..person("ann") };
    let approve = || Request::Approve { step: StepId::new("ask"), by: stand_in.clone(), comment: None };
    let mut play = real(|_| ());
    assert!(play.ask(approve(), None).unwrap_err().contains("stand-in"));
    let written = Approval { by: stand_in.clone(), ..document("ann", 0, None) };
    assert!(play.ask(vouch(written.clone()), None).unwrap_err().contains("stand-in"));
    let other = Approval { run: Some(lifeboat::run::RunId("other".into())), ..document("ben", 0, None) };
    assert!(play.ask(vouch(other), None).unwrap_err().contains("for the run other, and this is another"));
    let mut play = Play::start(vec![approval("ask", &[], 2)]);
    play.ask(approve(), None).unwrap();
}

#[test]
fn what_somebody_wrote_into_the_journal_past_the_rules_does_not_hold() {
    let key = Key::of_pem(KEY).unwrap();
    let signing = || {
        real(|plan| {
            let trusted = BTreeMap::from([("ben".to_owned(), key.public())]);
            plan.site.approval = Some(ApprovalRules { key: None, trusted });
        })
    };
    let mut play = signing();
    play.ask(vouch(document("ben", 0, None).signed(&key)), None).unwrap();
    assert_eq!(approvals_hold(&play.state), Ok(1));
    play.approve("ask", "cleo");
    let (by, flaw) = approvals_hold(&play.state).unwrap_err();
    assert!(by.name == "cleo" && flaw.contains("the site trusts the keys of ben"), "{flaw}");

    let mut play = signing();
    play.take(Event::ApprovalFiled { approval: Arc::new(document("cleo", 0, None)) });
    assert_eq!(approvals_hold(&play.state).unwrap_err().0.name, "cleo");

    let mut play = real(|_| ());
    play.ask(alone("cleo"), None).unwrap();
    let approval = Arc::new(document("cleo", 0, None));
    play.take(Event::ApprovalSignedOff { step: StepId::new("ask"), approval });
    assert_eq!(approvals_hold(&play.state).unwrap_err().1, "cleo went on alone, and it is signed off by somebody else");
}

#[test]
fn two_people_with_keys_of_their_own_are_two_although_they_share_a_user() {
    let (ben, cleo) = (Key::of_pem(KEY).unwrap(), Key::of_pem(OTHER_KEY).unwrap());
    // Ann, who started it, has no key here and is `azureuser` of another name.
    let mut play = real(|plan| {
        let trusted = [("ben", ben.public()), ("cleo", cleo.public())].map(|(name, key)| (name.to_owned(), key));
        plan.site.approval = Some(ApprovalRules { key: None, trusted: trusted.into() });
    });
    play.ask(vouch(document("azureuser", 0, None).signed(&ben)), None).unwrap();
    let again = play.ask(vouch(document("azureuser", 0, None).signed(&ben)), None).unwrap_err();
    assert!(again.contains("has approved already"), "{again}");
    play.ask(vouch(document("azureuser", 0, None).signed(&cleo)), None).unwrap();
    assert_eq!((play.word("ask"), play.outcome()), ("succeeded", Some(Outcome::Succeeded)));
    assert_eq!(approvals_hold(&play.state), Ok(2));
}

#[test]
fn an_override_of_an_earlier_asking_does_not_swallow_an_approval_of_this_one() {
    let mut play = real(|plan| plan.steps = vec![approval("ask", &[], 1)]);
    let by = person("ben");
    record(&mut play, Request::Refuse { step: StepId::new("ask"), by, comment: None });
    record(&mut play, alone("cleo"));
    play.settle();
    assert_eq!(play.outcome(), Some(Outcome::Refused));
    play.attach();
    play.told();
    // Nothing that cleo did counts for this asking, and she may answer it.
    play.ask(vouch(document("cleo", 0, None)), None).unwrap();
    assert_eq!(play.told(), ["cleo files an approval", "cleo approves ask", "done ask", "ends succeeded"]);
    assert_eq!(play.state.open_items().count(), 1);
    play.ask(vouch(document("ben", 0, None)), None).unwrap();
    assert_eq!(play.state.open_items().count(), 0);
}

#[test]
fn an_approval_that_is_given_anew_is_the_one_that_counts() {
    let mut play = Play::new(plan(vec![step("first", &[]), approval("ask", &["first"], 1)]));
    play.take(filed("ben", Scope::Plan, Some(50)));
    play.take(filed("ben", Scope::Plan, Some(900)));
    play.attach();
    play.pass(100);
    play.succeed("first");
    let given: Vec<_> = play.state.approvals().map(|(_, given)| given.document.as_ref().unwrap().until).collect();
    assert_eq!(given, [Some(at(900))]);
}

#[test]
fn a_real_azure_is_not_simulated_because_a_file_says_so() {
    let clock = Simulated { anchor: at(0), since: at(0), speed: 1.0 };
    let stand_in = Person { simulated: true, ..person("ann") };
    let approve = || Request::Approve { step: StepId::new("ask"), by: stand_in.clone(), comment: None };
    let mut play = real(|plan| {
        plan.site.simulated = Some(clock);
        "https://management.azure.com".clone_into(&mut plan.site.endpoints.resource_manager);
    });
    assert!(play.ask(approve(), None).unwrap_err().contains("stand-in"));
    assert_eq!(play.state.plan.site.shared_clock(), None);
    let mut play = real(|plan| {
        plan.site.simulated = Some(clock);
        "http://127.0.0.1:4711".clone_into(&mut plan.site.endpoints.resource_manager);
    });
    play.ask(approve(), None).unwrap();
}
