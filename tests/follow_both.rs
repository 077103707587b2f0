//! A log and what it is rotated to, both given (`-F log log.1`): each record counts once (R4, R13).

use std::fs;

use crate::follow_state::{How, Place, Writer, difference};
use crate::history::Rng;
use crate::util::parse_json;

/// Each event is a row, so that none can hide another.
fn both(names: &str, how: How, seed: u64, rotations: u64) {
    let mut place = Place::new(
        &format!("both-{how:?}-{}", names.len()),
        &format!("-w count:1 -k id -i ndjson --bad bad -F {names}"),
    );
    place.is_calm = true;
    let (mut rng, mut log) = (Rng(seed), Writer::new("log", how));
    while log.written < 100 {
        log.write_quietly(&place, &mut rng);
    }
    // A rotation from before, which is given as well.
    let old = "{\"ts\":0,\"id\":\"old\"}\n";
    if names.contains("log.1") {
        place.append("log.1", old);
        log.rotations = 1;
        log.all += old;
    }
    place.start();
    place.until("rows", |place| place.text("out").lines().count() > 50);
    while log.rotations < rotations {
        log.write(&mut place, &mut rng, None);
        if rng.next().is_multiple_of(3) {
            log.rotate(&mut place, &mut rng);
        }
    }
    let last = "{\"ts\":0,\"id\":\"last\"}\n";
    log.all += last;
    place.append("log", last);
    let id = |line: &str| parse_json(line)["id"].as_str().expect("an id").to_owned();
    let mut expected: Vec<String> = log.all.lines().map(id).collect();
    place.until(&format!("{names} {how:?}"), |place| place.text("out").matches('\n').count() >= expected.len());
    place.stop();
    let mut got: Vec<String> = place.text("out").lines().map(id).collect();
    got.sort();
    expected.sort();
    assert!(got == expected, "{names} {how:?}, seed {seed}: {}{}", difference(&expected, &got), place.text("said"));
    let bad = fs::read_to_string(place.path("bad")).expect("a file");
    assert!(!bad.contains("partial") && !bad.contains("truncated"), "{bad}");
}

#[test]
fn r4_copies_of_a_log_that_are_given_too_are_not_read_again() {
    for (names, seed) in [("log log.1", 1), ("log.1 log", 2), ("log log.1 log.2", 3)] {
        both(names, How::CopyTruncate, seed, 12);
    }
}

#[test]
fn r13_files_that_are_renamed_from_one_given_name_to_another_are_read_once() {
    for (names, seed) in [("log log.1", 4), ("log.1 log", 5), ("log log.1 log.2", 6)] {
        both(names, How::Rename, seed, 12);
    }
}
