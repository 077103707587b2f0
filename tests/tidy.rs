//! The floors hold: what is pure does no I/O, and rooms do not know one another (see src/lib.rs).

use std::path::{Path, PathBuf};

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The code of a file without its tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("a source file");
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

/// (part of `src/`, what it must not mention)
const FLOORS: &[(&str, &[&str])] = &[
    ("time", &["crate::window", "crate::aggregate", "crate::engine", "crate::input", "crate::output", "crate::cli"]),
    ("event", &["crate::window", "crate::aggregate", "crate::engine", "crate::input", "crate::output", "crate::cli"]),
    ("expr", &["crate::window", "crate::aggregate", "crate::engine", "crate::input", "crate::output", "crate::cli"]),
    (
        "metrics.rs",
        &["crate::window", "crate::aggregate", "crate::engine", "crate::input", "crate::output", "crate::cli"],
    ),
    ("window", &["crate::aggregate", "crate::engine", "crate::event", "crate::input", "crate::output", "crate::cli"]),
    ("aggregate", &["crate::window", "crate::engine", "crate::input", "crate::output", "crate::cli"]),
    ("engine", &["crate::input", "crate::output", "crate::cli", "crate::run"]),
    ("input", &["crate::window", "crate::aggregate", "crate::engine", "crate::output", "crate::cli", "crate::run"]),
    ("output", &["crate::input", "crate::cli", "crate::run"]),
    (
        "progress",
        &[
            "crate::window",
            "crate::aggregate",
            "crate::engine",
            "crate::input",
            "crate::output",
            "crate::cli",
            "crate::run",
        ],
    ),
    (
        "state",
        &[
            "crate::window",
            "crate::aggregate",
            "crate::engine",
            "crate::input",
            "crate::output",
            "crate::cli",
            "crate::run",
        ],
    ),
    ("commands", &["crate::run", "crate::engine", "crate::input"]),
];

#[test]
fn each_floor_knows_only_the_floors_below() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (part, forbidden) in FLOORS {
        let path = root.join(part);
        let files = if path.is_dir() { sources(&path) } else { vec![path] };
        for file in files {
            let text = code(&file);
            for word in *forbidden {
                assert!(!text.contains(word), "{} knows {word}", file.display());
            }
        }
    }
}

#[test]
fn below_the_third_floor_there_is_no_file_thread_clock_or_command_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for part in ["time", "event", "expr", "window", "aggregate", "engine"] {
        for file in sources(&root.join(part)) {
            let text = code(&file);
            for word in [
                "std::fs",
                "std::thread",
                "std::time",
                "Instant",
                "SystemTime",
                "crossbeam",
                "clap",
                "sled",
                "std::env",
            ] {
                assert!(!text.contains(word), "{} knows {word}", file.display());
            }
        }
    }
}

#[test]
fn every_source_file_says_what_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in sources(&root.join("src")).iter().chain(&sources(&root.join("tests"))) {
        if file.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(file).expect("a source file");
            assert!(text.starts_with("//!"), "{} does not begin with //!", file.display());
        }
    }
}
