//! Figures: medians, units, and the table they are printed in.

use std::time::Duration;

/// Measured this many times, after one time that does not count.
const TIMES: usize = 5;

/// One line of the table.
pub struct Figure {
    name: String,
    value: String,
    /// Empty: nothing is promised, it stands beside what is.
    target: &'static str,
    met: bool,
}

impl Figure {
    pub fn new(name: &str, value: impl Into<String>, target: &'static str, met: bool) -> Self {
        Self { name: name.to_owned(), value: value.into(), target, met }
    }
}

pub fn median(mut measure: impl FnMut() -> Duration) -> Duration {
    measure();
    middle((0..TIMES).map(|_| measure()).collect())
}

pub fn middle(mut taken: Vec<Duration>) -> Duration {
    taken.sort_unstable();
    taken[taken.len() / 2]
}

pub fn per(whole: Duration, count: u32) -> Duration {
    whole / count
}

pub fn us(duration: Duration) -> String {
    format!("{:.2} µs", duration.as_secs_f64() * 1e6)
}

pub fn ms(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1e3)
}

/// Prints one part as soon as it is measured, so that a long bench shows where it is.
pub fn print(part: &str, figures: &[Figure]) {
    for (number, figure) in figures.iter().enumerate() {
        let part = if number == 0 { format!("({part})") } else { String::new() };
        let verdict = match (figure.target, figure.met) {
            ("", _) => "",
            (_, true) => "met",
            (_, false) => "MISSED",
        };
        println!("{part:<4} {:<62} {:>12}  {:<9} {verdict}", figure.name, figure.value, figure.target);
    }
}
