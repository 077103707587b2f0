//! Checkpoints on a simulated medium: random histories against a map, power cuts, failing calls, damage.
//!
//! `STREAMW_STATE_SEEDS=20000` runs more of them. A failure names its seed.

use std::env;

use streamw::state::{Changes, Fault, Key, PieceId, Store};

use crate::history::Rng;
use crate::state_disk::{Cut, Disk};
use crate::state_script::{Pieces, SMALL, Script, Size, payload};

/// Little enough that the small states here are swept all the time.
const SLACK: u64 = 6_000;

/// How many seeds run if nobody says otherwise.
fn seeds(ordinarily: u64) -> std::ops::Range<u64> {
    let wanted = env::var("STREAMW_STATE_SEEDS").ok().and_then(|text| text.parse().ok());
    0..wanted.unwrap_or(ordinarily)
}

fn open(disk: &Disk) -> Result<Store, Fault> {
    Ok(Store::open(disk.medium())?.with_slack(SLACK))
}

/// The next checkpoint of the script, in the store.
fn commit(store: &mut Store, script: &mut Script) -> Result<u64, Fault> {
    let step = script.step();
    for changes in &step.changes {
        store.append(changes)?;
    }
    store.commit::<Fault>(&step.payload, || Ok(()))
}

fn pieces(store: &mut Store) -> Pieces {
    let mut found = Pieces::new();
    let each = |id, bytes: &[u8]| match found.insert(id, bytes.to_vec()) {
        None => Ok(()),
        Some(_) => Err(format!("{id:?} twice")),
    };
    store.visit(each).expect("a whole checkpoint");
    found
}

/// The store holds the checkpoint `epoch` of the script, all of it and nothing else.
#[track_caller]
fn assert_holds(store: &mut Store, script: &Script, context: &str) {
    let epoch = script.epoch.checked_sub(1);
    assert_eq!(store.epoch(), epoch, "{context}");
    assert!(pieces(store) == script.pieces, "{context}: the pieces of checkpoint {epoch:?} are others");
    assert_eq!(store.pieces(), script.pieces.len() as u64, "{context}");
    assert_eq!(store.payload(), epoch.map_or(vec![], payload), "{context}");
}

#[test]
fn what_was_committed_is_read_back_at_every_epoch() {
    for seed in seeds(150) {
        let disk = Disk::new();
        let mut script = Script::new(seed, SMALL);
        let mut store = open(&disk).expect("an empty medium");
        let mut rng = Rng(!seed);
        for _ in 0..rng.between(1, 40) {
            commit(&mut store, &mut script).expect("a working medium");
            if rng.chance(30) {
                // Something for a checkpoint that is never made must leave no trace.
                let mut unfinished = Script::after(seed, SMALL, store.epoch());
                let step = unfinished.step();
                if rng.chance(50) {
                    step.changes.iter().try_for_each(|part| store.append(part)).expect("a working medium");
                }
                store = open(&disk).expect("a whole state");
                assert_eq!(store.fallback(), None, "seed {seed}");
                assert_holds(&mut store, &script, &format!("seed {seed}"));
            }
        }
    }
}

#[test]
fn f4_a_power_cut_at_any_call_keeps_what_was_acknowledged() {
    let mut cuts = 0;
    for seed in seeds(200) {
        let disk = Disk::new();
        let mut rng = Rng(seed ^ 0x5eed);
        let (mut acknowledged, mut torn) = (None, false);
        for run in 0..6 {
            // Calls until the cut: also few, so that it happens during recovery again and again.
            let most = if rng.chance(30) { 12 } else { 400 };
            disk.kill(rng.between(1, most) as u64);
            let mut in_flight = false;
            if let Ok(mut store) = open(&disk) {
                let mut script = Script::after(seed, SMALL, store.epoch());
                loop {
                    match commit(&mut store, &mut script) {
                        Ok(epoch) => acknowledged = Some(epoch),
                        Err(_) => break in_flight = true,
                    }
                }
            }
            assert!(disk.repair());
            let cut = *rng.pick(&[Cut::Lost, Cut::Kept, Cut::Mixed, Cut::Mixed]);
            disk.cut(cut, &mut rng);
            cuts += 1;
            let context = format!("seed {seed}, run {run}, {cut:?}");
            let mut store = open(&disk).unwrap_or_else(|fault| panic!("{context}: {fault}"));
            let next = acknowledged.map_or(0, |epoch| epoch + 1);
            let possible = store.epoch() == acknowledged || (in_flight && store.epoch() == Some(next));
            assert!(possible, "{context}: {:?} after {acknowledged:?}", store.epoch());
            // A torn head is said until it is overwritten; what was acknowledged is never given up for it.
            torn |= matches!(cut, Cut::Mixed);
            assert!(store.fallback().is_none() || torn, "{context}: {:?}", store.fallback());
            acknowledged = store.epoch();
            let script = Script::after(seed, SMALL, store.epoch());
            assert_holds(&mut store, &script, &context);
        }
    }
    println!("{cuts} cuts, none lost: below {:.4} % with 95 % confidence", 300.0 / f64::from(cuts));
}

#[test]
fn f6_a_call_that_fails_ends_the_run_and_loses_nothing() {
    for seed in seeds(12) {
        let mut failing = 1;
        loop {
            let disk = Disk::new();
            disk.fail(failing);
            let mut script = Script::new(seed, SMALL);
            let mut acknowledged = None;
            let mut failed = false;
            if let Ok(mut store) = open(&disk) {
                for _ in 0..9 {
                    match commit(&mut store, &mut script) {
                        Ok(epoch) => acknowledged = Some(epoch),
                        Err(fault) => {
                            failed = true;
                            assert!(matches!(fault, Fault::Io { .. }), "{fault}");
                            break;
                        }
                    }
                }
                if failed {
                    // Nothing is tried again.
                    assert!(matches!(store.append(&Changes::new()), Err(Fault::Dead)));
                    assert!(matches!(store.commit::<Fault>(b"", || Ok(())), Err(Fault::Dead)));
                }
            }
            let context = format!("seed {seed}, call {failing}");
            let happened = disk.repair();
            let cut = if failing % 2 == 0 { Cut::Lost } else { Cut::Kept };
            disk.cut(cut, &mut Rng(seed));
            let mut store = open(&disk).unwrap_or_else(|fault| panic!("{context}: {fault}"));
            let epoch = store.epoch();
            assert!(epoch == acknowledged || (failed && epoch == Some(acknowledged.map_or(0, |epoch| epoch + 1))));
            let mut script = Script::after(seed, SMALL, epoch);
            assert_holds(&mut store, &script, &context);
            for _ in 0..3 {
                commit(&mut store, &mut script).expect("a repaired medium");
            }
            assert_holds(&mut open(&disk).expect("whole"), &script, &context);
            if !happened {
                break;
            }
            failing += 1;
        }
        assert!(failing > 40, "seed {seed} makes only {failing} calls");
    }
}

/// A store with some checkpoints, closed.
fn some_checkpoints(seed: u64, count: u64) -> Disk {
    let disk = Disk::new();
    let mut store = open(&disk).expect("an empty medium");
    let mut script = Script::new(seed, SMALL);
    for _ in 0..count {
        commit(&mut store, &mut script).expect("a working medium");
    }
    // What is forgotten but not synced is of no interest here.
    disk.cut(Cut::Kept, &mut Rng(0));
    disk
}

/// What opening a damaged medium may lead to: the newest checkpoint, the one before it with a word about it, or a
/// refusal. `None` for a refusal.
#[track_caller]
fn assert_no_silent_difference(disk: &Disk, seed: u64, newest: u64, context: &str) -> Option<u64> {
    let before = disk.content().durable.clone();
    match open(disk) {
        Ok(mut store) => {
            let epoch = store.epoch();
            match epoch {
                Some(epoch) if epoch == newest => {}
                Some(epoch) if epoch + 1 == newest => assert!(store.fallback().is_some(), "{context}: silent"),
                other => panic!("{context}: checkpoint {other:?}"),
            }
            let mut script = Script::after(seed, SMALL, epoch);
            assert_holds(&mut store, &script, context);
            // And going on from there works.
            commit(&mut store, &mut script).expect("a working medium");
            commit(&mut store, &mut script).expect("a working medium");
            disk.cut(Cut::Lost, &mut Rng(0));
            let mut store = open(disk).expect("whole again");
            assert_eq!(store.fallback(), None, "{context}");
            assert_holds(&mut store, &script, context);
            epoch
        }
        Err(Fault::Damaged(_)) => {
            assert!(disk.content().durable == before, "{context}: touched");
            None
        }
        Err(other) => panic!("{context}: {other}"),
    }
}

#[test]
fn f10_damage_is_refused_or_leads_to_the_checkpoint_before_and_is_said() {
    let (mut whole, mut previous, mut refused) = (0, 0, 0);
    for seed in seeds(6) {
        let newest = 7;
        let healthy = some_checkpoints(seed, newest + 1);
        let content = healthy.content().clone();
        // Chunks from here on, and this head, are needed by the newest checkpoint alone.
        let newest_from = some_checkpoints(seed, newest).content().durable.keys().max().copied();
        let newest_alone = |key: Key| match key {
            Key::Head(parity) => u64::from(parity) == newest % 2,
            chunk => Some(chunk) > newest_from,
        };
        let mut rng = Rng(seed);
        let mut damages: Vec<(String, Key, Disk)> = Vec::new();
        for (key, value) in &content.durable {
            let mut damage = |what: String, value: Option<Vec<u8>>| {
                let mut content = content.clone();
                match value {
                    Some(value) => content.durable.insert(*key, value),
                    None => content.durable.remove(key),
                };
                damages.push((format!("seed {seed}, {key:?} {what}"), *key, Disk::with(content)));
            };
            damage("gone".into(), None);
            damage("emptied".into(), Some(Vec::new()));
            damage("zeroed".into(), Some(vec![0; value.len()]));
            let cut = rng.between(0, value.len() as i128 - 1) as usize;
            damage(format!("cut at {cut}"), Some(value[..cut].to_vec()));
            for _ in 0..6 {
                let bit = rng.between(0, value.len() as i128 * 8 - 1) as usize;
                let mut flipped = value.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                damage(format!("bit {bit} flipped"), Some(flipped));
            }
            // A value in the place of another.
            let others: Vec<&Vec<u8>> = content.durable.values().filter(|other| *other != value).collect();
            damage("replaced".into(), Some((*rng.pick(&others)).clone()));
        }
        for (context, key, disk) in damages {
            let epoch = assert_no_silent_difference(&disk, seed, newest, &context);
            assert!(!newest_alone(key) || epoch == Some(newest - 1), "{context}: {epoch:?}");
            match epoch {
                Some(epoch) if epoch == newest => whole += 1,
                Some(_) => previous += 1,
                None => refused += 1,
            }
        }
    }
    println!("{whole} whole, {previous} previous, {refused} refused");
    assert!(previous > 0 && refused > 0, "{previous} previous, {refused} refused");
}

#[test]
fn f10_a_medium_that_has_lost_its_newest_writes_is_noticed() {
    let newest = 9;
    let mark = some_checkpoints(3, newest + 1).content().mark;
    for lost in 1..=newest {
        let older = some_checkpoints(3, newest + 1 - lost);
        older.content().mark = mark;
        let epoch = assert_no_silent_difference(&older, 3, newest, &format!("{lost} lost"));
        assert_eq!(epoch, (lost == 1).then_some(newest - 1));
    }
    let nothing = Disk::new();
    nothing.content().mark = mark;
    assert_eq!(assert_no_silent_difference(&nothing, 3, newest, "all lost"), None);
}

#[test]
fn a_newer_format_is_refused_as_such() {
    let disk = some_checkpoints(1, 3);
    let mut head = disk.content().durable[&Key::Head(0)].clone();
    head.truncate(head.len() - 16);
    head[8..12].copy_from_slice(&2u32.to_le_bytes());
    let sum = xxhash_rust::xxh3::xxh3_128(&head);
    head.extend_from_slice(&sum.to_le_bytes());
    disk.content().durable.insert(Key::Head(0), head);
    assert!(matches!(open(&disk), Err(Fault::Newer(2))));
}

#[test]
fn the_log_stays_within_twice_the_live_state() {
    let disk = Disk::new();
    let mut store = open(&disk).expect("an empty medium");
    let mut script = Script::new(5, Size { groups: 3, rows: 400, changes: 200, bytes: 200 });
    let (mut most_values, mut most_live) = (0, 0);
    for _ in 0..400 {
        let step = script.step();
        step.changes.iter().try_for_each(|part| store.append(part)).expect("a working medium");
        store.commit::<Fault>(&step.payload, || Ok(())).expect("a working medium");
        // What this checkpoint itself has superseded is swept by the next one.
        let written = step.changes.iter().map(Changes::bytes).sum::<usize>() + step.payload.len();
        let most = 2 * store.live_bytes() + SLACK + written as u64 * 11 / 10 + 8_192;
        assert!(store.log_bytes() <= most, "{} of {most}", store.log_bytes());
        most_values = most_values.max(disk.content().durable.len());
        most_live = most_live.max(store.live_bytes());
    }
    // Both kept checkpoints, what a commit adds and what is forgotten but not yet synced.
    assert!((most_values as u64) * 4096 < 4 * most_live + 400_000, "{most_values} values for {most_live} bytes");
}

#[test]
fn ten_thousand_small_checkpoints_leave_a_small_medium() {
    let disk = Disk::new();
    let mut store = open(&disk).expect("an empty medium");
    let mut changes = Changes::new();
    for epoch in 0..10_000u64 {
        changes.clear();
        changes.put(PieceId { group: 1, row: epoch % 3 }, &epoch.to_le_bytes());
        changes.put(PieceId { group: 2, row: epoch }, b"a window that is soon gone");
        changes.remove(PieceId { group: 2, row: epoch.wrapping_sub(2) });
        store.append(&changes).expect("a working medium");
        store.commit::<Fault>(b"positions", || Ok(())).expect("a working medium");
    }
    assert_eq!(store.pieces(), 5);
    let values = disk.content().durable.len();
    assert!(values < 200, "{values} values");
    assert_eq!(pieces(&mut open(&disk).expect("whole")).len(), 5);
}

#[test]
fn what_an_unfinished_checkpoint_left_behind_is_removed() {
    let mut large = Changes::new();
    (0..100).for_each(|row| large.put(PieceId { group: 0, row }, &[row as u8; 2_000]));
    let disk = some_checkpoints(4, 3);
    let values = disk.content().durable.len();
    let mut store = open(&disk).expect("whole");
    store.append(&large).expect("a working medium");
    disk.cut(Cut::Kept, &mut Rng(0));
    assert!(disk.content().durable.len() > values + 40);
    let mut store = open(&disk).expect("whole");
    let mut script = Script::after(4, SMALL, store.epoch());
    commit(&mut store, &mut script).expect("a working medium");
    disk.cut(Cut::Kept, &mut Rng(0));
    assert!(disk.content().durable.len() < values + 20);
}

#[test]
fn outputs_that_cannot_be_made_durable_prevent_the_checkpoint() {
    let disk = Disk::new();
    let mut store = open(&disk).expect("an empty medium");
    store.commit::<Fault>(b"first", || Ok(())).expect("a working medium");
    let full = || Err(Fault::io("sync out.ndjson", std::io::ErrorKind::StorageFull.into()));
    assert!(matches!(store.commit::<Fault>(b"second", full), Err(Fault::Io { .. })));
    assert!(matches!(store.commit::<Fault>(b"third", || Ok(())), Err(Fault::Dead)));
    assert_eq!(open(&disk).expect("whole").payload(), b"first");
}

#[test]
fn outputs_are_durable_before_anything_vouches_for_them() {
    let disk = Disk::new();
    let mut store = open(&disk).expect("an empty medium");
    store
        .append(&{
            let mut changes = Changes::new();
            changes.put(PieceId { group: 0, row: 0 }, b"window");
            changes
        })
        .expect("a working medium");
    let seen = disk.clone();
    let heads = move || seen.content().durable.keys().filter(|key| matches!(key, Key::Head(_))).count();
    store
        .commit::<Fault>(b"", || {
            assert_eq!(heads(), 0);
            Ok(())
        })
        .expect("a working medium");
}

#[test]
fn a_piece_that_the_caller_cannot_read_is_damage() {
    let mut store = open(&some_checkpoints(2, 4)).expect("whole");
    let refused = store.visit(|_, _| Err("an accumulator of an unknown kind".to_owned()));
    assert!(matches!(refused, Err(Fault::Damaged(what)) if what == "an accumulator of an unknown kind"));
}
