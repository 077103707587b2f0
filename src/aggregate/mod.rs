//! Aggregates: accumulators that add, merge and say their result. They know no windows and no watermark.
//!
//! A new aggregate is a file beside this one with `impl Accumulate`, and a line in the table
//! [`aggregates!`] below; parsing, help and the laws at the end of this file follow from it.

mod count;
mod extent;
mod order;
pub mod plan;
mod sum;

use crate::event::{EventBatch, RawValue, number::Number};
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
    /// The event's number in the order of arrival.
    pub arrival: u64,
}

/// A value as read: a JSON value, or text that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw<'a> {
    /// A JSON value as written.
    Json(&'a [u8]),
    /// Text.
    Text(&'a [u8]),
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
    /// What it says, for the help.
    pub summary: &'static str,
    /// The answer.
    pub result: for<'a> fn(&'a A) -> Value<'a>,
}

/// The state of one aggregate for one key and window.
pub trait Accumulate: Default + Clone + 'static {
    /// The functions it can answer; those over the same field share it.
    const FUNCTIONS: &'static [Function<Self>];

    /// Adds one event.
    fn add(&mut self, sample: &Sample<'_>);

    /// Adds the events of `other`, the later piece.
    fn merge(&mut self, other: &Self);
}

/// A line of the table: what can be asked of one kind of accumulator.
pub struct Family {
    /// A new accumulator that has seen nothing.
    pub new: fn() -> Accumulator,
    /// Name, operand and summary of its functions.
    pub functions: &'static [(&'static str, Operand, &'static str)],
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
            new: || Accumulator::$variant(<$accumulator>::default()),
            functions: {
                const LISTED: [(&str, Operand, &str); <$accumulator>::FUNCTIONS.len()] = listed(<$accumulator>::FUNCTIONS);
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

            /// The answer of the function at `index` in its family.
            pub fn result(&self, index: usize) -> Value<'_> {
                match self {
                    $(Accumulator::$variant(accumulator) => (<$accumulator>::FUNCTIONS[index].result)(accumulator),)+
                }
            }
        }
    };
}

const fn listed<A, const N: usize>(functions: &'static [Function<A>]) -> [(&'static str, Operand, &'static str); N] {
    let mut list = [("", Operand::Value, ""); N];
    let mut i = 0;
    while i < N {
        list[i] = (functions[i].name, functions[i].operand, functions[i].summary);
        i += 1;
    }
    list
}

aggregates! {
    Count: count::Count,
    Sum: sum::Sum,
    Extent: extent::Extent,
    First: order::First,
    Last: order::Last,
}

/// The functions of all families: family, index in it, name, operand, summary.
pub fn functions() -> impl Iterator<Item = (usize, usize, &'static str, Operand, &'static str)> {
    FAMILIES.iter().enumerate().flat_map(|(family, entry)| {
        entry
            .functions
            .iter()
            .enumerate()
            .map(move |(index, (name, operand, summary))| (family, index, *name, *operand, *summary))
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

    fn fed(family: &Family, batch: &EventBatch, range: std::ops::Range<usize>) -> Accumulator {
        let mut accumulator = (family.new)();
        for index in range {
            accumulator.add(&Sample { batch, index, field: Some(0), arrival: index as u64 });
        }
        accumulator
    }

    fn answers(family: &Family, accumulator: &Accumulator) -> Vec<String> {
        (0..family.functions.len()).map(|i| format!("{:?}", accumulator.result(i))).collect()
    }

    #[test]
    fn merging_any_two_pieces_is_the_whole() {
        for text in [
            "1 2 3 4 5 6 7 8 9",
            "0.1 0.2 -3 _ 2.50 1e2 _ 170141183460469231731687303715884105727 1e-19",
            "_ _ _",
            "5 5.0 5 -0 0.0",
            "170141183460469231731687303715884105727 170141183460469231731687303715884105727 0.0000000000000000001",
        ] {
            let batch = batch(text);
            let count = batch.times.len();
            for family in FAMILIES {
                let whole = answers(family, &fed(family, &batch, 0..count));
                for cut in 0..=count {
                    let mut first = fed(family, &batch, 0..cut);
                    first.merge(&fed(family, &batch, cut..count));
                    assert_eq!(answers(family, &first), whole, "{text} cut at {cut}");
                    // Exact results, extents and edges depend on no order (N1).
                    let mut second = fed(family, &batch, cut..count);
                    second.merge(&fed(family, &batch, 0..cut));
                    assert_eq!(answers(family, &second), whole, "{text} cut at {cut}, turned round");
                }
            }
        }
    }

    #[test]
    fn nothing_merged_into_something_changes_nothing() {
        let batch = batch("3 1.5 _");
        for family in FAMILIES {
            let whole = fed(family, &batch, 0..3);
            let (mut left, mut right) = ((family.new)(), whole.clone());
            left.merge(&whole);
            right.merge(&(family.new)());
            assert_eq!(answers(family, &left), answers(family, &whole));
            assert_eq!(answers(family, &right), answers(family, &whole));
        }
    }

    #[test]
    fn names_are_unique_and_accumulators_small() {
        let names: Vec<_> = functions().map(|(_, _, name, ..)| name).collect();
        let unique: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
        assert!(size_of::<Accumulator>() <= 64, "{} bytes", size_of::<Accumulator>());
    }
}
