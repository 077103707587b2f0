//! Where watermarks come from: one for all, one for each input or partition, or records that say so. And how fast a recorded
//! input is fed.

use super::Flags;
use crate::engine::sources::SourceRule;
use crate::event::projection::Field;
use crate::time::Span;
use crate::time::parse::TimeFormat;
use std::time::Duration;

/// Whose watermarks there are.
pub(super) struct Sources {
    /// The rule.
    pub rule: SourceRule,
    /// Of which field each value is a source.
    pub partition: Option<Field>,
    /// The field of records that move the watermark.
    pub punctuate: Option<Field>,
    /// How long a source may be silent.
    pub idle_timeout: Option<Duration>,
}

/// The event time that is no field but the arrival.
pub(super) const ARRIVAL: &str = "@now";

/// Whose watermarks the flags ask for.
///
/// # Errors
/// For people: flags that do not go together.
pub(super) fn sources(flags: &Flags) -> Result<Sources, String> {
    let field = |flag, name: &Option<String>| {
        let field = name.as_deref().map(Field::parse).transpose();
        field.map_err(|message| format!("{flag}: {message}"))
    };
    let (partition, punctuate) = (field("--partition", &flags.partition)?, field("--punctuate", &flags.punctuate)?);
    if punctuate.is_some() && flags.watermark_delay != Span::ZERO {
        return Err(
            "--punctuate alone moves the watermark, and -d would count for nothing; leave one of them out".into()
        );
    }
    if punctuate.is_some() && matches!(&flags.time_format, TimeFormat::Pattern(pattern) if !pattern.has_year()) {
        return Err("--punctuate needs times with a year; write them with one and add %Y to --time-format".into());
    }
    let has_format = !matches!(flags.time_format, TimeFormat::Auto);
    if flags.time.as_deref() == Some(ARRIVAL) && has_format && punctuate.is_none() {
        return Err("-t @now is the time of arrival, which is not written anywhere; leave out --time-format".into());
    }
    if flags.time.as_deref() == Some(ARRIVAL) && flags.replay.is_some() {
        return Err("-t @now is the time of arrival, and --replay goes by the times of records; leave one out".into());
    }
    if flags.follow.follow && flags.merge {
        return Err(
            "--merge waits for one file after the other, and with -F each is a source of its own anyway; leave it out"
                .into(),
        );
    }
    if flags.follow.follow && flags.replay.is_some() {
        return Err("-F takes records as they are written, and --replay is for recorded ones; leave one out".into());
    }
    let inputs = u32::try_from(flags.files.len().max(1)).map_err(|_| "too many files".to_owned())?;
    let are_many = flags.merge || flags.follow.follow && inputs > 1;
    let rule = match (are_many, partition.is_some()) {
        (true, true) if flags.follow.follow => SourceRule::Partitions,
        (true, true) => {
            return Err("--merge makes a source of each file, --partition of each value; leave one of them out".into());
        }
        (true, false) => SourceRule::Inputs(inputs),
        (false, true) => SourceRule::Partitions,
        (false, false) => SourceRule::One,
    };
    if flags.idle_flush && flags.idle_timeout.is_none() {
        return Err(
            "--idle-flush needs to know when a source is idle; add --idle-timeout, as in --idle-timeout 30s".into()
        );
    }
    let timeout = flags.idle_timeout.map(|span| Duration::from_nanos(span.0.unsigned_abs()));
    // One source alone holds nothing back.
    let idle_timeout = timeout.filter(|_| flags.idle_flush || rule != SourceRule::One);
    Ok(Sources { rule, partition, punctuate, idle_timeout })
}

/// How fast a recorded input is fed (`--replay`).
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Event time that passes in a time of the clock's; positive and finite.
    pub factor: f64,
    /// Longer gaps of event time are taken for as long as this.
    pub max_gap: Option<Span>,
}

/// `10x`.
pub(super) fn parse_speed(text: &str) -> Result<f64, String> {
    let factor = text.strip_suffix('x').and_then(|factor| factor.trim().parse().ok());
    let factor = factor.filter(|factor: &f64| factor.is_normal() && *factor > 0.0);
    factor.ok_or_else(|| format!("\"{text}\" is no speed, such as 1x, 10x or 0.5x"))
}

/// The pace that the flags ask for.
///
/// # Errors
/// For people: a flag that is for another one, which is missing.
pub(super) fn pace(factor: Option<f64>, max_gap: Option<Span>) -> Result<Option<Pace>, String> {
    match (factor, max_gap) {
        (None, Some(_)) => Err("--replay-max-gap is for --replay, as in --replay 1x --replay-max-gap 1m".into()),
        (factor, max_gap) => Ok(factor.map(|factor| Pace { factor, max_gap })),
    }
}
