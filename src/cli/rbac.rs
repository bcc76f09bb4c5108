//! `rbac`: the role that a runbook needs, and the roles of the services' identities, ready for the Azure CLI.
//!
//! The definition needs no Azure. Only the ids of the services' identities are asked of it, and not for long: when it
//! cannot be reached, a placeholder stands there.

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::{
    Exit, Failure, Session,
    arguments::{RbacArguments, Where},
    check,
    plan::bind_parameters,
    print,
    world::{self, Scene},
};
use crate::{
    action::{
        permissions::{Holder, IdentityRole, On},
        role::{Bound, Permission, Role},
    },
    azure::apim,
    runbook::{Mode, ResourceId, Runbook, StepId},
    style::{Page, one_line, pad},
};

/// Somebody waits for text that is right without it.
const PATIENCE: Duration = Duration::from_secs(15);

/// A managed identity is one; said so, the assignment also works in the minutes after its creation.
const SERVICE_PRINCIPAL: &str = " --assignee-principal-type ServicePrincipal";

pub async fn rbac(session: &Session, arguments: RbacArguments) -> Result<Exit, Failure> {
    let RbacArguments { runbook: path, place, mode, readiness } = arguments;
    let runbook = check::load(&path)?;
    let scene = match (&session.everywhere.site, &place.simulate) {
        // Every value may come from the command line.
        (None, None) => None,
        (Some(_), _) | (None, Some(_)) => Some(world::open(session, &place, false).await?),
    };
    let modes = mode.map_or_else(|| Mode::ALL.to_vec(), |mode| vec![mode]);
    let role = Role::of(&runbook, bind(&runbook, &place, scene.as_ref(), &modes)?, readiness);
    let lines = assignments(&role, scene.as_ref()).await;
    if session.json() {
        let mut story = Page::new(&session.machine.style());
        tell_assignments(&mut story, &role, &lines);
        eprint!("{}", story.text());
        return print(&definition(&role));
    }
    let mut page = Page::new(&session.machine.style_out());
    tell_permissions(&mut page, &role);
    if role.permissions.is_empty() {
        return print(&page.text());
    }
    page.heading("Role definition");
    page.line(&definition(&role));
    page.heading("Commands");
    let again = again(session, &path, &place, mode, readiness);
    page.line(&format!("lifeboat rbac {again} --output json > role.json"));
    page.line("az role definition create --role-definition @role.json");
    tell_assignments(&mut page, &role, &lines);
    print(&page.text())
}

fn bind(runbook: &Runbook, place: &Where, scene: Option<&Scene>, modes: &[Mode]) -> Result<Vec<Bound>, Failure> {
    let site = scene.map(|scene| scene.site.parameters.clone()).unwrap_or_default();
    modes.iter().map(|mode| Ok((*mode, bind_parameters(runbook, place, &site, *mode)?))).collect()
}

fn definition(role: &Role) -> String {
    serde_json::to_string_pretty(&role.definition()).expect("text keys")
}

fn tell_permissions(page: &mut Page, role: &Role) {
    page.heading(&format!("What `{}` may do", role.name));
    let name = |step: &Option<StepId>| step.as_ref().map_or("readiness", StepId::as_str).to_owned();
    let reasons = role.permissions.iter().flat_map(|permission| &permission.reasons);
    let width = reasons.map(|reason| name(&reason.step).len()).max().unwrap_or_default();
    for Permission { action, data, reasons } in &role.permissions {
        let plane = if *data { "  (data action)" } else { "" };
        page.line(&format!("{action}{plane}"));
        for reason in reasons {
            let on = match &reason.scope {
                Some(On::Resource(id)) => format!(" ({})", id.name()),
                Some(On::Field(field)) => format!(" (`{field}`)"),
                None => String::new(),
            };
            let spare = if reason.required { "" } else { "; goes on without" };
            page.hang(&format!("    {}  ", pad(&name(&reason.step), width)), &format!("{}{on}{spare}", reason.why));
        }
    }
    if role.permissions.is_empty() {
        page.line("nothing: no step of this runbook asks Azure for anything");
    }
}

/// The commands that give the role away, and what could not be known.
fn tell_assignments(page: &mut Page, role: &Role, lines: &[String]) {
    page.heading("For the credential that lifeboat runs with");
    for group in &role.groups {
        page.line(&assign("<object id of lifeboat's credential>", "", &role.name, group));
    }
    page.heading("For the identities of the services");
    if lines.is_empty() {
        page.line("nothing: no service reads or writes a backup with an identity of its own");
    }
    for line in lines {
        page.line(line);
    }
    if !role.open.is_empty() {
        page.heading("Not known from the runbook");
        for open in &role.open {
            let text = format!(
                "`{}` of the step {} is `{}`: its resource group may be missing among the scopes",
                open.field,
                open.step,
                one_line(&open.text)
            );
            page.hang("! ", &text);
        }
    }
}

/// One line for each role of a service's identity, each with the reason above it.
async fn assignments(role: &Role, scene: Option<&Scene>) -> Vec<String> {
    let mut principals: BTreeMap<String, Result<String, String>> = BTreeMap::new();
    let mut lines = Vec::new();
    for (step, IdentityRole { holder, role, scope, why }) in &role.identities {
        let whose = whose(holder);
        let found = match principals.get(&whose) {
            Some(found) => found.clone(),
            None => principals.entry(whose.clone()).or_insert(principal(holder, scene).await).clone(),
        };
        let (id, note) = match found {
            Ok(id) => (id, String::new()),
            Err(reason) => (format!("<principal id of {whose}>"), format!(" ({})", one_line(&reason))),
        };
        let scope = match scope {
            On::Resource(id) => id.to_string(),
            On::Field(field) => format!("<resource id of the storage account in `{field}`>"),
        };
        for line in [format!("# {whose}, step {step}: {why}{note}"), assign(&id, SERVICE_PRINCIPAL, role, &scope)] {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

/// `kind`: an option that says what the assignee is, or nothing: the Azure CLI then looks it up.
fn assign(assignee: &str, kind: &str, role: &str, scope: &str) -> String {
    let quoted = |text: &str| if text.starts_with('<') { format!("\"{text}\"") } else { text.to_owned() };
    let (assignee, scope) = (quoted(assignee), quoted(scope));
    format!("az role assignment create --assignee-object-id {assignee}{kind} --role \"{role}\" --scope {scope}")
}

fn whose(holder: &Holder) -> String {
    let of = |service: &On| match service {
        On::Resource(id) => id.name().to_owned(),
        On::Field(field) => format!("the service in `{field}`"),
    };
    match holder {
        Holder::System(service) => format!("the system-assigned identity of {}", of(service)),
        Holder::User { service, client_id: Some(id) } => {
            format!("the user-assigned identity {id} of {}", of(service))
        }
        Holder::User { service, client_id: None } => format!("the user-assigned identity of {}", of(service)),
    }
}

/// The principal id of an identity as ARM tells it, or why it is not known.
async fn principal(holder: &Holder, scene: Option<&Scene>) -> Result<String, String> {
    let scene = scene.ok_or_else(|| "no site was given to ask".to_owned())?;
    let (Holder::System(On::Resource(service)) | Holder::User { service: On::Resource(service), .. }) = holder else {
        return Err("the service is not known yet".to_owned());
    };
    let identity = read_identity(scene, service).await?;
    let found = match holder {
        Holder::System(_) => identity.principal_id,
        Holder::User { client_id, .. } => {
            let client_id = client_id.as_deref().ok_or_else(|| "`client_id` is not known yet".to_owned())?;
            let all = identity.user_assigned_identities.unwrap_or_default();
            let of = |one: &apim::UserAssignedIdentity| {
                one.client_id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(client_id))
            };
            all.into_values().flatten().find(of).and_then(|one| one.principal_id)
        }
    };
    found.ok_or_else(|| format!("{} has no such identity yet", service.name()))
}

async fn read_identity(scene: &Scene, service: &ResourceId) -> Result<apim::Identity, String> {
    tokio::select! {
        answer = apim::get_service(&scene.context.arm, service) => {
            answer.map(|service| service.identity.unwrap_or_default()).map_err(|failure| failure.to_string())
        }
        () = scene.clock.patience(PATIENCE) => Err(format!("Azure gave no answer within {} s", PATIENCE.as_secs())),
    }
}

/// The arguments that name the same role once more.
fn again(session: &Session, runbook: &Path, place: &Where, mode: Option<Mode>, readiness: bool) -> String {
    let mut words = vec![runbook.display().to_string()];
    words.extend(place.again(session.everywhere.site.as_deref(), mode));
    words.extend(readiness.then(|| "--readiness".to_owned()));
    words.join(" ")
}
