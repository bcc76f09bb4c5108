//! Blob listings and reads.

use lifeboat::azure::{AzureErrorKind, storage::BlobItem};

use super::Site;
use crate::net::server::{Server, answer, answer_with};

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
