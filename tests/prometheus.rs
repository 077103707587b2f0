//! `-o prometheus`: the newest row of each key as metrics, and the file that is replaced.

use crate::util::{Live, Output, SharedBuffer, Streamw, TestClock, assert_same};
use std::fs;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crossbeam_channel::{Receiver, unbounded};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use streamw::cli::{self, Command, Terminals};
use streamw::codec::{self, Reader};
use streamw::host::Host;
use streamw::output::RowFormat;
use streamw::output::paint::Paint;
use streamw::run;
use streamw::time::Timestamp;

fn directory(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prometheus").join(test);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory");
    path
}

fn files(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).expect("a directory");
    names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn the_newest_row_of_each_key_becomes_metrics() {
    let input = "{\"ts\":1,\"h\":\"a\",\"v\":1.50}\n{\"ts\":2,\"h\":\"b\",\"v\":2}\n{\"ts\":12,\"h\":\"a\",\"v\":-3e-9}\n{\"ts\":21.5,\"h\":\"a\",\"v\":null}\n";
    let output = Streamw::new().args("-w 10s -t ts -k h -a count -a max:v -a p50:v -o prometheus").stdin(input).run();
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    let expected = "\
# HELP streamw_count count of the newest window of each key
# TYPE streamw_count gauge
streamw_count{h=\"a\"} 1
streamw_count{h=\"b\"} 1
# HELP streamw_max_v max_v of the newest window of each key
# TYPE streamw_max_v gauge
streamw_max_v{h=\"b\"} 2
# HELP streamw_p50_v p50_v of the newest window of each key
# TYPE streamw_p50_v gauge
streamw_p50_v{h=\"b\"} 2.0
# HELP streamw_window_end_seconds end of the newest window of each key, in seconds since 1970
# TYPE streamw_window_end_seconds gauge
streamw_window_end_seconds{h=\"a\"} 30
streamw_window_end_seconds{h=\"b\"} 10
";
    assert_same("stdout", expected, &output.stdout);
}

#[test]
fn a_late_row_of_an_older_window_takes_the_place_of_nothing_newer() {
    let input = "{\"ts\":1}\n{\"ts\":11}\n{\"ts\":12}\n{\"ts\":2}\n{\"ts\":3}\n{\"ts\":25}\n{\"ts\":13}\n{\"ts\":14}\n";
    let row = |args: &str| Streamw::new().args("-w 10s -t ts -l 1h -o prometheus").args(args).stdin(input).run().stdout;
    assert!(row("").contains("streamw_count 1\n"), "{}", row(""));
    assert!(row("").contains("streamw_window_end_seconds 30\n"));
    // The end of a session may move, and what it has absorbed is gone with it.
    let sessions = Streamw::new()
        .args("-w session:5s -t ts -l 1h -o prometheus")
        .stdin("{\"ts\":1}\n{\"ts\":9}\n{\"ts\":5}\n{\"ts\":20.25}\n");
    let sessions = sessions.run().stdout;
    assert!(sessions.ends_with("streamw_window_end_seconds 25.25\n"), "{sessions}");
    // Windows without bounds follow one another as they come, whatever the times of their events.
    let counts = Streamw::new().args("-w count:2 -t ts -a sum:ts -o prometheus");
    let counts = counts.stdin("{\"ts\":7}\n{\"ts\":9}\n{\"ts\":1}\n{\"ts\":2}\n").run().stdout;
    assert!(counts.contains("streamw_sum_ts 3\n") && counts.ends_with("_seconds 2\n"), "{counts}");
    // Rows from before the end count, and what is taken back is not shown.
    let early = |args: &str| {
        Streamw::new().args("-w 10s -t ts -l 1h -o prometheus --early every:1").args(args).stdin(input).run()
    };
    assert_same("the metrics", &row(""), &early("--updates retracting").stdout);
    assert_same("the metrics", &row(""), &early("").stdout);
}

#[test]
fn several_windows_keep_a_row_each_and_are_told_apart() {
    let input = "{\"ts\":1}\n{\"ts\":11}\n{\"ts\":70}\n";
    let output = Streamw::new().args("-w 10s -w 1m -t ts -o prometheus").stdin(input).run();
    for line in [
        "streamw_count{window=\"10s\"} 1",
        "streamw_count{window=\"1m\"} 1",
        "streamw_window_end_seconds{window=\"10s\"} 80",
        "streamw_window_end_seconds{window=\"1m\"} 120",
    ] {
        assert!(output.stdout.lines().any(|got| got == line), "no {line} in\n{}", output.stdout);
    }
}

#[test]
fn names_and_labels_follow_the_rules_of_the_format() {
    let input = "{\"ts\":1,\"a b\":\"x\\\\y\\\"z\\nw é\",\"9\":7,\"__name__\":null,\"t\":true,\"v\":1}\n";
    let args = [
        "-k",
        "a b",
        "-k",
        "9",
        "-k",
        "__name__",
        "-k",
        "t",
        "-a",
        "größe \\=sum:v",
        "-o",
        "prometheus",
        "-w10s",
        "-tts",
    ];
    let output = args.into_iter().fold(Streamw::new(), Streamw::arg).stdin(input).run();
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    let expected = "\
# HELP streamw_gr__e__ größe \\\\ of the newest window of each key
# TYPE streamw_gr__e__ gauge
streamw_gr__e__{a_b=\"x\\\\y\\\"z\\nw é\",key_9=\"7\",key___name__=\"\",t=\"true\"} 1
";
    assert!(output.stdout.starts_with(expected), "{}", output.stdout);
}

#[test]
fn what_is_no_number_is_left_out_and_said_in_one_line() {
    let input = "{\"ts\":1,\"v\":5,\"s\":\"x\"}\n{\"ts\":2,\"v\":6.5,\"s\":\"y\"}\n";
    let args = "-w 10s -t ts -a last:v -a last:s -a top:v:1 -a collect:v:2 -a min_text:s -o prometheus";
    let output = Streamw::new().args(args).stdin(input).run();
    let said = "streamw: -o prometheus has only numbers and leaves out what is none of: last_s top_v_1 collect_v_2 min_text_s\n";
    assert_same("stderr", said, &output.stderr);
    let samples: Vec<&str> = output.stdout.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(samples, ["streamw_last_v 6.5", "streamw_window_end_seconds 10"]);
}

#[test]
fn keys_that_differ_by_type_alone_are_shown_once_and_said() {
    let input = "{\"ts\":1,\"k\":1,\"v\":10}\n{\"ts\":1,\"k\":\"1\",\"v\":20}\n{\"ts\":1,\"v\":30}\n{\"ts\":1,\"k\":\"\",\"v\":40}\n";
    let output = Streamw::new().args("-w 10s -t ts -k k -a sum:v -o prometheus").stdin(input).run();
    let said =
        "streamw: several keys have the labels {k=\"\"}, which have no types; -o prometheus shows the first of them\n";
    assert_same("stderr", said, &output.stderr);
    assert!(
        output.stdout.contains("gauge\nstreamw_sum_v{k=\"\"} 30\nstreamw_sum_v{k=\"1\"} 10\n# HELP"),
        "{}",
        output.stdout
    );
}

#[test]
fn equal_names_are_a_mistake() {
    for (args, expected) in [
        (
            "-a a.b=sum:v -a a_b=avg:v",
            "-a: with -o prometheus more than one would be called streamw_a_b; name \"a_b\" otherwise with NAME=",
        ),
        ("-a window_end_seconds=sum:v", "more than one would be called streamw_window_end_seconds"),
        ("-k a.b -k a_b", "-k: with -o prometheus more than one would be called a_b"),
    ] {
        let run = |format: &str| Streamw::new().args("-w 10s -t ts").args(args).args(format).run();
        assert_eq!((run("-o prometheus").status, run("-o csv").status), (2, 0), "{args}");
        assert!(run("-o prometheus").stderr.contains(expected), "{args}: {}", run("-o prometheus").stderr);
    }
}

#[test]
fn t9_the_metrics_do_not_depend_on_how_the_input_comes() {
    let access = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/access.ndjson")).expect("a file");
    let run = |args: &str, size| {
        let args = format!("-w 1h -w 10m -t time -k status -d 60s -l 5m -a sum:bytes -o prometheus {args}");
        Streamw::new().args(&args).stdin(access.clone()).read_size(size).run()
    };
    let whole = run("--threads 1", usize::MAX);
    assert_eq!(whole, run("--threads 4", 997));
    let here = directory("same");
    let file = here.join("a.prom");
    let to_file = run(&format!("--output {}", file.display()), 4096);
    assert_eq!((to_file.status, to_file.stdout.as_str()), (0, ""));
    assert_same("the file", &whole.stdout, &fs::read_to_string(&file).expect("a file"));
    assert_eq!(files(&here), ["a.prom"]);
}

#[test]
fn the_file_is_replaced_as_a_whole_and_left_alone_by_a_run_that_fails() {
    let here = directory("whole");
    let (file, link) = (here.join("a.prom"), here.join("link.prom"));
    fs::write(&file, "old\n").expect("a file");
    std::os::unix::fs::symlink("a.prom", &link).expect("a link");
    // Whoever has the old file open goes on reading the old file.
    let mut old = fs::File::open(&file).expect("a file");
    let run = |path: &Path, input: &str| -> Output {
        Streamw::new().args("-w 10s -t ts -o prometheus --output").arg(path).stdin(input).run()
    };
    assert_eq!(run(&link, "{\"ts\":1}\n").status, 0);
    let mut text = String::new();
    old.read_to_string(&mut text).expect("UTF-8");
    assert_eq!(text, "old\n");
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    assert!(fs::read_to_string(&file).expect("a file").contains("streamw_count 1\n"));
    // A run without rows has none to show.
    assert_eq!(run(&file, "").status, 0);
    assert_eq!(fs::read_to_string(&file).expect("a file"), "");
    let mut names = files(&here);
    names.sort();
    assert_eq!(names, ["a.prom", "link.prom"]);
    for path in [here.join("no/such/a.prom"), here.clone()] {
        let output = run(&path, "");
        assert_eq!(output.status, 1, "{}", output.stderr);
        assert!(output.stderr.starts_with(&format!("streamw: {}: ", path.display())), "{}", output.stderr);
    }
    // What is no file is not replaced by one.
    assert_eq!(run(Path::new("/dev/null"), "{\"ts\":1}\n").status, 0);
    assert!(!fs::metadata("/dev/null").expect("it is there").is_file());
}

/// Bytes as they are sent; says when all that was sent has been read.
struct Fed(Receiver<&'static str>);

impl Read for Fed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let piece = self.0.recv().unwrap_or_default();
        into[..piece.len()].copy_from_slice(piece.as_bytes());
        Ok(piece.len())
    }
}

#[test]
fn the_file_is_written_when_the_input_pauses_and_again_a_second_later() {
    let here = directory("pause");
    let file = here.join("a.prom");
    let watch = inotify::init(inotify::CreateFlags::empty()).expect("a watch");
    inotify::add_watch(&watch, &here, inotify::WatchFlags::MOVED_TO).expect("it is watched");
    let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
    let (feed, pieces) = unbounded();
    let clock = TestClock::skipping();
    let mut host = Host::piped(Fed(pieces), stdout.clone(), stderr.clone());
    host.clock = Box::new(clock.clone());
    let args = format!("-w 10s -t ts -o prometheus --output {}", file.display());
    let thread = std::thread::spawn(move || run::main(args.split_whitespace().map(Into::into).collect(), host));
    for (piece, expected) in [
        ("{\"ts\":1}\n{\"ts\":11}\n", "streamw_window_end_seconds 10\n"),
        ("{\"ts\":21}\n", "streamw_window_end_seconds 20\n"),
        // This one moves no window, and nothing is written for it.
        ("{\"ts\":22}\n", ""),
        ("{\"ts\":31}\n", "streamw_window_end_seconds 30\n"),
    ] {
        feed.send(piece).expect("the run goes on");
        if !expected.is_empty() {
            await_replacement(&watch);
            let text = fs::read_to_string(&file).expect("a file");
            assert!(text.ends_with(expected), "{text}");
        }
    }
    // The first is written at once; each of the others when the second after the last is over.
    assert_eq!(clock.waits(), 2);
    drop(feed);
    assert_eq!(thread.join().expect("the run does not panic"), 0);
    assert!(fs::read_to_string(&file).expect("a file").ends_with("streamw_window_end_seconds 40\n"));
    assert_eq!(stdout.text(), "");
}

/// Waits until something has taken the place of a file of the directory.
fn await_replacement(watch: &OwnedFd) {
    let patience = Timespec { tv_sec: Live::PATIENCE.as_secs() as i64, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(watch, PollFlags::IN)], Some(&patience)).expect("it can be waited for");
    assert_eq!(ready, 1, "no file was replaced");
    let mut buffer = [MaybeUninit::uninit(); 512];
    let mut events = inotify::Reader::new(watch, &mut buffer);
    events.next().expect("an event is there");
    assert!(events.is_buffer_empty(), "the file was replaced more than once");
}

#[test]
fn a_run_with_state_goes_on_with_the_rows_that_were_shown() {
    let here = directory("state");
    let input = here.join("a.ndjson");
    let mut text: String = (0..200)
        .map(|n| match n % 7 {
            6 => "no record\n".to_owned(),
            // Now and then an older window is corrected; many keys have one row.
            late => format!("{{\"ts\":{},\"k\":\"k{}\",\"v\":{n}}}\n", 1_000 + n * 2 - late % 3 * 15, n * n % 40),
        })
        .collect();
    text += "{\"ts\":80000,\"k\":\"k1\",\"v\":1}\n";
    fs::write(&input, &text).expect("a file");
    let args =
        "-t ts --time-format s -k k -w 10s -w count:3 -l 60s -a sum:v -a last:v --warn-if sum_v>300 -q -o prometheus";
    let run = |name: &str, flags: &str| {
        let at = |what: &str| here.join(format!("{name}{what}"));
        let run = Streamw::new().args(args).arg("--output").arg(at(".prom")).arg("--state").arg(at(""));
        run.args(flags).arg(&input).run()
    };
    let shown = |name: &str| fs::read_to_string(here.join(format!("{name}.prom"))).unwrap_or_default();
    assert_eq!(run("whole", "--flush").status, 0);
    let whole = shown("whole");
    assert!(whole.lines().count() > 40, "{whole}");
    let mut limit = 0;
    while run("cut", &format!("--flush --max-bad {limit}")).status == 3 {
        limit += 1;
    }
    assert!(limit > 20, "{limit}");
    assert_same("the metrics", &whole, &shown("cut"));
    // A run with nothing new makes the file good.
    fs::remove_file(here.join("cut.prom")).expect("it was written");
    assert_eq!(run("cut", "").status, 0);
    assert_same("the metrics", &whole, &shown("cut"));
    let mut names = files(&here);
    names.sort();
    assert_eq!(names, ["a.ndjson", "cut", "cut.prom", "whole", "whole.prom"]);
}

#[test]
fn rows_that_were_saved_come_back_and_nothing_else_is_taken() {
    let encoder = |flags: &str| {
        let flags = flags.split_whitespace().map(Into::into).collect();
        match cli::parse(flags, &[], Terminals::default(), Timestamp(0)) {
            Ok(Command::Run(config)) => RowFormat::Prometheus.encoder(config.shape, Paint::default()),
            _ => panic!("no run"),
        }
    };
    let flags = "-t ts -w 10s -w 1m -a count -a max:v -o prometheus";
    let mut saved = Vec::new();
    codec::put(&mut saved, 2);
    for (end, number) in [(10_000_000_000, "7"), (60_000_000_000, "9")] {
        codec::put_signed(&mut saved, end);
        codec::put(&mut saved, 1);
        codec::put_bytes(&mut saved, b"");
        codec::put_signed(&mut saved, 0);
        codec::put_signed(&mut saved, end);
        codec::put_bytes(&mut saved, format!("{number}\n\n").as_bytes());
    }
    let mut shows = encoder(flags);
    shows.restore(&mut Reader::new(&saved)).expect("ours");
    assert!(shows.has_news());
    let (mut picture, mut again) = (Vec::new(), Vec::new());
    shows.save(&mut again);
    assert_eq!(again, saved);
    shows.picture(&mut picture);
    let picture = String::from_utf8(picture).expect("UTF-8");
    let samples: Vec<&str> = picture.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        samples,
        [
            "streamw_count{window=\"10s\"} 7",
            "streamw_count{window=\"1m\"} 9",
            "streamw_window_end_seconds{window=\"10s\"} 10",
            "streamw_window_end_seconds{window=\"1m\"} 60",
        ]
    );
    for length in 0..saved.len() {
        assert!(encoder(flags).restore(&mut Reader::new(&saved[..length])).is_err(), "{length}");
    }
    for other in ["-t ts -w 10s -a count -a max:v", "-t ts -w 10s -w 1m -a count"] {
        assert!(encoder(other).restore(&mut Reader::new(&saved)).is_err(), "{other}");
    }
}
