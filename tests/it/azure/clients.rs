//! Wire shapes: what Azure sends is read, what Azure expects is sent. Fixtures follow Microsoft's specification and recordings.

use std::collections::BTreeMap;

use lifeboat::{
    azure::{
        AzureErrorKind,
        apim::{self, BackupRestoreRequest, StorageAccess},
        apim_content,
        dns::{self, CnameRecord},
        health, storage,
    },
    runbook::ResourceId,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Site, service};
use crate::net::server::{Server, answer, answer_with};

/// A live service is full of explicit nulls.
const LIVE: &str = r#"{"id":"/subscriptions/0000/x","name":"apim-west","type":"Microsoft.ApiManagement/service","tags":{},
"location":"West Europe","etag":"AAAAAAAwYqY=","sku":{"name":"Premium","capacity":2},
"identity":{"type":"SystemAssigned, UserAssigned","principalId":"p","tenantId":"t","userAssignedIdentities":{"/id/u":{"principalId":"q","clientId":"c"}}},
"properties":{"publisherEmail":"a@b.c","provisioningState":"Succeeded","targetProvisioningState":"","gatewayUrl":"https://APIM-west.azure-api.net",
"gatewayRegionalUrl":"https://apim-west-westeurope-01.regional.azure-api.net","portalUrl":null,"publicIPAddresses":["20.0.0.1"],
"hostnameConfigurations":[{"type":"Portal","hostName":"p.contoso.com"},{"type":"Proxy","hostName":"api.contoso.com","keyVaultId":null,"defaultSslBinding":true,
"negotiateClientCertificate":false,"certificate":{"expiry":"2027-01-01T00:00:00+00:00","thumbprint":"AB12","subject":"CN=api.contoso.com"},"certificateSource":"Custom","certificateStatus":null}],
"additionalLocations":null,"virtualNetworkType":"None","customProperties":{"a":"True"},"certificates":null,"platformVersion":"stv2","apiVersionConstraint":{"minApiVersion":null},"privateEndpointConnections":null}}"#;

fn id(text: &str) -> ResourceId {
    ResourceId::parse(text).unwrap()
}

fn zone() -> ResourceId {
    id("/subscriptions/0000/resourceGroups/dns-rg/providers/Microsoft.Network/dnszones/contoso.com")
}

fn account() -> ResourceId {
    id("/subscriptions/0000/resourceGroups/dr-rg/providers/Microsoft.Storage/storageAccounts/stdr")
}

#[tokio::test]
async fn a_service_with_nulls_is_read() {
    let server = Server::script(vec![answer(200, LIVE)]).await;
    let site = Site::at(&server);
    let service = apim::get_service(&site.arm, &service()).await.unwrap();
    assert_eq!((service.tier(), service.etag(), service.is_idle()), (Some("Premium"), Some("AAAAAAAwYqY="), true));
    assert_eq!(service.gateway_host().as_deref(), Some("apim-west.azure-api.net"));
    let gateways = service.gateway_hostnames();
    assert_eq!(gateways.len(), 1);
    assert_eq!(gateways[0].host_name.as_deref(), Some("api.contoso.com"));
    assert_eq!(gateways[0].certificate.as_ref().unwrap().thumbprint.as_deref(), Some("AB12"));
    let identity = service.identity.unwrap();
    assert_eq!(identity.user_assigned_identities.unwrap()["/id/u"].as_ref().unwrap().client_id.as_deref(), Some("c"));
    let properties = service.properties.unwrap();
    assert_eq!(properties.public_ip_addresses.unwrap(), ["20.0.0.1"]);
}

#[tokio::test]
async fn a_service_is_idle_only_when_nothing_aims_elsewhere() {
    for (state, target, idle) in [
        (json!("Succeeded"), json!(""), true),
        (json!("Succeeded"), json!(null), true),
        (json!("Succeeded"), json!("Updating"), false),
        (json!("Updating"), json!("Updating"), false),
        (json!("Activating"), json!(null), false),
        (json!("Failed"), json!(""), true),
        (json!(null), json!(null), false),
    ] {
        let body = json!({"properties": {"provisioningState": state, "targetProvisioningState": target}});
        let server = Server::script(vec![answer(200, body.to_string())]).await;
        let found = apim::get_service(&Site::at(&server).arm, &service()).await.unwrap();
        assert_eq!(found.is_idle(), idle, "{body}");
    }
}

#[tokio::test]
async fn a_restore_is_sent_as_azure_expects_it_and_shown_without_its_key() {
    let cases = [
        (
            StorageAccess::AccessKey("k3y==".to_owned().into()),
            json!({"accessType": "AccessKey", "accessKey": "k3y=="}),
            json!({"accessType": "AccessKey", "accessKey": "***"}),
        ),
        (
            StorageAccess::SystemAssigned,
            json!({"accessType": "SystemAssignedManagedIdentity"}),
            json!({"accessType": "SystemAssignedManagedIdentity"}),
        ),
        (
            StorageAccess::UserAssigned { client_id: "c-1".to_owned() },
            json!({"accessType": "UserAssignedManagedIdentity", "clientId": "c-1"}),
            json!({"accessType": "UserAssignedManagedIdentity", "clientId": "c-1"}),
        ),
    ];
    for (access, sent, shown) in cases {
        let with_place = |mut body: Value| {
            body["storageAccount"] = json!("stdr");
            body["containerName"] = json!("apim-backups");
            body["backupName"] = json!("apim-east-1");
            body
        };
        let headers = [("location", "https://m/op"), ("retry-after", "60"), ("x-ms-request-id", "r")];
        let server = Server::script(vec![answer_with(202, &headers, "")]).await;
        let site = Site::at(&server);
        let request = BackupRestoreRequest {
            storage_account: "stdr".to_owned(),
            container: "apim-backups".to_owned(),
            backup_name: "apim-east-1".to_owned(),
            access,
        };
        assert_eq!(request.masked(), with_place(shown));
        assert!(!format!("{request:?}").contains("k3y"));
        let accepted = apim::restore(&site.arm, &service(), &request).await.unwrap();
        let operation = accepted.operation.unwrap();
        assert_eq!((operation.url.as_str(), operation.retry_after_s), ("https://m/op", Some(60)));
        assert_eq!(accepted.request_id.as_deref(), Some("r"));
        let seen = &server.seen()[0];
        assert_eq!(seen.method, "POST");
        assert_eq!(seen.target, format!("{}/restore?api-version=2024-05-01", super::SERVICE));
        assert_eq!(seen.header("content-type"), "application/json");
        assert_eq!(serde_json::from_str::<Value>(&seen.body).unwrap(), with_place(sent));
    }
}

#[tokio::test]
async fn workspaces_are_listed_over_pages_and_missing_where_the_tier_has_none() {
    let server = Server::start(|number, seen| match number {
        0 => {
            let next = format!("http://{}{}&$skip=1", seen.header("host"), seen.target);
            answer(200, json!({"value": [{"name": "a"}], "nextLink": next}).to_string())
        }
        _ => answer(200, r#"{"value":[{"name":"b"}],"nextLink":""}"#),
    })
    .await;
    assert_eq!(apim_content::list_workspaces(&Site::at(&server).arm, &service()).await.unwrap(), ["a", "b"]);
    let body = r#"{"error":{"code":"MethodNotAllowedInPricingTier","message":"Method not allowed in Developer pricing tier"}}"#;
    let server = Server::script(vec![answer(400, body)]).await;
    assert!(apim_content::list_workspaces(&Site::at(&server).arm, &service()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_list_is_followed_on_its_own_origin_and_to_its_end_only() {
    let elsewhere = r#"{"value":[],"nextLink":"https://elsewhere.test/x"}"#;
    let server = Server::script(vec![answer(200, elsewhere)]).await;
    let error = apim_content::list_workspaces(&Site::at(&server).arm, &service()).await.unwrap_err();
    assert!(error.message.contains("nothing was sent to elsewhere.test"), "{error}");
    assert_eq!(server.seen().len(), 1);

    let same = format!("{}/workspaces?api-version=2024-05-01", super::SERVICE);
    let server = Server::script(vec![answer(200, json!({ "nextLink": same }).to_string())]).await;
    let error = apim_content::list_workspaces(&Site::at(&server).arm, &service()).await.unwrap_err();
    assert!(error.message.contains("is the same page"), "{error}");

    let server = Server::start(|number, _| answer(200, json!({ "nextLink": format!("/{number}") }).to_string())).await;
    let error = apim_content::list_workspaces(&Site::at(&server).arm, &service()).await.unwrap_err();
    assert!(error.message.contains("has more than 500 pages"), "{error}");
    assert_eq!(server.seen().len(), 500);
}

#[tokio::test]
async fn resource_health_is_read() {
    let body = r#"{"name":"current","properties":{"availabilityState":"Unavailable","summary":"We're sorry","reasonType":"Unplanned","detailedStatus":"x","occuredTime":"2026-11-20T10:00:00Z","reportedTime":"2026-11-20T10:05:00Z"}}"#;
    let server = Server::script(vec![answer(200, body)]).await;
    let found = health::availability(&Site::at(&server).arm, &service()).await.unwrap();
    assert_eq!((found.state.as_deref(), found.reason.as_deref()), (Some("Unavailable"), Some("Unplanned")));
    assert_eq!(found.occurred_at.as_deref(), Some("2026-11-20T10:00:00Z"));
    assert_eq!(
        server.seen()[0].target,
        format!(
            "{}/providers/Microsoft.ResourceHealth/availabilityStatuses/current?api-version=2024-02-01",
            super::SERVICE
        )
    );
}

const RECORD: &str = r#"{"id":"/x","name":"api","type":"Microsoft.Network/dnszones/CNAME","etag":"e-1","properties":{"TTL":300,"fqdn":"API.contoso.com.",
"CNAMERecord":{"cname":"apim-east.azure-api.net"},"metadata":{"owner":"team a","lifeboat-run":"r1"},"targetResource":{},"provisioningState":"Succeeded"}}"#;

#[tokio::test]
async fn a_record_makes_the_round_trip_with_its_metadata() {
    let server = Server::script(vec![answer(200, RECORD), answer(200, RECORD.replace("e-1", "e-2"))]).await;
    let site = Site::at(&server);
    let record = dns::cname(&site.arm, &zone(), "api").await.unwrap();
    let metadata: BTreeMap<_, _> =
        [("owner", "team a"), ("lifeboat-run", "r1")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let expected = CnameRecord {
        name: "api".to_owned(),
        fqdn: "api.contoso.com".to_owned(),
        etag: Some("e-1".to_owned()),
        ttl: 300,
        cname: Some("apim-east.azure-api.net".to_owned()),
        metadata,
        alias: None,
        auto_registered: false,
    };
    assert_eq!(record, expected);

    let moved = CnameRecord { cname: Some("apim-west.azure-api.net".to_owned()), ttl: 60, ..record };
    let stored = dns::put_cname(&site.arm, &zone(), &moved, "e-1").await.unwrap();
    assert_eq!(stored.etag.as_deref(), Some("e-2"));
    let put = &server.seen()[1];
    assert_eq!((put.method.as_str(), put.header("if-match")), ("PUT", "e-1"));
    assert!(put.target.ends_with("/dnszones/contoso.com/CNAME/api?api-version=2018-05-01"), "{}", put.target);
    let body = json!({"properties": {
        "TTL": 60,
        "metadata": {"lifeboat-run": "r1", "owner": "team a"},
        "CNAMERecord": {"cname": "apim-west.azure-api.net"},
    }});
    assert_eq!(serde_json::from_str::<Value>(&put.body).unwrap(), body);
}

#[tokio::test]
async fn a_record_of_a_private_zone_speaks_its_own_dialect() {
    let stored = r#"{"name":"api","etag":"e-1","type":"Microsoft.Network/privateDnsZones/CNAME","properties":{"ttl":300,
        "fqdn":"api.contoso.internal.","isAutoRegistered":true,"cnameRecord":{"cname":"apim-west.azure-api.net"}}}"#;
    let server = Server::script(vec![answer(200, stored), answer(200, stored)]).await;
    let site = Site::at(&server);
    let id = zone().to_string().replace("dnszones", "privateDnsZones").replace("dnsZones", "privateDnsZones");
    let zone = ResourceId::parse(&id).unwrap();
    let record = dns::cname(&site.arm, &zone, "api").await.unwrap();
    assert_eq!((record.ttl, record.cname.as_deref()), (300, Some("apim-west.azure-api.net")));
    assert!(record.auto_registered && record.alias.is_none());
    dns::put_cname(&site.arm, &zone, &record, "e-1").await.unwrap();
    let put = &server.seen()[1];
    assert!(put.target.contains("/privateDnsZones/"), "{}", put.target);
    assert!(put.target.ends_with("/CNAME/api?api-version=2024-06-01"), "{}", put.target);
    let body =
        json!({ "properties": { "ttl": 300, "metadata": {}, "cnameRecord": { "cname": "apim-west.azure-api.net" } } });
    assert_eq!(serde_json::from_str::<Value>(&put.body).unwrap(), body);
}

#[tokio::test]
async fn an_alias_is_told_apart_and_never_sent_with_a_literal_name() {
    let alias = r#"{"name":"api","etag":"e","properties":{"TTL":60,"fqdn":"api.contoso.com.","targetResource":{"id":"/subscriptions/0000/fd"},"CNAMERecord":null,"metadata":null}}"#;
    let server = Server::script(vec![answer(200, alias)]).await;
    let record = dns::cname(&Site::at(&server).arm, &zone(), "api").await.unwrap();
    assert_eq!((record.cname.clone(), record.alias.as_deref()), (None, Some("/subscriptions/0000/fd")));
    assert_eq!(dns::cname_body(&zone(), &record)["properties"]["targetResource"]["id"], "/subscriptions/0000/fd");
    let both = CnameRecord { cname: Some("x".to_owned()), ..record };
    assert!(dns::cname_body(&zone(), &both)["properties"].get("targetResource").is_none());
}

#[tokio::test]
async fn a_record_without_a_ttl_is_not_guessed() {
    let server =
        Server::script(vec![answer(200, r#"{"name":"api","properties":{"CNAMERecord":{"cname":"x"}}}"#)]).await;
    let error = dns::cname(&Site::at(&server).arm, &zone(), "api").await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (AzureErrorKind::Malformed, "the record set `api` has no TTL"));
}

#[tokio::test]
async fn a_records_name_stays_one_segment() {
    let server = Server::script(vec![answer(200, RECORD)]).await;
    let site = Site::at(&server);
    let path = |record: &str| dns::cname_url(&site.arm, &zone(), record).path().to_owned();
    assert!(path("*.api").ends_with("/CNAME/*.api"));
    assert!(path("@").ends_with("/CNAME/@"));
    assert!(path("a/../../b?x#y").ends_with("/CNAME/a%2F..%2F..%2Fb%3Fx%23y"));
}

#[tokio::test]
async fn a_zone_names_its_servers() {
    let body = r#"{"name":"contoso.com","properties":{"nameServers":["NS1-07.azure-dns.com.","ns2-07.azure-dns.net."],"numberOfRecordSets":3}}"#;
    let server = Server::script(vec![answer(200, body)]).await;
    let zone = dns::zone(&Site::at(&server).arm, &zone()).await.unwrap();
    assert_eq!(
        (zone.name.as_str(), zone.name_servers),
        ("contoso.com", vec!["ns1-07.azure-dns.com".to_owned(), "ns2-07.azure-dns.net".to_owned()])
    );
}

#[tokio::test]
async fn an_account_and_its_full_key_are_read() {
    let body = r#"{"name":"stdr","location":"westeurope","sku":{"name":"Standard_RAGRS"},"properties":{"primaryLocation":"westeurope","statusOfPrimary":"available",
"secondaryLocation":"northeurope","statusOfSecondary":"available","primaryEndpoints":{"blob":"https://stdr.blob.core.windows.net/"},"allowSharedKeyAccess":false,
"publicNetworkAccess":"Enabled","networkAcls":{"bypass":"Logging, AzureServices","defaultAction":"Deny","ipRules":[]}}}"#;
    let server = Server::script(vec![answer(200, body)]).await;
    let found = storage::account(&Site::at(&server).arm, &account()).await.unwrap();
    assert_eq!((found.sku.as_deref(), found.allow_shared_key_access), (Some("Standard_RAGRS"), Some(false)));
    assert_eq!(
        (found.network_bypass.as_deref(), found.network_default_action.as_deref()),
        (Some("Logging, AzureServices"), Some("Deny"))
    );

    let keys = r#"{"keys":[{"keyName":"key1","value":"r3ad","permissions":"READ"},{"keyName":"key2","value":"fu11","permissions":"FULL"}]}"#;
    let server = Server::script(vec![answer(503, ""), answer(200, keys)]).await;
    let key = storage::list_keys(&Site::at(&server).arm, &account()).await.unwrap();
    assert_eq!(key.expose_secret(), "fu11");
    assert!(server.seen().iter().all(|seen| seen.method == "POST" && seen.target.contains("/stdr/listKeys?")));

    let server = Server::script(vec![answer(200, r#"{"keys":[{"value":"r3ad","permissions":"Read"}]}"#)]).await;
    let error = storage::list_keys(&Site::at(&server).arm, &account()).await.unwrap_err();
    assert!(!format!("{error:?}").contains("r3ad"));
    assert!(error.hint.unwrap().contains("managed identity"));
}
