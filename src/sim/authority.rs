//! The simulator's certificate authority: real certificates, made when they are first shown.
//!
//! A world on a paused clock derives its keys from the seed, so that thumbprints repeat; nobody outside the
//! process ever trusts them. Every other world draws random keys, for its CA file may be added to a trust store.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use sha1::Digest;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject};

use crate::net;

/// Certificates begin a day before the world, so that a clock that is a little late accepts them.
const HEAD_START: SignedDuration = SignedDuration::from_hours(24);
/// Longer than any drill, shorter than what Apple's verifier refuses.
const CA_VALIDITY: Duration = Duration::from_hours(365 * 24);

/// rcgen's own type of time is the time crate's, which this package does not name.
macro_rules! moment {
    ($at:expr) => {{
        let since_1970 = Duration::from_secs(u64::try_from($at.as_second()).expect("after 1970"));
        rcgen::date_time_ymd(1970, 1, 1) + since_1970
    }};
}

/// What is kept of an authority across a restart: keys included.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeptAuthority {
    /// Keys are derived from it; none: they were random.
    seed: Option<u64>,
    started: Timestamp,
    key: String,
    certificate: String,
    leaves: BTreeMap<String, KeptLeaf>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptLeaf {
    names: Vec<String>,
    not_after: Timestamp,
    key: String,
    certificate: String,
}

/// A server's certificate and its key.
pub(super) struct Leaf {
    pub shown: net::Certificate,
    pub der: CertificateDer<'static>,
    /// PKCS #8, PEM.
    pub key: String,
    pem: String,
}

pub(super) struct Authority {
    seed: Option<u64>,
    started: Timestamp,
    key: String,
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    leaves: Mutex<BTreeMap<String, Arc<Leaf>>>,
}

impl Authority {
    pub fn new(seed: Option<u64>, started: Timestamp) -> Self {
        let key = new_key(seed, "authority");
        let pem = ca_params(started).self_signed(&key).expect("the parameters are fixed").pem();
        Self::assemble(seed, started, key, pem, BTreeMap::new())
    }

    /// # Errors
    /// A lower-case fragment: which part of the kept authority cannot be read.
    pub fn restore(kept: KeptAuthority) -> Result<Self, String> {
        let key = KeyPair::from_pem(&kept.key).map_err(|error| format!("the authority's key: {error}"))?;
        let mut leaves = BTreeMap::new();
        for (label, leaf) in kept.leaves {
            let der = CertificateDer::from_pem_slice(leaf.certificate.as_bytes())
                .map_err(|error| format!("the certificate `{label}`: {error:?}"))?;
            let shown = describe(&der, leaf.names, leaf.not_after);
            leaves.insert(label, Arc::new(Leaf { shown, der, key: leaf.key, pem: leaf.certificate }));
        }
        Ok(Self::assemble(kept.seed, kept.started, key, kept.certificate, leaves))
    }

    pub fn keep(&self) -> KeptAuthority {
        let leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = |leaf: &Leaf| KeptLeaf {
            names: leaf.shown.names.clone(),
            not_after: leaf.shown.not_after,
            key: leaf.key.clone(),
            certificate: leaf.pem.clone(),
        };
        KeptAuthority {
            seed: self.seed,
            started: self.started,
            key: self.key.clone(),
            certificate: self.pem.clone(),
            leaves: leaves.iter().map(|(label, leaf)| (label.clone(), kept(leaf))).collect(),
        }
    }

    /// The authority's own certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The certificate for `names` that ends `validity` after the start of the world (negative: before it).
    pub fn leaf(&self, names: &[&str], validity: SignedDuration) -> Arc<Leaf> {
        let label = format!("{} {}", names.join(","), validity.as_secs());
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(leaves.entry(label).or_insert_with_key(|label| Arc::new(self.issue(label, names, validity))))
    }

    fn assemble(
        seed: Option<u64>,
        started: Timestamp,
        key: KeyPair,
        pem: String,
        leaves: BTreeMap<String, Arc<Leaf>>,
    ) -> Self {
        let text = key.serialize_pem();
        let issuer = Issuer::new(ca_params(started), key);
        Self { seed, started, key: text, issuer, pem, leaves: Mutex::new(leaves) }
    }

    fn issue(&self, label: &str, names: &[&str], validity: SignedDuration) -> Leaf {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = new_key(self.seed, label);
        let mut params = CertificateParams::new(names.clone()).expect("names of hosts are ASCII");
        // X.509 knows whole seconds only.
        let not_after = whole_second(self.started + validity);
        params.not_before = moment!(not_after.min(self.started) - HEAD_START);
        params.not_after = moment!(not_after);
        params.distinguished_name.push(DnType::CommonName, names[0].clone());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).expect("the parameters are fixed");
        let der = certificate.der().clone();
        Leaf { shown: describe(&der, names, not_after), der, key: key.serialize_pem(), pem: certificate.pem() }
    }
}

impl Leaf {
    /// Whether a client that asked for `host` takes the certificate for it at `now`.
    ///
    /// # Errors
    /// A lower-case fragment: why not.
    pub fn verify(&self, host: &str, now: Timestamp) -> Result<(), String> {
        if now >= self.shown.not_after {
            return Err(format!("the certificate of {host} expired at {}", self.shown.not_after));
        }
        let covers = |name: &String| match name.strip_prefix("*.") {
            Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
            None => name.eq_ignore_ascii_case(host),
        };
        if self.shown.names.iter().any(covers) {
            Ok(())
        } else {
            Err(format!("the certificate is for {}, not for {host}", self.shown.names.join(", ")))
        }
    }
}

fn describe(der: &CertificateDer<'_>, names: Vec<String>, not_after: Timestamp) -> net::Certificate {
    let thumbprint = sha1::Sha1::digest(der).iter().fold(String::new(), |text, byte| text + &format!("{byte:02X}"));
    net::Certificate { thumbprint, subject: format!("CN={}", names[0]), names, not_after }
}

fn ca_params(started: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = moment!(started - HEAD_START);
    params.not_after = moment!(started + CA_VALIDITY);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "lifeboat simulator");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// P-256, which every client knows; or Ed25519 from the seed, whose signatures repeat.
fn new_key(seed: Option<u64>, label: &str) -> KeyPair {
    /// Everything of a PKCS #8 Ed25519 key but its 32 bytes (RFC 8410).
    const ED25519: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let Some(seed) = seed else { return KeyPair::generate().expect("the system gives random bytes") };
    let secret = sha2::Sha256::digest(format!("lifeboat simulator {seed} {label}"));
    let mut der = ED25519.to_vec();
    der.extend_from_slice(&secret);
    KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(der), &rcgen::PKCS_ED25519)
        .expect("any 32 bytes are an Ed25519 key")
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).expect("in range, it was a timestamp")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        "2026-03-01T02:00:00Z".parse().unwrap()
    }

    #[test]
    fn derived_certificates_repeat_and_random_ones_survive_a_restart() {
        let day = SignedDuration::from_hours(24);
        let thumbprint = |authority: &Authority| authority.leaf(&["api.contoso.com"], day).shown.thumbprint.clone();
        let derived = || Authority::new(Some(7), start());
        assert_eq!(thumbprint(&derived()), thumbprint(&derived()));
        let random = Authority::new(None, start());
        assert_ne!(thumbprint(&random), thumbprint(&Authority::new(None, start())));
        let kept = thumbprint(&random);
        let again = Authority::restore(random.keep()).unwrap();
        assert_eq!(thumbprint(&again), kept);
        assert_eq!(again.pem(), random.pem());
    }

    #[test]
    fn a_certificate_is_for_its_names_and_its_time() {
        let leaf = Authority::new(Some(1), start()).leaf(&["*.azure-api.net"], SignedDuration::from_hours(1));
        assert_eq!(leaf.verify("a.azure-api.net", start()), Ok(()));
        assert!(leaf.verify("a.b.azure-api.net", start()).is_err());
        assert!(leaf.verify("azure-api.net", start()).is_err());
        assert!(leaf.verify("a.azure-api.net", start() + SignedDuration::from_hours(1)).is_err());
    }
}
