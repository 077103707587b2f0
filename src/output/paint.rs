//! Colour, where it helps people: what is marked, and how.
//!
//! It is put around text that is harmless already ([`for_people`](super::text::for_people)), so that
//! nothing in the data can end it or begin another.

use crate::error::Severity;
use anstyle::{AnsiColor, Style};

/// The names of a table's columns.
pub const HEADER: Style = Style::new().bold();
/// The pane of a row that corrects another.
pub const CORRECTION: Style = AnsiColor::Yellow.on_default();

const FAILURE: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const NOTE: Style = Style::new().bold();
const DETAIL: Style = Style::new().dimmed();

/// Whether what goes to a stream is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paint {
    is_on: bool,
}

impl Paint {
    /// Colour, or none.
    pub fn new(is_on: bool) -> Paint {
        Paint { is_on }
    }

    /// Whether there is colour.
    pub fn is_on(self) -> bool {
        self.is_on
    }

    /// The text in a style.
    pub fn mark(self, style: Style, text: &str) -> String {
        if self.is_on && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// What a line for people begins with.
    pub fn prefix(self, severity: Severity) -> String {
        let style = match severity {
            Severity::Failure => FAILURE,
            Severity::Warning => WARNING,
            Severity::Note => NOTE,
            Severity::Detail => DETAIL,
        };
        self.mark(style, "streamw:")
    }
}
