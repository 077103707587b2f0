//! Flags and commands of the state directory, and which flags a state depends on.

use super::command;
use crate::time::Span;
use crate::window::spec::parse_duration;
use clap::{Arg, ArgAction, ArgMatches, Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// The flags of a run that keeps its state.
#[derive(Debug, Args)]
pub(super) struct StateFlags {
    /// Keep checkpoints in a directory, and go on from the newest one
    ///
    /// The same command line, started again after whatever ended it, goes on where the last checkpoint was, and files
    /// come out as if nothing had happened: what came into them after the checkpoint is cut off and written again (stdout into
    /// a file needs >>). Into a pipe, rows since the checkpoint come again. At the end of input open windows wait in the
    /// state for the next run, which may name grown or further files.
    #[arg(long, value_name = "DIR", help_heading = "State")]
    state: Option<PathBuf>,

    /// Time between checkpoints
    #[arg(long, value_name = "DUR", default_value = "10s", value_parser = parse_interval, allow_hyphen_values = true, help_heading = "State")]
    checkpoint_interval: Duration,

    /// At the end of input, print what is open and forget that it was
    ///
    /// Without --state that is always done.
    #[arg(long, help_heading = "State")]
    pub flush: bool,

    /// Print rows only when the checkpoint that has them is written
    ///
    /// Whoever reads them from a pipe then sees no row that a resumed run would not print. A batch of them may still
    /// come twice, with the same revisions.
    #[arg(long, requires = "state", help_heading = "State")]
    hold: bool,

    /// What a pipe on stdin brings when a run goes on
    #[arg(long, value_enum, value_name = "HOW", requires = "state", default_value_t = StdinResume::Skip, help_heading = "State")]
    stdin_resume: StdinResume,
}

/// What a pipe on stdin brings when a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StdinResume {
    /// the same once more, as in cat FILE | streamw: what was processed is checked and skipped
    Skip,
    /// what comes next, from a source that goes on
    Continue,
}

/// A run that keeps its state.
#[derive(Clone, Debug)]
pub struct StateConfig {
    /// Where.
    pub directory: PathBuf,
    /// Between two checkpoints.
    pub interval: Duration,
    /// Whether rows wait for theirs.
    pub holds: bool,
    /// Whether what is open is printed at the end of input.
    pub flushes: bool,
    /// What a pipe brings.
    pub stdin: StdinResume,
}

impl StateFlags {
    /// What they ask for.
    pub fn config(&self) -> Option<StateConfig> {
        Some(StateConfig {
            directory: self.state.clone()?,
            interval: self.checkpoint_interval,
            holds: self.hold,
            flushes: self.flush,
            stdin: self.stdin_resume,
        })
    }
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Span(nanoseconds) if nanoseconds <= 0 => Err(format!("\"{text}\" is not longer than 0")),
        Span(nanoseconds) => Ok(Duration::from_nanos(nanoseconds.unsigned_abs())),
    }
}

/// `streamw state ...`
#[derive(Clone, Debug, Subcommand)]
pub enum StateCommand {
    /// Say what is in a state: flags, inputs and how far they are, windows, sizes
    Show {
        /// The state directory
        directory: PathBuf,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print the open windows of a state as NDJSON, as they would come now
    Dump {
        /// The state directory
        directory: PathBuf,
        /// Only those whose (first) key is a text that begins so
        #[arg(long, value_name = "PREFIX")]
        key: Option<String>,
    },
    /// Check every byte of the two newest checkpoints (exit 1 if the newest is damaged)
    Verify {
        /// The state directory
        directory: PathBuf,
    },
    /// Remove a state, so that the next run begins anew
    Reset {
        /// The state directory
        directory: PathBuf,
    },
}

/// A flag that was given another value than the one it has by itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Setting {
    /// Its long name.
    pub flag: String,
    /// Its values, as given; a switch has none.
    pub values: Vec<String>,
}

/// Flags that change no result, or that the state has other means to check.
const WITHOUT_EFFECT: [&str; 28] = [
    "bad",
    "checkpoint-interval",
    "color",
    "config",
    "fail-if",
    "flush",
    "for",
    "help",
    "hold",
    "late",
    "max-bad",
    "max-late",
    "output",
    "poll-interval",
    "print-config",
    "progress",
    "quiet",
    "replay",
    "replay-max-gap",
    "rotate-wait",
    "state",
    "stats",
    "stdin-resume",
    "strict",
    "threads",
    "verbose",
    "version",
    "warn-if",
];

/// The flags that a result depends on. Whatever is not known to have no effect has one.
pub(super) fn settings(matches: &ArgMatches) -> Vec<Setting> {
    let setting = |arg: &Arg| {
        let flag = arg.get_long().filter(|long| !WITHOUT_EFFECT.contains(long))?.to_owned();
        let id = arg.get_id().as_str();
        if matches!(arg.get_action(), ArgAction::SetTrue) {
            return matches.get_flag(id).then_some(Setting { flag, values: Vec::new() });
        }
        let text = |value: &std::ffi::OsStr| value.to_string_lossy().into_owned();
        let values: Vec<String> = matches.get_raw(id)?.map(text).collect();
        let default: Vec<String> = arg.get_default_values().iter().map(|value| text(value)).collect();
        (values != default).then_some(Setting { flag, values })
    };
    command().get_arguments().filter_map(setting).collect()
}

/// How a flag with its values is typed, the short way if there is one; what stands for it if it is not given.
pub fn typed(flag: &str, values: Option<&[String]>) -> String {
    let command = command();
    let short = command.get_arguments().find(|arg| arg.get_long() == Some(flag)).and_then(Arg::get_short);
    let name = short.map_or_else(|| format!("--{flag}"), |short| format!("-{short}"));
    match values {
        None => format!("no {name}"),
        Some([]) => name,
        Some(values) => values.iter().map(|value| format!("{name} {value}")).collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_without_effect_is_one_or_will_be() {
        let command = command();
        let known: Vec<&str> = command.get_arguments().filter_map(Arg::get_long).collect();
        // Of parts that not every build has.
        let later = ["fail-if", "progress", "help", "version"];
        for flag in WITHOUT_EFFECT {
            assert!(known.contains(&flag) || later.contains(&flag), "{flag}");
        }
    }

    #[test]
    fn settings_are_what_differs_from_the_defaults() {
        let matches = command()
            .try_get_matches_from(
                "streamw -w 1m -w 5m -d 0s -l 2s --no-header --threads 3 --stats -k a f.csv".split(' '),
            )
            .expect("a command line");
        let settings: Vec<String> =
            settings(&matches).iter().map(|setting| typed(&setting.flag, Some(&setting.values))).collect();
        assert_eq!(settings, ["-w 1m -w 5m", "-l 2s", "-k a", "--no-header"]);
    }
}
