//! `approval`: how approvals are signed, and whose signatures count.
//!
//! ```yaml
//! approval:
//!   key: { env: LIFEBOAT_APPROVAL_KEY }        # of whoever approves; PKCS#8, PEM
//!   trusted: { dana: MCowBQYDK2VwAyEA… }        # openssl pkey -in KEY.pem -pubout
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{SecretReference, credential::reference};
use crate::runbook::{
    fields::{self, Fields, Key, key},
    problem::{Notebook, mistake},
    source::Node,
};

const KEYS: &[Key] = &[
    key("key", "where the private key of whoever approves is"),
    key("trusted", "name to public key of who may approve"),
];

/// Length in base64 of an ed25519 public key, DER or bare.
const LENGTHS: [usize; 2] = [60, 44];

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRules {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretReference>,
    /// Name → public key in base64. Empty: a signature is no condition.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub trusted: BTreeMap<String, String>,
}

pub(super) fn approval(node: &Node<'_>, notebook: &mut Notebook) -> Option<ApprovalRules> {
    let fields = Fields::of(node, "`approval`", KEYS, notebook)?;
    let key = fields.get("key").and_then(|node| reference(node, "the key that approvals are signed with", notebook));
    let mut trusted = BTreeMap::new();
    if let Some(node) = fields.get("trusted") {
        for entry in fields::map(node, notebook)? {
            let text = fields::plain_text(&entry.value, "`trusted`", notebook)?;
            let is_base64 = |letter: char| letter.is_ascii_alphanumeric() || "+/=".contains(letter);
            if !LENGTHS.contains(&text.len()) || !text.chars().all(is_base64) {
                notebook.add(entry.value.head(), mistake::bad_public_key(&entry.key));
                continue;
            }
            trusted.insert(entry.key.to_string(), text.to_owned());
        }
    }
    Some(ApprovalRules { key, trusted })
}
