//! Flags with expressions: which rows are printed, and what must not be so.

use super::config::has_bounds;
use crate::engine::EngineConfig;
use crate::engine::running::Updates;
use crate::engine::trigger::Emission;
use crate::event::projection::{Field, Filter, Projection};
use crate::expr::{Fault, Program, Scope, Type, parse};
use crate::output::RowShape;
use crate::output::checks::{Check, Checks};
use crate::output::gate::Gate;
use crate::output::having::Having;
use crate::output::row::RowScope;
use crate::time::Span;
use clap::Args;

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
}

impl CheckFlags {
    /// Which records are events; `known` are the fields that are wanted of them anyway, and their places.
    ///
    /// # Errors
    /// For people: the column of the expression, and what is wrong there.
    pub(super) fn filter(&self, projection: &Projection, time_is_given: bool) -> Result<Option<Filter>, String> {
        let Some(source) = &self.filter else { return Ok(None) };
        let mut known: Vec<Option<Field>> = projection.fields().cloned().map(Some).collect();
        // Which field that will be is not known yet.
        if !time_is_given && let Some(time) = known.first_mut() {
            *time = None;
        }
        let wanted = known.len();
        let mut scope = RecordScope { fields: known, places: Vec::new() };
        let told = |fault: Fault| format!("--where {}", fault.of(source));
        let program = parse(source, &mut scope).and_then(Program::condition).map_err(told)?;
        let fields = scope.fields.split_off(wanted).into_iter().flatten().collect();
        Ok(Some(Filter { program, places: scope.places, fields, is_first: self.where_first }))
    }

    /// What looks at rows of this shape, if anything does.
    ///
    /// # Errors
    /// For people: the flag, the column of the expression, and what is wrong there.
    pub(super) fn gate(&self, shape: &RowShape, engine: &EngineConfig) -> Result<Option<Gate>, String> {
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
        if having.is_none() && checks.is_empty() {
            return Ok(None);
        }
        let consecutive = self.consecutive.unwrap_or(1).into();
        let checks = Checks::new(checks, shape, consecutive, &engine.windows, engine.lateness);
        Ok(Some(Gate::new(shape.clone(), having, checks)))
    }
}

/// Names of fields, whatever they are: what a record has is not known.
struct RecordScope {
    fields: Vec<Option<Field>>,
    places: Vec<usize>,
}

impl Scope for RecordScope {
    fn resolve(&mut self, name: &str) -> Result<(usize, Type), String> {
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
}

/// The lateness of windows whose further rows take the place of those before; `None` if there are no such rows.
fn corrections(engine: &EngineConfig) -> Option<Span> {
    let is_whole = engine.running.updates == Updates::Accumulating && engine.emission == Emission::All;
    let is_late = engine.lateness > Span::ZERO && engine.windows.iter().any(has_bounds);
    let has_more = is_late || engine.running.early.is_some() || !engine.windows.iter().all(has_bounds);
    (is_whole && has_more).then_some(engine.lateness)
}
