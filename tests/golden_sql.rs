//! What DuckDB says about recorded data (`testdata/golden/sql/cases.txt`, `sql.py`): over excerpts always, over the whole
//! files where they are:
//!
//!     GOLDEN_DATA=directory cargo test --release --test main golden_sql -- --ignored --nocapture

use std::fs;
use std::path::{Path, PathBuf};

use crate::util::{Streamw, assert_same};

fn directory() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "testdata/golden/sql"].iter().collect()
}

/// A name, an input and flags.
struct Case {
    name: String,
    source: String,
    flags: String,
}

fn cases() -> Vec<Case> {
    let text = fs::read_to_string(directory().join("cases.txt")).expect("the cases are there");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let stanzas = lines.split(|line| line.is_empty()).filter(|stanza| !stanza.is_empty());
    let case = |stanza: &[&str]| match stanza {
        [name, source, flags, _query] => {
            Case { name: (*name).into(), source: (*source).into(), flags: (*flags).into() }
        }
        stanza => panic!("no case: {stanza:?}"),
    };
    stanzas.map(case).collect()
}

/// Cells of CSV rows, sorted.
fn table(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let mut rows: Vec<Vec<String>> =
        reader.records().map(|row| row.expect("CSV").iter().map(str::to_owned).collect()).collect();
    rows.sort();
    rows
}

/// Numbers agree within 1e-11 of their size, as DuckDB adds up in 64 bits; texts agree.
fn agree(expected: &str, got: &str) -> bool {
    match (expected.parse::<f64>(), got.parse::<f64>()) {
        (Ok(expected), Ok(got)) => (expected - got).abs() <= 1e-11 * expected.abs().max(1.0),
        _ => expected == got,
    }
}

/// How many rows of the case agree.
fn check(case: &Case, path: &Path) -> usize {
    let run = Streamw::new().args(&case.flags).args("-o csv --output-time s -q --bad /dev/null --stats").arg(path);
    let output = run.run();
    let summary = output.summary();
    assert_eq!((output.status, &summary["late_drops"]), (0, &0.into()), "{}: {}", case.name, output.stderr);
    let mut got = table(output.stdout.split_once('\n').expect("a header").1);
    for row in &mut got {
        // Neither the window's end nor pane and revision.
        assert_eq!(row[row.len() - 2..], ["on_time", "0"], "{}", case.name);
        row.truncate(row.len() - 2);
        row.remove(1);
    }
    got.sort();
    let expected = fs::read_to_string(directory().join(format!("{}.expected", case.name))).expect("expected rows");
    let expected = table(&expected);
    let show = |rows: &[Vec<String>]| rows.iter().map(|row| row.join(",") + "\n").collect::<String>();
    assert!(!expected.is_empty(), "{}", case.name);
    for (expected_row, got_row) in expected.iter().zip(&got) {
        let is_same = expected_row.len() == got_row.len()
            && expected_row.iter().zip(got_row).all(|(expected, got)| agree(expected, got));
        if !is_same {
            assert_same(&case.name, &show(&expected), &show(&got));
        }
    }
    assert_eq!(expected.len(), got.len(), "{}", case.name);
    expected.len()
}

#[test]
fn results_over_excerpts_are_those_of_duckdb() {
    let excerpts: Vec<Case> = cases().into_iter().filter(|case| !case.source.starts_with("data/")).collect();
    assert!(excerpts.len() > 15, "the cases are there");
    for case in &excerpts {
        check(case, &directory().join(&case.source));
    }
}

#[test]
#[ignore = "needs the whole files: GOLDEN_DATA"]
fn results_over_whole_files_are_those_of_duckdb() {
    let Some(data) = std::env::var_os("GOLDEN_DATA") else {
        println!("GOLDEN_DATA names no directory with the files");
        return;
    };
    for case in &cases() {
        if let Some(path) = case.source.strip_prefix("data/") {
            let rows = check(case, &Path::new(&data).join(path));
            println!("{}: {rows} rows agree", case.name);
        }
    }
}
