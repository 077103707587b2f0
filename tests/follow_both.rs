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

/// Everything that stands in the log and in all its copies.
fn all_there(here: &Path) -> String {
    let names = fs::read_dir(here).expect("a directory").map(|entry| entry.expect("an entry").file_name());
    let is_of_log = |name: &str| name == "log" || name.starts_with("log.");
    let names = names.filter_map(|name| name.into_string().ok()).filter(|name| is_of_log(name));
    names.map(|name| fs::read_to_string(here.join(name)).expect("a file")).collect()
}

/// A line that logrotate had copied or that was left in the log is given once, and no other but those it lost itself: added after
/// its copying, and read before its emptying.
#[test]
#[ignore = "takes minutes: logrotate runs 1,000 times, and keeps all copies"]
fn r4_logrotate_copies_a_log_a_thousand_times_and_each_line_that_is_kept_comes_once() {
    const ROTATIONS: usize = 1000;
    let mut place = Place::new("both-logrotate", "-w count:1 -k id -i ndjson --bad bad -F log log.1");
    place.is_calm = true;
    let conf = format!("{} {{\nsu root root\nrotate 2000\nsize 1\ncopytruncate\n}}\n", place.path("log").display());
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
    let count = |lines: &str| {
        let mut counts = vec![0u32; written];
        let ids = lines.lines().filter_map(|line| parse_json(line)["id"].as_u64());
        ids.for_each(|id| counts[id as usize] += 1);
        counts
    };
    let kept = count(&all_there(&here));
    // The other path may not have read its own last lines when this one has.
    let has_all =
        |place: &Place| count(&place.text("out")).iter().zip(&kept).all(|(given, kept)| *kept == 0 || *given > 0);
    place.until("what is kept", has_all);
    place.stop();
    let given = count(&place.text("out"));
    let of = |is_so: &dyn Fn(u32, u32) -> bool| (0..written).filter(|id| is_so(kept[*id], given[*id])).count();
    // The copying itself does not repeat a line.
    assert_eq!(of(&|kept, _| kept > 1), 0);
    assert_eq!(of(&|_, given| given > 1), 0, "come more than once");
    let (in_copies, all) = (of(&|kept, _| kept == 1), of(&|_, given| given == 1));
    println!(
        "{written} lines, {ROTATIONS} rotations: {in_copies} kept, each once; of {} others {}",
        written - in_copies,
        all - in_copies
    );
    assert_eq!(place.text("bad"), "", "pieces of lines");
}
