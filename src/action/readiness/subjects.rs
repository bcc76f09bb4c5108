//! What a plan touches, told by its steps: services, accounts, zones, permissions. Each once, whatever names it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    action::permissions::{self, Holder, IdentityRole, Needed, On},
    plan::facts::Fact,
    runbook::{
        ActionKind, ResourceId, StepId,
        catalog::{APIM_SERVICE, DNS_ZONE, STORAGE_ACCOUNT},
    },
};

/// A step as far as it is known before anything was asked.
#[derive(Clone, Debug)]
pub struct Planned {
    pub step: StepId,
    pub kind: ActionKind,
    pub arguments: Map<String, Value>,
}

/// What the probe of a step gave.
#[derive(Clone, Debug)]
pub struct Probed<'a> {
    pub step: &'a StepId,
    pub kind: ActionKind,
    pub outputs: &'a Map<String, Value>,
    pub facts: &'a [Fact],
}

/// Something to look at, and the steps that it is for.
#[derive(Clone, Debug)]
pub struct Subject {
    pub id: ResourceId,
    pub steps: Vec<StepId>,
}

/// A service that takes over.
#[derive(Clone, Debug)]
pub struct Standby {
    pub subject: Subject,
    /// Roles that its identities need.
    pub roles: Vec<(StepId, IdentityRole)>,
    /// Hostnames whose certificate a step's own probe looks at.
    pub looked_at: BTreeSet<String>,
}

/// A permission that the credential needs somewhere.
#[derive(Clone, Debug)]
pub struct Right {
    pub step: StepId,
    pub needed: Needed,
}

/// Everything that is looked at.
#[derive(Clone, Debug, Default)]
pub struct Subjects {
    pub standbys: Vec<Standby>,
    /// Services that are lost or leaving.
    pub actives: Vec<Subject>,
    /// How the restores come to the backups, as the runbook writes it: the active one needs the same identity.
    pub access: Option<String>,
    pub accounts: Vec<Subject>,
    /// Public zones in which a record moves.
    pub zones: Vec<Subject>,
    /// By scope, folded.
    pub rights: BTreeMap<String, (ResourceId, Vec<Right>)>,
    /// Permissions on what is not known before the run: step and field.
    pub open: Vec<(StepId, &'static str)>,
}

impl Subjects {
    /// Of the steps in the plan's order. Linear in their number.
    pub fn of(steps: &[Planned]) -> Self {
        let mut subjects = Self::default();
        for planned in steps {
            subjects.add(planned);
        }
        subjects
    }

    pub fn is_empty(&self) -> bool {
        self.rights.is_empty() && self.standbys.is_empty() && self.actives.is_empty()
    }

    fn add(&mut self, planned: &Planned) {
        let Planned { step, kind, arguments } = planned;
        for needed in permissions::needed(*kind, arguments) {
            match &needed.scope {
                On::Resource(id) => {
                    let entry = self.rights.entry(id.folded()).or_insert_with(|| (id.clone(), Vec::new()));
                    entry.1.push(Right { step: step.clone(), needed });
                }
                On::Field(field) => {
                    if !self.open.contains(&(step.clone(), *field)) {
                        self.open.push((step.clone(), field));
                    }
                }
            }
        }
        let id = |field: &str| resource(arguments.get(field)?);
        match kind {
            ActionKind::ConfirmOutage => note(&mut self.actives, id("service"), step),
            ActionKind::VerifyStandby => {
                self.standby(id("standby"), step);
                note(&mut self.actives, id("active"), step);
            }
            ActionKind::Restore => {
                self.standby(id("service"), step);
                self.access = arguments.get("access").and_then(Value::as_str).map(str::to_owned);
                note(&mut self.accounts, id("backup"), step);
            }
            ActionKind::FindLatest | ActionKind::Prune => note(&mut self.accounts, id("storage"), step),
            ActionKind::Backup => note(&mut self.accounts, id("storage"), step),
            ActionKind::GatewayHealth => {
                let hostname = arguments.get("hostname").and_then(Value::as_str).map(str::to_ascii_lowercase);
                // Of a service that nothing is restored to it says nothing that matters here.
                let service = id("service").map(|id| id.folded());
                let known = |standby: &&mut Standby| Some(standby.subject.id.folded()) == service;
                if let (Some(standby), Some(hostname)) = (self.standbys.iter_mut().find(known), hostname) {
                    standby.looked_at.insert(hostname);
                }
            }
            ActionKind::SetTtl | ActionKind::FlipCname | ActionKind::VerifyPropagation => {
                note(&mut self.zones, id("zone").filter(|id| id.is_of(DNS_ZONE)), step);
            }
            ActionKind::VerifyRestore
            | ActionKind::Compare
            | ActionKind::FlipPrivateCname
            | ActionKind::SetEndpoints
            | ActionKind::SetOrigin
            | ActionKind::Approval
            | ActionKind::HttpRequest
            | ActionKind::Command
            | ActionKind::Notify
            | ActionKind::Wait => {}
        }
        for role in permissions::identity_roles(*kind, arguments) {
            let holder = match &role.holder {
                Holder::System(On::Resource(id)) | Holder::User { service: On::Resource(id), .. } => id.folded(),
                Holder::System(On::Field(_)) | Holder::User { service: On::Field(_), .. } => continue,
            };
            if let Some(standby) = self.standbys.iter_mut().find(|standby| standby.subject.id.folded() == holder) {
                standby.roles.push((step.clone(), role));
            }
        }
    }

    fn standby(&mut self, id: Option<ResourceId>, step: &StepId) -> Option<&mut Standby> {
        let id = id.filter(|id| id.is_of(APIM_SERVICE))?;
        let place = match self.standbys.iter().position(|one| one.subject.id.folded() == id.folded()) {
            Some(place) => place,
            None => {
                let subject = Subject { id, steps: Vec::new() };
                self.standbys.push(Standby { subject, roles: Vec::new(), looked_at: BTreeSet::new() });
                self.standbys.len() - 1
            }
        };
        let standby = &mut self.standbys[place];
        if !standby.subject.steps.contains(step) {
            standby.subject.steps.push(step.clone());
        }
        Some(standby)
    }

    /// Every subscription that the plan reaches into, once.
    pub fn subscriptions(&self) -> BTreeSet<&str> {
        let actives = self.actives.iter().chain(&self.accounts).map(|subject| subject.id.subscription());
        let standbys = self.standbys.iter().map(|standby| standby.subject.id.subscription());
        actives.chain(standbys).chain(self.rights.values().map(|(id, _)| id.subscription())).collect()
    }

    /// Whether a scope is that of a service that is lost or leaving.
    pub fn is_active(&self, folded: &str) -> bool {
        self.actives.iter().any(|active| active.id.folded() == folded)
    }

    /// What the plan changes through the resource manager, and the steps that do.
    pub fn changed(&self) -> Vec<Subject> {
        let writes = |right: &&Right| {
            let action = right.needed.action.to_ascii_lowercase();
            !right.needed.data && [("/write"), ("/action"), ("/delete")].iter().any(|verb| action.ends_with(verb))
        };
        let changed = self.rights.values().filter_map(|(id, rights)| {
            let mut steps: Vec<StepId> = rights.iter().filter(writes).map(|right| right.step.clone()).collect();
            steps.dedup();
            (!steps.is_empty()).then(|| Subject { id: id.clone(), steps })
        });
        changed.collect()
    }
}

/// The id in a value: itself, or that of a backup's account.
fn resource(value: &Value) -> Option<ResourceId> {
    let text = value.as_str().or_else(|| value.get("storage")?.as_str())?;
    ResourceId::parse(text).ok()
}

fn note(list: &mut Vec<Subject>, id: Option<ResourceId>, step: &StepId) {
    let Some(id) = id else { return };
    match list.iter_mut().find(|one| one.id.folded() == id.folded()) {
        Some(known) if known.steps.contains(step) => {}
        Some(known) => known.steps.push(step.clone()),
        None => list.push(Subject { id, steps: vec![step.clone()] }),
    }
}

/// The backup that a search chose, as its probe told it.
#[derive(Clone, Debug)]
pub struct ChosenBackup {
    pub created: Option<Timestamp>,
    /// Folded id of its account.
    pub storage: Option<String>,
    pub manifest: Option<Value>,
}

/// What every search of the plan chose.
pub fn chosen(probed: &[Probed<'_>]) -> Vec<ChosenBackup> {
    let searches = probed.iter().filter(|probed| probed.kind == ActionKind::FindLatest);
    let backups = searches.filter_map(|probed| probed.outputs.get("backup"));
    let chosen = backups.map(|backup| ChosenBackup {
        created: backup.get("created").and_then(Value::as_str).and_then(|text| text.parse().ok()),
        storage: backup.get("storage").and_then(resource_of_account).map(|id| id.folded()),
        manifest: backup.get("manifest_data").cloned(),
    });
    chosen.collect()
}

fn resource_of_account(value: &Value) -> Option<ResourceId> {
    resource(value).filter(|id| id.is_of(STORAGE_ACCOUNT))
}
