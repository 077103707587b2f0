//! The head of a checkpoint: the one small value that makes an epoch exist.
//!
//! ```text
//! "streamw\0" │ format u32 │ epoch u64 │ tail u64 │ next u64 │ pieces u64 │ digest u128 │ xxh3 of all before u128
//! ```
//!
//! Chunks `tail..next` are the log of the checkpoint, and `digest` is the sum of what each of them
//! [adds](super::chunk::digest). So the head vouches for every byte of the checkpoint.

use super::chunk::field;

/// The newest format that is read, and the one that is written.
pub const FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"streamw\0";
const BYTES: usize = 76;

/// No state lives long enough for such a number, and adding to smaller ones cannot overflow.
const MOST: u64 = 1 << 56;

/// The head of one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The number of the checkpoint, from 0.
    pub epoch: u64,
    /// The first chunk of its log.
    pub tail: u64,
    /// The chunk after the last one.
    pub next: u64,
    /// How many pieces are alive.
    pub pieces: u64,
    /// The sum over its chunks.
    pub digest: u128,
}

/// Why a value is not a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoHead {
    /// It is not what was written.
    Damaged,
    /// It is whole, and of a later format.
    Newer(u32),
}

impl Head {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        for number in [self.epoch, self.tail, self.next, self.pieces] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.digest.to_le_bytes());
        let sum = xxhash_rust::xxh3::xxh3_128(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Head, NoHead> {
        let Some((content, sum)) = bytes.split_last_chunk::<16>() else { return Err(NoHead::Damaged) };
        if u128::from_le_bytes(*sum) != xxhash_rust::xxh3::xxh3_128(content) || !content.starts_with(MAGIC) {
            return Err(NoHead::Damaged);
        }
        match content.get(8..12).map(|format| u32::from_le_bytes(field(format, 0))) {
            Some(FORMAT) if bytes.len() == BYTES => {}
            Some(newer) if newer > FORMAT => return Err(NoHead::Newer(newer)),
            _ => return Err(NoHead::Damaged),
        }
        let number = |at| u64::from_le_bytes(field(content, at));
        let head = Head {
            epoch: number(12),
            tail: number(20),
            next: number(28),
            pieces: number(36),
            digest: u128::from_le_bytes(field(content, 44)),
        };
        let possible = head.tail < head.next && head.next < MOST && head.epoch < MOST;
        if possible { Ok(head) } else { Err(NoHead::Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head { epoch: 3, tail: 40, next: 50, pieces: 1_000, digest: 0x0123_4567 << 90 };

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(Head::decode(&HEAD.encode()), Ok(HEAD));
        assert_eq!(HEAD.encode().len(), BYTES);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = HEAD.encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::decode(&flipped), Err(NoHead::Damaged), "bit {bit}");
        }
        for end in 0..bytes.len() {
            assert_eq!(Head::decode(&bytes[..end]), Err(NoHead::Damaged), "cut at {end}");
        }
    }

    #[test]
    fn a_later_format_is_told_from_damage_whatever_its_length() {
        let mut content = HEAD.encode();
        content.truncate(BYTES - 16);
        content[8..12].copy_from_slice(&7u32.to_le_bytes());
        content.extend_from_slice(b"and more");
        let sum = xxhash_rust::xxh3::xxh3_128(&content);
        content.extend_from_slice(&sum.to_le_bytes());
        assert_eq!(Head::decode(&content), Err(NoHead::Newer(7)));
    }

    #[test]
    fn what_cannot_be_is_damage_whatever_its_sum() {
        for impossible in [
            Head { next: 40, ..HEAD },
            Head { tail: u64::MAX - 1, next: u64::MAX, ..HEAD },
            Head { epoch: u64::MAX, ..HEAD },
        ] {
            assert_eq!(Head::decode(&impossible.encode()), Err(NoHead::Damaged), "{impossible:?}");
        }
    }
}
