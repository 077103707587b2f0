//! NDJSON: a JSON object a line. Fields are found in the bytes; no document is made.

use super::json::{JsonError, Kind, MAX_DEPTH, Scanner, Token, unescape};
use super::lines::{FindFields, LineDecoder, Side, candidates};
use super::record::{Found, Refusal};
use super::{Decode, FirstRecord, Format, Layout, Reading};
use crate::error::Error;
use crate::event::projection::{Field, Projection};
use crate::event::{Reason, TextSpan};
use std::sync::Arc;

/// The format.
pub struct Ndjson;

impl Format for Ndjson {
    fn first_record(&self, bytes: &[u8], _layout: &Layout, max_line: usize) -> Option<FirstRecord> {
        let utf8 = candidates(bytes, max_line).filter(|(_, line)| std::str::from_utf8(line).is_ok());
        utf8.into_iter().find_map(|(start, line)| Some(FirstRecord { start, names: names(line)?, is_header: false }))
    }

    fn decoder(&self, input: Reading<'_>) -> Result<Arc<dyn Decode>, Error> {
        let fields = Fields::new(&input.projection);
        Ok(Arc::new(LineDecoder::new(fields, input.projection, input.max_line)))
    }

    fn name(&self) -> String {
        "ndjson".into()
    }

    fn fields_vary(&self) -> bool {
        true
    }
}

/// Finds fields in objects.
struct Fields {
    root: Node,
    /// Per field, where its value turns up if it is a top-level name, and if it is a path.
    slots: Vec<FieldSlots>,
    slot_count: usize,
}

#[derive(Default)]
struct FieldSlots {
    name: Option<usize>,
    path: Option<usize>,
}

/// The names looked for in one object or array.
#[derive(Default)]
struct Node {
    members: Vec<Member>,
}

struct Member {
    name: Vec<u8>,
    /// Where values of this name go.
    slots: Vec<usize>,
    /// What is looked for inside such a value.
    inside: Node,
    /// The slots of `inside`: a second member of this name takes their values back (N5).
    slots_inside: Vec<usize>,
}

/// What stood in a place of the last record: a name with its quotes and colon, and whether it is looked for.
struct Habit {
    spelling: Box<[u8]>,
    /// The spelling in the low bytes and a mask over them, if it is short: then one comparison of integers tells.
    short: Option<(u128, u128)>,
    member: Option<usize>,
}

impl Habit {
    fn new(spelling: &[u8], member: Option<usize>) -> Habit {
        const SHORT: usize = size_of::<u128>();
        let short = (spelling.len() <= SHORT).then(|| {
            let (mut bytes, mut mask) = ([0; SHORT], [0; SHORT]);
            bytes[..spelling.len()].copy_from_slice(spelling);
            mask[..spelling.len()].fill(0xFF);
            (u128::from_le_bytes(bytes), u128::from_le_bytes(mask))
        });
        Habit { spelling: spelling.into(), short, member }
    }

    /// Whether the record goes on with this name.
    #[inline]
    fn is_next(&self, rest: &[u8]) -> bool {
        match (self.short, rest.first_chunk()) {
            (Some((spelling, mask)), Some(chunk)) => u128::from_le_bytes(*chunk) & mask == spelling,
            _ => rest.starts_with(&self.spelling),
        }
    }
}

/// Places that are remembered; a record may have any number of them.
const MOST_HABITS: usize = 256;

/// What a decoder writes into, record after record.
#[derive(Default)]
struct Scratch {
    tokens: Vec<Option<Token>>,
    habits: Vec<Habit>,
}

impl Node {
    fn insert(&mut self, path: &[String], slot: usize) {
        let Some((first, rest)) = path.split_first() else { return };
        let at = self.members.iter().position(|member| member.name == first.as_bytes()).unwrap_or_else(|| {
            let name = first.as_bytes().to_vec();
            self.members.push(Member { name, slots: Vec::new(), inside: Node::default(), slots_inside: Vec::new() });
            self.members.len() - 1
        });
        let member = &mut self.members[at];
        if rest.is_empty() {
            member.slots.push(slot);
        } else {
            member.slots_inside.push(slot);
            member.inside.insert(rest, slot);
        }
    }

    #[inline]
    fn find(&self, name: &[u8]) -> Option<usize> {
        self.members.iter().position(|member| member.name == name)
    }

    /// Passes the top-level object of a record. The records of a log are alike, so each name is
    /// first compared with the one that stood in its place in the record before.
    #[inline]
    fn walk_record(
        &self,
        scanner: &mut Scanner<'_>,
        bytes: &[u8],
        found: &mut [Option<Token>],
        habits: &mut Vec<Habit>,
    ) -> Result<(), JsonError> {
        scanner.at += 1;
        scanner.skip_blank();
        if scanner.peek() == Some(b'}') {
            scanner.at += 1;
            return Ok(());
        }
        for place in 0.. {
            let rest = &bytes[scanner.at..];
            let member = match habits.get(place) {
                Some(habit) if habit.is_next(rest) => {
                    scanner.at += habit.spelling.len();
                    scanner.skip_blank();
                    habit.member.map(|member| &self.members[member])
                }
                _ => {
                    let start = scanner.at;
                    let name = scanner.name()?;
                    let member = self.named(name, bytes);
                    let habit = Habit::new(&bytes[start..scanner.at], member);
                    match habits.get_mut(place) {
                        Some(old) => *old = habit,
                        None if place < MOST_HABITS => habits.push(habit),
                        None => {}
                    }
                    member.map(|member| &self.members[member])
                }
            };
            match member {
                Some(member) => member.take(scanner, bytes, 1, found)?,
                None => {
                    scanner.value(1)?;
                }
            }
            scanner.skip_blank();
            match scanner.peek() {
                Some(b',') => scanner.at += 1,
                Some(b'}') => {
                    scanner.at += 1;
                    break;
                }
                _ => return Err(scanner.error("a comma or a closing bracket is missing")),
            }
            scanner.skip_blank();
        }
        Ok(())
    }

    /// Passes an object or array inside a record and notes what is looked for in it.
    fn walk(
        &self,
        scanner: &mut Scanner<'_>,
        bytes: &[u8],
        depth: u32,
        found: &mut [Option<Token>],
    ) -> Result<(), JsonError> {
        if depth == MAX_DEPTH {
            return Err(JsonError { is_depth: true, ..scanner.error("nested deeper than 128") });
        }
        let is_object = scanner.peek() == Some(b'{');
        let closing = if is_object { b'}' } else { b']' };
        scanner.at += 1;
        scanner.skip_blank();
        if scanner.peek() == Some(closing) {
            scanner.at += 1;
            return Ok(());
        }
        for index in 0.. {
            let member =
                if is_object { self.named(scanner.name()?, bytes) } else { self.find(index.to_string().as_bytes()) };
            match member.map(|member| &self.members[member]) {
                Some(member) => member.take(scanner, bytes, depth + 1, found)?,
                None => {
                    scanner.value(depth + 1)?;
                }
            }
            scanner.skip_blank();
            match scanner.peek() {
                Some(b',') => scanner.at += 1,
                Some(byte) if byte == closing => {
                    scanner.at += 1;
                    break;
                }
                _ => return Err(scanner.error("a comma or a closing bracket is missing")),
            }
            scanner.skip_blank();
        }
        Ok(())
    }

    #[inline]
    fn named(&self, name: Token, bytes: &[u8]) -> Option<usize> {
        let raw = &bytes[name.start..name.end];
        match name.kind {
            Kind::Text { escaped: true } => self.find(unescape(raw)?.as_bytes()),
            _ => self.find(raw),
        }
    }
}

impl Member {
    #[inline]
    fn take(
        &self,
        scanner: &mut Scanner<'_>,
        bytes: &[u8],
        depth: u32,
        found: &mut [Option<Token>],
    ) -> Result<(), JsonError> {
        let start = scanner.at;
        let token = if self.slots_inside.is_empty() {
            scanner.value(depth)?
        } else {
            for slot in &self.slots_inside {
                found[*slot] = None;
            }
            match scanner.peek() {
                Some(b'{' | b'[') => {
                    self.inside.walk(scanner, bytes, depth, found)?;
                    Token { kind: Kind::Container, start, end: scanner.at }
                }
                _ => scanner.value(depth)?,
            }
        };
        for slot in &self.slots {
            found[*slot] = Some(token);
        }
        Ok(())
    }
}

impl Fields {
    fn new(projection: &Projection) -> Fields {
        let mut root = Node::default();
        let mut slot_count = 0;
        let mut slot = |root: &mut Node, path: &[String]| {
            root.insert(path, slot_count);
            slot_count += 1;
            slot_count - 1
        };
        let slots = projection
            .fields()
            .map(|Field { name, path, is_name }| FieldSlots {
                name: is_name.then(|| slot(&mut root, std::slice::from_ref(name))),
                path: (!is_name || path.len() > 1).then(|| slot(&mut root, path)),
            })
            .collect();
        Fields { root, slots, slot_count }
    }
}

impl FindFields for Fields {
    type Scratch = Scratch;
    const WHOLE_UTF8: bool = true;

    #[inline]
    fn find(
        &self,
        line: &[u8],
        base: usize,
        fields: &mut [Found],
        _side: &mut Side<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Refusal> {
        let Scratch { tokens, habits } = scratch;
        tokens.clear();
        tokens.resize(self.slot_count, None);
        scan_object(&self.root, line, tokens, habits).map_err(describe)?;
        for (field, slots) in fields.iter_mut().zip(&self.slots) {
            let token = |slot: Option<usize>| slot.and_then(|slot| tokens[slot]);
            *field = token(slots.name).or_else(|| token(slots.path)).map_or(Found::Missing, |token| found(token, base));
        }
        Ok(())
    }
}

/// Passes a record: one object and nothing else.
#[inline]
fn scan_object(
    root: &Node,
    line: &[u8],
    tokens: &mut [Option<Token>],
    habits: &mut Vec<Habit>,
) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(line);
    scanner.skip_blank();
    if scanner.peek() == Some(b'{') {
        root.walk_record(&mut scanner, line, tokens, habits)?;
    } else {
        scanner.value(0)?;
        scanner.at = 0;
        return Err(scanner.error("not an object"));
    }
    scanner.skip_blank();
    if scanner.at < line.len() { Err(scanner.error("something follows the object")) } else { Ok(()) }
}

#[cold]
fn describe(error: JsonError) -> Refusal {
    let reason = if error.is_depth { Reason::Depth } else { Reason::Json };
    (reason, format!("{} at byte {} of the line", error.message, error.at + 1))
}

#[inline]
fn found(token: Token, base: usize) -> Found {
    let span = TextSpan { start: (base + token.start) as u32, len: (token.end - token.start) as u32 };
    match token.kind {
        Kind::Null => Found::Null,
        Kind::Bool(value) => Found::Bool(value, span),
        Kind::Number => Found::Number(span),
        Kind::Text { escaped: false } => Found::Text(span),
        Kind::Text { escaped: true } => Found::Escaped(span),
        Kind::Container => Found::Container(span),
    }
}

/// The top-level names of a well-formed record.
fn names(line: &[u8]) -> Option<Vec<String>> {
    scan_object(&Node::default(), line, &mut [], &mut Vec::new()).ok()?;
    // It is well-formed: what is left is to read the names.
    let mut scanner = Scanner::new(line);
    scanner.skip_blank();
    let mut names = Vec::new();
    loop {
        scanner.at += 1;
        scanner.skip_blank();
        if scanner.peek() == Some(b'}') {
            return Some(names);
        }
        let name = scanner.name().ok()?;
        names.extend(unescape(&line[name.start..name.end]));
        scanner.value(1).ok()?;
        scanner.skip_blank();
        if scanner.peek() != Some(b',') {
            return Some(names);
        }
    }
}
