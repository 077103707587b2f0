//! From the head and the pieces to the engine.

use super::head::{self, Silence};
use super::{Damaged, Kept};
use crate::codec::Reader;
use crate::engine::lane::Shared;
use crate::engine::{Context, Engine, EngineConfig, Machine, WindowStore};

/// An engine that is being restored.
#[derive(Debug)]
pub struct Restore {
    engine: Engine,
}

impl Restore {
    /// Begins with the head; `config` is that of the engine that was saved.
    ///
    /// # Errors
    /// The head is damaged, of another version, or was saved with another configuration.
    pub fn new(config: EngineConfig, head: &[u8]) -> Result<Restore, Damaged> {
        let mut engine = Engine::new(config).kept();
        head::restore(&mut engine, head)?;
        Ok(Restore { engine })
    }

    /// Takes a piece. They come in any order, each once.
    ///
    /// # Errors
    /// It is damaged.
    pub fn piece(&mut self, group: u64, row: u64, bytes: &[u8]) -> Result<(), Damaged> {
        let Engine { windows, progress, groups } = &mut self.engine;
        let (slot, group) = groups.of(group)?;
        let bytes = Reader::new(bytes);
        match windows {
            Machine::Slices(store) if slot == 1 => store.piece(group, row, bytes, &mut progress.context(&mut Silence)),
            Machine::Sessions(store) if slot == 1 => {
                store.piece(group, row, bytes, &mut progress.context(&mut Silence))
            }
            Machine::General(general) => match (slot.checked_sub(1), &mut general.dedup) {
                (None, _) if group.is_fixed => general.sources.piece(group, row, bytes),
                (None, Some(dedup)) => dedup.piece(group, row, bytes),
                (Some(spec), _) => {
                    let shared = Shared::of(progress);
                    let lane = &mut general.lanes.lanes[spec];
                    lane.with(shared, spec, &mut Silence, |store, cx| store.piece(group, row, bytes, cx))
                }
                (None, None) => Err(Damaged("a piece is of no known kind")),
            },
            Machine::Slices(_) | Machine::Sessions(_) => Err(Damaged("a piece is of no known kind")),
        }
    }

    /// The engine, when all pieces have come. It is [kept](Engine::kept).
    ///
    /// # Errors
    /// The pieces do not go together.
    pub fn finish(self) -> Result<Engine, Damaged> {
        let mut engine = self.engine;
        let Engine { windows, progress, groups: _ } = &mut engine;
        match windows {
            Machine::Slices(store) => complete(store, &mut progress.context(&mut Silence))?,
            Machine::Sessions(store) => complete(store, &mut progress.context(&mut Silence))?,
            Machine::General(general) => {
                for (spec, lane) in general.lanes.lanes.iter_mut().enumerate() {
                    lane.with(Shared::of(progress), spec, &mut Silence, complete)?;
                }
                general.sources.assemble()?;
                if let Some(dedup) = &mut general.dedup {
                    dedup.assemble(&mut progress.keys.size)?;
                }
            }
        }
        Ok(engine)
    }
}

/// What follows from the watermark is made anew.
fn complete(store: &mut dyn WindowStore, cx: &mut Context<'_>) -> Result<(), Damaged> {
    store.assemble(cx)?;
    store.settle(cx);
    Ok(())
}
