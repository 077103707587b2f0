//! The extent of any numbers.

use super::{Value, saved};
use crate::codec::{Damaged, Reader};
use crate::event::number::Number;
use std::cmp::Ordering;

/// The smallest and the largest number.
#[derive(Clone, Debug, Default)]
pub struct Extent {
    bounds: Option<Bounds>,
    /// Whether any input was written with a point or an exponent.
    pointed: bool,
}

#[derive(Clone, Debug)]
struct Bounds {
    min: Number,
    max: Number,
}

/// Takes `candidate` for `kept` if it lies beyond it on the side of `beyond`. Of equal numbers the
/// integer spelling wins (N1).
#[inline]
fn extend(kept: &mut Number, candidate: &Number, beyond: Ordering) {
    let order = candidate.compare(kept);
    if order == beyond {
        *kept = candidate.clone();
    } else if order == Ordering::Equal && !candidate.is_pointed() {
        kept.set_integral();
    }
}

impl Extent {
    /// From the smallest to the largest; `pointed` as if any number between was.
    pub fn of(min: Number, max: Number, pointed: bool) -> Extent {
        Extent { bounds: Some(Bounds { min, max }), pointed }
    }

    /// Appends what is kept.
    pub fn save(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.pointed) | u8::from(self.bounds.is_some()) << 1);
        if let Some(Bounds { min, max }) = &self.bounds {
            saved::put_number(out, min);
            saved::put_number(out, max);
        }
    }

    /// What was saved.
    ///
    /// # Errors
    /// It is damaged.
    pub fn restore(bytes: &mut Reader<'_>) -> Result<Extent, Damaged> {
        let flags = bytes.byte()?;
        let bounds = match flags >> 1 {
            0 => None,
            1 => Some(Bounds { min: saved::number(bytes)?, max: saved::number(bytes)? }),
            _ => return Err(Damaged("an extent is of no known kind")),
        };
        Ok(Extent { bounds, pointed: flags & 1 == 1 })
    }

    /// Adds a number.
    pub fn add(&mut self, number: &Number) {
        self.pointed |= number.is_pointed();
        self.include(number, number);
    }

    /// Adds the numbers of `other`.
    pub fn merge(&mut self, other: &Extent) {
        self.pointed |= other.pointed;
        if let Some(Bounds { min, max }) = &other.bounds {
            self.include(min, max);
        }
    }

    fn include(&mut self, low: &Number, high: &Number) {
        match &mut self.bounds {
            None => self.bounds = Some(Bounds { min: low.clone(), max: high.clone() }),
            Some(Bounds { min, max }) => {
                extend(min, low, Ordering::Less);
                extend(max, high, Ordering::Greater);
            }
        }
    }

    /// The smallest.
    pub fn min(&self) -> Value<'static> {
        self.bounds.as_ref().map_or(Value::Null, |bounds| Value::of_number(&bounds.min))
    }

    /// The largest.
    pub fn max(&self) -> Value<'static> {
        self.bounds.as_ref().map_or(Value::Null, |bounds| Value::of_number(&bounds.max))
    }

    /// Largest minus smallest.
    pub fn range(&self) -> Value<'static> {
        let Some(Bounds { min, max }) = &self.bounds else { return Value::Null };
        Value::difference(max, min, self.pointed)
    }
}
