//! The credential of a shared state: exactly one form, and every secret only by reference.

use serde::{Deserialize, Serialize};

use super::{Location, SecretReference, credential::reference, parse::base_url};
use crate::runbook::{
    fields::{self, Fields, Key, key},
    problem::{Notebook, mistake},
    source::{Node, Value},
};

/// Absent, each store has its usual one: the site's own credential for Azure, what the environment and the machine give
/// for the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateCredential {
    /// The site's own, for Azure Blob Storage.
    Site,
    /// A shared access signature, without the URL before it.
    Sas(SecretReference),
    AccountKey(SecretReference),
    Aws(Aws),
    Google(Google),
}

/// What is absent comes from the `AWS_*` variables; then from a web identity, a container's or an instance's role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aws {
    pub region: Option<String>,
    pub keys: Option<AwsKeys>,
    /// Base URL of an S3 service that is not Amazon's; the bucket follows as the first part of the path.
    pub endpoint: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsKeys {
    pub access_key_id: SecretReference,
    pub secret_access_key: SecretReference,
    pub session_token: Option<SecretReference>,
}

/// What is absent comes from the application default credentials; then from the machine's own account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Google {
    /// JSON of a service account's key.
    pub service_account: Option<SecretReference>,
    /// Base URL of a service that is not Google's.
    pub endpoint: Option<String>,
}

const FORMS: [&str; 5] = ["site", "sas", "account-key", "aws", "google"];

const AWS_KEYS: &[Key] = &[
    key("region", "region of the bucket; default: AWS_REGION"),
    key("access_key_id", "where the id of the access key is"),
    key("secret_access_key", "where the secret of the access key is"),
    key("session_token", "where the token of a temporary key is"),
    key("endpoint", "base URL of an S3 service that is not Amazon's"),
];

const GOOGLE_KEYS: &[Key] = &[
    key("service_account", "where the JSON of a service account's key is"),
    key("endpoint", "base URL of a service that is not Google's"),
];

impl StateCredential {
    /// The form's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Sas(_) => "sas",
            Self::AccountKey(_) => "account-key",
            Self::Aws(_) => "aws",
            Self::Google(_) => "google",
        }
    }

    /// Whether the store at `location` takes it.
    pub fn fits(&self, location: &Location) -> bool {
        match location {
            Location::Directory(_) => false,
            Location::Blob(_) => matches!(self, Self::Site | Self::Sas(_) | Self::AccountKey(_)),
            Location::S3(_) => matches!(self, Self::Aws(_)),
            Location::Google(_) => matches!(self, Self::Google(_)),
        }
    }
}

pub(super) fn state_credential(node: &Node<'_>, notebook: &mut Notebook) -> Option<StateCredential> {
    let entries = match &node.value {
        // `state_credential: site`: the help says how to write it.
        Value::Text(_) => &[],
        _ => fields::map(node, notebook)?,
    };
    let [entry] = entries else {
        let names: Vec<&str> = entries.iter().map(|entry| &*entry.key).collect();
        notebook.add(node.head(), mistake::state_credential_count(&names));
        return None;
    };
    let node = &entry.value;
    match &*entry.key {
        "site" => super::credential::empty(node, "`site`", notebook).map(|()| StateCredential::Site),
        "sas" => reference(node, "the shared access signature", notebook).map(StateCredential::Sas),
        "account-key" => reference(node, "the account's key", notebook).map(StateCredential::AccountKey),
        "aws" => aws(node, notebook).map(StateCredential::Aws),
        "google" => google(node, notebook).map(StateCredential::Google),
        other => {
            notebook.add(entry.key_span, mistake::unknown_value("state_credential", other, FORMS));
            None
        }
    }
}

fn aws(node: &Node<'_>, notebook: &mut Notebook) -> Option<Aws> {
    if node.value == Value::Null {
        return Some(Aws::default());
    }
    let fields = Fields::of(node, "`aws`", AWS_KEYS, notebook)?;
    let region = match fields.get("region") {
        None => None,
        Some(node) => Some(region(node, notebook)?),
    };
    let endpoint = endpoint(&fields, notebook)?;
    let mut secret = |name, what| match fields.get(name) {
        None => Some(None),
        Some(node) => reference(node, what, notebook).map(Some),
    };
    let id = secret("access_key_id", "the id of the access key");
    let key = secret("secret_access_key", "the secret of the access key");
    let token = secret("session_token", "the session token");
    let keys = match (id?, key?, token?) {
        (None, None, None) => None,
        (Some(access_key_id), Some(secret_access_key), session_token) => {
            Some(AwsKeys { access_key_id, secret_access_key, session_token })
        }
        (None, _, _) => {
            fields.required("access_key_id", notebook);
            return None;
        }
        (Some(_), None, _) => {
            fields.required("secret_access_key", notebook);
            return None;
        }
    };
    Some(Aws { region, keys, endpoint })
}

/// It becomes a part of a host.
fn region(node: &Node<'_>, notebook: &mut Notebook) -> Option<String> {
    let text = fields::plain_text(node, "`region`", notebook)?;
    let is_region = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if !is_region(text) {
        notebook.add(node.span, mistake::bad_name(text, "a region", "write it as `eu-central-1`"));
        return None;
    }
    Some(text.to_owned())
}

fn google(node: &Node<'_>, notebook: &mut Notebook) -> Option<Google> {
    if node.value == Value::Null {
        return Some(Google::default());
    }
    let fields = Fields::of(node, "`google`", GOOGLE_KEYS, notebook)?;
    let endpoint = endpoint(&fields, notebook)?;
    let service_account = match fields.get("service_account") {
        None => None,
        Some(node) => Some(reference(node, "the service account's key", notebook)?),
    };
    Some(Google { service_account, endpoint })
}

/// The outer `None`: it is there and wrong.
#[expect(clippy::option_option, reason = "a key that is absent is not one that is wrong")]
fn endpoint(fields: &Fields<'_, '_>, notebook: &mut Notebook) -> Option<Option<String>> {
    match fields.get("endpoint") {
        None => Some(None),
        Some(node) => base_url(node, "endpoint", notebook).map(Some),
    }
}
