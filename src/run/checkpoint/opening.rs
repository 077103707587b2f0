//! What is there of an earlier run: all that may be refused is, before anything is changed.

use super::inputs::Inputs;
use super::keeper::{Begun, Keeper};
use super::outputs::{Means, Outputs};
use super::record::{Payload, Record};
use super::writer::Writer;
use super::{damaged, of_output, restore};
use crate::cli::Config;
use crate::cli::state::StateConfig;
use crate::engine::Engine;
use crate::error::{Error, Severity};
use crate::host::{Asked, Clock, StandardFiles};
use crate::input::feed::Feed;
use crate::run::open::{self, Opened};
use crate::state::{Calls, StateDir};
use crate::time::Timestamp;
use crate::time::year::YearRule;
use crate::time::zone::database_version;
use indicatif::HumanCount;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

/// What a run has of its process.
pub struct Ends {
    /// Standard input.
    pub stdin: Box<dyn Feed>,
    /// Where rows go without `--output`.
    pub stdout: Box<dyn Write + Send>,
    /// The standard streams as files, where they are some.
    pub files: StandardFiles,
    /// What stands before each call.
    pub calls: Arc<dyn Calls>,
    /// Whether the run is to stop.
    pub asked: Asked,
}

/// Opens the state, the inputs and the outputs, and makes everything as it was at the newest checkpoint. Outputs are cut
/// back only when nothing can be refused any more.
///
/// # Errors
/// Something cannot be opened, or does not go with the state. Then nothing has been changed.
pub fn open(
    config: &mut Config,
    state: &StateConfig,
    ends: Ends,
    clock: &Arc<dyn Clock>,
) -> Result<(Opened, Engine, Option<Keeper>), Error> {
    let Ends { stdin, stdout, files, calls, asked } = ends;
    let (mut sources, mut watch) = open::inputs(config, stdin, clock)?;
    open::refuse_overwriting(config, &sources)?;
    let since = Instant::now();
    let mut directory = StateDir::open_with(&state.directory, calls.clone())?;
    let name = directory.name().to_owned();
    let zones = (config.projection.time_rules.zone.name() != "UTC").then(database_version);
    let before = match directory.epoch() {
        Some(_) => Some(Payload::read(directory.payload(), &name)?),
        None => None,
    };
    if let Some(Payload { record, .. }) = &before {
        record.check_settings(&config.settings, zones, &name)?;
    }
    refuse_shared_stderr(config, &files)?;
    let inputs = match &before {
        Some(before) => Inputs::resume(&mut sources, &before.record, state.stdin, clock.wall())?,
        None => Inputs::begin(&mut sources, clock.wall())?,
    };
    if let Some(watch) = &mut watch {
        watch.renumber(&sources);
    }
    let mut outputs = Outputs::open(config, stdout, files.stdout, Means { calls, asked })?;
    if let Some(Payload { record, .. }) = &before {
        outputs.check(&record.outputs, record.is_clean)?;
        if let YearRule::NewestBefore(now) = &mut config.projection.time_rules.year
            && !record.is_clean
        {
            *now = Timestamp(record.now);
        }
    }
    let encoder = match &before {
        Some(before) => of_output::restore(config, &before.of_output).map_err(|what| damaged(&name, what))?,
        None => None,
    };
    let mut engine = match &before {
        Some(before) => restore(config, &before.head, &mut directory)?,
        None => Engine::new(config.engine.clone()).kept(),
    };
    let left_out = if config.is_merged { engine.name_inputs(&inputs.named) } else { Vec::new() };
    // Counting windows takes a while.
    let is_verbose = config.voice.least == Severity::Detail;
    let resumed = directory.epoch().filter(|_| is_verbose).map(|epoch| {
        let (windows, took) = (HumanCount(engine.open_windows()), since.elapsed().as_secs_f64());
        format!("goes on from checkpoint {epoch} in {name} with {windows} open windows, read in {took:.3} s")
    });
    let (mut writers, tracked) = outputs.cut_back()?;
    writers.encoder = encoder;
    if state.holds {
        writers.rows.hold();
    }
    let now_by = match config.projection.time_rules.year {
        YearRule::NewestBefore(now) => now.0,
        YearRule::Written | YearRule::First(_) => 0,
    };
    let is_new = before.is_none();
    let (record, held) = match before {
        Some(Payload { mut record, held, .. }) => {
            record.now = now_by;
            (record, held)
        }
        None => {
            (Record::new(config.settings.clone(), zones.map(str::to_owned), now_by, tracked.records()?), Vec::new())
        }
    };
    let notice = directory.notice();
    let writer = Writer::start(directory, tracked.to_sync()?)?;
    let bytes = engine.tally().bytes;
    let begun =
        Begun { name, record, held, is_new, inputs, left_out, bytes, outputs: tracked, writer, notice, resumed };
    let keeper = Keeper::new(state, begun, clock.now());
    Ok((Opened { sources, watch, writers, again: None }, engine, Some(keeper)))
}

/// Lines on stderr may come again, and would be cut off with rows that are in the same file.
fn refuse_shared_stderr(config: &Config, files: &StandardFiles) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;
    let id = |file: &Option<File>| {
        let found = file.as_ref()?.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((found.dev(), found.ino()))
    };
    match (id(&files.stdout), id(&files.stderr)) {
        (Some(stdout), Some(stderr)) if stdout == stderr && config.output.is_none() => Err(Error::Refused(
            "stdout and stderr go to the same file, which could not be cut back to its rows; send them apart, or use --output FILE".into(),
        )),
        _ => Ok(()),
    }
}
