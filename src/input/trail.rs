//! Records that are like those before them. The records of a log have the same names in the same
//! order, so the reader of one leaves a trail for the next: what stood between the values, and what
//! kind each was. Following it checks that the same bytes stand there, and that what lies between them is
//! a value; where they stand is told by the [marks](super::marks) of the block. Whatever is not as
//! expected is for the reader that knows all of JSON; both say the same of a record that both can read.

use super::json::{Kind, Scanner, Token};
use wide::u8x16;

/// Steps that are remembered; a log may have any number of names.
const MOST_STEPS: usize = 256;
/// Longest text between two values that is remembered.
const LONGEST_LEAD: usize = 32;
/// Records that are left out at most after some that were not as expected.
const MOST_DOUBT: u32 = 64;

/// What records were like.
#[derive(Default)]
pub struct Trail {
    /// The first is the place before a record, the second what matches nothing.
    steps: Vec<Step>,
    /// How many records to leave out after the next that is not as expected, and how many still.
    doubt: u32,
    left_out: u32,
    /// Whether the last record was one of these.
    was_left_out: bool,
    /// Whether there are values that have to be read to know where they end.
    has_any: bool,
}

/// What stood before a value, and the value.
#[derive(Clone, Debug)]
struct Step {
    lead: Lead,
    value: Value,
    wanted: Wanted,
    /// The steps that came next, the last one first.
    next: [u16; 2],
}

/// What stands between two values: the quote that ends a string, a comma or brace, the name, the
/// colon, the quote that begins a string.
#[derive(Clone, Debug)]
struct Lead {
    bytes: [u8x16; 2],
    mask: [u8x16; 2],
    length: usize,
    /// How many of its bytes are marked, and where the first of them stands; nowhere if nothing is to match.
    marks: usize,
    first_mark: usize,
}

/// What stands after a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    /// A string, without escapes most likely.
    Text,
    /// A number or a word, most likely.
    Plain,
    /// Anything else.
    Any,
    /// None: the lead ends the record, and this many of its bytes are the line end.
    End(u8),
    /// None: nothing has come here yet.
    Unknown,
}

/// Where a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nowhere.
    No,
    /// To this slot.
    Slot(u32),
    /// To whoever knows the member at this index, with what is in it.
    Member(u32),
}

/// Takes the values that are found.
pub trait Take {
    /// Where the values of a name go.
    fn wanted(&self, name: Token, bytes: &[u8]) -> Wanted;

    /// A value for a slot.
    fn put(&mut self, slot: u32, token: Token);

    /// Reads the value at the scanner, which goes to a member.
    fn member(&mut self, member: u32, scanner: &mut Scanner<'_>, bytes: &[u8]) -> Option<()>;
}

/// A block and the places of its quotes, backslashes and control characters.
#[derive(Clone, Copy)]
pub struct Marked<'a> {
    /// The block.
    pub bytes: &'a [u8],
    /// The places.
    pub marks: &'a [u32],
}

/// Where a record that was read ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The byte after its last, without the line end.
    pub text: usize,
    /// Where the next begins.
    pub next: usize,
}

impl Trail {
    /// Reads the record at `start`. `mark` is the first mark in it, and is moved to the first after it.
    /// `None` if it is not as expected; it may be well-formed nevertheless.
    #[inline]
    pub fn follow(&mut self, block: Marked<'_>, mark: &mut usize, start: usize, take: &mut impl Take) -> Option<Ends> {
        if !self.has_any
            && let Some((ends, marks)) = self.follow_straight(block, *mark, start, take)
        {
            *mark += marks;
            return Some(ends);
        }
        self.follow_around(block, mark, start, take)
    }

    /// As [`Trail::follow`], for a record with the same names as the last, and strings, numbers and words only.
    /// Says how many marks it has, too. Most records are read here, so that it does little else.
    #[inline(never)]
    fn follow_straight(
        &self,
        Marked { bytes, marks }: Marked<'_>,
        mark: usize,
        start: usize,
        take: &mut impl Take,
    ) -> Option<(Ends, usize)> {
        let marks = marks.get(mark..)?;
        let mut last = self.steps.first()?;
        let (mut from, mut next_mark) = (start, 0);
        loop {
            let step = self.steps.get(usize::from(last.next[0]))?;
            let mut at = (*marks.get(next_mark)? as usize).wrapping_sub(step.lead.first_mark);
            let mut escaped = false;
            if !step.lead.is_at(bytes, at) {
                (at, next_mark) = last.past_escapes(bytes, marks, next_mark)?;
                escaped = true;
                if !step.lead.is_at(bytes, at) {
                    return None;
                }
            }
            let kind = match last.value {
                // No mark but those of its escapes stands between the quotes.
                Value::Text => Kind::Text { escaped },
                Value::Plain => plain(bytes, from, at)?,
                Value::Unknown if at == start => Kind::Null,
                Value::Unknown | Value::Any | Value::End(_) => return None,
            };
            if let Wanted::Slot(slot) = last.wanted {
                take.put(slot, Token { kind, start: from, end: at });
            }
            from = at + step.lead.length;
            next_mark += step.lead.marks;
            if let Value::End(line_end) = step.value {
                return Some((Ends { text: from - usize::from(line_end), next: from }, next_mark));
            }
            last = step;
        }
    }

    /// As [`Trail::follow`], for any record.
    fn follow_around(
        &mut self,
        block: Marked<'_>,
        mark: &mut usize,
        start: usize,
        take: &mut impl Take,
    ) -> Option<Ends> {
        let Marked { bytes, marks } = block;
        let (mut here, mut from, mut next_mark) = (0, start, *mark);
        // Where the next lead has to stand, once the value before it has been read.
        let mut known = Some(start);
        if self.steps.is_empty() {
            return None;
        }
        loop {
            let found = self.next(here, bytes, *marks.get(next_mark)? as usize);
            let Step { value, wanted, .. } = self.steps[here];
            let (index, at) = match found {
                Some(found) if known.is_some() || value != Value::Any => found,
                None if known.is_some() => return None,
                // A container, a string with escapes, or something new.
                _ => {
                    let end = self.read(here, bytes, from, take)?;
                    next_mark += marks[next_mark..].iter().take_while(|mark| (**mark as usize) < end).count();
                    known = Some(end);
                    continue;
                }
            };
            if let Some(known) = known.take() {
                if at != known {
                    return None;
                }
            } else {
                let kind = match value {
                    // No mark stands between the quotes.
                    Value::Text => Kind::Text { escaped: false },
                    _ => plain(bytes, from, at)?,
                };
                if let Wanted::Slot(slot) = wanted {
                    take.put(slot, Token { kind, start: from, end: at });
                }
            }
            let Step { lead, value, .. } = &self.steps[index];
            here = index;
            from = at + lead.length;
            next_mark += lead.marks;
            if let Value::End(line_end) = value {
                *mark = next_mark;
                return Some(Ends { text: from - usize::from(*line_end), next: from });
            }
        }
    }

    /// The step after one, and where its lead stands, given the place of the first mark in that.
    #[inline]
    fn next(&mut self, here: usize, bytes: &[u8], mark: usize) -> Option<(usize, usize)> {
        let [first, second] = self.steps[here].next;
        let stands = |index: u16| {
            let lead = &self.steps[usize::from(index)].lead;
            let at = mark.checked_sub(lead.first_mark)?;
            lead.is_at(bytes, at).then_some((usize::from(index), at))
        };
        if let Some(found) = stands(first) {
            return Some(found);
        }
        let found = stands(second)?;
        self.steps[here].next = [second, first];
        Some(found)
    }

    /// Reads the value after a lead, whatever it is; says where the next lead has to stand.
    #[cold]
    fn read(&self, here: usize, bytes: &[u8], from: usize, take: &mut impl Take) -> Option<usize> {
        let Step { value, wanted, .. } = self.steps[here];
        // No value goes on in the next line.
        let line = memchr::memchr(b'\n', &bytes[from..]).map_or(bytes, |length| &bytes[..from + length]);
        let mut scanner = Scanner::at(line, from);
        if let Wanted::Member(member) = wanted {
            take.member(member, &mut scanner, line)?;
            return Some(scanner.at);
        }
        let token = if value == Value::Text { scanner.text().ok()? } else { scanner.value(1).ok()? };
        if let Wanted::Slot(slot) = wanted {
            take.put(slot, token);
        }
        // The quote that ends a string belongs to what follows it.
        Some(if value == Value::Text { token.end } else { scanner.at })
    }

    /// Whether to try the next record: not after many that were not as expected.
    #[inline]
    pub fn is_trusted(&mut self) -> bool {
        self.was_left_out = self.left_out > 0;
        self.left_out = self.left_out.saturating_sub(1);
        !self.was_left_out
    }

    /// The record was as expected.
    #[inline]
    pub fn confirm(&mut self) {
        self.doubt = 0;
    }

    /// Leaves a trail for records like this one, which is well-formed and ends with a newline. `None` where there
    /// is no room for more.
    #[cold]
    pub fn learn(&mut self, line: &[u8], take: &impl Take) -> Option<()> {
        if self.was_left_out {
            return None;
        }
        self.left_out = self.doubt;
        self.doubt = (self.doubt * 2 + 1).min(MOST_DOUBT);
        if self.steps.is_empty() {
            let nothing = Step::new(b"", Value::Unknown, Wanted::No)?;
            self.steps.extend([nothing.clone(), nothing]);
        }
        let mut scanner = Scanner::new(line);
        let (mut here, mut from) = (0, 0);
        scanner.skip_blank();
        loop {
            // Past the brace or comma.
            scanner.at += 1;
            scanner.skip_blank();
            if scanner.peek() == Some(b'}') {
                return self.end(here, &line[from..]);
            }
            let name = scanner.name().ok()?;
            let wanted = take.wanted(name, line);
            let value = match (scanner.peek()?, wanted) {
                (_, Wanted::Member(_)) | (b'{' | b'[', _) => Value::Any,
                (b'"', _) => Value::Text,
                _ => Value::Plain,
            };
            let is_text = value == Value::Text;
            self.has_any |= value == Value::Any;
            here = self.step(here, &line[from..scanner.at + usize::from(is_text)], value, wanted)?;
            let token = scanner.value(1).ok()?;
            from = if is_text { token.end } else { scanner.at };
            scanner.skip_blank();
            if scanner.peek() == Some(b'}') {
                return self.end(here, &line[from..]);
            }
        }
    }

    fn end(&mut self, here: usize, rest: &[u8]) -> Option<()> {
        let line_end = if rest.ends_with(b"\r") { 2 } else { 1 };
        self.step(here, &[rest, b"\n"].concat(), Value::End(line_end), Wanted::No).map(|_| ())
    }

    /// Notes that this came after the step `here`.
    fn step(&mut self, here: usize, lead: &[u8], value: Value, wanted: Wanted) -> Option<usize> {
        let step = Step::new(lead, value, wanted)?;
        let is_same = |known: &Step| known.value == value && known.wanted == wanted && known.lead == step.lead;
        let index = match self.steps.iter().position(is_same) {
            Some(index) => index,
            None if self.steps.len() < MOST_STEPS => {
                self.steps.push(step);
                self.steps.len() - 1
            }
            None => return None,
        };
        let [first, _] = self.steps[here].next;
        if usize::from(first) != index {
            self.steps[here].next = [index as u16, first];
        }
        Some(index)
    }
}

impl Step {
    /// A step to which nothing is next. None if the lead is too long to remember.
    fn new(lead: &[u8], value: Value, wanted: Wanted) -> Option<Step> {
        Some(Step { lead: Lead::new(lead)?, value, wanted, next: [1, 1] })
    }
}

impl Step {
    /// Where the string after this lead ends, which has escapes, and the mark of the quote there. `None` if it is no
    /// string, and for escapes that JSON does not know.
    #[inline(never)]
    fn past_escapes(&self, bytes: &[u8], marks: &[u32], mut next_mark: usize) -> Option<(usize, usize)> {
        if self.value != Value::Text {
            return None;
        }
        loop {
            let place = *marks.get(next_mark)? as usize;
            if bytes[place] != b'\\' {
                return Some((place, next_mark));
            }
            next_mark += match bytes.get(place + 1)? {
                // Marked as well.
                b'"' | b'\\' => 2,
                b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 1,
                b'u' if bytes.get(place + 2..place + 6)?.iter().all(u8::is_ascii_hexdigit) => 1,
                _ => return None,
            };
        }
    }
}

impl PartialEq for Lead {
    fn eq(&self, other: &Lead) -> bool {
        self.length == other.length && self.bytes == other.bytes
    }
}

impl Lead {
    fn new(lead: &[u8]) -> Option<Lead> {
        let (mut bytes, mut mask) = ([0; LONGEST_LEAD], [0; LONGEST_LEAD]);
        bytes.get_mut(..lead.len())?.copy_from_slice(lead);
        mask[..lead.len()].fill(0xFF);
        let is_mark = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
        let halves = |all: [u8; LONGEST_LEAD]| {
            let (halves, _) = all.as_chunks::<16>();
            [u8x16::new(halves[0]), u8x16::new(halves[1])]
        };
        Some(Lead {
            bytes: halves(bytes),
            mask: halves(mask),
            length: lead.len(),
            marks: lead.iter().filter(|byte| is_mark(byte)).count(),
            first_mark: lead.iter().position(is_mark).unwrap_or(usize::MAX),
        })
    }

    /// Whether it stands at a place that is not near the end of the bytes.
    #[inline]
    fn is_at(&self, bytes: &[u8], at: usize) -> bool {
        let Some(window) = bytes.get(at..).and_then(|rest| rest.first_chunk::<LONGEST_LEAD>()) else { return false };
        let (halves, _) = window.as_chunks::<16>();
        let differs = |half: usize| (u8x16::new(halves[half]) ^ self.bytes[half]) & self.mask[half];
        let is_same = |bytes: u8x16| bytes.cmp_eq(u8x16::splat(0)).move_mask() == 0xFFFF;
        is_same(differs(0)) && (self.length <= 16 || is_same(differs(1)))
    }
}

/// What a value without quotes and brackets is that fills the bytes from `from` to `to`.
#[inline]
fn plain(bytes: &[u8], from: usize, to: usize) -> Option<Kind> {
    let text = bytes.get(from..to)?;
    if is_number(bytes, text, from) {
        return Some(Kind::Number);
    }
    match text {
        b"true" => Some(Kind::Bool(true)),
        b"false" => Some(Kind::Bool(false)),
        b"null" => Some(Kind::Null),
        _ => super::json::is_number(text).then_some(Kind::Number),
    }
}

/// Whether `text`, which stands at `from`, is a number of the common shape: `-?digits[.digits]`, and not long.
#[inline]
fn is_number(bytes: &[u8], text: &[u8], from: usize) -> bool {
    let is_negative = text.first() == Some(&b'-');
    let (from, length) = (from + usize::from(is_negative), text.len() - usize::from(is_negative));
    let Some(window) = bytes.get(from..).filter(|rest| rest.len() >= 16) else { return false };
    let chunk = window.first_chunk::<16>().map_or(u8x16::splat(0), |chunk| u8x16::new(*chunk));
    if length == 0 || length > 16 {
        return false;
    }
    let values = chunk - u8x16::splat(b'0');
    let digits = values.min(u8x16::splat(9)).cmp_eq(values).move_mask() as u32;
    let others = !digits & ((1 << length) - 1);
    let whole = (others | 1 << length).trailing_zeros() as usize;
    let is_pointed = || others == 1 << whole && whole + 1 < length && window.get(whole) == Some(&b'.');
    whole > 0 && (others == 0 || is_pointed()) && (whole == 1 || window[0] != b'0')
}
