//! Fuzzing: seeds are changed at random and read; each result is compared with a slow and simple reading of its own,
//! written here and sharing nothing with the program. What comes out in a new way is changed further.
//!
//! This is plain Rust, so that it runs wherever the tests do. (cargo-fuzz wants a nightly compiler and a run of its own, bolero and
//! proptest find no more than this without one: what finds defects here is the second reading, not the generator.)
//!
//! All targets together run for `FUZZ_SECONDS`, a few by default, a minute in CI, longer with
//! `.ci/run --fuzz SECONDS`, which also starts from a new `FUZZ_SEED`. An input that was read wrong is shown, made
//! small; as a file in `testdata/fuzz/TARGET` it is tried first from then on.

mod delimited;
mod expressions;
mod json;
mod logs;
mod pipeline;
mod times;
mod windows;

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How many targets share the time.
const TARGETS: f64 = 9.0;
/// Longest input that is tried.
const LONGEST: usize = 4096;
/// Inputs that are kept to be changed further.
const MOST_KEPT: usize = 2000;

/// Kinds of results that are told apart.
const MOST_KNOWN: usize = 1_000_000;

/// An input that came out wrong, or what was alike in how it came out.
pub type Checked = Result<Signature, String>;

/// Alike for inputs that came out alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signature(u64);

impl Signature {
    pub fn of(came_out: impl Hash) -> Signature {
        let mut hasher = DefaultHasher::new();
        came_out.hash(&mut hasher);
        Signature(hasher.finish())
    }
}

/// Says no unless both sides are equal.
pub fn equal<T: PartialEq + Debug>(what: &str, expected: &T, got: &T) -> Result<(), String> {
    if expected == got { Ok(()) } else { Err(format!("{what}\n    expected {expected:?}\n    got      {got:?}")) }
}

/// A small generator of random numbers: xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }
}

fn setting(name: &str) -> Option<f64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// What is tried: where it begins, and the words it is made of.
pub struct Target<'a> {
    pub name: &'a str,
    pub seeds: Vec<Vec<u8>>,
    pub words: &'a [&'a str],
}

impl Target<'_> {
    /// Tries inputs until the time is over, beginning with those that were once wrong.
    pub fn run(self, check: impl Fn(&[u8]) -> Checked) {
        let seed = setting("FUZZ_SEED").unwrap_or(1.0) as u64;
        let share = Duration::from_secs_f64(setting("FUZZ_SECONDS").unwrap_or(4.0) / TARGETS);
        let (began, mut random) = (Instant::now(), Random::new(seed));
        let mut kept = self.once_wrong();
        kept.extend(self.seeds.iter().cloned());
        let mut known = HashSet::new();
        for input in &kept {
            known.extend(self.try_one(input, &check, seed));
        }
        let mut tried = kept.len();
        while began.elapsed() < share {
            let input = self.changed(&kept, &mut random);
            let signature = self.try_one(&input, &check, seed);
            tried += 1;
            if signature.is_some_and(|signature| known.len() < MOST_KNOWN && known.insert(signature)) {
                if kept.len() < MOST_KEPT {
                    kept.push(input);
                } else {
                    let place = random.below(MOST_KEPT);
                    kept[place] = input;
                }
            }
        }
        println!("{}: {tried} inputs, {} kinds of result, seed {seed}", self.name, known.len());
    }

    fn once_wrong(&self) -> Vec<Vec<u8>> {
        let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "testdata", "fuzz", self.name].iter().collect();
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        paths.iter().map(|path| std::fs::read(path).expect("a file")).collect()
    }

    fn try_one(&self, input: &[u8], check: &impl Fn(&[u8]) -> Checked, seed: u64) -> Option<Signature> {
        let attempt = |input: &[u8]| {
            catch_unwind(AssertUnwindSafe(|| check(input))).unwrap_or_else(|_| Err("it panicked, see above".into()))
        };
        let Err(first) = attempt(input) else { return attempt(input).ok() };
        let small = shrunk(input.to_vec(), |input| attempt(input).is_err());
        let why = attempt(&small).err().unwrap_or(first);
        panic!("{}, seed {seed}: b\"{}\"\n{why}", self.name, small.escape_ascii());
    }

    /// One of the inputs, changed in a few places.
    fn changed(&self, kept: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
        let mut input = random.pick(kept).clone();
        for _ in 0..=random.below(6) {
            self.change(&mut input, kept, random);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&self, input: &mut Vec<u8>, kept: &[Vec<u8>], random: &mut Random) {
        let at = random.below(input.len() + 1);
        let reach = *random.pick(&[1, 2, 8, 100, LONGEST]);
        let to = (at + random.below(reach)).min(input.len());
        match random.below(12) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = random.next() as u8,
            2 => drop(input.drain(at..to)),
            3 => {
                let again = input[at..to].to_vec();
                input.splice(at..at, again);
            }
            // A line once more, now and then with an end of its own.
            4 | 5 => {
                let from = input[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
                let end = input[at..].iter().position(|byte| *byte == b'\n').map_or(input.len(), |end| at + end + 1);
                let line = input[from..end].to_vec();
                input.splice(end..end, line);
            }
            6 => {
                let other = random.pick(kept);
                let from = random.below(other.len() + 1);
                let length = random.below(other.len() - from + 1);
                input.splice(at..to, other[from..from + length].iter().copied());
            }
            7 => drop(input.splice(at..to, random.next().to_string().into_bytes())),
            8 if at < input.len() && input[at].is_ascii_digit() => input[at] = b'0' + random.below(10) as u8,
            _ => {
                let word = random.pick(self.words).as_bytes().to_vec();
                let end = if random.below(2) == 0 { at } else { to };
                input.splice(at..end, word);
            }
        }
    }
}

/// The input with whatever can be left out left out, or made plainer, so that it is still wrong.
fn shrunk(mut input: Vec<u8>, is_wrong: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut piece = input.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < input.len() && Instant::now() < deadline {
            let without = [&input[..at], &input[(at + piece).min(input.len())..]].concat();
            if is_wrong(&without) {
                input = without;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    input
}
