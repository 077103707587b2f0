//! What does not go with a state is refused: exit 1, one line that names the flag or the file and the way out, and nothing
//! is touched (section 5, F11). And what a later run may do: cron, growth, other files, flushing.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::resume::Place;
use crate::util::parse_json;

/// Records of one key each second, in these seconds.
fn seconds(seconds: std::ops::Range<u64>) -> String {
    seconds
        .map(|second| format!("{{\"ts\":{},\"k\":\"a{}\",\"v\":{second}}}\n", 1_700_000_000 + second, second % 3))
        .collect()
}

/// All files below a directory, with what is in them.
fn content(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let Ok(entries) = fs::read_dir(path) else { return found };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(content(&path));
        } else {
            found.insert(path.display().to_string(), fs::read(&path).expect("a file"));
        }
    }
    found
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// The run is refused with one line that says all this, and changes nothing.
#[track_caller]
fn assert_refused(place: &Place, args: &str, out: &str, needles: &[&str]) {
    let before = content(&place.path);
    let output = place.run(args, out);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{args}: {said}");
    assert_eq!(said.lines().count(), 1, "{args}: {said}");
    for needle in needles {
        assert!(said.contains(needle), "{args}: not said: {needle}\n{said}");
    }
    let mut after = content(&place.path);
    after.retain(|path, bytes| before.contains_key(path) || !bytes.is_empty());
    assert!(before == after, "{args}: something was changed");
}

const ARGS: &str = "-t ts -k k -w 10s -d 2s -a sum:v --state st a.ndjson";

/// A state of a run that came to its end.
fn after_an_end(test: &str) -> Place {
    let place = Place::new(test, 1);
    place.write("a.ndjson", seconds(0..55).as_bytes());
    let output = place.run(ARGS, "out");
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""));
    place
}

/// A state of a run that was killed after this input, with a checkpoint of all of it.
fn after_a_kill(test: &str, args: &str) -> Place {
    let place = Place::new(test, 1);
    place.write("a.ndjson", seconds(0..55).as_bytes());
    let mut command = place.streamw(&args.replace("--state st", "--state st --checkpoint-interval 1ms"));
    let mut child = command.stdin(Stdio::piped()).stdout(place.appended("out")).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // It has more to come, and so makes a checkpoint in the middle.
    stdin.write_all(seconds(100..110).as_bytes()).expect("it reads");
    let state = place.path.join("st/epoch");
    let epoch = || fs::read_to_string(&state).unwrap_or_default();
    let is_later = |text: &str| text.split_whitespace().any(|word| word.parse().is_ok_and(|epoch: u64| epoch >= 1));
    while !is_later(&epoch()) {
        assert!(child.try_wait().expect("ours").is_none(), "it has ended");
        std::thread::yield_now();
    }
    child.kill().expect("ours");
    child.wait().expect("ours");
    place
}

#[test]
fn f11_flags_that_change_results_are_refused() {
    let place = after_an_end("flags");
    for (from, to, needles) in [
        ("-w 10s", "-w 20s", &["made with -w 10s", "now -w 20s", "streamw state reset st/"][..]),
        ("-w 10s", "-w 10s -w 20s", &["made with -w 10s", "now -w 10s -w 20s"]),
        ("-k k", "", &["made with -k k", "now no -k"]),
        ("-k k", "-k k -k v", &["-k"]),
        ("-d 2s", "-d 3s", &["-d 2s", "-d 3s"]),
        ("-d 2s", "-d 2s -l 1s", &["-l"]),
        ("sum:v", "max:v", &["-a sum:v", "-a max:v"]),
        ("-t ts", "-t v", &["-t ts", "-t v"]),
        ("-t ts", "-t ts --time-format s", &["--time-format"]),
        ("-t ts", "-t ts --timezone Europe/Berlin", &["--timezone"]),
        ("-t ts", "-t ts --offset 1s", &["--offset"]),
        ("-t ts", "-t ts --late-rule event", &["--late-rule"]),
        ("-t ts", "-t ts --emit final", &["--emit"]),
        ("-t ts", "-t ts --early every:3", &["--early"]),
        ("-t ts", "-t ts --updates discarding", &["--updates"]),
        ("-t ts", "-t ts --max-jump 1h", &["--max-jump"]),
        ("-t ts", "-t ts --max-future 1h", &["--max-future"]),
        ("-t ts", "-t ts --key-limit 5", &["--key-limit"]),
        ("-t ts", "-t ts --dedup v", &["--dedup"]),
        ("-t ts", "-t ts -i csv", &["-i"]),
        ("-t ts", "-t ts --null 7", &["--null"]),
        ("-t ts", "-t ts --max-line 2K", &["--max-line"]),
        ("-t ts", "-t ts -o csv", &["-o"]),
        ("-t ts", "-t ts --output-time s", &["--output-time"]),
    ] {
        assert_refused(&place, &ARGS.replacen(from, to, 1), "out", needles);
    }
    // These change none, nor does saying the same otherwise.
    let same = ARGS.replace("-d 2s", "--watermark-delay=2s");
    let args = format!("{same} --threads 1 --stats -q --checkpoint-interval 1s --max-bad 1 --max-late 50% --hold");
    let output = place.run(&args, "out");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn f11_another_input_is_refused() {
    let changed = |test: &str, change: &dyn Fn(&Place)| {
        let place = after_an_end(test);
        change(&place);
        place
    };
    let all = seconds(0..55);
    let place = changed("shorter", &|place| place.write("a.ndjson", &all.as_bytes()[..all.len() - 5]));
    assert_refused(&place, ARGS, "out", &["a.ndjson has", "bytes, and", "another name"]);
    let place = changed("head", &|place| place.write("a.ndjson", all.replacen("\"v\":0", "\"v\":9", 1).as_bytes()));
    assert_refused(&place, ARGS, "out", &["a.ndjson begins with other bytes"]);
    let place = changed("tail", &|place| place.write("a.ndjson", all.replacen("\"v\":54", "\"v\":99", 1).as_bytes()));
    assert_refused(&place, ARGS, "out", &["a.ndjson has other bytes before byte"]);
    // Gone from the command line, and not read to its end.
    let args = "-t ts -k k -w 10s --state st --stdin-resume continue";
    let place = after_a_kill("left out", &format!("{args} a.ndjson -"));
    for (inputs, needles) in [
        ("a.ndjson", &["- was an input", "name it again"][..]),
        ("- a.ndjson", &["another order"]),
        ("a.ndjson - b.ndjson", &["b.ndjson", "then add inputs"]),
    ] {
        assert_refused(&place, &format!("{args} {inputs}"), "out", needles);
    }
}

#[test]
fn f11_after_a_kill_another_output_is_refused() {
    let args = "-t ts -k k -w 10s --state st --stdin-resume continue a.ndjson -";
    let place = after_a_kill("output", args);
    assert!(!place.read("out").is_empty());
    assert_refused(&place, args, "other", &["stdout", "another file"]);
    assert_refused(&place, &format!("{args} --output out2"), "out", &["--output", "out2 does not exist"]);
    let mut command = place.streamw(args);
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).output().expect("it runs");
    assert_eq!(piped.status.code(), Some(1));
    assert!(said(&piped).contains("now it is none"), "{}", said(&piped));
    // The shell empties it for >.
    let rows = place.read("out");
    let emptied = File::create(place.path.join("out")).expect("it is there");
    let output = place.streamw(args).stdout(emptied).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(">>") && said(&output).contains("--output"), "{}", said(&output));
    // Shorter, or not what was written.
    let shown = place.streamw("state show --json st").stdout(Stdio::piped()).output().expect("it runs");
    let shown = parse_json(std::str::from_utf8(&shown.stdout).expect("UTF-8"));
    let committed = shown["output"]["committed"].as_u64().expect("a file") as usize;
    assert!((4..=rows.len()).contains(&committed), "{committed} of {}", rows.len());
    place.write("out", &rows[..committed - 1]);
    assert_refused(&place, args, "out", &["were committed"]);
    place.write("out", &rows);
    let file = OpenOptions::new().write(true).open(place.path.join("out")).expect("it is there");
    file.write_all_at(b"#", committed as u64 - 3).expect("it is ours");
    assert_refused(&place, args, "out", &["does not hold what was written"]);
}

#[test]
fn f12_one_run_at_a_time_has_a_state_and_its_outputs() {
    let place = Place::new("twice", 1);
    let args = "-t ts -w 10s --state st --output out";
    let mut command = place.streamw(args);
    let mut first = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    let mut stdin = first.stdin.take().expect("a pipe");
    stdin.write_all(seconds(0..30).as_bytes()).expect("it reads");
    while place.read("out").is_empty() {
        std::thread::yield_now();
    }
    let second = place.run(args, "unused");
    assert_eq!(second.status.code(), Some(1));
    assert!(said(&second).contains(&format!("in use by process {}", first.id())), "{}", said(&second));
    let other = place.run(&args.replace("st ", "other "), "unused");
    assert_eq!(other.status.code(), Some(1));
    assert!(said(&other).contains("out is being written by another run"), "{}", said(&other));
    drop(stdin);
    assert_eq!(first.wait().expect("ours").code(), Some(0));
}

#[test]
fn t5_a_grown_or_further_file_continues_and_nothing_new_is_said_in_one_line() {
    let place = after_an_end("cron");
    let rows = place.text("out");
    assert_eq!(rows.lines().count(), 15, "windows that end by 1700000050 for three keys\n{rows}");
    let again = place.run(ARGS, "out");
    assert_eq!((again.status.code(), place.text("out")), (Some(0), rows));
    assert_eq!(said(&again), "streamw: nothing new since the run before; the state in st/ stays as it is\n");
    place.append("a.ndjson", seconds(55..75).as_bytes());
    assert_eq!(said(&place.run(ARGS, "out")), "");
    // A finished input may be left out.
    place.write("b.ndjson", seconds(75..100).as_bytes());
    assert_eq!(said(&place.run(&ARGS.replace("a.ndjson", "b.ndjson"), "out")), "");
    let flushed = place.run(&format!("{ARGS} b.ndjson --flush --stats"), "out");
    let summary = parse_json(said(&flushed).lines().last().expect("a summary"));
    assert_eq!((summary["records"].as_u64(), summary["open_windows"].as_u64()), (Some(100), Some(0)));
    place.write("all.ndjson", seconds(0..100).as_bytes());
    let whole = place.run("-t ts -k k -w 10s -d 2s -a sum:v all.ndjson", "whole");
    assert_eq!(whole.status.code(), Some(0));
    assert_eq!(place.text("out"), place.text("whole"), "the rows of all runs are those of one");
}

#[test]
fn t5_half_a_line_waits_for_its_rest() {
    let place = after_an_end("half");
    let more = seconds(55..80);
    place.append("a.ndjson", &more.as_bytes()[..more.len() - 8]);
    assert!(said(&place.run(ARGS, "out")).contains("its last line has no line end yet"));
    place.append("a.ndjson", &more.as_bytes()[more.len() - 8..]);
    assert_eq!(said(&place.run(&format!("{ARGS} --flush"), "out")), "");
    let whole = place.run("-t ts -k k -w 10s -d 2s -a sum:v a.ndjson", "whole");
    assert_eq!(whole.status.code(), Some(0));
    assert_eq!(place.text("out"), place.text("whole"));
}

#[test]
fn t5_what_was_flushed_has_a_floor() {
    let place = Place::new("floor", 1);
    place.write("a.ndjson", seconds(0..15).as_bytes());
    let args = "-t ts -w 10s -d 5s --state st --flush a.ndjson";
    assert_eq!(place.run(args, "out").status.code(), Some(0));
    assert_eq!(place.text("out").lines().count(), 2);
    // The second window is behind the floor, though W has not come so far.
    place.append("a.ndjson", seconds(16..21).as_bytes());
    let output = place.run(args, "out");
    let late = said(&output).lines().filter(|line| line.contains("late_drop")).count();
    assert_eq!((late, place.text("out").lines().count()), (4, 3), "{}", said(&output));
}

#[test]
fn a_rotated_file_is_known_by_itself_and_its_successor_is_new() {
    let place = after_an_end("rotated");
    place.append("a.ndjson", seconds(55..60).as_bytes());
    fs::rename(place.path.join("a.ndjson"), place.path.join("a.ndjson.1")).expect("ours");
    place.write("a.ndjson", seconds(60..100).as_bytes());
    let output = place.run(&format!("{} --flush", ARGS.replace("a.ndjson", "a.ndjson.1 a.ndjson")), "out");
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""));
    place.write("all.ndjson", seconds(0..100).as_bytes());
    place.run("-t ts -k k -w 10s -d 2s -a sum:v all.ndjson", "whole");
    assert_eq!(place.text("out"), place.text("whole"));
}

#[test]
fn a_new_state_appends_to_what_is_there_and_says_so() {
    let place = Place::new("appends", 1);
    place.write("a.ndjson", seconds(0..30).as_bytes());
    for (args, name) in [("", "out"), ("--output named", "named")] {
        place.write(name, b"before\n");
        let _ = fs::remove_dir_all(place.path.join("st"));
        let output = place.run(&format!("-t ts -w 10s --state st {args} a.ndjson"), "out");
        assert_eq!(output.status.code(), Some(0));
        assert!(said(&output).contains("has 7 bytes already; rows come after them"), "{}", said(&output));
        assert!(place.text(name).starts_with("before\n{"), "{}", place.text(name));
    }
}

#[test]
fn stdin_goes_on_as_told() {
    let args = "-t ts -k k -w 10s -d 2s -a sum:v --state st";
    let feed = |place: &Place, args: &str, text: &str| {
        let mut command = place.streamw(args);
        let mut child = command.stdin(Stdio::piped()).stdout(place.appended("out")).spawn().expect("it starts");
        // It may refuse before it has read all.
        let _ = child.stdin.take().expect("a pipe").write_all(text.as_bytes());
        child.wait_with_output().expect("ours")
    };
    let place = Place::new("stdin", 1);
    let all = seconds(0..100);
    let half = &all[..seconds(0..50).len()];
    assert_eq!(feed(&place, args, half).status.code(), Some(0));
    // The same once more, and more: the rest is taken.
    assert_eq!(said(&feed(&place, args, &all)), "");
    let short = feed(&place, args, half);
    assert_eq!(short.status.code(), Some(1));
    assert!(said(&short).contains("--stdin-resume continue"), "{}", said(&short));
    let other = feed(&place, args, &all.replacen("\"v\":1}", "\"v\":2}", 1));
    assert!(said(&other).contains("begins with other bytes"), "{}", said(&other));
    // Only what comes next.
    let next = feed(&place, &format!("{args} --stdin-resume continue --flush"), &seconds(100..120));
    assert_eq!((next.status.code(), said(&next).as_str()), (Some(0), ""));
    place.write("all.ndjson", seconds(0..120).as_bytes());
    place.run("-t ts -k k -w 10s -d 2s -a sum:v all.ndjson", "whole");
    assert_eq!(place.text("out"), place.text("whole"));
}

#[test]
fn a_state_is_shown_dumped_verified_and_removed() {
    let place = after_an_end("look");
    let state = |args: &str| {
        let output = place.streamw(&format!("state {args}")).stdout(Stdio::piped()).output().expect("it runs");
        (output.status.code(), String::from_utf8(output.stdout.clone()).expect("UTF-8"), said(&output))
    };
    let (status, shown, _) = state("show st");
    assert_eq!(status, Some(0));
    for needle in
        ["state in st/", "-w 10s", "-a sum:v", "a.ndjson: up to byte", "line 55, its end", "3 windows of 3 keys"]
    {
        assert!(shown.contains(needle), "not shown: {needle}\n{shown}");
    }
    let (_, json, _) = state("show --json st");
    let json = parse_json(&json);
    assert_eq!(json["type"], "state");
    assert_eq!((json["open_windows"].as_u64(), json["keys"].as_u64()), (Some(3), Some(3)));
    assert_eq!(json["inputs"][0]["lines"], 55);
    assert_eq!(json["watermark"], "2023-11-14T22:14:12Z");
    let (_, dumped, _) = state("dump st");
    let keys: Vec<String> =
        dumped.lines().map(|row| parse_json(row)["k"].as_str().expect("a key").to_owned()).collect();
    assert_eq!(keys, ["a0", "a1", "a2"], "{dumped}");
    assert!(dumped.lines().all(|row| parse_json(row)["pane"] == "early"), "{dumped}");
    let (_, one, _) = state("dump --key a1 st");
    assert_eq!(one.lines().count(), 1);
    let (status, verified, _) = state("verify st");
    assert_eq!(status, Some(0));
    assert!(verified.lines().all(|line| line.contains(": whole, ")), "{verified}");
    // Looking has changed nothing, and the state goes on.
    assert!(said(&place.run(ARGS, "out")).contains("nothing new"));
    assert_eq!(state("reset st").0, Some(0));
    let (status, _, why) = state("show st");
    assert_eq!((status, why.as_str()), (Some(1), "streamw: there is no state in st/\n"));
}

#[test]
fn e3_a_signal_commits_and_the_next_run_goes_on() {
    use nix::sys::signal::Signal;
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        // A machine may be so slow that no time is left for the last checkpoint.
        assert!((0..10).any(|_| commits_at_a_signal(signal, status)), "{signal}");
    }
}

/// Stops a run and, if the last checkpoint has been made in time, lets another go on.
fn commits_at_a_signal(signal: nix::sys::signal::Signal, status: i32) -> bool {
    let place = Place::new(&format!("signal-{status}"), 1);
    let args = "-t ts -k k -w 10s -d 2s -a sum:v --state st --stdin-resume continue";
    let mut command = place.streamw(args);
    let mut child = command.stdin(Stdio::piped()).stdout(place.appended("out")).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(seconds(0..35).as_bytes()).expect("it reads");
    while place.read("out").is_empty() {
        std::thread::yield_now();
    }
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), signal).expect("ours");
    let output = child.wait_with_output().expect("ours");
    assert_eq!(output.status.code(), Some(status));
    drop(stdin);
    let shown = place.streamw("state show --json st").stdout(Stdio::piped()).output().expect("it runs");
    if parse_json(std::str::from_utf8(&shown.stdout).expect("UTF-8"))["clean"] != true {
        return false;
    }
    assert!(said(&output).contains("3 open windows wait in the state"), "{}", said(&output));
    let mut command = place.streamw(&format!("{args} --flush"));
    let mut child = command.stdin(Stdio::piped()).stdout(place.appended("out")).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(seconds(35..60).as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("ours");
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""));
    place.write("all.ndjson", seconds(0..60).as_bytes());
    place.run("-t ts -k k -w 10s -d 2s -a sum:v all.ndjson", "whole");
    assert_eq!(place.text("out"), place.text("whole"));
    true
}

#[test]
fn what_no_checkpoint_can_hold_is_refused() {
    let place = Place::new("unheld", 1);
    place.write("a.ndjson", seconds(0..30).as_bytes());
    for (args, status, needle) in [
        ("-o prometheus", 2, "--output"),
        ("-o prometheus --output p.prom --hold", 2, "--hold"),
        ("-o table", 1, "-o table"),
        ("--checkpoint-interval 0s", 2, "--checkpoint-interval"),
    ] {
        let output = place.run(&format!("-t ts -w 10s --state st {args} a.ndjson"), "out");
        assert_eq!(output.status.code(), Some(status), "{args}: {}", said(&output));
        assert!(said(&output).contains(needle), "{args}: {}", said(&output));
        assert!(place.read("out").is_empty());
    }
    let shared = place.appended("out");
    let mut command = place.streamw("-t ts -w 10s --state st a.ndjson");
    command.stderr(shared.try_clone().expect("a handle")).stdout(shared);
    assert_eq!(command.status().expect("it runs").code(), Some(1));
    assert!(place.text("out").contains("stdout and stderr go to the same file"), "{}", place.text("out"));
}

#[test]
fn what_no_checkpoint_has_is_a_mistake_beside_a_state() {
    for flags in ["--expect e.csv", "--expect-keys k.csv", "--expect-windows 2026-01-01/2026-01-02"] {
        let place = Place::new("beside", 1);
        let output = place.run(&format!("{ARGS} {flags}"), "out");
        let said = said(&output);
        let named = flags.split_whitespace().find(|flag| said.contains(*flag) && flag.starts_with('-'));
        assert!(output.status.code() == Some(2) && named.is_some(), "{flags}: {said}");
        assert!(said.contains("does not go with --state") && !place.path.join("st").exists(), "{flags}: {said}");
    }
}
