//! Access logs of Apache and nginx in the common and the combined format.

use super::lines::{FindFields, LineDecoder, Side, first_line};
use super::record::{Found, Refusal};
use super::{Decode, FirstRecord, Format, Layout, Reading, columns};
use crate::error::Error;
use crate::event::{Reason, TextSpan};
use crate::time::parse::TimeFormat;
use crate::time::pattern::Pattern;
use std::sync::Arc;

/// The fields of a line. `-` is null.
pub const FIELDS: [&str; 12] = [
    "ip",
    "ident",
    "user",
    "time",
    "request",
    "method",
    "path",
    "protocol",
    "status",
    "bytes",
    "referer",
    "user_agent",
];

/// How such logs write the time.
const TIME: &str = "%d/%b/%Y:%H:%M:%S %z";

/// The format.
pub struct Combined;

impl Format for Combined {
    fn first_record(&self, bytes: &[u8], _layout: &Layout, max_line: usize) -> Option<FirstRecord> {
        first_line(bytes, max_line, &FIELDS.map(str::to_owned))
    }

    fn decoder(&self, input: Reading<'_>) -> Result<Arc<dyn Decode>, Error> {
        let wanted = columns(&input)?;
        let Reading { projection, max_line, .. } = input;
        let projection = match projection.time_rules.format {
            TimeFormat::Auto if projection.time.name == "time" => {
                let mut own = (*projection).clone();
                own.time_rules.format = TimeFormat::Pattern(Pattern::new(TIME).map_err(Error::Usage)?);
                Arc::new(own)
            }
            _ => projection,
        };
        Ok(Arc::new(LineDecoder::new(Fields { wanted }, projection, max_line)))
    }

    fn name(&self) -> String {
        "combined".into()
    }

    fn fields_vary(&self) -> bool {
        false
    }
}

/// Whether this is a line of such a log beyond doubt: all its parts are there, and its time is one.
pub fn is_line(line: &[u8]) -> bool {
    let time = |(start, end): Part| Pattern::new(TIME).is_ok_and(|pattern| pattern.admits(&line[start..end]));
    split(line).is_ok_and(|parts| time(parts[3]) && line[parts[8].0..parts[8].1].iter().all(u8::is_ascii_digit))
}

struct Fields {
    /// Per field of the projection, its place in [`FIELDS`].
    wanted: Vec<usize>,
}

impl FindFields for Fields {
    type Scratch = ();

    #[inline]
    fn find(
        &self,
        line: &[u8],
        base: usize,
        fields: &mut [Found],
        side: &mut Side<'_>,
        _scratch: &mut (),
    ) -> Result<(), Refusal> {
        let parts = split(line).map_err(|missing| {
            (Reason::Format, format!("not a line of an access log: {missing} is missing or does not end"))
        })?;
        for (field, place) in fields.iter_mut().zip(&self.wanted) {
            let (start, end) = parts[*place];
            let text = &line[start..end];
            *field = match text {
                b"" | b"-" => Found::Null,
                text if text.contains(&b'\\') => Found::Cell(side.push(unescape(text))),
                text => Found::Cell(TextSpan { start: (base + start) as u32, len: text.len() as u32 }),
            };
        }
        Ok(())
    }
}

type Part = (usize, usize);

/// Where the fields stand; what is missing if one is. What follows the user agent is of no format's business.
fn split(line: &[u8]) -> Result<[Part; FIELDS.len()], &'static str> {
    let mut parts = [(0, 0); FIELDS.len()];
    let word = |from: usize| memchr::memchr(b' ', line.get(from..)?).map(|at| (from, from + at));
    parts[0] = word(0).filter(|(from, to)| from < to).ok_or("the address")?;
    parts[1] = word(parts[0].1 + 1).ok_or("the identity")?;
    // A user name may have blanks in it.
    let user = parts[1].1 + 1;
    let bracket = user + memchr::memmem::find(&line[user..], b" [").ok_or("the time in brackets")?;
    parts[2] = (user, bracket);
    let time = bracket + 2;
    let time_end = time + memchr::memchr(b']', &line[time..]).ok_or("the time in brackets")?;
    parts[3] = (time, time_end);
    parts[4] = quoted(line, time_end + 1).ok_or("the request in quotes")?;
    [parts[5], parts[6], parts[7]] = request(line, parts[4]);
    if line.get(parts[4].1 + 1) != Some(&b' ') {
        return Err("the status");
    }
    let status = parts[4].1 + 2;
    parts[8] = word(status).filter(|(from, to)| from < to).ok_or("the status")?;
    let bytes = parts[8].1 + 1;
    if bytes >= line.len() {
        return Err("the number of bytes");
    }
    parts[9] = word(bytes).unwrap_or((bytes, line.len()));
    if parts[9].1 < line.len() {
        parts[10] = quoted(line, parts[9].1).ok_or("the referer in quotes")?;
        parts[11] = quoted(line, parts[10].1 + 1).ok_or("the user agent in quotes")?;
    }
    Ok(parts)
}

/// The text between quotes that follow a blank at `blank`; a backslash keeps a quote from ending it.
fn quoted(line: &[u8], blank: usize) -> Option<Part> {
    if line.get(blank..blank + 2) != Some(b" \"") {
        return None;
    }
    let start = blank + 2;
    let mut at = start;
    loop {
        at += memchr::memchr2(b'"', b'\\', &line[at..])?;
        match line[at] {
            b'"' => return Some((start, at)),
            _ => at += 2,
        }
        if at > line.len() {
            return None;
        }
    }
}

/// Method, path and protocol of a request line; nothing where they are not.
fn request(line: &[u8], (start, end): Part) -> [Part; 3] {
    let text = &line[start..end];
    let Some(after_method) = memchr::memchr(b' ', text) else {
        return [(start, start), (start, end), (start, start)];
    };
    let (method, path) = ((start, start + after_method), start + after_method + 1);
    match memchr::memmem::rfind(text, b" HTTP/") {
        Some(at) if start + at >= path => [method, (path, start + at), (start + at + 1, end)],
        _ => [method, (path, end), (end, end)],
    }
}

/// Undoes `\"`, `\\`, `\n`, `\r`, `\t` and `\xHH`.
fn unescape(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = text.iter().copied();
    std::iter::from_fn(move || {
        let byte = rest.next()?;
        if byte != b'\\' {
            return Some(byte);
        }
        let hex = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
        Some(match rest.next() {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'x') => {
                let mut ahead = rest.clone();
                match (ahead.next().and_then(hex), ahead.next().and_then(hex)) {
                    (Some(high), Some(low)) => {
                        rest = ahead;
                        high << 4 | low
                    }
                    _ => b'x',
                }
            }
            Some(other) => other,
            None => b'\\',
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> Result<Vec<String>, &'static str> {
        let text =
            |(start, end): Part| String::from_utf8(unescape(&line.as_bytes()[start..end]).collect()).expect("text");
        Ok(split(line.as_bytes())?.into_iter().map(text).collect())
    }

    #[test]
    fn common_and_combined_lines_are_taken_apart() {
        const TIME: &str = "17/May/2015:10:05:03 +0000";
        for (line, expected) in [
            (
                format!(r#"1.2.3.4 - - [{TIME}] "GET /a?b=c HTTP/1.1" 200 12 "http://x/" "Agent (v 1)""#),
                [
                    "1.2.3.4",
                    "-",
                    "-",
                    TIME,
                    "GET /a?b=c HTTP/1.1",
                    "GET",
                    "/a?b=c",
                    "HTTP/1.1",
                    "200",
                    "12",
                    "http://x/",
                    "Agent (v 1)",
                ],
            ),
            (
                format!(r#"::1 - John Doe [{TIME}] "POST /a b HTTP/2.0" 404 -"#),
                ["::1", "-", "John Doe", TIME, "POST /a b HTTP/2.0", "POST", "/a b", "HTTP/2.0", "404", "-", "", ""],
            ),
            (
                format!(r#"h - - [{TIME}] "-" 408 0 "-" "say \"hi\" \x41\\" 0.003"#),
                ["h", "-", "-", TIME, "-", "", "-", "", "408", "0", "-", "say \"hi\" A\\"],
            ),
        ] {
            assert_eq!(parts(&line).expect(&line), expected, "{line}");
        }
    }

    #[test]
    fn lines_that_are_cut_off_say_what_is_missing() {
        for (line, missing) in [
            ("", "the address"),
            ("1.2.3.4 - ", "the time in brackets"),
            ("1.2.3.4 - - [17/May/2015", "the time in brackets"),
            (r#"1.2.3.4 - - [t] "GET /"#, "the request in quotes"),
            (r#"1.2.3.4 - - [t] "GET / HTTP/1.1""#, "the status"),
            (r#"1.2.3.4 - - [t] "GET / HTTP/1.1"x200 5"#, "the status"),
            (r#"1.2.3.4 - - [t] "GET / HTTP/1.1" 200 "#, "the number of bytes"),
            (r#"1.2.3.4 - - [t] "GET / HTTP/1.1" 200 5 "http://x/" "Agent"#, "the user agent in quotes"),
            (r#"1.2.3.4 - - [t] "GET / HTTP/1.1" 200 5 "x\"#, "the referer in quotes"),
        ] {
            assert_eq!(parts(line), Err(missing), "{line}");
        }
    }
}
