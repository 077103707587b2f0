//! Records: what the log says, as bytes. Numbers are LEB128, at most ten bytes.
//!
//! ```text
//! put           1  group  row  length  bytes
//! remove        2  group  row
//! remove group  3  group
//! payload       4  epoch  length  bytes
//! ```

use super::changes::PieceId;

/// One entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// The piece is this from here on.
    Put(PieceId, &'a [u8]),
    /// The piece is gone.
    Remove(PieceId),
    /// All pieces of the group are gone.
    RemoveGroup(u64),
    /// What the caller keeps beside the pieces, for one epoch.
    Payload(u64, &'a [u8]),
}

const PUT: u8 = 1;
const REMOVE: u8 = 2;
const REMOVE_GROUP: u8 = 3;
const PAYLOAD: u8 = 4;

pub(super) fn put(out: &mut Vec<u8>, id: PieceId, bytes: &[u8]) {
    out.push(PUT);
    number(out, id.group);
    number(out, id.row);
    number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn remove(out: &mut Vec<u8>, id: PieceId) {
    out.push(REMOVE);
    number(out, id.group);
    number(out, id.row);
}

pub(super) fn remove_group(out: &mut Vec<u8>, group: u64) {
    out.push(REMOVE_GROUP);
    number(out, group);
}

pub(super) fn payload(out: &mut Vec<u8>, epoch: u64, bytes: &[u8]) {
    out.push(PAYLOAD);
    number(out, epoch);
    number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The record at the beginning of `bytes` and its length; `None` if it goes on beyond them.
///
/// # Errors
/// What is there cannot be the beginning of a record.
pub(super) fn decode(bytes: &[u8]) -> Result<Option<(Record<'_>, usize)>, &'static str> {
    let mut reader = Reader { bytes, at: 0 };
    let record = reader.record()?;
    Ok(record.map(|record| (record, reader.at)))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Gives `None` to the caller where the bytes end.
macro_rules! more {
    ($read:expr) => {
        match $read {
            Some(value) => value,
            None => return Ok(None),
        }
    };
}

impl<'a> Reader<'a> {
    fn record(&mut self) -> Result<Option<Record<'a>>, &'static str> {
        let kind = *more!(self.bytes.first());
        self.at = 1;
        let first = more!(self.number()?);
        Ok(Some(match kind {
            PUT => {
                let id = PieceId { group: first, row: more!(self.number()?) };
                Record::Put(id, more!(self.rest()?))
            }
            REMOVE => Record::Remove(PieceId { group: first, row: more!(self.number()?) }),
            REMOVE_GROUP => Record::RemoveGroup(first),
            PAYLOAD => Record::Payload(first, more!(self.rest()?)),
            _ => return Err("a record of an unknown kind"),
        }))
    }

    /// Bytes with their length before them. Nothing is set aside for a length that may be a lie.
    fn rest(&mut self) -> Result<Option<&'a [u8]>, &'static str> {
        let length = usize::try_from(more!(self.number()?)).map_err(|_| "a record longer than memory")?;
        let found = self.bytes[self.at..].get(..length);
        self.at += found.map_or(0, <[u8]>::len);
        Ok(found)
    }

    fn number(&mut self) -> Result<Option<u64>, &'static str> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = *more!(self.bytes.get(self.at));
            self.at += 1;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(Some(value));
            }
        }
        Err("a number of more than 64 bits")
    }
}

fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: [u64; 7] = [0, 1, 127, 128, 1 << 32, u64::MAX - 1, u64::MAX];

    fn all() -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for group in ENDS {
            for row in ENDS {
                let id = PieceId { group, row };
                for record in [Record::Put(id, b""), Record::Put(id, &[7; 300]), Record::Remove(id)] {
                    all.push(encode(record));
                }
            }
            all.push(encode(Record::RemoveGroup(group)));
            all.push(encode(Record::Payload(group, b"positions")));
        }
        all
    }

    fn encode(record: Record<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        match record {
            Record::Put(id, bytes) => put(&mut out, id, bytes),
            Record::Remove(id) => remove(&mut out, id),
            Record::RemoveGroup(group) => remove_group(&mut out, group),
            Record::Payload(epoch, bytes) => payload(&mut out, epoch, bytes),
        }
        out
    }

    #[test]
    fn what_was_written_is_read_and_a_part_of_it_is_no_record() {
        for bytes in all() {
            let (record, used) = decode(&bytes).expect("no defect").expect("whole");
            assert_eq!((encode(record), used), (bytes.clone(), bytes.len()));
            let mut longer = bytes.clone();
            longer.push(0xff);
            assert_eq!(decode(&longer), Ok(Some((record, used))));
            for end in 0..bytes.len() {
                assert_eq!(decode(&bytes[..end]), Ok(None), "{end} of {}", bytes.len());
            }
        }
    }

    #[test]
    fn hostile_bytes_are_refused_or_wait_for_more() {
        assert_eq!(decode(&[9, 1]), Err("a record of an unknown kind"));
        assert_eq!(decode(&[PUT, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).ok(), None);
        assert_eq!(decode(&[&[REMOVE][..], &[0x80; 20]].concat()).ok(), None);
        // A length beyond all memory sets nothing aside.
        let mut huge = vec![PUT, 1, 1];
        number(&mut huge, u64::MAX);
        assert_eq!(decode(&huge), Ok(None));
    }
}
