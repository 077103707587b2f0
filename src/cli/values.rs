//! Values of flags: how they are read, and what is said of those that are none.

use crate::input::combined::Combined;
use crate::input::detect::Told;
use crate::input::logfmt::Logfmt;
use crate::input::pattern::Pattern;
use crate::time::parse::TimeFormat;
use crate::time::pattern::Pattern as TimePattern;
use crate::time::{SECOND, Span};
use crate::window::spec::parse_saturating;
use clap::ValueEnum;
use std::fmt;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LateRuleFlag {
    /// those all of whose windows are gone (Flink's rule)
    Window,
    /// those older than W minus the allowed lateness, whatever their windows
    Event,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum UpdatesFlag {
    /// the whole aggregate
    Accumulating,
    /// what came since the row before
    Discarding,
    /// the whole aggregate, after a retract pane with what the row before said
    Retracting,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum FillFlag {
    /// what the aggregates say of no events: a count of 0, else null
    Null,
    /// 0 where the result is a number, else null
    Zero,
    /// what the key's last window with events said
    Previous,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum BeyondFlag {
    /// the run stops (exit 1)
    Fail,
    /// all such are folded into one row, marked "other", whose keys are null
    Other,
    /// it is dropped and counted
    Drop,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum EmitFlag {
    /// one when the watermark reaches its end, and one for each late event
    All,
    /// one, when no event can change it any more
    Final,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum OutputTimeFlag {
    /// 2026-01-01T00:00:00Z
    Rfc3339,
    /// seconds since 1970
    S,
    /// milliseconds
    Ms,
    /// microseconds
    Us,
    /// nanoseconds
    Ns,
}

/// The value of `-i`.
#[derive(Clone)]
pub(super) struct InputFormat(pub Option<Told>);

impl fmt::Debug for InputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InputFormat")
    }
}

pub(super) fn parse_format(text: &str) -> Result<InputFormat, String> {
    Ok(InputFormat(Some(match text {
        "auto" => return Ok(InputFormat(None)),
        "ndjson" => Told::Ndjson,
        "csv" => Told::Csv,
        "tsv" => Told::Tsv,
        "combined" => Told::Other(Arc::new(Combined)),
        "logfmt" => Told::Other(Arc::new(Logfmt)),
        other => match other.strip_prefix("regex:") {
            Some(expression) => Told::Other(Arc::new(Pattern::parse(expression)?)),
            None => {
                let known = ["auto", "ndjson", "csv", "tsv", "combined", "logfmt", "regex:RE"];
                let near = match other {
                    "apache" | "nginx" | "access" | "common" | "clf" => "; did you mean \"combined\"?".into(),
                    "json" | "jsonl" => "; did you mean \"ndjson\"?".into(),
                    other => crate::suggest::near(other, known),
                };
                return Err(format!("unknown format \"{other}\"{near} (known: {})", known.join(" ")));
            }
        },
    })))
}

pub(super) fn parse_delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if !matches!(byte, b'"' | b'\n' | b'\r') && byte.is_ascii() => Ok(*byte),
        _ => Err(format!(
            "\"{text}\" is not one character; a delimiter is one byte (\\t is a tab), and no quote or line end"
        )),
    }
}

pub(super) fn parse_time_format(text: &str) -> Result<TimeFormat, String> {
    Ok(match text {
        "auto" => TimeFormat::Auto,
        "rfc3339" => TimeFormat::Rfc3339,
        "s" => TimeFormat::Units(SECOND),
        "ms" => TimeFormat::Units(1_000_000),
        "us" => TimeFormat::Units(1_000),
        "ns" => TimeFormat::Units(1),
        pattern if pattern.contains('%') => TimeFormat::Pattern(TimePattern::new(pattern)?),
        other => return Err(format!("\"{other}\" is neither auto, rfc3339, s, ms, us, ns nor a pattern with %")),
    })
}

pub(super) fn aggregates_help() -> String {
    let mut text =
        "Aggregate, repeatable [default: count]\n\nThe output column is called FUNC_FIELD or FUNC_FIELD_ARG \
                    unless NAME= is given. Null, missing and empty values are skipped. Functions:\n"
            .to_owned();
    for (.., function) in crate::aggregate::functions() {
        text += &format!("  {:<21} {}\n", function.usage(), function.summary);
    }
    text += "\nQuantiles interpolate linearly between order statistics. They are exact up to 128 values of a key and \
             window; beyond that each order statistic is within 0.5 %. approx_distinct is exact up to 256 values; \
             beyond that its standard error is 0.8 %.\n\
             Memory for each key and window: a few dozen bytes, and besides up to 2 KiB for quantiles, then 16 \
             bytes for each of 100 steps per doubling from the smallest to the largest value that occur; each different value for \
             distinct, mode and top; N values for collect; at most 16 KiB for approx_distinct.";
    text
}

/// A length of time that may not be negative. One that no span holds is as good as for ever (T4).
pub(super) fn parse_length_of_time(text: &str) -> Result<Span, String> {
    match parse_saturating(text)? {
        span if span < Span::ZERO => Err(format!("\"{text}\" is negative")),
        span => Ok(span),
    }
}

pub(super) fn parse_size(text: &str) -> Result<usize, String> {
    let (number, factor) = match text.strip_suffix(['K', 'M', 'G', 'k', 'm', 'g']) {
        Some(number) => (
            number,
            match text.as_bytes()[number.len()].to_ascii_uppercase() {
                b'K' => 1 << 10,
                b'M' => 1 << 20,
                _ => 1 << 30,
            },
        ),
        None => (text, 1usize),
    };
    // Places in a block are 32 bits wide.
    let size = number
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .filter(|size| (1..=1 << 30).contains(size));
    size.ok_or_else(|| format!("\"{text}\" is no size from 1 to 1G bytes"))
}
