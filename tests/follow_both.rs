//! A log and what it is rotated to, both given (`-F log log.1`): each record counts once (R4, R13).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::follow_state::{How, Place, Writer, difference};
use crate::history::Rng;
use crate::state_directory::runs;
use crate::util::parse_json;

/// Each event is a row, so that none can hide another.
fn both(names: &str, how: How, seed: u64, rotations: u64, is_calm: bool) {
    let mut place = Place::new(
        &format!("both-{how:?}-{}-{is_calm}", names.replace(' ', "-")),
        &format!("-w count:1 -k id -i ndjson --bad bad -F {names}"),
    );
    place.is_calm = is_calm;
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
    place.start();
    let id = |line: &str| parse_json(line)["id"].as_str().expect("an id").to_owned();
    let mut expected: Vec<String> = log.all.lines().map(id).collect();
    let context = format!("{names} {how:?}, seed {seed}");
    place.until(&context, |place| place.text("out").matches('\n').count() >= expected.len());
    place.stop();
    let mut got: Vec<String> = place.text("out").lines().map(id).collect();
    got.sort();
    expected.sort();
    assert!(got == expected, "{context}: {}{}", difference(&expected, &got), place.text("said"));
    println!("{context}: {} events, {rotations} rotations, {} kills, each once", got.len(), place.kills);
    let bad = fs::read_to_string(place.path("bad")).expect("a file");
    assert!(!bad.contains("partial") && !bad.contains("truncated"), "{bad}");
}

#[test]
fn r4_copies_of_a_log_that_are_given_too_are_not_read_again() {
    for (names, seed) in [("log log.1", 1), ("log.1 log", 2), ("log log.1 log.2", 3)] {
        both(names, How::CopyTruncate, seed, 12, true);
    }
}

#[test]
fn r13_files_that_are_renamed_from_one_given_name_to_another_are_read_once() {
    for (names, seed) in [("log log.1", 4), ("log.1 log", 5), ("log log.1 log.2", 6)] {
        both(names, How::Rename, seed, 12, true);
    }
}

#[test]
#[ignore = "takes minutes; a file that the log itself had no time for is lost if the run is killed before what has its name begins it"]
fn f1_killed_inside_many_rotations_a_log_and_what_it_is_rotated_to_come_once() {
    for round in 0..runs(1) {
        for names in ["log log.1", "log.1 log", "log log.1 log.2"] {
            for how in [How::CopyTruncate, How::Rename] {
                both(names, how, 3_000 + round, 30, false);
            }
        }
    }
}

/// Numbered events, five thousand a second, until told to stop; how many.
fn write_numbers(place: &Place, is_over: &AtomicBool) -> usize {
    let (began, mut written) = (Instant::now(), 0);
    while !is_over.load(Ordering::Relaxed) {
        let due = began.elapsed().as_millis() as usize * 5;
        let lines: String = (written..due).map(|id| format!("{{\"ts\":0,\"id\":{id}}}\n")).collect();
        place.append("log", lines);
        written = written.max(due);
        thread::sleep(Duration::from_millis(1));
    }
    written
}

#[test]
#[ignore = "takes a minute: logrotate runs 1,000 times"]
fn r4_logrotate_copies_a_log_a_thousand_times_and_nothing_comes_twice() {
    const ROTATIONS: usize = 1000;
    let mut place = Place::new("both-logrotate", "-w count:1 -k id -i ndjson --bad bad -F log log.1");
    place.is_calm = true;
    let conf = format!("{} {{\nsu root root\nrotate 5\nsize 1\ncopytruncate\n}}\n", place.path("log").display());
    place.append("conf", conf);
    fs::set_permissions(place.path("conf"), fs::Permissions::from_mode(0o644)).expect("its owner");
    place.append("log", "");
    let logrotate = ["/usr/sbin/logrotate", "/usr/bin/logrotate"].into_iter().find(|path| Path::new(path).exists());
    let rotate = |here: &Path| {
        let Some(logrotate) = logrotate else { return false };
        let status = Command::new(logrotate).args(["-f", "-s", "state", "conf"]).current_dir(here).status();
        status.is_ok_and(|status| status.success())
    };
    let here = place.path("");
    place.append("log", "{\"ts\":0,\"id\":\"first\"}\n");
    if !rotate(&here) {
        eprintln!("skipped: there is no logrotate, or it does not want to");
        return;
    }
    place.start();
    place.until("the first row", |place| place.text("out").contains("first"));
    let is_over = AtomicBool::new(false);
    let written = thread::scope(|scope| {
        let writer = scope.spawn(|| write_numbers(&place, &is_over));
        for rotation in 0..ROTATIONS {
            thread::sleep(Duration::from_millis(if rotation % 4 == 0 { 20 } else { 3 }));
            assert!(rotate(&here));
        }
        is_over.store(true, Ordering::Relaxed);
        writer.join().expect("it writes")
    });
    place.append("log", "{\"ts\":0,\"id\":\"last\"}\n");
    place.until("the last row", |place| place.text("out").contains("last"));
    place.stop();
    let ids: Vec<usize> =
        place.text("out").lines().filter_map(|line| parse_json(line)["id"].as_u64()).map(|id| id as usize).collect();
    // What logrotate has copied when lines are added, and then empties, nobody can have.
    let mut seen = vec![0; written];
    ids.iter().for_each(|id| seen[*id] += 1);
    let twice: Vec<usize> = (0..written).filter(|id| seen[*id] > 1).collect();
    assert!(twice.is_empty(), "{} come more than once, the first {:?}", twice.len(), &twice[..twice.len().min(10)]);
    let lost = seen.iter().filter(|times| **times == 0).count();
    let gaps = (0..written).filter(|id| seen[*id] == 0 && (*id == 0 || seen[*id - 1] > 0)).count();
    println!("{written} lines, {ROTATIONS} rotations, 0 twice, {lost} lost in {gaps} of them");
    assert!(gaps <= ROTATIONS && lost * 10 < written, "{lost} lost in {gaps} gaps");
}
