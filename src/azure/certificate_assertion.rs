//! A client assertion signed with the private key of a certificate (docs/decisions/0007). Pure: text in, text out.
//!
//! ```text
//!  { alg: PS256, typ: JWT, x5t#S256: SHA-256 of the certificate } . { aud, iss, sub, jti, nbf, iat, exp } . signature
//! ```
//!
//! Never keeps the key, and nothing of it is in an error.

use aws_lc_rs::{rand::SystemRandom, rsa::KeyPair, signature};
use azure_core::{Uuid, base64::encode_url_safe};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use x509_parser::parse_x509_certificate;

use super::{AzureError, AzureErrorKind, encrypted_key};

/// As Microsoft's own clients: long enough for a clock that is a little off.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// An assertion for `audience`, a token endpoint. `pem` holds the certificate and its private key, in any order.
///
/// # Errors
/// [`AzureErrorKind::Credential`]: what of the file cannot be used, and the command that helps.
pub(super) fn sign(
    pem: &SecretString,
    password: Option<&SecretString>,
    client_id: &str,
    audience: &str,
    now: Timestamp,
) -> Result<SecretString, AzureError> {
    let text = pem.expose_secret();
    let certificate = certificate(text, now)?;
    let key = key(text, password)?;
    if aws_lc_rs::signature::KeyPair::public_key(&key).as_ref() != certificate.public_key {
        return Err(wrong(
            "the private key is not the one of the certificate".to_owned(),
            "put the certificate and its own private key into the file",
        ));
    }
    let part = |value: &serde_json::Value| encode_url_safe(value.to_string());
    let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": encode_url_safe(Sha256::digest(&certificate.der)) });
    let claims = json!({
        "aud": audience, "iss": client_id, "sub": client_id, "jti": Uuid::new_v4().to_string(),
        "nbf": now.as_second(), "iat": now.as_second(), "exp": (now + LIFETIME).as_second(),
    });
    let message = format!("{}.{}", part(&header), part(&claims));
    let mut signed = vec![0; key.public_modulus_len()];
    key.sign(&signature::RSA_PSS_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signed)
        .map_err(|_| wrong("the private key cannot sign".to_owned(), "use an RSA key of 2048 bits or more"))?;
    Ok(format!("{message}.{}", encode_url_safe(signed)).into())
}

struct Certificate {
    der: Vec<u8>,
    /// `RSAPublicKey`, DER.
    public_key: Vec<u8>,
}

/// The first certificate of the file: the application's own, where a chain follows.
fn certificate(pem: &str, now: Timestamp) -> Result<Certificate, AzureError> {
    let Some(Ok(der)) = CertificateDer::pem_slice_iter(pem.as_bytes()).next() else {
        return Err(wrong(
            "there is no certificate in PEM form".to_owned(),
            "convert PKCS#12 with `openssl pkcs12 -in FILE.pfx -nodes -out FILE.pem`",
        ));
    };
    let broken = || wrong("the certificate cannot be read".to_owned(), "export it again, in PEM form");
    let (_, parsed) = parse_x509_certificate(&der).map_err(|_| broken())?;
    let end = Timestamp::from_second(parsed.validity().not_after.timestamp()).map_err(|_| broken())?;
    if end <= now {
        return Err(wrong(
            format!("the certificate ended at {end}"),
            "make a new one, register it with the application, and put it where the site file says",
        ));
    }
    Ok(Certificate { public_key: parsed.public_key().subject_public_key.data.to_vec(), der: der.to_vec() })
}

fn key(pem: &str, password: Option<&SecretString>) -> Result<KeyPair, AzureError> {
    let unusable = || {
        wrong(
            "the private key is not an RSA key that can be used".to_owned(),
            "Entra ID takes RSA keys of 2048 bits or more: make such a key and certificate",
        )
    };
    if let Some(der) = encrypted_key::decrypt(pem, password)? {
        return KeyPair::from_pkcs8(der.expose_secret()).map_err(|_| unusable());
    }
    match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
        Ok(PrivateKeyDer::Pkcs8(der)) => KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| unusable()),
        Ok(PrivateKeyDer::Pkcs1(der)) => KeyPair::from_der(der.secret_pkcs1_der()).map_err(|_| unusable()),
        Ok(_) => Err(unusable()),
        Err(_) => Err(wrong(
            "there is no private key in PEM form".to_owned(),
            "put certificate and key into one file: `openssl pkcs12 -in FILE.pfx -nodes -out FILE.pem`",
        )),
    }
}

pub(super) fn wrong(message: String, hint: &str) -> AzureError {
    AzureError { hint: Some(hint.to_owned()), ..AzureError::new(AzureErrorKind::Credential, message) }
}
