//! Flags to configuration: every check that needs more than one flag.

use super::follow::Follow;
use super::limits::{Limit, Share};
use super::running::{refuse_more_than_final, running};
use super::sources::{ARRIVAL, Pace, pace, sources};
use super::state::{Setting, StateConfig, StdinResume};
use super::values::{BeyondFlag, EmitFlag, LateRuleFlag, OutputTimeFlag};
use super::{Flags, Terminals};
use crate::aggregate::plan::{AggregatePlan, AggregateSpec};
use crate::engine::bound::{Beyond, KeyLimit};
use crate::engine::dedup::DedupConfig;
use crate::engine::guard::GuardConfig;
use crate::engine::trigger::{Emission, LateRule};
use crate::engine::{EngineConfig, Limits};
use crate::error::{Severity, TIME_FIELDS};
use crate::event::projection::{Field, Projection};
use crate::input::csv::Columns;
use crate::input::detect::FormatOptions;
use crate::input::reader::ReadOptions;
use crate::output::gate::Gate;
use crate::output::paint::Paint;
use crate::output::side::Voice;
use crate::output::{RESERVED, RowFormat, RowShape, TextCare, prometheus};
use crate::time::format::TimeStyle;
use crate::time::parse::{TimeFormat, TimeRules};
use crate::time::year::YearRule;
use crate::time::zone::Zone;
use crate::time::{SECOND, Timestamp};
use crate::window::every::Every;
use crate::window::spec::WindowSpec;
use std::path::PathBuf;
use std::time::Duration;

/// A run as it was asked for, checked.
pub struct Config {
    /// What is computed.
    pub engine: EngineConfig,
    /// What is wanted of each record.
    pub projection: Projection,
    /// Whether the event-time field was given; else the first record decides.
    pub time_is_given: bool,
    /// The inputs; `-` is stdin.
    pub inputs: Vec<PathBuf>,
    /// Whether they are read side by side.
    pub is_merged: bool,
    /// How they are followed, if they are.
    pub follow: Option<Follow>,
    /// How long a source may be silent, if that is of any consequence.
    pub idle_timeout: Option<Duration>,
    /// How they are read.
    pub read: ReadOptions,
    /// How fast records are fed, if not as fast as can be.
    pub pace: Option<Pace>,
    /// Number of decoder threads.
    pub threads: usize,
    /// Format of rows.
    pub row_format: RowFormat,
    /// Columns of rows.
    pub shape: RowShape,
    /// Where rows go, if not to stdout.
    pub output: Option<PathBuf>,
    /// Where late drops go, if not to stderr.
    pub late: Option<PathBuf>,
    /// Where bad records go, if not to stderr.
    pub bad: Option<PathBuf>,
    /// Most bad records at the end of input.
    pub max_bad_share: Option<Share>,
    /// Most late drops at the end of input.
    pub max_late_share: Option<Share>,
    /// What looks at rows on their way out (`--having`, `--fail-if`).
    pub gate: Option<Gate>,
    /// The other orders that are tried.
    pub check_order: Option<CheckOrder>,
    /// Whether to print a summary.
    pub has_stats: bool,
    /// Which lines for people are told, and how.
    pub voice: Voice,
    /// The colour of rows.
    pub row_paint: Paint,
    /// Whether a line may show how far the run is.
    pub has_progress: bool,
    /// Whether the run can be resumed.
    pub state: Option<StateConfig>,
    /// The flags that results depend on.
    pub settings: Vec<Setting>,
    /// What was chosen where nothing was told, for people (`-v`).
    pub choices: Vec<String>,
    /// What is probably a mistake, for people.
    pub warnings: Vec<String>,
}

/// Other orders of the same records (`--check-order`).
#[derive(Clone, Copy, Debug)]
pub struct CheckOrder {
    /// How many.
    pub orders: u64,
    /// Which.
    pub seed: u64,
}

/// Bytes read before a block is cut: small enough for blocks and their columns to stay in a core's cache.
const BLOCK_SIZE: usize = 256 << 10;

impl Config {
    /// Checks the flags against one another.
    ///
    /// # Errors
    /// A message for people that names the flag.
    pub(super) fn new(flags: Flags, terminals: Terminals, now: Timestamp) -> Result<Config, String> {
        let to_terminal = terminals.stdout && flags.output.is_none();
        let voice = voice(&flags, terminals);
        let has_progress = has_progress(&flags, terminals);
        let (threads, row_format, choices) = choose(&flags, to_terminal);
        refuse_more_than_final(&flags)?;
        let state = flags.state.config();
        if let Some(state) = &state {
            refuse_with_state(row_format, &flags, state.holds)?;
        }
        let key_limit = key_limit(&flags)?;
        let windows = windows(&flags)?;
        let running = running(&flags, &windows)?;
        let check_order = flags.order.config(&flags, &windows)?;
        let follow = flags.follow.follow(&flags.files, state.is_some())?;
        let sources = sources(&flags)?;
        let keys = flags.key.iter().map(|key| parse_key(key)).collect::<Result<Vec<_>, _>>()?;
        let aggs = if flags.agg.is_empty() { vec!["count".to_owned()] } else { flags.agg };
        let specs = aggs.iter().map(|agg| AggregateSpec::parse(agg)).collect::<Result<Vec<_>, _>>();
        let (plan, values) = AggregatePlan::new(&specs.map_err(|message| format!("-a: {message}"))?);
        let (key_names, key_fields): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
        refuse_equal_columns(&key_names, &plan)?;
        let (max_bad, max_bad_share) = Limit::parts(flags.max_bad);
        let (max_late, max_late_share) = Limit::parts(flags.max_late);
        let time = Field::parse(flags.time.as_deref().unwrap_or(TIME_FIELDS[0]))
            .map_err(|message| format!("-t: {message}"))?;
        let dedup = flags.dedup.as_deref().map(Field::parse).transpose();
        let dedup = dedup.map_err(|message| format!("--dedup: {message}"))?;
        if dedup.is_some() && flags.dedup_within.is_none() && !windows.iter().all(has_bounds) {
            return Err(
                "--dedup: windows by count and global ones are never gone; say how long with --dedup-within 10m".into(),
            );
        }
        let shape = RowShape {
            keys: key_names,
            plan: plan.clone(),
            time_style: time_style(flags.output_time, &flags.timezone),
            zone: flags.timezone.clone(),
            has_replaces: windows.iter().any(|window| matches!(window, WindowSpec::Sessions(_))),
            has_other: key_limit.is_some_and(|limit| limit.beyond == Beyond::Other),
            has_filled: flags.fill.is_some(),
            has_bounds: windows.iter().any(has_bounds),
            has_unbounded: !windows.iter().all(has_bounds),
            text_care: TextCare { for_spreadsheets: flags.csv_safe, for_terminal: to_terminal },
            windows: if windows.len() > 1 { flags.window } else { Vec::new() },
        };
        if row_format == RowFormat::Prometheus {
            prometheus::check(&shape)?;
        }
        let engine = EngineConfig {
            windows,
            delay: flags.watermark_delay,
            lateness: flags.allowed_lateness,
            late_rule: match flags.late_rule {
                LateRuleFlag::Window => LateRule::Window,
                LateRuleFlag::Event => LateRule::Event,
            },
            emission: match flags.emit {
                EmitFlag::All => Emission::All,
                EmitFlag::Final => Emission::Final,
            },
            plan,
            limits: Limits { strict: flags.strict, max_bad, max_late },
            running,
            guard: GuardConfig { max_jump: flags.max_jump, max_future: flags.max_future },
            key_limit,
            dedup: flags.dedup.as_ref().map(|_| DedupConfig { within: flags.dedup_within }),
            sources: sources.rule,
            is_punctuated: sources.punctuate.is_some(),
            flushes_when_idle: flags.idle_flush,
        };
        if state.is_some() {
            flags.checks.refuse_with_state()?;
        }
        let gate = flags.checks.gate(&shape, &engine, &flags.timezone, check_order.is_some())?;
        let mut projection = Projection {
            time,
            time_is_arrival: flags.time.as_deref() == Some(ARRIVAL),
            time_rules: time_rules(flags.time_format, flags.timezone, flags.year, now)?,
            keys: key_fields,
            values,
            dedup,
            partition: sources.partition,
            punctuate: sources.punctuate,
            nulls: flags.null,
            filter: None,
            lets: Vec::new(),
        };
        flags.checks.of_records(&mut projection, flags.time.is_some())?;
        Ok(Config {
            shape,
            engine,
            gate,
            check_order,
            time_is_given: flags.time.is_some(),
            projection,
            is_merged: flags.merge,
            follow,
            idle_timeout: sources.idle_timeout,
            inputs: if flags.files.is_empty() { vec!["-".into()] } else { flags.files },
            read: ReadOptions {
                format: FormatOptions {
                    told: flags.input_format.0,
                    delimiter: flags.delimiter,
                    columns: match (flags.columns.is_empty(), flags.no_header) {
                        (false, _) => Columns::Named(flags.columns),
                        (true, true) => Columns::Numbered,
                        (true, false) => Columns::FromHeader,
                    },
                },
                max_line: flags.max_line,
                block_size: BLOCK_SIZE,
                explains: flags.verbose,
                leaves_open_line: state
                    .as_ref()
                    .is_some_and(|state| !state.flushes && state.stdin == StdinResume::Skip),
                tells_pauses: sources.idle_timeout.is_some(),
            },
            pace: pace(flags.replay, flags.replay_max_gap)?,
            threads,
            row_format,
            row_paint: flags.color.paint(to_terminal, terminals),
            output: flags.output,
            late: flags.late,
            bad: flags.bad,
            max_bad_share,
            max_late_share,
            has_stats: flags.stats,
            voice,
            has_progress,
            state,
            settings: Vec::new(),
            choices,
            warnings: Vec::new(),
        })
    }
}

fn windows(flags: &Flags) -> Result<Vec<WindowSpec>, String> {
    if flags.window.is_empty() {
        return Err("-w is missing: which windows? For example -w 1m, -w 10m/1m or -w session:30m".into());
    }
    if let Some((_, twice)) =
        flags.window.iter().enumerate().find(|(index, window)| flags.window[..*index].contains(window))
    {
        return Err(format!("-w {twice} is given twice"));
    }
    let parse = |spec: &String| WindowSpec::parse(spec, flags.offset, &flags.timezone);
    let windows: Result<Vec<_>, _> = flags.window.iter().map(parse).collect();
    let mut windows = windows.map_err(|message| format!("-w: {message}"))?;
    if let Some(trigger) = &flags.trigger {
        let every = Every::parse(trigger, &flags.timezone).map_err(|message| format!("--trigger: {message}"))?;
        let mut globals = windows.iter_mut().filter_map(|window| match window {
            WindowSpec::Global(trigger) => Some(trigger),
            _ => None,
        });
        *globals.next().ok_or("--trigger is for -w global; other windows print when they end")? = Some(every);
    }
    Ok(windows)
}

fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn time_rules(format: TimeFormat, zone: Zone, year: Option<i64>, now: Timestamp) -> Result<TimeRules, String> {
    let has_year = !matches!(&format, TimeFormat::Pattern(pattern) if !pattern.has_year());
    let year = match (has_year, year) {
        (true, None) => YearRule::Written,
        (false, None) => YearRule::NewestBefore(now),
        (false, Some(year)) => YearRule::First(year),
        (true, Some(_)) => {
            return Err("--year is for times without a year, as in --time-format '%b %e %H:%M:%S' --year 2026".into());
        }
    };
    Ok(TimeRules { format, zone, year })
}

/// What nobody told: the number of threads and the format of rows, and why so (`-v`).
fn choose(flags: &Flags, to_terminal: bool) -> (usize, RowFormat, Vec<String>) {
    let (threads, why_threads) = match flags.threads {
        Some(threads) => (usize::from(threads), "as told by --threads"),
        None => (all_cores(), "one for each core"),
    };
    let (format, why_format) = match (flags.output_format, &flags.output) {
        (Some(format), _) => (format, "as told by -o"),
        (None, _) if to_terminal => (RowFormat::Table, "as they go to a terminal"),
        (None, Some(_)) => (RowFormat::Ndjson, "as they go to a file"),
        (None, None) => (RowFormat::Ndjson, "as stdout is no terminal"),
    };
    let s = if threads == 1 { "" } else { "s" };
    let choices = vec![
        format!("{threads} decoder thread{s}, {why_threads}"),
        format!("rows are {}, {why_format}", format.name()),
    ];
    (threads, format, choices)
}

fn voice(flags: &Flags, terminals: Terminals) -> Voice {
    let least = match (flags.quiet, flags.verbose) {
        (true, _) => Severity::Failure,
        (false, true) => Severity::Detail,
        (false, false) => Severity::Note,
    };
    Voice { least, paint: flags.color.paint(terminals.stderr, terminals) }
}

/// A line that is drawn over and over must have its terminal for itself: neither rows nor what somebody types may
/// come between.
fn has_progress(flags: &Flags, terminals: Terminals) -> bool {
    let has_rows = flags.output.is_none() && terminals.stdout && terminals.is_one;
    let is_typed = terminals.stdin && (flags.files.is_empty() || flags.files.iter().any(|name| name == "-"));
    terminals.stderr && !terminals.is_dumb && !flags.quiet && !has_rows && !is_typed
}

fn key_limit(flags: &Flags) -> Result<Option<KeyLimit>, String> {
    let beyond = match flags.on_key_limit {
        BeyondFlag::Fail => Beyond::Fail,
        BeyondFlag::Other => Beyond::Other,
        BeyondFlag::Drop => Beyond::Drop,
    };
    match flags.key_limit {
        Some(_) if flags.key.is_empty() => Err("--key-limit is for runs with keys; name one with -k FIELD".into()),
        most => Ok(most.map(|most| KeyLimit { most: most as usize, beyond, fields: flags.key.len() })),
    }
}

/// A picture of the newest rows takes the place of the one before.
fn refuse_with_state(row_format: RowFormat, flags: &Flags, holds: bool) -> Result<(), String> {
    match row_format {
        RowFormat::Prometheus if flags.output.is_none() => {
            Err("-o prometheus with --state replaces a file; name it with --output FILE".into())
        }
        RowFormat::Prometheus if holds => {
            Err("-o prometheus shows the newest rows, and none twice, so nothing is to be held; leave out --hold"
                .into())
        }
        _ => Ok(()),
    }
}

pub(super) fn has_bounds(window: &WindowSpec) -> bool {
    !matches!(window, WindowSpec::Count(_) | WindowSpec::Global(_))
}

/// `[NAME=]FIELD`; the column is called as the field unless named.
fn parse_key(text: &str) -> Result<(String, Field), String> {
    let (name, field) = text.split_once('=').unwrap_or((text, text));
    if name.is_empty() {
        return Err(format!("-k: \"{text}\" has an empty name before ="));
    }
    let field = Field::parse(field).map_err(|message| format!("-k: {message}"))?;
    Ok((name.to_owned(), field))
}

/// Any two equal output columns are a mistake, reserved ones included.
fn refuse_equal_columns(keys: &[String], plan: &AggregatePlan) -> Result<(), String> {
    let mut taken: Vec<&str> = RESERVED.to_vec();
    let keys = keys.iter().map(|name| ("-k", name.as_str()));
    let columns = plan.columns.iter().map(|column| ("-a", column.name.as_str()));
    for (flag, name) in keys.chain(columns) {
        if taken.contains(&name) {
            let whose = if RESERVED.contains(&name) {
                "the output has a column of its own called"
            } else {
                "two output columns would be called"
            };
            let example = if flag == "-k" { format!("-k my_{name}={name}") } else { format!("-a my_{name}=...") };
            return Err(format!("{flag}: {whose} \"{name}\"; name this one otherwise with NAME=, as in {example}"));
        }
        taken.push(name);
    }
    Ok(())
}

fn time_style(flag: OutputTimeFlag, zone: &Zone) -> TimeStyle {
    match flag {
        OutputTimeFlag::Rfc3339 => TimeStyle::Rfc3339(zone.clone()),
        OutputTimeFlag::S => TimeStyle::Units(SECOND),
        OutputTimeFlag::Ms => TimeStyle::Units(1_000_000),
        OutputTimeFlag::Us => TimeStyle::Units(1_000),
        OutputTimeFlag::Ns => TimeStyle::Units(1),
    }
}
