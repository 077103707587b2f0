//! The flags of a run, as typed.

use super::checks::CheckFlags;
use super::color::ColorFlag;
use super::follow::FollowFlags;
use super::layers::ConfigFlags;
use super::limits::Limit;
use super::order::OrderFlags;
use super::sources::parse_speed;
use super::state::StateFlags;
use super::values::{
    BeyondFlag, EmitFlag, FillFlag, InputFormat, LateRuleFlag, OutputTimeFlag, UpdatesFlag, aggregates_help,
    parse_delimiter, parse_format, parse_length_of_time, parse_size, parse_time_format,
};
use crate::output::RowFormat;
use crate::time::Span;
use crate::time::parse::TimeFormat;
use crate::time::zone::Zone;
use crate::window::spec::parse_duration;
use clap::Args;
use std::path::PathBuf;

/// The flags of a run.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Files to read, one after the other; - or none is stdin
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,

    /// Windows: 1m, sliding:10m/1m (or 10m/1m), session:30m, cumulate:1d/1h, count:100, global; repeatable
    ///
    /// tumbling:1m or 1m: one after the other. sliding:10m/1m or 10m/1m: ten minutes long, one
    /// every minute; a slide longer than the size leaves holes. session:30m: as long as a key's events are at most
    /// that far apart; a session ends after more than 30m of silence. cumulate:1d/1h: from the beginning of the day,
    /// one ending every hour. count:100: so many events of a key. global: all of them, see --trigger. With several -w each row begins with its "window". Starts are multiples of the
    /// size (slide) from 1970-01-01T00:00:00Z, or by the clock of --timezone. 1w (from Monday), 1mo and 1y are
    /// calendar units.
    #[arg(short, long, value_name = "SPEC", help_heading = "Windows")]
    pub(super) window: Vec<String>,

    /// When global windows print: every:N events of a key, or every:DUR as W passes multiples of it
    ///
    /// Without it they print once, at the end of input.
    #[arg(long, value_name = "every:N|DUR", help_heading = "Windows")]
    pub(super) trigger: Option<String>,

    /// Print rows before their window ends: every:N of its events, or every:DUR as W passes multiples of it
    ///
    /// Such panes are early; the one on time follows. A key and window without news since its last pane is left out.
    #[arg(long, value_name = "every:N|DUR", help_heading = "Windows")]
    pub(super) early: Option<String>,

    /// What a further row of a key and window says
    #[arg(long, value_enum, default_value_t = UpdatesFlag::Accumulating, help_heading = "Windows")]
    pub(super) updates: UpdatesFlag,

    /// Print a row for windows in which a key that had events before has none
    ///
    /// Such rows are marked "filled". At the end of input none follows the last window with events. For windows with
    /// bounds that do not depend on events.
    #[arg(long, value_enum, value_name = "WITH", help_heading = "Windows")]
    pub(super) fill: Option<FillFlag>,

    /// How many windows in a row are filled for a key; then it is forgotten until it has events again
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u64).range(1..), requires = "fill", help_heading = "Windows")]
    pub(super) fill_limit: u64,

    /// Shift window starts; may be negative
    ///
    /// Must be smaller than the window's slide (its size, if it tumbles).
    #[arg(long, value_name = "DUR", default_value = "0s", value_parser = parse_duration, allow_hyphen_values = true, help_heading = "Windows")]
    pub(super) offset: Span,

    /// How far records are out of order: W = largest event time - D
    ///
    /// The watermark W says that everything older has probably arrived. It never goes back.
    #[arg(short = 'd', long, value_name = "DUR", default_value = "0s", value_parser = parse_length_of_time, allow_hyphen_values = true, help_heading = "Windows")]
    pub(super) watermark_delay: Span,

    /// How long after its end a window still takes events, measured in W
    ///
    /// Each such event prints the window's row again, as a late pane with the next revision.
    #[arg(short = 'l', long, value_name = "DUR", default_value = "0s", value_parser = parse_length_of_time, allow_hyphen_values = true, help_heading = "Windows")]
    pub(super) allowed_lateness: Span,

    /// Which events are too late
    #[arg(long, value_enum, default_value_t = LateRuleFlag::Window, help_heading = "Windows")]
    pub(super) late_rule: LateRuleFlag,

    /// Which rows of a window are printed
    ///
    /// With final, each key and window has exactly one row, when no event can change it any more: when the watermark
    /// reaches its end plus the allowed lateness (-l), or at the end of input.
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = EmitFlag::All, help_heading = "Windows")]
    pub(super) emit: EmitFlag,

    /// A record this far ahead of the newest of its source is bad, unless it is the third such in a row
    ///
    /// One stamp from the far future makes all that follow late. Two jumps in a row are refused; a third, each within
    /// DUR of the one before it, is taken for a real gap.
    #[arg(long, value_name = "DUR", value_parser = parse_length_of_time, allow_hyphen_values = true, help_heading = "Windows")]
    pub(super) max_jump: Option<Span>,

    /// A record this far ahead of the wall clock is bad
    #[arg(long, value_name = "DUR", value_parser = parse_length_of_time, allow_hyphen_values = true, help_heading = "Windows")]
    pub(super) max_future: Option<Span>,

    /// Take records of all files side by side, always of the one whose watermark is the smallest
    ///
    /// Each file is a source with a watermark of its own, and W is their minimum. A file that has ended holds
    /// nothing back, except with --state, until a run does not name it; one that is silent is waited for (see
    /// --idle-timeout).
    #[arg(long, help_heading = "Sources")]
    pub(super) merge: bool,

    /// A source that is silent for so long is not waited for until it speaks again
    ///
    /// By the wall clock, so such a run need not come out the same again. Only pipes and the like can be silent, and none
    /// that has data waiting is. When all sources are idle, W becomes the largest of their watermarks.
    #[arg(long, value_name = "DUR", value_parser = parse_length_of_time, allow_hyphen_values = true, help_heading = "Sources")]
    pub(super) idle_timeout: Option<Span>,

    /// Print all open windows when all sources are idle
    ///
    /// What comes later for a window printed so is late, as if W had reached its end.
    #[arg(long, help_heading = "Sources")]
    pub(super) idle_flush: bool,

    #[command(flatten)]
    pub(super) follow: FollowFlags,

    /// A record with this field moves W to its value and is no event; no other record moves W
    ///
    /// Punctuated watermarks: whoever writes the records says how far time has come. The value is read as event times
    /// are. A record where the field is missing, null or empty is an event like any other.
    #[arg(long, value_name = "FIELD", help_heading = "Sources")]
    pub(super) punctuate: Option<String>,

    /// Each value of this field is a source with a watermark of its own; W is their minimum
    ///
    /// For logs of several hosts in one stream: that one host's records come later than another's makes none of them
    /// late. A source counts from its first event on.
    #[arg(long, value_name = "FIELD", help_heading = "Sources")]
    pub(super) partition: Option<String>,

    /// Event-time field [default: the first of timestamp @timestamp time ts event_time datetime date]
    ///
    /// Without it, the first of these names that the first well-formed record has; said on stderr. A
    /// field is a top-level name, a dotted path such as http.status, or a JSON Pointer such as /a.b/0. @now is no field
    /// but the arrival: each record gets the wall clock's time when it is read (processing time). A run with it
    /// cannot be repeated: the same input comes out otherwise next time.
    #[arg(short, long, value_name = "FIELD", help_heading = "Fields")]
    pub(super) time: Option<String>,

    /// How the event time is written: auto, rfc3339, s, ms, us, ns or a strftime pattern
    ///
    /// auto reads, for each value, RFC 3339 and its usual loose spellings (a blank for T, no
    /// offset, +0100, a comma before the fraction, no seconds, a date alone), and numbers by magnitude:
    /// below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds. A
    /// pattern is as in %d/%b/%Y:%H:%M:%S %z; %.f is a fraction with its point. Without an offset a time
    /// is local time of --timezone; a local time that the clocks skipped makes a bad record, a repeated one is its
    /// first occurrence.
    #[arg(long, value_name = "F", default_value = "auto", value_parser = parse_time_format, help_heading = "Fields")]
    pub(super) time_format: TimeFormat,

    /// IANA time zone of times without an offset, of windows and of printed times
    ///
    /// Windows of days, of weeks, months and years, and of hours or minutes that divide a day, begin by the
    /// local clock: a local day has 23 or 25 hours when the clocks change. The zones' rules are compiled in.
    #[arg(long, value_name = "Z", default_value = "UTC", value_parser = Zone::parse, help_heading = "Fields")]
    pub(super) timezone: Zone,

    /// Year of the first record, for a --time-format without a year, such as %b %e %H:%M:%S
    ///
    /// Each later record is taken in the year that brings it nearest to the one before it, so that December is
    /// followed by January. Without --year each record is taken in the newest year in which it is not in the future.
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i64).range(1678..=2261), help_heading = "Fields")]
    pub(super) year: Option<i64>,

    /// Grouping key, repeatable for a composite key
    ///
    /// Keys are typed: "1" and 1 are two groups; a missing key is the key null. Rows of a window are
    /// in order of key: null, false, true, numbers, strings. NAME= names the output column.
    #[arg(short, long, value_name = "[NAME=]FIELD", help_heading = "Fields")]
    pub(super) key: Vec<String>,

    /// Most keys with state, for each -w
    ///
    /// A key has state while one of its windows is not gone. An event with one key more is treated as --on-key-limit says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Fields")]
    pub(super) key_limit: Option<u32>,

    /// What becomes of an event whose key is one too many
    #[arg(long, value_enum, value_name = "HOW", requires = "key_limit", default_value_t = BeyondFlag::Fail, help_heading = "Fields")]
    pub(super) on_key_limit: BeyondFlag,

    /// Field whose value tells duplicates: an event with one that was seen before is none
    ///
    /// Values are typed as keys are; an event without one is never a duplicate. A value counts as seen when a window has
    /// taken its event, and until the windows of its event are gone. Duplicates are counted and move nothing.
    #[arg(long, value_name = "FIELD", help_heading = "Fields")]
    pub(super) dedup: Option<String>,

    /// The most event time between duplicates [default: any, until the first one's windows are gone]
    ///
    /// A value then counts as seen until the windows of all events so much later are gone.
    #[arg(long, value_name = "DUR", requires = "dedup", value_parser = parse_length_of_time, allow_hyphen_values = true, help_heading = "Fields")]
    pub(super) dedup_within: Option<Span>,

    /// Aggregate, repeatable [default: count]
    #[arg(short, long, value_name = "[NAME=]FUNC[:FIELD[:ARG]]", long_help = aggregates_help(), help_heading = "Fields")]
    pub(super) agg: Vec<String>,

    /// Input format: auto, ndjson, csv, tsv, combined, logfmt, regex:RE
    ///
    /// auto goes, for each file, by its extension, then by its first line: any of these but regex. csv and tsv have a
    /// header and follow RFC 4180. combined is the access log of Apache and nginx, common or combined, with
    /// the fields ip ident user time request method path protocol status bytes referer user_agent; its - is null.
    /// logfmt is name=value pairs. regex:RE takes lines apart by an expression with named groups, as in
    /// 'regex:^(?<time>\S+ \S+) (?<level>\w+)'.
    #[arg(short, long, value_name = "F", default_value = "auto", value_parser = parse_format, help_heading = "Input")]
    pub(super) input_format: InputFormat,

    /// What stands between cells of csv or tsv: one character, or \t
    #[arg(long, value_name = "C", value_parser = parse_delimiter, help_heading = "Input")]
    pub(super) delimiter: Option<u8>,

    /// csv and tsv have no header; columns are called 1, 2, 3, ...
    #[arg(long, help_heading = "Input")]
    pub(super) no_header: bool,

    /// csv and tsv have no header; columns are called so
    #[arg(long, value_name = "A,B,...", value_delimiter = ',', help_heading = "Input")]
    pub(super) columns: Vec<String>,

    /// A text that means null, repeatable
    #[arg(long, value_name = "TEXT", help_heading = "Input")]
    pub(super) null: Vec<String>,

    /// Longest line in bytes (K, M, G allowed); a longer one is one bad record
    #[arg(long, value_name = "BYTES", default_value = "1M", value_parser = parse_size, help_heading = "Input")]
    pub(super) max_line: usize,

    /// Feed a recorded input at the pace of its event time: 1x, 10x, 0.5x
    ///
    /// Between two records passes the distance of their times, divided by the speed; records out of order are not
    /// waited for. Rows come as soon as the watermark allows, and are those of a run without it.
    #[arg(long, value_name = "SPEED", value_parser = parse_speed, help_heading = "Input")]
    pub(super) replay: Option<f64>,

    /// A longer gap between two records is replayed as if it were this long
    #[arg(long, value_name = "DUR", value_parser = parse_length_of_time, allow_hyphen_values = true, help_heading = "Input")]
    pub(super) replay_max_gap: Option<Span>,

    /// Decoder threads [default: all cores]
    ///
    /// From 4 on, the keys are also shared out to as many threads (8 at the most), each of which keeps the windows of its own
    /// keys and writes their rows. That is done with one -w that is tumbling, sliding, cumulate or session, and -k, and without flags whose outcome
    /// hangs on other keys or inputs; -v says so. Rows and reports are the same for any number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Input")]
    pub(super) threads: Option<u16>,

    /// Format of rows [default: table on a terminal, else ndjson]
    #[arg(short, long, value_enum, value_name = "F", help_heading = "Output")]
    pub(super) output_format: Option<RowFormat>,

    /// Put ' before texts in csv and tsv that a spreadsheet would take for a formula
    ///
    /// Those are texts that begin with = + - @, a tab or a carriage return, column names included. Numbers stay as they
    /// are. A text of apostrophes followed by one of these gets one more, so that taking one away gives every text back.
    #[arg(long, help_heading = "Output")]
    pub(super) csv_safe: bool,

    /// Write rows to a file instead of stdout
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) output: Option<PathBuf>,

    /// How times are written: RFC 3339 in --timezone, or numbers
    #[arg(long, value_enum, value_name = "F", default_value_t = OutputTimeFlag::Rfc3339, help_heading = "Output")]
    pub(super) output_time: OutputTimeFlag,

    /// Write late drops to a file instead of stderr
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) late: Option<PathBuf>,

    /// Write bad records to a file instead of stderr
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) bad: Option<PathBuf>,

    /// Print a summary as a JSON line on stderr at the end
    #[arg(long, help_heading = "Output")]
    pub(super) stats: bool,

    /// No lines for people on stderr, but the reason for a failure
    #[arg(short, long, help_heading = "Output")]
    pub(super) quiet: bool,

    /// Say on stderr what was found and chosen, and at the end in words what came of it
    #[arg(short, long, conflicts_with = "quiet", help_heading = "Output")]
    pub(super) verbose: bool,

    /// Colour for people: in a table, and where lines on stderr begin
    ///
    /// auto: on a terminal, unless the environment has NO_COLOR. JSON lines, CSV and TSV have no colour, whatever this says.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = ColorFlag::Auto, overrides_with = "color", help_heading = "Output")]
    pub(super) color: ColorFlag,

    /// Stop at the first bad record (exit 1)
    #[arg(long, help_heading = "Checks")]
    pub(super) strict: bool,

    /// Stop after more than N bad records, or fail at the end for more than P% (exit 3)
    ///
    /// A share is of all records that are not blank.
    #[arg(long, value_name = "N|P%", help_heading = "Checks")]
    pub(super) max_bad: Option<Limit>,

    /// The same for late drops
    #[arg(long, value_name = "N|P%", help_heading = "Checks")]
    pub(super) max_late: Option<Limit>,

    #[command(flatten)]
    pub(super) checks: CheckFlags,

    #[command(flatten)]
    pub(super) order: OrderFlags,

    #[command(flatten)]
    pub(super) state: StateFlags,

    #[command(flatten)]
    pub(super) configuration: ConfigFlags,
}
