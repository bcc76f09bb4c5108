//! The object store in which runs are kept: whether it can be reached and written to, and whether it outlives the region.
//!
//! A directory is not looked at: it is on the machine that would run the failover, or it is that machine's business.

use jiff::{SignedDuration, Timestamp};

use super::{
    ask::{Asker, Seen},
    observe::at_once,
    storage::{SeenAccount, is_in},
    subjects::Subjects,
};
use crate::{
    azure::{
        AzureError, AzureErrorKind,
        storage::{self, Account},
    },
    plan::{codes, facts::Finding},
    shared_state::{self, Access, Granted},
    site::{Container, Location},
};

/// A signature that ends sooner may end in the middle of a failover, or of the days after it in which one goes back.
const SHORTEST_CREDENTIAL: SignedDuration = SignedDuration::from_hours(24);

/// A store that was asked.
#[derive(Clone, Debug)]
pub struct SeenState {
    location: Location,
    listed: Seen<()>,
    granted: Granted,
    /// Of Azure Blob Storage, in the order of the subscriptions that the plan names; empty where the plan reads the
    /// account anyway, and of every other store.
    accounts: Vec<Seen<Option<Account>>>,
}

/// None: runs are kept in a directory.
pub async fn observe(asker: &Asker<'_>, subjects: &Subjects) -> Option<SeenState> {
    let context = asker.context;
    let location = context.site.state.clone().filter(|location| !location.is_directory())?;
    let access = Access {
        http: context.http.clone(),
        tokens: context.arm.tokens.clone(),
        blob_endpoint: context.site.endpoints.blob.clone(),
        environment: context.environment.clone(),
    };
    let credential = context.site.state_credential.as_ref();
    let listed = async {
        let looked = shared_state::look(&location, credential, &access).await;
        looked.map_err(|failure| AzureError {
            hint: Some(failure.hint),
            ..AzureError::new(AzureErrorKind::Rejected, failure.message)
        })
    };
    let (listed, accounts) = tokio::join!(asker.ask(listed), find_account(asker, subjects, &location));
    let granted = shared_state::granted(credential, &access);
    Some(SeenState { location, listed, granted, accounts })
}

/// Looked for in every subscription that the plan names: an account's name is nobody else's in the whole cloud.
async fn find_account(asker: &Asker<'_>, subjects: &Subjects, location: &Location) -> Vec<Seen<Option<Account>>> {
    let Some(container) = in_azure(location) else { return Vec::new() };
    if subjects.accounts.iter().any(|account| account.id.name().eq_ignore_ascii_case(&container.account)) {
        return Vec::new();
    }
    let find = |subscription| asker.ask(storage::find(asker.arm(), subscription, &container.account));
    at_once(subjects.subscriptions().into_iter().map(find)).await
}

/// The container of an account of Azure, which an emulator's is not.
fn in_azure(location: &Location) -> Option<&Container> {
    match location {
        Location::Blob(container) if !container.is_local() => Some(container),
        Location::Blob(_) | Location::Directory(_) | Location::S3(_) | Location::Google(_) => None,
    }
}

/// `active`: region of the active service, where it is known; `read`: the accounts that the plan reads. Pure.
pub fn judge(seen: &SeenState, active: Option<&str>, read: &[SeenAccount], now: Timestamp) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    if let Err(failure) = &seen.listed.answer {
        let finding = codes::finding("state-unreadable", format!("runs cannot be kept: {failure}"));
        let remedy = failure.hint.clone().unwrap_or_else(|| finding.remedy.clone());
        findings.push(Finding { remedy, ..finding });
    }
    findings.extend(allowed(&seen.granted, now));
    findings.extend(region(seen, active, read));
    let place = seen.location.to_string();
    findings.into_iter().map(|finding| finding.on(&place).seen(seen.listed.at)).collect()
}

fn allowed(granted: &Granted, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !granted.lacking.is_empty() {
        let message =
            format!("the shared access signature of the state does not allow to {}", granted.lacking.join(", "));
        findings.push(codes::finding("state-read-only", message));
    }
    if let Some(ends) = granted.ends.filter(|ends| ends.duration_since(now) < SHORTEST_CREDENTIAL) {
        let word = if ends <= now { "ended" } else { "ends" };
        let message = format!("the shared access signature of the state {word} at {ends}");
        findings.push(codes::finding("state-credential-ends", message));
    }
    findings
}

fn region(seen: &SeenState, active: Option<&str>, read: &[SeenAccount]) -> Option<Finding> {
    let location = &seen.location;
    let Some(container) = in_azure(location) else {
        let message = format!("where {location} is was not looked at: it is no account of Azure");
        return Some(codes::finding("state-elsewhere", message));
    };
    let name = &container.account;
    let known = read.iter().filter(|account| account.id.name().eq_ignore_ascii_case(name));
    let known = known.filter_map(SeenAccount::account);
    let found = known.chain(seen.accounts.iter().filter_map(|seen| seen.answer.as_ref().ok()?.as_ref())).next();
    let Some(account) = found else {
        let why: Vec<String> =
            seen.accounts.iter().filter_map(|seen| Some(seen.answer.as_ref().err()?.to_string())).collect();
        let why = if why.is_empty() { "no subscription of the plan has it".to_owned() } else { why.join("; ") };
        let message =
            format!("it is not known in which region the storage account {name} is, where runs are kept: {why}");
        return Some(codes::finding("state-region-unknown", message));
    };
    is_in(account, active).then(|| {
        let there = active.unwrap_or_default();
        let copy = match &account.secondary_location {
            Some(secondary) => format!("; its copy in {secondary} takes over only when the account is failed over"),
            None => String::new(),
        };
        codes::finding(
            "state-region",
            format!("runs are kept in {name}, which is in {there}, the region that would be lost{copy}"),
        )
    })
}
