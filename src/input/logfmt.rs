//! logfmt: `level=info msg="listening on 8080" debug` — pairs of name and value on a line.

use super::lines::{FindFields, LineDecoder, Side, candidates};
use super::record::{Found, Refusal};
use super::{Decode, FirstRecord, Format, Layout, Reading, json};
use crate::error::Error;
use crate::event::projection::Field;
use crate::event::{Reason, TextSpan};
use std::sync::Arc;

/// The format.
pub struct Logfmt;

impl Format for Logfmt {
    fn first_record(&self, bytes: &[u8], _layout: &Layout, max_line: usize) -> Option<FirstRecord> {
        let utf8 =
            candidates(bytes, max_line).filter_map(|(start, line)| Some((start, std::str::from_utf8(line).ok()?)));
        utf8.into_iter().find_map(|(start, line)| {
            let pairs: Result<Vec<_>, _> = pairs(line.as_bytes()).collect();
            let names = pairs.ok()?.iter().map(|pair| line[pair.name.0..pair.name.1].to_owned()).collect::<Vec<_>>();
            (!names.is_empty()).then_some(FirstRecord { start, names, is_header: false })
        })
    }

    fn decoder(&self, input: Reading<'_>) -> Result<Arc<dyn Decode>, Error> {
        let wanted = input.projection.fields().cloned().collect();
        Ok(Arc::new(LineDecoder::new(Fields { wanted }, input.projection, input.max_line)))
    }

    fn name(&self) -> String {
        "logfmt".into()
    }

    fn fields_vary(&self) -> bool {
        true
    }
}

/// Whether this is such a line beyond doubt: at least two names, each with a value.
pub fn is_line(line: &[u8]) -> bool {
    let is_name = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.-@/".contains(byte));
    let is_pair = |pair: &Pair| matches!(pair.value, Value::Text(_)) && is_name(&line[pair.name.0..pair.name.1]);
    let mut count = 0;
    pairs(line).all(|pair| {
        count += 1;
        pair.as_ref().is_ok_and(is_pair)
    }) && count > 1
}

struct Fields {
    wanted: Vec<Field>,
}

impl FindFields for Fields {
    type Scratch = ();

    fn find(
        &self,
        line: &[u8],
        base: usize,
        fields: &mut [Found],
        side: &mut Side<'_>,
        _scratch: &mut (),
    ) -> Result<(), Refusal> {
        fields.fill(Found::Missing);
        let mut count = 0;
        for pair in pairs(line) {
            let pair = pair.map_err(|message| (Reason::Format, message.to_owned()))?;
            count += usize::from(!matches!(pair.value, Value::Bare));
            let Ok(name) = std::str::from_utf8(&line[pair.name.0..pair.name.1]) else { continue };
            for (field, wanted) in fields.iter_mut().zip(&self.wanted) {
                if wanted.is_column(name) {
                    *field = found(pair.value, line, base, side);
                }
            }
        }
        if count == 0 { Err((Reason::Format, "no pair of name=value".to_owned())) } else { Ok(()) }
    }
}

fn found(value: Value, line: &[u8], base: usize, side: &mut Side<'_>) -> Found {
    match value {
        // A name by itself is a flag that is set.
        Value::Bare => Found::Bool(true, side.push(*b"true")),
        Value::Text((start, end)) => {
            let text = &line[start..end];
            match text.contains(&b'\\').then(|| json::unescape(text)).flatten() {
                Some(unescaped) => Found::Cell(side.push(unescaped.into_bytes())),
                None => Found::Cell(TextSpan { start: (base + start) as u32, len: text.len() as u32 }),
            }
        }
    }
}

struct Pair {
    name: (usize, usize),
    value: Value,
}

#[derive(Clone, Copy)]
enum Value {
    Bare,
    /// Without its quotes.
    Text((usize, usize)),
}

/// The pairs of a line, or what is wrong with it.
fn pairs(line: &[u8]) -> impl Iterator<Item = Result<Pair, &'static str>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while line.get(at).is_some_and(|byte| *byte <= b' ') {
            at += 1;
        }
        let start = at;
        at += line[at..].iter().take_while(|byte| **byte > b' ' && **byte != b'=' && **byte != b'"').count();
        let name = (start, at);
        if start == line.len() {
            return None;
        }
        if start == at || line.get(at) == Some(&b'"') {
            at = line.len();
            return Some(Err("a name is missing before = or a quote"));
        }
        if line.get(at) != Some(&b'=') {
            return Some(Ok(Pair { name, value: Value::Bare }));
        }
        at += 1;
        let from = at;
        if line.get(at) != Some(&b'"') {
            at += line[at..].iter().take_while(|byte| **byte > b' ').count();
            return Some(Ok(Pair { name, value: Value::Text((from, at)) }));
        }
        at += 1;
        while let Some(found) = memchr::memchr2(b'"', b'\\', &line[at..]) {
            at += found + 1;
            if line[at - 1] == b'"' {
                return Some(Ok(Pair { name, value: Value::Text((from + 1, at - 1)) }));
            }
            at = (at + 1).min(line.len());
        }
        at = line.len();
        Some(Err("a quoted value does not end"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Vec<(String, Option<String>)>, &'static str> {
        pairs(line.as_bytes())
            .map(|pair| {
                let pair = pair?;
                let text = |(start, end): (usize, usize)| line[start..end].to_owned();
                Ok((
                    text(pair.name),
                    match pair.value {
                        Value::Bare => None,
                        Value::Text(span) => Some(text(span)),
                    },
                ))
            })
            .collect()
    }

    #[test]
    fn pairs_are_bare_plain_or_quoted() {
        let some = |text: &str| Some(text.to_owned());
        let got = read(r#"a=1  b="x y" c= d e="\"q\\" f=a=b"#).expect("pairs");
        let expected = [
            ("a", some("1")),
            ("b", some("x y")),
            ("c", some("")),
            ("d", None),
            ("e", some(r#"\"q\\"#)),
            ("f", some("a=b")),
        ];
        assert_eq!(got, expected.map(|(name, value)| (name.to_owned(), value)));
        for bad in [r#"a="x"#, r#"a="x\"#, r#""a"=1"#, "=1", r#"a"b"=1"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
