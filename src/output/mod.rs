//! Rows and reports to where they go. Knows no windows: it writes what the engine says, in order.

mod cells;
pub mod checks;
mod csv;
pub mod final_table;
pub mod finally;
pub mod gate;
pub mod having;
pub mod junit;
mod kept;
mod ndjson;
pub mod paint;
pub mod presence;
pub mod prometheus;
pub mod replace;
pub mod row;
pub mod rows;
pub mod side;
pub mod sink;
pub mod streak;
pub mod summary;
mod table;
pub mod text;
pub mod whole_table;

use crate::aggregate::Value;
use crate::aggregate::plan::{AggregatePlan, Column};
use crate::codec::{Damaged, Reader};
use crate::engine::fill::Filling;
use crate::engine::pane::Pane;
use crate::engine::report::WriteRow;
use crate::time::format::TimeStyle;
use crate::time::zone::Zone;
use paint::Paint;

/// A format of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum RowFormat {
    /// a JSON object a line
    Ndjson,
    /// comma-separated values with a header (RFC 4180)
    Csv,
    /// the same between tabs
    Tsv,
    /// aligned columns, for people
    Table,
    /// the newest row of each key as Prometheus' text format, for its node_exporter's textfile directory
    Prometheus,
}

/// What is known of all rows beforehand.
#[derive(Clone, Debug)]
pub struct RowShape {
    /// The windows as given, if there are several: then rows begin with theirs.
    pub windows: Vec<String>,
    /// Names of the key columns.
    pub keys: Vec<String>,
    /// The aggregate columns.
    pub plan: AggregatePlan,
    /// How window bounds are written.
    pub time_style: TimeStyle,
    /// The zone of times without an offset in expressions.
    pub zone: Zone,
    /// Whether rows can replace others (sessions).
    pub has_replaces: bool,
    /// Whether a row may stand for keys beyond a limit.
    pub has_other: bool,
    /// Whether a row may stand for a silent window.
    pub has_filled: bool,
    /// Whether any window has bounds.
    pub has_bounds: bool,
    /// Whether any has none (count, global).
    pub has_unbounded: bool,
    /// What is done to texts in CSV and TSV.
    pub text_care: TextCare,
}

impl RowShape {
    /// The value of a column in a pane.
    #[inline]
    fn value<'a>(&self, column: &Column, pane: &Pane<'a>) -> Value<'a> {
        if pane.filled == Some(Filling::Zero)
            && self.plan.is_number(column)
            && matches!(self.plan.value(column, pane.row), Value::Null)
        {
            return Value::Count(0);
        }
        self.plan.value(column, pane.row)
    }
}

/// Care for those who open CSV or TSV with something that obeys it. By default texts come out as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextCare {
    /// An apostrophe before what a spreadsheet would take for a formula (`--csv-safe`).
    pub for_spreadsheets: bool,
    /// No control characters, because a terminal shows the rows (E2).
    pub for_terminal: bool,
}

/// Names of columns that every row has, or may have; no key or aggregate can be called so.
pub const RESERVED: [&str; 12] = [
    "window",
    "window_start",
    "window_end",
    "pane",
    "revision",
    "replaces",
    "seq",
    "partial",
    "first_time",
    "last_time",
    "other",
    "filled",
];

/// Writes panes in some format.
pub trait Encoder: Send {
    /// What comes before the first row.
    fn header(&mut self, out: &mut Vec<u8>);

    /// A row.
    fn row(&mut self, pane: &Pane<'_>, out: &mut Vec<u8>);

    /// The input pauses or ends: whatever has been kept back is to be shown.
    fn pause(&mut self, _out: &mut Vec<u8>) {}

    /// Everything as it is now, of a format that is no stream of rows.
    fn picture(&mut self, _out: &mut Vec<u8>) {}

    /// Whether it is such a format: rows are kept, and only [`Encoder::picture`] writes.
    fn is_picture(&self) -> bool {
        false
    }

    /// Whether it would be another picture than the last.
    fn has_news(&self) -> bool {
        false
    }

    /// What people should know of the rows, once.
    fn remark(&mut self) -> Option<String> {
        None
    }

    /// Appends what a picture is made of, so that another run can go on with it.
    fn save(&self, _out: &mut Vec<u8>) {}

    /// Takes what another run has saved.
    ///
    /// # Errors
    /// Nobody can have saved this for these flags.
    fn restore(&mut self, _bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        Ok(())
    }
}

/// An encoder whose rows have nothing to do with one another.
struct RowByRow(Box<dyn Encoder>);

impl WriteRow for RowByRow {
    fn row(&mut self, pane: &Pane<'_>, out: &mut Vec<u8>) {
        self.0.row(pane, out);
    }
}

impl RowFormat {
    /// As in `-o`.
    pub fn name(self) -> &'static str {
        match self {
            RowFormat::Ndjson => "ndjson",
            RowFormat::Csv => "csv",
            RowFormat::Tsv => "tsv",
            RowFormat::Table => "table",
            RowFormat::Prometheus => "prometheus",
        }
    }

    /// What writes rows of a shape away from the encoder and from one another, if that is possible: as the encoder would.
    pub fn writer(self, shape: RowShape) -> Option<Box<dyn WriteRow>> {
        match self {
            RowFormat::Ndjson | RowFormat::Csv | RowFormat::Tsv => {
                Some(Box::new(RowByRow(self.encoder(shape, Paint::default()))))
            }
            RowFormat::Table | RowFormat::Prometheus => None,
        }
    }

    /// The encoder for rows of a shape. What programs read is never painted.
    pub fn encoder(self, shape: RowShape, paint: Paint) -> Box<dyn Encoder> {
        match self {
            RowFormat::Ndjson => Box::new(ndjson::Ndjson::new(shape)),
            RowFormat::Csv => Box::new(csv::Csv::new(shape, b',')),
            RowFormat::Tsv => Box::new(csv::Csv::new(shape, b'\t')),
            RowFormat::Table => Box::new(table::Table::new(shape, paint)),
            RowFormat::Prometheus => Box::new(prometheus::Prometheus::new(shape)),
        }
    }
}
