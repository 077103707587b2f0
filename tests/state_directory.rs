//! The state directory on a real file system: who may use it, calls that fail, damaged files, kills.
//!
//! `STREAMW_STATE_RUNS=50` multiplies the runs of the long tests by 50; with `STREAMW_STATE_FROM=50` too they are the
//! next 50, where runs have numbers.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use streamw::state::{Calls, Changes, PieceId, StateDir, StateError, Unhindered};

use crate::history::Rng;
use crate::state_child::{self, COMMITS, NoCopies, Running, Told, assert_within};
use crate::state_script::{Pieces, SMALL, Script, payload};

/// How often something is done that ordinarily is done a few times.
pub fn runs(ordinarily: u64) -> u64 {
    let times = env::var("STREAMW_STATE_RUNS").ok().and_then(|text| text.parse().ok());
    ordinarily * times.unwrap_or(1)
}

/// From which number on runs are made, so that long tests can be run in slices.
pub fn first() -> u64 {
    env::var("STREAMW_STATE_FROM").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A path under which there is nothing yet.
fn fresh(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("state").join(test);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory for tests");
    path.join("st")
}

fn commit(state: &mut StateDir, script: &mut Script) -> Result<u64, StateError> {
    let step = script.step();
    for changes in &step.changes {
        state.append(changes)?;
    }
    state.commit::<StateError>(&step.payload, || Ok(()))
}

/// The state holds the checkpoint that the script is at, all of it and nothing else.
#[track_caller]
pub fn assert_holds(state: &mut StateDir, script: &Script, context: &str) {
    let epoch = script.epoch.checked_sub(1);
    assert_eq!(state.epoch(), epoch, "{context}");
    let mut found = Pieces::new();
    let each = |id, bytes: &[u8]| match found.insert(id, bytes.to_vec()) {
        None => Ok(()),
        Some(_) => Err(format!("{id:?} twice")),
    };
    state.visit(each).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(found == script.pieces, "{context}: the pieces of checkpoint {epoch:?} are others");
    assert_eq!(state.payload(), epoch.map_or(vec![], payload), "{context}");
}

/// A state with some checkpoints, closed.
fn some_checkpoints(path: &Path, seed: u64, count: u64) -> Script {
    let mut state = StateDir::open(path).expect("a new state");
    let mut script = Script::new(seed, SMALL);
    for _ in 0..count {
        commit(&mut state, &mut script).expect("a working disk");
    }
    script
}

/// The directory of sled that counts.
fn sled(path: &Path) -> PathBuf {
    let names = fs::read_dir(path).expect("a directory").map(|entry| entry.expect("an entry").file_name());
    let number = |name: std::ffi::OsString| name.to_str()?.strip_prefix("sled-")?.parse::<u64>().ok();
    path.join(format!("sled-{}", names.filter_map(number).max().expect("one of sled's")))
}

/// All files with their content and modes.
fn everything(path: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(found) = path.symlink_metadata() else { continue };
        let content = if found.is_file() { fs::read(&path).expect("a file") } else { Vec::new() };
        if found.is_dir() {
            open.extend(fs::read_dir(&path).expect("a directory").map(|entry| entry.expect("an entry").path()));
        }
        all.insert(path, (found.mode(), content));
    }
    all
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    for (path, (mode, content)) in everything(from) {
        let to = to.join(path.strip_prefix(from).expect("below"));
        if path.is_dir() {
            fs::create_dir_all(&to).expect("a directory");
        } else {
            fs::write(&to, content).expect("a file");
        }
        fs::set_permissions(&to, fs::Permissions::from_mode(mode)).expect("our own file");
    }
}

#[test]
fn what_was_committed_is_there_in_the_next_run() {
    let path = fresh("round_trip");
    let mut script = Script::new(1, SMALL);
    for run in 0..5 {
        let mut state = StateDir::open(&path).expect("a good state");
        assert_eq!(state.notice(), None);
        assert_holds(&mut state, &script, &format!("run {run}"));
        for _ in 0..4 {
            commit(&mut state, &mut script).expect("a working disk");
        }
        let sizes = state.sizes().expect("a working disk");
        assert_eq!(sizes.pieces, script.pieces.len() as u64);
        assert!(sizes.live_bytes < sizes.log_bytes && sizes.log_bytes < sizes.directory_bytes, "{sizes:?}");
        assert!(state.written().is_some());
    }
    let examined = StateDir::verify(&path).expect("a good state");
    assert_eq!(
        examined.iter().map(|one| (one.epoch, one.wrong.as_deref())).collect::<Vec<_>>(),
        [(Some(19), None), (Some(18), None)]
    );
}

#[test]
fn f1_a_kill_while_sled_makes_its_files_leaves_nothing_that_it_would_not_open() {
    let path = fresh("half_made");
    drop(StateDir::open(&path).expect("a new state"));
    // Nothing has been written, so nothing has the name that counts.
    let made = path.join("sled-1.new");
    assert!(!path.join("sled-1").exists() && !made.exists());
    // sled was killed before it wrote the checksum of these.
    fs::create_dir_all(made.join("blobs")).expect("a directory");
    fs::write(made.join("conf"), "segment_size: 524288\nuse_compression: false\nversion: 0.34\n").expect("a file");
    let mut script = Script::new(3, SMALL);
    let mut state = StateDir::open(&path).expect("what was half made is nobody's");
    commit(&mut state, &mut script).expect("a working disk");
    drop(state);
    assert_holds(&mut StateDir::open(&path).expect("a good state"), &script, "the next run");
    assert!(path.join("sled-1").exists() && !made.exists());
}

#[test]
fn the_directory_and_its_files_are_for_the_owner_only_and_no_blob_appears() {
    let path = fresh("modes");
    some_checkpoints(&path, 2, 30);
    drop(StateDir::open(&path).expect("a good state"));
    for (file, (mode, _)) in everything(&path) {
        let name = file.strip_prefix(&path).expect("below").display().to_string();
        // sled makes this one by itself; it stays empty and lies in a directory of the owner's.
        if name.ends_with("/blobs") {
            assert_eq!(fs::read_dir(&file).expect("a directory").count(), 0);
        } else {
            let expected = if file.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode & 0o777, expected, "{name}");
        }
    }
}

#[test]
fn directories_that_cannot_be_ours_are_refused_and_left_alone() {
    type Prepare = fn(&Path);
    let cases: &[(&str, Prepare, &str)] = &[
        ("file", |path| fs::write(path, "x").expect("a file"), "it is not a directory"),
        (
            "link",
            |path| {
                fs::create_dir(path.with_extension("target")).expect("a directory");
                symlink(path.with_extension("target"), path).expect("a link");
            },
            "it is a symbolic link; name its target, or write it with a slash at the end",
        ),
        (
            "writable",
            |path| {
                fs::create_dir(path).expect("a directory");
                fs::set_permissions(path, fs::Permissions::from_mode(0o770)).expect("our own");
            },
            "others may write to it (chmod go-w DIR/)",
        ),
        (
            "foreign",
            |path| {
                fs::create_dir(path).expect("a directory");
                fs::write(path.join("thesis.tex"), "x").expect("a file");
            },
            "it holds no state but other files (thesis.tex); name a directory that is new or empty",
        ),
    ];
    for (name, prepare, why) in cases {
        let path = fresh(&format!("unfit_{name}"));
        prepare(&path);
        let before = everything(path.parent().expect("one"));
        let error = StateDir::open(&path).err().unwrap_or_else(|| panic!("{name} was taken"));
        let dir = format!("{}/", path.display());
        let expected = format!("{dir} cannot hold the state: {}", why.replace("DIR/", &dir));
        assert_eq!(error.to_string(), expected);
        assert!(everything(path.parent().expect("one")) == before, "{name} was touched");
    }
    let path = fresh("unfit_parent").join("deeper");
    let error = StateDir::open(&path).err().expect("no parent");
    assert_eq!(error.to_string(), format!("state in {}/: create deeper: No such file or directory", path.display()));
}

#[test]
fn another_users_directory_is_refused() {
    let path = fresh("owner");
    some_checkpoints(&path, 3, 2);
    // Only root can give a directory away.
    if std::os::unix::fs::chown(&path, Some(65_534), None).is_ok() {
        let error = StateDir::open(&path).err().expect("it is not ours");
        assert!(error.to_string().ends_with("cannot hold the state: it belongs to another user"), "{error}");
    }
}

#[test]
fn a_link_is_followed_if_its_name_ends_with_a_slash() {
    let path = fresh("link_with_slash");
    let target = path.with_extension("target");
    some_checkpoints(&target, 4, 3);
    symlink(&target, &path).expect("a link");
    let state = StateDir::open(&path.join("")).expect("the user named the link");
    assert_eq!(state.epoch(), Some(2));
}

#[test]
fn a_newer_format_is_refused_before_sled_sees_anything() {
    let path = fresh("newer");
    some_checkpoints(&path, 5, 2);
    fs::write(path.join("format"), "streamw state 2\n").expect("our own");
    let before = everything(&path);
    let error = StateDir::open(&path).err().expect("unknown");
    assert_eq!(
        error.to_string(),
        format!(
            "state in {}/ has the newer format 2, this streamw reads up to 1 (use the newer streamw, or another --state)",
            path.display()
        )
    );
    assert!(everything(&path) == before);
}

#[test]
fn f12_the_second_run_is_told_which_process_is_the_first() {
    let path = fresh("in_use");
    let mut first = Running::start(&path, &[]);
    assert_eq!(first.line(), Told::Begun(None));
    let begun = Instant::now();
    for attempt in [StateDir::open(&path).err(), StateDir::open_existing(&path).err(), StateDir::reset(&path).err()] {
        let expected = format!("state in {}/ is in use by process {}", path.display(), first.process.id());
        assert_eq!(attempt.expect("it is in use").to_string(), expected);
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "nobody waits for another process");
    first.kill();
    drop(StateDir::open(&path).expect("it is free again"));
}

#[test]
fn looking_at_what_is_not_there_makes_nothing() {
    let path = fresh("missing");
    for error in [StateDir::open_existing(&path).err(), StateDir::verify(&path).err(), StateDir::reset(&path).err()] {
        assert_eq!(error.expect("nothing there").to_string(), format!("there is no state in {}/", path.display()));
        assert!(!path.exists());
    }
    fs::create_dir(&path).expect("a directory");
    assert!(matches!(StateDir::open_existing(&path), Err(StateError::Missing { .. })));
    assert_eq!(fs::read_dir(&path).expect("a directory").count(), 0);
}

#[test]
fn a_reset_removes_what_is_ours_whole_or_damaged_and_nothing_else() {
    let path = fresh("reset");
    for damage in [false, true] {
        some_checkpoints(&path, 6, 3);
        fs::write(path.join("notes.txt"), "mine").expect("a file");
        if damage {
            fs::write(sled(&path).join("db"), "no database").expect("our own");
            fs::write(sled(&path).join("snap.00.generating"), "half").expect("our own");
            fs::create_dir(path.join("sled-7.new")).expect("our own");
        }
        StateDir::reset(&path).expect("free");
        let left: Vec<PathBuf> = everything(&path).into_keys().collect();
        assert_eq!(left, [path.clone(), path.join("notes.txt")]);
        fs::remove_file(path.join("notes.txt")).expect("our own");
    }
    assert_eq!(StateDir::open(&path).expect("an empty directory").epoch(), None);
}

#[test]
fn leftovers_of_a_crash_while_opening_or_renewing_are_removed() {
    let path = fresh("leftovers");
    let mut script = some_checkpoints(&path, 7, 5);
    let calls: [Arc<dyn Calls>; 2] = [Arc::new(Unhindered), Arc::new(NoCopies)];
    for calls in calls {
        let first = sled(&path);
        fs::write(first.join("snap.FFFFFFFFFFFFFFF0.generating"), "half a snapshot").expect("our own");
        copy(&first, &path.join("sled-70.new"));
        fs::remove_file(path.join("sled-70.new/db")).expect("our own");
        // This one has its name: it is whole, and the first only had to be removed.
        copy(&first, &path.join("sled-60"));
        fs::write(first.join("db"), "out of date").expect("our own");
        let mut state = StateDir::open_with(&path, calls).expect("a good state");
        assert_holds(&mut state, &script, "leftovers");
        commit(&mut state, &mut script).expect("a working disk");
        drop(state);
        let names: Vec<String> = everything(&path).into_keys().map(|path| path.display().to_string()).collect();
        assert!(!names.iter().any(|name| name.ends_with(".new") || name.ends_with("generating")), "{names:?}");
        assert!(!first.exists() && sled(&path).exists());
        fs::rename(sled(&path), path.join("sled-3")).expect("our own");
    }
}

#[test]
fn f11_a_run_that_commits_nothing_changes_nothing() {
    let path = fresh("untouched");
    some_checkpoints(&path, 10, 6);
    // After a kill sled has something to recover.
    Running::start(&path.with_extension("killed"), &[(COMMITS, "9")]).end();
    for path in [path.clone(), path.with_extension("killed")] {
        let before = everything(&path);
        let mut state = StateDir::open(&path).expect("a good state");
        state.visit(|_, _| Ok(())).expect("whole");
        drop(state);
        drop(StateDir::open_existing(&path).expect("a good state"));
        StateDir::verify(&path).expect("a good state");
        assert!(everything(&path) == before);
    }
}

/// Refuses one call, or all from one on.
struct Refusing {
    calls: AtomicU64,
    from: u64,
    to: u64,
    kind: io::ErrorKind,
    in_place: bool,
}

impl Refusing {
    fn made(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Calls for Refusing {
    fn before(&self, what: &'static str, path: &Path) -> io::Result<()> {
        if self.in_place {
            NoCopies.before(what, path)?;
        }
        let number = 1 + self.calls.fetch_add(1, Ordering::Relaxed);
        if (self.from..=self.to).contains(&number) { Err(self.kind.into()) } else { Ok(()) }
    }
}

/// Opens and commits until something fails. The last checkpoint that was acknowledged.
fn run_until_refused(path: &Path, calls: Arc<Refusing>, seed: u64) -> (Option<u64>, Option<StateError>) {
    let mut state = match StateDir::open_with(path, calls) {
        Ok(state) => state,
        Err(error) => return (None, Some(error)),
    };
    let mut script = Script::after(seed, SMALL, state.epoch());
    let mut acknowledged = state.epoch();
    for _ in 0..3 {
        match commit(&mut state, &mut script) {
            Ok(epoch) => acknowledged = Some(epoch),
            Err(error) => {
                assert!(matches!(state.append(&Changes::new()), Err(StateError::Dead { .. })));
                return (acknowledged, Some(error));
            }
        }
    }
    (acknowledged, None)
}

/// From call `n` on nothing works any more, or only call `n` fails; for every n of a run on a new directory and of one
/// on a directory with checkpoints.
fn every_call(name: &str, in_place: bool, last: impl Fn(u64) -> u64, kind: io::ErrorKind) {
    let seed = 8;
    let path = fresh(name);
    let template = path.with_extension("template");
    some_checkpoints(&template, seed, 4);
    for begun in [false, true] {
        let mut number = 1;
        loop {
            let context = format!("{name}: call {number}, {}", if begun { "begun" } else { "new" });
            let _ = fs::remove_dir_all(&path);
            let before = begun.then(|| copy(&template, &path)).map(|()| 3);
            let (from, to) = (number, last(number));
            let calls = Arc::new(Refusing { calls: AtomicU64::new(0), from, to, kind, in_place });
            let (acknowledged, error) = run_until_refused(&path, calls.clone(), seed);
            let acknowledged = acknowledged.max(before);
            if let Some(error) = &error {
                assert!(matches!(error, StateError::Io { .. }), "{context}: {error:?}");
            }
            let mut state = StateDir::open(&path).unwrap_or_else(|error| panic!("{context}: {error}"));
            let epoch = state.epoch();
            let next = acknowledged.map_or(0, |epoch| epoch + 1);
            assert!(epoch == acknowledged || (error.is_some() && epoch == Some(next)), "{context}: {epoch:?}");
            assert_eq!(state.notice(), None, "{context}");
            let mut script = Script::after(seed, SMALL, epoch);
            assert_holds(&mut state, &script, &context);
            commit(&mut state, &mut script).unwrap_or_else(|error| panic!("{context}: {error}"));
            if calls.made() < number {
                break;
            }
            number += 1;
        }
        assert!(number > 60, "{name} makes only {number} calls");
    }
}

#[test]
fn f2_the_run_may_end_before_any_call() {
    every_call("f2", false, |_| u64::MAX, io::ErrorKind::Other);
    every_call("f2", true, |_| u64::MAX, io::ErrorKind::Other);
}

#[test]
fn f6_any_call_may_fail_once() {
    every_call("f6", false, |number| number, io::ErrorKind::PermissionDenied);
    every_call("f6", true, |number| number, io::ErrorKind::StorageFull);
}

#[test]
fn a_state_that_has_shrunk_takes_little_room() {
    let path = fresh("shrunk");
    let mut state = StateDir::open(&path).expect("a new state");
    let mut changes = Changes::new();
    for round in 0..4 {
        changes.clear();
        for row in 0..25_000 {
            changes.put(PieceId { group: round, row }, &[row as u8; 900]);
        }
        state.append(&changes).expect("a working disk");
        state.commit::<StateError>(b"grown", || Ok(())).expect("a working disk");
    }
    let large = state.sizes().expect("a working disk");
    assert!(large.directory_bytes > 80 << 20 && large.directory_bytes < 8 * large.live_bytes, "{large:?}");
    changes.clear();
    (0..4).for_each(|round| changes.remove_group(round));
    changes.put(PieceId { group: 9, row: 9 }, b"what is left");
    for _ in 0..3 {
        state.append(&changes).expect("a working disk");
        state.commit::<StateError>(b"shrunk", || Ok(())).expect("a working disk");
        changes.clear();
    }
    let small = state.sizes().expect("a working disk");
    assert!(small.pieces == 1 && small.directory_bytes < 8 << 20, "{small:?}");
    drop(state);
    let mut state = StateDir::open(&path).expect("a good state");
    assert_eq!((state.payload(), state.epoch(), state.notice()), (&b"shrunk"[..], Some(6), None));
    let mut found = Vec::new();
    let each = |id, bytes: &[u8]| {
        found.push((id, bytes.to_vec()));
        Ok(())
    };
    state.visit(each).expect("whole");
    assert_eq!(found, [(PieceId { group: 9, row: 9 }, b"what is left".to_vec())]);
}

/// What opening a damaged directory led to.
#[derive(Default)]
struct Outcomes {
    whole: u64,
    previous: u64,
    refused: u64,
}

impl Outcomes {
    #[track_caller]
    fn judge(&mut self, path: &Path, seed: u64, newest: u64, context: &str) {
        let before = everything(path);
        match StateDir::open(path) {
            Ok(mut state) => {
                let epoch = state.epoch();
                match epoch {
                    Some(epoch) if epoch == newest => self.whole += 1,
                    Some(epoch) if epoch + 1 == newest && state.notice().is_some() => self.previous += 1,
                    other => panic!("{context}: checkpoint {other:?} with {:?}", state.notice()),
                }
                let mut script = Script::after(seed, SMALL, epoch);
                // Damage may also come to light only now, but it must not go unnoticed.
                match state.visit(|_, _| Ok(())) {
                    Ok(()) => assert_holds(&mut state, &script, context),
                    Err(StateError::Damaged { .. }) => return,
                    Err(error) => panic!("{context}: {error}"),
                }
                if commit(&mut state, &mut script).is_ok() {
                    drop(state);
                    let state = StateDir::open(path);
                    if let Ok(mut state) = state {
                        assert_holds(&mut state, &script, context);
                    }
                }
            }
            Err(error) => {
                self.refused += 1;
                assert!(everything(path) == before, "{context}: touched");
                let expected =
                    matches!(error, StateError::Damaged { .. } | StateError::Io { .. } | StateError::Newer { .. });
                assert!(expected && !error.to_string().contains('\n'), "{context}: {error}");
            }
        }
    }
}

#[test]
fn f10_damaged_files_are_refused_or_lead_to_a_whole_checkpoint() {
    let (seed, newest) = (9, 11);
    let path = fresh("f10");
    let healthy = path.with_extension("healthy");
    some_checkpoints(&healthy, seed, newest + 1);
    let files: Vec<PathBuf> = everything(&healthy).into_keys().filter(|path| path.is_file()).collect();
    assert!(files.len() >= 6, "{files:?}");
    let mut outcomes = Outcomes::default();
    let mut rng = Rng(runs(1));
    let mut damage = |file: &Path, context: String, act: &mut dyn FnMut(&Path, Vec<u8>)| {
        copy(&healthy, &path);
        let file = path.join(file.strip_prefix(&healthy).expect("below"));
        act(&file, fs::read(&file).expect("a file"));
        outcomes.judge(&path, seed, newest, &context);
    };
    for file in &files {
        let name = file.display();
        damage(file, format!("{name} deleted"), &mut |path, _| fs::remove_file(path).expect("our own"));
        damage(file, format!("{name} emptied"), &mut |path, _| fs::write(path, "").expect("our own"));
        let pages = fs::metadata(file).expect("a file").len() / 4096;
        for _ in 0..runs(3) {
            let page = rng.between(0, pages.into()) as usize;
            damage(file, format!("{name} cut after {page} pages"), &mut |path, content| {
                fs::write(path, &content[..(page * 4096).min(content.len())]).expect("our own");
            });
        }
        // Most of the data file is empty: bits are flipped where something is written.
        let content = fs::read(file).expect("a file");
        let written: Vec<usize> = (0..content.len()).filter(|at| content[*at] != 0).collect();
        for _ in 0..if written.is_empty() { 0 } else { runs(if name.to_string().ends_with("db") { 60 } else { 5 }) } {
            let (at, bit) = (*rng.pick(&written), rng.between(0, 7));
            damage(file, format!("{name}: bit {bit} of byte {at} flipped"), &mut |path, mut content| {
                content[at] ^= 1 << bit;
                fs::write(path, content).expect("our own");
            });
        }
    }
    let Outcomes { whole, previous, refused } = outcomes;
    println!("{whole} whole, {previous} previous, {refused} refused, 0 silent");
    assert!(whole > 0 && refused > 0);
}

#[test]
fn f1_killed_at_any_moment_nothing_acknowledged_is_lost() {
    let path = fresh("killed");
    let mut rng = Rng(runs(1));
    let mut acknowledged = None;
    let kills = runs(15);
    for kill in 0..kills {
        let mut child = Running::start(&path, &[]);
        // Some are killed while they open, most between two checkpoints or within one.
        let lines = if rng.chance(25) { 0 } else { rng.between(1, 60) };
        (0..lines).for_each(|_| drop(child.line()));
        for _ in 0..rng.between(0, 200_000) {
            std::hint::spin_loop();
        }
        acknowledged = child.kill().check(acknowledged, &format!("kill {kill}"));
    }
    let mut state = StateDir::open(&path).expect("a good state");
    let epoch = state.epoch();
    assert_within(epoch, acknowledged, "at the end");
    assert!(epoch > Some(20), "{epoch:?} is the last checkpoint");
    assert_holds(&mut state, &Script::after(state_child::SEED, SMALL, epoch), "at the end");
    println!("{kills} kills, last checkpoint {epoch:?}, none lost: below {:.2} %", 300.0 / kills as f64);
}

#[test]
fn f12_of_two_runs_started_together_exactly_one_runs() {
    for round in 0..runs(5) {
        let path = fresh("together");
        let mut children = [Running::start(&path, &[]), Running::start(&path, &[])];
        let first: Vec<Told> = children.iter_mut().map(Running::line).collect();
        let begun = first.iter().filter(|told| matches!(told, Told::Begun(None))).count();
        let names_the_other = |told: &Told| {
            let processes = children.iter().map(|child| format!("is in use by process {}", child.process.id()));
            matches!(told, Told::Refused(why) if processes.into_iter().any(|in_use| why.ends_with(&in_use)))
        };
        let refused = first.iter().filter(|told| names_the_other(told)).count();
        assert_eq!((begun, refused), (1, 1), "round {round}: {first:?}");
        children.into_iter().for_each(|child| drop(child.kill()));
    }
}
