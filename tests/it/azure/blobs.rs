//! Blob listings and reads, and conditional changes.

use lifeboat::{
    azure::{
        AzureErrorKind,
        storage::{BlobCondition, BlobContent, BlobItem, LONGEST_CONTENT},
    },
    net::Delivery,
};

use super::Site;
use crate::net::server::{Reaction, Server, answer, answer_with};

const FIRST: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://stdr.blob.core.windows.net/\" ContainerName=\"apim-backups\"><Prefix>apim-east-</Prefix><Blobs>\
<Blob><Name>apim-east-1</Name><Properties><Creation-Time>Fri, 20 Nov 2026 03:00:00 GMT</Creation-Time><Last-Modified>Sat, 21 Nov 2026 04:00:00 GMT</Last-Modified><Etag>0x8D</Etag><Content-Length>1048576</Content-Length><Content-Type>application/octet-stream</Content-Type><Content-MD5 /><BlobType>BlockBlob</BlobType><AccessTier>Archive</AccessTier><ArchiveStatus>rehydrate-pending-to-hot</ArchiveStatus><LeaseStatus>unlocked</LeaseStatus><CopyStatus>pending</CopyStatus></Properties><Metadata><created>2026-11-20T02:59:00Z</created><tier>Premium</tier></Metadata><OrMetadata /></Blob>\
<Blob><Name Encoded=\"true\">apim-east-%EF%BF%BEa+b</Name><Deleted>true</Deleted><Snapshot>2026-11-20T00:00:00.0000000Z</Snapshot><Properties><Last-Modified>Sat, 21 Nov 2026 04:00:00 GMT</Last-Modified><Content-Length>0</Content-Length></Properties><Metadata /></Blob>\
</Blobs><NextMarker>2!76!page/two=</NextMarker></EnumerationResults>";

const LAST: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs><Blob><Name>apim-east-2 &amp; more</Name><Properties><Content-Length>7</Content-Length><AccessTier>Cool</AccessTier></Properties></Blob></Blobs><NextMarker /></EnumerationResults>";

#[tokio::test]
async fn a_listing_is_read_over_its_pages() {
    let server = Server::script(vec![answer(200, FIRST), answer(200, LAST)]).await;
    let site = Site::at(&server);
    let blobs = site.arm.blobs(&site.endpoints).list("stdr", "apim-backups", "apim-east-").await.unwrap();
    let metadata = [("created", "2026-11-20T02:59:00Z"), ("tier", "Premium")];
    let expected = [
        BlobItem {
            name: "apim-east-1".to_owned(),
            created: Some("2026-11-20T03:00:00Z".parse().unwrap()),
            last_modified: Some("2026-11-21T04:00:00Z".parse().unwrap()),
            etag: Some("0x8D".to_owned()),
            size: 1_048_576,
            tier: Some("Archive".to_owned()),
            archive_status: Some("rehydrate-pending-to-hot".to_owned()),
            copy_status: Some("pending".to_owned()),
            metadata: metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            ..BlobItem::default()
        },
        BlobItem {
            name: "apim-east-\u{fffe}a+b".to_owned(),
            last_modified: Some("2026-11-21T04:00:00Z".parse().unwrap()),
            deleted: true,
            snapshot: Some("2026-11-20T00:00:00.0000000Z".to_owned()),
            ..BlobItem::default()
        },
        BlobItem {
            name: "apim-east-2 & more".to_owned(),
            size: 7,
            tier: Some("Cool".to_owned()),
            ..BlobItem::default()
        },
    ];
    assert_eq!(blobs, expected);
    let seen = server.seen();
    assert_eq!(seen[0].target, "/stdr/apim-backups?restype=container&comp=list&include=metadata&prefix=apim-east-");
    assert!(seen[1].target.ends_with("&marker=2%2176%21page%2Ftwo%3D"), "{}", seen[1].target);
    for request in &seen {
        assert_eq!(request.header("authorization"), "Bearer t0ken");
        assert_eq!(request.header("x-ms-version"), "2021-12-02");
    }
}

#[tokio::test]
async fn an_empty_container_lists_nothing() {
    for body in [
        "<EnumerationResults><Blobs /><NextMarker /></EnumerationResults>",
        "<EnumerationResults><Blobs></Blobs></EnumerationResults>",
    ] {
        let server = Server::script(vec![answer(200, body)]).await;
        let site = Site::at(&server);
        assert_eq!(site.arm.blobs(&site.endpoints).list("stdr", "c", "").await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_listing_that_does_not_end_or_is_none_is_an_error() {
    for (body, requests, reason) in [
        (FIRST, 2, "next page is the same page"),
        ("<html>sign in</html>", 1, "cannot be read"),
        ("not xml", 1, "cannot be read"),
    ] {
        let server = Server::script(vec![answer(200, body)]).await;
        let site = Site::at(&server);
        let error = site.arm.blobs(&site.endpoints).list("stdr", "c", "").await.unwrap_err();
        assert_eq!(error.kind, AzureErrorKind::Malformed);
        assert!(error.message.contains(reason), "{error}");
        assert_eq!(server.seen().len(), requests);
    }
}

#[tokio::test]
async fn listings_outlive_what_passes_and_say_what_is_missing() {
    let server = Server::script(vec![answer(503, ""), answer(200, LAST)]).await;
    let site = Site::at(&server);
    assert_eq!(site.arm.blobs(&site.endpoints).list("stdr", "c", "").await.unwrap().len(), 1);
    assert_eq!(site.notices().len(), 1);

    let refused = "\u{feff}<?xml version=\"1.0\"?><Error><Code>AuthorizationPermissionMismatch</Code><Message>This request is not authorized.\nRequestId:1</Message></Error>";
    let server = Server::script(vec![answer(403, refused)]).await;
    let site = Site::at(&server);
    let error = site.arm.blobs(&site.endpoints).list("stdr", "c", "").await.unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_deref()),
        (AzureErrorKind::Forbidden, Some("AuthorizationPermissionMismatch"))
    );
    assert!(error.hint.unwrap().contains("Storage Blob Data Reader"));
    assert_eq!(
        error.message,
        "the storage account answered 403 AuthorizationPermissionMismatch to GET /stdr/c: This request is not authorized."
    );
}

#[tokio::test]
async fn a_manifest_is_read_when_it_is_there_and_not_too_large() {
    let server = Server::script(vec![answer(200, "{\"tier\":\"Premium\"}")]).await;
    let site = Site::at(&server);
    let blobs = site.arm.blobs(&site.endpoints);
    let read = blobs.read("stdr", "c", "dir/apim east?.manifest.json", 1000).await.unwrap().unwrap();
    assert_eq!(read, "{\"tier\":\"Premium\"}");
    assert_eq!(server.seen()[0].target, "/stdr/c/dir/apim%20east%3F.manifest.json");
    assert_eq!(blobs.read("stdr", "c", "x", 3).await.unwrap_err().kind, AzureErrorKind::Malformed);

    let server = Server::script(vec![answer_with(404, &[("x-ms-error-code", "BlobNotFound")], "")]).await;
    let site = Site::at(&server);
    assert_eq!(site.arm.blobs(&site.endpoints).read("stdr", "c", "x", 9).await.unwrap(), None);

    let server = Server::script(vec![answer_with(404, &[("x-ms-error-code", "ContainerNotFound")], "")]).await;
    let site = Site::at(&server);
    let error = site.arm.blobs(&site.endpoints).read("stdr", "c", "x", 9).await.unwrap_err();
    assert_eq!(error.kind, AzureErrorKind::NotFound);
}

#[tokio::test]
async fn an_account_cannot_name_another_host() {
    let server = Server::script(vec![answer(200, LAST)]).await;
    let mut site = Site::at(&server);
    site.endpoints.blob = format!("http://{{account}}.{}", server.address);
    for account in ["evil.test/", "a@b", "", "x:80#", "a/../b"] {
        let error = site.arm.blobs(&site.endpoints).list(account, "c", "").await.unwrap_err();
        assert!(error.message.contains("is not a storage account's name"), "{error}");
    }
    assert_eq!(server.accepted(), 0);
}

fn manifest() -> BlobContent<'static> {
    BlobContent {
        text: "{\"version\":1}",
        content_type: "application/json",
        metadata: [("created", "2026-11-23T02:00:00Z")].into(),
    }
}

#[tokio::test]
async fn a_write_carries_its_condition_its_type_and_its_metadata() {
    let server = Server::script(vec![answer_with(201, &[("etag", "\"0x9\"")], "")]).await;
    let site = Site::at(&server);
    let blobs = site.arm.blobs(&site.endpoints);
    let etag = blobs.write("stdr", "c", "a/b c.manifest.json", &manifest(), BlobCondition::Absent).await.unwrap();
    assert_eq!(etag.as_deref(), Some("0x9"));
    for quoted in ["0x9", "\"0x9\""] {
        blobs.write("stdr", "c", "x", &manifest(), BlobCondition::Unchanged(quoted)).await.unwrap();
    }
    let seen = server.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].target.as_str()), ("PUT", "/stdr/c/a/b%20c.manifest.json"));
    assert_eq!(seen[0].body, manifest().text);
    for (name, value) in [
        ("authorization", "Bearer t0ken"),
        ("x-ms-version", "2021-12-02"),
        ("x-ms-blob-type", "BlockBlob"),
        ("content-type", "application/json"),
        ("x-ms-meta-created", "2026-11-23T02:00:00Z"),
        ("if-none-match", "*"),
        ("if-match", ""),
    ] {
        assert_eq!(seen[0].header(name), value, "{name}");
    }
    for later in &seen[1..] {
        assert_eq!((later.header("if-match"), later.header("if-none-match")), ("\"0x9\"", ""));
    }
}

#[tokio::test]
async fn only_what_is_conditional_is_repeated() {
    let server = Server::script(vec![answer(503, ""), Reaction::Reset, answer(201, "")]).await;
    let site = Site::at(&server);
    let blobs = site.arm.blobs(&site.endpoints);
    blobs.write("stdr", "c", "x", &manifest(), BlobCondition::Absent).await.unwrap();
    assert_eq!(server.seen().len(), 3);

    for reaction in [answer(503, ""), Reaction::Reset] {
        let server = Server::script(vec![reaction, answer(201, "")]).await;
        let site = Site::at(&server);
        let blobs = site.arm.blobs(&site.endpoints);
        let write = blobs.write("stdr", "c", "x", &manifest(), BlobCondition::None).await.unwrap_err();
        assert_eq!((write.delivery, server.seen().len()), (Delivery::Unknown, 1));
    }
    let server = Server::script(vec![answer(500, ""), answer(202, "")]).await;
    let site = Site::at(&server);
    let blobs = site.arm.blobs(&site.endpoints);
    let delete = blobs.delete("stdr", "c", "x", BlobCondition::None).await.unwrap_err();
    assert_eq!((delete.kind, server.seen().len()), (AzureErrorKind::Unavailable, 1));
}

#[tokio::test]
async fn a_condition_that_does_not_hold_is_typed_and_may_be_ones_own_doing() {
    let exists = || answer_with(409, &[("x-ms-error-code", "BlobAlreadyExists")], "");
    for (script, own) in [(vec![exists()], false), (vec![answer(500, ""), exists()], true)] {
        let server = Server::script(script).await;
        let site = Site::at(&server);
        let blobs = site.arm.blobs(&site.endpoints);
        let error = blobs.write("stdr", "c", "x", &manifest(), BlobCondition::Absent).await.unwrap_err();
        assert_eq!(
            (error.kind, error.code.as_deref()),
            (AzureErrorKind::PreconditionFailed, Some("BlobAlreadyExists"))
        );
        assert_eq!(error.repeated_unknown, own);
        assert!(error.hint.unwrap().contains("another name"));
    }
    let server = Server::script(vec![answer_with(412, &[("x-ms-error-code", "ConditionNotMet")], "")]).await;
    let site = Site::at(&server);
    let blobs = site.arm.blobs(&site.endpoints);
    let stale = BlobCondition::Unchanged("0x1");
    let error = blobs.write("stdr", "c", "x", &manifest(), stale).await.unwrap_err();
    assert_eq!((error.kind, error.delivery), (AzureErrorKind::PreconditionFailed, Delivery::NotSent));
    assert_eq!(blobs.delete("stdr", "c", "x", stale).await.unwrap_err().kind, AzureErrorKind::PreconditionFailed);
}

#[tokio::test]
async fn a_delete_is_done_also_when_nothing_is_left() {
    let gone = || answer_with(404, &[("x-ms-error-code", "BlobNotFound")], "");
    let server = Server::script(vec![answer(202, ""), gone(), answer(503, ""), gone()]).await;
    let site = Site::at(&server);
    let blobs = site.arm.blobs(&site.endpoints);
    for there in [true, false, false] {
        assert_eq!(blobs.delete("stdr", "c", "x", BlobCondition::Unchanged("0x9")).await.unwrap(), there);
    }
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].method.as_str(), seen[0].header("if-match")), (4, "DELETE", "\"0x9\""));

    let server = Server::script(vec![answer_with(404, &[("x-ms-error-code", "ContainerNotFound")], "")]).await;
    let site = Site::at(&server);
    let blobs = site.arm.blobs(&site.endpoints);
    assert_eq!(blobs.delete("stdr", "c", "x", BlobCondition::None).await.unwrap_err().kind, AzureErrorKind::NotFound);
}

#[tokio::test]
async fn what_cannot_be_written_is_not_sent() {
    let server = Server::script(vec![answer(201, "")]).await;
    let site = Site::at(&server);
    let blobs = site.arm.blobs(&site.endpoints);
    let long = "x".repeat(LONGEST_CONTENT + 1);
    for (content, said) in [
        (BlobContent { text: &long, ..manifest() }, "longer than"),
        (BlobContent { metadata: [("a b", "x")].into(), ..manifest() }, "`a b` cannot be the name"),
        (BlobContent { metadata: [("note", "a\nb")].into(), ..manifest() }, "no header may hold"),
    ] {
        let error = blobs.write("stdr", "c", "x", &content, BlobCondition::Absent).await.unwrap_err();
        assert!(error.message.contains(said), "{error}");
    }
    assert_eq!(server.accepted(), 0);
}
