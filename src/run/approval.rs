//! Approvals as they are given, signed, filed and checked: who said yes to which plan, to how much of it, and until when.
//!
//! ```text
//!  approve plan.json ─ Approval (a file) ─┐
//!  approve RUN STEP  ─ Approval ──────────┼─► filed in the run's journal ─► counted when the step asks   (run::decide)
//! ```
//!
//! An approval counts for one digest, never for another plan or run, never past its end, never from whoever started the run.
//! Pure: never reads the clock, a file or a key that it was not given.

mod signature;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use signature::{Key, KeyProblem, Signature, public_key};

use super::{Person, RunId};
use crate::runbook::StepId;

/// Version of an approval. Changelog:
/// 1. The first.
pub const FORMAT: u32 = 1;

/// What stands before the text that is signed: a signature under anything else is none under an approval.
const DOMAIN: &str = "lifeboat approval\n";

/// How much of the plan somebody says yes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Every approval that it asks for.
    Plan,
    Step(StepId),
}

/// One person's yes. The order of the fields is the order in which they are signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    pub format: u32,
    /// Digest of the plan: SHA-256, hex.
    pub plan: String,
    pub scope: Scope,
    /// The only run that it counts in; none: one that has not begun yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    pub by: Person,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    pub at: Timestamp,
    /// From then on it counts no more; none: it ends with its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// Why an approval does not count: a lower-case fragment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("the approval is of format {0}, which this version does not know")]
    Format(u32),
    #[error("the approval is for the plan {}, and this is the plan {}", short(.approved), short(.asked))]
    OtherPlan { approved: String, asked: String },
    #[error("the approval is for the run {0}, and this is another")]
    OtherRun(RunId),
    #[error("the approval is for another step than `{0}`")]
    OtherStep(StepId),
    #[error("the approval is by the stand-in of a simulation, and this is none")]
    StandIn,
    #[error("the approval ended at {0}")]
    Ended(Timestamp),
    #[error("the approval says that it was given at {0}, which is still to come")]
    Early(Timestamp),
    #[error("{0} started the run, and an approval is somebody else's")]
    Starter(String),
    #[error("{0} has approved already, and each approval is another person's")]
    Twice(String),
    #[error("the signature does not fit the approval: it was changed after it was signed, or signed with another key")]
    Signature,
    #[error("the site trusts the keys of {0}, and the approval is signed by none of them")]
    Untrusted(String),
}

impl Flaw {
    /// Signed by none of these.
    pub fn untrusted(trusted: &BTreeMap<String, String>) -> Self {
        Self::Untrusted(trusted.keys().cloned().collect::<Vec<_>>().join(", "))
    }

    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Format(_) => "use the version of lifeboat that wrote it",
            Self::OtherPlan { .. } => "`lifeboat approve PLAN.json --out FILE` approves this plan",
            Self::OtherRun(_) | Self::OtherStep(_) => "have one given for this: `lifeboat approve RUN STEP`",
            Self::StandIn => "have a person give it",
            Self::Ended(_) => "have it given anew; `--valid-for` says for how long",
            Self::Early(_) => "set the clock of the machine that gave it, and have it given anew",
            Self::Starter(_) | Self::Twice(_) => {
                "ask another person; in an emergency `lifeboat approve RUN STEP --override --reason TEXT` goes on alone"
            }
            Self::Signature => "have it given anew, and change nothing in the file",
            Self::Untrusted(_) => {
                "sign it: the site's `approval.key` says with what, `approval.trusted` whose key counts"
            }
        }
    }
}

/// What an approval is held against.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Digest of the plan that is run.
    pub plan: &'a str,
    /// None before there is one.
    pub run: Option<&'a RunId>,
    /// In a simulation a stand-in's yes counts.
    pub simulated: bool,
    /// Name → public key, from the site. Empty: a signature is no condition.
    pub trusted: &'a BTreeMap<String, String>,
    /// Who started the run; none before there is one.
    pub starter: Option<&'a Person>,
}

impl Approval {
    /// The bytes that are signed: all but the signature, the key beside it, and whether an identity provider said who signs,
    /// which is never for the document to say.
    fn signed_text(&self) -> Vec<u8> {
        let by = Person { verified: false, key: None, ..self.by.clone() };
        let bare = Self { signature: None, by, ..self.clone() };
        let mut text = DOMAIN.as_bytes().to_vec();
        text.extend(serde_json::to_vec(&bare).expect("approvals have text keys"));
        text
    }

    /// The same, signed.
    #[must_use]
    pub fn signed(mut self, key: &Key) -> Self {
        self.signature = Some(key.sign(&self.signed_text()));
        self
    }

    /// The same, as it counts when somebody hands it in: nothing but a signature says of whom it is.
    #[must_use]
    pub fn handed_in(mut self) -> Self {
        (self.by.verified, self.by.key) = (false, None);
        self
    }

    /// Who gave it, with the key that signed it.
    pub fn person(&self) -> Person {
        let key = self.signature.as_ref().map(|signature| signature.key.clone());
        Person { key: key.or_else(|| self.by.key.clone()), ..self.by.clone() }
    }

    /// Given by this person, under whatever name, as far as can be told: with a key that the site trusts under this person's name
    /// too.
    pub fn is_by(&self, person: &Person, trusted: &BTreeMap<String, String>) -> bool {
        let signs_so = self.signer(trusted).is_some_and(|signer| person.may_be_called(signer));
        signs_so || self.person().is_same(person, trusted)
    }

    /// A yes of one person to something that the other is a yes to already.
    pub fn repeats(&self, other: &Self, trusted: &BTreeMap<String, String>) -> bool {
        let overlaps = match (&self.scope, &other.scope) {
            (Scope::Plan, _) | (_, Scope::Plan) => true,
            (Scope::Step(one), Scope::Step(two)) => one == two,
        };
        overlaps && self.person().is_same(&other.person(), trusted)
    }

    pub fn covers(&self, step: &StepId) -> bool {
        match &self.scope {
            Scope::Plan => true,
            Scope::Step(approved) => approved == step,
        }
    }

    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// The name under which the site trusts its key.
    pub fn signer<'a>(&self, trusted: &'a BTreeMap<String, String>) -> Option<&'a str> {
        self.signature.as_ref()?;
        self.person().signer(trusted)
    }

    /// Format, signature and trust: what can be told from the approval alone, offline.
    ///
    /// # Errors
    /// The first flaw.
    pub fn check_itself(&self, trusted: &BTreeMap<String, String>) -> Result<(), Flaw> {
        if self.format != FORMAT {
            return Err(Flaw::Format(self.format));
        }
        let signature = self.signature.as_ref();
        if signature.is_some_and(|signature| !signature.fits(&self.signed_text())) {
            return Err(Flaw::Signature);
        }
        if !trusted.is_empty() && self.signer(trusted).is_none() {
            return Err(Flaw::untrusted(trusted));
        }
        Ok(())
    }

    /// Whether it counts for what is asked; not whether it has ended.
    ///
    /// # Errors
    /// The first flaw.
    pub fn check(&self, asked: Asked<'_>) -> Result<(), Flaw> {
        self.check_itself(asked.trusted)?;
        if self.plan != asked.plan {
            return Err(Flaw::OtherPlan { approved: self.plan.clone(), asked: asked.plan.to_owned() });
        }
        if let Some(run) = self.run.as_ref().filter(|run| asked.run != Some(*run)) {
            return Err(Flaw::OtherRun(run.clone()));
        }
        if self.by.simulated && !asked.simulated {
            return Err(Flaw::StandIn);
        }
        match asked.starter {
            Some(starter) if self.is_by(starter, asked.trusted) => Err(Flaw::Starter(self.by.shown().to_owned())),
            Some(_) | None => Ok(()),
        }
    }
}

/// The first letters of a digest, as people name a plan.
pub fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
                       MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

    fn person(name: &str) -> Person {
        Person { name: name.into(), host: "here".into(), ..Person::default() }
    }

    fn approval(by: &str) -> Approval {
        Approval {
            format: FORMAT,
            plan: "p1".into(),
            scope: Scope::Plan,
            run: None,
            by: person(by),
            comment: Some("go".into()),
            at: Timestamp::UNIX_EPOCH,
            until: None,
            signature: None,
        }
    }

    fn asked<'a>(trusted: &'a BTreeMap<String, String>, starter: Option<&'a Person>) -> Asked<'a> {
        Asked { plan: "p1", run: None, simulated: false, trusted, starter }
    }

    #[test]
    fn an_approval_counts_for_its_plan_and_nobody_approves_twice_or_alone() {
        let (nobody, ann) = (BTreeMap::new(), person("ann"));
        let asked = asked(&nobody, Some(&ann));
        assert_eq!(approval("bob").check(asked), Ok(()));
        assert_eq!(approval("Ann").check(asked), Err(Flaw::Starter("Ann".into())));
        let repeats = |one: &Approval, two: &Approval| one.repeats(two, &nobody);
        assert!(repeats(&approval("bob"), &approval("bob")) && !repeats(&approval("bob"), &approval("carol")));
        let of_step = |step: &str| Approval { scope: Scope::Step(StepId::new(step)), ..approval("bob") };
        assert!(repeats(&approval("bob"), &of_step("ask")) && repeats(&of_step("ask"), &of_step("ask")));
        assert!(!repeats(&of_step("ask"), &of_step("other")));
        let other = Approval { plan: "p2".into(), ..approval("bob") };
        assert!(matches!(other.check(asked), Err(Flaw::OtherPlan { .. })));
        let newer = Approval { format: 2, ..approval("bob") };
        assert_eq!(newer.check(asked), Err(Flaw::Format(2)));
    }

    #[test]
    fn an_approval_of_a_run_counts_in_no_other() {
        let (nobody, run) = (BTreeMap::new(), RunId("r1".into()));
        let of_run = Approval { run: Some(run.clone()), ..approval("bob") };
        let asked = asked(&nobody, None);
        assert_eq!(of_run.check(asked), Err(Flaw::OtherRun(run.clone())));
        assert_eq!(of_run.check(Asked { run: Some(&RunId("r2".into())), ..asked }), Err(Flaw::OtherRun(run.clone())));
        assert_eq!(of_run.check(Asked { run: Some(&run), ..asked }), Ok(()));
        assert_eq!(approval("bob").check(Asked { run: Some(&run), ..asked }), Ok(()));
    }

    #[test]
    fn a_document_does_not_say_of_itself_that_it_is_a_stand_ins_or_that_somebody_checked_who_it_is_of() {
        let (nobody, ann) = (BTreeMap::new(), person("ann"));
        let asked = asked(&nobody, Some(&ann));
        let with = |by: Person| Approval { by, ..approval("ann") };
        let stand_in = with(Person { simulated: true, ..person("ann") });
        assert_eq!(stand_in.check(asked), Err(Flaw::StandIn));
        assert_eq!(stand_in.check(Asked { simulated: true, ..asked }), Ok(()));
        // An account that the file calls verified would else count more than the user.
        let verified = |account: &str| Person { account: Some(account.into()), verified: true, ..person("ann") };
        let starter = verified("ann@contoso.com");
        let asked = Asked { starter: Some(&starter), ..asked };
        let written = with(verified("cio@contoso.com"));
        assert_eq!(written.check(asked), Ok(()));
        assert!(matches!(written.handed_in().check(asked), Err(Flaw::Starter(_))));
        let key = Key::of_pem(KEY).unwrap();
        let signed = with(verified("ann@contoso.com")).signed(&key);
        assert_eq!(signed.handed_in().check_itself(&nobody), Ok(()), "the signature does not rest on it");
        let with_key = with(Person { key: Some(key.public()), ..person("bob") });
        assert_eq!(with_key.handed_in().person().key, None, "a key counts by its signature");
    }

    #[test]
    fn a_signature_holds_every_field_and_is_tied_to_a_name() {
        let key = Key::of_pem(KEY).unwrap();
        let signed = approval("bob").signed(&key);
        let trusted = BTreeMap::from([("bob".to_owned(), key.public())]);
        assert_eq!(signed.check(asked(&trusted, None)), Ok(()));
        assert_eq!(signed.signer(&trusted), Some("bob"));
        let changed = Approval { comment: Some("stop".into()), ..signed.clone() };
        assert_eq!(changed.check_itself(&BTreeMap::new()), Err(Flaw::Signature));
        assert_eq!(approval("bob").check_itself(&trusted), Err(Flaw::Untrusted("bob".into())));
        let text = serde_json::to_string(&signed).unwrap();
        assert_eq!(serde_json::from_str::<Approval>(&text).unwrap(), signed);
    }

    #[test]
    fn one_key_is_one_person_whatever_name_stands_beside_it() {
        let key = Key::of_pem(KEY).unwrap();
        let trusted = BTreeMap::from([("bob".to_owned(), key.public())]);
        let as_bob = approval("bob").signed(&key);
        let mut as_carol = approval("carol").signed(&key);
        // The key is not under the signature: it may be written in its other form.
        let bare = as_carol.signature.as_ref().unwrap().key[16..].to_owned();
        as_carol.signature.as_mut().unwrap().key = bare;
        assert_eq!(as_carol.check(asked(&trusted, None)), Ok(()));
        assert!(as_carol.repeats(&as_bob, &trusted) && as_carol.repeats(&as_bob, &BTreeMap::new()));
        // The starter's own key: known by the name that the site gives it, by the account, or by itself.
        let starters = [
            person("bob"),
            Person { account: Some("bob@contoso.com".into()), ..person("azureuser") },
            Person { key: Some(key.public()), ..person("azureuser") },
        ];
        for starter in &starters {
            let flaw = as_carol.check(asked(&trusted, Some(starter)));
            assert!(matches!(flaw, Err(Flaw::Starter(_))), "{starter:?}");
        }
        assert_eq!(as_carol.check(asked(&trusted, Some(&person("ann")))), Ok(()));
    }
}
