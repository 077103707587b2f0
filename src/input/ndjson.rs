//! NDJSON: a JSON object a line. Fields are found in the bytes; no document is made.

use super::json::{JsonError, Kind, MAX_DEPTH, Scanner, Token, unescape};
use super::record::{Found, Refusal, push_event};
use super::{Decode, Layout, push_bad, too_long};
use crate::event::projection::{Field, Projection};
use crate::event::{Aside, EventBatch, Reason, RecordSpan, TextSpan};
use crate::time::parse::DateCache;
use std::sync::Arc;

/// Decodes blocks of whole lines.
pub struct Ndjson {
    projection: Arc<Projection>,
    root: Node,
    /// Per field, where its value turns up if it is a top-level name, and if it is a path.
    slots: Vec<FieldSlots>,
    slot_count: usize,
    max_line: usize,
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
    member: Option<usize>,
}

/// Places that are remembered; a record may have any number of them.
const MOST_HABITS: usize = 256;

/// What a decoder writes into, record after record.
#[derive(Default)]
struct Scratch {
    tokens: Vec<Option<Token>>,
    fields: Vec<Found>,
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
                Some(habit) if rest.starts_with(&habit.spelling) => {
                    scanner.at += habit.spelling.len();
                    scanner.skip_blank();
                    habit.member.map(|member| &self.members[member])
                }
                _ => {
                    let start = scanner.at;
                    let name = scanner.name()?;
                    let member = self.named(name, bytes);
                    let habit = Habit { spelling: bytes[start..scanner.at].into(), member };
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

impl Ndjson {
    /// A decoder for what is wanted of each record.
    pub fn new(projection: Arc<Projection>, max_line: usize) -> Ndjson {
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
        Ndjson { projection, root, slots, slot_count, max_line }
    }

    /// Finds the fields of one record.
    #[inline]
    fn scan(&self, line: &[u8], base: usize, scratch: &mut Scratch) -> Result<(), Refusal> {
        let Scratch { tokens, fields, habits } = scratch;
        tokens.fill(None);
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

impl Decode for Ndjson {
    fn decode(&self, _layout: &Layout, batch: &mut EventBatch) {
        let mut scratch = Scratch {
            tokens: vec![None; self.slot_count],
            fields: vec![Found::Missing; self.slots.len()],
            habits: Vec::new(),
        };
        let mut dates = DateCache::default();
        let is_utf8 = std::str::from_utf8(&batch.bytes).is_ok();
        let mut start = 0;
        while start < batch.bytes.len() {
            let rest = &batch.bytes[start..];
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let next = start + (length + 1).min(rest.len());
            let line = &rest[..length];
            let text = TextSpan { start: start as u32, len: line.strip_suffix(b"\r").unwrap_or(line).len() as u32 };
            let record = RecordSpan { text, line: batch.lines };
            batch.lines += 1;
            if length > self.max_line {
                let detail = too_long(length as u64, self.max_line);
                push_bad(batch, record, (Reason::TooLong, detail), next as u64);
            } else if line.trim_ascii().is_empty() {
                batch.push_aside(Aside::Blank(1), next as u64);
            } else {
                let line = &line[..text.len as usize];
                let scanned = match std::str::from_utf8(if is_utf8 { b"" } else { line }) {
                    Ok(_) => self.scan(line, start, &mut scratch),
                    Err(error) => {
                        Err((Reason::Utf8, format!("not UTF-8 at byte {} of the line", error.valid_up_to() + 1)))
                    }
                };
                let pushed =
                    scanned.and_then(|()| push_event(batch, &self.projection, &scratch.fields, record, &mut dates));
                if let Err(refusal) = pushed {
                    push_bad(batch, record, refusal, next as u64);
                }
            }
            start = next;
        }
    }
}

/// Where the first well-formed record among whole lines begins, and its top-level names.
pub fn first_names(bytes: &[u8], max_line: usize) -> Option<(usize, Vec<String>)> {
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        if text.len() <= max_line
            && std::str::from_utf8(text).is_ok()
            && let Some(names) = names(text)
        {
            return Some((start, names));
        }
        start += line.len();
    }
    None
}

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
