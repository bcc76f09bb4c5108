//! `apim.verify-restore`: does the restored service hold what the backup's manifest names?
//!
//! Compares APIs, products, subscriptions and named values by name, never by value. Reads only.

use serde_json::{Map, Value, json};

use super::{
    Context, Done, Recorder,
    arguments::{Backup, VerifyRestore},
    content_words::{by_kind, counted, counts, first, second, told},
    error,
    fact::{Facts, note},
    manifest::{self, Manifest},
};
use crate::{
    azure::apim_content::{ContentNames, list_content},
    plan::facts::{Finding, Probe},
    run::{Disposition, StepError},
};

/// What to do when nothing can be compared.
const OVERRIDE: &str = "compare by hand what the service holds; then `lifeboat skip RUN STEP --reason TEXT` goes on \
                        without this proof, as a decision that every report shows; apim.backup writes manifests";

/// A prediction: the restore comes first.
pub async fn probe(arguments: &VerifyRestore, context: &Context) -> Result<Probe, StepError> {
    let (service, backup) = (arguments.service.name(), &arguments.backup);
    let wanted = match wanted(backup, context).await {
        Ok(wanted) => Some(wanted),
        Err(failure) if failure.code == MISSING => None,
        Err(failure) => return Err(failure),
    };
    let source = format!("manifest of `{}`", backup.name);
    let facts = Facts::seen(source, context.clock.now()).with("manifest.counts", wanted.as_ref().map(counts));
    let summary = match &wanted {
        Some(wanted) => format!("proves that {service} holds what `{}` names: {}", backup.name, counted(wanted)),
        None => format!("fails: nothing says what `{}` holds, so nothing can be proved of {service}", backup.name),
    };
    let finding = Finding::warning(MISSING, format!("no manifest names what `{}` holds", backup.name), OVERRIDE);
    Ok(Probe {
        summary,
        facts: facts.into_vec(),
        findings: wanted.is_none().then_some(finding).into_iter().collect(),
        verified: false,
        ..Probe::default()
    })
}

pub async fn perform(arguments: &VerifyRestore, context: &Context, record: &Recorder) -> Result<Done, StepError> {
    let (service, backup) = (arguments.service.name(), &arguments.backup);
    let wanted = wanted(backup, context).await?;
    let arm = context.arm.noting(record.sink());
    let found = Box::pin(list_content(&arm, &arguments.service))
        .await
        .map_err(|failure| error::from_read(&format!("what {service} holds"), &failure))?;
    let differences = wanted.diff(&found);
    let (missing, unexpected) = (by_kind(&differences, first), by_kind(&differences, second));
    let lacking = told(&differences, first);
    if !lacking.is_empty() {
        let mut step = StepError::new(
            Disposition::Final,
            "restore-incomplete",
            format!("{service} lacks what the manifest of `{}` names: {lacking}", backup.name),
            "do not move traffic there: look at the restore in the service's activity log, restore again in a new run; \
             or, if these may be missing, `lifeboat skip RUN STEP --reason TEXT`",
        );
        step.details.insert("counts".to_owned(), counts(&found));
        step.details.insert("missing".to_owned(), missing);
        return Err(step);
    }
    let more = told(&differences, second);
    if !more.is_empty() {
        note(record, format!("{service} has more than the manifest names: {more}"));
    }
    let outputs = Map::from_iter([
        ("counts".to_owned(), counts(&found)),
        ("missing".to_owned(), missing),
        ("unexpected".to_owned(), unexpected),
    ]);
    let evidence = json!({ "backup": backup.name, "wanted": counts(&wanted), "found": counts(&found) });
    Ok(Done { outputs, evidence })
}

/// Code of the error that nothing names what a backup holds.
pub const MISSING: &str = "manifest-missing";

/// What the backup holds, from the manifest that came with it, else from the one beside it.
pub async fn wanted(backup: &Backup, context: &Context) -> Result<ContentNames, StepError> {
    let there: Option<Value> = match &backup.manifest_data {
        Some(manifest) => Some(manifest.clone()),
        None => manifest::read(&context.blobs, &backup.account, &backup.container, &backup.name)
            .await
            .map_err(|failure| error::from_read(&format!("the manifest of `{}`", backup.name), &failure))?,
    };
    let manifest = there.as_ref().and_then(Manifest::from_value);
    let unread = manifest.as_ref().and_then(|manifest| manifest.content_unread.clone());
    manifest.and_then(|manifest| manifest.content()).ok_or_else(|| {
        let why = match (there.is_some(), unread) {
            (false, _) => "there is no manifest beside it".to_owned(),
            (true, Some(why)) => format!("its manifest names nothing: {why}"),
            (true, None) => "its manifest names nothing".to_owned(),
        };
        let message = format!("it cannot be told what the backup `{}` holds: {why}", backup.name);
        StepError::new(Disposition::Final, MISSING, message, OVERRIDE)
    })
}
