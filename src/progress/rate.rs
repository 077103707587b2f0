//! How fast it goes: a mean that forgets.

use std::time::Duration;

/// After so many seconds, two thirds of what was is forgotten.
const MEMORY: f64 = 5.0;

/// So much per second, lately.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    mean: f64,
    /// How much of the mean is measured; it begins with nothing.
    weight: f64,
}

impl Rate {
    /// So much has come in this time.
    pub fn add(&mut self, amount: u64, passed: Duration) {
        let seconds = passed.as_secs_f64();
        if seconds > 0.0 {
            let kept = (-seconds / MEMORY).exp();
            self.mean = self.mean * kept + amount as f64 / seconds * (1.0 - kept);
            self.weight = self.weight * kept + (1.0 - kept);
        }
    }

    /// Per second; 0 if nothing has been measured.
    pub fn get(self) -> f64 {
        if self.weight > 0.0 { self.mean / self.weight } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_itself_from_the_beginning_and_a_new_one_is_learnt() {
        let mut rate = Rate::default();
        assert_eq!(rate.get(), 0.0);
        rate.add(7, Duration::ZERO);
        assert_eq!(rate.get(), 0.0);
        for (amount, millis) in [(50, 500), (10, 100), (200, 2000)] {
            rate.add(amount, Duration::from_millis(millis));
            assert!((rate.get() - 100.0).abs() < 1e-9, "{rate:?}");
        }
        for _ in 0..200 {
            rate.add(1, Duration::from_millis(100));
        }
        assert!((10.0..12.0).contains(&rate.get()), "{rate:?}");
    }
}
