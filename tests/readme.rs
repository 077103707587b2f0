//! The README's examples do what it says: in each `console` block, a line `$ command` is run and what
//! follows is what it prints, stdout first. A line `...` stands for any number of lines, and a line that
//! ends in `...` for any line that begins so. The examples run one after the other in a directory of their own,
//! where `testdata` is the repository's, so that one may read what another has written.

use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_examples_of_the_readme_print_what_it_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("there is a README");
    let scratch = scratch(root, "readme");
    let mut count = 0;
    for block in readme.split("```console\n").skip(1) {
        let block = block.split("```").next().expect("a block ends");
        for example in block.split("$ ").skip(1) {
            // A command goes on after a line that ends in a backslash, as in the shell.
            let ends = example.replace("\\\n", "  ").find('\n').expect("a command is a line");
            let (command, expected) = (&example[..ends], &example[ends + 1..]);
            if command.contains("jq ") && !is_there("jq") {
                eprintln!("not run, as there is no jq: {command}");
                continue;
            }
            let got = run(&scratch, command);
            assert!(agrees(expected, &got), "$ {command}\n--- expected\n{expected}\n--- got\n{got}");
            count += 1;
        }
    }
    assert!(count >= 5, "only {count} examples found");
}

/// An empty directory but for `testdata`.
fn scratch(root: &Path, name: &str) -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch).expect("a directory");
    std::os::unix::fs::symlink(root.join("testdata"), scratch.join("testdata")).expect("a link");
    scratch
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// Runs a line in a shell that finds the program under test as `streamw`; stdout, then stderr.
fn run(here: &Path, command: &str) -> String {
    let directory = Path::new(env!("CARGO_BIN_EXE_streamw")).parent().expect("a directory");
    let path = std::env::join_paths(
        std::iter::once(directory.to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(here)
        .env("PATH", path.expect("a path"))
        .output()
        .expect("there is a shell");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn agrees(expected: &str, got: &str) -> bool {
    let mut rest = got;
    let mut skips = false;
    for part in expected.split_inclusive('\n') {
        if part.trim_end() == "..." {
            skips = true;
        } else if let Some(begin) = part.trim_end().strip_suffix("...") {
            let Some(line) = rest.split_inclusive('\n').next().filter(|line| line.starts_with(begin)) else {
                return false;
            };
            rest = &rest[line.len()..];
        } else if skips {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
            skips = false;
        } else {
            let Some(after) = rest.strip_prefix(part) else { return false };
            rest = after;
        }
    }
    skips || rest.is_empty()
}

/// The script for cron: quiet if all is well; with its rows, a word and a status if not.
#[test]
fn the_script_of_the_readme_keeps_rows_and_says_where_to_look() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("there is a README");
    let script = readme.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a script");
    let scratch = scratch(root, "readme-script");
    std::fs::write(scratch.join("script"), script).expect("a file");
    // One line of 121 is cut off in the second. Rows: awk '{print substr($4,2,14),$9}' | sort -u | wc -l
    for (log, status, rows) in [("tutorial/access.log", 0, 16), ("access.log", 3, 4)] {
        let command = format!("mkdir {status}; sh script testdata/{log} {status}; echo $?; cat {status}/*.csv");
        let got = run(&scratch, &command);
        let lines: Vec<&str> = got.lines().collect();
        assert_eq!(lines[0], status.to_string(), "{got}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("2015-05-")).count(), rows, "{got}");
        assert_eq!(lines.last().is_some_and(|line| line.starts_with("look at ")), status != 0, "{got}");
    }
}

#[test]
fn every_flag_is_in_the_readme() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("a README");
    for long in streamw::cli::command().get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned)) {
        assert!(readme.contains(&format!("--{long}")), "--{long} is not in the README");
    }
}
