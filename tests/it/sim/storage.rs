//! Blob storage: listing by pages, manifests, conditional writes; the account; the resource groups.

use super::*;

const CONTAINER: &str = "https://stcontosodr.blob.core.windows.net/apim-backups";

/// Text of every `<tag>` in the order of the document.
fn texts(xml: &str, tag: &str) -> Vec<String> {
    let (begin, end) = (format!("<{tag}>"), format!("</{tag}>"));
    xml.split(&begin).skip(1).map(|piece| piece.split(&end).next().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_listing_comes_in_pages() {
    let world = world(Scenario::default());
    let (mut names, mut marker, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let marker_text: String = url::form_urlencoded::byte_serialize(marker.as_bytes()).collect();
        let url = format!(
            "{CONTAINER}?restype=container&comp=list&prefix=apim-contoso-west-&include=metadata&marker={marker_text}"
        );
        let page = get(&world, &url).await;
        assert_eq!(page.status, 200);
        let xml = String::from_utf8(page.body.to_vec()).unwrap();
        names.extend(texts(&xml, "Name"));
        pages += 1;
        marker = texts(&xml, "NextMarker").remove(0);
        if marker.is_empty() {
            break;
        }
    }
    assert_eq!(pages, 3);
    assert_eq!(names.len(), 2 * (34 + 3));
    assert!(names.is_sorted());
    let none = get(&world, &format!("{CONTAINER}?restype=container&comp=list&prefix=other")).await;
    assert!(texts(std::str::from_utf8(&none.body).unwrap(), "Name").is_empty());
}

#[tokio::test(start_paused = true)]
async fn traps_can_be_told_from_backups() {
    let world = world(Scenario::default());
    let list = async |prefix: &str| {
        let url = format!("{CONTAINER}?restype=container&comp=list&prefix={prefix}&maxresults=1");
        String::from_utf8(get(&world, &url).await.body.to_vec()).unwrap()
    };
    let empty = list("apim-contoso-west-20261122T190000Z").await;
    assert_eq!(texts(&empty, "Content-Length"), ["0"]);
    assert_eq!(texts(&empty, "Creation-Time"), ["Sun, 22 Nov 2026 19:00:00 GMT"]);
    assert_eq!(texts(&list("apim-contoso-west-20261122T180000Z").await, "AccessTier"), ["Archive"]);
    assert_eq!(texts(&list("apim-contoso-west-20261122T170000Z").await, "CopyStatus"), ["pending"]);
    assert!(texts(&list("apim-contoso-west-20261122T200000Z").await, "CopyStatus").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_manifest_says_what_the_active_service_was() {
    let world = world(Scenario::default());
    let url = format!("{CONTAINER}/apim-contoso-west-20261122T200000Z.apimbackup.manifest.json");
    let manifest = body(&get(&world, &url).await);
    assert_eq!(manifest["tier"], "Premium");
    assert_eq!(manifest["created"], "2026-11-22T20:00:00Z");
    assert_eq!(manifest["apis"], json!({ "count": 3, "names": ["catalog", "orders", "payments"] }));
    let standby = body(&get(&world, &arm(STANDBY, APIM)).await);
    let certificate = &standby["properties"]["hostnameConfigurations"][1]["certificate"];
    assert_eq!(manifest["hostnames"][0]["thumbprint"], certificate["thumbprint"]);
}

#[tokio::test(start_paused = true)]
async fn blobs_are_written_conditionally() {
    let world = world(Scenario::default());
    let url = format!("{CONTAINER}/some%20thing.json");
    let put = async |headers: &[(&'static str, &str)]| {
        let headers = [&[("x-ms-blob-type", "BlockBlob"), ("x-ms-meta-created", "now")], headers].concat();
        send_with(&world, Method::PUT, &url, Some(json!({ "a": 1 })), &headers).await.unwrap()
    };
    let first = put(&[("if-none-match", "*")]).await;
    assert_eq!(first.status, 201);
    assert_eq!(put(&[("if-none-match", "*")]).await.status, 409);
    assert_eq!(put(&[("if-match", first.header("etag").unwrap())]).await.status, 201);
    assert_eq!(put(&[("if-match", first.header("etag").unwrap())]).await.status, 412);
    let read = get(&world, &url).await;
    assert_eq!(body(&read), json!({ "a": 1 }));
    assert_eq!(read.header("x-ms-meta-created"), Some("now"));
    let head = send(&world, Method::HEAD, &url, None).await.unwrap();
    assert_eq!((head.body.len(), head.header("content-length")), (0, Some("7")));
    assert_eq!(send(&world, Method::DELETE, &url, None).await.unwrap().status, 202);
    let gone = get(&world, &url).await;
    assert_eq!((gone.status.as_u16(), gone.header("x-ms-error-code")), (404, Some("BlobNotFound")));
    assert_eq!(world.effects().blob_puts_accepted, 2);
}

#[tokio::test(start_paused = true)]
async fn blobs_need_a_token_and_a_version() {
    let world = world(Scenario::default());
    let url = format!("{CONTAINER}?restype=container&comp=list");
    let bare = world.http(HttpRequest::new(Method::GET, url.parse().unwrap())).await.unwrap();
    assert_eq!((bare.status.as_u16(), bare.header("x-ms-error-code")), (401, Some("NoAuthenticationInformation")));
    let mut request = HttpRequest::new(Method::GET, url.parse().unwrap());
    request.headers.insert("authorization", format!("Bearer {}", world.mint_token()).parse().unwrap());
    assert_eq!(world.http(request).await.unwrap().header("x-ms-error-code"), Some("MissingRequiredHeader"));
    let other = get(&world, &url.replace("apim-backups", "other")).await;
    assert_eq!(other.header("x-ms-error-code"), Some("ContainerNotFound"));
}

#[tokio::test(start_paused = true)]
async fn account_and_groups_say_where_they_are() {
    let world = world(Scenario::default());
    let account = "/resourceGroups/rg-dr/providers/Microsoft.Storage/storageAccounts/stcontosodr";
    let account = body(&get(&world, &arm(account, "2023-05-01")).await);
    assert_eq!(account["location"], "northeurope");
    assert_eq!(account["properties"]["primaryEndpoints"]["blob"], "https://stcontosodr.blob.core.windows.net/");
    let group = body(&get(&world, &arm("/resourceGroups/rg-apim-west", "2022-09-01")).await);
    assert_eq!(group["location"], "westeurope");
    let none = body(&get(&world, &arm(&format!("{STANDBY}/workspaces"), APIM)).await);
    assert_eq!(none["value"], json!([]));
}
