//! Ed25519 (RFC 8032) over approvals: keys as OpenSSL writes them, through the cryptography that TLS uses already.
//!
//! A private key never reaches an error, a log or `Debug`.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use azure_core::base64;
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};

/// What stands before the 32 bytes of a public key in its DER form (RFC 8410).
const PUBLIC_DER: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Who signed, and the signature; both base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Public key, DER: the middle line of `openssl pkey -in KEY.pem -pubout`.
    pub key: String,
    pub value: String,
}

impl Signature {
    pub(super) fn fits(&self, text: &[u8]) -> bool {
        let (Ok(key), Ok(value)) = (public_key(&self.key), base64::decode(&self.value)) else { return false };
        UnparsedPublicKey::new(&ED25519, key).verify(text, &value).is_ok()
    }
}

/// Why a key cannot be used: a lower-case fragment that shows nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    #[error("it is no private key in PEM form")]
    NotPem,
    #[error("it is no ed25519 key")]
    NotEd25519,
    #[error("it is no public ed25519 key in base64")]
    NotPublic,
}

impl KeyProblem {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotPem | Self::NotEd25519 => "`openssl genpkey -algorithm ed25519 -out KEY.pem` makes one",
            Self::NotPublic => "`openssl pkey -in KEY.pem -pubout` prints it: the line between the two of dashes",
        }
    }
}

/// A private key.
pub struct Key(Ed25519KeyPair);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.public())
    }
}

impl Key {
    /// PKCS#8, not encrypted.
    ///
    /// # Errors
    /// What of it cannot be used.
    pub fn of_pem(text: &str) -> Result<Self, KeyProblem> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyProblem::NotPem)?;
        // OpenSSL leaves the public half out, which the stricter reader wants.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
        pair.map(Self).map_err(|_| KeyProblem::NotEd25519)
    }

    /// As the site's `approval.trusted` names it.
    pub fn public(&self) -> String {
        let mut der = PUBLIC_DER.to_vec();
        der.extend(self.0.public_key().as_ref());
        base64::encode(der)
    }

    pub(super) fn sign(&self, text: &[u8]) -> Signature {
        Signature { key: self.public(), value: base64::encode(self.0.sign(text).as_ref()) }
    }
}

/// The 32 bytes of a public key, from its DER form or bare, in base64.
///
/// # Errors
/// It is neither.
pub fn public_key(text: &str) -> Result<Vec<u8>, KeyProblem> {
    let bytes = base64::decode(text.trim()).map_err(|_| KeyProblem::NotPublic)?;
    let bare = bytes.strip_prefix(&PUBLIC_DER).unwrap_or(&bytes);
    if bare.len() == 32 { Ok(bare.to_vec()) } else { Err(KeyProblem::NotPublic) }
}
