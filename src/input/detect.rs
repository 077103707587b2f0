//! Which format an input is in: as told, else by its extension, else by its first bytes.

use super::Format;
use super::combined::{self, Combined};
use super::csv::{Columns, Separated};
use super::logfmt::{self, Logfmt};
use super::ndjson::Ndjson;
use std::fmt;
use std::sync::Arc;

/// How the format of inputs is found, and the details of text formats.
#[derive(Clone)]
pub struct FormatOptions {
    /// The format told, for all inputs; `None` to find out for each.
    pub told: Option<Told>,
    /// Between cells, if not as the format has it (`--delimiter`).
    pub delimiter: Option<u8>,
    /// What columns are called (`--no-header`, `--columns`).
    pub columns: Columns,
}

/// A format that was told.
#[derive(Clone)]
pub enum Told {
    /// A JSON object a line.
    Ndjson,
    /// Cells between commas.
    Csv,
    /// Cells between tabs.
    Tsv,
    /// Any other.
    Other(Arc<dyn Format>),
}

/// Which format was found, as it can be saved: the format told is known by the flag that told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Kind {
    /// [`Told::Ndjson`].
    Ndjson,
    /// [`Told::Csv`].
    Csv,
    /// [`Told::Tsv`].
    Tsv,
    /// An access log.
    Combined,
    /// Pairs of name and value.
    Logfmt,
    /// The format that `-i` tells.
    Flag,
}

/// What told the format of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// `-i`.
    Flag,
    /// The input's name.
    Extension,
    /// The bytes it begins with.
    FirstBytes,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            By::Flag => "as told by -i",
            By::Extension => "by its extension",
            By::FirstBytes => "by its first bytes",
        })
    }
}

/// Bytes of nothing but white space after which an input is taken to be all blank.
const MOST_BLANK: usize = 64 << 10;

impl FormatOptions {
    /// The format of the input of this name that begins so, without a byte order mark, and what
    /// told it; `None` if more bytes are needed to tell.
    pub fn find(&self, name: &str, bytes: &[u8], is_end: bool) -> Option<(Kind, By)> {
        Some(match (&self.told, by_extension(name)) {
            (Some(_), _) => (Kind::Flag, By::Flag),
            (None, Some(kind)) => (kind, By::Extension),
            (None, None) => (self.by_bytes(bytes, is_end)?, By::FirstBytes),
        })
    }

    /// The format itself.
    pub fn format(&self, kind: Kind) -> Arc<dyn Format> {
        let told = match (kind, &self.told) {
            (Kind::Flag, Some(told)) => told.clone(),
            // Nothing else was told.
            (Kind::Ndjson | Kind::Flag, _) => Told::Ndjson,
            (Kind::Csv, _) => Told::Csv,
            (Kind::Tsv, _) => Told::Tsv,
            (Kind::Combined, _) => Told::Other(Arc::new(Combined)),
            (Kind::Logfmt, _) => Told::Other(Arc::new(Logfmt)),
        };
        match told {
            Told::Ndjson => Arc::new(Ndjson),
            Told::Csv => self.separated(b','),
            Told::Tsv => self.separated(b'\t'),
            Told::Other(format) => format,
        }
    }

    fn separated(&self, delimiter: u8) -> Arc<dyn Format> {
        Arc::new(Separated { delimiter: self.delimiter.unwrap_or(delimiter), columns: self.columns.clone() })
    }

    fn by_bytes(&self, bytes: &[u8], is_end: bool) -> Option<Kind> {
        let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace());
        let Some(start) = start else {
            // Nothing but white space reads the same in any format.
            return (is_end || bytes.len() >= MOST_BLANK).then_some(Kind::Ndjson);
        };
        if matches!(bytes[start], b'{' | b'[') {
            return Some(Kind::Ndjson);
        }
        if self.delimiter.is_some() {
            return Some(Kind::Csv);
        }
        // The first line decides.
        let line_end = memchr::memchr(b'\n', &bytes[start..]).map(|at| start + at);
        let line = &bytes[start..line_end.unwrap_or(bytes.len())];
        if line_end.is_none() && !is_end && line.len() < MOST_BLANK {
            return None;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Who names columns has a table.
        let may_be_log = matches!(self.columns, Columns::FromHeader);
        Some(if may_be_log && combined::is_line(line) {
            Kind::Combined
        } else if may_be_log && logfmt::is_line(line) {
            Kind::Logfmt
        } else if line.contains(&b'\t') && !line.contains(&b',') {
            Kind::Tsv
        } else {
            Kind::Csv
        })
    }
}

/// The extension tells, under the one of a compression.
fn by_extension(name: &str) -> Option<Kind> {
    let name = name.to_ascii_lowercase();
    let name = [".gz", ".zst"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "ndjson" | "jsonl" | "json" => Some(Kind::Ndjson),
        "csv" => Some(Kind::Csv),
        "tsv" | "tab" => Some(Kind::Tsv),
        _ => None,
    }
}
