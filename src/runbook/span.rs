//! Durations as people write them: `90m`, `1h30m`, `250ms`, `30d`. A number without a unit is an error.

use std::{fmt::Write as _, time::Duration};

use serde::{Deserialize, Deserializer, Serializer};

/// Longest duration that is accepted: a year. Nothing in a failover lasts longer.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// Reads `90m`, `1h 30m`, `250ms`, `30d`. Units: `ms s m h d`, largest first, each at most once.
///
/// # Errors
/// A lower-case fragment that says what is wrong and how to write it.
pub fn parse(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let text = text.trim();
    let wrong = || format!("`{text}` is not a duration; write a number with a unit, such as `90s`, `45m` or `1h30m`");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("`{text}` has no unit; write `{text}s`, `{text}m` or `{text}h`"));
    }
    let mut rest = text;
    let mut total: u64 = 0;
    let mut next_unit = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = &rest[digits..digits + letters];
        let place = UNITS.iter().position(|(name, _)| *name == unit).ok_or_else(wrong)?;
        if place < next_unit {
            return Err(wrong());
        }
        next_unit = place + 1;
        total = number.checked_mul(UNITS[place].1).and_then(|ms| total.checked_add(ms)).ok_or_else(wrong)?;
        rest = rest[digits + letters..].trim_start();
    }
    let duration = Duration::from_millis(total);
    if text.is_empty() || duration > LONGEST { Err(wrong()) } else { Ok(duration) }
}

/// The shortest text that `parse` reads back: `1h30m`, `45m`, `1s500ms`; `0s` for zero. Whole milliseconds.
pub fn format(duration: Duration) -> String {
    let mut ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if ms >= size {
            write!(text, "{}{unit}", ms / size).expect("a string takes everything");
            ms %= size;
        }
    }
    text
}

pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    parse(&text).map_err(serde::de::Error::custom)
}

/// The same for a duration that may be absent.
pub mod optional {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| super::parse(&text).map_err(serde::de::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes() {
        for text in ["0s", "90ms", "45m", "1h30m", "30d", "1d2h3m4s5ms"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
        assert_eq!(parse("1h 30m"), parse("90m"));
    }

    #[test]
    fn refuses_what_is_not_a_duration() {
        for text in ["", "5", "m", "1x", "30m1h", "1m1m", "-1s", "1.5h", "99999999999999999999s", "9999d"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
