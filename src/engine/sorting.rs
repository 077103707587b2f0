//! Rows in order of key (N6). Keys lie anywhere in memory and often begin alike: each of their bytes is fetched about
//! once, and not once for each comparison.

use crate::event::column::HEAD;

/// Bytes that are compared as one number.
const WORD: usize = 8;

/// Items that are compared byte by byte: so few stay near the processor.
const FEW: usize = 8;

/// An item, and of its key what it is sorted by.
pub type Sorted<T> = (u64, T);

/// Sorts items whose keys are all different. `head` tells the [head](crate::event::column::head) of an item's key, `bytes`
/// all of it.
pub fn sort_by_key<'k, T: Copy>(
    items: &mut [Sorted<T>],
    head: impl Fn(T) -> &'k [u8; HEAD],
    bytes: impl Fn(T) -> &'k [u8],
) {
    // Most keys begin alike; of what follows, 8 bytes tell nearly all of them apart. As numbers, heads order like bytes: a
    // shorter key has zeros behind, and no longer one comes before that.
    let number = |item: T| u128::from_be_bytes(*head(item));
    let first = items.first().map_or(0, |(_, item)| number(*item));
    let differing = items.iter().fold(0, |bits, (_, item)| bits | (number(*item) ^ first));
    let alike = differing.leading_zeros().min(u64::BITS);
    items.iter_mut().for_each(|(word, item)| *word = (number(*item) << alike >> u64::BITS) as u64);
    items.sort_unstable_by_key(|(word, _)| *word);
    sort_ties(items, alike as usize / 8 + WORD, &bytes);
}

/// Sorts items that are sorted by words which end with the byte before `from`, and before which keys are equal.
fn sort_ties<'k, T: Copy>(items: &mut [Sorted<T>], from: usize, bytes: &impl Fn(T) -> &'k [u8]) {
    // Keys may be very long: what is left to be sorted waits here and not in calls of calls.
    let mut waiting = Vec::new();
    note_ties(items, 0, from, &mut waiting);
    while let Some(Ties { begin, end, from }) = waiting.pop() {
        let ties = &mut items[begin..end];
        if ties.len() <= FEW {
            ties.sort_unstable_by(|(_, a), (_, b)| bytes(*a).cmp(bytes(*b)));
            continue;
        }
        let mut goes_on = false;
        for (word, item) in &mut *ties {
            let rest = bytes(*item).get(from..).unwrap_or_default();
            goes_on |= !rest.is_empty();
            *word = be_word(rest);
        }
        ties.sort_unstable_by_key(|(word, _)| *word);
        if goes_on {
            note_ties(ties, begin, from + WORD, &mut waiting);
        }
    }
}

/// Items that are equal up to the byte before `from`.
struct Ties {
    begin: usize,
    end: usize,
    from: usize,
}

fn note_ties<T>(items: &[Sorted<T>], begin: usize, from: usize, waiting: &mut Vec<Ties>) {
    let mut begin = begin;
    for ties in items.chunk_by(|a, b| a.0 == b.0) {
        let end = begin + ties.len();
        if ties.len() > 1 {
            waiting.push(Ties { begin, end, from });
        }
        begin = end;
    }
}

/// The first bytes as a number that orders as they do, with zeros behind.
fn be_word(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(word) => u64::from_be_bytes(*word),
        None => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)) << (8 * (WORD - bytes.len()) % 64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::column::head;
    use crate::event::key::push_text;

    /// Sorts keys, each with its head.
    fn sorted(keys: &[Vec<u8>]) -> Vec<&[u8]> {
        let heads: Vec<_> = keys.iter().map(|key| head(key)).collect();
        let mut items: Vec<_> = (0..keys.len()).map(|index| (0, index)).collect();
        sort_by_key(&mut items, |index| &heads[index], |index| &keys[index]);
        items.into_iter().map(|(_, index)| keys[index].as_slice()).collect()
    }

    #[test]
    fn n6_keys_sort_as_their_bytes_whatever_they_have_in_common() {
        let mut state = 11u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for round in 0..2000 {
            let (common, letters, longest) = (random(40), 1 + random(4), 1 + random(30));
            let mut keys: Vec<Vec<u8>> = (0..random(200))
                .map(|_| {
                    let text = (0..random(longest)).map(|_| [b'a', 0, 0xC3, b'z'][random(letters)]);
                    let text: Vec<u8> = vec![b'x'; common].into_iter().chain(text).collect();
                    let mut key = Vec::new();
                    push_text(&mut key, &text);
                    key
                })
                .collect();
            let printed = { sorted(&keys).into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>() };
            keys.sort();
            assert_eq!(printed, keys, "round {round}");
        }
    }

    #[test]
    fn keys_that_go_on_and_on_alike_are_sorted_without_calls_of_calls() {
        // Each is the beginning of the next.
        let mut keys: Vec<Vec<u8>> = Vec::new();
        for length in (0..3000).rev() {
            let mut key = Vec::new();
            push_text(&mut key, &vec![b'a'; length * 9]);
            keys.push(key);
        }
        let printed: Vec<usize> = sorted(&keys).into_iter().map(<[u8]>::len).collect();
        assert!(printed.is_sorted() && printed.len() == keys.len());
    }
}
