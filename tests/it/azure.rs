//! The Azure clients against real sockets: what is repeated and what never, where tokens go, what answers mean.

mod assertions;
mod blobs;
mod chain;
mod clients;
mod clouds;
mod credential;
mod key_vault;
mod operation;
mod repeats;
mod tokens;

use std::sync::{Arc, Mutex};

use lifeboat::{
    azure::{Arm, Environment, Notice, TokenSource},
    clock::Clock,
    net::Http,
    runbook::ResourceId,
    site::{Credential, Endpoints, SecretReference},
};

use crate::net::{authority::Authority, server::Server, transport};

const SERVICE: &str = "/subscriptions/0000/resourceGroups/dr-rg/providers/Microsoft.ApiManagement/service/apim-west";

/// Five minutes of waiting take 30 ms.
const SPEED: f64 = 10_000.0;

fn endpoints(base: &str) -> Endpoints {
    Endpoints {
        resource_manager: base.to_owned(),
        scope: "https://management.azure.com/.default".to_owned(),
        authority: "https://127.0.0.1:1".to_owned(),
        blob: format!("{base}/{{account}}"),
        key_vault: format!("{base}/{{vault}}"),
    }
}

/// A resource manager at a server, with the ready token `t0ken`, and all that it said while it waited.
struct Site {
    arm: Arm,
    clock: Clock,
    endpoints: Endpoints,
    notices: Arc<Mutex<Vec<Notice>>>,
}

impl Site {
    fn at(server: &Server) -> Self {
        Self::with(&server.url(), http(), ready("t0ken"))
    }

    fn with(base: &str, http: Http, (credential, environment): (Credential, Environment)) -> Self {
        let clock = Clock::scaled(SPEED);
        let endpoints = endpoints(base);
        let tokens = Arc::new(TokenSource::new(&credential, &endpoints, http.clone(), environment));
        let notices = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&notices);
        let arm = Arm::new(http, &endpoints, tokens, clock.clone()).unwrap();
        let arm = arm.noting(Arc::new(move |notice| log.lock().unwrap().push(notice)));
        Self { arm, clock, endpoints, notices }
    }

    fn notices(&self) -> Vec<Notice> {
        self.notices.lock().unwrap().clone()
    }
}

fn http() -> Http {
    // Any root will do: a machine without roots of its own has none to trust.
    transport(&[&Authority::new().pem], vec![])
}

fn ready(token: &str) -> (Credential, Environment) {
    let environment = Environment::of([("TOKEN".to_owned(), token.to_owned())]);
    (Credential::Token(SecretReference::Env("TOKEN".to_owned())), environment)
}

fn service() -> ResourceId {
    ResourceId::parse(SERVICE).unwrap()
}
