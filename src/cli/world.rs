//! Where a command acts: a real site, or a simulated Azure inside this process, on real sockets.

use std::{path::Path, sync::Arc};

use super::{Exit, Failure, Session, arguments::Where, check::read};
use crate::{
    action::Context,
    azure::TokenSource,
    clock::Clock,
    net::{Dns, Http, HttpOptions, RealDns, RealHttp, objects::Tell},
    plan::Plan,
    shared_state::{self, Access},
    sim::{self, ListenOptions, Scenario, Serving, World},
    site::{self, Cloud, Credential, Endpoints, Location, Simulated, Site},
    store::{Kept, Store},
};

/// A world to act on.
#[derive(Debug)]
pub struct Scene {
    pub site: Arc<Site>,
    pub clock: Clock,
    pub context: Context,
    /// Kept alive as long as the command runs.
    pub simulation: Option<Simulation>,
}

#[derive(Debug)]
pub struct Simulation {
    pub world: Arc<World>,
    _serving: Serving,
}

/// Reads a site file and the certificates it names.
pub fn read_site(path: &Path) -> Result<Site, Failure> {
    let file = site::parse(&path.display().to_string(), &read(path, "site file")?)?;
    let ca = match &file.ca_file {
        Some(ca) => Some(read(&path.parent().unwrap_or(Path::new(".")).join(ca), "certificate file")?),
        None => None,
    };
    Ok(file.into_site(ca.as_deref())?)
}

/// Reads a scenario file.
pub fn read_scenario(path: &Path) -> Result<Scenario, Failure> {
    let wrong = |message: String, hint| Failure::new(Exit::Problems, message, hint);
    let text = String::from_utf8(read(path, "scenario")?)
        .map_err(|_| wrong("the scenario is not UTF-8".to_owned(), "save it as UTF-8 and type the command again"))?;
    Scenario::parse(&text).map_err(|error| {
        wrong(format!("{}: {error}", path.display()), "correct the scenario and type the command again")
    })
}

/// Simulated seconds in a real one: a restore of 45 minutes takes 23 seconds, and a slow machine still keeps every
/// timeout of the flagship.
const SPEED: f64 = 120.0;

/// Slow enough for a person to read a question and answer it within a timeout of half an hour.
const SPEED_WITH_PEOPLE: f64 = 60.0;

/// The world that the command line names. `with_people`: somebody at the terminal takes part in a simulation.
pub async fn open(session: &Session, place: &Where, with_people: bool) -> Result<Scene, Failure> {
    match (session.site()?, &place.simulate) {
        (Some(site), None) => real(session, keeping(session, site)?),
        (None, Some(scenario)) => {
            let scenario = if scenario.is_empty() { Scenario::default() } else { read_scenario(Path::new(scenario))? };
            let clock = Clock::scaled(place.speed.unwrap_or(if with_people { SPEED_WITH_PEOPLE } else { SPEED }));
            let world = World::new(scenario, clock.clone());
            if let Some(log) = &place.request_log {
                world.log_to(log).map_err(|error| {
                    Failure::refused(format!("cannot write {}: {error}", log.display()), "name another file")
                })?;
            }
            simulated(session, world, clock).await
        }
        (None, None) => Err(no_site()),
        (Some(_), Some(_)) => Err(Failure::usage("both --site and --simulate", "give one of them")),
    }
}

/// The world of a saved plan: the one that the command line names, else the plan's own.
pub async fn open_planned(
    session: &Session,
    place: &Where,
    with_people: bool,
    planned: &Site,
) -> Result<Scene, Failure> {
    match (session.site()?, &place.simulate) {
        (None, None) => real(session, keeping(session, Arc::new(planned.clone()))?),
        (Some(_), _) | (_, Some(_)) => open(session, place, with_people).await,
    }
}

/// The world that a journalled plan names: the simulation goes on where it was left, if it was one.
pub async fn reopen(session: &Session, plan: &Plan, kept: &Kept) -> Result<Scene, Failure> {
    let Some(path) = kept.world_path().filter(|path| path.is_file()) else {
        return real(session, Arc::new(plan.site.clone()));
    };
    let unusable = |what: String| {
        Failure::refused(
            format!("the simulated world of this run cannot be used: {what}"),
            "start another simulated run",
        )
    };
    let snapshot: serde_json::Value =
        serde_json::from_slice(&read(&path, "simulated world")?).map_err(|error| unusable(error.to_string()))?;
    let clock = World::clock_of(&snapshot).ok_or_else(|| unusable("it has no clock".to_owned()))?;
    let world = World::from_snapshot(snapshot, clock.clone()).map_err(|error| unusable(error.to_string()))?;
    world.persist_to(&path).map_err(|error| unusable(error.to_string()))?;
    simulated(session, world, clock).await
}

/// Nobody said where to act.
pub fn no_site() -> Failure {
    Failure::usage(
        "no site: where shall this act?",
        "give --site FILE (see examples/site.yaml), or try it on a simulated Azure with --simulate",
    )
}

/// The clock of a site: the machine's, or the one that a simulator shares.
pub fn clock(site: &Site) -> Clock {
    match site.shared_clock() {
        Some(Simulated { anchor, since, speed }) => Clock::Scaled { anchor, since, speed },
        None => Clock::Wall,
    }
}

fn real(session: &Session, site: Arc<Site>) -> Result<Scene, Failure> {
    let clock = clock(&site);
    let context = Context::real(site.clone(), clock.clone(), session.machine.environment.clone(), directory()?)
        .map_err(|message| Failure::new(Exit::Problems, message, "correct the site file and type the command again"))?;
    Ok(Scene { site, clock, context, simulation: None })
}

async fn simulated(session: &Session, world: Arc<World>, clock: Clock) -> Result<Scene, Failure> {
    let serving = sim::serve(world.clone(), ListenOptions::default())
        .await
        .map_err(|error| Failure::refused(error.message, error.hint))?;
    let site = Arc::new(serving.site());
    let context = Context::real(site.clone(), clock.clone(), session.machine.environment.clone(), directory()?)
        .map_err(|message| Failure::new(Exit::Bug, message, "this is a bug of the simulator; please report it"))?;
    Ok(Scene { site, clock, context, simulation: Some(Simulation { world, _serving: serving }) })
}

fn directory() -> Result<std::path::PathBuf, Failure> {
    std::env::current_dir().map_err(|error| {
        Failure::refused(format!("the working directory cannot be read: {error}"), "change into another")
    })
}

/// Where runs are kept: --state, else the site's, else the user's. `site`: of a simulated world, which is no file.
pub fn location(session: &Session, site: Option<&Site>) -> Result<Location, Failure> {
    if let Some(state) = &session.everywhere.state {
        let text = state.to_str().map_or_else(|| Ok(Location::Directory(state.clone())), Location::parse);
        return text.map_err(|problem| Failure::usage(problem.message, problem.help));
    }
    let named = session.site()?;
    if let Some(state) = named.as_deref().or(site).and_then(|site| site.state.as_ref()) {
        return Ok(state.clone());
    }
    let directory = session.machine.state_directory().ok_or_else(|| {
        Failure::new(
            Exit::Problems,
            "no directory for the state: neither XDG_STATE_HOME nor HOME is set",
            "name one with --state",
        )
    })?;
    Ok(Location::Directory(directory))
}

/// Says on stderr what is waited for.
fn teller() -> Tell {
    Arc::new(|text| eprintln!("{text}"))
}

/// The site with the object store that --state names: readiness looks at it, and the plan says where its run was kept.
fn keeping(session: &Session, site: Arc<Site>) -> Result<Arc<Site>, Failure> {
    if session.everywhere.state.is_none() {
        return Ok(site);
    }
    let location = location(session, Some(&site))?;
    if location.is_directory() || site.state.as_ref() == Some(&location) {
        return Ok(site);
    }
    Ok(Arc::new(Site { state: Some(location), ..Site::clone(&site) }))
}

/// The runs that are kept there. Opens no connection. The way to an object store is the site's; without one, what is
/// usual for that store.
pub fn store(session: &Session, site: Option<&Site>) -> Result<Store, Failure> {
    let location = location(session, site)?;
    if let Location::Directory(directory) = location {
        return Ok(Store::directory(directory, Clock::Wall).telling(teller()));
    }
    let named = session.site()?;
    let site = named.as_deref().or(site);
    let unusable = |message: String, hint: String| Failure::new(Exit::Problems, message, hint);
    let access = access(session, site).map_err(|message| unusable(message, "correct the site file".to_owned()))?;
    let credential = site.and_then(|site| site.state_credential.as_ref());
    let objects = shared_state::open(&location, credential, &access)
        .map_err(|failure| unusable(failure.message, failure.hint))?;
    let store = Store::objects(objects, location.prefix(), location.to_string(), Clock::Wall);
    Ok(store.telling(teller()))
}

/// How to get at an object store: over the site's transport, with the site's tokens. Without a site as whoever is signed
/// in on this machine, or as the machine itself.
pub(super) fn access(session: &Session, site: Option<&Site>) -> Result<Access, String> {
    let anybody = Credential::Chain(vec![
        Credential::AzureCli,
        Credential::ManagedIdentity { client_id: None, resource_id: None },
    ]);
    let public = Endpoints::preset(Cloud::Public).expect("the public cloud has its endpoints");
    let (endpoints, credential) = site.map_or((&public, &anybody), |site| (&site.endpoints, &site.credential));
    let dns = Dns::Real(RealDns::new(site.map(|site| site.dns.resolvers.clone()).unwrap_or_default())?);
    let ca_pem = site.map(|site| site.ca_certificates.clone()).unwrap_or_default();
    let http = Http::Real(RealHttp::new(HttpOptions { ca_pem, ..HttpOptions::new(dns) })?);
    let environment = session.machine.environment.clone();
    let tokens = Arc::new(TokenSource::new(credential, endpoints, http.clone(), environment.clone()));
    Ok(Access { http, tokens, blob_endpoint: endpoints.blob.clone(), environment })
}
