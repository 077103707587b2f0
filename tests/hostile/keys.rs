//! Keys that all have one hash, in tables whose hash an adversary can work out.

/// The key of one text part as the program keeps it, which is what it would hash: a tag, the text, a zero.
fn encoded(text: &[u8]) -> Vec<u8> {
    [&[5], text, &[0]].concat()
}

/// FNV-1a of a byte slice: its length as eight bytes, then the bytes.
fn fnv_of(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

/// `2^stages` texts that are alike in the low 32 bits of FNV-1a, so that they share a bucket in any table.
///
/// One after the other, pairs of eight letters are found that lead from one state of these bits to one other (Joux,
/// "Multicollisions in iterated hash functions", CRYPTO 2004). The low bits of a product depend on low bits alone.
pub fn fnv(stages: usize) -> Vec<String> {
    let length = (8 * stages + 2) as u64;
    let begun = fnv_of(0xCBF2_9CE4_8422_2325, &length.to_le_bytes());
    let mut state = fnv_of(begun, &encoded(b"")[..1]);
    let (mut keys, mut random) = (vec![Vec::new()], Random(1));
    for _ in 0..stages {
        let mut seen = std::collections::HashMap::new();
        let (one, other) = loop {
            let block = random.letters();
            match seen.insert(fnv_of(state, &block) as u32, block) {
                Some(earlier) if earlier != block => break (earlier, block),
                _ => {}
            }
        };
        state = fnv_of(state, &one);
        keys =
            keys.iter().flat_map(|key: &Vec<u8>| [one, other].map(|block| [key.as_slice(), &block].concat())).collect();
    }
    let hash = |key: &Vec<u8>| fnv_of(begun, &encoded(key)) as u32;
    assert!(keys.iter().all(|key| hash(key) == hash(&keys[0])), "they collide");
    keys.into_iter().map(|key| String::from_utf8(key).expect("letters")).collect()
}

struct Random(u64);

impl Random {
    fn letters(&mut self) -> [u8; 8] {
        let mut letter = || {
            self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            b'a' + ((self.0 >> 33) % 26) as u8
        };
        [(); 8].map(|()| letter())
    }
}

/// One step of the hash of Firefox and of rustc before 2.0.
fn fx_step(state: u64, word: u64) -> u64 {
    (state.rotate_left(5) ^ word).wrapping_mul(0x517C_C1B7_2722_0A95)
}

/// `choices^blocks` texts with one FxHash: of two words that follow each other, the second undoes what the first did.
pub fn fx(choices: usize, blocks: usize) -> Vec<String> {
    // What needs no escape in JSON.
    let harmless = |byte: &u8| (0x20..0x7F).contains(byte) && *byte != b'"' && *byte != b'\\';
    let mut state = fx_step(0, (16 * blocks + 1) as u64);
    let (mut keys, mut random) = (vec![Vec::new()], Random(1));
    for block in 0..blocks {
        // What the block is to come to. Low bits depend on few letters, so that not every aim can be met.
        let (mut aim, mut found, mut tries) = (0, Vec::new(), 0);
        while found.len() < choices {
            if tries % (choices << 16) == 0 {
                (aim, found) = (fx_step(0, u64::from_le_bytes(random.letters())), Vec::new());
            }
            tries += 1;
            let mut first = random.letters();
            if block == 0 {
                first[0] = encoded(b"")[0];
            }
            let second = (fx_step(state, u64::from_le_bytes(first)).rotate_left(5) ^ aim).to_le_bytes();
            if second.iter().all(harmless) {
                found.push([first, second].concat());
            }
        }
        // After either of them.
        state = fx_step(0, aim);
        keys =
            keys.iter().flat_map(|key: &Vec<u8>| found.iter().map(|block| [key.as_slice(), block].concat())).collect();
    }
    let hash = |key: &Vec<u8>| {
        let words = key.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("8 bytes")));
        words.fold(fx_step(0, (16 * blocks + 1) as u64), fx_step)
    };
    assert!(keys.iter().all(|key| hash(key) == hash(&keys[0])), "they collide");
    // Without the tag, which the program puts there.
    keys.into_iter().map(|key| String::from_utf8(key[1..].to_vec()).expect("ASCII")).collect()
}
