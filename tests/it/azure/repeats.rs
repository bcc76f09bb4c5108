//! What is sent again, and what never is.

use lifeboat::{
    azure::{AzureErrorKind, RequestBody},
    net::Delivery,
};
use serde_json::json;
use tokio::net::TcpListener;
use url::Url;

use super::{Site, http, ready, service};
use crate::net::{
    authority::Authority,
    server::{Reaction, Server, answer, answer_with},
};

const VERSION: &str = "2024-05-01";

fn restore(site: &Site) -> Url {
    site.arm.url(&service(), "/restore", VERSION)
}

fn read(site: &Site) -> Url {
    site.arm.url(&service(), "", VERSION)
}

#[tokio::test]
async fn a_post_that_may_have_arrived_is_never_sent_again() {
    for reaction in [
        Reaction::Reset,
        Reaction::Cut,
        answer(408, ""),
        answer(500, ""),
        answer(502, "<html>"),
        answer_with(503, &[("retry-after", "1")], ""),
        answer(504, ""),
    ] {
        let server = Server::script(vec![reaction.clone(), answer(202, "")]).await;
        let site = Site::at(&server);
        let error = site.arm.post_once(restore(&site), RequestBody::empty()).await.unwrap_err();
        assert_eq!((server.seen().len(), server.accepted()), (1, 1), "{reaction:?}");
        assert_eq!(error.delivery, Delivery::Unknown, "{reaction:?}: {error}");
        assert!(matches!(error.kind, AzureErrorKind::Transport | AzureErrorKind::Unavailable), "{error}");
        assert_eq!(site.notices(), [], "nothing was waited for");
    }
}

#[tokio::test]
async fn a_put_without_an_etag_is_never_sent_again() {
    let server = Server::script(vec![Reaction::Reset, answer(200, "{}")]).await;
    let site = Site::at(&server);
    let error = site.arm.put(read(&site), &json!({}), None).await.unwrap_err();
    assert_eq!((server.seen().len(), error.delivery), (1, Delivery::Unknown));
}

#[tokio::test]
async fn a_post_that_was_refused_is_final_and_had_no_effect() {
    for status in [400, 403, 404, 409, 412] {
        let server = Server::script(vec![answer(status, r#"{"error":{"code":"X","message":"no"}}"#)]).await;
        let site = Site::at(&server);
        let error = site.arm.post_once(restore(&site), RequestBody::empty()).await.unwrap_err();
        assert_eq!((error.status, error.delivery, server.seen().len()), (Some(status), Delivery::NotSent, 1));
    }
}

#[tokio::test]
async fn a_post_whose_connection_failed_is_repeated_and_given_up_as_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let site = Site::with(&format!("http://{address}"), http(), ready("t"));
    let error = site.arm.post_once(restore(&site), RequestBody::empty()).await.unwrap_err();
    assert_eq!((error.kind, error.delivery), (AzureErrorKind::Transport, Delivery::NotSent));
    assert_eq!(site.notices().len(), 8, "bounded");
    assert!(error.hint.unwrap().contains("HTTPS_PROXY"));
}

#[tokio::test]
async fn a_throttled_post_waits_as_asked_and_is_sent_again() {
    for (name, value, seconds) in
        [("retry-after", "17", "17"), ("retry-after-ms", "4000", "4"), ("x-ms-retry-after-ms", "9000", "9")]
    {
        let throttled = answer_with(429, &[(name, value)], "");
        let server = Server::script(vec![throttled, answer(202, "")]).await;
        let site = Site::at(&server);
        site.arm.post_once(restore(&site), RequestBody::json(&json!({"a": 1}))).await.unwrap();
        let seen = server.seen();
        assert_eq!((seen.len(), seen[1].body.as_str()), (2, r#"{"a":1}"#));
        let notices = site.notices();
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].message, format!("Azure is throttling; trying again in {seconds} s"));
        assert!(notices[0].until.unwrap() <= site.clock.now(), "it waited until then");
    }
}

#[tokio::test]
async fn a_long_retry_after_is_capped_and_said() {
    let server = Server::script(vec![answer_with(429, &[("retry-after", "3600")], ""), answer(200, "{}")]).await;
    let site = Site::at(&server);
    let before = site.clock.now();
    site.arm.get(read(&site)).await.unwrap();
    let notices = site.notices();
    assert_eq!(notices[0].message, "Azure is throttling and asks for 3600 s; trying again in 300 s");
    let waited = notices[0].until.unwrap().duration_since(before).as_secs();
    assert!((300..3600).contains(&waited), "{waited} s");
}

#[tokio::test]
async fn endless_throttling_ends() {
    let server = Server::script(vec![answer_with(
        429,
        &[("retry-after", "300"), ("x-ms-request-id", "r-1")],
        r#"{"error":{"code":"TooManyRequests","message":"slow down"}}"#,
    )])
    .await;
    let site = Site::at(&server);
    let error = site.arm.post_once(restore(&site), RequestBody::empty()).await.unwrap_err();
    assert_eq!((error.kind, error.delivery), (AzureErrorKind::Throttled, Delivery::NotSent));
    assert_eq!((error.code.as_deref(), error.request_id.as_deref()), (Some("TooManyRequests"), Some("r-1")));
    assert_eq!(server.seen().len(), 4, "the first, and three waits of five minutes");
}

#[tokio::test]
async fn reads_and_guarded_puts_outlive_what_passes() {
    for trouble in [
        Reaction::Reset,
        Reaction::Cut,
        answer(408, ""),
        answer(500, ""),
        answer(502, ""),
        answer_with(503, &[("retry-after", "30")], ""),
        answer(504, ""),
        answer(429, ""),
    ] {
        let server = Server::script(vec![trouble.clone(), trouble.clone(), answer(200, r#"{"a":1}"#)]).await;
        let site = Site::at(&server);
        assert_eq!(site.arm.get(read(&site)).await.unwrap().body, json!({"a": 1}), "{trouble:?}");
        assert_eq!((server.seen().len(), site.notices().len()), (3, 2), "{trouble:?}");

        let server = Server::script(vec![trouble.clone(), answer(200, "{}")]).await;
        let site = Site::at(&server);
        let reply = site.arm.put(read(&site), &json!({"b": 2}), Some("e-1")).await.unwrap();
        let unknown = !matches!(trouble, Reaction::Answer(429, ..));
        assert_eq!(reply.repeated_unknown, unknown, "{trouble:?}");
        let seen = server.seen();
        assert_eq!((seen.len(), seen[1].header("if-match"), seen[1].body.as_str()), (2, "e-1", r#"{"b":2}"#));
    }
}

#[tokio::test]
async fn a_412_after_an_unknown_outcome_says_that_it_may_be_our_own() {
    let stale = answer(412, r#"{"code":"PreconditionFailed","message":"the ETag does not match"}"#);
    for (script, unknown, delivery) in [
        (vec![stale.clone()], false, Delivery::NotSent),
        (vec![Reaction::Reset, stale.clone()], true, Delivery::Unknown),
        (vec![answer(500, ""), stale], true, Delivery::Unknown),
    ] {
        let server = Server::script(script).await;
        let site = Site::at(&server);
        let error = site.arm.put(read(&site), &json!({}), Some("e-1")).await.unwrap_err();
        assert_eq!(error.kind, AzureErrorKind::PreconditionFailed);
        assert_eq!((error.repeated_unknown, error.delivery), (unknown, delivery));
    }
}

#[tokio::test]
async fn an_outage_ends_a_read_after_a_bounded_number_of_repeats() {
    for (reaction, kind) in
        [(answer(503, ""), AzureErrorKind::Unavailable), (Reaction::Reset, AzureErrorKind::Transport)]
    {
        let server = Server::script(vec![reaction]).await;
        let site = Site::at(&server);
        let error = site.arm.get(read(&site)).await.unwrap_err();
        assert_eq!((error.kind, error.delivery), (kind, Delivery::NotSent), "a read has no effect");
        assert_eq!(server.seen().len(), 9);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_final() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = Server::start_tls(theirs.acceptor(&["127.0.0.1"]), |_, _| answer(200, "{}")).await;
    let site = Site::with(&server.https(), crate::net::transport(&[&ours.pem], vec![]), ready("t0ken"));
    let error = site.arm.get(read(&site)).await.unwrap_err();
    assert_eq!(error.kind, AzureErrorKind::Certificate, "{error}");
    assert!(error.hint.unwrap().contains("ca_file"));
    assert_eq!((server.accepted(), server.seen().len(), site.notices().len()), (1, 0, 0));
}

#[tokio::test]
async fn broken_json_is_no_success_but_an_accepted_operation_is() {
    let server = Server::script(vec![answer(200, r#"{"name": "#)]).await;
    let site = Site::at(&server);
    let error = site.arm.get(read(&site)).await.unwrap_err();
    assert_eq!((error.kind, error.delivery), (AzureErrorKind::Malformed, Delivery::NotSent), "{error}");
    let error = site.arm.post_once(restore(&site), RequestBody::empty()).await.unwrap_err();
    assert_eq!((error.kind, error.delivery), (AzureErrorKind::Malformed, Delivery::Unknown), "{error}");

    let server = Server::script(vec![answer_with(202, &[("location", "/op")], "<accepted/>")]).await;
    let site = Site::at(&server);
    let reply = site.arm.post_once(restore(&site), RequestBody::empty()).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.body), (202, serde_json::Value::Null));
}

#[tokio::test]
async fn an_error_says_what_azure_said_and_what_to_do() {
    let body = r#"{"error":{"code":"AuthorizationFailed","message":"The client 'c' does not have authorization to perform action 'Microsoft.ApiManagement/service/read' over scope '/subscriptions/0000'."}}"#;
    let headers = [("x-ms-request-id", "r-7"), ("x-ms-correlation-request-id", "c-7")];
    let server = Server::script(vec![answer_with(403, &headers, body)]).await;
    let site = Site::at(&server);
    let error = site.arm.get(read(&site)).await.unwrap_err();
    assert_eq!(
        error.message,
        "the resource manager answered 403 AuthorizationFailed to GET Microsoft.ApiManagement/service/apim-west: \
         The client 'c' does not have authorization to perform action 'Microsoft.ApiManagement/service/read' over \
         scope '/subscriptions/0000'."
    );
    assert_eq!(
        error.hint.unwrap(),
        "grant the permission `Microsoft.ApiManagement/service/read` on /subscriptions/0000, for example with the \
         role `API Management Service Reader Role`; a new role takes a few minutes to hold"
    );
    assert_eq!((error.request_id.as_deref(), error.correlation_id.as_deref()), (Some("r-7"), Some("c-7")));
}
