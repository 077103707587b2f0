//! Aggregates: accumulators that add, merge and say their result. They know no windows and no watermark.
//!
//! A new aggregate is a file beside this one with `impl Accumulate`, and a line in the table
//! [`aggregates!`] below; parsing, help and the laws at the end of this file follow from it.

mod approx;
mod arg;
mod argument;
mod collect;
mod count;
mod distinct;
mod extent;
mod moments;
mod numbers;
mod order;
pub mod plan;
mod quantile;
mod raw;
mod saved;
mod sum;
mod text;
mod top;

pub use argument::{Argument, Parameter};
use raw::OwnedRaw;
pub use raw::Raw;

use crate::codec::{Damaged, Reader};
use crate::event::{EventBatch, RawValue, number::Number, number::pow10};
use crate::time::Timestamp;
use num_bigint::BigInt;

/// One event as an accumulator sees it: one field of one row of a batch.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    /// The batch.
    pub batch: &'a EventBatch,
    /// The event in it.
    pub index: usize,
    /// The field to look at, an index into the batch's value columns; none for `count`.
    pub field: Option<usize>,
    /// A second field, by whose number the values are chosen.
    pub by: Option<usize>,
    /// The event's number in the order of arrival.
    pub arrival: u64,
}

impl<'a> Sample<'a> {
    /// The event time.
    #[inline]
    pub fn time(&self) -> Timestamp {
        self.batch.times[self.index]
    }

    /// The field's number, unless it is null (N2).
    #[inline]
    pub fn number(&self) -> Option<&'a Number> {
        self.batch.numbers.get(self.field?)?.get(self.index)?.as_ref()
    }

    /// The second field's number, unless it is null.
    fn by_number(&self) -> Option<&'a Number> {
        self.batch.numbers.get(self.by?)?.get(self.index)?.as_ref()
    }

    /// The field's value, unless it is null (N2).
    pub fn value(&self) -> Option<Raw<'a>> {
        match *self.batch.values.get(self.field?)?.get(self.index)? {
            RawValue::Null => None,
            RawValue::Json(span) => Some(Raw::Json(self.batch.text(span))),
            RawValue::Text(span) => Some(Raw::Text(self.batch.text(span))),
        }
    }

    /// Whether the field is there and not null; true without a field.
    #[inline]
    pub fn is_present(&self) -> bool {
        self.field.is_none() || self.number().is_some() || self.value().is_some()
    }
}

/// What an aggregate says at the end, ready to be written.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// Nothing: no values, or no finite result.
    Null,
    /// A count.
    Count(u64),
    /// An exact number: `mantissa / 10^scale`, with `.0` if whole and `pointed`.
    Exact {
        /// The digits as an integer.
        mantissa: i128,
        /// Digits after the point.
        scale: u8,
        /// Whether a whole number is written with `.0`.
        pointed: bool,
    },
    /// As [`Value::Exact`], beyond 128 bits.
    ExactBig {
        /// The digits as an integer.
        mantissa: BigInt,
        /// Digits after the point.
        scale: u8,
        /// Whether a whole number is written with `.0`.
        pointed: bool,
    },
    /// A finite floating-point number.
    Float(f64),
    /// A value as it was read.
    Raw(Raw<'a>),
    /// Several of them.
    List(Vec<Raw<'a>>),
    /// Values and how often they came.
    Tallies(Vec<(Raw<'a>, u64)>),
}

impl Value<'_> {
    /// A float, or null if it is not finite (N1).
    fn float(value: f64) -> Self {
        // Adding 0 makes -0 0.
        if value.is_finite() { Value::Float(value + 0.0) } else { Value::Null }
    }

    fn of_number(number: &Number) -> Self {
        match number.exact() {
            Some((mantissa, scale)) => Value::Exact { mantissa, scale, pointed: number.is_pointed() },
            None => Value::float(number.to_f64()),
        }
    }

    /// `high - low`, exact if both are.
    fn difference(high: &Number, low: &Number, pointed: bool) -> Self {
        let (Some((a, s)), Some((b, t))) = (high.exact(), low.exact()) else {
            return Value::float(high.to_f64() - low.to_f64());
        };
        let scale = s.max(t);
        let (factor_a, factor_b) = (pow10(scale - s), pow10(scale - t));
        let narrow = || a.checked_mul(factor_a)?.checked_sub(b.checked_mul(factor_b)?);
        match narrow() {
            Some(mantissa) => Value::Exact { mantissa, scale, pointed },
            None => {
                let mantissa = BigInt::from(a) * factor_a - BigInt::from(b) * factor_b;
                Value::ExactBig { mantissa, scale, pointed }
            }
        }
    }
}

/// What a function works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// Whole events, or with a field the events that have it.
    EventOrValue,
    /// Numbers of a field.
    Number,
    /// Any values of a field.
    Value,
}

/// A function that an accumulator can answer, such as `avg` of a sum.
pub struct Function<A: 'static> {
    /// Its name in `-a`.
    pub name: &'static str,
    /// What it works on.
    pub operand: Operand,
    /// What else it takes.
    pub parameter: Parameter,
    /// What it says, for the help.
    pub summary: &'static str,
    /// The answer.
    pub result: for<'a> fn(&'a A, &Argument) -> Value<'a>,
}

/// The state of one aggregate for one key and window.
pub trait Accumulate: Default + Clone + 'static {
    /// The functions it can answer; those over the same field share it.
    const FUNCTIONS: &'static [Function<Self>];

    /// Whether what is kept depends on the argument, so that only functions with equal ones share it.
    const IS_SHAPED: bool = false;

    /// One that has seen nothing, where the argument makes no difference to it. What is known beforehand is copied as a
    /// whole; what is put together has to come out of the processor's hands first, behind all else that it writes.
    const FRESH: Option<Accumulator> = None;

    /// Whether, of events of equal time, those that arrive first decide the answer.
    const HEEDS_ARRIVAL: bool = false;

    /// An accumulator that has seen nothing.
    fn new(_argument: &Argument) -> Self {
        Self::default()
    }

    /// Adds one event.
    fn add(&mut self, sample: &Sample<'_>);

    /// Adds the events of `other`, the later piece.
    fn merge(&mut self, other: &Self);

    /// Appends what is kept, so that [`Accumulate::restore`] makes the same of it, in this version or a later one.
    fn save(&self, out: &mut Vec<u8>);

    /// The accumulator that was saved, of one with the same argument.
    ///
    /// # Errors
    /// Nobody can have saved this.
    fn restore(argument: &Argument, bytes: &mut Reader<'_>) -> Result<Self, Damaged>;
}

/// A function of the table, for parsing and for the help.
pub struct Listed {
    /// Its name in `-a`.
    pub name: &'static str,
    /// What it works on.
    pub operand: Operand,
    /// What else it takes.
    pub parameter: Parameter,
    /// What it says.
    pub summary: &'static str,
}

impl Listed {
    /// How it is written: `top:FIELD:K`.
    pub fn usage(&self) -> String {
        let field = if self.operand == Operand::EventOrValue { "[:FIELD]" } else { ":FIELD" };
        let argument = self.parameter.placeholder().map(|placeholder| format!(":{placeholder}"));
        format!("{}{field}{}", self.name, argument.unwrap_or_default())
    }
}

/// A line of the table: what can be asked of one kind of accumulator.
pub struct Family {
    /// Appends a new accumulator that has seen nothing: made where it is to be, as there may be very many.
    pub push: fn(&Argument, &mut Vec<Accumulator>),
    /// One that was [saved](Accumulator::save).
    pub restore: fn(&Argument, &mut Reader<'_>) -> Result<Accumulator, Damaged>,
    /// Whether only functions with equal arguments share an accumulator.
    pub is_shaped: bool,
    /// Whether answers depend on the order in which events of equal time arrive.
    pub heeds_arrival: bool,
    /// Its functions.
    pub functions: &'static [Listed],
}

macro_rules! aggregates {
    ($($variant:ident: $accumulator:ty,)+) => {
        /// Any accumulator. An enum and not a trait object: there is one per key, window and
        /// aggregate, and they lie side by side.
        #[derive(Clone, Debug)]
        pub enum Accumulator {
            $(#[doc = concat!("See `", stringify!($accumulator), "`.")] $variant($accumulator),)+
        }

        /// Every kind of accumulator there is.
        pub static FAMILIES: &[Family] = &[$(Family {
            push: |argument, to| {
                match <$accumulator>::FRESH {
                    Some(fresh) => to.push(fresh),
                    None => to.push(Accumulator::$variant(<$accumulator>::new(argument))),
                }
            },
            restore: |argument, bytes| Ok(Accumulator::$variant(<$accumulator>::restore(argument, bytes)?)),
            is_shaped: <$accumulator>::IS_SHAPED,
            heeds_arrival: <$accumulator>::HEEDS_ARRIVAL,
            functions: {
                const LISTED: [Listed; <$accumulator>::FUNCTIONS.len()] = listed(<$accumulator>::FUNCTIONS);
                &LISTED
            },
        }),+];

        impl Accumulator {
            /// Adds one event.
            #[inline]
            pub fn add(&mut self, sample: &Sample<'_>) {
                match self {
                    $(Accumulator::$variant(accumulator) => accumulator.add(sample),)+
                }
            }

            /// Adds the events of `other`, the later piece, which is of the same kind.
            pub fn merge(&mut self, other: &Accumulator) {
                match (self, other) {
                    $((Accumulator::$variant(accumulator), Accumulator::$variant(other)) => accumulator.merge(other),)+
                    _ => debug_assert!(false, "accumulators of one slot are of one kind"),
                }
            }

            /// Appends what is kept.
            #[inline]
            pub fn save(&self, out: &mut Vec<u8>) {
                match self {
                    $(Accumulator::$variant(accumulator) => accumulator.save(out),)+
                }
            }

            /// The answer of the function at `index` in its family.
            pub fn result(&self, index: usize, argument: &Argument) -> Value<'_> {
                match self {
                    $(Accumulator::$variant(accumulator) => {
                        (<$accumulator>::FUNCTIONS[index].result)(accumulator, argument)
                    })+
                }
            }
        }
    };
}

const fn listed<A, const N: usize>(functions: &'static [Function<A>]) -> [Listed; N] {
    let mut list = [const { Listed { name: "", operand: Operand::Value, parameter: Parameter::None, summary: "" } }; N];
    let mut i = 0;
    while i < N {
        let Function { name, operand, parameter, summary, .. } = functions[i];
        list[i] = Listed { name, operand, parameter, summary };
        i += 1;
    }
    list
}

aggregates! {
    Count: count::Count,
    Numbers: numbers::Numbers,
    First: order::First,
    Last: order::Last,
    Course: order::Course,
    Moments: moments::Moments,
    Quantiles: quantile::Quantiles,
    Distinct: distinct::Distinct,
    ApproxDistinct: approx::ApproxDistinct,
    TextExtent: text::TextExtent,
    Tallies: top::Tallies,
    ArgMin: arg::ArgMin,
    ArgMax: arg::ArgMax,
    Collect: collect::Collect,
}

/// The functions of all families: family, index in it, and what is known of it.
pub fn functions() -> impl Iterator<Item = (usize, usize, &'static Listed)> {
    FAMILIES.iter().enumerate().flat_map(|(family, entry)| {
        entry.functions.iter().enumerate().map(move |(index, function)| (family, index, function))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TextSpan;

    /// A batch with one field whose literals are the words of `text`; `_` is null.
    pub(super) fn batch(text: &str) -> EventBatch {
        let mut batch = EventBatch::new(1, 1);
        batch.bytes = text.as_bytes().to_vec();
        let mut start = 0;
        for (i, word) in text.split(' ').enumerate() {
            let span = TextSpan { start: start as u32, len: word.len() as u32 };
            batch.times.push(Timestamp((i as i64 * 7) % 5));
            batch.numbers[0].push(Number::parse(word.as_bytes()));
            batch.values[0].push(if word == "_" { RawValue::Null } else { RawValue::Json(span) });
            start += word.len() + 1;
        }
        batch
    }

    /// An accumulator of one kind that has seen the words of `text`.
    pub(super) fn fed<A: Accumulate>(text: &str) -> A {
        let batch = batch(text);
        let mut accumulator = A::new(&Argument::Count(3));
        for index in 0..batch.times.len() {
            accumulator.add(&Sample { batch: &batch, index, field: Some(0), by: Some(0), arrival: index as u64 });
        }
        accumulator
    }

    /// What the function at `index` says.
    pub(super) fn answer<A: Accumulate>(accumulator: &A, index: usize, argument: Argument) -> Value<'_> {
        (A::FUNCTIONS[index].result)(accumulator, &argument)
    }

    impl Family {
        fn fresh(&self) -> Accumulator {
            let mut made = Vec::new();
            (self.push)(&Argument::Count(3), &mut made);
            made.remove(0)
        }
    }

    fn fed_range(family: &Family, batch: &EventBatch, range: std::ops::Range<usize>) -> Accumulator {
        let mut accumulator = family.fresh();
        for index in range {
            accumulator.add(&Sample { batch, index, field: Some(0), by: Some(0), arrival: index as u64 });
        }
        accumulator
    }

    fn answers(family: &Family, accumulator: &Accumulator) -> Vec<String> {
        let ask = |(index, function): (usize, &Listed)| {
            let argument = match function.parameter {
                Parameter::Percentage => "99.9",
                parameter => parameter.example().unwrap_or_default(),
            };
            let argument = function.parameter.parse(argument).expect("the example is one");
            format!("{}: {:?}", function.name, accumulator.result(index, &argument))
        };
        family.functions.iter().enumerate().map(ask).collect()
    }

    /// As many different numbers of all magnitudes, and some more.
    fn many(count: u64) -> String {
        let mut state = 7u64;
        let mut words = Vec::new();
        for i in 0..count {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            words.push(match i % 7 {
                0 => "_".to_owned(),
                1 => format!("{}", state % 50),
                2 => format!("-{}e-30", state % 1000),
                3 => format!("{}.0", state % 20),
                4 => format!("{}", state),
                5 => format!("1000000000.{:09}", state % 1_000_000_000),
                _ => format!("0.{}", state % 10_000),
            });
        }
        words.join(" ")
    }

    #[test]
    fn accumulators_are_half_a_cache_line() {
        // The kind is told by a byte of the numbers that can hold more than it needs to; nothing else may be in its place.
        assert_eq!(size_of::<Accumulator>(), 32);
    }

    #[test]
    fn merging_any_two_pieces_is_the_whole() {
        for text in [
            "1 2 3 4 5 6 7 8 9",
            "0.1 0.2 -3 _ 2.50 1e2 _ 170141183460469231731687303715884105727 1e-19",
            "_ _ _",
            "5 5.0 5 -0 0.0",
            "1e25 1.5 -3e-25 1e25 7",
            "170141183460469231731687303715884105727 170141183460469231731687303715884105727 0.0000000000000000001",
            &many(1000),
        ] {
            let batch = batch(text);
            let count = batch.times.len();
            for family in FAMILIES {
                let whole = answers(family, &fed_range(family, &batch, 0..count));
                // f64 values are added in order, so their sums may differ in the last digit (N1).
                let turns = !whole[0].starts_with("sum: Float");
                for cut in (0..=count).step_by(1 + count / 25) {
                    let (first, second) = (fed_range(family, &batch, 0..cut), fed_range(family, &batch, cut..count));
                    let mut straight = first.clone();
                    straight.merge(&second);
                    let mut turned = second;
                    turned.merge(&first);
                    if turns {
                        assert_eq!(answers(family, &straight), whole, "{text:.90} cut at {cut}");
                        assert_eq!(answers(family, &turned), whole, "{text:.90} cut at {cut}, turned round");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_saved_goes_on_as_if_it_had_not_been() {
        let max = "170141183460469231731687303715884105727";
        for text in ["_ _ _", "0.1 2.50 -3 _ 1e2", &format!("{max} {max} 1e300 0.5 {max}"), &many(1000)] {
            let batch = batch(text);
            let count = batch.times.len();
            for family in FAMILIES {
                let whole = answers(family, &fed_range(family, &batch, 0..count));
                for cut in (0..=count).step_by(1 + count / 9) {
                    let mut saved = Vec::new();
                    fed_range(family, &batch, 0..cut).save(&mut saved);
                    let mut bytes = Reader::new(&saved);
                    let mut restored = (family.restore)(&Argument::Count(3), &mut bytes).expect("it was saved");
                    assert_eq!(bytes.end(), Ok(()));
                    for index in cut..count {
                        let arrival = index as u64;
                        restored.add(&Sample { batch: &batch, index, field: Some(0), by: Some(0), arrival });
                    }
                    assert_eq!(answers(family, &restored), whole, "{text:.90} cut at {cut}");
                    // What is cut off is damaged, wherever.
                    for length in (0..saved.len()).step_by(1 + saved.len() / 50) {
                        let mut bytes = Reader::new(&saved[..length]);
                        assert!((family.restore)(&Argument::Count(3), &mut bytes).is_err(), "{length} of {saved:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_merged_into_something_changes_nothing() {
        for text in ["3 1.5 _", &many(600)] {
            let batch = batch(text);
            for family in FAMILIES {
                let whole = fed_range(family, &batch, 0..batch.times.len());
                let (mut left, mut right) = (family.fresh(), whole.clone());
                left.merge(&whole);
                right.merge(&family.fresh());
                assert_eq!(answers(family, &left), answers(family, &whole));
                assert_eq!(answers(family, &right), answers(family, &whole));
            }
        }
    }

    #[test]
    fn names_are_unique_and_accumulators_small() {
        let names: Vec<_> = functions().map(|(.., function)| function.name).collect();
        let unique: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
        assert!(size_of::<Accumulator>() <= 40, "{} bytes", size_of::<Accumulator>());
    }
}
