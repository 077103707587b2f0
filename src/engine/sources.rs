//! Sources with watermarks of their own, and the watermark that follows from them: the minimum (T10).

use super::EngineConfig;
use super::snapshot::{Group, Marks, Sink, arrange};
use crate::codec::{Damaged, Reader, put_bytes, put_signed};
use crate::time::{Span, Timestamp};
use hashbrown::HashMap;
use std::collections::BTreeSet;

/// Whose watermarks there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceRule {
    /// One for all records.
    #[default]
    One,
    /// One for each of so many inputs (`--merge`).
    Inputs(u32),
    /// One for each value of a field (`--partition`).
    Partitions,
}

/// What a source is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It has had no event, and is not waited for.
    New,
    /// The minimum waits for it.
    Active,
    /// It is silent: out of the minimum until it speaks again.
    Idle,
    /// It is out of the minimum for good.
    Ended,
    /// It has come to its end in this run; the minimum waits for what a later one brings.
    Resting,
}

/// How an input with a watermark of its own stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceStanding {
    /// Its watermark; `None` before its first event.
    pub watermark: Option<Timestamp>,
    /// Whether the minimum waits for it: it is neither idle nor has it ended for good.
    pub is_awaited: bool,
    /// Whether it was silent for too long.
    pub is_idle: bool,
    /// When it had an event last; counted from the beginning of the run.
    pub heard: Span,
}

/// By which sources take turns: the watermark, the position, and whose these are.
type Turn = (Timestamp, u32, u32);

#[derive(Clone, Copy, Debug)]
struct Source {
    watermark: Timestamp,
    standing: Standing,
    /// When it had an event last; counted from the beginning of the run.
    heard: Span,
}

/// The sources of a run.
#[derive(Debug)]
pub struct Sources {
    rule: SourceRule,
    sources: Vec<Source>,
    /// The numbers of the partitions, by their encoded values.
    partitions: HashMap<Box<[u8]>, u32>,
    /// Those that the minimum waits for, by watermark and then by position.
    active: BTreeSet<Turn>,
    idle: BTreeSet<Turn>,
    resting: BTreeSet<Turn>,
    /// Where inputs stand on the command line, if that is not in the order of their numbers.
    places: Vec<u32>,
    /// Sources that have changed since the last save, if that is noted; and the values of partitions then.
    changed: Option<Marks>,
    values: Vec<Box<[u8]>>,
    /// The numbers of those that are being restored.
    order: Vec<u32>,
}

impl Sources {
    fn none(rule: SourceRule) -> Sources {
        Sources {
            rule,
            sources: Vec::new(),
            partitions: HashMap::new(),
            active: BTreeSet::new(),
            idle: BTreeSet::new(),
            resting: BTreeSet::new(),
            places: Vec::new(),
            changed: None,
            values: Vec::new(),
            order: Vec::new(),
        }
    }

    /// The sources before anything has come. Inputs are waited for from the beginning, partitions once they are seen.
    pub fn new(config: &EngineConfig) -> Sources {
        let mut sources = Sources::none(config.sources);
        let inputs = match config.sources {
            SourceRule::One => 1,
            SourceRule::Inputs(inputs) => inputs,
            SourceRule::Partitions => 0,
        };
        for id in 0..inputs {
            sources.push();
            sources.stand(id, Standing::Active);
        }
        sources
    }

    fn push(&mut self) -> u32 {
        self.sources.push(Source { watermark: Timestamp::MIN, standing: Standing::New, heard: Span::ZERO });
        self.sources.len() as u32 - 1
    }

    /// The source of a record of an input; `partition` is the encoded value of its partition field.
    pub fn of<'a>(&mut self, input: u32, partition: impl FnOnce() -> &'a [u8]) -> u32 {
        match self.rule {
            SourceRule::One => 0,
            SourceRule::Inputs(_) => input,
            SourceRule::Partitions => {
                let partition = partition();
                match self.partitions.get(partition) {
                    Some(id) => *id,
                    None => {
                        let id = self.push();
                        self.partitions.insert(partition.into(), id);
                        if self.changed.is_some() {
                            self.values.push(partition.into());
                        }
                        self.change(id);
                        id
                    }
                }
            }
        }
    }

    #[inline]
    fn change(&mut self, id: u32) {
        if let Some(changed) = &mut self.changed {
            changed.set(id as usize);
        }
    }

    fn turn(&self, id: u32) -> Turn {
        (self.sources[id as usize].watermark, self.places.get(id as usize).copied().unwrap_or(id), id)
    }

    fn stand(&mut self, id: u32, standing: Standing) {
        self.change(id);
        let turn = self.turn(id);
        let before = std::mem::replace(&mut self.sources[id as usize].standing, standing);
        self.waiting(before).map(|turns| turns.remove(&turn));
        self.waiting(standing).map(|turns| turns.insert(turn));
    }

    /// Those that stand so, if any of them is to count.
    fn waiting(&mut self, standing: Standing) -> Option<&mut BTreeSet<Turn>> {
        match standing {
            Standing::Active => Some(&mut self.active),
            Standing::Idle => Some(&mut self.idle),
            Standing::Resting => Some(&mut self.resting),
            Standing::New | Standing::Ended => None,
        }
    }

    /// The source has spoken, and its watermark is at least this.
    pub fn advance(&mut self, id: u32, watermark: Timestamp, now: Span) {
        let source = &mut self.sources[id as usize];
        source.heard = now;
        if source.standing != Standing::Active {
            self.stand(id, Standing::Active);
        }
        if watermark > self.sources[id as usize].watermark {
            self.active.remove(&self.turn(id));
            self.sources[id as usize].watermark = watermark;
            self.change(id);
            self.active.insert(self.turn(id));
        }
    }

    /// The source has spoken; a new one does not count yet.
    pub fn hear(&mut self, id: u32, now: Span) {
        self.sources[id as usize].heard = now;
        self.wake(id);
    }

    /// An idle source speaks again.
    pub fn wake(&mut self, id: u32) {
        if self.sources[id as usize].standing == Standing::Idle {
            self.stand(id, Standing::Active);
        }
    }

    /// The source is silent.
    pub fn fall_idle(&mut self, id: u32) {
        if self.sources[id as usize].standing == Standing::Active {
            self.stand(id, Standing::Idle);
        }
    }

    /// All that had no event since a moment are silent.
    pub fn fall_idle_since(&mut self, heard: Span) {
        for id in 0..self.sources.len() as u32 {
            if self.sources[id as usize].heard <= heard {
                self.fall_idle(id);
            }
        }
    }

    /// The input has ended. Partitions do not end with the inputs that they come in.
    pub fn end(&mut self, id: u32) {
        if self.rule != SourceRule::Partitions {
            self.stand(id, Standing::Ended);
        }
    }

    /// The input has come to its end in this run. One that was silent stays out of the minimum.
    pub fn rest(&mut self, id: u32) {
        if self.sources[id as usize].standing == Standing::Active {
            self.stand(id, Standing::Resting);
        }
    }

    /// These are the inputs of this run, in their order: they are read on, also those that had come to their ends. Returns
    /// those of earlier runs that have not left the minimum.
    pub fn name(&mut self, named: &[u32]) -> Vec<u32> {
        for id in self.sources.len() as u32..named.iter().map(|id| id + 1).max().unwrap_or(0) {
            self.push();
            self.stand(id, Standing::Active);
        }
        self.places = vec![u32::MAX; self.sources.len()];
        named.iter().zip(0..).for_each(|(id, place)| self.places[*id as usize] = place);
        self.arrange_turns();
        for id in named {
            if matches!(self.sources[*id as usize].standing, Standing::Resting | Standing::Ended) {
                self.stand(*id, Standing::Active);
            }
        }
        let is_left = |id: &u32| !named.contains(id) && self.sources[*id as usize].standing != Standing::Ended;
        (0..self.sources.len() as u32).filter(is_left).collect()
    }

    fn arrange_turns(&mut self) {
        let of = |standing| {
            let ids = 0..self.sources.len() as u32;
            ids.filter(|id| self.sources[*id as usize].standing == standing).map(|id| self.turn(id)).collect()
        };
        (self.active, self.idle, self.resting) = (of(Standing::Active), of(Standing::Idle), of(Standing::Resting));
    }

    /// When the source that has been silent for longest had its last event.
    pub fn heard_first(&self) -> Option<Span> {
        self.active.iter().map(|(.., id)| self.sources[*id as usize].heard).min()
    }

    /// Whether there are any and all of them are idle or have ended.
    pub fn are_idle(&self) -> bool {
        self.active.is_empty() && self.resting.is_empty() && !self.idle.is_empty()
    }

    /// What the watermark is to be: the minimum, or the largest if all are idle. `None` if there is no source.
    pub fn watermark(&self) -> Option<Timestamp> {
        let awaited = self.active.first().into_iter().chain(self.resting.first()).min();
        awaited.or(self.idle.last()).map(|(watermark, ..)| *watermark)
    }

    /// The input whose record is to be taken next: the one with the smallest watermark.
    pub fn next(&self) -> Option<u32> {
        self.active.first().map(|(.., id)| *id)
    }

    /// How the inputs stand, in their order; none if watermarks are not those of inputs.
    pub fn of_inputs(&self) -> Vec<SourceStanding> {
        let standing = |source: &Source| SourceStanding {
            watermark: Some(source.watermark).filter(|watermark| *watermark > Timestamp::MIN),
            is_awaited: matches!(source.standing, Standing::Active | Standing::Resting),
            is_idle: source.standing == Standing::Idle,
            heard: source.heard,
        };
        match self.rule {
            SourceRule::Inputs(_) => self.sources.iter().map(standing).collect(),
            SourceRule::One | SourceRule::Partitions => Vec::new(),
        }
    }

    /// Whether there is an input before which a source has to stand back.
    pub fn is_next(&self, id: u32) -> bool {
        !matches!(self.rule, SourceRule::Inputs(_)) || self.next() == Some(id)
    }
}

/// As pieces of one group that is there for good: one for each source.
impl Sources {
    /// Notes from now on what changes.
    pub(super) fn track(&mut self) {
        self.changed = Some(Marks::default());
        (0..self.sources.len() as u32).for_each(|id| self.change(id));
    }

    /// Hands out what has changed since the last save.
    pub(super) fn save(&mut self, sink: &mut Sink<'_>) {
        let group = sink.fixed();
        let Some(changed) = &mut self.changed else { return };
        changed.drain(|id| {
            sink.put(group, id as u64, |out| {
                let Source { watermark, standing, heard: _ } = self.sources[id];
                out.push(STANDINGS.iter().position(|known| *known == standing).unwrap_or_default() as u8);
                put_signed(out, watermark.0);
                if self.rule == SourceRule::Partitions {
                    put_bytes(out, &self.values[id]);
                }
            });
        });
    }

    /// Takes a piece. They come in any order.
    ///
    /// # Errors
    /// It is damaged.
    pub(super) fn piece(&mut self, group: Group, id: u64, mut bytes: Reader<'_>) -> Result<(), Damaged> {
        if !group.is_fixed {
            return Err(Damaged("a piece is of no known kind"));
        }
        if self.order.is_empty() {
            self.sources.clear();
        }
        self.order.push(u32::try_from(id).map_err(|_| Damaged("a source has an impossible number"))?);
        let standing = STANDINGS.get(usize::from(bytes.byte()?)).ok_or(Damaged("a source stands nowhere"))?;
        let watermark = Timestamp(bytes.signed()?);
        // Silence is counted from the beginning of each run.
        self.sources.push(Source { watermark, standing: *standing, heard: Span::ZERO });
        if self.rule == SourceRule::Partitions {
            self.values.push(bytes.bytes()?.into());
        }
        bytes.end()
    }

    /// All pieces have come. Inputs that are new are waited for like others.
    ///
    /// # Errors
    /// They do not go together.
    pub(super) fn assemble(&mut self) -> Result<(), Damaged> {
        if self.order.is_empty() && !self.sources.is_empty() {
            return Err(Damaged("the sources are missing"));
        }
        self.changed = Some(Marks::default());
        arrange(std::mem::take(&mut self.order), |a, b| {
            self.sources.swap(a, b);
            if self.rule == SourceRule::Partitions {
                self.values.swap(a, b);
            }
        })?;
        self.partitions = self.values.iter().cloned().zip(0..).collect();
        if self.partitions.len() != self.values.len() {
            return Err(Damaged("a partition is there twice"));
        }
        self.arrange_turns();
        if let SourceRule::Inputs(inputs) = self.rule {
            for id in self.sources.len() as u32..inputs {
                self.push();
                self.stand(id, Standing::Active);
            }
        }
        Ok(())
    }
}

/// As they are saved: what comes new comes last.
const STANDINGS: [Standing; 5] = [Standing::New, Standing::Active, Standing::Idle, Standing::Ended, Standing::Resting];

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(rule: SourceRule) -> Sources {
        let mut sources = Sources::none(rule);
        for (id, watermark) in [10, 20, 10].into_iter().enumerate() {
            sources.push();
            sources.advance(id as u32, Timestamp(watermark), Span::ZERO);
        }
        sources
    }

    #[test]
    fn t10_ties_go_by_the_place_on_the_command_line_of_this_run() {
        let mut sources = sources(SourceRule::Inputs(3));
        assert_eq!(sources.next(), Some(0));
        assert_eq!(sources.name(&[2, 1, 0]), [0; 0]);
        assert_eq!(sources.next(), Some(2));
        sources.advance(2, Timestamp(20), Span::ZERO);
        sources.advance(0, Timestamp(20), Span::ZERO);
        assert_eq!(sources.next(), Some(2));
    }

    #[test]
    fn t5_what_rests_holds_the_minimum_until_it_is_not_named() {
        let mut sources = sources(SourceRule::Inputs(3));
        sources.fall_idle(2);
        sources.rest(0);
        // It was silent, and an end is no word.
        sources.rest(2);
        assert_eq!((sources.next(), sources.watermark()), (Some(1), Some(Timestamp(10))));
        sources.fall_idle(1);
        assert!(!sources.are_idle() && sources.watermark() == Some(Timestamp(10)));
        assert_eq!(sources.name(&[3, 1]), [0, 2]);
        sources.end(0);
        sources.end(2);
        assert_eq!(sources.name(&[3, 1]), [0; 0], "each ends once");
        assert_eq!((sources.next(), sources.watermark()), (Some(3), Some(Timestamp::MIN)));
        sources.rest(3);
        sources.end(1);
        assert_eq!(sources.name(&[0, 3]), [0; 0], "what is named again is waited for again");
        assert_eq!((sources.next(), sources.watermark()), (Some(3), Some(Timestamp::MIN)));
        sources.advance(3, Timestamp(30), Span::ZERO);
        assert_eq!((sources.next(), sources.watermark()), (Some(0), Some(Timestamp(10))));
    }

    #[test]
    fn t10_partitions_do_not_end_with_an_input() {
        let mut sources = sources(SourceRule::Partitions);
        sources.end(0);
        assert_eq!(sources.watermark(), Some(Timestamp(10)));
        // There are more inputs than partitions.
        sources.end(7);
    }
}
