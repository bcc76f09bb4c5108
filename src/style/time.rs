//! Durations and times as people say them. Times are always UTC.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// `0.4s`, `12s`, `45m`, `45m 10s`, `3h 02m`, `2d 03h`: the two largest units, the second left out when it is zero.
pub fn duration(duration: SignedDuration) -> String {
    let text = precise(duration);
    for zero in [" 00s", " 00m", " 00h"] {
        if let Some(short) = text.strip_suffix(zero) {
            return short.to_owned();
        }
    }
    text
}

/// As [`duration`], of a span that cannot be negative.
pub fn say(span: Duration) -> String {
    duration(SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX))
}

/// As [`duration`], but always with both units, so that a running clock keeps its shape.
pub fn precise(duration: SignedDuration) -> String {
    if duration.is_negative() {
        return format!("-{}", precise(duration.abs()));
    }
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0 if duration.subsec_millis() >= 100 => format!("0.{}s", duration.subsec_millis() / 100),
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m {:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{days}d {:02}h", hours % 24),
    }
}

/// `14:03:22Z`
pub fn time(at: Timestamp) -> String {
    at.strftime("%H:%M:%SZ").to_string()
}

/// `2026-11-23 14:03:22Z`
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_durations_as_people_do() {
        let cases = [
            (0, "0s"),
            (42, "0s"),
            (430, "0.4s"),
            (12_000, "12s"),
            (2_700_000, "45m"),
            (2_710_000, "45m 10s"),
            (3_600_000, "1h"),
            (10_920_000, "3h 02m"),
            (183_600_000, "2d 03h"),
            (-90_000, "-1m 30s"),
        ];
        for (milliseconds, expected) in cases {
            assert_eq!(duration(SignedDuration::from_millis(milliseconds)), expected);
        }
        assert_eq!(precise(SignedDuration::from_secs(2700)), "45m 00s");
    }

    #[test]
    fn says_times_in_utc() {
        let at: Timestamp = "2026-11-23T15:03:22.5+01:00".parse().unwrap();
        assert_eq!(time(at), "14:03:22Z");
        assert_eq!(moment(at), "2026-11-23 14:03:22Z");
    }
}
