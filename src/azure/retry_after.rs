//! How long Azure asks to wait: three headers, seconds, milliseconds or a date. Pure.

use std::time::Duration;

use http::HeaderMap;
use jiff::{Timestamp, fmt::rfc2822};

/// The most precise of `x-ms-retry-after-ms`, `retry-after-ms` and `Retry-After`; a date in the past is zero.
/// None when there is none, or none that can be read.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let milliseconds =
        ["x-ms-retry-after-ms", "retry-after-ms"].into_iter().find_map(|name| header(name)?.parse().ok());
    if let Some(milliseconds) = milliseconds {
        return Some(Duration::from_millis(milliseconds));
    }
    let value = header("retry-after")?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = http_date(value)?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// `Wed, 21 Oct 2026 07:28:00 GMT`: the form of HTTP headers and of blob listings.
pub fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&'static str, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        retry_after(&headers, "2026-10-21T07:27:00Z".parse().unwrap())
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(asked(&[("retry-after", "17")]), Some(Duration::from_secs(17)));
        assert_eq!(asked(&[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")]), Some(Duration::from_mins(1)));
        assert_eq!(asked(&[("retry-after", "Wed, 21 Oct 2026 07:26:00 GMT")]), Some(Duration::ZERO));
        assert_eq!(asked(&[("retry-after-ms", "1500")]), Some(Duration::from_millis(1500)));
        assert_eq!(asked(&[("retry-after", "2"), ("x-ms-retry-after-ms", "1200")]), Some(Duration::from_millis(1200)));
        assert_eq!(asked(&[("retry-after", "2"), ("x-ms-retry-after-ms", "soon")]), Some(Duration::from_secs(2)));
    }

    #[test]
    fn nonsense_is_none() {
        assert_eq!(asked(&[]), None);
        assert_eq!(asked(&[("retry-after", "soon")]), None);
        assert_eq!(asked(&[("retry-after", "-5")]), None);
    }
}
