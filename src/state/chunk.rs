//! Chunks: the log cut into values that the medium can take. A chunk says which one it is, so that one at the
//! wrong place is noticed like a damaged one.
//!
//! ```text
//! number u64 │ epoch u64 │ start u16 │ length u16 │ crc32c u32 │ body
//! ```
//!
//! All little-endian; the sum is over everything but itself. Records run on from one chunk into the next
//! within an epoch; `start` is where the first record begins that begins in this body, so that reading can
//! begin at any chunk.

/// The largest value that is ever written. More would make sled put values into files of their own, which it
/// neither syncs nor deletes.
pub(super) const VALUE_BYTES: usize = 4096;

/// Bytes before the body.
pub(super) const HEADER_BYTES: usize = 24;

/// `start` of a chunk in which no record begins.
const NO_START: u16 = u16::MAX;

/// A chunk whose sum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    /// The epoch it was written for.
    pub epoch: u64,
    /// Where in the body the first record begins, if one does.
    pub start: Option<usize>,
    /// A part of the log.
    pub body: &'a [u8],
}

/// Fills in the header of `value`, which has room for it.
pub(super) fn seal(value: &mut [u8], number: u64, epoch: u64, start: Option<usize>) {
    let length = (value.len() - HEADER_BYTES) as u16;
    value[..8].copy_from_slice(&number.to_le_bytes());
    value[8..16].copy_from_slice(&epoch.to_le_bytes());
    value[16..18].copy_from_slice(&start.map_or(NO_START, |at| at as u16).to_le_bytes());
    value[18..20].copy_from_slice(&length.to_le_bytes());
    let sum = checksum(value);
    value[20..24].copy_from_slice(&sum.to_le_bytes());
}

/// The chunk in `value`, which must be number `number`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn open(value: &[u8], number: u64) -> Result<Chunk<'_>, &'static str> {
    if value.len() < HEADER_BYTES || value.len() > VALUE_BYTES {
        return Err("has an impossible length");
    }
    let (header, body) = value.split_at(HEADER_BYTES);
    if u32::from_le_bytes(field(header, 20)) != checksum(value) {
        return Err("does not match its checksum");
    }
    if u64::from_le_bytes(field(header, 0)) != number {
        return Err("is another one");
    }
    if usize::from(u16::from_le_bytes(field(header, 18))) != body.len() {
        return Err("has a wrong length");
    }
    let start = match u16::from_le_bytes(field(header, 16)) {
        NO_START => None,
        at if usize::from(at) < body.len() => Some(usize::from(at)),
        _ => return Err("has a beginning outside"),
    };
    Ok(Chunk { epoch: u64::from_le_bytes(field(header, 8)), start, body })
}

/// What a chunk adds to the digest of a checkpoint. The sum over all chunks is the digest: it can follow a log
/// that grows in front and is forgotten behind without reading it again.
pub(super) fn digest(value: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(value)
}

fn checksum(value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&value[..20]), &value[HEADER_BYTES..])
}

/// `N` bytes of a header; the caller knows that they are there.
pub(super) fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(body: &[u8], start: Option<usize>) -> Vec<u8> {
        let mut value = vec![0; HEADER_BYTES];
        value.extend_from_slice(body);
        seal(&mut value, 77, 9, start);
        value
    }

    #[test]
    fn what_was_sealed_opens() {
        for (body, start) in [(&b""[..], None), (b"x", Some(0)), (&[5; VALUE_BYTES - HEADER_BYTES], Some(4071))] {
            assert_eq!(open(&sealed(body, start), 77), Ok(Chunk { epoch: 9, start, body }));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let value = sealed(b"some records", Some(3));
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&flipped, 77).is_err(), "bit {bit}");
        }
        for end in 0..value.len() {
            assert!(open(&value[..end], 77).is_err(), "cut at {end}");
        }
        assert_eq!(open(&value, 78), Err("is another one"));
        assert!(open(&vec![0; VALUE_BYTES + 1], 77).is_err());
    }
}
