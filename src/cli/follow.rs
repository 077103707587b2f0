//! Flags for logs that are still growing (`-F`), and what follows from them.

use super::values::parse_length_of_time;
use crate::input::tail::TailOptions;
use crate::input::tail::siblings::suffix;
use crate::input::tail::together::Together;
use crate::time::Span;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where in a followed file reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FromFlag {
    /// With all that is there
    Start,
    /// With what is written from now on
    End,
}

/// Flags about followed files.
#[derive(Debug, Args)]
pub(super) struct FollowFlags {
    /// Keep reading as files grow, also when they are renamed, truncated, replaced or not there yet
    ///
    /// For logs: each FILE is a path, and what it names is read from one rotation to the next, in order and without loss; a
    /// renamed file to its end. Each is a source with a watermark of its own, and W is their minimum (see
    /// --idle-timeout). The run goes on until it is stopped; with --state it goes on where it was, whatever has been done to the files since. HUP opens --output, --late and --bad anew, so that they
    /// can be rotated; USR1 says on stderr how far each file has been read, and which of them holds W back.
    #[arg(short = 'F', long, help_heading = "Sources")]
    pub follow: bool,

    /// Where reading of followed files begins
    ///
    /// A file that is there later is read from its start in any case; with --state a later run goes on where the first began.
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = FromFlag::Start, help_heading = "Sources")]
    from: FromFlag,

    /// Read this file before the followed one of which it is a rotation, as a part of it; repeatable
    ///
    /// Its name is that of the followed file and more: access.log.2.gz belongs to access.log. Several are read in the
    /// order given, so the oldest comes first; gzip and zstd are unpacked.
    #[arg(long, value_name = "FILE", help_heading = "Sources")]
    history: Vec<PathBuf>,

    /// How long a renamed file that is still written to is read on before the new one is begun
    ///
    /// It is begun earlier when nothing was added to the old one for a second. A deleted file that cannot be read on because rows
    /// are not taken is closed after so long, and what is lost by that is said.
    #[arg(long, value_name = "DUR", default_value = "5s", value_parser = parse_length_of_time, allow_hyphen_values = true, help_heading = "Sources")]
    rotate_wait: Span,

    /// How often followed files are looked at where nothing tells that they have changed
    #[arg(long, value_name = "DUR", default_value = "1s", value_parser = parse_length_of_time, allow_hyphen_values = true, help_heading = "Sources")]
    poll_interval: Span,
}

/// How files are followed.
#[derive(Clone, Debug)]
pub struct Follow {
    /// How each is.
    pub options: TailOptions,
    /// What is read before each input.
    pub history: Vec<Vec<PathBuf>>,
    /// Whether a state says where each begins.
    pub goes_on: bool,
}

/// Looking more often than this is of no use.
const SHORTEST_POLL: Duration = Duration::from_millis(1);

impl FollowFlags {
    /// How these inputs are followed, if they are; `goes_on` if a state says where each begins.
    ///
    /// # Errors
    /// Flags that make no sense together.
    pub fn follow(&self, inputs: &[PathBuf], goes_on: bool) -> Result<Option<Follow>, String> {
        if !self.follow {
            return match (self.from, self.history.first()) {
                (FromFlag::End, _) => Err("--from end is for followed files; add -F".into()),
                (FromFlag::Start, Some(_)) => Err("--history is for followed files; add -F".into()),
                (FromFlag::Start, None) => Ok(None),
            };
        }
        if inputs.is_empty() {
            return Err("-F follows files; name one, as in -F access.log".into());
        }
        if self.from == FromFlag::End && !self.history.is_empty() {
            return Err("--history reads what was before, and --from end leaves it out; leave out one of them".into());
        }
        let mut history = vec![Vec::new(); inputs.len()];
        for past in &self.history {
            history[owner(past, inputs)?].push(past.clone());
        }
        let duration = |span: Span| Duration::from_nanos(span.0.unsigned_abs());
        let options = TailOptions {
            from_end: self.from == FromFlag::End,
            rotate_wait: duration(self.rotate_wait),
            poll: duration(self.poll_interval).max(SHORTEST_POLL),
            apart: inputs.to_vec(),
            together: Together::default(),
        };
        Ok(Some(Follow { options, history, goes_on }))
    }
}

/// The input that a file is a rotation of: it has that one's name and more. Of several, the longest name counts, and then
/// the same directory.
fn owner(past: &Path, inputs: &[PathBuf]) -> Result<usize, String> {
    let names = |input: &Path| past.file_name().zip(input.file_name().map(ToOwned::to_owned));
    let is_rotation = |input: &Path| names(input).is_some_and(|(past, own)| suffix(past, &own).is_some());
    let candidates = inputs.iter().enumerate().filter(|(_, input)| is_rotation(input));
    let length = |input: &Path| input.file_name().map_or(0, |name| name.len());
    let found = candidates.max_by_key(|(_, input)| (length(input), input.parent() == past.parent()));
    found.map(|(index, _)| index).ok_or_else(|| {
        format!(
            "--history {}: no followed file has the beginning of its name; it is read before the one that it is a rotation \
             of, as access.log.1 is of access.log",
            past.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_belongs_to_the_file_whose_name_it_continues() {
        let inputs: Vec<PathBuf> = ["a/x.log", "b/x.log", "b/x.log-ssl"].map(PathBuf::from).into();
        for (past, expected) in [("a/x.log.1", 0), ("b/x.log.1", 1), ("b/x.log-ssl.1.gz", 2), ("a/x.log-ssl.2", 2)] {
            assert_eq!(owner(Path::new(past), &inputs), Ok(expected), "{past}");
        }
        for past in ["a/x.log", "a/y.log.1", ".."] {
            assert!(owner(Path::new(past), &inputs).is_err(), "{past}");
        }
    }
}
