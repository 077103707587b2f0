//! What the state costs, measured: not part of an ordinary run.
//!
//! ```text
//! cargo test --release --test main state_figures -- --ignored --nocapture --test-threads 1
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use streamw::state::{Changes, PieceId, StateDir, StateError};

use crate::history::Rng;

const WINDOWS: u64 = 1_000_000;
const GROUPS: u64 = 10;
const BYTES: usize = 100;

fn fresh(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("state_figures").join(test);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory for tests");
    path.join("st")
}

/// A window's bytes: they change with every version.
fn window(rng: &mut Rng) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for part in bytes.chunks_mut(8) {
        part.copy_from_slice(&rng.next().to_le_bytes()[..part.len()]);
    }
    bytes
}

/// Hands over what has been gathered in parts, as a writer's thread would get it.
fn append(state: &mut StateDir, changes: &mut Changes, least: usize) {
    if changes.bytes() > least {
        state.append(changes).expect("a working disk");
        changes.clear();
    }
}

/// Fills a new state with `windows` windows.
fn fill(path: &Path, windows: u64, rng: &mut Rng) -> StateDir {
    let mut state = StateDir::open(path).expect("a new state");
    let mut changes = Changes::new();
    for number in 0..windows {
        changes.put(PieceId { group: number % GROUPS, row: number / GROUPS }, &window(rng));
        append(&mut state, &mut changes, 1 << 20);
    }
    append(&mut state, &mut changes, 0);
    state.commit::<StateError>(b"positions", || Ok(())).expect("a working disk");
    state
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    fs::set_permissions(to, fs::metadata(from).expect("our own").permissions()).expect("our own");
    for entry in fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &to) } else { fs::copy(&path, &to).map(drop).expect("room") }
    }
}

fn megabytes(bytes: u64) -> u64 {
    bytes >> 20
}

/// A field of /proc/self/status, in bytes.
fn memory(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
}

fn report(what: &str, mut times: Vec<Duration>, state: &mut StateDir) {
    times.sort();
    let sizes = state.sizes().expect("a working disk");
    println!(
        "{what}: commit p50 {:?} max {:?}; live {} MB, log {} MB, directory {} MB ({:.1} x); RSS {} MB, peak {} MB",
        times[times.len() / 2],
        times[times.len() - 1],
        megabytes(sizes.live_bytes),
        megabytes(sizes.log_bytes),
        megabytes(sizes.directory_bytes),
        sizes.directory_bytes as f64 / sizes.live_bytes as f64,
        megabytes(memory("VmRSS")),
        megabytes(memory("VmHWM")),
    );
}

/// Opens and reads everything, as a resumed run does.
fn resume(what: &str, path: &Path, expected: u64) -> StateDir {
    let begun = Instant::now();
    let mut state = StateDir::open(path).expect("a good state");
    let opened = begun.elapsed();
    let (mut count, mut bytes) = (0, 0);
    state
        .visit(|_, piece| {
            count += 1;
            bytes += piece.len();
            Ok(())
        })
        .expect("whole");
    assert_eq!(count, expected);
    println!("{what}: {count} windows, opened in {opened:?}, read in {:?} ({bytes} bytes)", begun.elapsed());
    state
}

#[test]
#[ignore = "figures, some minutes"]
fn a_million_windows() {
    let mut rng = Rng(1);
    for (percent, rounds) in [(1, 60), (10, 40)] {
        let path = fresh("million");
        let begun = Instant::now();
        let mut state = fill(&path, WINDOWS, &mut rng);
        report("first checkpoint", vec![begun.elapsed()], &mut state);
        let mut times = Vec::new();
        let mut changes = Changes::new();
        let (mut encoding, mut most) = (Duration::ZERO, 0.0f64);
        for _ in 0..rounds {
            let begun = Instant::now();
            changes.clear();
            for _ in 0..WINDOWS * percent / 100 {
                let number = rng.next() % WINDOWS;
                changes.put(PieceId { group: number % GROUPS, row: number / GROUPS }, &window(&mut rng));
            }
            encoding += begun.elapsed();
            let begun = Instant::now();
            state.append(&changes).expect("a working disk");
            state.commit::<StateError>(b"positions", || Ok(())).expect("a working disk");
            times.push(begun.elapsed());
            let sizes = state.sizes().expect("a working disk");
            most = most.max(sizes.directory_bytes as f64 / sizes.live_bytes as f64);
        }
        report(&format!("{percent} % changed"), times, &mut state);
        println!("{percent} % changed: gathered in {:?}; directory at most {most:.1} x", encoding / rounds);
        // What a kill leaves: the files as they are while sled is open.
        let killed = path.with_extension("killed");
        copy(&path, &killed);
        drop(state);
        drop(resume("after a kill", &killed, WINDOWS));
        drop(resume("after a clean end", &path, WINDOWS));
        let mut state = resume("and again", &path, WINDOWS);
        let begun = Instant::now();
        state.commit::<StateError>(b"positions", || Ok(())).expect("a working disk");
        println!("the first checkpoint after that: {:?}", begun.elapsed());
    }
}

#[test]
#[ignore = "figures, some minutes"]
fn ten_thousand_windows() {
    let path = fresh("ten_thousand");
    drop(fill(&path, 10_000, &mut Rng(2)));
    drop(resume("after a clean end", &path, 10_000));
}

#[test]
#[ignore = "figures, some minutes"]
fn windows_that_come_and_go() {
    // Tumbling windows of 20,000 keys, three open at a time: each checkpoint one is purged, by its group; and sessions,
    // purged one by one.
    let path = fresh("purged");
    let mut state = StateDir::open(&path).expect("a new state");
    let mut rng = Rng(3);
    let mut changes = Changes::new();
    let (mut purged, mut times) = (0u64, Vec::new());
    for round in 0..400u64 {
        changes.clear();
        for row in 0..20_000 {
            changes.put(PieceId { group: 10 + round, row }, &window(&mut rng));
        }
        for row in 0..5_000 {
            changes.put(PieceId { group: 1, row: round * 5_000 + row }, &window(&mut rng));
        }
        if round >= 3 {
            changes.remove_group(10 + round - 3);
            (0..5_000).for_each(|row| changes.remove(PieceId { group: 1, row: (round - 3) * 5_000 + row }));
            purged += 25_000;
        }
        let begun = Instant::now();
        state.append(&changes).expect("a working disk");
        state.commit::<StateError>(b"positions", || Ok(())).expect("a working disk");
        times.push(begun.elapsed());
        if round % 40 == 39 {
            report(&format!("{purged} purged"), std::mem::take(&mut times), &mut state);
        }
    }
}
