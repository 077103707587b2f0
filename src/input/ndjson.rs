//! NDJSON: a JSON object a line. Fields are found in the bytes; no document is made.

use super::json::{JsonError, Kind, MAX_DEPTH, Scanner, Token, unescape};
use super::lines::{FindFields, LineDecoder, Side, candidates};
use super::marks::{self, Marks};
use super::record::{Found, Refusal};
use super::trail::{Ends, Marked, Take, Trail, Wanted};
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
    /// Whether each name is looked for once, for one field, and nothing in it: then slots are fields.
    is_direct: bool,
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

/// What a decoder writes into, record after record.
#[derive(Default)]
struct Scratch {
    tokens: Vec<Option<Token>>,
    trail: Trail,
    /// The first mark that does not lie before the record at hand.
    mark: usize,
}

/// The values found in a record, as the trail finds them.
struct Taken<'a> {
    root: &'a Node,
    tokens: &'a mut [Option<Token>],
    /// Where values go that need no choosing, if none does.
    fields: Option<&'a mut [Found]>,
}

impl Take for Taken<'_> {
    fn wanted(&self, name: Token, bytes: &[u8]) -> Wanted {
        match self.root.named(name, bytes) {
            None => Wanted::No,
            Some(index) => match &self.root.members[index] {
                Member { slots, slots_inside, .. } if slots.len() == 1 && slots_inside.is_empty() => {
                    Wanted::Slot(slots[0] as u32)
                }
                _ => Wanted::Member(index as u32),
            },
        }
    }

    #[inline(always)]
    fn put(&mut self, slot: u32, token: Token) {
        match &mut self.fields {
            Some(fields) => fields[slot as usize] = found(token, 0),
            None => self.tokens[slot as usize] = Some(token),
        }
    }

    fn member(&mut self, member: u32, scanner: &mut Scanner<'_>, bytes: &[u8]) -> Option<()> {
        self.root.members[member as usize].take(scanner, bytes, 1, self.tokens).ok()
    }
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

    /// Passes an object or array that stands in `depth` others and notes what is looked for in it.
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
        let is_direct = root.members.iter().all(|member| member.slots.len() == 1 && member.slots_inside.is_empty());
        Fields { root, slots, slot_count, is_direct }
    }
}

impl Fields {
    /// Of a top-level name and a path that were both found, the name wins.
    #[inline]
    fn choose(&self, tokens: &[Option<Token>], base: usize, fields: &mut [Found]) {
        for (field, slots) in fields.iter_mut().zip(&self.slots) {
            let token = |slot: Option<usize>| slot.and_then(|slot| tokens[slot]);
            *field = token(slots.name).or_else(|| token(slots.path)).map_or(Found::Missing, |token| found(token, base));
        }
    }
}

impl FindFields for Fields {
    type Scratch = Scratch;

    #[inline]
    fn find(
        &self,
        line: &[u8],
        base: usize,
        fields: &mut [Found],
        _side: &mut Side<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Refusal> {
        let Scratch { tokens, .. } = scratch;
        tokens.clear();
        tokens.resize(self.slot_count, None);
        scan_object(&self.root, line, tokens).map_err(describe)?;
        self.choose(tokens, base, fields);
        Ok(())
    }

    fn begin(&self, bytes: &[u8], marks: &mut Marks) -> bool {
        marks.find(bytes, marks::Wanted::JsonSpecial);
        marks.are_in_utf8(bytes)
    }

    #[inline]
    fn follow(&self, block: Marked<'_>, start: usize, fields: &mut [Found], scratch: &mut Scratch) -> Option<Ends> {
        let Scratch { tokens, trail, mark } = scratch;
        if !trail.is_trusted() {
            return None;
        }
        *mark += block.marks[*mark..].iter().take_while(|mark| (**mark as usize) < start).count();
        if self.is_direct {
            fields.fill(Found::Missing);
            let take = &mut Taken { root: &self.root, tokens: &mut [], fields: Some(fields) };
            let ends = trail.follow(block, mark, start, take)?;
            trail.confirm();
            return Some(ends);
        }
        tokens.clear();
        tokens.resize(self.slot_count, None);
        let take = &mut Taken { root: &self.root, tokens, fields: None };
        let ends = trail.follow(block, mark, start, take)?;
        trail.confirm();
        self.choose(tokens, 0, fields);
        Some(ends)
    }

    #[cold]
    fn learn(&self, line: &[u8], scratch: &mut Scratch) {
        let Scratch { tokens, trail, .. } = scratch;
        // A record with more than can be remembered is read anew each time.
        let _ = trail.learn(line, &Taken { root: &self.root, tokens, fields: None });
    }
}

/// Passes a record: one object and nothing else.
#[inline]
fn scan_object(root: &Node, line: &[u8], tokens: &mut [Option<Token>]) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(line);
    scanner.skip_blank();
    if scanner.peek() == Some(b'{') {
        root.walk(&mut scanner, line, 0, tokens)?;
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
    scan_object(&Node::default(), line, &mut []).ok()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::projection::ValueField;
    use crate::event::{Aside, EventBatch, PlacedAside, RawValue, RecordSpan};
    use crate::input::Tools;

    fn decoder(keys: &[&str], values: &[&str]) -> Arc<dyn Decode> {
        let field = |name: &&str| Field::parse(name).expect("a name");
        let value = |name: &&str| ValueField { field: field(name), as_number: false, as_value: true };
        let projection = Projection {
            keys: keys.iter().map(field).collect(),
            values: values.iter().map(value).collect(),
            ..Projection::of_times(field(&"ts"))
        };
        Ndjson.decoder(Reading { projection: projection.into(), names: &[], source: "-", max_line: 300 }).expect("one")
    }

    /// What the decoder says of each line of a block.
    fn said(decoder: &dyn Decode, block: &[u8], fields: usize) -> Vec<String> {
        let mut batch = EventBatch::new(fields, fields + 2);
        batch.bytes = block.to_vec();
        decoder.decode(&Layout::default(), &mut batch, &mut Tools::default());
        let text = |span: RecordSpan| String::from_utf8_lossy(batch.text(span.text)).into_owned();
        let mut lines = Vec::new();
        let mut asides = batch.asides.iter().peekable();
        for index in 0..=batch.times.len() {
            while let Some(PlacedAside { aside, .. }) = asides.next_if(|aside| aside.before_event as usize == index) {
                match aside {
                    Aside::Bad(bad) => lines.push(format!("{:?} {} {:?}", bad.reason, bad.detail, text(bad.span))),
                    Aside::Blank(count) => lines.extend((0..*count).map(|_| "blank".to_owned())),
                    other => unreachable!("{other:?} in NDJSON"),
                }
            }
            if index < batch.times.len() {
                let values = batch.values.iter().map(|column| match column[index] {
                    RawValue::Json(span) => String::from_utf8_lossy(batch.text(span)).into_owned(),
                    other => format!("{other:?}"),
                });
                let values: Vec<_> = values.collect();
                let (time, key) = (batch.times[index], batch.keys.get(index).0);
                lines.push(format!("{time:?} {key:?} {values:?} {:?}", text(batch.records[index])));
            }
        }
        lines
    }

    #[test]
    fn n5_a_record_is_read_alike_after_others_and_alone() {
        let records = [
            r#"{"ts":1,"k":"a","v":2.5,"o":{"p":[1,{"q":"x"}]},"msg":"some words, and more: of them"}"#,
            r#"{"ts":2,"k":"\u00e9\n","v":-0.5e3,"o":{"p":[]},"msg":"a \"quoted\" word"}"#,
            r#"{ "ts" : 3 , "k" : null , "v" : true , "o" : "no object" , "msg" : "" }"#,
            r#"{"ts":4,"k":"b","v":12345678901234567890,"o":{"p":"deep"},"msg":"\\"} "#,
            r#"{"v":0,"k":"c","ts":"2026-01-01T00:00:00Z","o":null,"v":-1}"#,
            r#"{"ts":7,"k":"e","v":1.5,"msg":"\"a\" \\ \/\b\u00e9 \ud800 é"}"#,
            r#"{"ts":5,"k":"d","a name that is too long to be remembered as a whole":1,"v":"1"}"#,
            r#"{}"#,
            r#""#,
            r#"  {"ts":6,"k":7,"v":01}"#,
            r#"{"ts":6,"k":7,"v":1.}"#,
            r#"[1]"#,
        ];
        let mut state = 3u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let decoders = [decoder(&["k"], &["v", "o.p.1", "msg", "o"]), decoder(&["k"], &["v", "nothing", "msg", "o"])];
        let mut goods = 0;
        for round in 0..3000 {
            let mut block = Vec::new();
            let mut lines = Vec::new();
            let (common, are_alike) = (random(records.len()), random(2) == 0);
            for _ in 0..random(20) {
                let is_common = are_alike || random(3) > 0;
                let mut line = records[if is_common { common } else { random(records.len()) }].as_bytes().to_vec();
                // Most are well-formed, so that there is something to follow.
                for _ in 0..[0, 0, 0, 1, 2][random(5)] {
                    let place = random(line.len() + 1);
                    let byte = br#""\,:{}[]0-.eE tn"#[random(16)];
                    match random(4) {
                        0 if place < line.len() => line[place] = byte,
                        1 if place < line.len() => drop(line.remove(place)),
                        2 if place < line.len() => line[place] = [0x00, 0x1F, b'\r', b'\t', 0xFF, 0xC3][random(6)],
                        _ => line.insert(place, byte),
                    }
                }
                if random(4) == 0 {
                    line.push(b'\r');
                }
                line.push(b'\n');
                block.extend_from_slice(&line);
                lines.push(line);
            }
            if random(2) == 0 {
                block.pop();
                lines.last_mut().map(Vec::pop);
            }
            let decoder = &*decoders[round % 2];
            let together = said(decoder, &block, 4);
            let alone: Vec<_> = lines.iter().flat_map(|line| said(decoder, line, 4)).collect();
            assert_eq!(together, alone, "round {round}: {}", String::from_utf8_lossy(&block));
            goods += together.iter().filter(|line| line.starts_with("Timestamp")).count();
        }
        assert!(goods > 10_000, "{goods}");
    }
}
