//! Pieces of text that more than one format is made of.

use crate::aggregate::{Raw, Value};
use crate::event::key::{KeyPart, parts};
use crate::event::number::{write_exact, write_exact_big};
use crate::time::Timestamp;
use crate::time::format::TimeStyle;
use std::io::{self, Write};

/// Characters that may stand in JSON but not on a terminal: they move the cursor, hide text or
/// turn it round. Those below U+0020 are escaped by JSON itself.
fn is_hazard(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// JSON as serde_json writes it, with hazards escaped as well.
struct Harmless;

impl serde_json::ser::Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut from = 0;
        for (at, hazard) in fragment.char_indices().filter(|(_, c)| is_hazard(*c)) {
            writer.write_all(&fragment.as_bytes()[from..at])?;
            write!(writer, "\\u{:04x}", u32::from(hazard))?;
            from = at + hazard.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[from..])
    }
}

/// Appends a JSON string. No control character is left in it, and no other that a terminal obeys.
#[inline]
pub fn json_string(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        let mut serializer = serde_json::Serializer::with_formatter(out, Harmless);
        // Writing to a Vec cannot fail.
        let _ = serde::Serializer::serialize_str(&mut serializer, text);
    }
}

/// Text for people: control characters and other hazards as `\u{..}`.
pub fn for_people(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_hazard(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// Appends a moment as a JSON value.
pub fn json_time(out: &mut Vec<u8>, style: &TimeStyle, time: Timestamp) {
    if style.is_text() {
        out.push(b'"');
        style.write(out, time);
        out.push(b'"');
    } else {
        style.write(out, time);
    }
}

/// Appends a key part as a JSON value.
#[inline]
pub fn json_key_part(out: &mut Vec<u8>, part: &KeyPart<'_>) {
    match part {
        KeyPart::Null => out.extend_from_slice(b"null"),
        KeyPart::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        KeyPart::Number(number) => out.extend_from_slice(number.as_bytes()),
        KeyPart::Text(text) => json_string(out, text),
    }
}

/// Appends a whole key as one JSON value: null without parts, the part if it is one, else an array.
pub fn json_key(out: &mut Vec<u8>, key: &[u8]) {
    let mut parts = parts(key).peekable();
    let Some(first) = parts.next() else {
        out.extend_from_slice(b"null");
        return;
    };
    if parts.peek().is_none() {
        return json_key_part(out, &first);
    }
    out.push(b'[');
    json_key_part(out, &first);
    for part in parts {
        out.push(b',');
        json_key_part(out, &part);
    }
    out.push(b']');
}

/// Appends an integer.
#[inline]
pub fn integer(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a number, or nothing if the value is none: `false` then.
#[inline]
pub fn number(out: &mut Vec<u8>, value: &Value<'_>) -> bool {
    match value {
        Value::Count(count) => integer(out, *count),
        Value::Exact { mantissa, scale, pointed } => write_exact(out, *mantissa, *scale, *pointed),
        Value::ExactBig { mantissa, scale, pointed } => write_exact_big(out, mantissa, *scale, *pointed),
        // The shortest digits that read back.
        Value::Float(float) => {
            let _ = serde_json::to_writer(out, float);
        }
        Value::Null | Value::Raw(_) | Value::List(_) | Value::Tallies(_) => return false,
    }
    true
}

/// Appends an aggregate's result as a JSON value.
#[inline]
pub fn json_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Raw(raw) => json_raw(out, *raw),
        Value::List(values) => json_list(out, values, |out, raw| json_raw(out, *raw)),
        Value::Tallies(tallies) => json_list(out, tallies, |out, (raw, count)| {
            out.extend_from_slice(b"{\"value\":");
            json_raw(out, *raw);
            // Writing to a Vec cannot fail.
            let _ = write!(out, ",\"count\":{count}}}");
        }),
        value => {
            if !number(out, value) {
                out.extend_from_slice(b"null");
            }
        }
    }
}

fn json_raw(out: &mut Vec<u8>, raw: Raw<'_>) {
    match raw {
        Raw::Json(json) => json_as_read(out, json),
        Raw::Text(text) => json_string(out, &String::from_utf8_lossy(text)),
    }
}

fn json_list<T>(out: &mut Vec<u8>, items: &[T], item: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, each) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        item(out, each);
    }
    out.push(b']');
}

/// A JSON value as read; but hazards in it are escaped, which changes no meaning: they stand only in strings.
fn json_as_read(out: &mut Vec<u8>, json: &[u8]) {
    if json.iter().all(|byte| matches!(byte, 0x20..=0x7e)) {
        out.extend_from_slice(json);
        return;
    }
    for c in String::from_utf8_lossy(json).chars() {
        match c {
            c if is_hazard(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            // White space between tokens.
            '\t' | '\r' | '\n' => out.push(b' '),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}
