//! Which format an input is in: as told, else by its extension, else by its first bytes.

use super::Format;
use super::csv::{Columns, Separated};
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
    pub fn find(&self, name: &str, bytes: &[u8], is_end: bool) -> Option<(Arc<dyn Format>, By)> {
        let (told, by) = match (&self.told, by_extension(name)) {
            (Some(told), _) => (told.clone(), By::Flag),
            (None, Some(told)) => (told, By::Extension),
            (None, None) => (self.by_bytes(bytes, is_end)?, By::FirstBytes),
        };
        let format: Arc<dyn Format> = match told {
            Told::Ndjson => Arc::new(Ndjson),
            Told::Csv => self.separated(b','),
            Told::Tsv => self.separated(b'\t'),
            Told::Other(format) => format,
        };
        Some((format, by))
    }

    fn separated(&self, delimiter: u8) -> Arc<dyn Format> {
        Arc::new(Separated { delimiter: self.delimiter.unwrap_or(delimiter), columns: self.columns.clone() })
    }

    fn by_bytes(&self, bytes: &[u8], is_end: bool) -> Option<Told> {
        let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace());
        let Some(start) = start else {
            // Nothing but white space reads the same in any format.
            return (is_end || bytes.len() >= MOST_BLANK).then_some(Told::Ndjson);
        };
        if matches!(bytes[start], b'{' | b'[') {
            return Some(Told::Ndjson);
        }
        if self.delimiter.is_some() {
            return Some(Told::Csv);
        }
        // A delimiter in the first line decides.
        let line_end = memchr::memchr(b'\n', &bytes[start..]).map(|at| start + at);
        let line = &bytes[start..line_end.unwrap_or(bytes.len())];
        match (memchr::memchr(b',', line), memchr::memchr(b'\t', line)) {
            (Some(_), _) => Some(Told::Csv),
            (None, _) if line_end.is_none() && !is_end && line.len() < MOST_BLANK => None,
            (None, Some(_)) => Some(Told::Tsv),
            (None, None) => Some(Told::Csv),
        }
    }
}

/// The extension tells, under the one of a compression.
fn by_extension(name: &str) -> Option<Told> {
    let name = name.to_ascii_lowercase();
    let name = [".gz", ".zst"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "ndjson" | "jsonl" | "json" => Some(Told::Ndjson),
        "csv" => Some(Told::Csv),
        "tsv" | "tab" => Some(Told::Tsv),
        _ => None,
    }
}
