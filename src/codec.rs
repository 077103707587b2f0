//! How state is written down: whole numbers in as few bytes as they need, bytes after their length.
//!
//! What is read back may be damaged in any way: that is an error and never a panic, and nothing that it says makes
//! anybody reserve more memory than there are bytes.

use thiserror::Error;

/// Bytes that nobody can have written.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Damaged(pub &'static str);

/// No count is larger: sums of several still fit 64 bits.
const MOST_COUNT: u64 = 1 << 60;

/// Appends a number, seven bits a byte, the lowest first (LEB128).
#[inline]
pub fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a number of either sign; those near 0 are short.
#[inline]
pub fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, (number << 1 ^ number >> 63) as u64);
}

/// As [`put_signed`], with 128 bits.
pub fn put_wide(out: &mut Vec<u8>, number: i128) {
    let mut number = (number << 1 ^ number >> 127) as u128;
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends the bits of a float.
pub fn put_float(out: &mut Vec<u8>, float: f64) {
    out.extend_from_slice(&float.to_bits().to_le_bytes());
}

/// Appends bytes after their number.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes apart what was written with the functions above.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

const SHORT: Damaged = Damaged("it ends too early");

impl<'a> Reader<'a> {
    /// From the beginning.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// # Errors
    /// There are bytes left.
    pub fn end(self) -> Result<(), Damaged> {
        if self.rest.is_empty() { Ok(()) } else { Err(Damaged("it goes on behind its end")) }
    }

    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// # Errors
    /// There is none.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, Damaged> {
        let (byte, rest) = self.rest.split_first().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*byte)
    }

    /// A number as [`put`] writes it.
    ///
    /// # Errors
    /// There is none, or it is longer than 64 bits.
    #[inline]
    pub fn number(&mut self) -> Result<u64, Damaged> {
        match *self.rest {
            [byte, ref rest @ ..] if byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            _ => u64::try_from(self.long(64)?).map_err(|_| Damaged("a number is too large")),
        }
    }

    fn long(&mut self, bits: u32) -> Result<u128, Damaged> {
        let mut number = 0u128;
        let mut shift = 0;
        loop {
            let byte = self.byte()?;
            let part = u128::from(byte & 0x7f);
            if shift >= bits || part << shift >> shift != part {
                return Err(Damaged("a number is too large"));
            }
            number |= part << shift;
            shift += 7;
            if byte < 0x80 {
                return Ok(number);
            }
        }
    }

    /// A number of either sign.
    ///
    /// # Errors
    /// There is none.
    #[inline]
    pub fn signed(&mut self) -> Result<i64, Damaged> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// A number of either sign with 128 bits.
    ///
    /// # Errors
    /// There is none.
    pub fn wide(&mut self) -> Result<i128, Damaged> {
        let number = self.long(128)?;
        Ok((number >> 1) as i128 ^ -((number & 1) as i128))
    }

    /// A number of things that were counted, so that adding to it does not overflow.
    ///
    /// # Errors
    /// There is none, or it is larger than anybody can count.
    #[inline]
    pub fn count(&mut self) -> Result<u64, Damaged> {
        match self.number()? {
            count if count <= MOST_COUNT => Ok(count),
            _ => Err(Damaged("a count is too large")),
        }
    }

    /// A number of panes of one key and window.
    ///
    /// # Errors
    /// There is none, or more than anybody can have printed.
    pub fn revision(&mut self) -> Result<u32, Damaged> {
        u32::try_from(self.number()?).ok().filter(|count| *count < u32::MAX / 2).ok_or(Damaged("a count is too large"))
    }

    /// How many things follow; each takes a byte at least.
    ///
    /// # Errors
    /// There is no number, or so many cannot follow.
    pub fn length(&mut self) -> Result<usize, Damaged> {
        match usize::try_from(self.number()?) {
            Ok(length) if length <= self.rest.len() => Ok(length),
            _ => Err(SHORT),
        }
    }

    /// A float.
    ///
    /// # Errors
    /// There is none.
    pub fn float(&mut self) -> Result<f64, Damaged> {
        let (bits, rest) = self.rest.split_first_chunk().ok_or(SHORT)?;
        self.rest = rest;
        Ok(f64::from_bits(u64::from_le_bytes(*bits)))
    }

    /// A float that is no infinity and no NaN.
    ///
    /// # Errors
    /// There is none.
    pub fn finite(&mut self) -> Result<f64, Damaged> {
        Some(self.float()?).filter(|float| float.is_finite()).ok_or(Damaged("a number is not finite"))
    }

    /// Yes or no.
    ///
    /// # Errors
    /// It is neither.
    pub fn flag(&mut self) -> Result<bool, Damaged> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Damaged("a flag is neither 0 nor 1")),
        }
    }

    /// Bytes after their number.
    ///
    /// # Errors
    /// They are not there.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let length = self.length()?;
        self.take(length)
    }

    /// So many bytes.
    ///
    /// # Errors
    /// They are not there.
    #[inline]
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Damaged> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(SHORT)?;
        self.rest = rest;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Vec::new();
        for number in [0, 1, 127, 128, 300, u64::MAX - 1, u64::MAX] {
            put(&mut out, number);
            put_signed(&mut out, number as i64);
            put_signed(&mut out, -(number as i64 / 2));
            put_wide(&mut out, i128::from(number) * -3);
        }
        for wide in [i128::MIN, i128::MAX] {
            put_wide(&mut out, wide);
        }
        put_float(&mut out, -0.0);
        put_bytes(&mut out, b"abc");
        let mut reader = Reader::new(&out);
        for number in [0, 1, 127, 128, 300, u64::MAX - 1, u64::MAX] {
            assert_eq!(reader.number(), Ok(number));
            assert_eq!(reader.signed(), Ok(number as i64));
            assert_eq!(reader.signed(), Ok(-(number as i64 / 2)));
            assert_eq!(reader.wide(), Ok(i128::from(number) * -3));
        }
        for wide in [i128::MIN, i128::MAX] {
            assert_eq!(reader.wide(), Ok(wide));
        }
        assert_eq!(reader.float().map(f64::to_bits), Ok((-0.0f64).to_bits()));
        assert_eq!(reader.bytes(), Ok(b"abc".as_slice()));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn what_nobody_can_have_written_is_an_error() {
        let reader = |bytes: &'static [u8]| Reader::new(bytes);
        assert!(reader(&[]).byte().is_err());
        assert!(reader(&[0x80]).number().is_err());
        assert!(reader(&[0xff; 10]).number().is_err());
        assert!(reader(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).number().is_err());
        assert!(reader(&[0xff; 20]).wide().is_err());
        assert!(reader(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).count().is_err());
        assert!(reader(&[3, 1, 1]).bytes().is_err());
        assert!(reader(&[2]).flag().is_err());
        assert!(reader(&[0; 7]).float().is_err());
        assert!(reader(&[0xff; 8]).finite().is_err());
        assert!(reader(&[0]).end().is_err());
    }
}
