//! The sessions of one key, by start. They neither overlap nor touch, so their ends are in the same order.

use crate::time::Timestamp;
use crate::window::Window;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// Places of sessions by their starts. Most keys have one or two at a time; a short gap and a long delay can leave a
/// key with any number of them, and in any order.
#[derive(Debug)]
pub enum Timeline {
    /// A few, in order.
    Few(SmallVec<[(Timestamp, u32); 1]>),
    /// Many.
    Many(BTreeMap<Timestamp, u32>),
}

/// Places of neighbouring sessions, in order.
pub type Neighbours = SmallVec<[u32; 4]>;

/// A list is moved about up to this length.
const MOST_FEW: usize = 32;

impl Default for Timeline {
    fn default() -> Self {
        Timeline::Few(SmallVec::new())
    }
}

impl Timeline {
    /// The sessions that a window touches, if `window` tells the windows of places.
    pub fn touched(&self, own: Window, window: impl Fn(u32) -> Window) -> Neighbours {
        let touches = |place: &u32| window(*place).touches(&own);
        let mut found: Neighbours = match self {
            Timeline::Few(list) => {
                let before = list.iter().rev().skip_while(|(start, _)| *start > own.end).map(|(_, place)| *place);
                before.take_while(touches).collect()
            }
            Timeline::Many(map) => map.range(..=own.end).rev().map(|(_, place)| *place).take_while(touches).collect(),
        };
        found.reverse();
        found
    }

    /// Adds a session.
    pub fn insert(&mut self, start: Timestamp, place: u32) {
        match self {
            Timeline::Few(list) if list.len() < MOST_FEW => {
                let at = list.iter().rposition(|(other, _)| *other < start).map_or(0, |before| before + 1);
                list.insert(at, (start, place));
            }
            Timeline::Few(list) => {
                let mut map: BTreeMap<_, _> = list.drain(..).collect();
                map.insert(start, place);
                *self = Timeline::Many(map);
            }
            Timeline::Many(map) => {
                map.insert(start, place);
            }
        }
    }

    /// Takes out the session that starts there.
    pub fn remove(&mut self, start: Timestamp) {
        match self {
            Timeline::Few(list) => list.retain(|(other, _)| *other != start),
            Timeline::Many(map) => {
                map.remove(&start);
            }
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        match self {
            Timeline::Few(list) => list.is_empty(),
            Timeline::Many(map) => map.is_empty(),
        }
    }

    /// All places, in order.
    pub fn places(&self) -> impl Iterator<Item = u32> {
        let (few, many) = match self {
            Timeline::Few(list) => (Some(list), None),
            Timeline::Many(map) => (None, Some(map)),
        };
        let few = few.into_iter().flatten().map(|(_, place)| *place);
        few.chain(many.into_iter().flat_map(|map| map.values().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t7_neighbours_are_found_among_few_and_among_many() {
        for count in [0, 1, 5, MOST_FEW as i64, 200] {
            let mut timeline = Timeline::default();
            // Session n is [10n, 10n + 5), put in from both ends towards the middle.
            let window = |place: u32| Window {
                start: Timestamp(i64::from(place) * 10),
                end: Timestamp(i64::from(place) * 10 + 5),
            };
            for place in (0..count / 2).flat_map(|n| [n, count - 1 - n]).chain((count % 2 == 1).then_some(count / 2)) {
                timeline.insert(Timestamp(place * 10), place as u32);
            }
            assert_eq!(timeline.places().collect::<Vec<_>>(), (0..count as u32).collect::<Vec<_>>());
            for start in -20..count * 10 + 20 {
                for length in [1, 5, 6, 17, 40] {
                    let own = Window { start: Timestamp(start), end: Timestamp(start + length) };
                    let expected: Vec<u32> = (0..count as u32).filter(|place| window(*place).touches(&own)).collect();
                    assert_eq!(timeline.touched(own, window).as_slice(), expected, "{start} {length} of {count}");
                }
            }
            for place in (0..count).rev() {
                timeline.remove(Timestamp(place * 10));
                assert_eq!(timeline.places().count() as i64, place);
            }
            assert!(timeline.is_empty());
        }
    }
}
