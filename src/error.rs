//! What ends a run, told to the person at the terminal, and the exit codes (E3).

use std::io;

/// Exit status of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// The run failed.
    Failure,
    /// The command line makes no sense.
    Usage,
    /// A check failed: `--max-bad`, `--max-late`, `--fail-if`, `--expect`.
    CheckFailed,
    /// Stopped by SIGINT or SIGTERM.
    Signal(i32),
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::CheckFailed => 3,
            Exit::Signal(signal) => (128 + signal) as u8,
        }
    }

    /// The codes and their meanings, for the man page.
    pub const TABLE: &'static [(&'static str, &'static str)] = &[
        ("0", "done; also when the reader of stdout has gone away"),
        ("1", "the run failed: a file, a column, an expression, --strict, --key-limit"),
        ("2", "the command line makes no sense"),
        ("3", "a check failed: --max-bad, --max-late, --fail-if, --expect..., --check-order"),
        ("130, 143", "stopped by SIGINT or SIGTERM, after whole lines"),
    ];
}

/// How much a line for people matters; `-v` and `-q` say from where on they are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// What was found and chosen, for those who ask (`-v`).
    Detail,
    /// What everybody should know.
    Note,
    /// Something is probably wrong.
    Warning,
    /// Why the run failed; `-q` does not silence it.
    Failure,
}

/// What ends a run before its time. Bad records do not: they are data.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A mistake in the flags.
    #[error("{0}")]
    Usage(String),

    /// An input or output that cannot be used.
    #[error("{name}: {}", plain(.source))]
    File {
        /// As the user named it.
        name: String,
        /// Why.
        source: io::Error,
    },

    /// An input in a format that is not read.
    #[error("{name}: {what}; try: {remedy}")]
    Unreadable {
        /// As the user named it.
        name: String,
        /// What it is.
        what: &'static str,
        /// What to do.
        remedy: String,
    },

    /// A CSV header without a column that was asked for (T10).
    #[error("{source_name} has no column \"{column}\"; {}{}", columns(.near.as_deref(), .header), no_table(.header))]
    NoColumn {
        /// The file.
        source_name: String,
        /// The column asked for.
        column: String,
        /// The likely one.
        near: Option<String>,
        /// All of them.
        header: Vec<String>,
    },

    /// A CSV header with two columns of the name asked for.
    #[error("{source_name} has more than one column \"{column}\"; rename one in the header")]
    TwoColumns {
        /// The file.
        source_name: String,
        /// The column asked for.
        column: String,
    },

    /// No field that looks like the event time.
    #[error("{source_name} has none of the fields {}; name the event time with -t, one of: {}{}", TIME_FIELDS.join(" "), list(.names), no_table(.names))]
    NoTimeField {
        /// The file.
        source_name: String,
        /// What its first record has.
        names: Vec<String>,
    },

    /// An expression that could not be evaluated of a row or of the summary.
    #[error("{0}")]
    Expression(String),

    /// A state directory that cannot be used.
    #[error(transparent)]
    State(#[from] crate::state::StateError),

    /// Something that does not go together with what an earlier run left behind.
    #[error("{0}")]
    Refused(String),

    /// A thread broke down; its own message stands above.
    #[error("a defect of streamw ended the run; the rows so far are right, but not all rows are there")]
    Defect,

    /// A thread or signal that could not be set up.
    #[error("{what}: {}", plain(.source))]
    System {
        /// What was being done.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// The fields tried for the event time without `-t`, in this order.
pub const TIME_FIELDS: [&str; 7] = ["timestamp", "@timestamp", "time", "ts", "event_time", "datetime", "date"];

impl Error {
    /// A column that an input lacks; `header` is what it has.
    pub fn no_column(source: &str, column: &str, header: &[String]) -> Error {
        Error::NoColumn {
            source_name: source.into(),
            column: column.into(),
            near: crate::suggest::nearest(column, header.iter().map(String::as_str)).map(str::to_owned),
            header: header.to_vec(),
        }
    }

    /// The exit status it leads to.
    pub fn exit(&self) -> Exit {
        match self {
            Error::Usage(_) => Exit::Usage,
            _ => Exit::Failure,
        }
    }
}

/// Without Rust's "(os error 2)".
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

fn columns(near: Option<&str>, header: &[String]) -> String {
    match near {
        Some(near) => format!("near: {near}"),
        None => format!("it has: {}", list(header)),
    }
}

/// What helps if these names are no header but a line of another format, which they look like.
fn no_table(names: &[String]) -> String {
    // A name of several words may be; a sentence is none.
    const MOST_BLANKS: usize = 3;
    let is_binary = |c: char| c == char::REPLACEMENT_CHARACTER || c.is_control() && c != '\t';
    match names {
        names if names.iter().any(|name| name.contains(is_binary)) => "; is it text at all?".into(),
        [name] if name.contains(';') => "; another delimiter? (--delimiter ';')".into(),
        [name] if name.contains('|') => "; another delimiter? (--delimiter '|')".into(),
        [name] if name.contains('\t') => "; another delimiter? (-i tsv)".into(),
        names if names.iter().any(|name| name.matches(' ').count() > MOST_BLANKS) => {
            "; this was taken for the header of a CSV file (-i tells another format; -i regex:RE takes lines of text apart)".into()
        }
        _ => String::new(),
    }
}

/// `1 row`, `2 rows`.
pub fn counted(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// The first names of a list, each cut off if it is long, and how many more there are.
pub fn list(names: &[String]) -> String {
    const MOST: usize = 20;
    const LONGEST: usize = 100;
    let short = |name: &String| match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.clone(),
    };
    let mut text = names.iter().take(MOST).map(short).collect::<Vec<_>>().join(" ");
    if names.len() > MOST {
        text += &format!(" and {} more", names.len() - MOST);
    }
    text
}
