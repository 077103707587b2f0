//! A run on a state directory in a process of its own, so that it can be killed: this very test program, told to
//! run [`child`] alone.

use std::env;
use std::io::{self, BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use streamw::state::{Calls, StateDir, StateError};

use crate::state_directory::assert_holds;
use crate::state_script::{LARGE, SMALL, Script, Size};

pub const SEED: u64 = 77;

const PATH: &str = "STREAMW_STATE_CHILD";
/// Ends after so many checkpoints.
pub const COMMITS: &str = "STREAMW_STATE_COMMITS";
/// Makes large checkpoints.
pub const MUCH: &str = "STREAMW_STATE_MUCH";
/// Does without a copy of sled's files, as a run on a large state or a full disk does.
pub const IN_PLACE: &str = "STREAMW_STATE_IN_PLACE";

/// Lets everything pass but copies.
pub struct NoCopies;

impl Calls for NoCopies {
    fn before(&self, what: &'static str, _path: &Path) -> io::Result<()> {
        if what == "copy" { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

/// Checks what is there and then makes one checkpoint after the other, telling the number of each.
#[test]
#[ignore = "a child of other tests"]
fn child() {
    let Some(path) = env::var_os(PATH) else { return };
    let commits = env::var(COMMITS).ok().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
    let size = if env::var_os(MUCH).is_some() { LARGE } else { SMALL };
    // Not by panics, which the test program would report at length.
    if let Err(error) = run(Path::new(&path), commits, size) {
        println!("\nrefused {error}");
        std::process::exit(1);
    }
}

fn run(path: &Path, commits: u64, size: Size) -> Result<(), StateError> {
    let mut state = match env::var_os(IN_PLACE) {
        Some(_) => StateDir::open_with(path, Arc::new(NoCopies))?,
        None => StateDir::open(path)?,
    };
    assert_eq!(state.notice(), None);
    let mut script = Script::after(SEED, size, state.epoch());
    assert_holds(&mut state, &script, "after what happened to an earlier run");
    tell(format_args!("\nbegun {}", state.epoch().map_or(-1, |epoch| epoch as i64)));
    for _ in 0..commits {
        let step = script.step();
        step.changes.iter().try_for_each(|changes| state.append(changes))?;
        let epoch = state.commit::<StateError>(&step.payload, || Ok(()))?;
        tell(format_args!("committed {epoch}"));
    }
    Ok(())
}

fn tell(line: std::fmt::Arguments<'_>) {
    println!("{line}");
    let _ = io::stdout().flush();
}

/// What a child says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It has found this checkpoint.
    Begun(Option<u64>),
    Committed(u64),
    Refused(String),
    /// No more.
    End,
}

/// A child that is running.
pub struct Running {
    pub process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    told: Vec<Told>,
}

/// What a child has said in all.
pub struct Ended {
    pub told: Vec<Told>,
    /// Whether it ended by itself and well.
    pub success: bool,
}

impl Running {
    pub fn start(path: &Path, settings: &[(&str, &str)]) -> Running {
        Running::start_by(&[], path, settings)
    }

    /// With another program before it that runs it.
    pub fn start_by(by: &[String], path: &Path, settings: &[(&str, &str)]) -> Running {
        let this = env::current_exe().expect("this program").display().to_string();
        let mut words = by.to_vec();
        words.extend([&this, "state_child::child", "--exact", "--ignored", "--nocapture"].map(str::to_owned));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env(PATH, path).envs(settings.iter().copied());
        command.env("RUST_BACKTRACE", "0").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", words[0]));
        let lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        Running { process, lines, told: Vec::new() }
    }

    /// The next thing that it says.
    pub fn line(&mut self) -> Told {
        let told = loop {
            let Some(Ok(line)) = self.lines.next() else { break Told::End };
            let Some((what, rest)) = line.split_once(' ') else { continue };
            match (what, rest.parse::<i64>()) {
                ("begun", Ok(number)) => break Told::Begun(u64::try_from(number).ok()),
                ("committed", Ok(number)) => break Told::Committed(number as u64),
                ("refused", _) => break Told::Refused(rest.to_owned()),
                // The harness; or the last line, cut off.
                _ => {}
            }
        };
        self.told.push(told.clone());
        told
    }

    pub fn kill(mut self) -> Ended {
        let _ = self.process.kill();
        self.end()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        while self.line() != Told::End {}
        let status = self.process.wait().expect("our child");
        Ended { told: std::mem::take(&mut self.told), success: status.success() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Ended {
    /// The last checkpoint acknowledged by this child or before it. What it has found must be what was acknowledged before,
    /// or one more.
    #[track_caller]
    pub fn check(&self, acknowledged: Option<u64>, context: &str) -> Option<u64> {
        let mut last = acknowledged;
        for told in &self.told {
            match told {
                Told::Begun(found) => {
                    assert_within(*found, acknowledged, context);
                    last = *found;
                }
                // The last number may be cut off.
                Told::Committed(epoch) => last = last.max(Some(*epoch)),
                Told::Refused(_) | Told::End => {}
            }
        }
        last
    }
}

/// What was acknowledged is there, or the checkpoint that was being written.
#[track_caller]
pub fn assert_within(found: Option<u64>, acknowledged: Option<u64>, context: &str) {
    let next = Some(acknowledged.map_or(0, |epoch| epoch + 1));
    assert!(found == acknowledged || found == next, "{context}: checkpoint {found:?} after {acknowledged:?}");
}
