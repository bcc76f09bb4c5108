//! A private key behind a password: PKCS#8 with PBES2, PBKDF2 and AES in CBC mode, which is what OpenSSL writes.
//! Pure. Anything older is refused with the command that converts it.

use std::num::NonZeroU32;

use aws_lc_rs::{
    cipher::{AES_128, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey},
    iv::FixedLength,
    pbkdf2,
};
use azure_core::base64;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use x509_parser::der_parser::{ber::BerObject, der::parse_der};

use super::{AzureError, certificate_assertion::wrong};

const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";
/// Of the key derivation. OpenSSL takes 2,048, careful people a million; more only keeps somebody waiting.
const MOST_ITERATIONS: u32 = 10_000_000;

const CONVERT: &str =
    "convert it with `openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in KEY.pem -out KEY8.pem`";

/// The key as PKCS#8. None: there is no encrypted key in the text.
pub(super) fn decrypt(pem: &str, password: Option<&SecretString>) -> Result<Option<SecretSlice<u8>>, AzureError> {
    if pem.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(wrong("the private key is encrypted in an old form".to_owned(), CONVERT));
    }
    let Some(body) = pem.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).map(|(body, _)| body) else {
        return Ok(None);
    };
    let password = password.ok_or_else(|| {
        wrong(
            "the private key is encrypted and there is no password".to_owned(),
            "name it in the site file: `password: { env: NAME }`",
        )
    })?;
    let text: String = body.split_whitespace().collect();
    let der = base64::decode(text).ok();
    let sealed = der
        .as_deref()
        .and_then(read)
        .ok_or_else(|| wrong("the private key is encrypted in a way that is not known".to_owned(), CONVERT))?;
    let opened = open(sealed, password);
    opened.map(Some).ok_or_else(|| {
        wrong("the password does not open the private key".to_owned(), "check the password that the site file names")
    })
}

struct Sealed {
    salt: Vec<u8>,
    iterations: NonZeroU32,
    derivation: pbkdf2::Algorithm,
    cipher: &'static Algorithm,
    key_bytes: usize,
    iv: [u8; 16],
    data: Vec<u8>,
}

/// `EncryptedPrivateKeyInfo` (RFC 5958) with PBES2 (RFC 8018). None: something else.
fn read(der: &[u8]) -> Option<Sealed> {
    let (_, info) = parse_der(der).ok()?;
    let [algorithm, data] = sequence(&info)? else { return None };
    let [scheme, parameters] = sequence(algorithm)? else { return None };
    let [derivation, cipher] = sequence(parameters)? else { return None };
    let [function, settings] = sequence(derivation)? else { return None };
    if oid(scheme)? != "1.2.840.113549.1.5.13" || oid(function)? != "1.2.840.113549.1.5.12" {
        return None;
    }
    let [salt, iterations, rest @ ..] = sequence(settings)? else { return None };
    // The key's length may stand between both; it follows from the cipher.
    let hash = rest.iter().find_map(|one| oid(sequence(one)?.first()?));
    let [cipher, iv] = sequence(cipher)? else { return None };
    let (cipher, key_bytes): (&'static Algorithm, _) = match oid(cipher)?.as_str() {
        "2.16.840.1.101.3.4.1.2" => (&AES_128, 16),
        "2.16.840.1.101.3.4.1.42" => (&AES_256, 32),
        _ => return None,
    };
    let derivation = match hash.as_deref() {
        None | Some("1.2.840.113549.2.7") => pbkdf2::PBKDF2_HMAC_SHA1,
        Some("1.2.840.113549.2.9") => pbkdf2::PBKDF2_HMAC_SHA256,
        Some("1.2.840.113549.2.11") => pbkdf2::PBKDF2_HMAC_SHA512,
        Some(_) => return None,
    };
    Some(Sealed {
        salt: salt.as_slice().ok()?.to_vec(),
        iterations: NonZeroU32::new(iterations.as_u32().ok()?).filter(|count| count.get() <= MOST_ITERATIONS)?,
        derivation,
        cipher,
        key_bytes,
        iv: iv.as_slice().ok()?.try_into().ok()?,
        data: data.as_slice().ok()?.to_vec(),
    })
}

fn open(sealed: Sealed, password: &SecretString) -> Option<SecretSlice<u8>> {
    let mut key = SecretSlice::from(vec![0; sealed.key_bytes]);
    let secret = password.expose_secret().as_bytes();
    pbkdf2::derive(
        sealed.derivation,
        sealed.iterations,
        &sealed.salt,
        secret,
        secrecy::ExposeSecretMut::expose_secret_mut(&mut key),
    );
    let key = UnboundCipherKey::new(sealed.cipher, key.expose_secret()).ok()?;
    let mut data = sealed.data;
    let context = DecryptionContext::Iv128(FixedLength::from(sealed.iv));
    let length = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?.decrypt(&mut data, context).ok()?.len();
    data.truncate(length);
    // A wrong password leaves a padding that fits once in 256 times; what it opens is then no key.
    parse_der(&data).ok().filter(|(rest, _)| rest.is_empty())?;
    Some(SecretSlice::from(data))
}

fn sequence<'a, 'b>(object: &'a BerObject<'b>) -> Option<&'a [BerObject<'b>]> {
    object.as_sequence().ok().map(Vec::as_slice)
}

fn oid(object: &BerObject<'_>) -> Option<String> {
    object.as_oid().ok().map(ToString::to_string)
}
