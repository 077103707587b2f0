//! What a terminal or a spreadsheet would obey: control characters in names and in data, formulas in cells.

use crate::util::{Output, SharedBuffer, Streamw, assert_same, parse_json};
use std::ffi::OsString;
use streamw::host::Host;

/// Sets a title, clears the screen, writes to the clipboard, C1, DEL, bidi, line ends that forge a line of their own.
const EVIL: &[&str] = &[
    "\u{1b}]0;owned\u{7}",
    "\u{1b}[2J\u{1b}[H",
    "\u{1b}]52;c;cm0gLXJmIC8=\u{1b}\\",
    "\u{9b}31m\u{85}\u{90}",
    "\u{7f}\u{8}\u{8}",
    "\u{202e}txt.exe\u{202c}\u{2066}\u{61c}\u{200f}",
    "a\nstreamw: all is well",
    "a\r\nstreamw: all is well",
    "\rstreamw: all is well\u{b}\u{c}",
];

/// Nothing but line ends and what a terminal shows; and no line that was forged.
#[track_caller]
fn assert_harmless(what: &str, text: &str) {
    let is_harmful = |c: char| {
        c != '\n' && c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(is_harmful), "{what}: {text:?}");
    assert!(!text.lines().any(|line| line.starts_with("streamw: all is well")), "{what}: {text}");
}

/// A run with a person at stdout.
fn on_terminal(args: &[&str], stdin: &str) -> Output {
    let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
    let mut host = Host::piped(std::io::Cursor::new(stdin.as_bytes().to_vec()), stdout.clone(), stderr.clone());
    host.terminals.stdout = true;
    // Its own colours are codes as well.
    let args = ["--color", "never"].iter().chain(args).map(OsString::from).collect();
    let status = streamw::run::main(args, host);
    Output { status, stdout: stdout.text(), stderr: stderr.text() }
}

/// A way to type something, and the exit status that follows.
type Way = (Box<dyn Fn(&str) -> Vec<String>>, u8);

#[test]
fn h12_nothing_that_was_typed_reaches_stderr_raw() {
    let last = |flag: &'static str| move |evil: &str| vec![flag.to_owned(), evil.to_owned()];
    let glued = |flag: &'static str| move |evil: &str| vec![format!("{flag}{evil}")];
    let ways: Vec<Way> = vec![
        (Box::new(glued("")), 1),
        (Box::new(glued("--")), 2),
        (Box::new(glued("-Z")), 2),
        (Box::new(glued("-w")), 2),
        (Box::new(last("--offset")), 2),
        (Box::new(last("-d")), 2),
        (Box::new(last("-l")), 2),
        (Box::new(glued("--late-rule=")), 2),
        (Box::new(last("--time-format")), 2),
        (Box::new(glued("--time-format=%")), 2),
        (Box::new(last("-i")), 2),
        (Box::new(glued("-iregex:(")), 2),
        (Box::new(glued("-iregex:")), 2),
        (Box::new(last("--delimiter")), 2),
        (Box::new(last("--max-line")), 2),
        (Box::new(last("--threads")), 2),
        (Box::new(last("-o")), 2),
        (Box::new(last("--output-time")), 2),
        (Box::new(last("--max-bad")), 2),
        (Box::new(glued("--stats=")), 2),
        (Box::new(last("-a")), 2),
        (Box::new(glued("-acount:x:")), 2),
        (Box::new(|evil| vec!["-k".into(), evil.to_owned(), "-k".into(), evil.to_owned()]), 2),
        (Box::new(glued("--output=/no/such/directory/")), 1),
        (Box::new(|evil| vec!["completions".into(), evil.to_owned()]), 2),
    ];
    for (place, (way, status)) in ways.iter().enumerate() {
        for evil in EVIL {
            let args = way(evil);
            let mut run = Streamw::new();
            if args[0] != "completions" && !args[0].starts_with("-w") {
                run = run.args("-w 1m");
            }
            let output = args.iter().fold(run, |run, arg| run.arg(arg)).stdin("{\"ts\":1}\n").run();
            assert_eq!((output.status, output.stdout.as_str()), (*status, ""), "{args:?}: {}", output.stderr);
            assert!(output.stderr.starts_with("streamw: "), "{args:?}: {}", output.stderr);
            assert_harmless(&format!("{place}, {args:?}"), &output.stderr);
        }
    }
}

#[test]
fn h12_nothing_in_names_and_data_reaches_stderr_or_a_terminal_raw() {
    for evil in EVIL {
        let json = serde_json::to_string(evil).expect("text");
        let quoted = format!("\"{evil}\"");
        let inputs = [
            (
                "ndjson",
                format!("{{\"ts\":1,\"k\":{json},{json}:{json}}}\n{{\"ts\":{json}}}\n{evil}\n{{\"ts\":1,\"k\":[]}}\n"),
            ),
            ("csv", format!("ts,k,{quoted}\n1,{quoted},{quoted}\n{quoted},1,1\n{evil}\n1,{quoted}x,2\n")),
            ("logfmt", format!("ts=1 k={json} {evil}={json}\nts={json}\n{evil}\n")),
        ];
        for (format, input) in &inputs {
            // As a key, under a name of its own, as a value, in lists; late, bad, missing.
            let flags =
                ["-t", "ts", "-w", "1m", "-q", "--stats", "-i", format, "-k", "k", "-a", "first:k", "-a", "top:k:3"];
            let list = format!("{}=collect:k:2", evil.replace(['=', ':'], ""));
            let named = [flags.as_slice(), &["-a", &list]].concat();
            for output_format in ["ndjson", "table", "csv", "tsv"] {
                let output = on_terminal(&[named.as_slice(), &["-o", output_format]].concat(), input);
                assert_eq!(output.status, 0, "{format}, {evil:?}: {}", output.stderr);
                assert_harmless(&format!("{format} to {output_format}"), &output.stdout.replace('\t', " "));
                assert_harmless(&format!("{format} to {output_format}"), &output.stderr);
                output.json_lines().into_iter().for_each(|line| drop(parse_json(line)));
            }
            // Fields that are not there, of which names that are there come near.
            let missing = format!("{evil}x");
            for flag in ["-t", "-k"] {
                let output = on_terminal(&["-w", "1m", "-i", format, flag, &missing], input);
                assert_harmless(&format!("{format} {flag}"), &output.stderr);
            }
        }
        let columns = format!("ts,{}", evil.replace(['\n', ','], ""));
        let args = ["-w", "1m", "-i", "csv", "--columns", &columns, "-t", "zz"];
        assert_harmless("--columns", &on_terminal(&args, "1,2\n").stderr);
    }
}

#[test]
fn h12_names_of_files_reach_no_terminal_raw() {
    let here = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("evil");
    std::fs::create_dir_all(&here).expect("a directory");
    for evil in EVIL {
        let path = here.join(format!("{}.csv", evil.replace('/', "")));
        std::fs::write(&path, "ts,v\n1,2\nx,3\n").expect("a file");
        let path = path.to_str().expect("text");
        for args in [&["-w", "1m", path][..], &["-w", "1m", "-t", "v2", path], &["-w", "1m", path, "--bad", path]] {
            let output = on_terminal(args, "");
            assert!(output.stderr.contains(".csv"), "{args:?}: {}", output.stderr);
            assert_harmless("a file's name", &output.stderr);
        }
        std::fs::write(path, b"\xFF\xFEt\0").expect("a file");
        let output = on_terminal(&["-w", "1m", path], "");
        assert!(output.status == 1 && output.stderr.contains("iconv"), "{}", output.stderr);
        assert_harmless("a file's name", &output.stderr);
    }
}

// --- spreadsheets --------------------------------------------------------------------------------------------

/// Texts, and whether a spreadsheet might run them. An apostrophe in front of them is no other case: it can be taken away.
const TEXTS: &[(&str, bool)] = &[
    ("=1+1", true),
    ("=cmd|' /C calc'!A0", true),
    ("+1", true),
    ("-1", true),
    ("-", true),
    ("@SUM(A1)", true),
    ("\t=1", true),
    ("\r=1", true),
    ("'=1", true),
    ("''-1", true),
    ("=\"a\",b", true),
    ("=a\nb", true),
    ("", false),
    ("'", false),
    ("''", false),
    ("'tis", false),
    (" =1", false),
    ("a=1", false),
    ("1-1", false),
    ("1,5", false),
];

/// The cells of CSV or TSV, by another reader.
fn cells(text: &str, delimiter: u8) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.expect("CSV").iter().map(str::to_owned).collect()).collect()
}

/// What `--csv-safe` adds to a text is one apostrophe; this takes it away.
fn without_apostrophe(cell: &str) -> &str {
    match cell.trim_start_matches('\'').chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => cell.strip_prefix('\'').unwrap_or(cell),
        _ => cell,
    }
}

#[test]
fn h13_cells_are_exact_and_with_csv_safe_no_formulas_and_both_read_back() {
    let input: String = (0..)
        .zip(TEXTS)
        .map(|(ts, (text, _))| {
            format!("{{\"ts\":{ts},\"k\":{},\"n\":-{ts}.5}}\n", serde_json::to_string(text).expect("text"))
        })
        .collect();
    let flags = "-w 1s -t ts --output-time s -k k -a last:k -a sum:n -a min:n -a first:n -q";
    for (format, delimiter) in [("csv", b','), ("tsv", b'\t')] {
        let run = Streamw::new().args(flags).args("-a @SUM(A1)=count").args("-o").arg(format).stdin(input.clone());
        let plain = run.clone().run();
        let safe = run.args("--csv-safe").run();
        assert_eq!((plain.status, safe.status), (0, 0), "{}", safe.stderr);
        let (plain, safe) = (cells(&plain.stdout, delimiter), cells(&safe.stdout, delimiter));
        assert_eq!(plain[0][2..7], ["k", "last_k", "sum_n", "min_n", "first_n"]);
        assert_eq!((plain[0][7].as_str(), safe[0][7].as_str()), ("@SUM(A1)", "'@SUM(A1)"));
        for (place, (text, is_formula)) in TEXTS.iter().enumerate() {
            let (plain, safe) = (&plain[place + 1], &safe[place + 1]);
            let guarded = if *is_formula { format!("'{text}") } else { (*text).to_owned() };
            for column in [2, 3] {
                assert_eq!((plain[column].as_str(), &safe[column]), (*text, &guarded), "{format}, {text:?}");
                assert_eq!(without_apostrophe(&safe[column]), *text, "{format}");
            }
            let number = format!("-{place}.5");
            for row in [plain, safe] {
                // Numbers stay numbers, below zero as well.
                assert_eq!(
                    (row[0].as_str(), &row[4..7]),
                    (place.to_string().as_str(), &[&*number; 3].map(str::to_owned)[..])
                );
            }
        }
    }
}

#[test]
fn h13_numbers_in_cells_are_numbers_and_times_before_1970_are_times() {
    let input = "ts,k,v\n-5,-7,-7\n-5,-7,+7\n-5,-7,-07\n";
    let flags = "-i csv -w 1s -t ts -k k -a first:v -a last:v -a collect:v:3 -a sum:v --output-time s -o csv -q";
    for (care, key, last) in [("", "-7", "-07"), ("--csv-safe", "'-7", "'-07")] {
        // A key of CSV is text; a cell that reads as a JSON number is a number, any other is text.
        let expected = format!(
            "window_start,window_end,k,first_v,last_v,collect_v_3,sum_v,pane,revision\n-5,-4,{key},-7,{last},\"[-7,\"\"+7\"\",\"\"-07\"\"]\",-7,on_time,0\n"
        );
        assert_same(care, &expected, &Streamw::new().args(flags).args(care).stdin(input).run().stdout);
    }
}
