//! A whole run behind the seam of its own files and sinks: every call fails once (F6), or is the last one that works, as
//! if the run had been killed there (F2), and so in the runs that recover from it, again and again (F3). Or the power is cut
//! there, and of the outputs what was not synced is lost, in part or as a whole (F4).
//!
//! sled's own calls are not behind it; see resume_faults.rs. A slice here, all calls with `STREAMW_STATE_RUNS=2`.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use streamw::host::Host;
use streamw::run;
use streamw::state::{Calls, Unhindered};

use crate::history::Rng;
use crate::resume::{Place, assert_equal, outputs, records};
use crate::resume_signals::assert_joined;
use crate::state_directory::{first, runs};
use crate::util::SharedBuffer;

/// What happens to calls of a run, which are counted from 1.
pub struct Hindered {
    made: AtomicU64,
    /// These fail.
    from: u64,
    to: u64,
    /// With this error of the system.
    error: i32,
}

impl Hindered {
    pub fn new(from: u64, to: u64, error: i32) -> Arc<Hindered> {
        Arc::new(Hindered { made: AtomicU64::new(0), from, to, error })
    }

    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }
}

impl Calls for Hindered {
    fn before(&self, _what: &'static str, _path: &Path) -> io::Result<()> {
        let number = 1 + self.made.fetch_add(1, Ordering::Relaxed);
        if (self.from..=self.to).contains(&number) { Err(io::Error::from_raw_os_error(self.error)) } else { Ok(()) }
    }
}

pub const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EACCES: i32 = 13;

/// What runs write that are hindered.
const NAMES: [&str; 3] = ["hurt.out", "hurt.late", "hurt.bad"];

/// Small files, so that there is more than one batch, and a checkpoint after some of them.
const FILES: u64 = 5;

struct Runs {
    place: Place,
    expected: [Vec<u8>; 3],
}

impl Runs {
    fn new(test: &str) -> Runs {
        let place = Place::new(test, 1);
        for file in 0..FILES {
            place.write(&format!("{file}.ndjson"), &records(file, 300, file * 300, false));
        }
        let runs = Runs { place, expected: Default::default() };
        let (status, said) = runs.run("alone", false, Arc::new(Unhindered));
        assert_eq!((status, said.as_str()), (0, ""));
        let expected = outputs(&runs.place, "alone");
        assert!(expected.iter().all(|output| !output.is_empty()));
        Runs { expected, ..runs }
    }

    /// Its status, and what it says.
    fn run(&self, out: &str, with_state: bool, calls: Arc<dyn Calls>) -> (u8, String) {
        let path = |name: &str| self.place.path.join(name).display().to_string();
        let outputs = [("--output", "out"), ("--late", "late"), ("--bad", "bad")];
        let flags = outputs.map(|(flag, kind)| [flag.to_owned(), path(&format!("{out}.{kind}"))]);
        let flags = ["-a".to_owned(), "sum:v".to_owned()].into_iter().chain(flags.into_iter().flatten());
        let (status, _, said) = self.run_with(flags.collect(), with_state, calls);
        (status, said)
    }

    /// Its status, its rows if they go to stdout, and what it says.
    fn run_with(&self, flags: Vec<String>, with_state: bool, calls: Arc<dyn Calls>) -> (u8, String, String) {
        let path = |name: &str| self.place.path.join(name).display().to_string();
        let mut args: Vec<String> =
            "-q -t ts -k key -w 10s -d 3s -l 20s -a count".split(' ').map(str::to_owned).collect();
        args.extend(flags);
        if with_state {
            args.extend(["--flush", "--checkpoint-interval", "1ns", "--state"].map(str::to_owned));
            args.push(path("st"));
        }
        args.extend((0..FILES).map(|file| path(&format!("{file}.ndjson"))));
        let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
        let mut host = Host::piped(io::empty(), stdout.clone(), stderr.clone());
        host.calls = calls;
        let status = run::main(args.into_iter().map(Into::into).collect(), host);
        (status, stdout.text(), stderr.text())
    }

    fn forget(&self) {
        self.place.forget(&NAMES);
    }

    /// Another run, with which nothing is wrong, makes it whole.
    #[track_caller]
    fn assert_recovers(&self, context: &str) {
        let (status, said) = self.run("hurt", true, Arc::new(Unhindered));
        assert_eq!((status, said.as_str()), (0, ""), "after {context}");
        assert_equal(&self.expected, &outputs(&self.place, "hurt"), &format!("after {context}"));
        let blobs = fs::read_dir(self.place.path.join("st/sled-1/blobs")).into_iter().flatten().count();
        assert_eq!(blobs, 0, "{context}");
    }
}

#[test]
fn f2_a_byte_order_mark_is_passed_over_by_whoever_begins() {
    let all = Runs::new("calls-mark");
    for file in 0..FILES {
        let name = format!("{file}.ndjson");
        all.place.write(&name, &[b"\xEF\xBB\xBF".to_vec(), all.place.read(&name)].concat());
    }
    for number in 1..60 {
        all.forget();
        let (status, said) = all.run("hurt", true, Hindered::new(number, u64::MAX, EIO));
        assert_told(status, &said, 3, &format!("cut off at call {number}"));
        let (status, said) = all.run("hurt", true, Arc::new(Unhindered));
        assert_eq!((status, said.as_str()), (0, ""), "cut off at call {number}");
        // Where bad records stand is another place now.
        let [rows, late, bad] = outputs(&all.place, "hurt");
        let reports = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').count();
        assert!(rows == all.expected[0], "cut off at call {number}");
        assert_eq!([reports(&late), reports(&bad)], [1, 2].map(|kind| reports(&all.expected[kind])));
    }
}

/// Either it goes on, or it ends with exit 1 and a line; one more if two files of it have failed.
#[track_caller]
fn assert_told(status: u8, said: &str, most: usize, context: &str) {
    let is_told = (1..=most).contains(&said.lines().count()) && said.lines().all(|line| line.starts_with("streamw: "));
    assert!((status == 0 && said.is_empty()) || (status == 1 && is_told), "{context}: {status}, {said}");
}

/// One call of so many is tried, unless all are.
pub fn step(ordinarily: usize) -> usize {
    if runs(1) > 1 { 1 } else { ordinarily }
}

/// Of a run on nothing and of one on what a run has left that was cut off, `number` by `number`, calls fail from there
/// up to `last`.
fn each_call(test: &str, last: impl Fn(u64) -> u64) {
    let all = Runs::new(test);
    let (mut tried, mut failed) = (0, 0);
    for cut_at in [None, Some(60)] {
        for number in (1..).step_by(step(7)) {
            all.forget();
            if let Some(cut_at) = cut_at {
                let (status, said) = all.run("hurt", true, Hindered::new(cut_at, u64::MAX, EIO));
                assert_told(status, &said, 3, "cut off");
            }
            let error = [EIO, ENOSPC, EACCES][number as usize % 3];
            let calls = Hindered::new(number, last(number), error);
            let (status, said) = all.run("hurt", true, calls.clone());
            let context = format!("{test}, cut at {cut_at:?}: error {error} at call {number}");
            let most = if last(number) == number { 1 } else { 3 };
            assert_told(status, &said, most, &context);
            all.assert_recovers(&context);
            (tried, failed) = (tried + 1, failed + u32::from(status == 1));
            if calls.made() < number {
                assert!(number > 25, "{context}: there are only {}", calls.made());
                break;
            }
        }
    }
    let bound = 300.0 / f64::from(failed);
    println!("{test}: {tried} runs, of which {failed} failed and were told; 0 differences: below {bound:.1} %");
}

#[test]
fn f6_any_call_may_fail_once_and_the_next_run_goes_on() {
    each_call("calls-f6", |number| number);
}

#[test]
fn f2_the_run_may_end_before_any_call_and_the_next_goes_on() {
    each_call("calls-f2", |_| u64::MAX);
}

#[test]
fn f3_runs_that_recover_may_end_at_any_call_again_and_again() {
    let all = Runs::new("calls-f3");
    let mut cut = 0;
    for begin in [20, 60, 90, 130, 170].into_iter().step_by(step(2)) {
        all.forget();
        let (status, said) = all.run("hurt", true, Hindered::new(begin, u64::MAX, EIO));
        assert_told(status, &said, 3, &format!("cut off at call {begin}"));
        // Each comes a little further than the one before.
        for number in (1..).step_by(step(5)) {
            let calls = Hindered::new(number, u64::MAX, EIO);
            let (status, said) = all.run("hurt", true, calls.clone());
            assert_told(status, &said, 3, &format!("begun at {begin}, cut off at call {number}"));
            cut += 1;
            if calls.made() < number {
                assert_eq!(status, 0, "{said}");
                break;
            }
        }
        all.assert_recovers(&format!("{cut} recoveries that were cut off"));
    }
    println!("{cut} runs cut off one after the other, 0 differences: below {:.1} %", 300.0 / f64::from(cut));
}

/// Flags, each after a blank, that write reports to nowhere.
fn flags(text: &str) -> Vec<String> {
    format!("--late /dev/null --bad /dev/null {text}").split(' ').map(str::to_owned).collect()
}

#[test]
fn f2_what_goes_down_a_pipe_has_no_gap_and_each_run_begins_with_a_header() {
    let all = Runs::new("calls-pipe");
    let header = |rows: String| match rows.split_once('\n') {
        Some((header, rows)) if header.starts_with("window_start,window_end,key,count") => rows.to_owned(),
        _ => panic!("no header: {rows}"),
    };
    let (status, whole, said) = all.run_with(flags("-o csv"), false, Arc::new(Unhindered));
    assert_eq!((status, said.as_str()), (0, ""));
    let whole = header(whole);
    for hold in ["", " --hold"] {
        let flags = flags(&format!("-o csv{hold}"));
        for number in (1..).step_by(step(3)) {
            all.forget();
            let calls = Hindered::new(number, u64::MAX, EIO);
            let (status, first, said) = all.run_with(flags.clone(), true, calls.clone());
            let context = format!("cut off at call {number}{hold}");
            assert_told(status, &said, 3, &context);
            let (status, second, said) = all.run_with(flags.clone(), true, Arc::new(Unhindered));
            assert_eq!((status, said.as_str()), (0, ""), "{context}");
            let first = if first.is_empty() { first } else { header(first) };
            if second.is_empty() {
                assert_eq!(first, whole, "{context}");
            } else {
                assert_joined(whole.as_bytes(), first.as_bytes(), header(second).as_bytes(), &context);
            }
            if calls.made() < number {
                break;
            }
        }
    }
}

#[test]
fn f2_checks_of_rows_find_what_they_find_in_one_run() {
    let all = Runs::new("calls-checks");
    let flags = flags("--having count<8 --fail-if count<6 --for 2 --warn-if count>6");
    // Each violation once, and what is said of all at the end.
    let found = |runs: &[String]| {
        let lines = || runs.iter().flat_map(|said| said.lines());
        let mut violations: Vec<String> = Vec::new();
        for line in lines().filter(|line| line.contains("\"violation\"")) {
            if !violations.iter().any(|known| known == line) {
                violations.push(line.to_owned());
            }
        }
        let sums: Vec<String> =
            runs[runs.len() - 1].lines().filter(|line| line.contains("true of")).map(str::to_owned).collect();
        (violations, sums)
    };
    let (status, whole, said) = all.run_with(flags.clone(), false, Arc::new(Unhindered));
    let expected = found(&[said]);
    assert!(status == 3 && expected.0.len() > 20 && !expected.1.is_empty(), "{status}, {expected:?}");
    assert!(whole.contains("\"retract\"") && whole.contains("\"late\""), "nothing is taken back");
    for number in (1..).step_by(step(3)) {
        all.forget();
        let calls = Hindered::new(number, u64::MAX, EIO);
        let (status, first, cut_off) = all.run_with(flags.clone(), true, calls.clone());
        let context = format!("cut off at call {number}: {status}, {cut_off}");
        if calls.made() < number {
            assert_eq!(found(&[cut_off]), expected, "{context}");
            // That end has told them.
            let (status, rows, _) = all.run_with(flags, true, Arc::new(Unhindered));
            assert_eq!((status, rows.as_str()), (0, ""));
            break;
        }
        let (status, second, said) = all.run_with(flags.clone(), true, Arc::new(Unhindered));
        let (violations, sums) = found(&[cut_off, said]);
        if second.is_empty() {
            assert_eq!((status, first.as_str()), (0, whole.as_str()), "{context}");
        } else {
            assert_eq!((status, &violations, &sums), (3, &expected.0, &expected.1), "{context}");
            assert_joined(whole.as_bytes(), first.as_bytes(), second.as_bytes(), &context);
        }
    }
}

/// A disk under the outputs that forgets what was not synced when the power is cut.
struct Losing {
    calls: Arc<Hindered>,
    /// How long each output was when it was last synced.
    synced: Mutex<HashMap<PathBuf, u64>>,
}

impl Calls for Losing {
    fn before(&self, what: &'static str, path: &Path) -> io::Result<()> {
        self.calls.before(what, path)?;
        if what == "sync" && path.is_file() {
            let length = fs::metadata(path)?.len();
            self.synced.lock().expect("nobody panics with it").insert(path.to_owned(), length);
        }
        Ok(())
    }
}

impl Losing {
    /// Of what was written since the last sync, an end is dropped, and of the rest each page is kept or is all zeros.
    fn cut(&self, path: &Path, rng: &mut Rng) {
        let Ok(mut bytes) = fs::read(path) else { return };
        let synced = self.synced.lock().expect("nobody panics with it").get(path).copied().unwrap_or(0) as usize;
        // The run may have cut it back.
        let synced = synced.min(bytes.len());
        bytes.truncate(rng.between(synced as i128, bytes.len() as i128) as usize);
        for page in (synced / PAGE..bytes.len().div_ceil(PAGE)).filter(|_| rng.chance(50)).collect::<Vec<_>>() {
            let end = bytes.len().min((page + 1) * PAGE);
            bytes[synced.max(page * PAGE)..end].fill(0);
        }
        fs::write(path, bytes).expect("our own");
    }
}

const PAGE: usize = 4096;

#[test]
fn f4_what_was_not_synced_when_the_power_was_cut_is_written_again() {
    let all = Runs::new("calls-f4");
    let mut cuts = 0;
    for seed in first()..first() + 40 * runs(1) {
        let mut rng = Rng(seed);
        all.forget();
        // The last one ends by itself.
        for _ in 0..rng.between(1, 4) {
            let number = rng.between(1, 150) as u64;
            let disk = Arc::new(Losing { calls: Hindered::new(number, u64::MAX, EIO), synced: Mutex::default() });
            for name in NAMES {
                let path = all.place.path.join(name);
                if let Ok(found) = fs::metadata(&path) {
                    // What an earlier run has left has been there for long.
                    disk.synced.lock().expect("nobody else").insert(path, found.len());
                }
            }
            let (status, said) = all.run("hurt", true, disk.clone());
            assert_told(status, &said, 3, &format!("seed {seed}"));
            if status == 1 {
                NAMES.iter().for_each(|name| disk.cut(&all.place.path.join(name), &mut rng));
                cuts += 1;
            }
        }
        all.assert_recovers(&format!("power cuts, seed {seed}"));
    }
    println!("{cuts} power cuts, 0 differences: below {:.2} %", 300.0 / f64::from(cuts));
    assert!(cuts > 0);
}
