//! A simulated medium: what was not synced may be lost, kept or torn when the power fails, and any call can fail.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use streamw::state::{Fault, Key, Medium};

use crate::history::Rng;

/// The disk outlives the media that are opened on it, as a real one does.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<Content>>);

#[derive(Clone, Default)]
pub struct Content {
    /// What no power cut takes away.
    pub durable: BTreeMap<Key, Vec<u8>>,
    /// What the processes see of the values that were written or removed (`None`) since the last sync, oldest first.
    unsynced: Vec<(Key, Option<Vec<u8>>)>,
    pub mark: Option<u64>,
    calls: u64,
    fault: Option<Injected>,
}

#[derive(Clone, Copy)]
enum Injected {
    /// This call fails, and no other.
    Once(u64),
    /// From this call on nothing happens any more: the process is dead.
    Kill(u64),
}

/// What becomes of unsynced writes in a power cut.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    Lost,
    Kept,
    /// Each key by itself keeps its oldest few, and the last of them may be torn.
    Mixed,
}

impl Disk {
    pub fn new() -> Disk {
        Disk::default()
    }

    pub fn medium(&self) -> Box<dyn Medium> {
        Box::new(self.clone())
    }

    pub fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().expect("no medium panics")
    }

    /// A disk with this durable content.
    pub fn with(content: Content) -> Disk {
        Disk(Arc::new(Mutex::new(content)))
    }

    /// Call `number`, counted from 1 and from now, fails.
    pub fn fail(&self, number: u64) {
        let mut content = self.content();
        content.fault = Some(Injected::Once(content.calls + number));
    }

    /// From call `number` on, counted from 1 and from now, nothing happens any more.
    pub fn kill(&self, number: u64) {
        let mut content = self.content();
        content.fault = Some(Injected::Kill(content.calls + number));
    }

    /// Whether the call that was to fail has been made. From now on all calls work.
    pub fn repair(&self) -> bool {
        let mut content = self.content();
        let calls = content.calls;
        let due = |fault| matches!(fault, Injected::Once(at) | Injected::Kill(at) if at <= calls);
        content.fault.take().is_some_and(due)
    }

    /// The power fails.
    pub fn cut(&self, cut: Cut, rng: &mut Rng) {
        let mut content = self.content();
        let unsynced = std::mem::take(&mut content.unsynced);
        match cut {
            Cut::Lost => {}
            Cut::Kept => unsynced.into_iter().for_each(|(key, value)| content.settle(key, value)),
            Cut::Mixed => {
                let mut of_key: BTreeMap<Key, Vec<Option<Vec<u8>>>> = BTreeMap::new();
                for (key, value) in unsynced {
                    of_key.entry(key).or_default().push(value);
                }
                for (key, mut versions) in of_key {
                    versions.truncate(rng.between(0, versions.len() as i128) as usize);
                    if let Some(version) = versions.pop() {
                        let torn = version.map(|value| if rng.chance(20) { tear(value, rng) } else { value });
                        content.settle(key, torn);
                    }
                }
            }
        }
    }
}

/// A page that was half written: the rest is zeros.
fn tear(mut value: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    let from = rng.between(0, value.len() as i128) as usize;
    value[from..].fill(0);
    value
}

impl Content {
    fn settle(&mut self, key: Key, value: Option<Vec<u8>>) {
        match value {
            Some(value) => self.durable.insert(key, value),
            None => self.durable.remove(&key),
        };
    }

    fn call(&mut self) -> Result<(), Fault> {
        self.calls += 1;
        match self.fault {
            Some(Injected::Once(at)) if self.calls == at => {}
            Some(Injected::Kill(at)) if self.calls >= at => {}
            _ => return Ok(()),
        }
        Err(Fault::io("simulated call", io::Error::from(io::ErrorKind::StorageFull)))
    }

    fn see(&self, key: Key) -> Option<&Vec<u8>> {
        match self.unsynced.iter().rev().find(|(written, _)| *written == key) {
            Some((_, value)) => value.as_ref(),
            None => self.durable.get(&key),
        }
    }
}

impl Medium for Disk {
    fn get(&mut self, key: Key, into: &mut Vec<u8>) -> Result<bool, Fault> {
        let mut content = self.content();
        content.call()?;
        into.clear();
        into.extend(content.see(key).into_iter().flatten());
        Ok(content.see(key).is_some())
    }

    fn put(&mut self, key: Key, value: &[u8]) -> Result<(), Fault> {
        let mut content = self.content();
        content.call()?;
        assert!(value.len() <= 4096, "values are at most 4 KiB");
        content.unsynced.push((key, Some(value.to_vec())));
        Ok(())
    }

    fn remove(&mut self, key: Key) -> Result<(), Fault> {
        let mut content = self.content();
        content.call()?;
        content.unsynced.push((key, None));
        Ok(())
    }

    fn chunks(&mut self, from: u64, to: u64) -> Result<Vec<u64>, Fault> {
        let mut content = self.content();
        content.call()?;
        let known = content.durable.keys().chain(content.unsynced.iter().map(|(key, _)| key));
        let mut numbers: Vec<u64> = known
            .filter(|key| content.see(**key).is_some())
            .filter_map(|key| if let Key::Chunk(number) = key { Some(*number) } else { None })
            .filter(|number| (from..to).contains(number))
            .collect();
        numbers.sort();
        numbers.dedup();
        Ok(numbers)
    }

    fn sync(&mut self) -> Result<(), Fault> {
        let mut content = self.content();
        if let Err(fault) = content.call() {
            // As the kernel does it: the pages count as clean and are written no more, unless the process is
            // dead, when they may still be.
            if matches!(content.fault, Some(Injected::Once(_))) {
                content.unsynced.clear();
            }
            return Err(fault);
        }
        for (key, value) in std::mem::take(&mut content.unsynced) {
            content.settle(key, value);
        }
        Ok(())
    }

    fn mark(&mut self, epoch: u64) -> Result<(), Fault> {
        let mut content = self.content();
        content.call()?;
        content.mark = Some(epoch);
        Ok(())
    }

    fn marked(&mut self) -> Result<Option<u64>, Fault> {
        let mut content = self.content();
        content.call()?;
        Ok(content.mark)
    }

    fn bytes(&mut self) -> Result<u64, Fault> {
        Ok(self.content().durable.values().map(|value| value.len() as u64).sum())
    }
}
