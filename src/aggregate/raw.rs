//! Values of any type: as they were read, which of them are equal, and their text.

use crate::event::key;
use serde::de::{Deserializer, Visitor};
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

/// A value as read: a JSON value, or text that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw<'a> {
    /// A JSON value as written.
    Json(&'a [u8]),
    /// Text.
    Text(&'a [u8]),
}

/// Stands before objects and arrays, and numbers too long to compare, in the encoding of values: after all keys (N6).
const OTHER: u8 = 0xFE;

thread_local! {
    /// Where the value at hand is encoded, so that looking it up allocates nothing.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl<'a> Raw<'a> {
    /// The text of a string, unescaped; of anything else what was written.
    pub fn text(self) -> Cow<'a, [u8]> {
        match self {
            Raw::Text(text) => Cow::Borrowed(text),
            Raw::Json([b'"', text @ .., b'"']) if memchr::memchr(b'\\', text).is_none() => Cow::Borrowed(text),
            Raw::Json(json) if json.starts_with(b"\"") => Cow::Owned(unescape(json)),
            Raw::Json(json) => Cow::Borrowed(json),
        }
    }

    /// Which of two spellings of a value is shown, whatever their order: the shorter one.
    pub fn is_plainer_than(self, other: Raw<'_>) -> bool {
        fn rank<'r>(raw: Raw<'r>) -> (usize, u8, &'r [u8]) {
            match raw {
                Raw::Text(bytes) => (bytes.len(), 0, bytes),
                Raw::Json(bytes) => (bytes.len(), 1, bytes),
            }
        }
        rank(self) < rank(other)
    }

    /// Hands on an encoding that equal values share and that sorts like keys (N6): null, false, true, numbers by
    /// value, strings; then objects and arrays, as written.
    pub fn with_identity<T>(self, with: impl FnOnce(&[u8]) -> T) -> T {
        SCRATCH.with_borrow_mut(|identity| {
            identity.clear();
            self.push_identity(identity);
            with(identity)
        })
    }

    fn push_identity(self, identity: &mut Vec<u8>) {
        match self {
            Raw::Text(_) | Raw::Json([b'"', ..]) => key::push_text(identity, &self.text()),
            Raw::Json(b"null") => key::push_null(identity),
            Raw::Json(b"false") => key::push_bool(identity, false),
            Raw::Json(b"true") => key::push_bool(identity, true),
            Raw::Json(json) => {
                if !key::push_number(identity, json) {
                    identity.push(OTHER);
                    identity.extend_from_slice(json);
                }
            }
        }
    }
}

/// A JSON string as bytes. Half a surrogate pair, which is no text, becomes three bytes of its own.
fn unescape(json: &[u8]) -> Vec<u8> {
    struct Bytes;
    impl Visitor<'_> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }
    // Decoders let only well-formed JSON through.
    serde_json::Deserializer::from_slice(json).deserialize_bytes(Bytes).unwrap_or_else(|_| json.to_vec())
}

/// A [`Raw`] that is kept: its bytes and behind them whether they are JSON, so that accumulators are small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRaw(Box<[u8]>);

const TEXT: u8 = 0;
const JSON: u8 = 1;

impl From<Raw<'_>> for OwnedRaw {
    fn from(raw: Raw<'_>) -> OwnedRaw {
        let (bytes, kind) = match raw {
            Raw::Json(bytes) => (bytes, JSON),
            Raw::Text(bytes) => (bytes, TEXT),
        };
        let mut kept = Vec::with_capacity(bytes.len() + 1);
        kept.extend_from_slice(bytes);
        kept.push(kind);
        OwnedRaw(kept.into())
    }
}

impl OwnedRaw {
    /// The value.
    pub fn raw(&self) -> Raw<'_> {
        match &*self.0 {
            [bytes @ .., JSON] => Raw::Json(bytes),
            [bytes @ .., _] => Raw::Text(bytes),
            [] => Raw::Text(&[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(raw: Raw<'_>) -> Vec<u8> {
        raw.with_identity(<[u8]>::to_vec)
    }

    #[test]
    fn n6_values_are_equal_by_type_and_value() {
        for (a, b) in [
            (Raw::Json(b"1"), Raw::Json(b"1.0e0")),
            (Raw::Json(br#""a""#), Raw::Json(br#""\u0061""#)),
            (Raw::Json(br#""a""#), Raw::Text(b"a")),
        ] {
            assert_eq!(identity(a), identity(b), "{a:?} {b:?}");
        }
        let long = "9".repeat(5000);
        let ascending = [
            Raw::Json(b"false"),
            Raw::Json(b"true"),
            Raw::Json(b"-1"),
            Raw::Json(b"2"),
            Raw::Json(b"10"),
            Raw::Text(b"007"),
            Raw::Json(br#""1""#),
            Raw::Json(br#""\ud800""#),
            Raw::Json(br#""\ud801""#),
            Raw::Json(long.as_bytes()),
            Raw::Json(b"[1]"),
            Raw::Json(b"{\"a\": 1}"),
            Raw::Json(b"{\"a\":1}"),
        ];
        assert!(ascending.windows(2).all(|pair| identity(pair[0]) < identity(pair[1])));
    }

    #[test]
    fn the_text_of_a_value() {
        for (raw, text) in [
            (Raw::Json(br#""a\n\u00e9\ud83d\ude00""#), "a\né😀"),
            (Raw::Json(br#""""#), ""),
            (Raw::Json(b"1.50"), "1.50"),
            (Raw::Json(b"true"), "true"),
            (Raw::Text(b"\"quoted\\n\""), "\"quoted\\n\""),
        ] {
            assert_eq!(raw.text(), text.as_bytes(), "{raw:?}");
        }
        assert_eq!(Raw::Json(br#""\udc00x""#).text(), b"\xed\xb0\x80x".as_slice());
    }
}
