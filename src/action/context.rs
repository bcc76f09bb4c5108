//! What an action is given: the world, its arguments, and what the plan saw. Never reads any of it by itself.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Others;
use crate::{
    azure::{Arm, Environment, Gate, TokenSource, storage::Blobs},
    clock::Clock,
    net::{Dns, Http, HttpOptions, RealDns, RealHttp},
    plan::{Forced, Plan, facts::Fact},
    run::{Intent, StepError, lease::Lease},
    runbook::{Mode, StepId, catalog},
    sim::World,
    site::Site,
};

/// The world as an action sees it.
#[derive(Clone, Debug)]
pub struct Context {
    pub clock: Clock,
    pub http: Http,
    pub dns: Dns,
    pub arm: Arm,
    pub blobs: Blobs,
    pub site: Arc<Site>,
    pub environment: Environment,
    /// Identifies the run in DNS metadata and request ids.
    pub run: String,
    /// Name of its runbook, and why it is run, as whoever is told of it reads them. None: nobody is.
    pub runbook: String,
    pub mode: Option<Mode>,
    /// Machine that drives it, as whoever is told of it reads it.
    pub host: String,
    /// Longest timeout of an apim.restore step of the plan: how long a backup must stay valid.
    pub restore_timeout: Duration,
    /// Runs beside this one.
    pub others: Others,
    pub outside: Outside,
    /// For relative paths of `command` and secret files.
    pub directory: PathBuf,
    /// What is looked at was sent by another process: its clock may be of another machine, and is not compared with.
    pub after_another: bool,
}

impl Context {
    /// The real world of a site. Opens no connection and asks for no token.
    ///
    /// # Errors
    /// A lower-case fragment: roots or resolvers that cannot be used.
    pub fn real(site: Arc<Site>, clock: Clock, environment: Environment, directory: PathBuf) -> Result<Self, String> {
        let dns = Dns::Real(RealDns::new(site.dns.resolvers.clone())?);
        let options = HttpOptions { ca_pem: site.ca_certificates.clone(), ..HttpOptions::new(dns.clone()) };
        let http = Http::Real(RealHttp::new(options)?);
        Self::over(http, dns, site, clock, environment, directory)
    }

    /// The in-process simulator, without sockets.
    ///
    /// # Errors
    /// A lower-case fragment: endpoints of the site that are no URLs.
    pub fn simulated(world: Arc<World>, site: Arc<Site>, clock: Clock, directory: PathBuf) -> Result<Self, String> {
        let (http, dns) = (Http::Simulated(world.clone()), Dns::Simulated(world));
        Self::over(http, dns, site, clock, Environment::of([]), directory)
    }

    /// A context over any transport, for a run that has no name yet.
    ///
    /// # Errors
    /// A lower-case fragment: endpoints of the site that are no URLs.
    pub fn over(
        http: Http,
        dns: Dns,
        site: Arc<Site>,
        clock: Clock,
        environment: Environment,
        directory: PathBuf,
    ) -> Result<Self, String> {
        let endpoints = &site.endpoints;
        let tokens = Arc::new(TokenSource::new(&site.credential, endpoints, http.clone(), environment.clone()));
        let arm = Arm::new(http.clone(), endpoints, tokens.clone(), clock.clone())?;
        let blobs = Blobs::new(http.clone(), endpoints, tokens, clock.clone());
        let restore_timeout = catalog::ActionKind::Restore.entry().timeout;
        Ok(Self {
            clock,
            http,
            dns,
            arm,
            blobs,
            site,
            environment,
            run: String::new(),
            runbook: String::new(),
            mode: None,
            host: "unknown".to_owned(),
            restore_timeout,
            others: Others::default(),
            outside: Outside::Real,
            directory,
            after_another: false,
        })
    }

    /// The same world beside other runs.
    #[must_use]
    pub fn beside(mut self, others: Others) -> Self {
        self.others = others;
        self
    }

    /// The same world for a process that another one may supersede: what it wants to change leaves while it holds.
    #[must_use]
    pub fn under(mut self, lease: &Lease) -> Self {
        let lease = lease.clone();
        let gate = Gate::asking(move || {
            let lease = lease.clone();
            async move { lease.held().await }
        });
        self.arm = self.arm.gated(gate.clone());
        self.blobs = self.blobs.gated(gate);
        self
    }

    /// The same world for a look at what another process sent, or not.
    #[must_use]
    pub fn after_another(mut self, after_another: bool) -> Self {
        self.after_another = after_another;
        self
    }

    /// The same world for one run of that plan.
    #[must_use]
    pub fn for_plan(self, run: impl Into<String>, plan: &Plan) -> Self {
        let (runbook, mode) = (plan.name.clone(), Some(plan.mode));
        Self { runbook, mode, ..self.for_run(run, plan.longest_restore()) }
    }

    /// The same world for one run, of which nobody is told.
    #[must_use]
    pub fn for_run(mut self, run: impl Into<String>, restore_timeout: Duration) -> Self {
        self.run = run.into();
        self.restore_timeout = restore_timeout;
        self
    }
}

/// Programs, and hosts that no simulator has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    Real,
    /// Nothing is started and nobody is asked: a `command` and an `http.request` are taken as done.
    Pretended,
}

/// One step's arguments, resolved, and what the plan saw for it.
#[derive(Clone, Debug)]
pub struct Call {
    pub step: StepId,
    pub arguments: Map<String, Value>,
    /// The facts of the step's probe at plan time; empty while planning.
    pub planned: Vec<Fact>,
    /// Somebody's decision to fail over whatever is seen; from the plan.
    pub forced: Option<Forced>,
    /// Why the step is in doubt, while it is settled; none when the process that knew has died.
    pub doubt: Option<Box<StepError>>,
    /// The last change that the step announced, perhaps in an earlier attempt: what several requests had found before
    /// the first of them. None while planning.
    pub earlier: Option<Arc<Intent>>,
    /// When the last request left, in a step that is taken back and whose end nobody was told; none: it was answered.
    pub unanswered: Option<Timestamp>,
    /// The generation of each target that this process holds, by the target's id; empty while planning, and in worlds
    /// that nobody shares.
    pub fences: Arc<BTreeMap<String, u64>>,
}

/// What a performed step gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    pub outputs: Map<String, Value>,
    /// What it saw, for the report.
    pub evidence: Value,
}
