//! Numbers and values as they are saved: parts of many accumulators.

use super::raw::{OwnedRaw, Raw};
use crate::codec::{Damaged, Reader, put, put_bytes, put_float, put_signed, put_wide};
use crate::event::number::{Number, Wide};
use crate::time::Timestamp;
use num_bigint::BigInt;

/// Digits after the point that a decimal has at the most (N1).
pub const MOST_SCALE: u8 = 19;

const SMALL: u8 = 0;
const WIDE: u8 = 1;
const FLOAT: u8 = 2;

/// Kind, scale and whether there is a point are one byte, which every number begins with.
pub fn put_number(out: &mut Vec<u8>, number: &Number) {
    let first = |kind: u8, scale: u8, pointed: bool| kind | u8::from(pointed) << 2 | scale << 3;
    match number {
        Number::Small { mantissa, scale, pointed } => {
            out.push(first(SMALL, *scale, *pointed));
            put_signed(out, *mantissa);
        }
        Number::Wide(wide) => {
            out.push(first(WIDE, wide.scale, wide.pointed));
            put_wide(out, wide.mantissa);
        }
        Number::Float(float) => {
            out.push(first(FLOAT, 0, true));
            put_float(out, *float);
        }
    }
}

/// # Errors
/// It is damaged.
pub fn number(bytes: &mut Reader<'_>) -> Result<Number, Damaged> {
    let first = bytes.byte()?;
    let (scale, pointed) = (check_scale(first >> 3, MOST_SCALE)?, first & 4 != 0);
    match first & 3 {
        SMALL => Ok(Number::Small { mantissa: bytes.signed()?, scale, pointed }),
        WIDE => Ok(Number::Wide(Box::new(Wide { mantissa: bytes.wide()?, scale, pointed }))),
        FLOAT => Ok(Number::Float(bytes.finite()?)),
        _ => Err(Damaged("a number is of no known kind")),
    }
}

/// A power of ten by which something is divided.
///
/// # Errors
/// It is damaged.
pub fn scale(bytes: &mut Reader<'_>, most: u8) -> Result<u8, Damaged> {
    check_scale(bytes.byte()?, most)
}

fn check_scale(scale: u8, most: u8) -> Result<u8, Damaged> {
    if scale <= most { Ok(scale) } else { Err(Damaged("a number has too many digits after the point")) }
}

pub fn put_big(out: &mut Vec<u8>, number: &BigInt) {
    put_bytes(out, &number.to_signed_bytes_le());
}

/// # Errors
/// It is damaged.
pub fn big(bytes: &mut Reader<'_>) -> Result<BigInt, Damaged> {
    Ok(BigInt::from_signed_bytes_le(bytes.bytes()?))
}

pub fn put_raw(out: &mut Vec<u8>, value: &OwnedRaw) {
    let (bytes, is_json) = match value.raw() {
        Raw::Json(bytes) => (bytes, true),
        Raw::Text(bytes) => (bytes, false),
    };
    put(out, (bytes.len() as u64) << 1 | u64::from(is_json));
    out.extend_from_slice(bytes);
}

/// # Errors
/// It is damaged.
pub fn raw(bytes: &mut Reader<'_>) -> Result<OwnedRaw, Damaged> {
    let length = bytes.number()?;
    let value = bytes.take((length >> 1) as usize)?;
    Ok(if length & 1 == 1 { Raw::Json(value) } else { Raw::Text(value) }.into())
}

/// When an event happened and when it came.
pub fn put_rank(out: &mut Vec<u8>, time: Timestamp, arrival: u64) {
    put_signed(out, time.0);
    put(out, arrival);
}

/// # Errors
/// It is damaged.
pub fn rank(bytes: &mut Reader<'_>) -> Result<(Timestamp, u64), Damaged> {
    Ok((Timestamp(bytes.signed()?), bytes.number()?))
}

/// What may be there or not.
///
/// # Errors
/// It is damaged.
pub fn optional<'a, T>(
    bytes: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Damaged>,
) -> Result<Option<T>, Damaged> {
    if bytes.flag()? { Ok(Some(read(bytes)?)) } else { Ok(None) }
}
