//! The role that a runbook needs: the permissions of every step in every mode, and the resource groups they are in.
//!
//! Pure, and asks nobody: what only a run can tell stays open, and is named.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::permissions::{self, IdentityRole, On, READINESS_READS};
use crate::runbook::{Mode, Runbook, Scope, Step, StepId, graph::Graph};

/// A mode, and the value of every parameter in it.
pub type Bound = (Mode, BTreeMap<String, Value>);

/// Everything of a runbook that somebody has to be allowed.
#[derive(Debug)]
pub struct Role {
    /// Of the role definition: one a tenant.
    pub name: String,
    /// Sorted by action.
    pub permissions: Vec<Permission>,
    /// The fewest resource groups that hold every scope that is known; sorted.
    pub groups: Vec<String>,
    pub identities: Vec<(StepId, IdentityRole)>,
    pub open: Vec<Open>,
}

#[derive(Debug)]
pub struct Permission {
    pub action: &'static str,
    /// It stands under `DataActions`.
    pub data: bool,
    /// In the order of the steps.
    pub reasons: Vec<Reason>,
}

/// Why a permission is needed.
#[derive(Debug, PartialEq, Eq)]
pub struct Reason {
    /// None: for readiness.
    pub step: Option<StepId>,
    pub scope: Option<On>,
    pub required: bool,
    pub why: &'static str,
}

/// A scope that is not known before the run.
#[derive(Debug, PartialEq, Eq)]
pub struct Open {
    pub step: StepId,
    pub field: &'static str,
    /// As the runbook has it.
    pub text: String,
}

impl Role {
    /// What the steps of these modes need. `readiness`: also what `lifeboat readiness` reads.
    pub fn of(runbook: &Runbook, bound: Vec<Bound>, readiness: bool) -> Self {
        let mut role = Self {
            name: format!("lifeboat {}", runbook.name),
            permissions: Vec::new(),
            groups: Vec::new(),
            identities: Vec::new(),
            open: Vec::new(),
        };
        for (mode, parameters) in bound {
            role.add_mode(runbook, mode, parameters);
        }
        if readiness {
            role.add_readiness();
        }
        let place = |step: &Option<StepId>| runbook.steps.iter().position(|one| Some(&one.id) == step.as_ref());
        for permission in &mut role.permissions {
            // Readiness, which is no step, stands at the end.
            permission.reasons.sort_by_key(|reason| place(&reason.step).unwrap_or(usize::MAX));
        }
        role.permissions.sort_by_key(|permission| (permission.data, permission.action));
        role.groups = role.fewest_groups();
        role
    }

    /// As `az role definition create --role-definition` takes it.
    pub fn definition(&self) -> Value {
        let actions = |data: bool| -> Vec<&str> {
            self.permissions.iter().filter(|one| one.data == data).map(|one| one.action).collect()
        };
        json!({
            "Name": self.name,
            "IsCustom": true,
            "Description": "What the steps of one runbook need, and nothing else. Written by lifeboat rbac.",
            "Actions": actions(false),
            "NotActions": [],
            "DataActions": actions(true),
            "NotDataActions": [],
            "AssignableScopes": self.groups,
        })
    }

    fn add_mode(&mut self, runbook: &Runbook, mode: Mode, parameters: BTreeMap<String, Value>) {
        let graph = Graph::new(runbook.steps.iter().map(|step| (&step.id, step.needs.as_slice())));
        let mut scope = Scope::new(parameters, mode, None);
        for place in graph.order().expect("a checked runbook has no cycle") {
            let step = &runbook.steps[place];
            if step.modes.as_ref().is_some_and(|modes| !modes.contains(&mode)) {
                continue;
            }
            let arguments = resolve(step, &scope);
            scope.set_predicted(step.id.clone(), permissions::foreseen(step.action, &arguments));
            for needed in permissions::needed(step.action, &arguments) {
                self.note_open(step, &needed.scope);
                let reason = Reason {
                    step: Some(step.id.clone()),
                    scope: Some(needed.scope),
                    required: needed.required,
                    why: needed.why,
                };
                self.add(needed.action, needed.data, reason);
            }
            for identity in permissions::identity_roles(step.action, &arguments) {
                let identity = (step.id.clone(), identity);
                if !self.identities.contains(&identity) {
                    self.identities.push(identity);
                }
            }
        }
    }

    fn add_readiness(&mut self) {
        let holds = |kind: &str, permission: &Permission| {
            permission.reasons.iter().any(|reason| matches!(&reason.scope, Some(On::Resource(id)) if id.is_of(kind)))
        };
        for read in READINESS_READS {
            if read.on.is_empty() || self.permissions.iter().any(|permission| holds(read.on, permission)) {
                self.add(read.action, false, Reason { step: None, scope: None, required: false, why: read.why });
            }
        }
    }

    fn add(&mut self, action: &'static str, data: bool, reason: Reason) {
        let same = |one: &&mut Permission| one.action.eq_ignore_ascii_case(action) && one.data == data;
        match self.permissions.iter_mut().find(same) {
            Some(known) if known.reasons.contains(&reason) => {}
            Some(known) => known.reasons.push(reason),
            None => self.permissions.push(Permission { action, data, reasons: vec![reason] }),
        }
    }

    fn note_open(&mut self, step: &Step, scope: &On) {
        let On::Field(field) = *scope else { return };
        let text = match step.arguments.get(field) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let open = Open { step: step.id.clone(), field, text };
        if !self.open.contains(&open) {
            self.open.push(open);
        }
    }

    /// A role cannot be assigned below what it names, and every scope here is within a resource group.
    fn fewest_groups(&self) -> Vec<String> {
        let reasons = self.permissions.iter().flat_map(|permission| &permission.reasons);
        let mut groups: BTreeMap<String, String> = BTreeMap::new();
        for reason in reasons {
            if let Some(On::Resource(id)) = &reason.scope {
                let group = format!("/subscriptions/{}/resourceGroups/{}", id.subscription(), id.group());
                groups.entry(group.to_ascii_lowercase()).or_insert(group);
            }
        }
        groups.into_values().collect()
    }
}

/// Each argument as far as it is known; one that cannot be had stays as it is written and is found open.
fn resolve(step: &Step, scope: &Scope) -> Map<String, Value> {
    let one = |(name, value): (&String, &Value)| {
        let alone = Map::from_iter([(name.clone(), value.clone())]);
        scope.resolve_known(&alone).map_or(alone, |(known, _)| known)
    };
    step.arguments.iter().flat_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(steps: &str, readiness: bool) -> Role {
        let text = format!("version: 1\nname: test\nsteps:\n{steps}");
        let runbook = crate::runbook::check("test.yaml", text.as_bytes())
            .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        Role::of(&runbook, Mode::ALL.map(|mode| (mode, BTreeMap::new())).to_vec(), readiness)
    }

    const ZONE: &str = "/subscriptions/S/resourceGroups/Rg/providers/Microsoft.Network/dnsZones/contoso.com";

    fn propagated(id: &str, zone: &str, rest: &str) -> String {
        let arguments = format!("{{ zone: {zone}, record: api, target: a.contoso.com }}");
        format!("  - {{ id: {id}, {rest} do: {{ dns.verify-propagation: {arguments} }} }}\n")
    }

    #[test]
    fn groups_are_named_once_however_they_are_written() {
        let steps = propagated("a", ZONE, "") + &propagated("b", &ZONE.replace("Rg", "rG"), "");
        let role = role(&steps, false);
        assert_eq!(role.groups, ["/subscriptions/S/resourceGroups/Rg"]);
        assert_eq!(role.permissions.len(), 2);
        assert_eq!(role.permissions[1].action, "Microsoft.Network/dnsZones/read");
        let steps: Vec<_> = role.permissions[1].reasons.iter().map(|reason| reason.step.clone().unwrap()).collect();
        assert_eq!(steps, [StepId::new("a"), StepId::new("b")], "once a step, not once a mode");
    }

    #[test]
    fn steps_stand_in_the_order_of_the_runbook_and_readiness_at_the_end() {
        let steps = propagated("late", ZONE, "modes: [drill],") + &propagated("early", ZONE, "");
        let role = role(&steps, true);
        let zone = role.permissions.iter().find(|one| one.action == "Microsoft.Network/dnsZones/read").unwrap();
        assert_eq!(zone.reasons[0].step, Some(StepId::new("late")));
        let locks = role.permissions.iter().find(|one| one.action == "Microsoft.Authorization/locks/read").unwrap();
        assert_eq!(locks.reasons.len(), 1);
        assert_eq!(locks.reasons[0].step, None);
    }
}
