//! `median`, percentiles and `quantile`: linear interpolation between order statistics, as SQL's `percentile_cont`.
//!
//! Up to 128 numbers are kept as they are, and the answer is exact, rounded once. More go into the
//! buckets of a DDSketch (C. Masson, J. E. Rim, H. K. Lee: "DDSketch: a fast and fully-mergeable
//! quantile sketch with relative-error guarantees", VLDB 2019). Its buckets are fixed and only
//! counted, so a merge adds counts and no order shows in the result; the numbers themselves are in
//! some bucket whether they came before or after the 128th.
//!
//! The bounds are not powers of `(1 + a) / (1 - a)`, which take a logarithm that differs from one
//! machine to the next. Each doubling is cut into 100 equal parts, as in the paper's linearly
//! interpolated mapping: comparing bits finds the part, and the widest, a hundredth of its lower
//! bound, puts its middle within 0.4976 % of all its numbers.

use super::argument::Fraction;
use super::{Accumulate, Argument, Function, Operand, Parameter, Sample, Value, saved};
use crate::codec::{Damaged, Reader, put, put_float, put_signed};
use crate::event::number::{Number, pow10, ratio, ratio_big};
use num_bigint::BigInt;

/// Most numbers that are kept as they are.
const MOST_EXACT: usize = 128;

/// The numbers of a window, or how they are spread.
#[derive(Clone, Debug)]
pub enum Quantiles {
    /// At most [`MOST_EXACT`] numbers.
    Numbers(Vec<Number>),
    /// More than that.
    Sketch(Box<Sketch>),
}

/// Counts by bucket.
#[derive(Clone, Debug)]
pub struct Sketch {
    /// Place and count of each bucket that is not empty, by place.
    buckets: Vec<(i32, u64)>,
    count: u64,
    /// The outermost order statistics are known.
    min: f64,
    max: f64,
}

impl Default for Quantiles {
    fn default() -> Self {
        Quantiles::Numbers(Vec::new())
    }
}

/// Parts of a doubling.
const PARTS: i32 = 100;
/// The exponent of the smallest `f64` is -1074.
const EXPONENT_BIAS: i32 = 1074;

/// The largest place of a bucket.
const MOST_PLACE: i32 = (1023 + EXPONENT_BIAS + 1) * PARTS;

/// What a saved sketch begins with; numbers begin with their count.
const SKETCH: u64 = MOST_EXACT as u64 + 1;

/// The place of a number's bucket: in order of the numbers, 0 for 0.
fn place(value: f64) -> i32 {
    let magnitude = value.abs();
    if magnitude == 0.0 {
        return 0;
    }
    // A subnormal number has no leading one until it is scaled up.
    let (normal, scaled_by) =
        if magnitude < f64::MIN_POSITIVE { (magnitude * 2f64.powi(54), 54) } else { (magnitude, 0) };
    let bits = normal.to_bits();
    let exponent = (bits >> 52) as i32 - 1023 - scaled_by;
    let significand = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    let part = ((significand - 1.0) * f64::from(PARTS)) as i32;
    let place = (exponent + EXPONENT_BIAS) * PARTS + part + 1;
    if value < 0.0 { -place } else { place }
}

/// The number that stands for those of a bucket: it is off by the same share at both bounds.
fn middle(place: i32) -> f64 {
    if place == 0 {
        return 0.0;
    }
    let index = place.abs() - 1;
    let (exponent, part) = (index / PARTS - EXPONENT_BIAS, index % PARTS);
    let bound = |part: i32| 1.0 + f64::from(part) / f64::from(PARTS);
    let (low, high) = (bound(part), bound(part + 1));
    let significand = 2.0 * low * high / (low + high);
    // In two steps, as the smallest powers of two have no reciprocal.
    let half = exponent / 2;
    let magnitude = significand * 2f64.powi(half) * 2f64.powi(exponent - half);
    if place < 0 { -magnitude } else { magnitude }
}

impl Sketch {
    fn of(numbers: &[Number]) -> Sketch {
        let mut sketch = Sketch { buckets: Vec::new(), count: 0, min: f64::MAX, max: f64::MIN };
        numbers.iter().for_each(|number| sketch.add(number.to_f64()));
        sketch
    }

    fn add(&mut self, value: f64) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let place = place(value);
        match self.buckets.binary_search_by_key(&place, |bucket| bucket.0) {
            Ok(at) => self.buckets[at].1 += 1,
            Err(at) => self.buckets.insert(at, (place, 1)),
        }
    }

    fn merge(&mut self, other: &Sketch) {
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        let mine = std::mem::take(&mut self.buckets);
        self.buckets.reserve(mine.len().max(other.buckets.len()));
        let (mut mine, mut others) = (mine.into_iter().peekable(), other.buckets.iter().copied().peekable());
        loop {
            self.buckets.push(match (mine.peek().copied(), others.peek().copied()) {
                (Some((a, count)), Some((b, other_count))) if a == b => {
                    mine.next();
                    others.next();
                    (a, count + other_count)
                }
                (Some(bucket), Some((b, _))) if bucket.0 < b => {
                    mine.next();
                    bucket
                }
                (Some(bucket), None) => {
                    mine.next();
                    bucket
                }
                (_, Some(bucket)) => {
                    others.next();
                    bucket
                }
                (None, None) => break,
            });
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        put_float(out, self.min);
        put_float(out, self.max);
        put(out, self.buckets.len() as u64);
        let mut before = 0;
        for (place, count) in &self.buckets {
            put_signed(out, i64::from(place - before));
            put(out, *count);
            before = *place;
        }
    }

    fn restore(bytes: &mut Reader<'_>) -> Result<Sketch, Damaged> {
        let (min, max) = (bytes.finite()?, bytes.finite()?);
        if min > max {
            return Err(Damaged("the smallest number is larger than the largest"));
        }
        let length = bytes.length()?;
        let mut sketch = Sketch { buckets: Vec::with_capacity(length.min(MOST_PLACE as usize)), count: 0, min, max };
        let mut before = 0;
        for index in 0..length {
            let step = bytes.signed()?;
            let place = i64::from(before).saturating_add(step);
            let count = bytes.count()?;
            sketch.count = sketch.count.saturating_add(count);
            if (index > 0 && step <= 0) || place.abs() > i64::from(MOST_PLACE) || count == 0 {
                return Err(Damaged("the buckets of a sketch are not in order"));
            }
            before = place as i32;
            sketch.buckets.push((before, count));
        }
        if sketch.count == 0 || sketch.count > u64::MAX / 8 {
            return Err(Damaged("a sketch has an impossible count"));
        }
        Ok(sketch)
    }

    /// The order statistic of a rank, counted from 0.
    fn order_statistic(&self, rank: u64) -> f64 {
        if rank == 0 {
            return self.min;
        }
        if rank + 1 >= self.count {
            return self.max;
        }
        let mut below = 0;
        let found = self.buckets.iter().find(|(_, count)| {
            below += count;
            below > rank
        });
        found.map_or(self.max, |(place, _)| middle(*place).clamp(self.min, self.max))
    }

    fn quantile(&self, fraction: Fraction) -> f64 {
        let (rank, part) = fraction.position(self.count);
        let low = self.order_statistic(rank);
        if part.is_zero() { low } else { between_floats(low, self.order_statistic(rank + 1), part) }
    }
}

/// The number that lies `part` of the way from `low` to `high`.
fn between(low: &Number, high: &Number, part: Fraction) -> f64 {
    let (Some((a, s)), Some((b, t))) = (low.exact(), high.exact()) else {
        return between_floats(low.to_f64(), high.to_f64(), part);
    };
    let scale = s.max(t);
    let (factor_a, factor_b) = (pow10(scale - s), pow10(scale - t));
    let (weight, whole) = part.parts();
    let narrow = || {
        let low = a.checked_mul(factor_a)?.checked_mul(whole - weight)?;
        let high = b.checked_mul(factor_b)?.checked_mul(weight)?;
        Some(ratio(low.checked_add(high)?, whole.checked_mul(pow10(scale))?))
    };
    narrow().unwrap_or_else(|| {
        let sum = BigInt::from(a) * factor_a * (whole - weight) + BigInt::from(b) * factor_b * weight;
        ratio_big(&sum, &(BigInt::from(whole) * pow10(scale)))
    })
}

fn between_floats(low: f64, high: f64, part: Fraction) -> f64 {
    let (weight, distance) = (part.to_f64(), high - low);
    if distance.is_finite() { (low + distance * weight).clamp(low, high) } else { low * (1.0 - weight) + high * weight }
}

fn quantile_of(numbers: &[Number], fraction: Fraction) -> Value<'_> {
    if numbers.is_empty() {
        return Value::Null;
    }
    let (rank, part) = fraction.position(numbers.len() as u64);
    let mut sorted: Vec<&Number> = numbers.iter().collect();
    let (_, low, above) = sorted.select_nth_unstable_by(rank as usize, |a, b| a.compare(b));
    match above.iter().min_by(|a, b| a.compare(b)) {
        Some(high) if !part.is_zero() => Value::float(between(low, high, part)),
        _ => Value::float(low.to_f64()),
    }
}

impl Quantiles {
    fn quantile(&self, fraction: Fraction) -> Value<'_> {
        match self {
            Quantiles::Numbers(numbers) => quantile_of(numbers, fraction),
            Quantiles::Sketch(sketch) => Value::float(sketch.quantile(fraction)),
        }
    }

    fn make_sketch(&mut self) -> &mut Sketch {
        if let Quantiles::Numbers(numbers) = self {
            *self = Quantiles::Sketch(Box::new(Sketch::of(numbers)));
        }
        match self {
            Quantiles::Sketch(sketch) => sketch,
            Quantiles::Numbers(_) => unreachable!("it has just become a sketch"),
        }
    }
}

impl Accumulate for Quantiles {
    const FUNCTIONS: &'static [Function<Self>] = &[
        Function {
            name: "median",
            operand: Operand::Number,
            parameter: Parameter::None,
            summary: "the middle one; p50",
            result: |quantiles, _| quantiles.quantile(Fraction::HALF),
        },
        Function {
            name: "pNN",
            operand: Operand::Number,
            parameter: Parameter::Percentage,
            summary: "percentile, p0 to p100, such as p99 or p99.9",
            result: |quantiles, argument| quantiles.quantile(argument.fraction()),
        },
        Function {
            name: "quantile",
            operand: Operand::Number,
            parameter: Parameter::Quantile,
            summary: "the same by a share from 0 to 1",
            result: |quantiles, argument| quantiles.quantile(argument.fraction()),
        },
    ];

    #[inline(never)]
    fn add(&mut self, sample: &Sample<'_>) {
        let Some(number) = sample.number() else { return };
        match self {
            Quantiles::Sketch(sketch) => sketch.add(number.to_f64()),
            Quantiles::Numbers(numbers) if numbers.len() < MOST_EXACT => numbers.push(number.clone()),
            Quantiles::Numbers(_) => self.make_sketch().add(number.to_f64()),
        }
    }

    fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Quantiles::Numbers(mine), Quantiles::Numbers(others)) if mine.len() + others.len() <= MOST_EXACT => {
                mine.extend_from_slice(others);
            }
            (_, Quantiles::Numbers(others)) => {
                let sketch = self.make_sketch();
                others.iter().for_each(|number| sketch.add(number.to_f64()));
            }
            (_, Quantiles::Sketch(other)) => self.make_sketch().merge(other),
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        match self {
            Quantiles::Numbers(numbers) => {
                put(out, numbers.len() as u64);
                numbers.iter().for_each(|number| saved::put_number(out, number));
            }
            Quantiles::Sketch(sketch) => {
                put(out, SKETCH);
                sketch.save(out);
            }
        }
    }

    fn restore(_argument: &Argument, bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        match bytes.number()? {
            SKETCH => Ok(Quantiles::Sketch(Box::new(Sketch::restore(bytes)?))),
            length if length <= MOST_EXACT as u64 => {
                let numbers: Result<_, _> = (0..length).map(|_| saved::number(bytes)).collect();
                Ok(Quantiles::Numbers(numbers?))
            }
            _ => Err(Damaged("there are too many numbers")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Argument;
    use super::super::tests::{answer, fed};
    use super::*;

    const QUANTILE: usize = 2;

    #[track_caller]
    fn quantile(quantiles: &Quantiles, share: &str) -> f64 {
        let argument = Parameter::Quantile.parse(share).expect(share);
        match answer(quantiles, QUANTILE, argument) {
            Value::Float(value) => value,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn up_to_128_values_are_exact_and_rounded_once() {
        for (text, share, expected) in [
            ("1 2", "0.5", 1.5),
            ("3 1 2", "0.5", 2.0),
            ("0.1 0.2", "0.5", 0.15),
            ("0.1 0.2 0.4", "0.75", 0.3),
            ("5", "0.99", 5.0),
            ("10 20 30 40", "0.95", 38.5),
            ("10 20 30 40", "0", 10.0),
            ("10 20 30 40", "1", 40.0),
            ("-1e308 1e308", "0.5", 0.0),
            ("1e300 1", "0.5", 5e299),
            (
                "170141183460469231731687303715884105727 170141183460469231731687303715884105725",
                "0.5",
                170_141_183_460_469_231_731_687_303_715_884_105_726.0,
            ),
        ] {
            assert_eq!(quantile(&fed(text), share), expected, "{text} at {share}");
        }
        let nothing: Quantiles = fed("_ _");
        assert!(matches!(answer(&nothing, 0, Argument::None), Value::Null));
    }

    #[test]
    fn each_bucket_holds_what_is_within_half_a_percent_of_its_middle() {
        let mut value = f64::MIN_POSITIVE / 1e12;
        while value < f64::MAX / 2.0 {
            for value in [value, -value] {
                let middle = middle(place(value));
                assert!((middle - value).abs() <= 0.005 * value.abs(), "{value:e} as {middle:e}");
            }
            assert!(place(value) <= place(value * 1.001) && place(-value) >= place(-value * 1.001), "{value:e}");
            value *= 1.003_7;
        }
        for value in [0.0, 5e-324, f64::MIN_POSITIVE, 1.0, 2.0 - f64::EPSILON, 2.0, f64::MAX, -f64::MAX] {
            let middle = middle(place(value));
            assert!((middle - value).abs() <= 0.005 * value.abs(), "{value:e} as {middle:e}");
        }
    }

    #[test]
    fn beyond_128_values_order_statistics_are_within_half_a_percent() {
        let mut state = 1u64;
        let mut values: Vec<f64> = (0..2000)
            .map(|i| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let uniform = (state >> 11) as f64 / (1u64 << 53) as f64;
                if i % 50 == 0 { 0.0 } else { (uniform - 0.3) / (1.001 - uniform) * 1000.0 }
            })
            .collect();
        let text: Vec<_> = values.iter().map(|value| format!("{value}")).collect();
        let quantiles: Quantiles = fed(&text.join(" "));
        let Quantiles::Sketch(sketch) = &quantiles else { panic!("a sketch") };
        values.sort_unstable_by(f64::total_cmp);
        for (rank, value) in values.iter().enumerate() {
            let got = sketch.order_statistic(rank as u64);
            assert!((got - value).abs() <= 0.005 * value.abs(), "rank {rank}: {got} for {value}");
        }
        assert_eq!(quantile(&quantiles, "0"), values[0]);
        assert_eq!(quantile(&quantiles, "1"), values[1999]);
    }

    #[test]
    fn numbers_turn_into_the_same_buckets_whenever_they_come() {
        let text = |range: std::ops::Range<i32>| range.map(|i| (i * i % 977).to_string()).collect::<Vec<_>>().join(" ");
        for cut in [1, 100, 128, 129, 200, 299] {
            let whole: Quantiles = fed(&text(0..300));
            let mut pieces: Quantiles = fed(&text(cut..300));
            pieces.merge(&fed(&text(0..cut)));
            let (Quantiles::Sketch(whole), Quantiles::Sketch(pieces)) = (&whole, &pieces) else { panic!("sketches") };
            assert_eq!(whole.buckets, pieces.buckets, "cut at {cut}");
        }
    }
}
