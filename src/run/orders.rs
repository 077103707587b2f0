//! `--check-order`: the input once more, in other orders, and whether the same table comes of it.

use super::Run;
use super::streams::Stream;
use crate::cli::{CheckOrder, Config};
use crate::engine::bound::{Beyond, KeyLimit};
use crate::engine::guard::GuardConfig;
use crate::engine::orders::{Shuffle, Tally};
use crate::engine::{Engine, EngineConfig, Input, Limits, Now};
use crate::error::{Error, Severity, counted};
use crate::host::{Clock, Interrupts};
use crate::input::again::Again;
use crate::input::pool::Item;
use crate::output::junit::Outcome;
use crate::output::whole_table::WholeTable;
use crate::random::Random;
use crate::time::{Span, Timestamp};
use crossbeam_channel::{Select, TryRecvError};
use std::sync::Arc;

/// Differences that a report shows.
const MOST_SHOWN: usize = 10;

/// Why orders were not tried to the end.
pub enum Halt {
    /// SIGINT or SIGTERM.
    Signal(i32),
    /// The input cannot be read again, or is not the same.
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Halt {
        Halt::Failed(error)
    }
}

impl Run {
    /// Compares the tables of other orders with that of the run, says how they differ, and what came of it.
    pub(super) fn check_orders(
        &mut self,
        config: &Config,
        clock: &Arc<dyn Clock>,
        again: &Again,
    ) -> Result<Option<Outcome>, Halt> {
        let Some(order) = config.check_order else { return Ok(None) };
        let name = format!("--check-order {}", order.orders);
        let mut outcome =
            Outcome { name, count: 0, first: Vec::new(), is_warning: false, of: "another table in orders" };
        let bytes = self.engine.tally().bytes;
        let mut seeds = Random::new(order.seed);
        let (mut records, mut moved, mut late) = (0, 0, 0);
        for number in 1..=order.orders {
            let replay = Replay::new(config, seeds.bits());
            let (table, tally, read) = replay.run(config, clock, again, &self.interrupts)?;
            if read != bytes {
                let message = "--check-order: the input has changed while it was read again; try it on a copy";
                return Err(Error::Refused(message.into()).into());
            }
            (moved, late, records) = (moved + tally.moved, tally.late, tally.records);
            let Some(own) = self.output.gate().and_then(|gate| gate.table.as_ref()) else { return Ok(None) };
            let (differences, count) = table.differences_from(own);
            if count > 0 && outcome.count == 0 {
                let place = format!("{}: order {number} (seed {})", outcome.name, order.seed);
                for difference in &differences {
                    self.output.say(Severity::Failure, &format!("{place}: {difference}"));
                }
                if count > differences.len() {
                    self.output.say(Severity::Failure, &format!("{place}: and {} more", count - differences.len()));
                }
                outcome.first = differences.into_iter().take(MOST_SHOWN).collect();
            }
            outcome.count += u64::from(count > 0);
        }
        let mean = Tally { records, moved: moved.div_ceil(order.orders), late };
        self.tell_orders(order, &outcome, mean, &left_out(config));
        Ok(Some(outcome))
    }

    /// Says what was compared, and what was not.
    fn tell_orders(&mut self, order: CheckOrder, outcome: &Outcome, mean: Tally, left_out: &[String]) {
        let rows = self.output.gate().and_then(|gate| gate.table.as_ref()).map_or(0, WholeTable::rows);
        let CheckOrder { orders, seed } = order;
        let Tally { records, moved, late } = mean;
        if outcome.count == 0 {
            let orders = counted(orders, "other order");
            let mut text = format!("{}: the same {} in {orders} (seed {seed})", outcome.name, counted(rows, "row"));
            text += &format!("; of {}, {moved} were overtaken in the mean", counted(records, "record"));
            if late > 0 {
                text += &format!(", and {late} were behind the watermark and still are");
            }
            self.output.say(Severity::Note, &text);
        }
        if !left_out.is_empty() {
            let text = format!("{}: left out, as it depends on arrival: {}", outcome.name, left_out.join(", "));
            self.output.say(Severity::Note, &text);
        }
        if moved == 0 {
            let text = "no record could be overtaken by another within -d, so this has shown nothing";
            self.output.say(Severity::Warning, &format!("{}: {text}", outcome.name));
        }
    }
}

/// Windows and columns that are not compared.
fn left_out(config: &Config) -> Vec<String> {
    let names = config.shape.names();
    let columns = (0..names.len()).filter(|slot| config.shape.heeds_arrival(*slot)).map(|slot| names[slot].to_owned());
    let windows = config.shape.windows.iter().zip(&config.engine.windows);
    let counted = windows.filter(|(_, window)| !WholeTable::can_take(window)).map(|(name, _)| format!("-w {name}"));
    counted.chain(columns).collect()
}

/// One other order.
struct Replay {
    shuffle: Shuffle,
    engine: Engine,
    table: WholeTable,
}

/// What was made of it: the table, what was done to the order, and the bytes that were read.
type Replayed = (WholeTable, Tally, u64);

/// Nothing that is asked for with it looks at a clock.
const NOW: Now = Now { wall: Timestamp::MIN, elapsed: Span::ZERO };

impl Replay {
    fn new(config: &Config, seed: u64) -> Replay {
        let EngineConfig { delay, guard, .. } = config.engine;
        // What these refuse was refused in the input's own order, and does not come.
        let engine = EngineConfig {
            limits: Limits::default(),
            guard: GuardConfig::default(),
            key_limit: config.engine.key_limit.filter(|limit: &KeyLimit| limit.beyond != Beyond::Fail),
            ..config.engine.clone()
        };
        Replay {
            shuffle: Shuffle::new(delay, seed, guard, config.projection.values.len()),
            engine: Engine::new(engine),
            table: WholeTable::new(&config.shape, &config.engine.windows),
        }
    }

    fn run(
        mut self,
        config: &Config,
        clock: &Arc<dyn Clock>,
        again: &Again,
        interrupts: &Interrupts,
    ) -> Result<Replayed, Halt> {
        let mut stream = Stream::start(config, clock, 1, again.sources()?)?;
        let mut bytes = 0;
        let (shuffle, engine, table) = (&mut self.shuffle, &mut self.engine, &mut self.table);
        let mut take = |batch: &_| {
            // There are no limits.
            let _ = engine.step(Input::Batch(batch, NOW), table);
        };
        loop {
            if let Some(signal) = interrupts.signal() {
                return Err(Halt::Signal(signal));
            }
            match stream.next() {
                Ok(Item::Records(mut batch)) => {
                    stream.place(&mut batch);
                    bytes += batch.consumed;
                    shuffle.take(&batch, &mut take);
                    stream.recycle(batch);
                }
                Ok(Item::Failed(error)) => return Err(Halt::Failed(error)),
                // All was said the first time.
                Ok(_) => {}
                Err(TryRecvError::Empty) => wait(&stream, interrupts),
                Err(TryRecvError::Disconnected) => break,
            }
        }
        if !stream.end() {
            return Err(Halt::Failed(Error::Defect));
        }
        shuffle.end(&mut take);
        let tally = self.shuffle.tally();
        let _ = self.engine.step(Input::End, &mut self.table);
        Ok((self.table, tally, bytes))
    }
}

/// Waits for the next item, or a signal.
fn wait(stream: &Stream, interrupts: &Interrupts) {
    let Some(items) = stream.waits_for() else { return };
    let mut select = Select::new();
    let wake = select.recv(&interrupts.wake);
    select.recv(items);
    if select.ready() == wake {
        // Who is ready may be so no more; the loop looks at the signal itself.
        let _ = interrupts.wake.try_recv();
    }
}
