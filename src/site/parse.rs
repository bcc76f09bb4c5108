//! Site file: text → what it says.
//!
//! Pure: it tells which file holds the additional roots, and the caller reads it. No problem ever shows a line of a
//! site file, since somebody may have written a secret on it.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use jiff::Timestamp;
use serde_json::Value as Json;

use super::{
    Cloud, Credential, Endpoints, Location, Rehearsal, Simulated, Site, SiteDns, StateCredential, approval,
    credential::credential, notify, state_credential::state_credential,
};
use crate::runbook::{
    Problem, Problems,
    fields::{self, Fields, Key, key},
    problem::{Notebook, Source, mistake},
    source::{self, Node, Value},
};

const SITE_KEYS: &[Key] = &[
    key("version", "format version, 1"),
    key("cloud", "public, us-government, china or custom"),
    key("endpoints", "where everything is, with `cloud: custom`"),
    key("credential", "how to get a token, for example `{ azure-cli: {} }`"),
    key("tls", "additional certificate authorities"),
    key("dns", "resolvers and name servers"),
    key("state", "where runs are kept: a directory or the URL of a container"),
    key("state_credential", "how to get at a container that runs are kept in"),
    key("approval", "how approvals are signed, and whose signatures count"),
    key("notify", "who is told what happens, for example `[{ kind: slack, url: { env: NAME } }]`"),
    key("rehearsal", "how often a runbook has to be rehearsed: `{ within: 90d }`"),
    key("parameters", "values for runbook parameters"),
    key("simulated", "clock of the simulator; written by `lifeboat sim`"),
];

const ENDPOINT_KEYS: &[Key] = &[
    key("resource_manager", "base URL of Azure Resource Manager"),
    key("scope", "OAuth scope of its tokens; default: resource_manager with /.default"),
    key("authority", "base URL of the identity provider; default: the public cloud's"),
    key("blob", "URL of the blob service, with {account} in it"),
    key("key_vault", "URL of a key vault, with {vault} in it; default: the public cloud's"),
];

const TLS_KEYS: &[Key] = &[key("ca_file", "PEM file of additional roots")];

const DNS_KEYS: &[Key] =
    &[key("resolvers", "addresses of resolvers"), key("authoritative", "zone to addresses of its name servers")];

const REHEARSAL_KEYS: &[Key] =
    &[key("within", "a planned run of a runbook that was not rehearsed for so long is refused")];

const SIMULATED_KEYS: &[Key] = &[
    key("anchor", "wall clock time at which simulated time was `since`"),
    key("since", "simulated time at `anchor`"),
    key("speed", "simulated seconds per second"),
];

const CLOUDS: [(&str, Cloud); 4] = [
    ("public", Cloud::Public),
    ("us-government", Cloud::UsGovernment),
    ("china", Cloud::China),
    ("custom", Cloud::Custom),
];

/// Simulated seconds a second; beyond this a restore is over before a request is answered.
const FASTEST: f64 = 1_000_000.0;

/// A site file that was understood; its certificates are not read yet.
#[derive(Clone, Debug)]
pub struct SiteFile {
    /// To be read by the caller, relative to the site file's directory.
    pub ca_file: Option<PathBuf>,
    ca_place: Option<crate::runbook::Place>,
    site: Site,
}

/// Reads a site file. Never stops at the first problem; never shows a secret.
pub fn parse(file_name: &str, bytes: &[u8]) -> Result<SiteFile, Problems> {
    let source = source::text(file_name, bytes).map_err(Problems::hiding_lines)?;
    let mut notebook = Notebook::hiding_lines(source.clone());
    let root = source::read(source.text(), "a site", &mut notebook);
    let file = root.and_then(|root| site(&root, &source, &mut notebook));
    notebook.finish(file)
}

impl SiteFile {
    /// The site, with the content of `ca_file`, which must be there when `ca_file` is named. Only certificates are
    /// taken from it: a private key that stands beside them is left behind.
    pub fn into_site(self, ca_file: Option<&[u8]>) -> Result<Site, Problems> {
        let Self { ca_file: name, ca_place, mut site } = self;
        if let Some(name) = name {
            site.ca_certificates = certificates(ca_file.unwrap_or_default());
            if site.ca_certificates.is_empty() {
                let mut problem = mistake::bad_certificate(&name.display().to_string());
                problem.hides_source = true;
                problem.place = ca_place;
                return Err(problem.into());
            }
        }
        Ok(site)
    }
}

/// The certificates of a PEM file, each with its two lines of dashes.
fn certificates(pem: &[u8]) -> Vec<String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let text = String::from_utf8_lossy(pem);
    let bodies = text.split(BEGIN).skip(1).filter_map(|rest| Some(rest.split_once(END)?.0));
    bodies.map(|body| format!("{BEGIN}\n{}\n{END}\n", body.trim())).collect()
}

fn site(root: &Node<'_>, source: &std::sync::Arc<Source>, notebook: &mut Notebook) -> Option<SiteFile> {
    let fields = Fields::of(root, "a site", SITE_KEYS, notebook)?;
    fields::version(&fields, notebook);
    let names = CLOUDS.map(|(name, _)| name);
    let cloud = match fields.get("cloud") {
        None => Some(Cloud::Public),
        Some(node) => fields::choice(node, "cloud", &names, notebook).map(|choice| CLOUDS[choice].1),
    };
    let endpoints = endpoints(cloud, &fields, notebook);
    let credential = fields.required("credential", notebook).and_then(|node| credential(node, notebook));
    let ca_file = fields.get("tls").and_then(|node| {
        let tls = Fields::of(node, "`tls`", TLS_KEYS, notebook)?;
        let node = tls.required("ca_file", notebook)?;
        let text = fields::plain_text(node, "`ca_file`", notebook)?;
        Some((PathBuf::from(text), source.place(node.span)))
    });
    let dns = fields.get("dns").and_then(|node| dns(node, notebook)).unwrap_or_default();
    let (state, state_credential) = state(&fields, notebook);
    let notify = fields.get("notify").map(|node| notify::notify(node, notebook)).unwrap_or_default();
    let approval = fields.get("approval").and_then(|node| approval::approval(node, notebook));
    let rehearsal = fields.get("rehearsal").and_then(|node| rehearsal(node, notebook));
    let parameters = fields.get("parameters").map(|node| parameters(node, notebook)).unwrap_or_default();
    let simulated = fields.get("simulated").and_then(|node| simulated(node, notebook));
    let (endpoints, credential) = (endpoints?, credential?);
    let simulated_link = |one: &Credential| *one == Credential::Simulated;
    let is_simulated = match &credential {
        Credential::Chain(links) => links.iter().any(simulated_link),
        alone => simulated_link(alone),
    };
    if is_simulated && !is_loopback(&endpoints.resource_manager) {
        let problem = mistake::unknown_value("credential for a real site", "simulated", super::credential::FORMS);
        notebook.add(fields.get("credential")?.head(), problem);
    }
    let elsewhere = simulated.is_some() && !is_loopback(&endpoints.resource_manager);
    if let Some(node) = fields.get("simulated").filter(|_| elsewhere) {
        notebook.add(node.head(), mistake::simulated_elsewhere());
    }
    let (ca_file, ca_place) = ca_file.unzip();
    let site = Site {
        cloud: cloud?,
        endpoints,
        credential,
        ca_certificates: Vec::new(),
        dns,
        state,
        state_credential,
        approval,
        notify,
        rehearsal,
        parameters,
        simulated,
    };
    Some(SiteFile { ca_file, ca_place, site })
}

fn endpoints(cloud: Option<Cloud>, fields: &Fields<'_, '_>, notebook: &mut Notebook) -> Option<Endpoints> {
    let node = fields.get("endpoints");
    let cloud = cloud?;
    if let Some(preset) = Endpoints::preset(cloud) {
        if let Some(node) = node {
            notebook.add(node.head(), mistake::endpoints_not_custom());
        }
        return Some(preset);
    }
    let fields = Fields::of(fields.required("endpoints", notebook)?, "`endpoints`", ENDPOINT_KEYS, notebook)?;
    let resource_manager =
        fields.required("resource_manager", notebook).and_then(|node| base_url(node, "resource_manager", notebook));
    let authority = match fields.get("authority") {
        None => Endpoints::preset(Cloud::Public).map(|preset| preset.authority),
        Some(node) => base_url(node, "authority", notebook),
    };
    let blob = fields.required("blob", notebook).and_then(|node| named_url(node, "blob", "{account}", notebook));
    let key_vault = match fields.get("key_vault") {
        None => Endpoints::preset(Cloud::Public).map(|preset| preset.key_vault),
        Some(node) => named_url(node, "key_vault", "{vault}", notebook),
    };
    let scope = match fields.get("scope") {
        None => resource_manager.as_ref().map(|url| format!("{url}/.default")),
        Some(node) => fields::plain_text(node, "`scope`", notebook).map(str::to_owned),
    };
    Some(Endpoints {
        resource_manager: resource_manager?,
        scope: scope?,
        authority: authority?,
        blob: blob?,
        key_vault: key_vault?,
    })
}

/// A URL that holds the place of a name.
fn named_url(node: &Node<'_>, what: &str, name: &str, notebook: &mut Notebook) -> Option<String> {
    let url = base_url(node, what, notebook)?;
    if !url.contains(name) {
        notebook.add(node.span, mistake::url_without_name(what, name));
    }
    Some(url)
}

/// A URL without its trailing slash: https, or http to this machine.
pub(super) fn base_url(node: &Node<'_>, what: &str, notebook: &mut Notebook) -> Option<String> {
    let text = fields::plain_text(node, "a URL", notebook)?.trim_end_matches('/');
    match url_problem(text, what) {
        None => Some(text.to_owned()),
        Some(problem) => {
            notebook.add(node.span, problem);
            None
        }
    }
}

fn url_problem(text: &str, what: &str) -> Option<Problem> {
    let url = url::Url::parse(&with_names(text)).ok();
    let Some(url) = url.filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https")) else {
        // Not repeated: a URL can hold a password.
        return Some(mistake::bad_url(what));
    };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Some(mistake::inline_secret(&format!("a user name, a password or a query of the URL `{what}`")));
    }
    (url.scheme() == "http" && !is_loopback(text)).then(|| mistake::plain_http(what))
}

/// A URL as it is when the names are known.
fn with_names(url: &str) -> String {
    url.replace("{account}", "account").replace("{vault}", "vault")
}

pub(super) fn is_loopback(url: &str) -> bool {
    let Ok(url) = url::Url::parse(&with_names(url)) else { return false };
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// A credential without a place is for the one that `--state` names.
fn state(fields: &Fields<'_, '_>, notebook: &mut Notebook) -> (Option<Location>, Option<StateCredential>) {
    let location = fields.get("state").and_then(|node| {
        let text = fields::plain_text(node, "`state`", notebook)?;
        Location::parse(text).map_err(|problem| notebook.add(node.span, problem)).ok()
    });
    let node = fields.get("state_credential");
    let credential = node.and_then(|node| state_credential(node, notebook));
    if let (Some(node), Some(credential), Some(location)) = (node, &credential, &location)
        && !credential.fits(location)
    {
        notebook.add(node.head(), mistake::state_credential_kind(credential.name(), location.kind()));
    }
    (location, credential)
}

fn rehearsal(node: &Node<'_>, notebook: &mut Notebook) -> Option<Rehearsal> {
    let fields = Fields::of(node, "`rehearsal`", REHEARSAL_KEYS, notebook)?;
    let within = fields.required("within", notebook).and_then(|node| fields::duration(node, notebook))?;
    Some(Rehearsal { within })
}

fn dns(node: &Node<'_>, notebook: &mut Notebook) -> Option<SiteDns> {
    let fields = Fields::of(node, "`dns`", DNS_KEYS, notebook)?;
    let resolvers = fields.get("resolvers").map(|node| addresses(node, notebook)).unwrap_or_default();
    let mut authoritative = BTreeMap::new();
    if let Some(entries) = fields.get("authoritative").and_then(|node| fields::map(node, notebook)) {
        for entry in entries {
            let zone = entry.key.trim_end_matches('.').to_ascii_lowercase();
            authoritative.insert(zone, addresses(&entry.value, notebook));
        }
    }
    Some(SiteDns { resolvers, authoritative })
}

fn addresses(node: &Node<'_>, notebook: &mut Notebook) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for item in fields::list(node, notebook).unwrap_or_default() {
        let Some(text) = fields::text(item, notebook) else { continue };
        match address(text) {
            Some(address) => found.push(address),
            None => notebook.add(item.span, mistake::bad_address(text)),
        }
    }
    found
}

/// An IP address with or without a port.
fn address(text: &str) -> Option<SocketAddr> {
    const DNS_PORT: u16 = 53;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    text.parse().ok().or_else(|| Some(SocketAddr::new(bare.parse().ok()?, DNS_PORT)))
}

fn parameters(node: &Node<'_>, notebook: &mut Notebook) -> BTreeMap<String, Json> {
    let entries = fields::map(node, notebook).unwrap_or_default();
    entries.iter().map(|entry| (entry.key.clone().into_owned(), entry.value.to_json())).collect()
}

fn simulated(node: &Node<'_>, notebook: &mut Notebook) -> Option<Simulated> {
    let fields = Fields::of(node, "`simulated`", SIMULATED_KEYS, notebook)?;
    let anchor = fields.required("anchor", notebook).and_then(|node| timestamp(node, notebook));
    let since = fields.required("since", notebook).and_then(|node| timestamp(node, notebook));
    let node = fields.required("speed", notebook)?;
    let speed = match node.value {
        #[expect(clippy::cast_precision_loss, reason = "nobody simulates 2^53 seconds a second")]
        Value::Integer(speed) => speed as f64,
        Value::Decimal(speed) => speed,
        _ => {
            notebook.add(node.span, mistake::wrong_type("a number", node.kind()));
            return None;
        }
    };
    if !(0.001..=FASTEST).contains(&speed) {
        notebook.add(node.span, mistake::out_of_range(speed, 0.001, FASTEST));
    }
    Some(Simulated { anchor: anchor?, since: since?, speed })
}

fn timestamp(node: &Node<'_>, notebook: &mut Notebook) -> Option<Timestamp> {
    let text = fields::text(node, notebook)?;
    let found = text.parse().ok();
    if found.is_none() {
        notebook.add(node.span, mistake::bad_timestamp(text));
    }
    found
}
