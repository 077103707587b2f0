//! Where in a block the bytes stand that give it structure. A block is gone through once, many bytes
//! at a time with what the processor has for it, and what comes after needs to look at these places only.
//!
//! AVX-512 or AVX2 are used where they are there when the program runs, else what every processor
//! has; all find the same.

#![allow(unsafe_code)]

use std::ops::Range;
use wide::u8x16;

/// Bytes that are looked at together; a bit of a `u64` tells of each, the lowest of the first.
const WIDTH: usize = 64;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What a JSON string cannot simply contain: quotes, backslashes, control characters (newlines among them).
    JsonSpecial,
    /// Any of these bytes.
    AnyOf([u8; 3]),
}

/// The places of certain bytes, in order.
#[derive(Debug, Default)]
pub struct Marks {
    /// Longer than there are places, so that many can be written at once.
    places: Vec<u32>,
    count: usize,
    /// Runs of chunks, by their numbers, outside of which all bytes are ASCII.
    wide: Vec<Range<usize>>,
}

/// Chunks of ASCII that are taken into such a run, so that runs are not many.
const GAP: usize = 4;

impl Marks {
    /// The places.
    #[inline]
    pub fn places(&self) -> &[u32] {
        &self.places[..self.count]
    }

    /// Finds the places in a block of less than 4 GiB.
    pub fn find(&mut self, bytes: &[u8], wanted: Wanted) {
        self.count = 0;
        self.wide.clear();
        let (chunks, rest) = bytes.as_chunks::<WIDTH>();
        self.find_in(chunks, wanted);
        if !rest.is_empty() {
            if wanted == Wanted::JsonSpecial && !rest.is_ascii() {
                self.note_wide(chunks.len());
            }
            let mut last = [0; WIDTH];
            last[..rest.len()].copy_from_slice(rest);
            let begun = chunks.len() * WIDTH;
            self.room();
            let bits = portable(&last, wanted) & ((1 << rest.len()) - 1);
            self.count += write_bits(&mut self.places[self.count..], bits, begun as u32);
        }
    }

    /// Whether the block in which JSON was looked for last is UTF-8.
    pub fn are_in_utf8(&self, bytes: &[u8]) -> bool {
        // No character reaches from a chunk that is not ASCII into one that is.
        let text = |run: &Range<usize>| &bytes[run.start * WIDTH..(run.end * WIDTH).min(bytes.len())];
        self.wide.iter().all(|run| simdutf8::basic::from_utf8(text(run)).is_ok())
    }

    /// Notes a chunk that is not ASCII, the last one so far.
    #[inline]
    fn note_wide(&mut self, chunk: usize) {
        match self.wide.last_mut() {
            Some(run) if chunk - run.end <= GAP => run.end = chunk + 1,
            _ => self.wide.push(chunk..chunk + 1),
        }
    }

    fn find_in(&mut self, chunks: &[[u8; WIDTH]], wanted: Wanted) {
        #[cfg(target_arch = "x86_64")]
        if self.find_x86(chunks, wanted) {
            return;
        }
        self.find_portably(chunks, wanted);
    }

    fn find_portably(&mut self, chunks: &[[u8; WIDTH]], wanted: Wanted) {
        for (index, chunk) in chunks.iter().enumerate() {
            self.room();
            if wanted == Wanted::JsonSpecial && !chunk.is_ascii() {
                self.note_wide(index);
            }
            let bits = portable(chunk, wanted);
            self.count += write_bits(&mut self.places[self.count..], bits, (index * WIDTH) as u32);
        }
    }

    /// Sees to it that the places of a chunk can be written.
    #[inline(always)]
    fn room(&mut self) {
        if self.places.len() < self.count + WIDTH {
            self.places.resize((2 * self.places.len()).max(16 * WIDTH), 0);
        }
    }
}

/// 64 bytes, of each of which the bits tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told<const N: usize> {
    /// Where they begin.
    pub begun: usize,
    /// Which of them are the first wanted byte, the second, and so on.
    pub wanted: [u64; N],
    /// Up to which of them, it included, the first wanted byte has stood an odd number of times.
    pub odd: u64,
}

/// Looks at one chunk after the other. A trait and not only a closure, so that it can be compiled as part of what finds the
/// chunks, for the same processor.
pub trait Visit<const N: usize> {
    /// Takes the next one; false if there need be no more.
    fn visit(&mut self, told: Told<N>) -> bool;
}

impl<const N: usize, F: FnMut(Told<N>) -> bool> Visit<N> for F {
    #[inline(always)]
    fn visit(&mut self, told: Told<N>) -> bool {
        self(told)
    }
}

/// Has `visit` look at each 64 bytes, but at fewer at the end not, until it says false.
pub fn each_chunk<const N: usize>(bytes: &[u8], wanted: [u8; N], visit: impl Visit<N>) {
    let (chunks, _) = bytes.as_chunks::<WIDTH>();
    #[cfg(target_arch = "x86_64")]
    x86::each_chunk(chunks, wanted, visit);
    #[cfg(not(target_arch = "x86_64"))]
    each_portably(chunks, wanted, visit);
}

#[inline(always)]
fn each_portably<const N: usize>(chunks: &[[u8; WIDTH]], wanted: [u8; N], mut visit: impl Visit<N>) {
    for (index, chunk) in chunks.iter().enumerate() {
        let wanted = wanted.map(|byte| portable(chunk, Wanted::AnyOf([byte; 3])));
        let odd = [1, 2, 4, 8, 16, 32].into_iter().fold(wanted[0], |odd, reach| odd ^ odd << reach);
        if !visit.visit(Told { begun: index * WIDTH, wanted, odd }) {
            return;
        }
    }
}

/// Writes the places of the bits that are set, and some that mean nothing after them; says how many are set.
#[inline(always)]
pub(super) fn write_bits(places: &mut [u32], mut bits: u64, begun: u32) -> usize {
    let count = bits.count_ones() as usize;
    for group in places[..WIDTH].chunks_exact_mut(4).take(count.div_ceil(4)) {
        for place in group {
            *place = begun.wrapping_add(bits.trailing_zeros());
            bits &= bits.wrapping_sub(1);
        }
    }
    count
}

/// Which bytes of a chunk are wanted, sixteen at a time, as every processor can.
#[inline(always)]
fn portable(chunk: &[u8; WIDTH], wanted: Wanted) -> u64 {
    let by_sixteen = |marked: &dyn Fn(u8x16) -> u8x16| {
        let (parts, _) = chunk.as_chunks::<16>();
        let bits = |part: &[u8; 16]| u64::from(marked(u8x16::new(*part)).move_mask() as u16);
        parts.iter().rev().fold(0, |all, part| all << 16 | bits(part))
    };
    match wanted {
        Wanted::JsonSpecial => by_sixteen(&|bytes| {
            // Flipping one bit puts the quote (22) to 20, next to the control characters, which stay
            // among themselves, and the blank (20) and the exclamation mark (21) above it.
            let low = bytes ^ u8x16::splat(0x02);
            low.min(u8x16::splat(0x20)).cmp_eq(low) | bytes.cmp_eq(u8x16::splat(b'\\'))
        }),
        Wanted::AnyOf([a, b, c]) => by_sixteen(&|bytes| {
            bytes.cmp_eq(u8x16::splat(a)) | bytes.cmp_eq(u8x16::splat(b)) | bytes.cmp_eq(u8x16::splat(c))
        }),
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Marks, Told, Visit, WIDTH, Wanted, write_bits};
    use std::arch::x86_64::*;

    impl Marks {
        /// Finds the places with AVX-512 or AVX2; false, and nothing done, where there is neither.
        pub(super) fn find_x86(&mut self, chunks: &[[u8; WIDTH]], wanted: Wanted) -> bool {
            if is_x86_feature_detected!("avx512vbmi2") && is_x86_feature_detected!("avx512bw") {
                // SAFETY: the processor has been asked for what the function is compiled for.
                unsafe { find_avx512(self, chunks, wanted) }
                return true;
            }
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("popcnt")
            {
                // SAFETY: as above.
                unsafe { find_avx2(self, chunks, wanted) }
                return true;
            }
            false
        }
    }

    /// As [`super::each_chunk`].
    #[inline]
    pub(super) fn each_chunk<const N: usize>(chunks: &[[u8; WIDTH]], wanted: [u8; N], visit: impl Visit<N>) {
        let has_rest = is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("pclmulqdq");
        if is_x86_feature_detected!("avx512bw") && has_rest {
            // SAFETY: the processor has been asked for what the function is compiled for.
            unsafe { each_avx512(chunks, wanted, visit) }
        } else if is_x86_feature_detected!("avx2") && has_rest {
            // SAFETY: as above.
            unsafe { each_avx2(chunks, wanted, visit) }
        } else {
            super::each_portably(chunks, wanted, visit);
        }
    }

    /// A bit for each place up to which an odd number of bits are set: without carries, a product with ones.
    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    fn odd_up_to(bits: u64) -> u64 {
        let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product) as u64
    }

    #[target_feature(enable = "avx512f,avx512bw,lzcnt,popcnt,bmi1,pclmulqdq")]
    pub(super) fn each_avx512<const N: usize>(chunks: &[[u8; WIDTH]], wanted: [u8; N], mut visit: impl Visit<N>) {
        let wanted = wanted.map(|byte| _mm512_set1_epi8(byte as i8));
        for (index, chunk) in chunks.iter().enumerate() {
            // SAFETY: 64 bytes are read from an array of as many, which need not be aligned.
            let bytes = unsafe { _mm512_loadu_si512(chunk.as_ptr().cast()) };
            let wanted = wanted.map(|byte| _mm512_cmpeq_epi8_mask(bytes, byte));
            if !visit.visit(Told { begun: index * WIDTH, wanted, odd: odd_up_to(wanted[0]) }) {
                return;
            }
        }
    }

    #[target_feature(enable = "avx2,lzcnt,popcnt,bmi1,pclmulqdq")]
    pub(super) fn each_avx2<const N: usize>(chunks: &[[u8; WIDTH]], wanted: [u8; N], mut visit: impl Visit<N>) {
        let wanted = wanted.map(|byte| _mm256_set1_epi8(byte as i8));
        for (index, chunk) in chunks.iter().enumerate() {
            let (halves, _) = chunk.as_chunks::<32>();
            // SAFETY: 32 bytes are read from an array of as many, which need not be aligned.
            let [low, high] = [0, 1].map(|half: usize| unsafe { _mm256_loadu_si256(halves[half].as_ptr().cast()) });
            let bits = |half, byte| u64::from(_mm256_movemask_epi8(_mm256_cmpeq_epi8(half, byte)) as u32);
            let wanted = wanted.map(|byte| bits(low, byte) | bits(high, byte) << 32);
            if !visit.visit(Told { begun: index * WIDTH, wanted, odd: odd_up_to(wanted[0]) }) {
                return;
            }
        }
    }

    #[target_feature(enable = "avx2,bmi1,popcnt")]
    pub(super) fn find_avx2(marks: &mut Marks, chunks: &[[u8; WIDTH]], wanted: Wanted) {
        let splat = |byte: u8| _mm256_set1_epi8(byte as i8);
        match wanted {
            Wanted::JsonSpecial => go::<true>(marks, chunks, |bytes| {
                let low = _mm256_xor_si256(bytes, splat(2));
                let low = _mm256_cmpeq_epi8(_mm256_min_epu8(low, splat(0x20)), low);
                _mm256_or_si256(low, _mm256_cmpeq_epi8(bytes, splat(b'\\')))
            }),
            Wanted::AnyOf(any) => {
                let [a, b, c] = any.map(splat);
                go::<false>(marks, chunks, |bytes| {
                    let two = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, a), _mm256_cmpeq_epi8(bytes, b));
                    _mm256_or_si256(two, _mm256_cmpeq_epi8(bytes, c))
                });
            }
        }

        #[inline]
        #[target_feature(enable = "avx2,bmi1,popcnt")]
        fn go<const NOTES_WIDE: bool>(marks: &mut Marks, chunks: &[[u8; WIDTH]], marked: impl Fn(__m256i) -> __m256i) {
            for (index, chunk) in chunks.iter().enumerate() {
                marks.room();
                let (halves, _) = chunk.as_chunks::<32>();
                // SAFETY: 32 bytes are read from an array of as many, which need not be aligned.
                let bytes = [0, 1].map(|half: usize| unsafe { _mm256_loadu_si256(halves[half].as_ptr().cast()) });
                if NOTES_WIDE && _mm256_movemask_epi8(_mm256_or_si256(bytes[0], bytes[1])) != 0 {
                    marks.note_wide(index);
                }
                let [low, high] = bytes.map(|half| _mm256_movemask_epi8(marked(half)) as u32);
                let bits = u64::from(low) | u64::from(high) << 32;
                marks.count += write_bits(&mut marks.places[marks.count..], bits, (index * WIDTH) as u32);
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
    pub(super) fn find_avx512(marks: &mut Marks, chunks: &[[u8; WIDTH]], wanted: Wanted) {
        let splat = |byte: u8| _mm512_set1_epi8(byte as i8);
        match wanted {
            Wanted::JsonSpecial => go::<true>(marks, chunks, |bytes| {
                let low = _mm512_xor_si512(bytes, splat(2));
                _mm512_cmple_epu8_mask(low, splat(0x20)) | _mm512_cmpeq_epi8_mask(bytes, splat(b'\\'))
            }),
            Wanted::AnyOf(any) => {
                let [a, b, c] = any.map(splat);
                go::<false>(marks, chunks, |bytes| {
                    _mm512_cmpeq_epi8_mask(bytes, a)
                        | _mm512_cmpeq_epi8_mask(bytes, b)
                        | _mm512_cmpeq_epi8_mask(bytes, c)
                });
            }
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
        fn go<const NOTES_WIDE: bool>(marks: &mut Marks, chunks: &[[u8; WIDTH]], marked: impl Fn(__m512i) -> u64) {
            const IOTA: [u8; WIDTH] = {
                let mut iota = [0; WIDTH];
                let mut i = 0;
                while i < WIDTH {
                    iota[i] = i as u8;
                    i += 1;
                }
                iota
            };
            // SAFETY: 64 bytes are read from an array of as many, which need not be aligned.
            let load = |chunk: &[u8; WIDTH]| unsafe { _mm512_loadu_si512(chunk.as_ptr().cast()) };
            let iota = load(&IOTA);
            for (index, chunk) in chunks.iter().enumerate() {
                marks.room();
                let bytes = load(chunk);
                if NOTES_WIDE && _mm512_movepi8_mask(bytes) != 0 {
                    marks.note_wide(index);
                }
                let bits = marked(bytes);
                let count = bits.count_ones() as usize;
                let mut which = _mm512_maskz_compress_epi8(bits, iota);
                let begun = _mm512_set1_epi32((index * WIDTH) as i32);
                let (groups, _) = marks.places[marks.count..].as_chunks_mut::<16>();
                for group in groups.iter_mut().take(count.div_ceil(16)) {
                    let places = _mm512_add_epi32(begun, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(which)));
                    // SAFETY: 16 numbers of 4 bytes are written to an array of as many, which need not be aligned.
                    unsafe { _mm512_storeu_si512(group.as_mut_ptr().cast(), places) };
                    which = _mm512_shuffle_i32x4::<0b00_11_10_01>(which, which);
                }
                marks.count += count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Wanted; 3] = [Wanted::JsonSpecial, Wanted::AnyOf(*b",\n\""), Wanted::AnyOf([0, 0xFF, 0x80])];

    /// One byte after the other.
    fn plainly(bytes: &[u8], wanted: Wanted) -> Vec<u32> {
        let is_wanted = |byte: &u8| match wanted {
            Wanted::JsonSpecial => *byte < 0x20 || matches!(byte, b'"' | b'\\'),
            Wanted::AnyOf(any) => any.contains(byte),
        };
        (0..).zip(bytes).filter(|(_, byte)| is_wanted(byte)).map(|(place, _)| place).collect()
    }

    type Way = fn(&mut Marks, &[[u8; WIDTH]], Wanted);

    /// Each way to find them that this processor has.
    fn in_all_ways(bytes: &[u8], wanted: Wanted) -> Vec<(&'static str, Marks)> {
        let mut ways: Vec<(&str, Way)> = vec![("portable", Marks::find_portably)];
        #[cfg(target_arch = "x86_64")]
        {
            // SAFETY: each is only called where the processor has what it is compiled for.
            if is_x86_feature_detected!("avx2") {
                ways.push(("AVX2", |marks, chunks, wanted| unsafe { x86::find_avx2(marks, chunks, wanted) }));
            }
            if is_x86_feature_detected!("avx512vbmi2") {
                ways.push(("AVX-512", |marks, chunks, wanted| unsafe { x86::find_avx512(marks, chunks, wanted) }));
            }
        }
        let (chunks, _) = bytes.as_chunks();
        let find = |(name, way): (&'static str, Way)| {
            let mut marks = Marks::default();
            way(&mut marks, chunks, wanted);
            (name, marks)
        };
        ways.into_iter().map(find).collect()
    }

    #[test]
    fn every_byte_is_told_apart_in_every_place() {
        for byte in 0..=255 {
            for place in 0..WIDTH {
                let mut chunk = [b'a'; WIDTH];
                chunk[place] = byte;
                for wanted in ALL {
                    for (way, marks) in in_all_ways(&chunk, wanted) {
                        assert_eq!(marks.places(), plainly(&chunk, wanted), "{way}: {byte} at {place}, {wanted:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn chunks_are_told_apart_in_all_ways() {
        let bytes: Vec<u8> = (0..1000u32).map(|i| b"\",\n\rabc\xFF"[(i * i % 61 % 8) as usize]).collect();
        let wanted = *b"\",\n\r";
        let (chunks, _) = bytes.as_chunks::<WIDTH>();
        let bits = |chunk: &[u8; WIDTH], byte| (0..64).map(|place| u64::from(chunk[place] == byte) << place).sum();
        let odd = |chunk: &[u8; WIDTH]| {
            let is_odd = |place: &i32| chunk[..=*place as usize].iter().filter(|byte| **byte == b'"').count() % 2 == 1;
            (0..64).filter(is_odd).map(|place| 1 << place).sum()
        };
        let told = |(index, chunk): (usize, &[u8; WIDTH])| Told {
            begun: index * WIDTH,
            wanted: wanted.map(|byte| bits(chunk, byte)),
            odd: odd(chunk),
        };
        let expected: Vec<Told<4>> = chunks.iter().enumerate().map(told).collect();
        type Visit<'a> = &'a mut dyn FnMut(Told<4>) -> bool;
        let gather = |each: &dyn Fn(Visit<'_>)| {
            let mut found = Vec::new();
            each(&mut |told| {
                found.push(told);
                true
            });
            found
        };
        assert_eq!(gather(&|visit| each_chunk(&bytes, wanted, visit)), expected);
        assert_eq!(gather(&|visit| each_portably(chunks, wanted, visit)), expected);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("pclmulqdq")
        {
            // SAFETY: the processor has just been asked.
            assert_eq!(gather(&|visit| unsafe { x86::each_avx2(chunks, wanted, visit) }), expected);
        }
        let mut visits = 0;
        each_chunk(&bytes, wanted, |_| {
            visits += 1;
            visits < 3
        });
        assert_eq!(visits, 3);
    }

    #[test]
    fn all_ways_find_the_same_in_bytes_of_any_length_and_density() {
        let mut state = 1u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u32
        };
        let mut marks = Marks::default();
        for density in [0, 1, 2, 7, 50, 200, 256] {
            for length in (0..300).chain([1000, 4096, 70_000]) {
                let mut byte =
                    || if random() % 256 < density { b"\"\\\n,\x00\x1f\x80\xff"[random() as usize % 8] } else { b'x' };
                let bytes: Vec<u8> = (0..length).map(|_| byte()).collect();
                let start = bytes.len().min(random() as usize % 64);
                let bytes = &bytes[start..];
                for wanted in ALL {
                    let expected = plainly(bytes, wanted);
                    marks.find(bytes, wanted);
                    assert_eq!(marks.places(), expected, "{} bytes, {wanted:?}", bytes.len());
                    let whole = &bytes[..bytes.len() / WIDTH * WIDTH];
                    for (way, marks) in in_all_ways(bytes, wanted) {
                        assert_eq!(marks.places(), plainly(whole, wanted), "{way}: {} bytes, {wanted:?}", bytes.len());
                    }
                }
            }
        }
    }

    #[test]
    fn utf8_is_told_as_of_the_whole_block_in_all_ways() {
        let mut state = 7u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let texts = ["é", "東京", "\u{10FFFF}", "a", " and more of it ", "\u{80}"];
        let mut told = [0; 2];
        for _ in 0..4000 {
            let mut bytes = Vec::new();
            for _ in 0..random(8) {
                bytes.resize(bytes.len() + random(400), b'x');
                bytes.extend_from_slice(texts[random(texts.len())].as_bytes());
            }
            if random(2) == 0 && !bytes.is_empty() {
                let place = random(bytes.len());
                match random(3) {
                    0 => bytes[place] = [0x80, 0xC3, 0xE6, 0xF4, 0xFF][random(5)],
                    1 => drop(bytes.remove(place)),
                    _ => bytes.truncate(place),
                }
            }
            let expected = std::str::from_utf8(&bytes).is_ok();
            let mut marks = Marks::default();
            marks.find(&bytes, Wanted::JsonSpecial);
            assert_eq!(marks.are_in_utf8(&bytes), expected, "{}", bytes.escape_ascii());
            bytes.resize(bytes.len().next_multiple_of(WIDTH), b'x');
            let expected = std::str::from_utf8(&bytes).is_ok();
            for (way, marks) in in_all_ways(&bytes, Wanted::JsonSpecial) {
                assert_eq!(marks.are_in_utf8(&bytes), expected, "{way}: {}", bytes.escape_ascii());
            }
            told[usize::from(expected)] += 1;
        }
        assert!(told.iter().all(|times| *times > 500), "{told:?}");
    }
}
