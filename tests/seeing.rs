//! What people see: colour, and what is said with `-v`.

use crate::util::{Output, SharedBuffer, TestClock, assert_same};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use streamw::host::Host;
use streamw::run;

/// A window that fires, a late update, a late drop, a bad record, and a note on the event time.
const MIXED: &str =
    "{\"ts\":1,\"k\":\"a\"}\n{\"ts\":12,\"k\":\"a\"}\n{\"ts\":2,\"k\":\"b\"}\n{\"ts\":40}\n{\"ts\":3}\nbad\n";

/// The terminals a run has, by letters: `o` stdout, `e` stderr, `1` both are the same, `n` `NO_COLOR`, `d` dumb.
fn on(letters: &str, args: &[&str], stdin: &str) -> Output {
    let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
    let mut host = Host::piped(std::io::Cursor::new(stdin.as_bytes().to_vec()), stdout.clone(), stderr.clone());
    host.clock = Box::new(TestClock::new(Duration::ZERO));
    let has = |letter| letters.contains(letter);
    host.terminals.stdout = has('o');
    host.terminals.stderr = has('e');
    host.terminals.is_one = has('1');
    host.terminals.no_color = has('n');
    host.terminals.is_dumb = has('d');
    let status = run::main(args.iter().map(|arg| (*arg).into()).collect(), host);
    Output { status, stdout: stdout.text(), stderr: stderr.text() }
}

fn words(args: &str) -> Vec<&str> {
    args.split_whitespace().collect()
}

/// Without colours, as `ESC [ … m` sets them.
fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('m').expect("a colour ends with m");
        assert!(code.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'), "no colour: {code}");
        plain += rest;
    }
    plain
}

fn directory(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("seeing").join(test);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory can be made");
    path
}

// --- colour --------------------------------------------------------------------------------------------------

#[test]
fn colour_goes_to_terminals_unless_told_otherwise() {
    // (terminals, flags, whether rows have colour, whether lines for people have)
    for (terminals, flags, in_rows, in_lines) in [
        ("", "", false, false),
        ("oe1", "", true, true),
        ("oe", "", true, true),
        ("e", "-o table", false, true),
        ("o", "", true, false),
        ("oe1n", "", false, false),
        ("oe1d", "", false, false),
        ("oe1", "--color never", false, false),
        ("oe1n", "--color always", true, true),
        ("", "-o table --color always", true, true),
        ("", "-o table --color always --color auto", false, false),
        // Never for programs.
        ("oe1", "-o ndjson --color always", false, true),
        ("oe1", "-o csv --color always", false, true),
        ("oe1", "-o tsv --color always", false, true),
    ] {
        let case = format!("{terminals} {flags}");
        let args = [words("-w 10s -k k -l 10s --stats"), words(flags)].concat();
        let output = on(terminals, &args, MIXED);
        assert_eq!(output.status, 0, "{case}: {}", output.stderr);
        assert_eq!(output.stdout.contains('\u{1b}'), in_rows, "{case}\n{}", output.stdout);
        for line in output.stderr.lines() {
            let is_for_people = !line.starts_with('{');
            assert_eq!(line.contains('\u{1b}'), in_lines && is_for_people, "{case}\n{line}");
        }
        // It adds nothing but colour.
        let never = on(terminals, &[args, words("--color never")].concat(), MIXED);
        assert_same(&case, &never.stdout, &plain(&output.stdout));
        let up_to_the_time = |text: &str| text.split("\"seconds\"").next().unwrap_or_default().to_owned();
        assert_same(&case, &up_to_the_time(&never.stderr), &up_to_the_time(&plain(&output.stderr)));
    }
}

#[test]
fn colour_marks_what_matters() {
    let output = on("oe1", &words("-w 10s -k k -l 10s --output-time s -a sum:nothing"), MIXED);
    let rows: Vec<_> = output.stdout.lines().collect();
    assert_eq!(rows[0].matches("\u{1b}[1m").count(), 6, "each name of the header: {}", rows[0]);
    let late: Vec<_> = rows[1..].iter().filter(|row| row.contains("\u{1b}")).collect();
    assert_eq!(late.len(), 1);
    assert!(late[0].contains("b") && late[0].contains("\u{1b}[33mlate\u{1b}[0m"), "{}", late[0]);
    let prefix = |what: &str| {
        let line = output.stderr.lines().find(|line| line.contains(what)).expect("it is said");
        line.split("streamw:").next().unwrap_or_default().to_owned()
    };
    assert_eq!(prefix("the event time is"), "\u{1b}[1m");
    assert_eq!(prefix("no record had the field"), "\u{1b}[1m\u{1b}[33m", "a warning is yellow");
    // Failures are red, whether they come early or late.
    for args in ["-w 10s --strict -q", "-w 10s --max-bad 0% -q", "-w 10s no/such/file", "-w 1x", "--nonsense"] {
        let output = on("oe1", &words(args), MIXED);
        let said: Vec<_> = output
            .stderr
            .lines()
            .filter(|line| line.contains("streamw: ") || line.contains("streamw:\u{1b}"))
            .collect();
        assert!(output.status > 0 && said[0].starts_with("\u{1b}[1m\u{1b}[31mstreamw:\u{1b}[0m "), "{args}: {said:?}");
    }
}

#[test]
fn a_file_has_colour_only_if_it_is_asked_for() {
    let here = directory("file");
    let file = here.join("rows");
    let file = file.to_str().expect("UTF-8");
    for (flags, expected) in
        [("", false), ("-o table", false), ("-o csv --color always", false), ("-o table --color always", true)]
    {
        let args = [words("-w 10s --output"), vec![file], words(flags)].concat();
        assert_eq!(on("oe1", &args, MIXED).status, 0);
        let rows = fs::read_to_string(file).expect("rows");
        assert_eq!(rows.contains('\u{1b}'), expected, "{flags}\n{rows}");
    }
}

#[test]
fn help_and_mistakes_have_the_same_colour() {
    for (terminals, args, expected) in [
        ("o", "--help", true),
        ("o", "-h", true),
        ("e", "--help", false),
        ("on", "--help", false),
        ("on", "--help --color always", false),
        ("on", "--color always --help", true),
        ("o", "--color=never -h", false),
        ("e", "--nonsense", true),
        ("o", "--nonsense", false),
        ("e", "--nonsense --color never", false),
        ("", "--nonsense --color=always", true),
        ("", "-w 1x --color=always", true),
        ("en", "-w 1x", false),
    ] {
        let output = on(terminals, &words(args), "");
        let text = output.stdout + &output.stderr;
        // clap takes all that comes before; what comes after --help is not read by anybody else.
        let expected = expected || (args == "--help --color always");
        assert_eq!(text.contains('\u{1b}'), expected, "{terminals} {args}\n{text}");
        let _ = plain(&text);
    }
    // Nothing that is typed can be a colour; it is shown for what it is.
    for args in [vec!["--color=always", "--nonsense\u{1b}[31m"], vec!["--color=always", "-w", "\u{1b}[31m"]] {
        let output = on("oe1", &args, "");
        assert!(output.status == 2 && !output.stderr.contains("\u{1b}[31m\u{1b}"), "{}", output.stderr.escape_debug());
        let plain = plain(&output.stderr);
        assert!(!plain.contains('\u{1b}') && plain.contains("\\u{1b}[31m"), "{}", output.stderr);
    }
}

#[test]
fn e2_no_control_character_of_the_data_hides_among_the_colours() {
    let here = directory("hazards");
    let hazard = "\u{1b}[31m\u{1b}[2J\u{9b}31m\u{202e}";
    let file = here.join(format!("in{hazard}.csv"));
    fs::write(&file, format!("ts,k{hazard}\n1,{hazard}\n2,\"{hazard}\n\"\n30,x\n1,late{hazard}\nbad{hazard},1\n"))
        .expect("a file");
    let (file, key) = (file.to_str().expect("UTF-8"), format!("k{hazard}"));
    for flags in ["-o table -v", "-o table --strict -v", "-o csv -v -a first:nothing", "-o ndjson"] {
        let with = |color: &'static str| {
            let args =
                [vec![file, "-k", &key, "-w", "10s", "-l", "30s", "-t", "ts", "--color", color], words(flags)].concat();
            on("oe1", &args, "")
        };
        let (always, never) = (with("always"), with("never"));
        assert!(always.stderr.contains('\u{1b}') || flags == "-o ndjson", "there are colours");
        let up_to_the_time = |text: &str| text.split(" in 0.0").next().unwrap_or_default().to_owned();
        // Were one of ours the data's, it would be in both.
        assert!(!never.stderr.contains('\u{1b}'), "{}", never.stderr.escape_debug());
        assert!(flags.contains("csv") || !never.stdout.contains('\u{1b}'), "{}", never.stdout.escape_debug());
        assert_same(flags, &up_to_the_time(&never.stderr), &up_to_the_time(&plain(&always.stderr)));
        if !flags.contains("csv") {
            assert_same(flags, &never.stdout, &plain(&always.stdout));
        }
    }
}

// --- verbose -------------------------------------------------------------------------------------------------

#[test]
fn verbose_says_what_was_chosen_and_what_came_of_it() {
    let here = directory("verbose");
    let file = |name: &str, text: &str| {
        let path = here.join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let (csv, log) = (file("a.csv", "when,v\n1700000000,2\n\nx,1\n"), file("b.log", "when\tv\n1700000001\t3\n"));
    let args = [vec![csv.as_str(), &log], words("-t when -w 1m -a sum:v -v --threads 3")].concat();
    let output = on("", &args, "");
    let said: Vec<_> = output.stderr.lines().filter(|line| !line.starts_with('{')).collect();
    let expected = format!(
        "\
streamw: 3 decoder threads, as told by --threads
streamw: rows are ndjson, as stdout is no terminal
streamw: {csv}: read as csv, by its extension
streamw: {csv}: the header has when v
streamw: {csv}: the event time \"when\" is read as seconds since 1970; the first is 2023-11-14T22:13:20Z
streamw: {log}: read as tsv, by its first bytes
streamw: {log}: the header has when v
streamw: {log}: the event time \"when\" is read as seconds since 1970; the first is 2023-11-14T22:13:21Z"
    );
    let (last, before) = said.split_last().expect("there are lines");
    assert_same("what is said", &expected, &before.join("\n"));
    assert!(last.starts_with("streamw: 6 records (45 B) in 0."), "{last}");
    let end = "1 bad record, 2 headers, 1 blank line; 2 events: 2 in windows; 1 row: 1 on time; the watermark \
               came to 2023-11-14T22:13:21Z; windows took ";
    assert!(last.contains(end), "{last}");
    // Without it none of this is said, and the rest is the same.
    let usual = on("", &args[..args.len() - 3].iter().chain(&["--threads", "3"]).copied().collect::<Vec<_>>(), "");
    assert_same("reports", &usual.stderr, &(output.json_lines().join("\n") + "\n"));
    assert_same("rows", &usual.stdout, &output.stdout);
}

#[test]
fn verbose_tells_how_times_are_read() {
    for (time, flags, expected) in [
        ("1700000000", "", "seconds since 1970; the first is 2023-11-14T22:13:20Z"),
        ("\"1700000000.5\"", "", "seconds since 1970; the first is 2023-11-14T22:13:20.500Z"),
        ("1700000000000", "", "milliseconds since 1970; the first is 2023-11-14T22:13:20Z"),
        ("1700000000000000", "", "microseconds since 1970; the first is 2023-11-14T22:13:20Z"),
        ("1700000000000000000", "", "nanoseconds since 1970; the first is 2023-11-14T22:13:20Z"),
        ("\"2023-11-14T22:13:20Z\"", "", "RFC 3339; the first is 2023-11-14T22:13:20Z"),
        ("\"2023-11-14 22:13\"", "", "a date and time; the first is 2023-11-14T22:13:00Z"),
        (
            "1700000000",
            "--time-format ms",
            "milliseconds since 1970, as told by --time-format; the first is 1970-01-20T16:13:20Z",
        ),
        (
            "\"14/11/2023\"",
            "--time-format %d/%m/%Y",
            "%d/%m/%Y, as told by --time-format; the first is 2023-11-14T00:00:00Z",
        ),
        ("\"noon\"", "", "each as it is written"),
    ] {
        let args = [words("-w 1m -v -t ts -i ndjson"), words(flags)].concat();
        // The first event is what counts, not the first record.
        let output = on("", &args, &format!("\nbad\n{{\"v\":1}}\n{{\"ts\":{time}}}\n"));
        let line = format!("streamw: -: the event time \"ts\" is read as {expected}");
        assert!(output.stderr.lines().any(|said| said == line), "{time} {flags}: {line}\n{}", output.stderr);
    }
}

#[test]
fn verbose_tells_the_format_and_what_told_it() {
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    };
    let here = directory("formats");
    for (name, bytes, flags, expected) in [
        ("a.json", b"{\"ts\":1}\n".to_vec(), "", &["read as ndjson, by its extension", "the first record has ts"][..]),
        ("a", b"ts,b\n1,2\n".to_vec(), "", &["read as csv, by its first bytes", "the header has ts b"]),
        ("a.csv", b"ts;b\n1;2\n".to_vec(), "--delimiter ;", &["read as csv with ';' between cells, by its extension"]),
        ("a.csv", b"{\"ts\":1}\n".to_vec(), "-i ndjson", &["read as ndjson, as told by -i"]),
        ("b.csv", b"1,2\n".to_vec(), "--columns ts,b", &["the fields are ts b"]),
        ("a.log", b"ts=1 b=2\n".to_vec(), "-i logfmt", &["read as logfmt, as told by -i", "the first record has ts b"]),
        ("c.csv", gzip("ts\n1\n"), "", &["gzip is unpacked, by its first bytes", "read as csv, by its extension"]),
        (
            "a.zst",
            zstd::encode_all(&b"{\"ts\":1}\n"[..], 1).expect("memory"),
            "",
            &["zstd is unpacked, by its first bytes", "read as ndjson, by its first bytes"],
        ),
    ] {
        let path = here.join(name);
        fs::write(&path, bytes).expect("a file");
        let path = path.to_str().expect("UTF-8");
        let output = on("", &[vec![path], words("-w 1m -v -t ts"), words(flags)].concat(), "");
        for expected in expected {
            let line = format!("streamw: {path}: {expected}");
            assert!(output.stderr.lines().any(|said| said == line), "{line}\n{}", output.stderr);
        }
    }
}

#[test]
fn verbose_and_quiet_exclude_each_other() {
    let output = on("", &words("-w 1m -v -q"), "");
    assert_eq!(output.status, 2);
    assert!(output.stderr.contains("--verbose") && output.stderr.contains("--quiet"), "{}", output.stderr);
}

#[test]
fn verbose_sums_up_a_run_that_was_stopped() {
    let output = on("", &words("-w 10s -t ts -v --strict"), MIXED);
    assert_eq!(output.status, 1);
    let last = output.stderr.lines().last().expect("a line");
    assert!(
        last.contains("1 bad record; 5 events: 3 in windows, 2 dropped as too late")
            && last.contains("1 window left open"),
        "{last}"
    );
}
