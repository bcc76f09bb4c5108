//! One look at an operation: every answer that Azure, or something on the way, has been seen to give.

use lifeboat::azure::{AzureErrorKind, Operation, OperationState, RequestBody, operation::look};
use serde_json::json;

use super::{Site, service};
use crate::net::server::{Reaction, Server, answer, answer_with};

/// Azure's own form: the id is base64 and its `==` stands raw in the path.
const PATH: &str = "/subscriptions/0000/resourceGroups/dr-rg/providers/Microsoft.ApiManagement/service/apim-west/operationresults/ZWFzdDphcGltX1Jlc3RvcmVfYjk4Zg==?api-version=2024-05-01";

fn operation(url: &str) -> Operation {
    Operation { url: url.to_owned(), retry_after_s: None }
}

async fn seen(reaction: Reaction) -> Result<OperationState, AzureErrorKind> {
    let server = Server::script(vec![reaction]).await;
    let site = Site::at(&server);
    let state = look(&site.arm, &operation(&format!("{}{PATH}", server.url()))).await;
    assert_eq!(server.seen()[0].target, PATH, "verbatim");
    state.map_err(|error| error.kind)
}

fn failed(code: Option<&str>, message: &str) -> OperationState {
    OperationState::Failed { code: code.map(str::to_owned), message: message.to_owned() }
}

fn running(retry_after_s: Option<u64>) -> OperationState {
    OperationState::Running { retry_after_s }
}

#[tokio::test]
async fn the_body_decides_and_not_the_status() {
    let service =
        json!({"name": "apim-west", "properties": {"provisioningState": "Succeeded", "targetProvisioningState": ""}});
    let updating = json!({"name": "apim-west", "properties": {"provisioningState": "Updating"}});
    let monitor = json!({"status": "Succeeded", "id": "x"});
    let expired = r#"{"error":{"code":"RestoreFailed","message":"Cannot restore: backup expired"}}"#;
    let cases: Vec<(&str, Reaction, Result<OperationState, AzureErrorKind>)> = vec![
        ("202, empty", answer_with(202, &[("retry-after", "60")], ""), Ok(running(Some(60)))),
        ("202, an hour", answer_with(202, &[("retry-after", "3600")], ""), Ok(running(Some(300)))),
        ("202, no cadence", answer(202, ""), Ok(running(None))),
        ("202 with a broken body", answer(202, "{"), Ok(running(None))),
        ("202 that says failed", answer(202, r#"{"status":"Failed"}"#), Ok(failed(None, "Azure says only `Failed`"))),
        ("202 with the service", answer(202, service.to_string()), Ok(running(None))),
        (
            "200 in progress",
            answer_with(200, &[("retry-after", "5")], r#"{"status":"InProgress"}"#),
            Ok(running(Some(5))),
        ),
        ("200 in new words", answer(200, r#"{"status":"Pondering"}"#), Ok(running(None))),
        ("200 succeeded", answer(200, monitor.to_string()), Ok(OperationState::Succeeded(monitor))),
        (
            "200 failed",
            answer(
                200,
                r#"{"status":"Failed","error":{"code":"RestoreFailed","message":"Cannot restore: backup expired"}}"#,
            ),
            Ok(failed(Some("RestoreFailed"), "Cannot restore: backup expired")),
        ),
        ("200 canceled", answer(200, r#"{"status":"Canceled"}"#), Ok(failed(None, "Azure says only `Canceled`"))),
        ("200 cancelled", answer(200, r#"{"status":"cancelled"}"#), Ok(failed(None, "Azure says only `cancelled`"))),
        ("200, the service", answer(200, service.to_string()), Ok(OperationState::Succeeded(service))),
        ("200, the service at work", answer(200, updating.to_string()), Ok(running(None))),
        (
            "200, the service failed",
            answer(200, r#"{"properties":{"provisioningState":"Failed"}}"#),
            Ok(failed(None, "Azure says only `Failed`")),
        ),
        ("200, empty", answer(200, ""), Ok(OperationState::Lost)),
        ("200, nothing said", answer(200, "{}"), Ok(OperationState::Lost)),
        ("204", answer(204, ""), Ok(OperationState::Lost)),
        ("200, broken", answer(200, r#"{"status":"#), Err(AzureErrorKind::Malformed)),
        (
            "400 of the operation",
            answer(400, expired),
            Ok(failed(Some("RestoreFailed"), "Cannot restore: backup expired")),
        ),
        ("409 of the operation", answer(409, r#"{"error":{"code":"X","message":"y"}}"#), Ok(failed(Some("X"), "y"))),
        ("400 without a word", answer(400, ""), Err(AzureErrorKind::Rejected)),
        (
            "400 of the front door",
            answer_with(
                400,
                &[("x-ms-failure-cause", "gateway")],
                r#"{"error":{"code":"InvalidApiVersionParameter","message":"y"}}"#,
            ),
            Err(AzureErrorKind::Rejected),
        ),
        (
            "409 in transition",
            answer(
                409,
                r#"{"error":{"code":"ServiceLocked","message":"The API Service x is transitioning at this time."}}"#,
            ),
            Ok(running(None)),
        ),
        ("404", answer(404, r#"{"error":{"code":"ResourceNotFound","message":"y"}}"#), Ok(OperationState::Lost)),
        ("410", answer(410, ""), Ok(OperationState::Lost)),
        ("401", answer(401, ""), Err(AzureErrorKind::Unauthorized)),
        (
            "403",
            answer(403, r#"{"error":{"code":"AuthorizationFailed","message":"y"}}"#),
            Err(AzureErrorKind::Forbidden),
        ),
        ("429 for ever", answer(429, ""), Err(AzureErrorKind::Throttled)),
        ("500 for ever", answer(500, ""), Err(AzureErrorKind::Unavailable)),
        ("503 for ever", answer(503, expired), Err(AzureErrorKind::Unavailable)),
        ("reset for ever", Reaction::Reset, Err(AzureErrorKind::Transport)),
    ];
    for (name, reaction, expected) in cases {
        assert_eq!(seen(reaction).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_relative_url_is_the_resource_managers() {
    let server = Server::script(vec![answer(202, "")]).await;
    let site = Site::at(&server);
    assert_eq!(look(&site.arm, &operation(PATH)).await.unwrap(), OperationState::Running { retry_after_s: None });
    assert_eq!(server.seen()[0].target, PATH);
}

#[tokio::test]
async fn a_foreign_url_is_never_followed() {
    let foreign = Server::script(vec![answer(200, r#"{"status":"Succeeded"}"#)]).await;
    let own = Server::script(vec![answer(200, r#"{"status":"Succeeded"}"#)]).await;
    let site = Site::at(&own);
    for url in [format!("{}{PATH}", foreign.url()), format!("//{}{PATH}", foreign.address), "http://[".to_owned()] {
        assert_eq!(look(&site.arm, &operation(&url)).await.unwrap(), OperationState::Lost, "{url}");
    }
    assert_eq!((foreign.accepted(), own.accepted(), site.notices().len()), (0, 0, 3));
}

#[tokio::test]
async fn the_answer_to_a_post_says_where_its_operation_is() {
    let both = [("location", "https://x/l"), ("azure-asyncoperation", "https://x/a"), ("retry-after", "60")];
    let cases = [
        (answer_with(202, &both, ""), Some(("https://x/a", Some(60)))),
        (answer_with(202, &both[..1], ""), Some(("https://x/l", None))),
        (answer_with(202, &[("location", " ")], ""), None),
        (answer(202, ""), None),
    ];
    for (reaction, expected) in cases {
        let server = Server::script(vec![reaction]).await;
        let site = Site::at(&server);
        let url = site.arm.url(&service(), "/restore", "2024-05-01");
        let reply = site.arm.post_once(url, RequestBody::empty()).await.unwrap();
        let operation = Operation::from_reply(&reply);
        let expected = expected.map(|(url, retry_after_s)| Operation { url: url.to_owned(), retry_after_s });
        assert_eq!(operation, expected);
    }
}
