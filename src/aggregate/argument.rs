//! What a function takes besides its field: `0.95`, `3`, another field, or the `99.9` in the name of `p99.9`.

use crate::event::number::{Number, pow10};

/// What stands after the field, or in the function's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// Nothing.
    None,
    /// A percentage, in the name: `p99.9`.
    Percentage,
    /// A share of the values from 0 to 1.
    Quantile,
    /// How many, and the letter for it in the help.
    Count(&'static str),
    /// A field of numbers by which values are chosen.
    Field,
}

/// An argument as read. That of [`Parameter::Field`] is not among them: it is in the sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Argument {
    /// There is none.
    #[default]
    None,
    /// Which quantile.
    Quantile(Fraction),
    /// How many.
    Count(u32),
}

/// A number from 0 to 1, exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    numerator: i128,
    denominator: i128,
}

/// Most digits after the point of a [`Fraction`]: a position among 2^64 values then fits 128 bits.
const MOST_DIGITS: u8 = 18;

/// Most values that `top` and `collect` can be asked for.
const MOST_COUNT: u32 = 1_000_000;

impl Fraction {
    /// One half.
    pub const HALF: Fraction = Fraction { numerator: 1, denominator: 2 };

    /// Reads a number from 0 to `whole`, a power of ten, as a share of it.
    fn parse(text: &str, whole: u8) -> Option<Fraction> {
        let (numerator, scale) = Number::parse(text.as_bytes())?.exact()?;
        let scale = scale + whole;
        let is_share = scale <= MOST_DIGITS && (0..=pow10(scale)).contains(&numerator);
        is_share.then(|| Fraction { numerator, denominator: pow10(scale) })
    }

    /// Where this share of `count` values lies, counted from 0: whole steps, and the part of one more.
    pub fn position(self, count: u64) -> (u64, Fraction) {
        let steps = self.numerator * i128::from(count.saturating_sub(1));
        let part = Fraction { numerator: steps % self.denominator, denominator: self.denominator };
        // At most `count`, as the fraction is at most 1.
        ((steps / self.denominator) as u64, part)
    }

    /// Whether it is 0.
    pub fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// Numerator and denominator.
    pub fn parts(self) -> (i128, i128) {
        (self.numerator, self.denominator)
    }

    /// The nearest `f64`, up to a rounding.
    pub fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

impl Parameter {
    /// Reads an argument.
    ///
    /// # Errors
    /// What would have been one.
    pub fn parse(self, text: &str) -> Result<Argument, String> {
        match self {
            Parameter::None | Parameter::Field => Ok(Argument::None),
            Parameter::Percentage => {
                let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
                let fraction = if is_plain { Fraction::parse(text, 2) } else { None };
                fraction.map(Argument::Quantile).ok_or_else(|| "a percentile goes from p0 to p100".into())
            }
            Parameter::Quantile => Fraction::parse(text, 0)
                .map(Argument::Quantile)
                .ok_or_else(|| "a quantile is a number from 0 to 1, with at most 18 digits after the point".into()),
            Parameter::Count(_) => match text.parse() {
                Ok(count @ 1..=MOST_COUNT) if !text.starts_with('+') => Ok(Argument::Count(count)),
                _ => Err(format!("a whole number from 1 to {MOST_COUNT} says how many")),
            },
        }
    }

    /// What to write for it in the help; nothing if nothing follows the field.
    pub fn placeholder(self) -> Option<&'static str> {
        match self {
            Parameter::None | Parameter::Percentage => None,
            Parameter::Quantile => Some("Q"),
            Parameter::Count(letter) => Some(letter),
            Parameter::Field => Some("BY"),
        }
    }

    /// An argument for examples.
    pub fn example(self) -> Option<&'static str> {
        match self {
            Parameter::None | Parameter::Percentage => None,
            Parameter::Quantile => Some("0.95"),
            Parameter::Count(_) => Some("3"),
            Parameter::Field => Some("bytes"),
        }
    }
}

impl Argument {
    /// The quantile asked for.
    pub fn fraction(&self) -> Fraction {
        match self {
            Argument::Quantile(fraction) => *fraction,
            Argument::None | Argument::Count(_) => Fraction::HALF,
        }
    }

    /// How many are asked for.
    pub fn count(&self) -> usize {
        match self {
            Argument::Count(count) => *count as usize,
            Argument::None | Argument::Quantile(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_exact_and_so_are_positions() {
        for (parameter, text, count, whole, part) in [
            (Parameter::Percentage, "50", 2, 0, 0.5),
            (Parameter::Percentage, "7", 101, 7, 0.0),
            (Parameter::Percentage, "99.9", 1001, 999, 0.0),
            (Parameter::Percentage, "0", 9, 0, 0.0),
            (Parameter::Percentage, "100", 9, 8, 0.0),
            (Parameter::Quantile, "0.07", 101, 7, 0.0),
            (Parameter::Quantile, ".25", 2, 0, 0.25),
            (Parameter::Quantile, "1", u64::MAX, u64::MAX - 1, 0.0),
            (Parameter::Quantile, "0.999999999999999999", 1, 0, 0.0),
        ] {
            let fraction = parameter.parse(text).expect(text).fraction();
            let (steps, rest) = fraction.position(count);
            assert_eq!((steps, rest.to_f64()), (whole, part), "{text} of {count}");
        }
    }

    #[test]
    fn what_is_no_argument() {
        for (parameter, texts) in [
            (Parameter::Percentage, ["", "100.1", "-1", "1e1", "1.2.3", "99.99999999999999999"]),
            (Parameter::Quantile, ["", "1.1", "-0.1", "half", "95%", "0.1234567890123456789"]),
            (Parameter::Count("K"), ["", "0", "-1", "+1", "1.5", "1000001"]),
        ] {
            for text in texts {
                assert!(parameter.parse(text).is_err(), "{parameter:?} {text}");
            }
        }
    }
}
