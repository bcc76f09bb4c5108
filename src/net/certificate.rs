//! What a server's certificate says of itself. Reads only; whether to trust it was decided in the handshake.

use jiff::Timestamp;
use sha1::{Digest, Sha1};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use super::http::Certificate;

/// None when it is not X.509, which a finished handshake rules out.
pub(super) fn read(der: &[u8]) -> Option<Certificate> {
    let (_, certificate) = parse_x509_certificate(der).ok()?;
    let names = match certificate.subject_alternative_name().ok()? {
        Some(alternatives) => alternatives.value.general_names.iter().filter_map(dns_name).collect(),
        None => Vec::new(),
    };
    Some(Certificate {
        thumbprint: thumbprint(der),
        subject: certificate.subject().to_string(),
        names,
        not_after: Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()?,
    })
}

/// SHA-1, upper-case hex, as Azure writes it.
pub fn thumbprint(der: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha1::digest(der).iter().fold(String::with_capacity(40), |mut text, byte| {
        write!(text, "{byte:02X}").expect("a string takes everything");
        text
    })
}

fn dns_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_thumbprint_is_upper_case_sha1() {
        // SHA-1("abc"), FIPS 180-4.
        assert_eq!(super::thumbprint(b"abc"), "A9993E364706816ABA3E25717850C26C9CD0D89D");
    }
}
