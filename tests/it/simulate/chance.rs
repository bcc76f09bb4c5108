//! All chance of one seed.

use std::time::Duration;

/// `SplitMix64`.
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_F491_4F6C_DD1D))
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }

    /// Once in `often` times.
    pub fn once_in(&mut self, often: u64) -> bool {
        self.below(often) == 0
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[usize::try_from(self.below(items.len() as u64)).unwrap()]
    }

    /// Mostly short, sometimes as long as the longest.
    pub fn time(&mut self, longest: Duration) -> Duration {
        let part = self.below(1000) * self.below(1000) * self.below(1000);
        longest.mul_f64(part as f64 / 1e9) + Duration::from_millis(1)
    }
}
