//! `lifeboat sim`: the simulator on its own.

use std::path::PathBuf;

/// Arguments of `lifeboat sim`.
#[derive(Clone, Debug, clap::Args)]
pub struct SimArguments {
    /// Scenario file; without it West Europe is lost and the standby is ready
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Simulated seconds per real second: a restore of 45 minutes takes 45 seconds at 60
    #[arg(long, value_name = "N", default_value_t = 60.0)]
    pub speed: f64,
    /// Port of the http listener on 127.0.0.1 [default: any free one]
    #[arg(long, value_name = "P")]
    pub port: Option<u16>,
    /// Where to write the site file [default: lifeboat-sim.site.yaml in the simulator's own directory]
    #[arg(long, value_name = "FILE")]
    pub site_out: Option<PathBuf>,
    /// Append every request to this file, as JSON Lines
    #[arg(long, value_name = "FILE")]
    pub request_log: Option<PathBuf>,
    /// Keep the state in this file; if it exists, go on from it
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
}

/// Why the simulator could not start or go on.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct SimError {
    /// Lower-case fragment.
    pub message: String,
    pub hint: String,
}

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
/// A scenario with a mistake, a port that is taken, a file that cannot be written.
pub async fn run(_arguments: SimArguments) -> Result<(), SimError> {
    unimplemented!("signature")
}
