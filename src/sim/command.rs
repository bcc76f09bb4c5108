//! `lifeboat sim`: the simulator on its own.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    scenario::{LONGEST_SCENARIO, Scenario},
    serve::{Addresses, ListenOptions, ServeError, serve},
    sinks::write_private,
    world::World,
};
use crate::clock::Clock;

/// Slowest at which the end of a restore is still ahead of anybody's patience.
const SLOWEST: f64 = 0.01;
/// Fastest that waits of a second can still be told apart on the machine.
const FASTEST: f64 = 100_000.0;

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
    /// Where to write the site file [default: site.yaml in the simulator's own directory]
    #[arg(long, value_name = "FILE")]
    pub site_out: Option<PathBuf>,
    /// Append every request to this file, as JSON Lines
    #[arg(long, value_name = "FILE")]
    pub request_log: Option<PathBuf>,
    /// Keep the state in this file; if it exists, go on from it, on the same ports and at the same speed
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

impl From<ServeError> for SimError {
    fn from(error: ServeError) -> Self {
        Self { message: error.message, hint: error.hint }
    }
}

/// Runs until SIGINT or SIGTERM. stdout gets the path of the site file; stderr the story.
///
/// # Errors
/// A scenario with a mistake, a port that is taken, a file that cannot be written.
pub async fn run(arguments: SimArguments) -> Result<(), SimError> {
    // Before anything is announced: whoever reads the announcement may send a signal at once.
    let stopped = stop_signal()?;
    let world = world(&arguments)?;
    if let Some(path) = &arguments.request_log {
        world.log_to(path).map_err(|error| unwritable(path, &error))?;
    }
    let directory = arguments.state.as_ref().map(|path| path.with_extension("d"));
    let serving = serve(Arc::clone(&world), ListenOptions { port: arguments.port, directory }).await?;
    if let Some(path) = &arguments.state {
        world.persist_to(path).map_err(|error| unwritable(path, &error))?;
    }
    let addresses = serving.addresses();
    let site = arguments.site_out.clone().unwrap_or_else(|| addresses.directory.join("site.yaml"));
    let ca_file = serving.addresses().ca_file.display().to_string();
    let text = serving.site().to_yaml(Some(&ca_file));
    write_private(&site, text.as_bytes()).map_err(|error| unwritable(&site, &error))?;
    announce(&world, addresses, &site).map_err(|error| unwritable(Path::new("standard output"), &error))?;
    stopped.await;
    serving.shutdown().await;
    Ok(())
}

fn world(arguments: &SimArguments) -> Result<Arc<World>, SimError> {
    if !(SLOWEST..=FASTEST).contains(&arguments.speed) {
        return Err(SimError {
            message: format!("{} is not a speed", arguments.speed),
            hint: format!("choose a number between {SLOWEST} and {FASTEST}"),
        });
    }
    if let Some(kept) = arguments.state.as_deref().filter(|path| path.exists()) {
        let hint = || format!("move {} away to begin anew", kept.display());
        let wrong = |message| SimError { message, hint: hint() };
        let text = fs::read(kept).map_err(|error| wrong(format!("{} cannot be read: {error}", kept.display())))?;
        let snapshot = serde_json::from_slice(&text)
            .map_err(|error| wrong(format!("{} is not a state: {error}", kept.display())))?;
        let clock = World::clock_of(&snapshot).unwrap_or_else(|| Clock::scaled(arguments.speed));
        return World::from_snapshot(snapshot, clock).map_err(|error| wrong(error.to_string()));
    }
    let scenario = match &arguments.scenario {
        None => Scenario::default(),
        Some(path) => read_scenario(path)?,
    };
    Ok(World::new(scenario, Clock::scaled(arguments.speed)))
}

/// Reads a scenario file; also for `--simulate=FILE`.
///
/// # Errors
/// It cannot be read, or has a mistake: the place stands in the message.
pub fn read_scenario(path: &Path) -> Result<Scenario, SimError> {
    let wrong = |message: String| SimError {
        message: format!("{}: {message}", path.display()),
        hint: "compare it with examples/scenario.yaml, which names every key".to_owned(),
    };
    let file = fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(file, LONGEST_SCENARIO as u64 + 1), &mut text)
        .map_err(|error| wrong(error.to_string()))?;
    Scenario::parse(&text).map_err(|error| wrong(error.message))
}

/// Where everything is, and what to type next.
fn announce(world: &World, addresses: &Addresses, site: &Path) -> io::Result<()> {
    let mut story = io::stderr().lock();
    let speed = world.clock().speed();
    writeln!(story, "simulated Azure, {speed} times as fast as time; seed {}", world.scenario().seed)?;
    writeln!(story)?;
    writeln!(story, "  resource manager  http://{}   https://{}", addresses.http, addresses.https)?;
    writeln!(story, "  blobs             http://{}/{}", addresses.http, world.scenario().storage.account)?;
    for (name, address) in &addresses.gateways {
        writeln!(story, "  gateway           https://{address}   {name}")?;
    }
    for (name, address) in &addresses.name_servers {
        writeln!(story, "  name server       {address}   {name}")?;
    }
    for address in &addresses.resolvers {
        writeln!(story, "  resolver          {address}")?;
    }
    writeln!(story, "  token             {}", addresses.token_file.display())?;
    writeln!(story, "  CA certificate    {}", addresses.ca_file.display())?;
    writeln!(story)?;
    let standby = &world.scenario().standby;
    let service = format!(
        "http://{}/subscriptions/{}/resourceGroups/{}/providers/Microsoft.ApiManagement/service/{}?api-version=2024-05-01",
        addresses.http,
        world.scenario().subscription,
        standby.group,
        standby.name
    );
    let token = addresses.token_file.display();
    writeln!(story, "look at the standby:")?;
    writeln!(story, "  curl -H \"Authorization: Bearer $(cat {token})\" '{service}'")?;
    if let Some(resolver) = addresses.resolvers.first() {
        let name = format!("api.{}", world.scenario().zone.name);
        writeln!(story, "ask a resolver:")?;
        writeln!(story, "  dig @{} -p {} {name}", resolver.ip(), resolver.port())?;
    }
    writeln!(story, "fail over:")?;
    writeln!(story, "  lifeboat run runbooks/apim-failover.yaml --mode unplanned --site {}", site.display())?;
    writeln!(story)?;
    writeln!(story, "stop with ctrl-c")?;
    let mut data = io::stdout().lock();
    writeln!(data, "{}", site.display())?;
    data.flush()
}

/// Listens for the signals from now on; the future ends with the first.
fn stop_signal() -> Result<impl Future<Output = ()>, SimError> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| {
            signal(kind).map_err(|error| SimError {
                message: format!("signals cannot be listened for: {error}"),
                hint: "this is the operating system's refusal; try again".to_owned(),
            })
        };
        let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "ctrl-c cannot be listened for");
        }
    })
}

fn unwritable(path: &Path, error: &io::Error) -> SimError {
    SimError {
        message: format!("{} cannot be written: {error}", path.display()),
        hint: "choose another path, or make room".to_owned(),
    }
}
