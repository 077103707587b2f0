//! Flags that are not typed: `--config`, variables `STREAMW_*` and `--print-config`.

use crate::util::{Output, Streamw, assert_same};
use std::fs;
use std::path::{Path, PathBuf};

/// A file of flags, in a directory of this name.
fn config(test: &str, text: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config").join(test);
    fs::create_dir_all(&here).expect("a directory");
    let path = here.join("flags.toml");
    fs::write(&path, text).expect("a file");
    path
}

const RECORDS: &str =
    "{\"ts\":1,\"h\":\"a\",\"v\":3}\n{\"ts\":12,\"h\":\"b\",\"v\":4}\n{\"ts\":3,\"h\":\"a\",\"v\":5}\n";

fn with_file(path: &Path) -> Streamw {
    Streamw::new().arg("--config").arg(path).stdin(RECORDS)
}

/// What was printed in good order.
#[track_caller]
fn printed(streamw: Streamw) -> String {
    let Output { status, stdout, stderr } = streamw.run();
    assert_eq!((status, stderr.as_str()), (0, ""));
    stdout
}

#[test]
fn a_file_is_as_good_as_the_flags_in_it() {
    let path = config(
        "all",
        "# Kept with the dashboards.\nwindow = ['10s', \"cumulate:1m/10s\"]\nwatermark-delay = \"0s\"\nallowed-lateness = '1m'\n\
         key = [\"host=h\"]\nagg = [\"count\", \"sum:v\"]\ntime = 'ts'\nthreads = 2\noutput-format = 'csv'\nstats = false\n\
         null = [\"-\", \"\"]\nmax-line = 1_000\n",
    );
    let typed = Streamw::new().stdin(RECORDS).args(
        "-w 10s -w cumulate:1m/10s -d 0s -l 1m -k host=h -a count -a sum:v -t ts --threads 2 -o csv --null=- --null= --max-line 1000",
    );
    let expected = printed(typed);
    assert!(expected.contains("10s,1970-01-01T00:00:00Z,1970-01-01T00:00:10Z,a,2,8,late,1"), "{expected}");
    assert_same("stdout", &expected, &printed(with_file(&path)));
    // A variable may name the file.
    let variable = Streamw::new().stdin(RECORDS).env("STREAMW_CONFIG", path.as_os_str());
    assert_same("stdout", &expected, &printed(variable));
}

#[test]
fn flags_go_before_variables_and_those_before_the_file() {
    let path = config(
        "precedence",
        "time = 'ts'\nallowed-lateness = '1m'\nwindow = ['10s']\nagg = ['max:v', 'min:v']\noutput-format = 'csv'\n",
    );
    let header = |streamw: Streamw| printed(streamw).lines().next().unwrap_or_default().to_owned();
    let bounds = "window_start,window_end";
    for (expected, streamw) in [
        (format!("{bounds},max_v,min_v,pane,revision"), with_file(&path)),
        // A list is replaced as a whole; a variable has one value a line.
        (format!("{bounds},sum_v,pane,revision"), with_file(&path).env("STREAMW_AGG", "sum:v")),
        (format!("{bounds},sum_v,avg_v,pane,revision"), with_file(&path).env("STREAMW_AGG", "sum:v\navg:v\n")),
        (format!("{bounds},count,pane,revision"), with_file(&path).env("STREAMW_AGG", "sum:v").args("-a count")),
        // An empty variable is none.
        (format!("{bounds},max_v,min_v,pane,revision"), with_file(&path).env("STREAMW_AGG", "")),
        (format!("window,{bounds},max_v,min_v,pane,revision"), with_file(&path).args("-w 1m -w 1h")),
        ("window_start\twindow_end\tmax_v\tmin_v\tpane\trevision".into(), with_file(&path).args("-otsv")),
    ] {
        assert_same("the header", &expected, &header(streamw));
    }
}

#[test]
fn what_is_typed_goes_before_what_clashes_with_it() {
    let path = config("clash", "time = 'ts'\nallowed-lateness = '1m'\nwindow = ['10s']\nverbose = true\n");
    assert!(with_file(&path).run().stderr.contains("decoder thread"), "the file says verbose");
    let quiet = with_file(&path).args("-q").run();
    assert_eq!((quiet.status, quiet.stderr.as_str()), (0, ""));
}

#[test]
fn a_mistake_in_a_file_is_told_with_its_line() {
    for (name, text, line, expected) in [
        (
            "name",
            "time = 'ts'\nwatermark-delai = '5s'",
            2,
            "there is no flag --watermark-delai; did you mean \"watermark-delay\"?",
        ),
        (
            "underscore",
            "\n\nwatermark_delay = '5s'",
            3,
            "there is no flag --watermark_delay; did you mean \"watermark-delay\"?",
        ),
        ("short", "w = ['5s']", 1, "\"w\" is not a long name; write window"),
        ("itself", "config = 'x'", 1, "--config cannot stand in a file"),
        ("value", "time = 'ts'\n\noffset = '5 parsecs'", 3, "invalid value '5 parsecs' for '--offset <DUR>': "),
        ("in a list", "key = ['a']\nwindow = ['1m']\nnull = [[]]", 3, "null must be a text, a number, a list of them"),
        ("choice", "color = 'yes'", 1, "invalid value 'yes' for '--color <WHEN>'"),
        ("number", "threads = 0x10", 1, "invalid value '0x10' for '--threads <N>'"),
        ("range", "\nthreads = -1", 2, "invalid value '-1' for '--threads <N>'"),
        ("list", "offset = ['1s', '2s']", 1, "offset takes one value and no list"),
        ("switch", "stats = 'yes'", 1, "stats is on or off; write stats = true or false"),
        ("no switch", "window = true", 1, "window takes a value; write window = \"...\""),
        ("date", "offset = 2026-01-01", 1, "offset must be a text, a number, a list of them, true or false"),
        ("table", "[window]\na = 1", 1, "window must be a text, a number, a list of them, true or false"),
        ("twice", "time = 'ts'\ntime = 'x'", 2, "not TOML: duplicate key"),
        ("no TOML", "time = 'ts'\nwindow: 1m", 2, "not TOML: "),
    ] {
        let path = config("mistakes", text);
        let output = with_file(&path).args("-w 10s").run();
        let expected = format!("streamw: line {line} of {}: {expected}", path.display());
        assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{name}");
        assert!(output.stderr.starts_with(&expected), "{name}\n--- expected\n{expected}\n--- got\n{}", output.stderr);
    }
    // Also where something else goes before it: the file is wrong all the same.
    let path = config("mistakes", "offset = 'x'");
    assert_eq!(with_file(&path).args("-w 10s --offset 1s").run().status, 2);
    let output = Streamw::new().args("--config no/such/file -w 10s").run();
    assert_eq!(output.status, 2);
    assert_same("stderr", "streamw: --config no/such/file: No such file or directory\n", &output.stderr);
    let output = Streamw::new().args("--config /dev/zero -w 10s").run();
    assert!(output.stderr.contains("is longer than 1 MiB"), "{}", output.stderr);
}

#[test]
fn a_mistake_in_a_variable_is_told_with_its_name() {
    let run = |name: &str, value: &str| Streamw::new().args("-w 10s -t ts -l 1m").stdin(RECORDS).env(name, value).run();
    let output = run("STREAMW_WATERMARK_DELAY", "soon");
    assert_eq!((output.status, output.stdout.as_str()), (2, ""));
    let expected = "streamw: STREAMW_WATERMARK_DELAY: invalid value 'soon' for '--watermark-delay <DUR>': ";
    assert!(output.stderr.starts_with(expected), "{}", output.stderr);
    // What is no flag's is somebody else's; but what nearly is one is said.
    for (name, value, expected) in [
        (
            "STREAMW_WATERMARK_DELY",
            "5s",
            "streamw: the variable STREAMW_WATERMARK_DELY is no flag's and is not read; near: STREAMW_WATERMARK_DELAY\n",
        ),
        ("STREAMW_STATS", "1", "streamw: STREAMW_STATS is not read: --stats takes no value\n"),
        ("STREAMW_HOME_DIRECTORY_OF_OPS", "/srv", ""),
    ] {
        let output = run(name, value);
        assert_eq!(output.status, 0, "{name}");
        assert_same(name, expected, &output.stderr);
    }
}

#[test]
fn print_config_prints_what_config_reads_back() {
    let path =
        config("print", "time = 'ts'\nwindow = ['10s']\nverbose = false\nnull = ['-', \"a \\\"b\\\" \\n\\u0007#\"]\n");
    let all = || {
        with_file(&path).env("STREAMW_WATERMARK_DELAY", "5s").args("-k h -k x=v --strict --max-late 10% --print-config")
    };
    let first = printed(all());
    let name = path.display();
    for line in [
        "window = [\"10s\"]  # line 2 of NAME",
        "watermark-delay = \"5s\"  # STREAMW_WATERMARK_DELAY",
        "key = [\"h\", \"x=v\"]  # command line",
        "strict = true  # command line",
        "verbose = false  # line 3 of NAME",
        "# offset = \"0s\"  # default",
        "# stats = false  # default",
    ] {
        let line = line.replace("NAME", &name.to_string());
        assert!(first.lines().any(|got| got == line), "no line {line} in\n{first}");
    }
    // Nothing is lost or changed on the way round, but for where it came from.
    let flags = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.rsplit_once("  # ").map_or(line, |(flag, _)| flag).to_owned()).collect()
    };
    let again = config("print_again", &first);
    let second = printed(with_file(&again).args("--print-config"));
    assert_eq!(flags(&first), flags(&second));
    assert!(second.contains("key = [\"h\", \"x=v\"]  # line "), "{second}");
    // It needs neither windows nor input, and no run follows it.
    let bare = printed(Streamw::new().args("--print-config"));
    assert!(bare.lines().all(|line| line.starts_with('#')), "{bare}");
}

#[test]
fn every_flag_that_takes_a_value_comes_back_from_print_config() {
    for argument in streamw::cli::command().get_arguments() {
        let Some(long) =
            argument.get_long().filter(|long| !matches!(*long, "config" | "print-config" | "help" | "version"))
        else {
            continue;
        };
        let values = [
            "1m",
            "1",
            "ndjson",
            "rfc3339",
            "UTC",
            "2026",
            "window",
            "auto",
            "1x",
            "%Y",
            "discarding",
            "zero",
            "final",
            "drop",
            "end",
            "continue",
            "a=b",
        ];
        let output = values.map(|value| {
            let argument = match argument.get_action() {
                clap::ArgAction::SetTrue => format!("--{long}"),
                _ => format!("--{long}={value}"),
            };
            // Some flags are of no use without another.
            let needed = match long {
                "dedup-within" => "--dedup id",
                "fill-limit" => "--fill null",
                "on-key-limit" => "--key-limit 5 -k id",
                "where-first" => "--where a",
                "hold" | "stdin-resume" => "--state st",
                "order-seed" => "--check-order 2",
                "tolerance" | "update-expect" => "--expect a",
                _ => "",
            };
            Streamw::new().arg(argument).args(needed).args("--print-config").run()
        });
        let Some(good) = output.iter().find(|output| output.status == 0) else {
            panic!("--{long} takes none of {values:?}");
        };
        let line = good.stdout.lines().find(|line| line.starts_with(&format!("{long} = ")));
        assert!(line.is_some_and(|line| line.ends_with("  # command line")), "--{long}: {}", good.stdout);
        let again = printed(with_file(&config("each", &good.stdout)).args("--print-config"));
        let flag = |text: &str| {
            text.lines()
                .find_map(|line| Some(line.strip_prefix(&format!("{long} = "))?.split_once("  # ")?.0.to_owned()))
        };
        assert_eq!(flag(&again), flag(&good.stdout), "--{long}");
    }
}

#[test]
fn help_and_other_commands_need_no_file() {
    for args in ["--help", "-V", "man", "completions bash"] {
        let plain = printed(Streamw::new().args(args));
        let with = printed(Streamw::new().args(args).env("STREAMW_CONFIG", "no/such/file").env("STREAMW_OFFSET", "x"));
        assert_same(args, &plain, &with);
    }
}
