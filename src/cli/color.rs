//! `--color`: which streams are coloured. The flag goes before `NO_COLOR`, and that before what the stream is.

use super::Terminals;
use crate::output::paint::Paint;
use clap::ValueEnum;
use std::ffi::OsString;

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorFlag {
    /// what a terminal shows, unless NO_COLOR is set
    #[default]
    Auto,
    /// also what goes elsewhere
    Always,
    /// nothing
    Never,
}

impl ColorFlag {
    /// The colour of a stream that is a terminal, or is none.
    pub fn paint(self, is_terminal: bool, terminals: Terminals) -> Paint {
        Paint::new(match self {
            ColorFlag::Auto => is_terminal && !terminals.no_color && !terminals.is_dumb,
            ColorFlag::Always => true,
            ColorFlag::Never => false,
        })
    }

    /// What the arguments say: also help and mistakes, which end their reading, are told in colour or without.
    pub fn find(arguments: &[OsString]) -> ColorFlag {
        let mut words = arguments.iter().map(|word| word.to_str().unwrap_or_default()).take_while(|word| *word != "--");
        let mut found = ColorFlag::default();
        while let Some(word) = words.next() {
            let value = if word == "--color" { words.next() } else { word.strip_prefix("--color=") };
            if let Some(flag) = value.and_then(|value| ColorFlag::from_str(value, false).ok()) {
                found = flag;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_goes_before_no_color_and_that_before_the_terminal() {
        use ColorFlag::{Always, Auto, Never};
        for (flag, is_terminal, no_color, is_dumb, expected) in [
            (Auto, true, false, false, true),
            (Auto, false, false, false, false),
            (Auto, true, true, false, false),
            (Auto, true, false, true, false),
            (Always, false, true, true, true),
            (Never, true, false, false, false),
        ] {
            let terminals = Terminals { no_color, is_dumb, ..Terminals::default() };
            let case = (flag, is_terminal, no_color, is_dumb);
            assert_eq!(flag.paint(is_terminal, terminals), Paint::new(expected), "{case:?}");
        }
    }

    #[test]
    fn it_is_found_on_a_line_that_makes_no_sense() {
        for (line, expected) in [
            ("", ColorFlag::Auto),
            ("--colour --color always", ColorFlag::Always),
            ("--color=always --nonsense --color never", ColorFlag::Never),
            ("--color sometimes", ColorFlag::Auto),
            ("--color", ColorFlag::Auto),
            ("-- --color always", ColorFlag::Auto),
        ] {
            let arguments: Vec<_> = line.split_whitespace().map(OsString::from).collect();
            assert_eq!(ColorFlag::find(&arguments), expected, "{line}");
        }
    }
}
