//! Faults of the system under sled itself, for which tools are needed that not every machine has: strace to make its
//! calls fail, root and a loop device to cut the power, a small tmpfs to fill the disk. Without the tool a test says
//! so and passes.
//!
//! ```text
//! STREAMW_STATE_RUNS=10 cargo test --test main state_faults -- --ignored --nocapture --test-threads 1
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use streamw::state::{StateDir, StateError};

use crate::history::Rng;
use crate::state_child::{self, COMMITS, IN_PLACE, MUCH, Running, Told, assert_within};
use crate::state_directory::{assert_holds, runs};
use crate::state_script::{LARGE, SMALL, Script, Size};
use crate::tools::{Image, Mounted, fill, has_strace, stop};

fn fresh(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("state_faults").join(test);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory for tests");
    path
}

/// What is there now, checked in full, is what was acknowledged or one checkpoint more.
#[track_caller]
fn assert_kept(path: &Path, acknowledged: Option<u64>, size: Size, context: &str) -> Option<u64> {
    let mut state = StateDir::open(path).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(state.notice(), None, "{context}");
    assert_within(state.epoch(), acknowledged, context);
    let mut script = Script::after(state_child::SEED, size, state.epoch());
    assert_holds(&mut state, &script, context);
    let step = script.step();
    step.changes.iter().try_for_each(|changes| state.append(changes)).expect("a working disk");
    Some(state.commit::<StateError>(&step.payload, || Ok(())).expect("a working disk"))
}

/// Runs a child in which the n-th call of some kind fails, for n = 1, 2, … until a run has no n-th call. Each child
/// works on the state that the ones before it have left.
fn inject(name: &str, settings: &[(&str, &str)], calls: &[&str], faults: &[&str], most: u64) {
    if !has_strace() {
        println!("skipped: no strace");
        return;
    }
    let path = fresh(name).join("st");
    let (mut acknowledged, mut children, mut ended_well) = (None, 0, 0);
    for call in calls {
        for fault in faults {
            for number in 1..=most {
                let context = format!("{call} {fault} {number}");
                let rule = format!("inject={call}:{fault}:when={number}");
                let by = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &rule];
                let begun = Instant::now();
                let child = Running::start_by(&by.map(str::to_owned), &path, settings).end();
                assert!(begun.elapsed() < Duration::from_secs(20), "{context}: hangs");
                acknowledged = child.check(acknowledged, &context);
                children += 1;
                if child.success {
                    ended_well += 1;
                }
                // Every tenth time here, otherwise by the next child.
                if children % 10 == 0 {
                    acknowledged = assert_kept(&path, acknowledged, SMALL, &context);
                }
            }
        }
    }
    acknowledged = assert_kept(&path, acknowledged, SMALL, "at the end");
    println!("{children} children, {ended_well} ended well, last checkpoint {acknowledged:?}, none lost");
}

const SOME: (&str, &str) = (COMMITS, "3");

#[test]
#[ignore = "needs strace"]
fn f2_killed_at_each_call_of_the_system() {
    let calls = ["openat", "pwrite64", "write", "fsync", "rename", "unlink", "sync_file_range", "ftruncate", "flock"];
    inject("f2", &[SOME], &calls, &["signal=KILL"], runs(8));
    inject("f2_in_place", &[SOME, (IN_PLACE, "1")], &calls, &["signal=KILL"], runs(8));
}

#[test]
#[ignore = "needs strace"]
fn f6_each_call_of_the_system_fails() {
    let calls = ["openat", "pwrite64", "write", "fsync", "rename", "sync_file_range", "flock", "mkdir", "unlink"];
    let faults = ["error=EIO", "error=ENOSPC"];
    inject("f6", &[SOME], &[&calls[..], &["pread64", "read"]].concat(), &faults, runs(4));
    // Not reads: sled takes what it cannot read for torn, and zeroes it. What guards against it here is
    // that everything has been read, and is in memory, before sled begins.
    inject("f6_in_place", &[SOME, (IN_PLACE, "1")], &calls, &faults, runs(4));
}

#[test]
#[ignore = "needs root and a loop device"]
fn f5_power_cuts_on_a_file_system_image() {
    let directory = fresh("f5");
    let mut rng = Rng(runs(1));
    let (mut image, mut acknowledged, mut cuts, mut checkpoints) = (None, None, 0, 0);
    for number in 0..runs(10) {
        // Now and then anew; otherwise the next one begins on what the cut has left.
        if number % 5 == 0 {
            (image, acknowledged) = (Image::new(&directory, 160 << 20), None);
        }
        let mode = if number % 2 == 0 { "ordered" } else { "writeback" };
        let much = number % 10 < 5;
        let settings: &[(&str, &str)] = if much { &[(MUCH, "1")] } else { &[] };
        let Some((image, mounted)) = image.as_ref().and_then(|image| Some((image, image.mount(mode)?))) else {
            println!("skipped: no mkfs.ext4, or no right to mount");
            return;
        };
        let mut child = Running::start(&image.at.join("st"), settings);
        let until = Instant::now() + Duration::from_millis(rng.between(1, 2_500) as u64);
        while Instant::now() < until && child.line() != Told::End {}
        stop(child.process.id());
        image.cut();
        let context = format!("cut {number}, {mode}, {}", if much { "large" } else { "small" });
        let ended = child.kill();
        checkpoints += ended.told.len();
        acknowledged = ended.check(acknowledged, &context);
        drop(mounted);
        image.take_cut();
        let _mounted = image.mount(mode).unwrap_or_else(|| panic!("{context}: the image cannot be mounted"));
        let size = if much { LARGE } else { SMALL };
        acknowledged = assert_kept(&image.at.join("st"), acknowledged, size, &context);
        cuts += 1;
    }
    println!("{cuts} cuts, {checkpoints} checkpoints, none lost: below {:.2} %", 300.0 / f64::from(cuts));
}

#[test]
#[ignore = "needs root for a small tmpfs"]
fn f7_a_full_disk_ends_the_run_and_is_no_loss() {
    let mount_point = fresh("f7").join("mounted");
    for number in 0..runs(4) {
        let Some(_mounted) = Mounted::memory(20 << 20, &mount_point) else {
            println!("skipped: no right to mount");
            return;
        };
        let path = mount_point.join("st");
        let mut acknowledged = Running::start(&path, &[(COMMITS, "10")]).end().check(None, "with room");
        // First full while it runs, then before it is opened.
        let ballast = mount_point.join("ballast");
        let room = (number % 4) * 700_000;
        fill(&ballast, room);
        for attempt in 0..3 {
            let context = format!("{number}, full, attempt {attempt}");
            let child = Running::start(&path, &[]).end();
            assert!(!child.success, "{context}");
            let refusal = child.told.iter().find_map(|told| match told {
                Told::Refused(why) => Some(why.clone()),
                _ => None,
            });
            let refusal = refusal.unwrap_or_else(|| panic!("{context}: nothing said"));
            assert!(refusal.contains("No space left on device"), "{context}: {refusal}");
            acknowledged = child.check(acknowledged, &context);
        }
        fs::remove_file(&ballast).expect("our own");
        assert_kept(&path, acknowledged, SMALL, &format!("{number}, with room again"));
    }
}
