//! The keys of a batch, ready to be looked up.

use super::key;
use std::hash::BuildHasher;
use std::sync::LazyLock;

/// Bytes of a key that are compared at once. Most keys have no more.
pub const HEAD: usize = 16;

/// The keys of a batch: encoded as in [`key`], hashed, one after the other.
#[derive(Debug, Default)]
pub struct KeyColumn {
    /// A key of less than [`HEAD`] bytes is followed by zeros up to as many. No key is another's
    /// beginning that goes on with a zero, so that these heads differ where the keys do.
    bytes: Vec<u8>,
    keys: Vec<Place>,
    /// Where the key being written begins.
    begun: usize,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u64,
    start: u32,
    length: u32,
}

/// Seeded anew in each process, so that nobody can prepare keys that collide. No output depends on it.
static HASHER: LazyLock<foldhash::fast::RandomState> = LazyLock::new(foldhash::fast::RandomState::default);

/// The first bytes of a key, with zeros after a shorter one.
#[inline]
pub fn head(key: &[u8]) -> [u8; HEAD] {
    match key.first_chunk() {
        Some(head) => *head,
        None => {
            let mut head = [0; HEAD];
            head[..key.len()].copy_from_slice(key);
            head
        }
    }
}

/// The hash of a key, as a column has it.
pub fn hash(key: &[u8]) -> u64 {
    if key.len() <= HEAD { hash_of_head(&head(key)) } else { HASHER.hash_one(key) }
}

/// The hash of a key that has no more than this head.
#[inline]
pub fn hash_of_head(head: &[u8; HEAD]) -> u64 {
    HASHER.hash_one(u128::from_le_bytes(*head))
}

impl KeyColumn {
    /// The buffer to append the next key's parts to, before [`KeyColumn::commit`] or [`KeyColumn::truncate`].
    #[inline]
    pub fn pending(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends the key being written.
    #[inline]
    pub fn commit(&mut self) {
        let length = self.bytes.len() - self.begun;
        let hash = if length <= HEAD {
            let head = head(&self.bytes[self.begun..]);
            self.bytes.resize(self.begun + HEAD, 0);
            hash_of_head(&head)
        } else {
            HASHER.hash_one(&self.bytes[self.begun..])
        };
        self.keys.push(Place { hash, start: self.begun as u32, length: length as u32 });
        self.begun = self.bytes.len();
    }

    /// Throws away the keys from the one at `count` on, and one being written.
    pub fn truncate(&mut self, count: usize) {
        if let Some(place) = self.keys.get(count) {
            self.begun = place.start as usize;
        }
        self.keys.truncate(count);
        self.bytes.truncate(self.begun);
    }

    /// Writes and ends a key that is one text of `length` bytes, the first of `window`. False, and nothing
    /// done, if it is not as simple as that: see [`key::short_text`].
    #[inline]
    pub fn push_short_text(&mut self, window: &[u8; HEAD], length: usize, may_be_no_utf8: bool) -> bool {
        let Some(head) = key::short_text(window, length, may_be_no_utf8) else { return false };
        self.keys.push(Place {
            hash: HASHER.hash_one(head),
            start: self.begun as u32,
            length: (length + key::AROUND_TEXT) as u32,
        });
        self.bytes.extend_from_slice(&head.to_le_bytes());
        self.begun = self.bytes.len();
        true
    }

    /// The key of event `index` and its hash.
    #[inline]
    pub fn get(&self, index: usize) -> (&[u8], u64) {
        let Place { hash, start, length } = self.keys[index];
        (&self.bytes[start as usize..][..length as usize], hash)
    }

    /// The hash of the key of event `index`.
    #[inline]
    pub fn hash(&self, index: usize) -> u64 {
        self.keys[index].hash
    }

    /// The [`head`] of the key of event `index`.
    #[inline]
    pub fn head(&self, index: usize) -> [u8; HEAD] {
        self.bytes[self.keys[index].start as usize..].first_chunk().copied().unwrap_or_default()
    }

    /// Whether it has no keys.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Empties the column and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.keys.clear();
        self.begun = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_however_it_was_written() {
        let texts: Vec<Vec<u8>> =
            (0..=40).map(|length| (b'a'..).take(length).map(|b| b % 0x60 + 0x20).collect()).collect();
        let (mut quick, mut plain) = (KeyColumn::default(), KeyColumn::default());
        for text in &texts {
            let mut window = [b'?'; 64];
            window[..text.len()].copy_from_slice(text);
            let is_short = quick.push_short_text(window.first_chunk().expect("so many"), text.len(), false);
            assert_eq!(is_short, text.len() <= HEAD - key::AROUND_TEXT);
            if !is_short {
                key::push_text(quick.pending(), text);
                quick.commit();
            }
            key::push_text(plain.pending(), b"thrown away");
            plain.truncate(plain.keys.len());
            key::push_text(plain.pending(), text);
            plain.commit();
        }
        for index in 0..texts.len() {
            assert_eq!(quick.get(index), plain.get(index));
            assert_eq!(quick.head(index), head(plain.get(index).0));
            assert_eq!(plain.head(index), quick.head(index));
        }
    }

    #[test]
    fn what_may_be_no_utf8_is_not_taken_unseen() {
        for (text, may_be_no_utf8, is_taken) in
            [("é", false, true), ("é", true, false), ("e", true, true), ("", true, true)]
        {
            let mut window = [0xFF; HEAD];
            window[..text.len()].copy_from_slice(text.as_bytes());
            let mut column = KeyColumn::default();
            assert_eq!(column.push_short_text(&window, text.len(), may_be_no_utf8), is_taken, "{text}");
        }
    }

    #[test]
    fn keys_of_events_that_were_none_are_thrown_away() {
        let mut column = KeyColumn::default();
        let windows = [*b"abcdefghijklmnop", *b"qrstuvwxyz012345"];
        assert!(windows.iter().all(|window| column.push_short_text(window, 3, true)));
        key::push_text(column.pending(), b"begun");
        column.truncate(1);
        key::push_text(column.pending(), b"xy");
        column.commit();
        assert_eq!([0, 1].map(|index| column.get(index).0), [&b"\x05abc\0"[..], b"\x05xy\0"]);
        column.truncate(0);
        assert!(column.bytes.is_empty());
    }

    #[test]
    fn a_zero_in_a_text_is_no_padding() {
        for length in 0..14 {
            for zero in 0..16 {
                let mut window = [b'a'; HEAD];
                window[zero] = 0;
                let mut column = KeyColumn::default();
                assert_eq!(column.push_short_text(&window, length, false), zero >= length, "{zero} in {length}");
            }
        }
        // Keys that only zeros tell apart have different heads.
        let mut column = KeyColumn::default();
        let texts: [&[u8]; 5] = [b"", b"\0", b"\0\0", b"a", b"a\0"];
        for text in texts {
            key::push_text(column.pending(), text);
            column.commit();
        }
        column.commit();
        for a in 0..6 {
            for b in 0..6 {
                assert_eq!(column.head(a) == column.head(b), a == b, "{a} and {b}");
            }
        }
    }
}
