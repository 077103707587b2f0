//! `approx_distinct`: about how many different values, in a fixed amount of memory.
//!
//! A HyperLogLog (P. Flajolet, É. Fusy, O. Gandouet, F. Meunier: "HyperLogLog: the analysis of a
//! near-optimal cardinality estimation algorithm", 2007) of 2^14 registers: its standard error is
//! `1.04 / sqrt(2^14)`, 0.81 %. The estimate is the improved one of O. Ertl ("New cardinality
//! estimation algorithms for HyperLogLog sketches", 2017), which needs no tables of corrections and
//! is good at all sizes. Up to 256 values their hashes are kept, and counted.
//!
//! The hash is the same in every process: results are the same in every run, and states of
//! different runs can be merged.

use super::{Accumulate, Argument, Function, Operand, Parameter, Sample, Value};
use crate::codec::{Damaged, Reader, put};

/// Bits of a hash that choose its register.
const PRECISION: u32 = 14;
const REGISTERS: usize = 1 << PRECISION;
/// The largest rank, less one: the bits that are left when the register is chosen.
const RANKS: usize = 64 - PRECISION as usize;
/// Most values that are counted exactly.
const MOST_EXACT: usize = 256;

/// What saved registers begin with; hashes begin with their count.
const ALL_REGISTERS: u64 = MOST_EXACT as u64 + 1;

/// The hashes of the values, or their registers.
#[derive(Clone, Debug)]
pub enum ApproxDistinct {
    /// At most [`MOST_EXACT`] different hashes, in order.
    Hashes(Vec<u64>),
    /// The largest rank of each register.
    Registers(Box<[u8]>),
}

impl Default for ApproxDistinct {
    fn default() -> Self {
        ApproxDistinct::Hashes(Vec::new())
    }
}

/// MurmurHash64A, by A. Appleby (2008, in the public domain). It must not change: saved states depend on it.
fn hash(bytes: &[u8]) -> u64 {
    const SEED: u64 = 0x5EED_0F57_12EA_3777;
    const FACTOR: u64 = 0xC6A4_A793_5BD1_E995;
    let (words, tail) = bytes.as_chunks::<8>();
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(FACTOR);
    for word in words {
        let word = u64::from_le_bytes(*word).wrapping_mul(FACTOR);
        hash = (hash ^ (word ^ word >> 47).wrapping_mul(FACTOR)).wrapping_mul(FACTOR);
    }
    if !tail.is_empty() {
        let rest = tail.iter().rev().fold(0, |rest, byte| rest << 8 | u64::from(*byte));
        hash = (hash ^ rest).wrapping_mul(FACTOR);
    }
    hash = (hash ^ hash >> 47).wrapping_mul(FACTOR);
    hash ^ hash >> 47
}

/// Notes a hash in its register: how many zeros its other bits begin with, plus one.
fn note(registers: &mut [u8], hash: u64) {
    let register = &mut registers[(hash >> (64 - PRECISION)) as usize];
    let rest = hash << PRECISION | 1 << (PRECISION - 1);
    *register = (*register).max(rest.leading_zeros() as u8 + 1);
}

/// Ertl's improved raw estimator (his algorithm 6).
fn estimate(registers: &[u8]) -> f64 {
    let mut ranks = [0u32; RANKS + 2];
    registers.iter().for_each(|rank| ranks[usize::from(*rank)] += 1);
    let all = REGISTERS as f64;
    let mut sum = all * tau(1.0 - f64::from(ranks[RANKS + 1]) / all);
    for count in ranks[1..=RANKS].iter().rev() {
        sum = (sum + f64::from(*count)) * 0.5;
    }
    sum += all * sigma(f64::from(ranks[0]) / all);
    all * all / (2.0 * std::f64::consts::LN_2 * sum)
}

/// `x + sum of x^(2^k) 2^(k - 1)`: for registers that are empty.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut factor, mut sum) = (1.0, x);
    loop {
        let before = sum;
        x *= x;
        sum += x * factor;
        factor += factor;
        if sum == before {
            return sum;
        }
    }
}

/// For registers that are full.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut factor, mut sum) = (1.0, 1.0 - x);
    loop {
        let before = sum;
        x = x.sqrt();
        factor *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * factor;
        if sum == before {
            return sum / 3.0;
        }
    }
}

impl ApproxDistinct {
    fn note(&mut self, hash: u64) {
        match self {
            ApproxDistinct::Registers(registers) => note(registers, hash),
            ApproxDistinct::Hashes(hashes) => {
                if let Err(at) = hashes.binary_search(&hash) {
                    hashes.insert(at, hash);
                }
                if hashes.len() > MOST_EXACT {
                    let mut registers = vec![0; REGISTERS].into_boxed_slice();
                    hashes.iter().for_each(|hash| note(&mut registers, *hash));
                    *self = ApproxDistinct::Registers(registers);
                }
            }
        }
    }

    fn count(&self) -> u64 {
        match self {
            ApproxDistinct::Hashes(hashes) => hashes.len() as u64,
            ApproxDistinct::Registers(registers) => estimate(registers).round() as u64,
        }
    }
}

impl Accumulate for ApproxDistinct {
    const FUNCTIONS: &'static [Function<Self>] = &[Function {
        name: "approx_distinct",
        operand: Operand::Value,
        parameter: Parameter::None,
        summary: "about how many, in at most 16 KiB",
        result: |approx, _| Value::Count(approx.count()),
    }];

    #[inline(never)]
    fn add(&mut self, sample: &Sample<'_>) {
        if let Some(value) = sample.value() {
            self.note(value.with_identity(hash));
        }
    }

    fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, ApproxDistinct::Hashes(hashes)) => hashes.iter().for_each(|hash| self.note(*hash)),
            (ApproxDistinct::Registers(mine), ApproxDistinct::Registers(others)) => {
                mine.iter_mut().zip(others).for_each(|(mine, other)| *mine = (*mine).max(*other));
            }
            (ApproxDistinct::Hashes(hashes), ApproxDistinct::Registers(others)) => {
                let mut registers = others.clone();
                hashes.iter().for_each(|hash| note(&mut registers, *hash));
                *self = ApproxDistinct::Registers(registers);
            }
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        match self {
            ApproxDistinct::Hashes(hashes) => {
                put(out, hashes.len() as u64);
                hashes.iter().for_each(|hash| out.extend_from_slice(&hash.to_le_bytes()));
            }
            ApproxDistinct::Registers(registers) => {
                put(out, ALL_REGISTERS);
                out.extend_from_slice(registers);
            }
        }
    }

    fn restore(_argument: &Argument, bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        match bytes.number()? {
            ALL_REGISTERS => {
                let registers = bytes.take(REGISTERS)?;
                if registers.iter().any(|rank| usize::from(*rank) > RANKS + 1) {
                    return Err(Damaged("a register has an impossible rank"));
                }
                Ok(ApproxDistinct::Registers(registers.into()))
            }
            length if length <= MOST_EXACT as u64 => {
                let (words, _) = bytes.take(length as usize * 8)?.as_chunks::<8>();
                let hashes: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
                match hashes.is_sorted_by(|a, b| a < b) {
                    true => Ok(ApproxDistinct::Hashes(hashes)),
                    false => Err(Damaged("hashes are not in order")),
                }
            }
            _ => Err(Damaged("there are too many hashes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Raw;
    use super::*;

    fn of(values: std::ops::Range<u64>) -> ApproxDistinct {
        let mut approx = ApproxDistinct::default();
        for value in values {
            let text = format!("user-{value}");
            approx.note(Raw::Text(text.as_bytes()).with_identity(hash));
        }
        approx
    }

    #[test]
    fn the_hash_is_the_same_for_ever() {
        for (text, expected) in [
            ("", 0xFEB8_7B03_30F6_D6C1),
            ("a", 0xC28B_35D6_B1CB_5B59),
            ("streamw", 0x7186_60B0_66D2_4543),
            ("01234567", 0x2891_575E_D4B0_8A4F),
            ("a longer text, of two words and more", 0xC1D9_5532_CADA_1A2A),
        ] {
            assert_eq!(hash(text.as_bytes()), expected, "{text}: {:#x}", hash(text.as_bytes()));
        }
    }

    #[test]
    fn up_to_256_values_are_counted() {
        assert_eq!(of(0..256).count(), 256);
    }

    #[test]
    fn the_error_is_about_one_percent_at_all_sizes() {
        let mut squares = Vec::new();
        for size in [300u64, 1000, 5000, 20_000, 40_000, 60_000, 100_000, 300_000] {
            for round in 0..4 {
                let approx = of(round << 32..(round << 32) + size);
                let error = approx.count() as f64 / size as f64 - 1.0;
                assert!(error.abs() < 0.0081 * 4.0, "{error} at {size}");
                squares.push(error * error);
            }
        }
        let deviation = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
        assert!(deviation < 0.0105, "{deviation}");
    }

    #[test]
    fn no_order_and_no_cut_shows() {
        for cut in [0, 10, 200, 300, 600] {
            let mut pieces = of(cut..700);
            pieces.merge(&of(0..cut));
            pieces.merge(&of(100..cut.max(100)));
            let mut turned = of(0..cut);
            turned.merge(&of(cut..700));
            assert_eq!((pieces.count(), turned.count()), (of(0..700).count(), of(0..700).count()), "cut at {cut}");
        }
    }
}
