//! `streamw chaos`: its flags.

use super::values::{parse_length_of_time, parse_time_format};
use crate::time::Span;
use crate::time::parse::TimeFormat;
use clap::Args;
use std::path::PathBuf;

/// What is done to records.
#[derive(Debug, Args)]
pub struct Chaos {
    /// Files to read, one after the other; - or none is stdin
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// So many records come late: after one that is --late-by newer
    #[arg(long, value_name = "P%", default_value = "0%", value_parser = parse_percent)]
    pub late: f64,

    /// How late they come, in event time
    #[arg(long, value_name = "DUR", default_value = "1h", value_parser = parse_length_of_time)]
    pub late_by: Span,

    /// So many come twice
    #[arg(long, value_name = "P%", default_value = "0%", value_parser = parse_percent)]
    pub dup: f64,

    /// So many have a time from the future, by --future-by
    #[arg(long, value_name = "P%", default_value = "0%", value_parser = parse_percent)]
    pub future: f64,

    /// How far their times are moved
    #[arg(long, value_name = "DUR", default_value = "365d", value_parser = parse_length_of_time)]
    pub future_by: Span,

    /// So many do not come at all
    #[arg(long, value_name = "P%", default_value = "0%", value_parser = parse_percent)]
    pub drop: f64,

    /// So many come broken, so that they cannot be read
    #[arg(long, value_name = "P%", default_value = "0%", value_parser = parse_percent)]
    pub garbage: f64,

    /// The same seed does the same to the same input
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Event-time field [default: the first of timestamp @timestamp time ts event_time datetime date]
    #[arg(short, long, value_name = "FIELD")]
    pub time: Option<String>,

    /// How the event time is written, as in a run
    #[arg(long, value_name = "F", default_value = "auto", value_parser = parse_time_format)]
    pub time_format: TimeFormat,
}

/// `5%`, as a share of one.
fn parse_percent(text: &str) -> Result<f64, String> {
    let share = text.strip_suffix('%').and_then(|share| share.trim().parse().ok());
    let share = share.filter(|share: &f64| (0.0..=100.0).contains(share)).map(|share| share / 100.0);
    share.ok_or_else(|| {
        let hint = if text.parse::<f64>().is_ok() { format!("; did you mean {text}%?") } else { String::new() };
        format!("\"{text}\" is no share from 0% to 100%{hint}")
    })
}

impl Chaos {
    /// Checks the flags against one another.
    ///
    /// # Errors
    /// For people.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.late + self.dup + self.future + self.drop + self.garbage > 1.0 + 1e-9 {
            return Err(
                "a record is late, or comes twice, or is something else: the shares add up to more than 100%".into()
            );
        }
        match &self.time_format {
            TimeFormat::Pattern(_) if self.future > 0.0 => {
                Err("--future writes times as RFC 3339 or numbers, not by a --time-format with %".into())
            }
            _ => Ok(()),
        }
    }
}
