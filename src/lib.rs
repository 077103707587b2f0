//! streamw: event-time windows for the shell.
//!
//! # The way of a record
//!
//! ```text
//! bytes ── reader ──▶ Block ── pool: n × Decode ──▶ EventBatch ── in order ──▶ Engine::step
//!          cuts at    (whole   finds the fields     (columns)                  │ assigner → slice or session
//!          record      records) in the bytes                                   │ trigger  → open, late, gone
//!          ends                                                                │ accumulators add, merge
//!                                                                              ▼
//!                         stdout, --output ◀── Encoder ◀── Pane ◀── Emit ──▶ late drops, bad records ──▶ stderr
//! ```
//!
//! A window of many keys that is gone when it fires leaves the engine as a whole: a thread of its own puts the rows in order and
//! writes them, one window after the other ([`output::rows`]).
//!
//! From `--threads 4` on, keys are shared out where each has all that its rows need. Every batch then goes to several engines,
//! which all see the times of all its records, and so know the watermark and what fires at each of them without asking anybody;
//! each adds the events of its own keys and writes their rows ([`engine::shard`]). What they have to say of a batch is told in one order when all have
//! taken it ([`engine::report`]):
//!
//! ```text
//!                ┌─▶ Shard of no key: bad records, counts ─┐
//! EventBatch ────┼─▶ Shard: keys of one part ── Report ────┼─▶ tell: by record, window end and start, key ──▶ Output
//!  (by Arc)      └─▶ Shard: keys of another ── Report ─────┘
//! ```
//!
//! With `--merge` each input has a reader and decoders of its own, and the engine says whose record it takes next.
//!
//! Cutting is sequential and cheap; decoding is parallel; the engine is one thread, or each shard is, and takes the
//! batches in the order of their blocks. So the same input gives the same bytes for any number of
//! threads and any size of reads (T9). Batches go round: the reader fills one, a decoder and the engine
//! use it, and it comes back. Their number is fixed, which bounds memory and slows the input down
//! to the speed of whoever reads the output.
//!
//! # Who may know whom
//!
//! Each floor knows only the floors below it.
//!
//! ```text
//! 4  main → host, run, commands, error          joins the parts
//! 3  cli  input  output  progress  state        words, bytes, threads, disk: they do not know one another
//! 2  engine                                     pure: same inputs, same panes; no clock, no I/O
//! 1  window   aggregate                         pure
//! 0  time     event      metrics     suggest    random    expr   codec   pure
//! ```
//!
//! Rule numbers in comments (T2, N1, E3, …) are those of the project's contract; the README says
//! in plain words what they demand.

pub mod aggregate;
pub mod cli;
pub mod codec;
pub mod commands;
pub mod engine;
pub mod error;
pub mod event;
pub mod expr;
pub mod host;
pub mod input;
pub mod metrics;
pub mod output;
pub mod progress;
pub mod random;
pub mod run;
pub mod state;
pub mod suggest;
pub mod time;
pub mod window;
