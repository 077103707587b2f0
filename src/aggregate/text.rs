//! `min_text` and `max_text`: extremes in the order of UTF-8 bytes. A string counts unescaped,
//! anything else as it was written.

use super::{Accumulate, Argument, Function, Operand, Parameter, Raw, Sample, Value, saved};
use crate::codec::{Damaged, Reader, put_bytes};
use std::cmp::Ordering;

/// The first and the last text.
#[derive(Clone, Debug, Default)]
pub struct TextExtent(Option<Box<Bounds>>);

#[derive(Clone, Debug)]
struct Bounds {
    min: Box<[u8]>,
    max: Box<[u8]>,
}

impl TextExtent {
    fn include(&mut self, low: &[u8], high: &[u8]) {
        let extend = |kept: &mut Box<[u8]>, text: &[u8], beyond: Ordering| {
            if text.cmp(kept) == beyond {
                *kept = text.into();
            }
        };
        match &mut self.0 {
            None => self.0 = Some(Box::new(Bounds { min: low.into(), max: high.into() })),
            Some(bounds) => {
                extend(&mut bounds.min, low, Ordering::Less);
                extend(&mut bounds.max, high, Ordering::Greater);
            }
        }
    }
}

impl Accumulate for TextExtent {
    const FUNCTIONS: &'static [Function<Self>] = &[
        Function {
            name: "min_text",
            operand: Operand::Value,
            parameter: Parameter::None,
            summary: "the first in the order of UTF-8 bytes, as text",
            result: |extent, _| extent.0.as_ref().map_or(Value::Null, |bounds| Value::Raw(Raw::Text(&bounds.min))),
        },
        Function {
            name: "max_text",
            operand: Operand::Value,
            parameter: Parameter::None,
            summary: "the last in the order of UTF-8 bytes, as text",
            result: |extent, _| extent.0.as_ref().map_or(Value::Null, |bounds| Value::Raw(Raw::Text(&bounds.max))),
        },
    ];

    #[inline(never)]
    fn add(&mut self, sample: &Sample<'_>) {
        if let Some(value) = sample.value() {
            let text = value.text();
            self.include(&text, &text);
        }
    }

    fn merge(&mut self, other: &Self) {
        if let Some(Bounds { min, max }) = other.0.as_deref() {
            self.include(min, max);
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.0.is_some()));
        if let Some(Bounds { min, max }) = self.0.as_deref() {
            put_bytes(out, min);
            put_bytes(out, max);
        }
    }

    fn restore(_argument: &Argument, bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        let bounds = |bytes: &mut Reader<'_>| Ok(Bounds { min: bytes.bytes()?.into(), max: bytes.bytes()?.into() });
        Ok(TextExtent(saved::optional(bytes, bounds)?.map(Box::new)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Argument;
    use super::super::tests::{answer, fed};
    use super::*;

    #[test]
    fn strings_count_unescaped_and_numbers_as_written() {
        for (text, min, max) in [
            (r#""b" "a" "é" "z""#, "a", "é"),
            (r#""\u0062" "a\/b" "a-b""#, "a-b", "b"),
            ("9 10 1e1", "10", "9"),
            (r#"true "" [2]"#, "", "true"),
        ] {
            let extent: TextExtent = fed(text);
            for (function, expected) in [(0, min), (1, max)] {
                let value = answer(&extent, function, Argument::None);
                assert!(matches!(value, Value::Raw(Raw::Text(got)) if got == expected.as_bytes()), "{text}: {value:?}");
            }
        }
    }
}
