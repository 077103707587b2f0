//! Random numbers that are the same for the same seed, on every machine.

/// splitmix64 (G. L. Steele, D. Lea, C. H. Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Numbers that follow from a seed alone.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1, without 1.
    pub fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From 0 to a number, without it; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_seed_and_within_bounds() {
        // The first number of splitmix64 for the seed 0, as published with it.
        assert_eq!(Random::new(0).bits(), 0xE220_A839_7B1D_CDAF);
        let mut random = Random::new(7);
        let numbers: Vec<u64> = (0..1_000).map(|_| random.below(10)).collect();
        assert!((0..10).all(|number| numbers.iter().filter(|other| **other == number).count() > 50));
        assert!(numbers.iter().all(|number| *number < 10));
        assert_eq!(random.below(0), 0);
        assert!((0..1_000).map(|_| random.share()).all(|share| (0.0..1.0).contains(&share)));
    }
}
