//! `report RUN`, `report PLAN.json`, and `plan --report FILE`: the dossier in a form that somebody sends on.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::{Exit, Failure, Session, arguments::PlanArguments, check, history, print, runs, saved, world};
use crate::{
    action::permissions::{self, Needed, On},
    plan::{Plan, PlannedStep},
    report::{
        Beside, Commands, Dossier,
        dossier::{CrashProof, Permission, Proof, resolved, shipped},
    },
    store::write_private,
};

#[derive(Clone, Debug, Args)]
pub struct ReportArguments {
    /// The run; or a plan that `lifeboat plan --out` saved, with the approvals that it has
    pub run: String,
    /// Form of the report [default: as --out's ending says, else md]
    #[arg(long, value_enum)]
    pub format: Option<ReportForm>,
    /// Write it to this file instead of stdout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// When the incident began, such as 2026-11-23T13:40:00Z; the phase clock counts from there
    #[arg(long, value_name = "TIME")]
    pub incident_start: Option<jiff::Timestamp>,
    /// A proof of the runbook to name as evidence, as `lifeboat prove --format json` wrote it
    #[arg(long, value_name = "FILE")]
    pub proof: Option<PathBuf>,
    /// Of a saved plan: an approval that `lifeboat approve PLAN --out` wrote; may be repeated
    #[arg(long, value_name = "FILE")]
    pub approval: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportForm {
    /// One file that needs nothing else, for browsers and for paper
    Html,
    /// Markdown
    Md,
    /// For programs
    Json,
    #[value(help = "A change request with the field names of ServiceNow")]
    Servicenow,
}

/// The dossier of a run, over or not, or of a saved plan. Reads a file or a journal and nothing else.
pub async fn report(session: &Session, arguments: ReportArguments) -> Result<Exit, Failure> {
    let form = match (arguments.format, &arguments.out) {
        (Some(form), _) => form,
        (None, Some(out)) => form_of(out, "--out")?,
        (None, None) if session.json() => ReportForm::Json,
        (None, None) => ReportForm::Md,
    };
    let file = Path::new(&arguments.run);
    let dossier =
        if file.is_file() { of_plan(session, file, &arguments).await? } else { of_run(session, &arguments).await? };
    let text = written(&dossier, form);
    match &arguments.out {
        Some(out) => write(out, &text, "--out"),
        None => print(&text),
    }
}

async fn of_run(session: &Session, arguments: &ReportArguments) -> Result<Dossier, Failure> {
    if !arguments.approval.is_empty() {
        return Err(Failure::usage(
            "--approval is for a saved plan, and a run holds its approvals",
            "leave it out; `lifeboat approve RUN STEP --approval FILE` hands one in",
        ));
    }
    let proof = arguments.proof.as_deref().map(read_proof).transpose()?;
    let kept = world::store(session, None)?.open(&arguments.run).await?;
    let (state, loaded, standing, _) = runs::standing(&kept).await?;
    let known = beside(&state.plan, session.commands(!kept.is_simulated()), embedded(&state.plan));
    let beside = Beside {
        incident: arguments.incident_start,
        head: Some(loaded.head_hash().to_owned()),
        history: Some(history::in_time(session, None).await),
        crash: given(proof.as_ref(), &state.plan).or(known.crash),
        ..known
    };
    Ok(Dossier::after(&state, &loaded.records, standing, runs::now(&state), &beside))
}

/// As the plan was saved; the world is not looked at again.
async fn of_plan(session: &Session, file: &Path, arguments: &ReportArguments) -> Result<Dossier, Failure> {
    if arguments.incident_start.is_some() {
        return Err(Failure::usage(
            "--incident-start is for a run, and this is a plan",
            "leave it out, or name the run",
        ));
    }
    let proof = arguments.proof.as_deref().map(read_proof).transpose()?;
    let (plan, _) = saved::read(file, &check::read(file, "plan")?)?;
    let approvals = saved::approvals(&plan, None, world::clock(&plan.site).now(), &arguments.approval)?;
    let known = beside(&plan, session.commands(true), embedded(&plan));
    let beside = Beside {
        history: Some(history::in_time(session, Some(&plan.site)).await),
        crash: given(proof.as_ref(), &plan).or(known.crash),
        approvals,
        ..known
    };
    Ok(Dossier::before(&plan, &beside))
}

/// What is to be written of a plan, before anything was asked of Azure.
#[derive(Debug)]
pub struct Wanted<'a> {
    path: &'a Path,
    form: ReportForm,
    proof: Option<(String, Proof)>,
}

impl<'a> Wanted<'a> {
    /// `--report` and `--proof`. None: nobody wants one.
    ///
    /// # Errors
    /// The ending says no form, or the proof is none.
    pub fn of(arguments: &'a PlanArguments) -> Result<Option<Self>, Failure> {
        let Some(path) = &arguments.report else { return Ok(None) };
        let proof = arguments.proof.as_deref().map(read_proof).transpose()?;
        Ok(Some(Self { path, form: form_of(path, "--report")?, proof }))
    }

    /// Writes the dossier of a plan. `runbook`: the file that was planned.
    pub async fn write(&self, session: &Session, plan: &Plan, runbook: &Path) -> Result<(), Failure> {
        let text = std::fs::read_to_string(runbook).ok();
        // A file that was changed since is not the one that was planned.
        let text = text.filter(|text| crate::run::journal::hex(text.as_bytes()) == plan.runbook_sha256);
        let known = beside(plan, session.commands(true), text);
        let beside = Beside {
            history: Some(history::in_time(session, Some(&plan.site)).await),
            crash: given(self.proof.as_ref(), plan).or(known.crash),
            ..known
        };
        write(self.path, &written(&Dossier::before(plan, &beside), self.form), "--report")?;
        Ok(())
    }
}

/// A proof that `lifeboat prove --format json` wrote, with the name of its file.
fn read_proof(path: &Path) -> Result<(String, Proof), Failure> {
    let bytes = check::read(path, "proof")?;
    let proof = Proof::read(&String::from_utf8_lossy(&bytes)).map_err(|why| {
        Failure::usage(
            format!("{} is not taken: {why}", path.display()),
            "`lifeboat prove RUNBOOK --format json --out FILE` writes one",
        )
    })?;
    Ok((path.display().to_string(), proof))
}

fn given(proof: Option<&(String, Proof)>, plan: &Plan) -> Option<CrashProof> {
    proof.map(|(source, proof)| proof.of(plan, source))
}

/// The runbook's text in the plan itself.
fn embedded(plan: &Plan) -> Option<String> {
    plan.saved.as_ref().map(|saved| saved.runbook.clone())
}

/// A wrong ending is known before anything is asked of Azure.
fn form_of(path: &Path, option: &str) -> Result<ReportForm, Failure> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_lowercase();
    let endings = [
        (".servicenow.json", ReportForm::Servicenow),
        (".json", ReportForm::Json),
        (".html", ReportForm::Html),
        (".htm", ReportForm::Html),
        (".md", ReportForm::Md),
    ];
    let form = endings.into_iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, form)| form);
    form.ok_or_else(|| {
        Failure::usage(
            format!("{option} {}: the ending does not say which form is wanted", path.display()),
            "end the name with .html, .md, .json or .servicenow.json",
        )
    })
}

fn written(dossier: &Dossier, form: ReportForm) -> String {
    match form {
        ReportForm::Html => dossier.html(),
        ReportForm::Md => dossier.markdown(),
        ReportForm::Json => dossier.json(),
        ReportForm::Servicenow => dossier.service_now(),
    }
}

fn write(path: &Path, text: &str, option: &str) -> Result<Exit, Failure> {
    write_private(path, text.as_bytes()).map_err(|error| {
        Failure::refused(
            format!("cannot write {}: {error}", path.display()),
            format!("name another file with {option}"),
        )
    })?;
    eprintln!("the report is in {}", path.display());
    Ok(Exit::Done)
}

/// What the plan does not hold, and this program knows.
pub fn beside(plan: &Plan, commands: Commands, runbook: Option<String>) -> Beside {
    let of_step = |(step, arguments): (&PlannedStep, Map<String, Value>)| {
        permissions::needed(step.action, &arguments).into_iter().map(permission).collect()
    };
    Beside {
        permissions: plan.steps.iter().zip(resolved(plan)).map(of_step).collect(),
        runbook,
        commands,
        incident: None,
        head: None,
        history: None,
        approvals: Vec::new(),
        crash: shipped(plan),
    }
}

fn permission(needed: Needed) -> Permission {
    Permission {
        action: needed.action.to_owned(),
        on: match needed.scope {
            On::Resource(id) => id.name().to_owned(),
            On::Field(field) => format!("`{field}`"),
        },
        why: needed.why.to_owned(),
        required: needed.required,
    }
}
