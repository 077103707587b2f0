//! Which checkpoint a medium holds: nothing is believed that its head does not vouch for.

use super::chunk;
use super::head::{Head, NoHead};
use super::index::Index;
use super::medium::{Fault, Key, Medium};
use super::record::Record;
use super::store::slot;
use super::stream::{Found, Stream};

/// The newest whole checkpoint.
pub(super) struct Newest {
    pub head: Head,
    pub index: Index,
    pub payload: Vec<u8>,
    /// What is wrong, if this is not known to be the checkpoint that was written last.
    pub fallback: Option<String>,
    /// The first chunk that a head needs.
    pub kept_from: u64,
}

/// What one of the two heads vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The number of the checkpoint, if its head is legible.
    pub epoch: Option<u64>,
    /// Its pieces.
    pub pieces: u64,
    /// The chunks of its log.
    pub chunks: u64,
    /// What is wrong with it.
    pub wrong: Option<String>,
}

/// Finds the newest whole checkpoint; `None` if there never was one. Writes nothing.
///
/// # Errors
/// There have been checkpoints and neither of the two newest is whole; a newer format; the medium failed.
pub(super) fn newest(medium: &mut dyn Medium) -> Result<Option<Newest>, Fault> {
    let marked = medium.marked()?;
    let Heads { found, mut wrong } = Heads::read(medium)?;
    for head in &found {
        if found[0].epoch - head.epoch > 1 {
            wrong.push(format!("there is no checkpoint {}", found[0].epoch - 1));
            break;
        }
        match Whole::read(medium, head) {
            Ok(Whole { index, payload }) => {
                let fallback = believe(head, marked, wrong)?;
                let older = found.iter().find(|older| older.epoch + 1 == head.epoch);
                let kept_from = older.map_or(head.tail, |older| older.tail.min(head.tail));
                return Ok(Some(Newest { head: *head, index, payload, fallback, kept_from }));
            }
            Err(Fault::Damaged(what)) => wrong.push(format!("checkpoint {}: {what}", head.epoch)),
            Err(fault) => return Err(fault),
        }
    }
    match marked {
        // The first head may be half written, if the power failed then. Nothing had been told to anybody.
        None if found.is_empty() && wrong.len() <= 1 => Ok(None),
        Some(epoch) if wrong.is_empty() => Err(gone(epoch)),
        _ => Err(Fault::Damaged(wrong.join("; "))),
    }
}

/// Whether a whole checkpoint may be gone on from, and what is to be said about it. The medium may have lost the
/// newest checkpoint, which is said; one that has lost more is not trusted at all.
fn believe(head: &Head, marked: Option<u64>, mut wrong: Vec<String>) -> Result<Option<String>, Fault> {
    if let Some(marked) = marked.filter(|marked| head.epoch < *marked) {
        if head.epoch + 1 < marked {
            return Err(gone(marked));
        }
        if wrong.is_empty() {
            wrong.push(format!("checkpoint {marked} is gone"));
        }
    }
    Ok((!wrong.is_empty()).then(|| wrong.join("; ")))
}

fn gone(epoch: u64) -> Fault {
    Fault::Damaged(format!("checkpoint {epoch} is gone, and so is the one before it"))
}

/// Reads everything that the heads vouch for and says what is wrong with it, the newest first.
///
/// # Errors
/// A newer format; the medium failed.
pub(super) fn examine(medium: &mut dyn Medium) -> Result<Vec<Examined>, Fault> {
    let heads = Heads::read(medium)?;
    let mut all = Vec::new();
    for head in &heads.found {
        let wrong = match Whole::read(medium, head) {
            Ok(_) => None,
            Err(Fault::Damaged(what)) => Some(what),
            Err(fault) => return Err(fault),
        };
        let (pieces, chunks) = (head.pieces, head.next - head.tail);
        all.push(Examined { epoch: Some(head.epoch), pieces, chunks, wrong });
    }
    let illegible = heads.wrong.into_iter();
    all.extend(illegible.map(|what| Examined { epoch: None, pieces: 0, chunks: 0, wrong: Some(what) }));
    Ok(all)
}

/// The heads that are there.
struct Heads {
    /// Those that are legible, the newest first.
    found: Vec<Head>,
    /// What is wrong with others.
    wrong: Vec<String>,
}

impl Heads {
    fn read(medium: &mut dyn Medium) -> Result<Heads, Fault> {
        let mut heads = Heads { found: Vec::new(), wrong: Vec::new() };
        let mut value = Vec::new();
        for parity in [0, 1] {
            if !medium.get(Key::Head(parity), &mut value)? {
                continue;
            }
            match Head::decode(&value) {
                Ok(head) if slot(head.epoch) == Key::Head(parity) => heads.found.push(head),
                Ok(_) => heads.wrong.push("the head of a checkpoint is in the place of another".to_owned()),
                Err(NoHead::Damaged) => heads.wrong.push("the head of a checkpoint is illegible".to_owned()),
                Err(NoHead::Newer(format)) => return Err(Fault::Newer(format)),
            }
        }
        heads.found.sort_by_key(|head| std::cmp::Reverse(head.epoch));
        Ok(heads)
    }
}

/// A log that has been read and is what its head vouches for.
struct Whole {
    index: Index,
    payload: Vec<u8>,
}

impl Whole {
    fn read(medium: &mut dyn Medium, head: &Head) -> Result<Whole, Fault> {
        let mut index = Index::new(head.tail);
        let mut payload = None;
        read_log(medium, head, &mut |item| {
            match item {
                Item::ChunkStart => index.begin_chunk(),
                Item::ChunkEnd(value) => index.end_chunk(value.len(), chunk::digest(value)),
                Item::Record(Found { record, chunk, encoded }) => {
                    if let Record::Payload(epoch, bytes) = record
                        && epoch == head.epoch
                    {
                        payload = Some(bytes.to_vec());
                    }
                    index.apply(&record, chunk, encoded.len());
                }
            }
            Ok(())
        })?;
        if index.digest() != head.digest {
            return Err(Fault::Damaged("the log does not match its digest".to_owned()));
        }
        match payload {
            Some(payload) if index.pieces() == head.pieces => Ok(Whole { index, payload }),
            _ => Err(Fault::Damaged("the log does not match its head".to_owned())),
        }
    }
}

/// What is met on the way through a log.
pub(super) enum Item<'a> {
    /// A chunk begins.
    ChunkStart,
    /// A record ends.
    Record(Found<'a>),
    /// The chunk has been read.
    ChunkEnd(&'a [u8]),
}

/// Reads the chunks that a head names, in order.
///
/// # Errors
/// One is missing or damaged, or what `each` says.
pub(super) fn read_log(
    medium: &mut dyn Medium,
    head: &Head,
    each: &mut dyn FnMut(Item<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut stream = Stream::default();
    let mut value = Vec::new();
    for number in head.tail..head.next {
        each(Item::ChunkStart)?;
        let epoch = read_chunk(medium, number, &mut value, &mut stream, &mut |found| each(Item::Record(found)))?;
        if epoch > head.epoch {
            return Err(bad_chunk(number, "belongs to a later checkpoint"));
        }
        each(Item::ChunkEnd(&value))?;
    }
    match stream.open_since() {
        None => Ok(()),
        Some(number) => Err(bad_chunk(number, "begins a record that never ends")),
    }
}

/// Reads one chunk into `value` and gives the records that end in it to `each`. Returns its epoch.
///
/// # Errors
/// It is missing or damaged, or what `each` says.
pub(super) fn read_chunk(
    medium: &mut dyn Medium,
    number: u64,
    value: &mut Vec<u8>,
    stream: &mut Stream,
    each: &mut dyn FnMut(Found<'_>) -> Result<(), Fault>,
) -> Result<u64, Fault> {
    if !medium.get(Key::Chunk(number), value)? {
        return Err(bad_chunk(number, "is missing"));
    }
    let chunk = chunk::open(value, number).map_err(|what| bad_chunk(number, what))?;
    stream.read(number, &chunk, each)?;
    Ok(chunk.epoch)
}

pub(super) fn bad_chunk(number: u64, what: &str) -> Fault {
    Fault::Damaged(format!("chunk {number} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Changes, PieceId, Store};
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    /// Values in memory.
    #[derive(Clone, Default)]
    struct Values(Arc<Mutex<BTreeMap<Key, Vec<u8>>>>);

    impl Values {
        fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Vec<u8>>> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }

    impl Medium for Values {
        fn get(&mut self, key: Key, into: &mut Vec<u8>) -> Result<bool, Fault> {
            let all = self.all();
            into.clear();
            into.extend(all.get(&key).into_iter().flatten());
            Ok(all.contains_key(&key))
        }
        fn put(&mut self, key: Key, value: &[u8]) -> Result<(), Fault> {
            self.all().insert(key, value.to_vec());
            Ok(())
        }
        fn remove(&mut self, key: Key) -> Result<(), Fault> {
            self.all().remove(&key);
            Ok(())
        }
        fn chunks(&mut self, _from: u64, _to: u64) -> Result<Vec<u64>, Fault> {
            Ok(Vec::new())
        }
        fn sync(&mut self) -> Result<(), Fault> {
            Ok(())
        }
        fn mark(&mut self, _epoch: u64) -> Result<(), Fault> {
            Ok(())
        }
        fn marked(&mut self) -> Result<Option<u64>, Fault> {
            Ok(None)
        }
        fn bytes(&mut self) -> Result<u64, Fault> {
            Ok(0)
        }
    }

    /// Whoever can write into the directory can make every sum right. Nonsense with right sums is refused or
    /// read as what it says; it never breaks the program and makes it set nothing aside for what is not there.
    #[test]
    fn hostile_records_with_right_sums_break_nothing() {
        let (mut whole, mut refused) = (0, 0);
        for seed in 0..4_000u64 {
            let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut next = |below: usize| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random as usize % below
            };
            let values = Values::default();
            let mut store = Store::open(Box::new(values.clone())).expect("empty");
            for epoch in 0..3 {
                let mut changes = Changes::new();
                for row in 0..4 {
                    changes.put(PieceId { group: epoch, row }, &vec![7; next(3_000)]);
                }
                changes.remove_group(epoch.wrapping_sub(1));
                store.append(&changes).expect("memory");
                store.commit::<Fault>(b"payload", || Ok(())).expect("memory");
            }
            forge(&values, &mut next);
            match Store::open(Box::new(values)).and_then(|mut store| store.visit(|_, _| Ok(()))) {
                Ok(()) => whole += 1,
                Err(Fault::Damaged(_)) => refused += 1,
                Err(other) => panic!("seed {seed}: {other}"),
            }
        }
        assert!(whole > 100 && refused > 100, "{whole} {refused}");
    }

    /// Changes bytes of the log or of its framing and makes all sums right again.
    fn forge(values: &Values, next: &mut dyn FnMut(usize) -> usize) {
        let mut all = values.all();
        let mut head = Head::decode(&all[&Key::Head(0)]).expect("written above");
        let mut digest = 0u128;
        for number in head.tail..head.next {
            let value = all.get_mut(&Key::Chunk(number)).expect("written above");
            let chunk = chunk::open(value, number).expect("written above");
            let (mut start, mut epoch) = (chunk.start, chunk.epoch);
            if next(3) == 0 {
                let length = value.len() - chunk::HEADER_BYTES;
                match next(4) {
                    0 => start = Some(next(length)),
                    1 => epoch = next(5) as u64,
                    2 => value.truncate(chunk::HEADER_BYTES + next(length)),
                    _ => {
                        for _ in 0..4 {
                            let at = chunk::HEADER_BYTES + next(length.min(24));
                            value[at] = [0, 1, 2, 3, 4, 0x7f, 0x80, 0xff][next(8)];
                        }
                    }
                }
            }
            chunk::seal(value, number, epoch, start);
            digest = digest.wrapping_add(chunk::digest(value));
        }
        head.digest = digest;
        if next(4) == 0 {
            head.tail += next(2) as u64;
            head.pieces = next(10) as u64;
        }
        all.insert(Key::Head(0), head.encode());
        all.remove(&Key::Head(1));
    }
}
