//! Answers to a look at an operation. An input is an answer as curl shows it: a status line, headers, an empty line, a
//! body; what stands there but cannot be sent is left out.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lifeboat::{
    azure::{Arm, AzureErrorKind, Environment, Operation, OperationState, Reply, TokenSource, operation::judge},
    clock::Clock,
    net::{Http, HttpResponse},
    sim::{Scenario, World},
    site::{Cloud, Credential, Endpoints},
};
use serde_json::Value;
use url::Url;

/// No answer makes anybody wait longer for the next look.
const LONGEST_WAIT_S: u64 = 300;

/// Lends its clock and its words; nothing is ever asked of it.
static ARM: LazyLock<Arm> = LazyLock::new(|| {
    let clock = Clock::Wall;
    let http = Http::Simulated(World::new(Scenario::default(), clock.clone()));
    let endpoints = Endpoints::preset(Cloud::Public).expect("the public cloud has endpoints");
    let tokens = TokenSource::new(&Credential::Simulated, &endpoints, http.clone(), Environment::of([]));
    Arm::new(http, &endpoints, Arc::new(tokens), clock).expect("the preset is a URL")
});

pub fn hold(bytes: &[u8]) {
    let response = response(bytes);
    let url = Url::parse("https://management.azure.com/providers/Microsoft.ApiManagement/operationresults/x")
        .expect("written so");
    let reply = Reply {
        status: response.status,
        headers: response.headers.clone(),
        body: Value::Null,
        request_id: None,
        correlation_id: None,
        retry_after_s: Some(1),
        repeated_unknown: false,
    };
    if let Some(operation) = Operation::from_reply(&reply) {
        assert!(!operation.url.trim().is_empty());
        let written = serde_json::to_string(&operation).expect("it has text keys");
        assert_eq!(serde_json::from_str::<Operation>(&written).expect("written so"), operation);
    }
    match judge(&ARM, &url, &response) {
        Ok(OperationState::Running { retry_after_s }) => {
            assert!(retry_after_s.is_none_or(|wait| wait <= LONGEST_WAIT_S), "{retry_after_s:?}");
        }
        Ok(OperationState::Succeeded(body)) => {
            assert!(response.status.is_success(), "no answer of another class is a success: {}", response.status);
            let status = body.get("status").and_then(Value::as_str);
            let said = status.or_else(|| body.pointer("/properties/provisioningState").and_then(Value::as_str));
            let succeeded = said.is_some_and(|said| said.eq_ignore_ascii_case("succeeded"));
            assert!(succeeded, "success without a word of it: {body}");
        }
        Ok(OperationState::Failed { message, .. }) => assert!(!message.trim().is_empty()),
        Ok(OperationState::Lost) => {}
        Err(error) => {
            assert!(!error.message.trim().is_empty());
            assert!(error.kind != AzureErrorKind::NotFound, "that is a lost operation: {error}");
        }
    }
}

fn response(bytes: &[u8]) -> HttpResponse {
    let (head, body) = match bytes.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&bytes[..at], &bytes[at + 2..]),
        None => (bytes, &[][..]),
    };
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split_whitespace().find_map(|word| word.parse().ok()));
    let headers: HeaderMap = lines
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((HeaderName::try_from(name).ok()?, HeaderValue::from_str(value.trim()).ok()?))
        })
        .collect();
    HttpResponse {
        status: status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK),
        headers,
        body: Bytes::copy_from_slice(body),
        certificate: None,
    }
}
