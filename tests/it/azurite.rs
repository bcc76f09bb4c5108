//! The blob client against Azurite, Microsoft's own emulator of blob storage, over HTTPS with a token.
//!
//! Azurite is no crate: `.ci/clients` installs it and names its program in `LIFEBOAT_AZURITE`. Without that
//! variable nothing is tried here, and that is said on stderr past the test runner's capture.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use azure_core::base64;
use http::Method;
use lifeboat::{
    azure::{
        AzureErrorKind, Environment, TokenSource,
        storage::{BlobCondition, BlobContent, Blobs},
    },
    clock::Clock,
    net::{Delivery, Http},
    site::{Credential, Endpoints, SecretReference},
};
use serde_json::json;

use crate::net::{authority::Authority, transport};

/// The path of Azurite's blob program.
const PROGRAM: &str = "LIFEBOAT_AZURITE";
pub(crate) const ACCOUNT: &str = "stcontosodr";
pub(crate) const CONTAINER: &str = "apim-backups";
/// A page and a little: a page of blob storage has 5,000 blobs.
const MANY: usize = 5_003;
/// Writers that fill the container side by side.
const WRITERS: usize = 16;

/// Azurite, with its own certificate, in a folder of its own; stopped when the test is over.
pub(crate) struct Azurite {
    child: Child,
    pub(crate) url: String,
    pub(crate) authority: Authority,
    _directory: tempfile::TempDir,
}

impl Azurite {
    /// None, loudly, when nobody said where it is.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = std::env::var_os(PROGRAM).map(PathBuf::from) else {
            // Not with a macro: the test runner would swallow it.
            let line = format!("NOT RUN: the blob client against Azurite; {PROGRAM} does not name its program\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let (certificate, key) = authority.pem_for(&["127.0.0.1"]);
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let mut command = Command::new(&program);
        command
            .args(["--blobHost", "127.0.0.1", "--blobPort", "0", "--oauth", "basic", "--inMemoryPersistence"])
            .args(["--disableTelemetry", "--skipApiVersionCheck", "--silent"])
            .arg("--cert")
            .arg(file("certificate.pem", &certificate))
            .arg("--key")
            .arg(file("key.pem", &key))
            .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{}", account_key()))
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("successfully listens on ").map(|(_, url)| url.trim().to_owned()));
        let url = url.expect("Azurite says where it listens");
        // Nobody reads the rest, and a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, url, authority, _directory: directory })
    }

    pub(crate) fn http(&self) -> Http {
        transport(&[&self.authority.pem], vec![])
    }

    fn blobs(&self, http: &Http, token: &str) -> Blobs {
        let endpoints = Endpoints {
            resource_manager: self.url.clone(),
            scope: "https://management.azure.com/.default".to_owned(),
            authority: self.url.clone(),
            blob: format!("{}/{{account}}", self.url),
            key_vault: String::new(),
        };
        let environment = Environment::of([("TOKEN".to_owned(), token.to_owned())]);
        let credential = Credential::Token(SecretReference::Env("TOKEN".to_owned()));
        let tokens = Arc::new(TokenSource::new(&credential, &endpoints, http.clone(), environment));
        Blobs::new(http.clone(), &endpoints, tokens, Clock::Wall)
    }

    /// What no client of this package does: it makes containers, and fills one quickly.
    async fn put(&self, client: &reqwest::Client, target: &str, body: &'static str) {
        let request = client.request(Method::PUT, format!("{}/{ACCOUNT}/{target}", self.url));
        let request = request.bearer_auth(token(3600)).header("x-ms-version", "2021-12-02");
        let answer = request.header("x-ms-blob-type", "BlockBlob").body(body).send().await.unwrap();
        assert_eq!(answer.status(), 201, "{target}");
    }

    pub(crate) async fn make_container(&self) {
        self.put(&self.raw(), &format!("{CONTAINER}?restype=container"), "").await;
    }

    fn raw(&self) -> reqwest::Client {
        let root = reqwest::Certificate::from_pem(self.authority.pem.as_bytes()).unwrap();
        reqwest::Client::builder().add_root_certificate(root).no_proxy().build().unwrap()
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Of the account.
pub(crate) fn account_key() -> String {
    base64::encode("a key that only tests use")
}

/// As Entra ID gives it for storage, good for so many seconds from now. Azurite looks at everything but the signature.
pub(crate) fn token(seconds: i64) -> String {
    let now = Clock::Wall.now().as_second();
    let claims = json!({
        "aud": "https://storage.azure.com", "iss": "https://sts.windows.net/00000000-0000-0000-0000-00000000000a/",
        "iat": now - 7200, "nbf": now - 7200, "exp": now + seconds,
    });
    let part = |value: serde_json::Value| base64::encode_url_safe(value.to_string());
    format!("{}.{}.{}", part(json!({ "alg": "RS256", "typ": "JWT" })), part(claims), base64::encode_url_safe("signed"))
}

fn content<'a>(text: &'a str, backup: &'a str) -> BlobContent<'a> {
    BlobContent { text, content_type: "application/json", metadata: [("backup", backup), ("version", "1")].into() }
}

#[tokio::test]
async fn blobs_are_written_read_and_deleted_under_their_conditions() {
    let Some(azurite) = Azurite::start() else { return };
    azurite.make_container().await;
    let blobs = azurite.blobs(&azurite.http(), &token(3600));
    let name = "of west/ä+b&c d.manifest.json";
    let read = async |name: &str| {
        let read = blobs.read(ACCOUNT, CONTAINER, name, 1 << 20).await.unwrap();
        read.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    };
    let write = async |text: &str, condition: BlobCondition<'_>| {
        blobs.write(ACCOUNT, CONTAINER, name, &content(text, "first"), condition).await
    };

    assert_eq!(blobs.list(ACCOUNT, CONTAINER, "").await.unwrap(), []);
    assert_eq!(read(name).await, None);
    let first = write("one", BlobCondition::Absent).await.unwrap().unwrap();
    assert_eq!(read(name).await.as_deref(), Some("one"));
    let again = write("two", BlobCondition::Absent).await.unwrap_err();
    assert_eq!((again.kind, again.delivery), (AzureErrorKind::PreconditionFailed, Delivery::NotSent));
    assert_eq!(again.code.as_deref(), Some("BlobAlreadyExists"));
    assert_eq!(read(name).await.as_deref(), Some("one"));
    let second = write("three", BlobCondition::Unchanged(&first)).await.unwrap().unwrap();
    assert_ne!(second, first);
    let stale = write("four", BlobCondition::Unchanged(&first)).await.unwrap_err();
    assert_eq!(stale.kind, AzureErrorKind::PreconditionFailed);
    assert_eq!(read(name).await.as_deref(), Some("three"));

    let listed = blobs.list(ACCOUNT, CONTAINER, "of west/").await.unwrap();
    let [item] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((item.name.as_str(), item.size, item.etag.as_ref()), (name, 5, Some(&second)));
    assert_eq!(item.metadata, content("", "first").metadata.iter().map(owned).collect());
    let age = Clock::Wall.now().duration_since(item.created.unwrap());
    assert!(age.as_secs() < 300 && item.last_modified >= item.created, "{item:?}");
    assert!(!item.deleted && item.snapshot.is_none());

    let kept = blobs.delete(ACCOUNT, CONTAINER, name, BlobCondition::Unchanged(&first)).await.unwrap_err();
    assert_eq!(kept.kind, AzureErrorKind::PreconditionFailed);
    assert!(blobs.delete(ACCOUNT, CONTAINER, name, BlobCondition::Unchanged(&second)).await.unwrap());
    assert!(!blobs.delete(ACCOUNT, CONTAINER, name, BlobCondition::None).await.unwrap());
    assert_eq!(read(name).await, None);
}

fn owned((key, value): (&&str, &&str)) -> (String, String) {
    ((*key).to_owned(), (*value).to_owned())
}

#[tokio::test]
async fn a_listing_is_read_over_all_its_pages() {
    let Some(azurite) = Azurite::start() else { return };
    let client = azurite.raw();
    azurite.put(&client, &format!("{CONTAINER}?restype=container"), "").await;
    let azurite = Arc::new(azurite);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (azurite, client) = (Arc::clone(&azurite), client.clone());
        writers.spawn(async move {
            for number in (writer..MANY).step_by(WRITERS) {
                azurite.put(&client, &format!("{CONTAINER}/west-{number:05}"), "backup").await;
            }
        });
    }
    writers.join_all().await;
    azurite.put(&client, &format!("{CONTAINER}/east-1"), "backup").await;
    let blobs = azurite.blobs(&azurite.http(), &token(3600));
    let page = client.get(format!("{}/{ACCOUNT}/{CONTAINER}?restype=container&comp=list&prefix=west-", azurite.url));
    let page = page.bearer_auth(token(3600)).header("x-ms-version", "2021-12-02").send().await.unwrap();
    assert!(page.text().await.unwrap().contains("</NextMarker>"), "all of it fits one page");
    let names: Vec<String> =
        blobs.list(ACCOUNT, CONTAINER, "west-").await.unwrap().into_iter().map(|blob| blob.name).collect();
    let wanted: Vec<String> = (0..MANY).map(|number| format!("west-{number:05}")).collect();
    assert_eq!(names, wanted);
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_a_typed_error() {
    let Some(azurite) = Azurite::start() else { return };
    azurite.make_container().await;
    let http = azurite.http();
    let blobs = azurite.blobs(&http, &token(3600));
    let absent = blobs.list(ACCOUNT, "no-such-container", "").await.unwrap_err();
    assert_eq!((absent.kind, absent.code.as_deref()), (AzureErrorKind::NotFound, Some("ContainerNotFound")));
    // A missing container is not a missing blob.
    let absent = blobs.read(ACCOUNT, "no-such-container", "x", 1024).await.unwrap_err();
    assert_eq!((absent.kind, absent.code.as_deref()), (AzureErrorKind::NotFound, Some("ContainerNotFound")));
    let nowhere = blobs.write(ACCOUNT, "no-such-container", "x", &content("{}", "x"), BlobCondition::Absent).await;
    assert_eq!(nowhere.unwrap_err().kind, AzureErrorKind::NotFound);
    blobs.write(ACCOUNT, CONTAINER, "long", &content("0123456789", "x"), BlobCondition::Absent).await.unwrap();
    let long = blobs.read(ACCOUNT, CONTAINER, "long", 9).await.unwrap_err();
    assert_eq!(long.kind, AzureErrorKind::Malformed);

    let expired = azurite.blobs(&http, &token(-60)).list(ACCOUNT, CONTAINER, "").await.unwrap_err();
    assert!(matches!(expired.kind, AzureErrorKind::Unauthorized | AzureErrorKind::Forbidden), "{expired:?}");
    let stranger = azurite.blobs(&transport(&[&Authority::new().pem], vec![]), &token(3600));
    let untrusted = stranger.list(ACCOUNT, CONTAINER, "").await.unwrap_err();
    assert_eq!((untrusted.kind, untrusted.delivery), (AzureErrorKind::Certificate, Delivery::NotSent));
}
