//! `prove`: a runbook against everything that the simulator can do to it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{
    Exit, Failure, Session,
    arguments::{Output, pair},
    check, print,
    world::read_scenario,
};
use crate::{
    prove::{Case, Order, Point, Proof, Unprovable, prove},
    runbook::{Given, Mode},
    store::write_private,
};

#[derive(Debug, Args)]
pub struct ProveArguments {
    pub runbook: PathBuf,
    /// Only in this mode; may be given several times [default: every mode in which the runbook does something]
    #[arg(long, value_enum, value_name = "MODE")]
    pub mode: Vec<Mode>,
    /// The simulated world [default: a built-in one in which the runbook has something to do]
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// All chance is drawn from it: the same seed prints the same
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Only this point, written as a failed one is printed, such as `unplanned/cut-after/12`; may be given several times
    #[arg(long, value_name = "POINT")]
    pub only: Vec<Point>,
    /// Form of the proof [default: as --output says]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Write the proof to this file too
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Value of a parameter; wins over --parameters and the simulated world's
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// YAML file with values of parameters; wins over the simulated world's
    #[arg(long, value_name = "FILE")]
    pub parameters: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    Markdown,
}

pub fn run(session: &Session, arguments: &ProveArguments) -> Result<Exit, Failure> {
    let runbook = check::load(&arguments.runbook)?;
    let file = match &arguments.parameters {
        Some(path) => Some((path.display().to_string(), check::read(path, "parameter file")?)),
        None => None,
    };
    let scenario = match &arguments.scenario {
        Some(path) => Some((format!("as {} says", path.display()), read_scenario(path)?)),
        None => None,
    };
    let order = Order {
        runbook: &runbook,
        path: arguments.runbook.display().to_string(),
        given: Given {
            file: file.as_ref().map(|(name, bytes)| (name.as_str(), bytes.as_slice())),
            set: arguments.set.clone(),
            ..Given::default()
        },
        scenario,
        seed: arguments.seed,
        options: arguments.again(),
    };
    let (cases, left_out) = cases(arguments, &order)?;
    if let Some(stray) = arguments.only.iter().find(|point| !cases.iter().any(|case| case.has(point))) {
        return Err(Failure::usage(
            format!("there is no point {stray}: that row has fewer appends or requests, or the mode is not proven"),
            "leave --only out to see which rows and how many points there are",
        ));
    }
    let chosen = |point: &Point| arguments.only.is_empty() || arguments.only.contains(point);
    let proof = prove(&order, &cases, left_out, chosen);
    tell(session, arguments, &proof)?;
    Ok(if proof.holds() { Exit::Done } else { Exit::StepFailed })
}

type LeftOut = Vec<(Mode, String)>;

/// A case for every mode that was asked for. Of modes that nobody named, those that cannot be proven are left out.
fn cases(arguments: &ProveArguments, order: &Order<'_>) -> Result<(Vec<Case>, LeftOut), Failure> {
    let (mut cases, mut left_out) = (Vec::new(), Vec::new());
    let mut remedy = "name a mode in which it does something with --mode".to_owned();
    for mode in Mode::ALL {
        if !arguments.mode.is_empty() && !arguments.mode.contains(&mode) {
            continue;
        }
        match Case::of(order, mode) {
            Ok(case) => cases.push(case),
            Err(Unprovable::Problems(problems)) => return Err(problems.into()),
            Err(Unprovable::Nothing) => left_out.push((mode, "the runbook does nothing in this mode".to_owned())),
            Err(Unprovable::Unfit { message, remedy: way_out }) => {
                left_out.push((mode, message));
                remedy = way_out;
            }
        }
    }
    if cases.is_empty() || (!arguments.mode.is_empty() && !left_out.is_empty()) {
        let why = left_out.iter().map(|(mode, why)| format!("{mode}: {why}")).collect::<Vec<_>>().join("; ");
        return Err(Failure::refused(format!("nothing can be proven; {why}"), remedy));
    }
    Ok((cases, left_out))
}

fn tell(session: &Session, arguments: &ProveArguments, proof: &Proof) -> Result<(), Failure> {
    let format = arguments.format.unwrap_or(match session.everywhere.output {
        Output::Text => Format::Text,
        Output::Json => Format::Json,
    });
    let text = match format {
        Format::Text => proof.text(&session.machine.style_out()),
        Format::Json => serde_json::to_string_pretty(proof).expect("proofs have text keys"),
        Format::Markdown => proof.markdown(),
    };
    if let Some(out) = &arguments.out {
        write_private(out, text.as_bytes()).map_err(|error| {
            Failure::refused(format!("cannot write {}: {error}", out.display()), "name another file with --out")
        })?;
    }
    print(&text)?;
    Ok(())
}

impl ProveArguments {
    /// The options that make the same cases once more, each with a space before it.
    fn again(&self) -> String {
        let mut words = String::new();
        let mut add = |name: &str, value: &str| {
            let plain = !value.contains(|letter: char| letter.is_whitespace() || "'\"$`\\".contains(letter));
            let value = if plain { value.to_owned() } else { super::quoted(value) };
            words.extend([" ", name, " ", &value]);
        };
        if let Some(scenario) = &self.scenario {
            add("--scenario", &scenario.display().to_string());
        }
        if let Some(parameters) = &self.parameters {
            add("--parameters", &parameters.display().to_string());
        }
        for (name, value) in &self.set {
            add("--set", &format!("{name}={value}"));
        }
        words
    }
}
