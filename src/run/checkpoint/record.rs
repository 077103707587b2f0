//! What a checkpoint holds beside the engine's pieces: everything that must change at the same moment.
//!
//! ```text
//! payload   length of the record, the record as JSON
//!           length of held rows, held rows (--hold)
//!           length of what is known of earlier rows, that (--having, --for, -o prometheus)
//!           the engine's head
//! ```

use super::paths::PathRecord;
use crate::cli::state::{Setting, typed};
use crate::error::Error;
use crate::input::position::{Extract, Position};
use serde::{Deserialize, Serialize};

/// Of this layout. A later one is refused.
const VERSION: u32 = 3;

/// Which file something is, as the system knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileId {
    /// The device.
    pub device: u64,
    /// The file on it.
    pub inode: u64,
}

/// An input, and how far it has been processed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InputRecord {
    /// By which its records are known in the engine's state.
    pub id: u32,
    /// As last named on a command line.
    pub name: String,
    /// Which file it is, if it is a regular one.
    pub file: Option<FileId>,
    /// Which of its files, if it is a path that is followed.
    #[serde(default)]
    pub path: Option<PathRecord>,
    /// Where its first byte stood in the file: stdin may be handed over in the middle of one.
    pub base: u64,
    /// How far.
    pub position: Position,
    /// Whether its end has been reached.
    pub has_ended: bool,
}

/// Something that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRecord {
    /// As named to people.
    pub name: String,
    /// Which file it is, and what of it holds; `None` for a pipe, which can be no other next time.
    pub file: Option<OutputFile>,
}

/// A regular file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// Which.
    pub id: FileId,
    /// Whether anything was written to it: then a header stands in it.
    pub has_begun: bool,
    /// How long it is with all rows that the checkpoint has.
    pub length: u64,
    /// The last bytes of these.
    pub tail: Extract,
}

/// All that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRecords {
    /// The rows.
    pub rows: OutputRecord,
    /// Late drops, if not to stderr.
    pub late: Option<OutputRecord>,
    /// Bad records, if not to stderr.
    pub bad: Option<OutputRecord>,
}

/// Everything but the engine's pieces and head.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// The program that wrote it.
    pub program: String,
    /// The flags that results depend on.
    pub settings: Vec<Setting>,
    /// Version of the time-zone database, if results depend on it.
    pub zones: Option<String>,
    /// What the wall clock said when the run began that wrote it: times without a year are judged by it.
    pub now: i64,
    /// Whether this is how a run ended, and not only how far it had come.
    pub is_clean: bool,
    /// All inputs that there have been.
    pub inputs: Vec<InputRecord>,
    /// Those of the run that wrote it, in order.
    pub named: Vec<u32>,
    /// What was written.
    pub outputs: OutputRecords,
    /// For streams whose times have no year, by their first input, the local time of the last record.
    pub years: Vec<(u32, i128)>,
    /// Per named field, whether any record had it.
    pub seen: Vec<bool>,
    /// The fields of the first record, to guess from.
    pub known: Vec<String>,
}

/// A whole payload, taken apart.
#[derive(Clone, Debug)]
pub struct Payload {
    /// What people can read of it.
    pub record: Record,
    /// Rows that this checkpoint lets out.
    pub held: Vec<u8>,
    /// What looks at rows, or shows the newest, knows of those before.
    pub of_output: Vec<u8>,
    /// What the engine needs beside its pieces.
    pub head: Vec<u8>,
}

impl Record {
    /// Nothing has been processed.
    pub fn new(settings: Vec<Setting>, zones: Option<String>, now: i64, outputs: OutputRecords) -> Record {
        Record {
            version: VERSION,
            program: concat!("streamw ", env!("CARGO_PKG_VERSION")).to_owned(),
            settings,
            zones,
            now,
            is_clean: true,
            inputs: Vec::new(),
            named: Vec::new(),
            outputs,
            years: Vec::new(),
            seen: Vec::new(),
            known: Vec::new(),
        }
    }

    /// The bytes of a checkpoint.
    ///
    /// # Errors
    /// None that can be provoked: a name that is no text.
    pub fn payload(&self, held: &[u8], of_output: &[u8], head: &[u8]) -> Result<Vec<u8>, Error> {
        let record = serde_json::to_vec(self).map_err(|error| Error::Refused(format!("the state: {error}")))?;
        let mut payload = Vec::with_capacity(record.len() + held.len() + of_output.len() + head.len() + 24);
        for part in [&record[..], held, of_output] {
            payload.extend_from_slice(&(part.len() as u64).to_le_bytes());
            payload.extend_from_slice(part);
        }
        payload.extend_from_slice(head);
        Ok(payload)
    }

    /// Refuses flags under which the state means something else. `directory` is as named to people.
    ///
    /// # Errors
    /// The first flag that differs.
    pub fn check_settings(&self, now: &[Setting], zones: Option<&str>, directory: &str) -> Result<(), Error> {
        let find = |settings: &[Setting], flag: &str| {
            settings.iter().find(|setting| setting.flag == flag).map(|setting| setting.values.clone())
        };
        for flag in self.settings.iter().chain(now).map(|setting| &setting.flag) {
            let (before, now) = (find(&self.settings, flag), find(now, flag));
            if before != now {
                let (before, now) = (typed(flag, before.as_deref()), typed(flag, now.as_deref()));
                return Err(Error::Refused(format!(
                    "state in {directory} was made with {before}, now {now} (use another --state, or streamw state reset {directory})"
                )));
            }
        }
        if self.zones.as_deref() != zones {
            let name = |version: Option<&str>| version.unwrap_or("none").to_owned();
            return Err(Error::Refused(format!(
                "state in {directory} was made with version {} of the time-zone database, this streamw has {} (use the \
                 streamw that made it, another --state, or streamw state reset {directory})",
                name(self.zones.as_deref()),
                name(zones)
            )));
        }
        Ok(())
    }
}

impl Payload {
    /// Takes a payload apart; `directory` is as named to people.
    ///
    /// # Errors
    /// A later version has written it, or nobody can have.
    pub fn read(bytes: &[u8], directory: &str) -> Result<Payload, Error> {
        /// All that every version has.
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let damaged = |what: &str| {
            Error::Refused(format!(
                "state in {directory} is damaged: {what}; nothing was overwritten (use another --state, or streamw state reset {directory})"
            ))
        };
        let cut = || damaged("its newest checkpoint is cut off");
        let (record, rest) = part(bytes).ok_or_else(cut)?;
        let Version { version } = serde_json::from_slice(record).map_err(|error| damaged(&error.to_string()))?;
        if version != VERSION {
            return Err(Error::Refused(format!(
                "state in {directory} was written by another streamw, in version {version} of its layout; this one reads \
                 version {VERSION} (use the other streamw, or another --state)"
            )));
        }
        let record: Record = serde_json::from_slice(record).map_err(|error| damaged(&error.to_string()))?;
        let (held, rest) = part(rest).ok_or_else(cut)?;
        let (of_output, head) = part(rest).ok_or_else(cut)?;
        Ok(Payload { record, held: held.to_vec(), of_output: of_output.to_vec(), head: head.to_vec() })
    }
}

/// A part behind its length, and what comes after it.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}
