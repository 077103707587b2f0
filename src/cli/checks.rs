//! Flags with expressions: which rows are printed, and what must not be so.

use super::config::has_bounds;
use crate::engine::EngineConfig;
use crate::engine::running::Updates;
use crate::engine::trigger::Emission;
use crate::event::projection::{Field, Filter, Let, Projection};
use crate::expr::{Fault, Program, Scope, Times, Type, parse};
use crate::output::RowShape;
use crate::output::checks::{Check, Checks};
use crate::output::final_table::Tolerance;
use crate::output::finally::{Finally, Wanted};
use crate::output::gate::Gate;
use crate::output::having::Having;
use crate::output::presence::{MOST_WINDOWS, Presence};
use crate::output::row::RowScope;
use crate::output::whole_table::WholeTable;
use crate::time::parse::{TimeCache, TimeFormat, TimeRules};
use crate::time::year::YearRule;
use crate::time::zone::Zone;
use crate::time::{Span, Timestamp};
use crate::window::spec::WindowSpec;
use clap::Args;
use std::path::PathBuf;

/// Flags with expressions over records and rows.
#[derive(Debug, Args)]
pub(super) struct CheckFlags {
    /// Take only records of which this is so: 'status >= 500 && !path.startsWith("/health")'
    ///
    /// A condition over the fields of a record, in CEL's syntax. A comparison with null is false; a field that is no
    /// identifier is row["..."]. Records that do not pass are counted as filtered and move the watermark. Where the condition
    /// cannot be evaluated, as in a comparison of unequal types, the record is bad.
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true, help_heading = "Fields")]
    filter: Option<String>,

    /// A field that is computed of others, for -k, -a, -t, --where and the --let after it; repeatable
    ///
    /// As in --let slow='ms > 250' -k slow. Where it cannot be computed the record is bad.
    #[arg(long = "let", value_name = "NAME=EXPR", help_heading = "Fields")]
    lets: Vec<String>,

    /// Records that do not pass --where do not move the watermark either
    ///
    /// They are left out before anything is done with them; their times need not be readable.
    #[arg(long, requires = "filter", help_heading = "Fields")]
    where_first: bool,

    /// Print only rows of which this is so: 'count > 100 && path != "/health"'
    ///
    /// A condition over the columns of a row, in CEL's syntax. A comparison with null is false; a column that is no
    /// identifier is row["..."]. Where a row was printed and its correction is not, a retract row takes it back.
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true, help_heading = "Output")]
    having: Option<String>,

    /// Fail if this is so of any row printed, or of the summary (exit 3); repeatable
    ///
    /// As in --fail-if 'count < 100' or --fail-if 'stats.bad / stats.records > 0.01'. Each violation is a JSON line on
    /// stderr; all rows are printed. What takes a row back is not looked at.
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true, help_heading = "Checks")]
    fail_if: Vec<String>,

    /// The same without failing
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true, help_heading = "Checks")]
    warn_if: Vec<String>,

    /// A check of rows counts when it is so in N consecutive windows of a key
    ///
    /// A window without a row ends the series.
    #[arg(long = "for", value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Checks")]
    consecutive: Option<u16>,

    /// Compare the table that rows make in the end with a file: .csv, .tsv, else NDJSON (exit 3)
    ///
    /// Each key and window counts with its newest row, in whatever order. What differs is told on stderr. The file may be what
    /// streamw has printed, or written by --update-expect.
    #[arg(long, value_name = "FILE", help_heading = "Checks")]
    expect: Option<PathBuf>,

    /// How far numbers may be from those of --expect: 0.001, or a share: 0.1%
    #[arg(long, value_name = "N|P%", requires = "expect", help_heading = "Checks")]
    tolerance: Option<Tolerance>,

    /// Write the file of --expect instead
    #[arg(long, requires = "expect", help_heading = "Checks")]
    update_expect: bool,

    /// Fail if a window that has rows has none for a key of this file, one a line (exit 3)
    ///
    /// The parts of a composite key stand between tabs. Of windows of sessions, by count and global ones each key must have one. Judged at
    /// the end of input.
    #[arg(long, value_name = "FILE", help_heading = "Checks")]
    expect_keys: Option<PathBuf>,

    /// Fail if a window between these times has no row, or none for a key of --expect-keys (exit 3)
    ///
    /// As in --expect-windows 2026-01-01/2026-01-02. Judged at the end of input.
    #[arg(long, value_name = "FROM/TO", help_heading = "Checks")]
    expect_windows: Option<String>,

    /// Write what the checks found as a file that CI systems show: JUnit's XML
    #[arg(long, value_name = "FILE", help_heading = "Checks")]
    report: Option<PathBuf>,
}

impl CheckFlags {
    /// Adds computed fields and the filter to what is wanted of records.
    ///
    /// # Errors
    /// For people: the flag, the column of the expression, and what is wrong there.
    pub(super) fn of_records(&self, projection: &mut Projection, time_is_given: bool) -> Result<(), String> {
        let names = self.lets.iter().map(|text| let_name(text)).collect::<Result<Vec<_>, _>>()?;
        if let Some((index, name)) = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
            return Err(format!("--let {name} is given twice, also as {}", self.lets[index]));
        }
        let wanted: Vec<String> = projection.fields().map(|field| field.name.clone()).collect();
        // Which field the time will be is not known yet.
        let mut known: Vec<Option<Field>> = projection.fields().cloned().map(Some).collect();
        if !time_is_given
            && !projection.time_is_arrival
            && let Some(time) = known.first_mut()
        {
            *time = None;
        }
        let times = Times::new(&projection.time_rules);
        // A computed field is found where it is wanted, under its name, by what comes after it; not before.
        let mut scope = RecordScope { fields: known, places: Vec::new(), later: names.clone(), times };
        for (index, (name, text)) in names.iter().zip(&self.lets).enumerate() {
            let source = &text[name.len() + 1..];
            let told = |fault: Fault| format!("--let {name} {}", fault.of(source));
            scope.later = names[index..].to_vec();
            let from = scope.fields.len();
            let program = parse(source, &mut scope).map_err(told)?;
            let places = std::mem::take(&mut scope.places);
            let Some(first) = places.first().and_then(|place| scope.fields[*place].clone()) else {
                return Err(format!("--let {text}: it looks at no field"));
            };
            // The decoders look for another field in its places, so that none is missed.
            let stand_in = projection.lets.iter().find(|computed| computed.name == first.name);
            let path = stand_in
                .and_then(|computed| computed.fields.last())
                .map_or(vec![first.name], |field| field.path.clone());
            let stand_in = Field { name: name.clone(), path, is_name: false };
            let own = scope.fields.len();
            scope.fields.push(Some(Field::parse(name)?));
            let mut fields: Vec<Field> = scope.fields[from..own].iter().flatten().cloned().collect();
            fields.push(stand_in.clone());
            let mut targets: Vec<usize> = (0..wanted.len()).filter(|place| wanted[*place] == *name).collect();
            projection.stand_in(name, &stand_in);
            targets.push(own);
            for target in &targets[..targets.len() - 1] {
                scope.fields[*target] = None;
            }
            projection.lets.push(Let { name: name.clone(), program, places, fields, targets });
        }
        let Some(source) = &self.filter else { return Ok(()) };
        let from = scope.fields.len();
        scope.later = Vec::new();
        let told = |fault: Fault| format!("--where {}", fault.of(source));
        let program = parse(source, &mut scope).and_then(Program::condition).map_err(told)?;
        let fields = scope.fields.split_off(from).into_iter().flatten().collect();
        projection.filter = Some(Filter { program, places: scope.places, fields, is_first: self.where_first });
        Ok(())
    }

    /// Refuses what judges all rows together: no checkpoint has them.
    ///
    /// # Errors
    /// For people: the flag, and what to do.
    pub(super) fn refuse_with_state(&self) -> Result<(), String> {
        let found = [
            ("--expect", self.expect.is_some()),
            ("--expect-keys", self.expect_keys.is_some()),
            ("--expect-windows", self.expect_windows.is_some()),
        ];
        match found.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(format!(
                "{flag} looks at the rows of one run and does not go with --state, whose rows come in several; check them \
                 afterwards, or leave one of them out"
            )),
            None => Ok(()),
        }
    }

    /// What looks at rows of this shape, if anything does, and gathers them all if the order is checked.
    ///
    /// # Errors
    /// For people: the flag, the column of the expression, and what is wrong there.
    pub(super) fn gate(
        &self,
        shape: &RowShape,
        engine: &EngineConfig,
        zone: &Zone,
        checks_order: bool,
    ) -> Result<Option<Gate>, String> {
        let having = self.having.as_ref().map(|source| {
            let told = |fault: Fault| format!("--having {}", fault.of(source));
            let program = parse(source, &mut RowScope::new(shape)).and_then(Program::condition).map_err(told)?;
            Ok::<_, String>(Having::new(program, shape, corrections(engine)))
        });
        let having = having.transpose()?;
        let fail_ifs = self.fail_if.iter().map(|source| Check::new("--fail-if", false, source, shape));
        let warn_ifs = self.warn_if.iter().map(|source| Check::new("--warn-if", true, source, shape));
        let checks = fail_ifs.chain(warn_ifs).collect::<Result<Vec<_>, _>>()?;
        if self.consecutive.is_some() && checks.iter().all(|check| check.of_summary) {
            return Err("--for N is for checks of rows; add one, as in --fail-if 'count < 100' --for 3".into());
        }
        let finally = self.finally(shape, engine, zone)?;
        let table = checks_order.then(|| WholeTable::new(shape, &engine.windows));
        if having.is_none() && checks.is_empty() && finally.is_none() && table.is_none() {
            return Ok(None);
        }
        let consecutive = self.consecutive.unwrap_or(1).into();
        let checks = Checks::new(checks, shape, consecutive, &engine.windows, engine.lateness);
        Ok(Some(Gate::new(shape.clone(), having, checks, finally, table)))
    }
}

/// The name of `NAME=EXPR`.
fn let_name(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
            Ok(name.to_owned())
        }
        _ => Err(format!("--let {text}: it is NAME=EXPR, as in slow=ms>250, with a name of letters, digits and _")),
    }
}

impl CheckFlags {
    /// Checks of all rows together.
    fn finally(&self, shape: &RowShape, engine: &EngineConfig, zone: &Zone) -> Result<Option<Finally>, String> {
        let wanted = Wanted {
            table: self.expect.clone(),
            tolerance: self.tolerance.unwrap_or_default(),
            updates: self.update_expect,
            keys: self.expect_keys.clone(),
            windows: self.expect_windows.clone(),
            report: self.report.clone(),
        };
        if self.expect_keys.is_some() && shape.keys.is_empty() {
            return Err("--expect-keys is for runs with keys; name one with -k FIELD".into());
        }
        let range = self.expect_windows.as_ref().map(|range| expected_range(range, &engine.windows, zone));
        let range = range.transpose().map_err(|message| format!("--expect-windows: {message}"))?;
        let presence = (self.expect_keys.is_some() || range.is_some())
            .then(|| Presence::new(engine.windows.clone(), shape.windows.clone(), shape.time_style.clone(), range));
        let is_asked = wanted.table.is_some() || wanted.report.is_some() || presence.is_some();
        Ok(is_asked.then(|| Finally::new(wanted, shape, presence)))
    }
}

/// `FROM/TO`, in which windows with bounds on a grid lie.
fn expected_range(text: &str, windows: &[WindowSpec], zone: &Zone) -> Result<(Timestamp, Timestamp), String> {
    let (from, to) =
        text.split_once('/').ok_or_else(|| format!("\"{text}\" is not FROM/TO, as in 2026-01-01/2026-01-02"))?;
    let rules = TimeRules { format: TimeFormat::Auto, zone: zone.clone(), year: YearRule::Written };
    let time = |text: &str| {
        let read = rules.parse_text(text.trim().as_bytes(), &mut TimeCache::default());
        read.map(|moment| moment.time).map_err(|bad| format!("\"{text}\" {}", bad.reason()))
    };
    let (from, to) = (time(from)?, time(to)?);
    if from >= to {
        return Err(format!("\"{text}\" ends before it begins"));
    }
    let sliced = windows.iter().filter_map(|window| match window {
        WindowSpec::Sliced(sliced) => Some(sliced),
        _ => None,
    });
    let mut has_any = false;
    for sliced in sliced {
        has_any = true;
        if sliced.first_ending_after(to).0.saturating_sub(sliced.first_ending_after(from).0) > MOST_WINDOWS {
            return Err(format!("\"{text}\" has more than {MOST_WINDOWS} windows"));
        }
    }
    if has_any { Ok((from, to)) } else { Err("only windows with bounds on a grid can be expected, such as 1h".into()) }
}

/// Names of fields, whatever they are: what a record has is not known.
struct RecordScope {
    fields: Vec<Option<Field>>,
    places: Vec<usize>,
    /// Computed fields that are not there yet.
    later: Vec<String>,
    times: Times,
}

impl Scope for RecordScope {
    fn resolve(&mut self, name: &str) -> Result<(usize, Type), String> {
        if self.later.iter().any(|later| later == name) {
            return Err(format!("{name} is computed by a --let, but not yet here; give that one first"));
        }
        let field = Field::parse(name)?;
        let known = self.fields.iter().position(|known| known.as_ref() == Some(&field));
        let place = known.unwrap_or_else(|| {
            self.fields.push(Some(field));
            self.fields.len() - 1
        });
        let slot = self.places.iter().position(|known| *known == place).unwrap_or_else(|| {
            self.places.push(place);
            self.places.len() - 1
        });
        Ok((slot, Type::Any))
    }

    fn times(&self) -> Times {
        self.times.clone()
    }
}

/// The lateness of windows whose further rows take the place of those before; `None` if there are no such rows.
fn corrections(engine: &EngineConfig) -> Option<Span> {
    let is_whole = engine.running.updates == Updates::Accumulating && engine.emission == Emission::All;
    let is_late = engine.lateness > Span::ZERO && engine.windows.iter().any(has_bounds);
    let has_more = is_late || engine.running.early.is_some() || !engine.windows.iter().all(has_bounds);
    (is_whole && has_more).then_some(engine.lateness)
}
