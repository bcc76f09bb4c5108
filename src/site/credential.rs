//! The credential of a site file: exactly one form, and every secret only by reference.

use std::path::PathBuf;

use super::{Credential, SecretReference};
use crate::runbook::{
    fields::{self, Fields, Key, key},
    problem::{Notebook, mistake},
    source::{Node, Value},
};

pub(super) const FORMS: [&str; 9] = [
    "azure-cli",
    "managed-identity",
    "workload-identity",
    "client-secret",
    "client-certificate",
    "azure-pipelines",
    "github-actions",
    "token",
    "chain",
];

/// Beyond that somebody waits for minutes until the last one is asked.
const LONGEST_CHAIN: usize = 8;

const MANAGED_IDENTITY_KEYS: &[Key] = &[
    key("client_id", "client id of a user-assigned identity"),
    key("resource_id", "resource id of a user-assigned identity"),
];

const WORKLOAD_IDENTITY_KEYS: &[Key] = &[
    key("tenant_id", "tenant; default: AZURE_TENANT_ID"),
    key("client_id", "client; default: AZURE_CLIENT_ID"),
    key("token_file", "file of the federated token; default: AZURE_FEDERATED_TOKEN_FILE"),
];

const CLIENT_SECRET_KEYS: &[Key] = &[
    key("tenant_id", "tenant"),
    key("client_id", "client id of the application"),
    key("secret", "where the secret is: { env: NAME } or { file: PATH }"),
];

const CLIENT_CERTIFICATE_KEYS: &[Key] = &[
    key("tenant_id", "tenant"),
    key("client_id", "client id of the application"),
    key("certificate", "where certificate and private key are, in PEM form: { file: PATH } or { env: NAME }"),
    key("password", "where the password of the private key is, when it has one"),
];

const AZURE_PIPELINES_KEYS: &[Key] = &[
    key("tenant_id", "tenant"),
    key("client_id", "client id of the application"),
    key("service_connection_id", "id of the service connection, of workload identity federation"),
];

const GITHUB_ACTIONS_KEYS: &[Key] =
    &[key("tenant_id", "tenant"), key("client_id", "client id of the application, with a federated credential")];

const REFERENCE_KEYS: &[Key] =
    &[key("env", "environment variable that holds the secret"), key("file", "file that holds the secret")];

pub(super) fn credential(node: &Node<'_>, notebook: &mut Notebook) -> Option<Credential> {
    let entries = match &node.value {
        // `credential: azure-cli`: the help says how to write it.
        Value::Text(_) => &[],
        _ => fields::map(node, notebook)?,
    };
    let [entry] = entries else {
        let names: Vec<&str> = entries.iter().map(|entry| &*entry.key).collect();
        notebook.add(node.head(), mistake::credential_count(&names));
        return None;
    };
    let node = &entry.value;
    match &*entry.key {
        "azure-cli" => empty(node, "`azure-cli`", notebook).map(|()| Credential::AzureCli),
        "managed-identity" => {
            let text = optional_texts(node, "`managed-identity`", MANAGED_IDENTITY_KEYS, notebook)?;
            Some(Credential::ManagedIdentity { client_id: text("client_id"), resource_id: text("resource_id") })
        }
        "workload-identity" => {
            let text = optional_texts(node, "`workload-identity`", WORKLOAD_IDENTITY_KEYS, notebook)?;
            Some(Credential::WorkloadIdentity {
                tenant_id: text("tenant_id"),
                client_id: text("client_id"),
                token_file: text("token_file").map(PathBuf::from),
            })
        }
        "client-secret" => client_secret(node, notebook),
        "client-certificate" => client_certificate(node, notebook),
        "azure-pipelines" => {
            let fields = Fields::of(node, "`azure-pipelines`", AZURE_PIPELINES_KEYS, notebook)?;
            let mut text = |name| required_text(&fields, name, "`azure-pipelines`", notebook);
            let (tenant_id, client_id) = (text("tenant_id"), text("client_id"));
            let service_connection_id = text("service_connection_id")?;
            Some(Credential::AzurePipelines { tenant_id: tenant_id?, client_id: client_id?, service_connection_id })
        }
        "github-actions" => {
            let fields = Fields::of(node, "`github-actions`", GITHUB_ACTIONS_KEYS, notebook)?;
            let mut text = |name| required_text(&fields, name, "`github-actions`", notebook);
            let (tenant_id, client_id) = (text("tenant_id"), text("client_id"));
            Some(Credential::GithubActions { tenant_id: tenant_id?, client_id: client_id? })
        }
        "token" => reference(node, "the token", notebook).map(Credential::Token),
        "simulated" => empty(node, "`simulated`", notebook).map(|()| Credential::Simulated),
        "chain" => chain(node, notebook),
        other => {
            notebook.add(entry.key_span, mistake::unknown_value("credential", other, FORMS));
            None
        }
    }
}

/// Credentials in the order in which they are asked. A chain in a chain would be the same chain, longer.
fn chain(node: &Node<'_>, notebook: &mut Notebook) -> Option<Credential> {
    let items = fields::list(node, notebook)?;
    if items.is_empty() || items.len() > LONGEST_CHAIN {
        notebook.add(node.head(), mistake::chain_length(items.len(), LONGEST_CHAIN));
        return None;
    }
    let mut links = Vec::new();
    let mut whole = true;
    for item in items {
        match credential(item, notebook) {
            Some(Credential::Chain(_)) => {
                notebook.add(item.head(), mistake::chain_in_chain());
                whole = false;
            }
            Some(link) => links.push(link),
            None => whole = false,
        }
    }
    whole.then_some(Credential::Chain(links))
}

pub(super) fn empty(node: &Node<'_>, holder: &'static str, notebook: &mut Notebook) -> Option<()> {
    match node.value {
        Value::Null => Some(()),
        _ => Fields::of(node, holder, &[], notebook).map(|_| ()),
    }
}

/// The texts of a form whose keys are all optional. `None`: it is no map.
fn optional_texts(
    node: &Node<'_>,
    holder: &'static str,
    known: &'static [Key],
    notebook: &mut Notebook,
) -> Option<impl Fn(&str) -> Option<String>> {
    let mut texts: Vec<(&'static str, String)> = Vec::new();
    if node.value != Value::Null {
        let fields = Fields::of(node, holder, known, notebook)?;
        for key in known {
            let text = fields.get(key.name).and_then(|node| fields::plain_text(node, holder, notebook));
            texts.extend(text.map(|text| (key.name, text.to_owned())));
        }
    }
    Some(move |name: &str| texts.iter().find(|(key, _)| *key == name).map(|(_, text)| text.clone()))
}

fn required_text(fields: &Fields<'_, '_>, name: &str, holder: &'static str, notebook: &mut Notebook) -> Option<String> {
    let node = fields.required(name, notebook)?;
    fields::plain_text(node, holder, notebook).map(str::to_owned)
}

fn client_secret(node: &Node<'_>, notebook: &mut Notebook) -> Option<Credential> {
    let fields = Fields::of(node, "`client-secret`", CLIENT_SECRET_KEYS, notebook)?;
    let mut text = |name| required_text(&fields, name, "`client-secret`", notebook);
    let (tenant_id, client_id) = (text("tenant_id"), text("client_id"));
    let secret = fields.required("secret", notebook).and_then(|node| reference(node, "the secret", notebook));
    Some(Credential::ClientSecret { tenant_id: tenant_id?, client_id: client_id?, secret: secret? })
}

fn client_certificate(node: &Node<'_>, notebook: &mut Notebook) -> Option<Credential> {
    let fields = Fields::of(node, "`client-certificate`", CLIENT_CERTIFICATE_KEYS, notebook)?;
    let mut text = |name| required_text(&fields, name, "`client-certificate`", notebook);
    let (tenant_id, client_id) = (text("tenant_id"), text("client_id"));
    let certificate =
        fields.required("certificate", notebook).and_then(|node| reference(node, "the certificate", notebook));
    let password = match fields.get("password") {
        None => None,
        Some(node) => Some(reference(node, "the password", notebook)?),
    };
    Some(Credential::ClientCertificate {
        tenant_id: tenant_id?,
        client_id: client_id?,
        certificate: certificate?,
        password,
    })
}

/// `{ env: NAME }` or `{ file: PATH }`. Anything else may be the secret itself and is never repeated.
pub(super) fn reference(node: &Node<'_>, what: &str, notebook: &mut Notebook) -> Option<SecretReference> {
    let Value::Map(entries) = &node.value else {
        notebook.add(node.span, mistake::inline_secret(what));
        return None;
    };
    let [entry] = entries.as_slice() else {
        notebook.add(node.head(), mistake::inline_secret(what));
        return None;
    };
    let text = match &entry.value.value {
        Value::Text(text) if !text.is_empty() => &**text,
        _ => {
            notebook.add(entry.value.span, mistake::wrong_type("text", entry.value.kind()));
            return None;
        }
    };
    let is_variable = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !text.starts_with(|first: char| first.is_ascii_digit());
    match &*entry.key {
        // A token that was pasted here has dots or dashes.
        "env" if !is_variable => {
            notebook.add(entry.value.span, mistake::inline_secret(what));
            None
        }
        "env" => Some(SecretReference::Env(text.to_owned())),
        "file" => Some(SecretReference::File(PathBuf::from(text))),
        other => {
            let names = REFERENCE_KEYS.iter().map(|key| key.name);
            notebook.add(entry.key_span, mistake::unknown_key(other, "a reference to a secret", names));
            None
        }
    }
}
