//! Runs with `--state` on disks that are full (F7) and that lose their power (F5). Both need root, to mount a small file
//! system; elsewhere they say so and pass.
//!
//! ```text
//! STREAMW_STATE_RUNS=10 cargo test --test main resume_disk -- --ignored --nocapture --test-threads 1
//! ```

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use crate::history::Rng;
use crate::resume::{Case, From, Place, To, assert_equal, expected, outputs};
use crate::state_directory::{first, runs};
use crate::tools::{Image, Mounted, fill, stop};

const CASE: Case = Case {
    from: From::Files("a.ndjson b.ndjson"),
    to: To::Named,
    args: "-q -t ts -k key -w 10s -d 3s -l 20s -a count -a sum:v --late OUT.late --bad OUT.bad",
};

/// What is on the disk that fills up, by where the state is and where the outputs are.
const PLACES: [(&str, &str); 3] = [("disk/st", "out"), ("st", "disk/out"), ("disk/st", "disk/out")];

const DISK: u64 = 24 << 20;

/// Fills a disk up to some bytes, lets a run come to its end, makes room, and lets another go on.
fn full(test: &str, lines: u64, rooms: &[u64]) {
    let mut place = Place::new(test, lines);
    let expected = expected(&place, &CASE);
    let (mut tried, mut ended) = (0, [0, 0]);
    for ((state, out), room) in PLACES.iter().flat_map(|both| rooms.iter().map(move |room| (*both, *room))) {
        let context = format!("state in {state}, rows to {out}, {room} bytes free");
        let Some(disk) = Mounted::memory(DISK, &place.path.join("disk")) else {
            println!("skipped: no right to mount");
            return;
        };
        place.state = state;
        place.forget(&["out.out", "out.late", "out.bad"]);
        let filler = disk.at.join("filler");
        fill(&filler, room);
        let (status, said) = place.start(&[], &CASE, out, true).end();
        let is_told = said.lines().count() == 1 && said.starts_with("streamw: ") && said.contains("No space left");
        assert!(
            (status == Some(0) && said.is_empty()) || (status == Some(1) && is_told),
            "{context}: {status:?} {said}"
        );
        ended[usize::from(status == Some(1))] += 1;
        fs::remove_file(&filler).expect("ours");
        let (status, said) = place.start(&[], &CASE, out, true).end();
        assert_eq!(status, Some(0), "{context}, with room again: {said}");
        assert_equal(&expected, &outputs(&place, out), &context);
        tried += 1;
    }
    let full = ended[1];
    println!("{tried} disks, {full} full; 0 differences: below {:.1} %", 300.0 / full as f64);
    assert!(full >= PLACES.len());
}

#[test]
fn f7_a_full_disk_ends_the_run_and_with_room_the_next_goes_on() {
    full("f7", 8_000, &[0, 600 << 10]);
}

#[test]
#[ignore = "takes minutes"]
fn f7_a_disk_that_is_full_at_some_time_ends_the_run_and_with_room_the_next_goes_on() {
    let rooms: Vec<u64> = (0..runs(15)).map(|number| number * (6 << 20) / runs(15)).collect();
    full("f7-all", 20_000, &rooms);
}

#[test]
#[ignore = "needs root and a loop device"]
fn f5_the_power_is_cut_at_any_moment_and_the_next_run_goes_on() {
    let place = Place::new("f5", 40_000);
    let expected = expected(&place, &CASE);
    let mut rng = Rng(runs(1) + first());
    let (mut cuts, mut chains) = (0, 0);
    while cuts < runs(20) {
        let Some(image) = Image::new(&place.path, 96 << 20) else {
            println!("skipped: no mkfs.ext4");
            return;
        };
        let mode = if chains % 2 == 0 { "ordered" } else { "writeback" };
        // State and outputs are on the disk; what a cut leaves, the next run goes on from.
        let case = Case { args: Box::leak(CASE.args.replace("OUT", "mounted/cut").into_boxed_str()), ..CASE };
        let place = Place { path: place.path.clone(), state: "mounted/st" };
        for _ in 0..5 {
            let Some(mounted) = image.mount(mode) else {
                println!("skipped: no right to mount");
                return;
            };
            let child = place.start(&[], &case, "mounted/cut", true);
            sleep(Duration::from_micros(rng.next() % 300_000));
            stop(child.id());
            image.cut();
            child.kill_after(Duration::ZERO);
            drop(mounted);
            image.take_cut();
            cuts += 1;
        }
        let mounted = image.mount(mode).expect("what a cut leaves can be mounted");
        let (status, said) = place.start(&[], &case, "mounted/cut", true).end();
        let context = format!("chain {chains}, {mode}, after {cuts} cuts in all");
        assert_eq!(status, Some(0), "{context}: {said}");
        assert_equal(&expected, &outputs(&place, "mounted/cut"), &context);
        drop(mounted);
        chains += 1;
    }
    println!("{cuts} power cuts, 0 differences: below {:.2} %", 300.0 / cuts as f64);
}
