//! The command line: flags as typed. Help, man page and completions come from them.

mod answer;
pub mod chaos;
mod checks;
mod color;
mod config;
mod config_file;
mod flags;
mod follow;
mod layers;
mod limits;
mod order;
mod running;
mod sources;
pub mod state;
mod values;

pub use answer::Answer;
pub use config::{CheckOrder, Config};
pub use follow::Follow;
pub use layers::{Environment, PREFIX};
pub use limits::Share;
pub use sources::Pace;

use crate::output::text::for_people;
use crate::time::Timestamp;
use answer::{mistake, mistake_in_file, reword, short_help, styled};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use color::ColorFlag;
use flags::Flags;
use layers::Layers;
use state::StateCommand;
use std::ffi::OsString;

/// A command line to begin with.
pub struct Example {
    /// What it does.
    pub what: &'static str,
    /// The command line.
    pub command: &'static str,
}

/// The first thing in the long help.
pub const EXAMPLES: &[Example] = &[
    Example {
        what: "Count requests and find the largest answer per path and hour:",
        command: "streamw access.ndjson -t time -k path -w 1h -d 60s -l 5m -a count -a max:bytes",
    },
    Example {
        what: "Watch a growing log, a row per host every ten seconds:",
        command: "tail -F app.ndjson | streamw -t ts -k host -w 10s -d 2s",
    },
    Example {
        what: "A moving average over two files, as CSV:",
        command: "streamw day1.csv day2.csv -t ts -w sliding:10m/1m -a avg:value -o csv",
    },
];

fn examples() -> String {
    let list = EXAMPLES.iter().map(|Example { what, command }| format!("\n  {what}\n    {command}\n"));
    format!("Examples:{}", list.collect::<String>())
}

const ABOUT: &str = "Event-time windows for the shell: group records by when they happened";

const LONG_ABOUT: &str = "\
Event-time windows for the shell.

streamw reads time-stamped records (NDJSON, CSV, logs), groups them into windows by when they happened, \
not by when they arrived, and prints a row per key and window. The watermark, the largest event \
time so far minus -d, says how far time has come: a window is printed when the watermark reaches its end. \
Records that come later still correct the row, for -l longer; after that they are reported on \
stderr as late drops, never lost silently.";

/// Everything that can be typed.
#[derive(Debug, Parser)]
#[command(name = "streamw", version, about = ABOUT, long_about = LONG_ABOUT, before_long_help = examples())]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(
    override_usage = "streamw -w SPEC [OPTIONS] [FILE]...\n       streamw chaos [OPTIONS] [FILE]...\n       streamw state show|dump|verify|reset DIR\n       streamw completions SHELL\n       streamw man"
)]
struct Line {
    #[command(subcommand)]
    auxiliary: Option<Auxiliary>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Subcommand)]
enum Auxiliary {
    /// Make clean records nasty, the same way for the same seed: late, twice, from the future, missing, broken
    ///
    /// Records of NDJSON, CSV or TSV in, records out; what was done is a JSON line on stderr.
    Chaos(chaos::Chaos),
    /// Print the completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
    /// Look into a state directory, or remove what is in it
    State {
        #[command(subcommand)]
        command: StateCommand,
    },
}

/// The command for help, completions and the man page.
pub fn command() -> clap::Command {
    Line::command()
}

/// Which of the standard streams a person sits at, and what that person wants to see there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminals {
    /// The input would have to be typed.
    pub stdin: bool,
    /// Rows are read by a person.
    pub stdout: bool,
    /// Reports are read by a person.
    pub stderr: bool,
    /// Whether stdout and stderr are the same terminal.
    pub is_one: bool,
    /// Whether the environment asks for no colour (`NO_COLOR`).
    pub no_color: bool,
    /// Whether it only takes plain text (`TERM=dumb`, or none).
    pub is_dumb: bool,
}

/// What to do.
pub enum Command {
    /// A run.
    Run(Box<Config>),
    /// Make records nasty.
    Chaos(Box<chaos::Chaos>),
    /// Print completions.
    Completions(Shell),
    /// Print the man page.
    Man,
    /// Look at a state.
    State(StateCommand),
    /// Print the flags as they hold (`--print-config`).
    Flags(String),
}

/// Reads the arguments, which do not begin with the program's name, and what the environment adds to them. The wall
/// clock counts only for times without a year.
///
/// # Errors
/// What to print, and where.
pub fn parse(
    arguments: Vec<OsString>,
    environment: &Environment,
    terminals: Terminals,
    now: Timestamp,
) -> Result<Command, Answer> {
    let paints = |arguments: &[OsString]| {
        let color = ColorFlag::find(arguments);
        (color.paint(terminals.stdout, terminals), color.paint(terminals.stderr, terminals))
    };
    let (_, to_stderr) = paints(&arguments);
    if arguments.is_empty() && terminals.stdin {
        return Err(short_help(to_stderr));
    }
    let layers = Layers::new(arguments, environment).map_err(|message| mistake_in_file(&message, to_stderr))?;
    let (to_stdout, to_stderr) = paints(&layers.arguments);
    let (line, matches) = read_line(&layers.arguments).map_err(|error| {
        // The mistake is shown as it may be on a terminal, and whole: clap would leave the harmful parts out.
        let shown: Vec<_> = layers.arguments.iter().map(|typed| for_people(&typed.to_string_lossy()).into()).collect();
        let (error, is_harmless) = match read_line(&shown) {
            Err(error) => (error, true),
            Ok(_) => (error, false),
        };
        match error.use_stderr() {
            true => Answer { text: reword(&error, to_stderr, is_harmless), is_error: true },
            false => Answer { text: styled(&error.render(), to_stdout), is_error: false },
        }
    })?;
    match line.auxiliary {
        Some(Auxiliary::Chaos(chaos)) if chaos.files.is_empty() && terminals.stdin => {
            return Err(short_help(to_stderr));
        }
        Some(Auxiliary::Chaos(chaos)) => chaos.check().map(|()| Command::Chaos(Box::new(chaos))),
        Some(Auxiliary::Completions { shell }) => return Ok(Command::Completions(shell)),
        Some(Auxiliary::Man) => return Ok(Command::Man),
        Some(Auxiliary::State { command }) => return Ok(Command::State(command)),
        None if line.flags.configuration.print_config => layers.print(&matches).map(Command::Flags),
        None if line.flags.files.is_empty() && terminals.stdin => return Err(short_help(to_stderr)),
        None => Config::new(line.flags, terminals, now).map(|mut config| {
            config.settings = state::settings(&matches);
            config.choices.extend(layers.choices);
            config.warnings.extend(layers.warnings);
            Command::Run(Box::new(config))
        }),
    }
    .map_err(|message| mistake(&message, to_stderr))
}

fn read_line(arguments: &[OsString]) -> Result<(Line, clap::ArgMatches), clap::Error> {
    let program = OsString::from("streamw");
    let matches = command().try_get_matches_from(std::iter::once(&program).chain(arguments))?;
    Ok((Line::from_arg_matches(&matches)?, matches))
}
