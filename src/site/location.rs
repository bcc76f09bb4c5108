//! Where runs are kept: a directory, or a prefix of a container in an object store. Pure: nobody is asked whether it is
//! there.
//!
//! A location is printed, embedded in plans and put into commands, so it never holds a secret: a URL with a user name, a
//! password or a query is refused, and never repeated.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::parse::is_loopback;
use crate::runbook::{
    Problem,
    problem::mistake::{self, quote},
};

/// Longest prefix, in bytes. With a run's id and the name of an object it stays far below what every store allows
/// (Azure and Google: 1,024 characters, S3: 1,024 bytes).
const LONGEST_PREFIX: usize = 256;

/// What follows an account's name in the host of its blob service, in each of Azure's clouds, and with a zone of its own
/// (`ACCOUNT.z01.blob.storage.azure.net`).
const BLOB_DOMAINS: [&str; 4] =
    ["blob.core.windows.net", "blob.core.usgovcloudapi.net", "blob.core.chinacloudapi.cn", "blob.storage.azure.net"];

/// Other services of a storage account: their hosts look alike.
const NOT_BLOB: [&str; 5] = ["dfs", "file", "queue", "table", "web"];

/// Schemes of other tools for Azure's blobs.
const OTHER_NAMES_OF_BLOB: [&str; 7] = ["abfs", "abfss", "adl", "az", "azure", "wasb", "wasbs"];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Location {
    Directory(PathBuf),
    Blob(Container),
    S3(Bucket),
    Google(Bucket),
}

/// A container of Azure Blob Storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Of the account, without a trailing slash: `https://ACCOUNT.blob.core.windows.net`, or
    /// `http://127.0.0.1:10000/ACCOUNT`.
    pub endpoint: String,
    pub account: String,
    pub name: String,
    /// Empty: none.
    pub prefix: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub name: String,
    /// Empty: none.
    pub prefix: String,
}

impl Location {
    /// Of what stands behind `state:` or `--state`.
    ///
    /// # Errors
    /// A problem without a place. It quotes names at most, never the whole text.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let Some((scheme, rest)) = text.split_once("://") else { return directory(text) };
        let scheme = scheme.to_ascii_lowercase();
        match scheme.as_str() {
            "https" | "http" => container(text, rest).map(Self::Blob),
            "s3" => bucket(rest, "s3").map(Self::S3),
            "gs" => bucket(rest, "gs").map(Self::Google),
            "file" => {
                Err(mistake::bad_state("a URL of a file", "write the directory itself: `state: /var/lib/lifeboat`"))
            }
            other if OTHER_NAMES_OF_BLOB.contains(&other) => Err(mistake::bad_state(
                &format!("a URL of the scheme {}", quote(other)),
                "write the container's own URL: `https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX`",
            )),
            other => Err(mistake::bad_state(&format!("a URL of the scheme {}", quote(other)), FORMS)),
        }
    }

    pub fn is_directory(&self) -> bool {
        matches!(self, Self::Directory(_))
    }

    /// What people call the store.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Directory(_) => "a directory",
            Self::Blob(_) => "Azure Blob Storage",
            Self::S3(_) => "S3",
            Self::Google(_) => "Google Cloud Storage",
        }
    }

    /// The part below which every object of this store lies; empty in a directory.
    pub fn prefix(&self) -> &str {
        match self {
            Self::Directory(_) => "",
            Self::Blob(container) => &container.prefix,
            Self::S3(bucket) | Self::Google(bucket) => &bucket.prefix,
        }
    }
}

impl Container {
    /// On this machine: an emulator's.
    pub fn is_local(&self) -> bool {
        is_loopback(&self.endpoint)
    }

    /// Whether the endpoint is Azure's own, or this machine's: nobody else may be sent a token of the site.
    /// `pattern`: the site's `endpoints.blob`, with `{account}`.
    pub fn may_have_token(&self, pattern: &str) -> bool {
        let own = pattern.replace("{account}", &self.account);
        let host = Url::parse(&self.endpoint).ok().and_then(|url| url.host_str().map(str::to_owned));
        let is_azure = |host: String| BLOB_DOMAINS.iter().any(|domain| host.ends_with(&format!(".{domain}")));
        own.trim_end_matches('/') == self.endpoint || self.is_local() || host.is_some_and(is_azure)
    }
}

const FORMS: &str = "write a directory, `https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX`, `s3://BUCKET/PREFIX` or \
                     `gs://BUCKET/PREFIX`";

fn directory(text: &str) -> Result<Location, Problem> {
    if text.trim().is_empty() {
        return Err(mistake::bad_state("nothing", FORMS));
    }
    // `s3:/bucket` would be a directory of that name.
    let scheme = text.split_once(":/").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("s3" | "gs" | "http" | "https") => {
            Err(mistake::bad_state("a URL with one slash behind its scheme", "write two: `s3://BUCKET/PREFIX`"))
        }
        Some(_) | None => Ok(Location::Directory(PathBuf::from(text))),
    }
}

fn container(text: &str, rest: &str) -> Result<Container, Problem> {
    let unreadable = || mistake::bad_state("a URL that cannot be read", FORMS);
    let url = Url::parse(text).map_err(|_| unreadable())?;
    if has_secret(rest) || !url.username().is_empty() || url.password().is_some() {
        return Err(mistake::secret_in_state());
    }
    if url.scheme() == "http" && !is_loopback(text) {
        return Err(mistake::plain_http("state"));
    }
    let host = url.host().ok_or_else(unreadable)?;
    // The text's own: a parsed path has had its dots and spaces taken away.
    let segments = segments(rest)?;
    let origin = url.origin().ascii_serialization();
    let (account, endpoint, inside) = match account_of_host(&host)? {
        Some(account) => (account, origin, segments.as_slice()),
        None => match segments.as_slice() {
            [account, inside @ ..] => ((*account).to_owned(), format!("{origin}/{account}"), inside),
            [] => return Err(no_container()),
        },
    };
    let letters = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !(3..=24).contains(&account.len()) || !letters(&account) {
        let help = "3 to 24 lower-case letters and digits; a custom domain is not enough, write the account's own URL";
        return Err(mistake::bad_state(&format!("{} as the name of a storage account", quote(&account)), help));
    }
    let [name, prefix @ ..] = inside else { return Err(no_container()) };
    if !is_container_name(name) {
        let help = "3 to 63 lower-case letters, digits and single hyphens, with a letter or digit at both ends";
        return Err(mistake::bad_state(&format!("{} as the name of a container", quote(name)), help));
    }
    Ok(Container { endpoint, account, name: (*name).to_owned(), prefix: joined(prefix)? })
}

fn no_container() -> Problem {
    mistake::bad_state("a URL without a container", "write `https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX`")
}

/// A shared access signature is a query. A bare `@` before the first slash is a user name.
fn has_secret(rest: &str) -> bool {
    rest.contains(['?', '#']) || rest.split('/').next().is_some_and(|host| host.contains('@'))
}

/// The account whose host it is; none where the account is the first part of the path: emulators, and endpoints that are
/// written so.
fn account_of_host(host: &Host<&str>) -> Result<Option<String>, Problem> {
    let Host::Domain(domain) = host else { return Ok(None) };
    let labels: Vec<&str> = domain.trim_end_matches('.').split('.').collect();
    let zone = |label: &str| label.strip_prefix('z').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    match labels.as_slice() {
        [account, "blob", _, ..] | [account, "privatelink", "blob", _, ..] => Ok(Some((*account).to_owned())),
        [account, label, "blob", _, ..] if zone(label) => Ok(Some((*account).to_owned())),
        [_, service, "core", ..] if NOT_BLOB.contains(service) => Err(mistake::bad_state(
            &format!("a URL of the storage account's {} service", quote(service)),
            "write the one of its blob service: `https://ACCOUNT.blob.…/CONTAINER/PREFIX`",
        )),
        _ => Ok(None),
    }
}

fn is_container_name(name: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = |edge: Option<u8>| edge.is_some_and(letters);
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| letters(byte) || byte == b'-')
        && ends(name.bytes().next())
        && ends(name.bytes().last())
        && !name.contains("--")
}

/// `rest`: what follows `s3://`.
fn bucket(rest: &str, scheme: &str) -> Result<Bucket, Problem> {
    if has_secret(rest) {
        return Err(mistake::secret_in_state());
    }
    let (name, _) = rest.split_once('/').unwrap_or((rest, ""));
    if name.is_empty() {
        let help = format!("write `{scheme}://BUCKET/PREFIX`");
        return Err(mistake::bad_state("a URL without a bucket", &help));
    }
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    // Underscores are Google's alone.
    let other = |byte: u8| matches!(byte, b'-' | b'.') || (byte == b'_' && scheme == "gs");
    let ends = |edge: Option<u8>| edge.is_some_and(letters);
    let is_name = (3..=63).contains(&name.len())
        && name.bytes().all(|byte| letters(byte) || other(byte))
        && ends(name.bytes().next())
        && ends(name.bytes().last())
        && !name.contains("..");
    if !is_name {
        let help = "3 to 63 lower-case letters, digits, hyphens and dots, with a letter or digit at both ends";
        return Err(mistake::bad_state(&format!("{} as the name of a bucket", quote(name)), help));
    }
    Ok(Bucket { name: name.to_owned(), prefix: joined(&segments(rest)?)? })
}

/// The parts of a path behind its first slash; one slash at its end is no part.
fn segments(rest: &str) -> Result<Vec<&str>, Problem> {
    let Some((_, path)) = rest.split_once('/') else { return Ok(Vec::new()) };
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let segments: Vec<&str> = path.split('/').collect();
    let plain = |part: &&str| {
        let letters = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.$".contains(&byte));
        letters && !part.is_empty() && *part != "." && *part != ".."
    };
    match segments.iter().find(|part| !plain(part)) {
        None => Ok(segments),
        Some(wrong) => Err(mistake::bad_state(
            &format!("{} as a part of its path", quote(wrong)),
            "letters, digits, `-`, `_` and `.` between single slashes",
        )),
    }
}

fn joined(parts: &[&str]) -> Result<String, Problem> {
    let prefix = parts.join("/");
    if prefix.len() > LONGEST_PREFIX { Err(mistake::too_long("the prefix", LONGEST_PREFIX)) } else { Ok(prefix) }
}

/// As it is written; what is printed is parsed to the same.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = |prefix: &str| if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Blob(Container { endpoint, name, prefix, .. }) => write!(f, "{endpoint}/{name}{}", slash(prefix)),
            Self::S3(Bucket { name, prefix }) => write!(f, "s3://{name}{}", slash(prefix)),
            Self::Google(Bucket { name, prefix }) => write!(f, "gs://{name}{}", slash(prefix)),
        }
    }
}

impl From<Location> for String {
    fn from(location: Location) -> Self {
        location.to_string()
    }
}

/// Of a journalled plan. One of an older version may hold a URL that was never used as such; its run is elsewhere.
impl From<String> for Location {
    fn from(text: String) -> Self {
        Self::parse(&text).unwrap_or_else(|_| Self::Directory(PathBuf::from(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(text: &str) -> Container {
        match Location::parse(text) {
            Ok(Location::Blob(container)) => container,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn an_accounts_own_host_and_a_path_that_begins_with_it_are_both_understood() {
        for (text, endpoint, account, prefix) in [
            ("https://stdr.blob.core.windows.net/runs", "https://stdr.blob.core.windows.net", "stdr", ""),
            ("https://stdr.blob.core.windows.net/runs/", "https://stdr.blob.core.windows.net", "stdr", ""),
            ("HTTPS://STDR.blob.core.windows.net/runs/a/B_c", "https://stdr.blob.core.windows.net", "stdr", "a/B_c"),
            ("https://stdr.z01.blob.storage.azure.net/runs/a", "https://stdr.z01.blob.storage.azure.net", "stdr", "a"),
            (
                "https://stdr.privatelink.blob.core.windows.net/runs/a",
                "https://stdr.privatelink.blob.core.windows.net",
                "stdr",
                "a",
            ),
            (
                "https://stdr.blob.local.azurestack.external/runs",
                "https://stdr.blob.local.azurestack.external",
                "stdr",
                "",
            ),
            (
                "http://127.0.0.1:10000/devstoreaccount1/runs/a",
                "http://127.0.0.1:10000/devstoreaccount1",
                "devstoreaccount1",
                "a",
            ),
            ("http://[::1]:10000/stdr/runs", "http://[::1]:10000/stdr", "stdr", ""),
            ("https://storage.contoso.internal/stdr/runs/x", "https://storage.contoso.internal/stdr", "stdr", "x"),
        ] {
            let found = blob(text);
            let told = (found.endpoint.as_str(), found.account.as_str(), found.name.as_str(), found.prefix.as_str());
            assert_eq!(told, (endpoint, account, "runs", prefix), "{text}");
        }
    }

    #[test]
    fn what_is_printed_is_read_back_also_from_a_plan() {
        for text in [
            "/var/lib/lifeboat",
            "./runs",
            r"C:\lifeboat",
            "https://stdr.blob.core.windows.net/runs/prod/west",
            "http://localhost:10000/devstoreaccount1/runs",
            "s3://contoso-dr",
            "s3://contoso.dr/runs/a",
            "gs://contoso_dr/runs",
        ] {
            let location = Location::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
            assert_eq!(location.to_string(), text);
            let json = serde_json::to_string(&location).unwrap();
            assert_eq!(serde_json::from_str::<Location>(&json).unwrap(), location, "{json}");
        }
        let old: Location = serde_json::from_str("\"https://stdr.blob.core.windows.net\"").unwrap();
        assert_eq!(old, Location::Directory("https://stdr.blob.core.windows.net".into()));
    }

    #[test]
    fn everything_malformed_says_what_and_what_to_do() {
        for (text, part) in [
            ("", "nothing"),
            ("s3:/bucket", "one slash"),
            ("ftp://host/x", "`ftp`"),
            ("abfss://runs@stdr.dfs.core.windows.net/x", "`abfss`"),
            ("file:///var/lib", "a file"),
            ("https://", "cannot be read"),
            ("https://stdr.blob.core.windows.net", "without a container"),
            ("https://stdr.blob.core.windows.net/", "without a container"),
            ("http://127.0.0.1:10000/devstoreaccount1", "without a container"),
            ("http://127.0.0.1:10000", "without a container"),
            ("https://stdr.dfs.core.windows.net/runs", "`dfs` service"),
            ("https://stdr-secondary.blob.core.windows.net/runs", "storage account"),
            ("https://stdr.blob.core.windows.net/Runs", "`Runs`"),
            ("https://stdr.blob.core.windows.net/$root", "`$root`"),
            ("https://stdr.blob.core.windows.net/a--b", "`a--b`"),
            ("https://stdr.blob.core.windows.net/runs//x", "part of its path"),
            ("https://stdr.blob.core.windows.net/runs/../x", "part of its path"),
            ("https://stdr.blob.core.windows.net/runs/a b", "part of its path"),
            ("s3://", "without a bucket"),
            ("gs:///x", "without a bucket"),
            ("s3://Bucket", "`Bucket`"),
            ("s3://under_score", "`under_score`"),
            ("s3://bucket/a//b", "part of its path"),
            ("http://stdr.blob.core.windows.net/runs", "plain http"),
        ] {
            let problem = Location::parse(text).unwrap_err();
            assert!(problem.message.contains(part), "{text}: {}", problem.message);
            assert!(!problem.help.is_empty(), "{text}");
        }
        let long = format!("s3://bucket/{}", "x".repeat(LONGEST_PREFIX + 1));
        assert!(Location::parse(&long).unwrap_err().message.contains("more than 256 bytes"), "{long}");
    }

    #[test]
    fn a_secret_in_a_url_is_refused_and_not_repeated() {
        for text in [
            "https://stdr.blob.core.windows.net/runs?sv=2022-11-02&sig=hunter2",
            "https://stdr.blob.core.windows.net/runs#hunter2",
            "https://hunter2@stdr.blob.core.windows.net/runs",
            "https://user:hunter2@127.0.0.1:10000/stdr/runs",
            "s3://hunter2@bucket/x",
            "gs://bucket/x?token=hunter2",
        ] {
            let problem = Location::parse(text).unwrap_err();
            assert_eq!(problem.code.as_str(), "inline-secret", "{text}");
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        }
    }

    #[test]
    fn a_token_goes_to_azure_to_this_machine_and_to_the_sites_own_endpoint() {
        let public = "https://{account}.blob.core.windows.net";
        assert!(blob("https://stdr.blob.core.windows.net/runs").may_have_token(public));
        assert!(blob("https://stdr.z01.blob.storage.azure.net/runs").may_have_token(public));
        assert!(blob("https://stdr.blob.core.chinacloudapi.cn/runs").may_have_token(public));
        assert!(blob("http://127.0.0.1:10000/stdr/runs").may_have_token(public));
        let stack = "https://{account}.blob.local.azurestack.external";
        assert!(!blob("https://stdr.blob.local.azurestack.external/runs").may_have_token(public));
        assert!(blob("https://stdr.blob.local.azurestack.external/runs").may_have_token(stack));
        assert!(!blob("https://stdr.blob.core.windows.net.evil.example/runs").may_have_token(public));
        assert!(!blob("https://evilblob.core.windows.net/stdr/runs").may_have_token(public));
        assert!(!blob("https://storage.contoso.internal/stdr/runs").may_have_token(public));
        assert!(
            blob("https://storage.contoso.internal/stdr/runs")
                .may_have_token("https://storage.contoso.internal/{account}/")
        );
    }
}
