//! Base64, as far as Azure's operation ids, etags and markers need it. Not for secrets: not constant time.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648 with padding.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().enumerate().fold(0_u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for at in 0..4 {
            if at <= group.len() {
                text.push(char::from(ALPHABET[(bits >> (18 - 6 * at)) as usize & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

/// None: not Base64 with padding.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    if !text.len().is_multiple_of(4) {
        return None;
    }
    for group in text.as_bytes().chunks(4) {
        let padding = group.iter().rev().take_while(|byte| **byte == b'=').count();
        if padding > 2 {
            return None;
        }
        let mut bits = 0_u32;
        for byte in &group[..4 - padding] {
            let digit = ALPHABET.iter().position(|letter| letter == byte)?;
            bits = bits << 6 | u32::try_from(digit).ok()?;
        }
        bits <<= 6 * padding;
        bytes.extend_from_slice(bits.to_be_bytes().get(1..4 - padding)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_as_the_recorded_operation_id() {
        let id = "Y2VudHJhbHVzZXVhcDpzZGt0ZXN0YXBpbTQzODlfUmVzdG9yZV9iOThmNmE0YQ==";
        assert_eq!(encode(b"centraluseuap:sdktestapim4389_Restore_b98f6a4a"), id);
        assert_eq!(decode(id).unwrap(), b"centraluseuap:sdktestapim4389_Restore_b98f6a4a");
        for wrong in ["abc", "a===", "=abc", "a b="] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
