//! Runs that are gone on with: from a directory, and from an object store with a network in between.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use lifeboat::{
    azure::{Environment, TokenSource},
    clock::Clock,
    net::{Dns, Http, HttpOptions, RealDns, RealHttp},
    run::{Person, RunId, lease::Holder},
    shared_state::{self, Access},
    site::{Cloud, Credential, Endpoints, Location, SecretReference},
    store::Store,
};
use tokio::runtime::Runtime;

use crate::{blob_server::BlobServer, figure::median, runbook, stage::Stage};

const RUN: &str = "bench";

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Each claims for itself.
fn holder() -> Holder {
    static CLAIMS: AtomicU64 = AtomicU64::new(0);
    let nonce = format!("bench{}", CLAIMS.fetch_add(1, Ordering::Relaxed));
    let by = Person { name: "bench".into(), host: "here".into(), ..Person::default() };
    Holder { by, pid: std::process::id(), since: Clock::Wall.now(), nonce }
}

/// A run in a directory whose journal has at least so many events.
pub struct Kept {
    directory: tempfile::TempDir,
    pub events: usize,
    pub bytes: u64,
}

impl Kept {
    /// Of a chain of steps, each of which is two events.
    pub fn of(events: u32) -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let runtime = runtime();
        let claim = runtime.block_on(store(directory.path()).begin(&RunId(RUN.into()), &holder())).unwrap();
        let journal = runtime.block_on(claim.journal(None)).unwrap();
        Stage::new(&runbook::chain(events / 2)).drive(|| journal);
        runtime.block_on(claim.leave());
        let text = std::fs::read_to_string(journal_path(directory.path())).unwrap();
        let count = text.lines().count();
        assert!(count >= events as usize, "{count} events");
        Self { directory, events: count, bytes: text.len() as u64 }
    }

    /// What `lifeboat resume` does before it decides anything: claims the run, reads, checks and folds the journal, and
    /// opens it.
    pub fn resumed_from_directory(&self) -> Duration {
        let runtime = runtime();
        median(|| resume(&runtime, &store(self.directory.path())))
    }

    /// What the machine needs to read the file and hash it once, which is its limit.
    pub fn read_and_hashed(&self) -> Duration {
        use sha2::Digest;
        let path = journal_path(self.directory.path());
        median(|| {
            let begin = Instant::now();
            let text = std::fs::read(&path).unwrap();
            std::hint::black_box(sha2::Sha256::digest(&text));
            begin.elapsed()
        })
    }

    /// The same run in an object store.
    pub fn resumed_from_objects(&self, server: &BlobServer) -> Duration {
        let text = std::fs::read_to_string(journal_path(self.directory.path())).unwrap();
        for (number, line) in text.split_inclusive('\n').enumerate() {
            server.keep(&format!("runs/{RUN}/journal/{number:010}.json"), line.to_owned().into());
        }
        let runtime = runtime();
        median(|| resume(&runtime, &shared(server)))
    }
}

fn store(root: &Path) -> Store {
    Store::directory(root.to_owned(), Clock::Wall)
}

fn journal_path(root: &Path) -> std::path::PathBuf {
    root.join("runs").join(RUN).join("journal.jsonl")
}

fn resume(runtime: &Runtime, store: &Store) -> Duration {
    let begin = Instant::now();
    let claim = runtime.block_on(async {
        let kept = store.open(RUN).await.unwrap();
        let claim = kept.claim(&holder(), false).await.unwrap();
        let (state, loaded) = kept.load().await.unwrap();
        let journal = claim.journal(Some(&loaded)).await.unwrap();
        std::hint::black_box((state, journal));
        claim
    });
    let took = begin.elapsed();
    runtime.block_on(claim.leave());
    took
}

/// Opened as the command line opens it, with a ready token.
fn shared(server: &BlobServer) -> Store {
    let environment = Environment::of([("TOKEN".to_owned(), "bench".to_owned())]);
    let http = Http::Real(RealHttp::new(HttpOptions::new(Dns::Real(RealDns::new(Vec::new()).unwrap()))).unwrap());
    let endpoints = Endpoints::preset(Cloud::Public).unwrap();
    let credential = Credential::Token(SecretReference::Env("TOKEN".to_owned()));
    let tokens = Arc::new(TokenSource::new(&credential, &endpoints, http.clone(), environment.clone()));
    let access = Access { http, tokens, blob_endpoint: endpoints.blob, environment };
    let location = Location::parse(&server.state()).unwrap();
    let objects = shared_state::open(&location, None, &access).unwrap();
    Store::objects(objects, location.prefix(), location.to_string(), Clock::Wall)
}

/// A run that is driven in an object store.
pub struct Driven {
    pub events: u64,
    /// Of the drive: records, heartbeats, looks for requests of other terminals.
    pub requests: u64,
    pub took: Duration,
}

pub fn driven(server: &BlobServer, steps: u32) -> Driven {
    let stage = Stage::new(&runbook::chain(steps));
    let runtime = runtime();
    let store = shared(server);
    let claim = Arc::new(runtime.block_on(store.begin(&RunId("driven".into()), &holder())).unwrap());
    let journal = runtime.block_on(claim.journal(None)).unwrap();
    let (sender, directives) = tokio::sync::mpsc::channel(1);
    let before = server.requests();
    let attendance = runtime.block_on(async { claim.attend(sender) });
    let (took, _journal) = stage.drive(|| journal);
    let requests = server.requests() - before;
    drop(directives);
    runtime.block_on(attendance.end());
    let kept = runtime.block_on(store.open("driven")).unwrap();
    let (_, loaded) = runtime.block_on(kept.load()).unwrap();
    Driven { events: loaded.records.len() as u64, requests, took }
}
