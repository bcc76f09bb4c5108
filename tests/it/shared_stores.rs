//! Whole failovers whose runs are kept in real object stores: Azurite, Microsoft's emulator of blob storage, and moto, a
//! server that speaks S3. A process is killed in the middle of the restore; others, with homes of their own, see the run,
//! go on with it and approve it.
//!
//! The servers are no crates: `.ci/clients` installs them and names their programs in `LIFEBOAT_AZURITE` and
//! `LIFEBOAT_MOTO`. Without a variable its store is not tried, and that is said on stderr past the test runner's capture.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use lifeboat::{
    azure::{Environment, TokenSource},
    net::{Http, listing_refused},
    shared_state::{Access, open},
    site::{Credential, Endpoints, Location, SecretReference, StateCredential, parse},
};
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload, UpdateVersion, path::Path};
use serde_json::Value;

use crate::{
    azurite::{self, Azurite},
    harness::FLAGSHIP,
    net::transport,
    process::Simulator,
};

/// The path of moto's server program.
const MOTO: &str = "LIFEBOAT_MOTO";
const LIFEBOAT: &str = env!("CARGO_BIN_EXE_lifeboat");
/// A restore of 45 minutes takes 23 seconds, longer than a driver that died is waited for.
const SPEED: u32 = 120;
/// People who type a command see its effect within that, and so does whoever looks.
const EFFECT: Duration = Duration::from_secs(2);
const RUN: &str = "night";

/// A store that is up, and what a site says of it.
struct Store {
    /// With a prefix.
    state: String,
    /// As it stands in a site file.
    credential: String,
    environment: Vec<(&'static str, String)>,
    /// PEM of its authority.
    authority: Option<String>,
}

impl Store {
    fn of_azurite(azurite: &Azurite) -> Self {
        Self {
            state: format!("{}/{}/{}/drills/west", azurite.url, azurite::ACCOUNT, azurite::CONTAINER),
            credential: "{ account-key: { env: LIFEBOAT_TEST_KEY } }".to_owned(),
            environment: vec![("LIFEBOAT_TEST_KEY", azurite::account_key())],
            authority: Some(azurite.authority.pem.clone()),
        }
    }

    /// Opened as the program opens it.
    fn open(&self, state: &str) -> Arc<dyn ObjectStore> {
        let roots: Vec<&str> = self.authority.iter().map(String::as_str).collect();
        let variables = self.environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let access = access(transport(&roots, vec![]), Environment::of(variables));
        let text = format!(
            "version: 1\ncredential: {{ azure-cli: {{}} }}\nstate: {state}\nstate_credential: {}\n",
            self.credential
        );
        let site = parse("site.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let site = site.into_site(None).unwrap();
        open(&site.state.unwrap(), site.state_credential.as_ref(), &access).unwrap()
    }
}

fn access(http: Http, environment: Environment) -> Access {
    let endpoints = Endpoints::preset(lifeboat::site::Cloud::Public).unwrap();
    let credential = Credential::Token(SecretReference::Env("TOKEN".to_owned()));
    let tokens = Arc::new(TokenSource::new(&credential, &endpoints, http.clone(), environment.clone()));
    Access { http, tokens, blob_endpoint: endpoints.blob, environment }
}

/// moto's server; stopped when the test is over.
struct Moto {
    child: Child,
    url: String,
}

impl Moto {
    /// None, loudly, when nobody said where it is.
    fn start() -> Option<Self> {
        let Some(program) = std::env::var_os(MOTO) else {
            // Not with a macro: the test runner would swallow it.
            let line = format!("NOT RUN: runs in S3 against moto; {MOTO} does not name its program\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        };
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", "0"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("Running on ").map(|(_, url)| url.trim().to_owned()));
        // Nobody reads the rest, and a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, url: url.expect("moto says where it listens") })
    }

    async fn store(&self) -> Store {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let made = client.put(format!("{}/contoso-dr", self.url)).send().await.unwrap();
        assert!(made.status().is_success(), "{made:?}");
        let key = "access_key_id: { env: LIFEBOAT_TEST_ID }, secret_access_key: { env: LIFEBOAT_TEST_SECRET }";
        Store {
            state: "s3://contoso-dr/drills/west".to_owned(),
            credential: format!("{{ aws: {{ region: us-east-1, {key}, endpoint: \"{}\" }} }}", self.url),
            environment: vec![
                ("LIFEBOAT_TEST_ID", "id".to_owned()),
                ("LIFEBOAT_TEST_SECRET", "a secret that nobody uses".to_owned()),
            ],
            authority: None,
        }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Some machine with a home of its own, where nothing is known but the site file.
struct Machine<'a> {
    home: tempfile::TempDir,
    simulator: &'a Simulator,
    store: &'a Store,
}

impl<'a> Machine<'a> {
    fn new(simulator: &'a Simulator, store: &'a Store) -> Self {
        Self { home: tempfile::tempdir().unwrap(), simulator, store }
    }

    fn lifeboat(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LIFEBOAT);
        command.args(arguments).arg("--site").arg(self.simulator.path("site.yaml")).current_dir(self.home.path());
        command.env("HOME", self.home.path()).envs(self.store.environment.iter().map(|(name, value)| (name, value)));
        command.env_remove("XDG_STATE_HOME").env_remove("LIFEBOAT_STATE");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn said(&self, arguments: &[&str]) -> Output {
        self.lifeboat(arguments).output().unwrap()
    }

    fn status(&self) -> Value {
        let output = self.said(&["status", RUN, "--output", "json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)))
    }
}

/// A process that drives, whose events are read as they come.
struct Driver {
    child: Child,
    events: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Driver {
    fn start(mut command: Command) -> Self {
        let mut child = command.args(["--output", "json"]).spawn().unwrap();
        let events = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, events }
    }

    /// Reads on until an event of that type for that step; none at the end.
    fn until(&mut self, kind: &str, step: &str) -> Option<Value> {
        self.events.by_ref().map_while(Result::ok).find_map(|line| {
            let event = serde_json::from_str::<Value>(&line).unwrap()["event"].clone();
            (event["type"] == kind && (step.is_empty() || event["step"] == step)).then_some(event)
        })
    }

    fn story(mut self) -> (Option<i32>, String) {
        let mut story = String::new();
        std::io::Read::read_to_string(self.child.stderr.as_mut().unwrap(), &mut story).unwrap();
        (self.child.wait().unwrap().code(), story)
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// `lifeboat sim` with a site whose runs are kept in the store.
fn simulator(store: &Store) -> Simulator {
    let simulator = Simulator::start(SPEED, None);
    let path = simulator.path("site.yaml");
    let mut site = std::fs::read_to_string(&path).unwrap();
    if let Some(authority) = &store.authority {
        let named = site.lines().find_map(|line| line.strip_prefix("tls: ")).unwrap();
        let named: Value = serde_json::from_str(named).unwrap();
        let roots = simulator.path(named["ca_file"].as_str().unwrap());
        let both = std::fs::read_to_string(&roots).unwrap() + authority;
        std::fs::write(&roots, both).unwrap();
    }
    writeln!(site, "state: {}\nstate_credential: {}", store.state, store.credential).unwrap();
    std::fs::write(&path, site).unwrap();
    simulator
}

/// One process dies in the middle of the restore. What another one sees, and does, on a machine that has the site file.
fn a_run_goes_on_elsewhere(store: &Store) {
    let simulator = simulator(store);
    let (first, second, third) =
        (Machine::new(&simulator, store), Machine::new(&simulator, store), Machine::new(&simulator, store));
    let run = first.lifeboat(&["run", FLAGSHIP, "--mode", "unplanned", "--yes", "--run-id", RUN]);
    let mut driver = Driver::start(run);
    let Some(_) = driver.until("operation-accepted", "restore") else {
        panic!("the restore never began: {:?}", driver.story());
    };
    let driven = second.said(&["status", RUN]);
    assert!(text(&driven).contains("restore"), "{}", text(&driven));
    let refused = second.said(&["resume", RUN]);
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused));
    assert!(
        text(&refused).contains("is being driven by") && text(&refused).contains("last heard"),
        "{}",
        text(&refused)
    );
    // SIGKILL: no handler runs, and nobody says goodbye.
    driver.child.kill().unwrap();
    driver.child.wait().unwrap();

    let listed = second.said(&["runs"]);
    assert!(text(&listed).contains(RUN), "{}", text(&listed));
    let mut driver = Driver::start(second.lifeboat(&["resume", RUN, "--yes"]));
    let Some(_) = driver.until("step-started", "approve") else {
        panic!("nobody was asked: {:?}", driver.story());
    };
    // What this machine needs for a process that only looks: on a busy one that is most of it.
    let looking = Instant::now();
    third.status();
    let looked = looking.elapsed();
    let typed = Instant::now();
    let mut approved = third.lifeboat(&["approve", RUN, "approve", "--comment", "seen on the status page"]);
    let approved = approved.env("USER", "the-approver").output().unwrap();
    assert!(approved.status.success(), "{}", text(&approved));
    let answered = typed.elapsed();
    let seen = third.status();
    let approve = seen["steps"].as_array().unwrap().iter().find(|step| step["id"] == "approve").unwrap().clone();
    assert_eq!(approve["state"], "succeeded", "{approve}");
    assert!(answered < EFFECT + looked, "the approval took {answered:?}, and a look {looked:?}");

    let stopped = driver.until("run-stopped", "").unwrap_or_else(|| panic!("no end: {approve}"));
    while driver.until("nothing follows", "").is_some() {}
    let (code, story) = driver.story();
    // Recovered; whether within the objective is the machine's affair: the silence of the dead one is half of it here.
    assert_eq!(stopped["outcome"], "succeeded", "{story}");
    assert!(matches!(code, Some(0 | 7)), "{code:?}: {story}");
    assert_eq!(simulator.count("POST", "/restore?"), 1, "restore POSTs");
    assert_eq!(simulator.count("PUT", "/CNAME/api?"), 1, "record PUTs");
    let verified = third.said(&["verify", RUN]);
    assert!(verified.status.success(), "{}", text(&verified));
    // The commands that are printed find the run again.
    let brief = third.said(&["status", RUN, "--brief"]);
    let site = simulator.path("site.yaml").display().to_string();
    assert!(text(&third.said(&["status", RUN])).contains(&format!("--site {site}")), "{}", text(&brief));
    for machine in [&first, &second, &third] {
        assert_eq!(
            std::fs::read_dir(machine.home.path()).unwrap().count(),
            0,
            "something was kept outside of the store"
        );
    }
}

/// What the fence and the locks are made of.
async fn conditions_hold(store: &Arc<dyn ObjectStore>) {
    let (one, other) = (Path::from("conditions/a b+c/1.json"), Path::from("conditions/none.json"));
    let put = async |path: &Path, text: &'static str, mode: PutMode| {
        store.put_opts(path, PutPayload::from_static(text.as_bytes()), mode.into()).await
    };
    let first = put(&one, "first", PutMode::Create).await.unwrap();
    let again = put(&one, "second", PutMode::Create).await.unwrap_err();
    assert!(matches!(again, Error::AlreadyExists { .. }), "{again}");
    let read = store.get(&one).await.unwrap();
    let version = UpdateVersion { e_tag: read.meta.e_tag.clone(), version: read.meta.version.clone() };
    assert_eq!(version.e_tag, first.e_tag);
    assert_eq!(read.bytes().await.unwrap(), "first");
    put(&one, "third", PutMode::Update(version.clone())).await.unwrap();
    let stale = put(&one, "fourth", PutMode::Update(version)).await.unwrap_err();
    assert!(matches!(stale, Error::Precondition { .. }), "{stale}");
    assert_eq!(store.get(&one).await.unwrap().bytes().await.unwrap(), "third");
    let absent = store.get(&other).await.unwrap_err();
    assert!(matches!(absent, Error::NotFound { .. }), "{absent}");
    let listed = store.list_with_delimiter(Some(&Path::from("conditions"))).await.unwrap();
    assert_eq!((listed.objects.len(), listed.common_prefixes), (0, vec![Path::from("conditions/a b+c")]));
    // Of many who create one name at once, one succeeds.
    let mut racers = tokio::task::JoinSet::new();
    for racer in 0..8 {
        let (store, path) = (Arc::clone(store), Path::from("conditions/race.json"));
        racers.spawn(async move {
            store.put_opts(&path, PutPayload::from(vec![racer; 9]), PutMode::Create.into()).await.is_ok()
        });
    }
    assert_eq!(racers.join_all().await.into_iter().filter(|won| *won).count(), 1);
    store.delete(&one).await.unwrap();
    store.delete(&Path::from("conditions/race.json")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_azurite_goes_on_elsewhere() {
    let Some(azurite) = Azurite::start() else { return };
    azurite.make_container().await;
    let store = Store::of_azurite(&azurite);
    conditions_hold(&store.open(&store.state)).await;
    tokio::task::spawn_blocking(move || a_run_goes_on_elsewhere(&store)).await.unwrap();
    drop(azurite);
}

#[tokio::test(flavor = "multi_thread")]
async fn azurite_takes_the_sites_own_tokens() {
    let Some(azurite) = Azurite::start() else { return };
    azurite.make_container().await;
    let location = format!("{}/{}/{}/tokens", azurite.url, azurite::ACCOUNT, azurite::CONTAINER);
    let location = Location::parse(&location).unwrap();
    let token = |seconds| Environment::of([("TOKEN".to_owned(), azurite::token(seconds))]);
    let opened =
        |seconds| open(&location, Some(&StateCredential::Site), &access(azurite.http(), token(seconds))).unwrap();
    conditions_hold(&opened(3600)).await;
    let ended = opened(-60).list_with_delimiter(None).await.unwrap_err();
    assert!(matches!(listing_refused(&ended).map(|status| status.as_u16()), Some(401 | 403)), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_s3_goes_on_elsewhere() {
    let Some(moto) = Moto::start() else { return };
    let store = moto.store().await;
    conditions_hold(&store.open(&store.state)).await;
    tokio::task::spawn_blocking(move || a_run_goes_on_elsewhere(&store)).await.unwrap();
    drop(moto);
}
