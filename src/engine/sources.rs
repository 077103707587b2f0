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
}

/// How an input with a watermark of its own stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceStanding {
    /// Its watermark; `None` before its first event.
    pub watermark: Option<Timestamp>,
    /// Whether the minimum waits for it: it is neither idle nor has it ended.
    pub is_awaited: bool,
    /// When it had an event last; counted from the beginning of the run.
    pub heard: Span,
}

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
    active: BTreeSet<(Timestamp, u32)>,
    idle: BTreeSet<(Timestamp, u32)>,
    /// Sources that have changed since the last save, if that is noted; and the values of partitions then.
    changed: Option<Marks>,
    values: Vec<Box<[u8]>>,
    /// The numbers of those that are being restored.
    order: Vec<u32>,
}

impl Sources {
    /// The sources before anything has come. Inputs are waited for from the beginning, partitions once they are seen.
    pub fn new(config: &EngineConfig) -> Sources {
        let mut sources = Sources {
            rule: config.sources,
            sources: Vec::new(),
            partitions: HashMap::new(),
            active: BTreeSet::new(),
            idle: BTreeSet::new(),
            changed: None,
            values: Vec::new(),
            order: Vec::new(),
        };
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

    fn stand(&mut self, id: u32, standing: Standing) {
        self.change(id);
        let source = &mut self.sources[id as usize];
        let entry = (source.watermark, id);
        match source.standing {
            Standing::Active => _ = self.active.remove(&entry),
            Standing::Idle => _ = self.idle.remove(&entry),
            Standing::New | Standing::Ended => {}
        }
        source.standing = standing;
        match standing {
            Standing::Active => _ = self.active.insert(entry),
            Standing::Idle => _ = self.idle.insert(entry),
            Standing::New | Standing::Ended => {}
        }
    }

    /// The source has spoken, and its watermark is at least this.
    pub fn advance(&mut self, id: u32, watermark: Timestamp, now: Span) {
        let source = &mut self.sources[id as usize];
        source.heard = now;
        if source.standing != Standing::Active {
            self.stand(id, Standing::Active);
        }
        let before = self.sources[id as usize].watermark;
        if watermark > before {
            self.sources[id as usize].watermark = watermark;
            self.change(id);
            self.active.remove(&(before, id));
            self.active.insert((watermark, id));
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

    /// The source has ended.
    pub fn end(&mut self, id: u32) {
        self.stand(id, Standing::Ended);
    }

    /// When the source that has been silent for longest had its last event.
    pub fn heard_first(&self) -> Option<Span> {
        self.active.iter().map(|(_, id)| self.sources[*id as usize].heard).min()
    }

    /// Whether there are any and all of them are idle or have ended.
    pub fn are_idle(&self) -> bool {
        self.active.is_empty() && !self.idle.is_empty()
    }

    /// What the watermark is to be: the minimum, or the largest if all are idle. `None` if there is no source.
    pub fn watermark(&self) -> Option<Timestamp> {
        self.active.first().or(self.idle.last()).map(|(watermark, _)| *watermark)
    }

    /// The input whose record is to be taken next: the one with the smallest watermark.
    pub fn next(&self) -> Option<u32> {
        self.active.first().map(|(_, id)| *id)
    }

    /// How the inputs stand, in their order; none if watermarks are not those of inputs.
    pub fn of_inputs(&self) -> Vec<SourceStanding> {
        let standing = |source: &Source| SourceStanding {
            watermark: Some(source.watermark).filter(|watermark| *watermark > Timestamp::MIN),
            is_awaited: source.standing == Standing::Active,
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
        let of = |standing| {
            let sources = self.sources.iter().zip(0..).filter(move |(source, _)| source.standing == standing);
            sources.map(|(source, id)| (source.watermark, id)).collect()
        };
        (self.active, self.idle) = (of(Standing::Active), of(Standing::Idle));
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
const STANDINGS: [Standing; 4] = [Standing::New, Standing::Active, Standing::Idle, Standing::Ended];
