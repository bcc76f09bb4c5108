//! The time that a blob's name tells: `apim-2026-11-23T10-05-00Z`, `apim_20261123-1005`, `apim-20261123`.
//!
//! Pure. A number that is no day since API Management exists is taken for something else.

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};

/// API Management exists since 2014; a number that would be an earlier day is not a day.
const FIRST_YEAR: i16 = 2014;
/// Nor is one that would be later than this.
const LAST_YEAR: i16 = 2099;

/// From `start`, as long as the finest part that the name writes: a day, a minute or a second. Read as UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: Timestamp,
    /// Exclusive.
    pub end: Timestamp,
}

/// The last time in `name`: what stands before it is usually the name of a service.
pub fn window(name: &str) -> Option<Window> {
    let groups = groups(name);
    let (mut next, mut last) = (0, None);
    while next < groups.len() {
        match read(&groups[next..]) {
            Some((window, used)) => {
                last = Some(window);
                next += used;
            }
            None => next += 1,
        }
    }
    last
}

/// Whether `name` begins with a time.
pub fn leads(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_digit()) && read(&groups(name)).is_some()
}

/// A run of digits.
#[derive(Clone, Copy, Debug)]
struct Group<'a> {
    digits: &'a str,
    /// One separator, and nothing else, stands between it and the group before.
    joined: bool,
}

fn groups(name: &str) -> Vec<Group<'_>> {
    let bytes = name.as_bytes();
    let mut groups = Vec::new();
    let (mut at, mut end_of_last) = (0, None);
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            at += 1;
            continue;
        }
        let joined = end_of_last.is_some_and(|end: usize| at == end + 1 && b"-_.:Tt ".contains(&bytes[end]));
        groups.push(Group { digits: &name[at..at + length], joined });
        at += length;
        end_of_last = Some(at);
    }
    groups
}

/// A time that begins with the first group, and how many groups it takes.
fn read(groups: &[Group<'_>]) -> Option<(Window, usize)> {
    let first = groups.first()?.digits;
    let (digits, day_groups) = match first.len() {
        8 | 12 | 14 => (first.to_owned(), 1),
        4 => {
            let [_, month, day, ..] = groups else { return None };
            let whole = [month, day].iter().all(|group| group.joined && group.digits.len() == 2);
            (whole.then(|| format!("{first}{}{}", month.digits, day.digits))?, 3)
        }
        _ => return None,
    };
    let date = civil::Date::new(number(&digits[..4])?, number(&digits[4..6])?, number(&digits[6..8])?).ok()?;
    if !(FIRST_YEAR..=LAST_YEAR).contains(&date.year()) {
        return None;
    }
    let (clock, used) = if digits.len() > 8 {
        (digits[8..].to_owned(), day_groups)
    } else {
        let (clock, clock_groups) = clock(&groups[day_groups..]);
        (clock, day_groups + clock_groups)
    };
    match time(&clock) {
        Some(time) => Some((span(date.to_datetime(time), if clock.len() == 6 { 1 } else { 60 })?, used)),
        None if digits.len() > 8 => None,
        None => Some((span(date.to_datetime(civil::Time::midnight()), 24 * 3600)?, day_groups)),
    }
}

/// The digits of an hour, minute and second that follow a day, and how many groups they take.
fn clock(groups: &[Group<'_>]) -> (String, usize) {
    match groups {
        [one, ..] if one.joined && matches!(one.digits.len(), 4 | 6) => (one.digits.to_owned(), 1),
        [..] => {
            let pairs: Vec<&str> = groups
                .iter()
                .take(3)
                .take_while(|group| group.joined && group.digits.len() == 2)
                .map(|group| group.digits)
                .collect();
            (pairs.concat(), pairs.len())
        }
    }
}

fn time(digits: &str) -> Option<civil::Time> {
    let second = match digits.len() {
        4 => 0,
        6 => number(&digits[4..6])?,
        _ => return None,
    };
    civil::Time::new(number(&digits[..2])?, number(&digits[2..4])?, second, 0).ok()
}

fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
    digits.parse().ok()
}

fn span(start: civil::DateTime, seconds: i64) -> Option<Window> {
    let start = start.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(Window { start, end: start.checked_add(SignedDuration::from_secs(seconds)).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str) -> Option<(String, i64)> {
        window(name).map(|window| (window.start.to_string(), window.end.duration_since(window.start).as_secs()))
    }

    #[test]
    fn reads_the_ways_in_which_people_name_backups() {
        for (name, start, seconds) in [
            ("apim-active-2026-11-23T10-05-00Z", "2026-11-23T10:05:00Z", 1),
            ("apim-active-2026-11-23T10:05:00.123Z", "2026-11-23T10:05:00Z", 1),
            ("apim_20261123-1005.apimbackup", "2026-11-23T10:05:00Z", 60),
            ("20261123T100500Z", "2026-11-23T10:05:00Z", 1),
            ("apim20261123100500", "2026-11-23T10:05:00Z", 1),
            ("202611231005", "2026-11-23T10:05:00Z", 60),
            ("apim-20261123", "2026-11-23T00:00:00Z", 86_400),
            ("apim-2026-11-23", "2026-11-23T00:00:00Z", 86_400),
            ("apim-20250101-20261123", "2026-11-23T00:00:00Z", 86_400),
            ("apim-2026-11-23-77-00", "2026-11-23T00:00:00Z", 86_400),
        ] {
            let expected = (!start.is_empty()).then(|| (start.to_owned(), seconds));
            assert_eq!(told(name), expected, "{name}");
        }
    }

    #[test]
    fn a_time_leads_only_at_the_beginning() {
        for (name, expected) in [
            ("20261123T100500Z.apimbackup", true),
            ("2026-11-23", true),
            ("dr-20261123T100500Z", false),
            ("2-20261123T100500Z", false),
            ("-20261123", false),
            ("", false),
        ] {
            assert_eq!(leads(name), expected, "{name}");
        }
    }

    #[test]
    fn takes_other_numbers_for_what_they_are() {
        for name in ["apim", "apim-v2", "customer-12345678", "apim-19990101", "apim-20261323", "apim-2026", "é20-٢"] {
            assert_eq!(told(name), None, "{name}");
        }
    }
}
