//! Finds the parts of a JSON text in its bytes and checks its form (RFC 8259), all of it, without
//! making a document. UTF-8 is checked elsewhere.

use wide::u8x16;

/// Deepest nesting of objects and arrays that is read.
pub const MAX_DEPTH: u32 = 128;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number,
    /// A string; the token is what stands between the quotes.
    Text {
        /// Whether it has backslashes.
        escaped: bool,
    },
    /// An object or an array, whole.
    Container,
}

/// A value and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

/// Where and why a text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong.
    pub message: &'static str,
    /// The byte it is wrong at.
    pub at: usize,
    /// Whether it is well-formed but too deep.
    pub is_depth: bool,
}

/// A place in a JSON text.
#[derive(Clone, Copy)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    /// The next byte to look at.
    pub at: usize,
}

/// Bytes that are looked at together in a string.
const WIDTH: usize = 16;

/// How many bytes come before the first that a string cannot simply contain: a quote, a backslash
/// or a control character.
#[inline]
fn plain_bytes(chunk: &[u8; WIDTH]) -> usize {
    let bytes = u8x16::new(*chunk);
    let quote = bytes.cmp_eq(u8x16::splat(b'"'));
    let backslash = bytes.cmp_eq(u8x16::splat(b'\\'));
    let control = bytes.min(u8x16::splat(0x1F)).cmp_eq(bytes);
    let special = (quote | backslash | control).move_mask() as u32;
    // A bit beyond the last byte ends the count where there is none.
    (special | 1 << WIDTH).trailing_zeros() as usize
}

/// Whether a string can contain a byte as it is.
fn is_plain(byte: &u8) -> bool {
    *byte != b'"' && *byte != b'\\' && *byte >= 0x20
}

impl<'a> Scanner<'a> {
    /// A scanner at the beginning.
    pub fn new(bytes: &'a [u8]) -> Scanner<'a> {
        Scanner { bytes, at: 0 }
    }

    /// A scanner at some place.
    pub fn at(bytes: &'a [u8], at: usize) -> Scanner<'a> {
        Scanner { bytes, at }
    }

    /// The next byte.
    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// An error at this place.
    #[cold]
    pub fn error(&self, message: &'static str) -> JsonError {
        JsonError { message, at: self.at, is_depth: false }
    }

    /// Passes white space.
    #[inline]
    pub fn skip_blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Passes a byte that must be there.
    #[inline]
    pub fn expect(&mut self, byte: u8, message: &'static str) -> Result<(), JsonError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.error(message))
        }
    }

    /// Passes a member's name and its colon, and the white space around them.
    #[inline]
    pub fn name(&mut self) -> Result<Token, JsonError> {
        self.expect(b'"', "a name in quotes is missing")?;
        let name = self.text()?;
        self.skip_blank();
        self.expect(b':', "a colon is missing after a name")?;
        self.skip_blank();
        Ok(name)
    }

    /// Passes a string whose opening quote has been passed.
    #[inline]
    pub fn text(&mut self) -> Result<Token, JsonError> {
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.bytes[self.at..].first_chunk::<WIDTH>() {
                Some(chunk) => {
                    let plain = plain_bytes(chunk);
                    self.at += plain;
                    if plain == WIDTH {
                        continue;
                    }
                }
                None => self.at += self.bytes[self.at..].iter().take_while(|byte| is_plain(byte)).count(),
            }
            match self.peek() {
                Some(b'"') => {
                    let end = self.at;
                    self.at += 1;
                    return Ok(Token { kind: Kind::Text { escaped }, start, end });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.error("a control character stands in a string")),
                None => return Err(self.error("a string does not end")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        let length = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.error("\\u needs four hexadecimal digits"));
                }
                6
            }
            _ => return Err(self.error("an escape is unknown")),
        };
        self.at += length;
        Ok(())
    }

    #[inline]
    fn number(&mut self) -> Result<Token, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.error("a digit is missing")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok(Token { kind: Kind::Number, start, end: self.at })
    }

    #[inline]
    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn some_digits(&mut self) -> Result<(), JsonError> {
        let before = self.at;
        self.digits();
        if self.at == before { Err(self.error("a digit is missing")) } else { Ok(()) }
    }

    fn word(&mut self, word: &'static str, kind: Kind) -> Result<Token, JsonError> {
        let start = self.at;
        if self.bytes[start..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(Token { kind, start, end: self.at })
        } else {
            Err(self.error("a value is missing"))
        }
    }

    /// Passes a value. `depth` is how many containers it stands in.
    #[inline]
    pub fn value(&mut self, depth: u32) -> Result<Token, JsonError> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.text()
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'{' | b'[') => self.container(depth),
            _ => self.literal(),
        }
    }

    fn literal(&mut self) -> Result<Token, JsonError> {
        match self.peek() {
            Some(b't') => self.word("true", Kind::Bool(true)),
            Some(b'f') => self.word("false", Kind::Bool(false)),
            Some(b'n') => self.word("null", Kind::Null),
            _ => Err(self.error("a value is missing")),
        }
    }

    /// Passes an object or array with all it contains, without recursion.
    fn container(&mut self, outside: u32) -> Result<Token, JsonError> {
        let start = self.at;
        let mut open = Nesting { kinds: 0, depth: outside };
        loop {
            // At a value.
            match self.peek() {
                Some(kind @ (b'{' | b'[')) => {
                    let is_object = kind == b'{';
                    if !open.push(is_object) {
                        return Err(JsonError { is_depth: true, ..self.error("nested deeper than 128") });
                    }
                    self.at += 1;
                    self.skip_blank();
                    let closing = if is_object { b'}' } else { b']' };
                    if self.peek() != Some(closing) {
                        if is_object {
                            self.name()?;
                        }
                        continue;
                    }
                }
                _ => {
                    self.value(open.depth)?;
                }
            }
            // After a value, or at the end of an empty container.
            loop {
                self.skip_blank();
                match (self.peek(), open.is_in_object()) {
                    (Some(b','), in_object) => {
                        self.at += 1;
                        self.skip_blank();
                        if in_object {
                            self.name()?;
                        }
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.at += 1;
                        open.depth -= 1;
                        if open.depth == outside {
                            return Ok(Token { kind: Kind::Container, start, end: self.at });
                        }
                        open.kinds >>= 1;
                    }
                    _ => return Err(self.error("a comma or a closing bracket is missing")),
                }
            }
        }
    }
}

/// Which containers are open: a bit each, the innermost lowest.
struct Nesting {
    kinds: u128,
    depth: u32,
}

impl Nesting {
    fn push(&mut self, is_object: bool) -> bool {
        if self.depth == MAX_DEPTH {
            return false;
        }
        self.kinds = self.kinds << 1 | u128::from(is_object);
        self.depth += 1;
        true
    }

    fn is_in_object(&self) -> bool {
        self.kinds & 1 == 1
    }
}

/// Whether the bytes are one JSON number.
pub fn is_number(bytes: &[u8]) -> bool {
    let mut scanner = Scanner::new(bytes);
    scanner.number().is_ok() && scanner.at == bytes.len()
}

/// The text of a string token, unescaped; `None` for a lone surrogate, which no text can hold.
pub fn unescape(between_quotes: &[u8]) -> Option<String> {
    let mut quoted = Vec::with_capacity(between_quotes.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(between_quotes);
    quoted.push(b'"');
    serde_json::from_slice(&quoted).ok()
}

/// Checks that the bytes are one JSON text, in UTF-8.
///
/// # Errors
/// The first thing that is wrong.
pub fn validate(bytes: &[u8]) -> Result<(), JsonError> {
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(JsonError { message: "not UTF-8", at: error.valid_up_to(), is_depth: false });
    }
    let mut scanner = Scanner::new(bytes);
    scanner.skip_blank();
    scanner.value(0)?;
    scanner.skip_blank();
    if scanner.at < bytes.len() { Err(scanner.error("something follows the value")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n5_agrees_with_serde_json_on_what_is_well_formed() {
        let mut texts: Vec<String> = [
            "{}",
            "[]",
            "0",
            "-0",
            "-",
            "01",
            "1.",
            "1.5e+3",
            ".5",
            "1e",
            "\"\"",
            "\"a",
            "\"\\u12\"",
            "\"\\u00e9\"",
            "\"\\x\"",
            "tru",
            "true",
            "nul",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "[1,]",
            "[1 2]",
            "[1,[2,{\"a\":[]}]]",
            "{\"a\":{\"b\":[1,2,{}]}} ",
            "  [ ]  ",
            "[}",
            "{]",
            "\"\t\"",
            "\"0123456789abcdef\\\"0123456789\"",
            "\u{feff}1",
            "1 1",
            "",
            " ",
            "[[[[]]]",
            "{\"a\":1 \"b\":2}",
            "{1:2}",
            "'a'",
            "NaN",
            "+1",
        ]
        .map(str::to_owned)
        .to_vec();
        // Every prefix of something rich, and every single byte put wrong in it.
        let rich = r#"{"a":[1,-2.5e3,"x\"\u0041",{"b":null,"c":[true,false]}],"d":{}}"#;
        texts.extend((0..rich.len()).map(|end| rich[..end].to_owned()));
        for at in 0..rich.len() {
            for other in ["", ",", "\"", "}", "]", "0", "\\", ":", " "] {
                texts.push(format!("{}{other}{}", &rich[..at], &rich[at + 1..]));
            }
        }
        for text in texts {
            let expected = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            assert_eq!(validate(text.as_bytes()).is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn nesting_of_128_is_read_and_129_is_not() {
        for (depth, is_ok) in [(1, true), (128, true), (129, false), (1_000_000, false)] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            assert_eq!(validate(text.as_bytes()).is_ok(), is_ok, "{depth}");
            let objects = r#"{"a":"#.repeat(depth) + "1" + &"}".repeat(depth);
            assert_eq!(validate(objects.as_bytes()).is_ok(), is_ok, "{depth}");
        }
    }

    #[test]
    fn special_bytes_are_found_wherever_they_stand() {
        for place in 0..WIDTH {
            for byte in 0..=255u8 {
                let mut chunk = *b"abcdefghijklmnop";
                chunk[place] = byte;
                let expected = chunk.iter().take_while(|byte| is_plain(byte)).count();
                assert_eq!(plain_bytes(&chunk), expected, "{byte} at {place}");
                chunk[(place + 5) % WIDTH] = b'"';
                assert_eq!(plain_bytes(&chunk), chunk.iter().take_while(|byte| is_plain(byte)).count());
            }
        }
    }
}
