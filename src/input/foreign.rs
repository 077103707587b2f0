//! What is no text with a record a line, and the command that makes such text of it.

use super::unpack::Packing;

/// How an input begins.
#[derive(Debug, PartialEq, Eq)]
pub enum Beginning {
    /// Maybe as something that cannot be read; more bytes will tell.
    Short,
    /// As something that cannot be read.
    Foreign(Foreign),
    /// As anything else.
    Text,
}

/// Something that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What it is.
    pub what: &'static str,
    /// A command that makes lines of text of it.
    pub remedy: Remedy,
}

/// A command that makes lines of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Of its stdin.
    Filter(&'static str),
    /// Of a file, whose name goes where `{}` stands. (It makes CSV.)
    OfFile(&'static str),
}

impl Remedy {
    /// The whole command line for the input of this name.
    pub fn for_input(self, name: &str) -> String {
        match (self, name) {
            (Remedy::Filter(filter), "-") => format!("... | {filter} | streamw ..."),
            (Remedy::Filter(filter), name) => format!("{filter} < {name} | streamw ..."),
            (Remedy::OfFile(command), "-") => format!("{} | streamw -i csv ...", command.replace("{}", "FILE")),
            (Remedy::OfFile(command), name) => format!("{} | streamw -i csv ...", command.replace("{}", name)),
        }
    }
}

/// First bytes (`?` is any), what they are the first bytes of, and what helps.
const MAGICS: &[(&[u8], &str, Remedy)] = &[
    (b"BZh?1AY&SY", "data packed with bzip2", Remedy::Filter("bzip2 -dc")),
    (b"\xFD7zXZ\0", "data packed with xz", Remedy::Filter("xz -dc")),
    (b"\x04\x22\x4D\x18", "data packed with lz4", Remedy::Filter("lz4 -dc")),
    (b"\x1F\x9D", "data packed with compress", Remedy::Filter("gzip -dc")),
    (b"PK\x03\x04", "a zip archive", Remedy::Filter("funzip")),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive", Remedy::OfFile("7z x -so {}")),
    (b"PAR1\x15", "a Parquet file", Remedy::OfFile("duckdb -csv -c \"from '{}'\"")),
    (b"SQLite format 3\0", "an SQLite database", Remedy::OfFile("sqlite3 -csv -header {} 'select * from TABLE'")),
];

/// Where a tar archive says that it is one.
const TAR: (usize, &[u8]) = (257, b"ustar");
/// The longest name of a file in a tar archive; zeros fill it up.
const TAR_NAME: usize = 100;

/// How an input begins whose first bytes these are; `is_all` if there are no more. `packed` is what they came out of.
pub fn beginning(bytes: &[u8], is_all: bool, packed: Option<Packing>) -> Beginning {
    let foreign = |what, remedy| Beginning::Foreign(Foreign { what, remedy });
    if let Some(charset) = utf16(bytes) {
        return foreign("UTF-16 text", Remedy::Filter(charset));
    }
    let is_like = |magic: &[u8]| magic.iter().zip(bytes).all(|(magic, byte)| magic == byte || *magic == b'?');
    for (magic, what, remedy) in MAGICS {
        match is_like(magic) {
            true if bytes.len() >= magic.len() => return foreign(what, *remedy),
            true if !is_all => return Beginning::Short,
            _ => {}
        }
    }
    let (at, ustar) = TAR;
    let name = &bytes[..bytes.len().min(TAR_NAME + 1)];
    if memchr::memchr(0, name).is_some_and(|zero| zero > 0) && !name.contains(&b'\n') {
        match bytes.get(at..at + ustar.len()) {
            Some(there) if there == ustar => {
                return foreign(
                    "a tar archive",
                    Remedy::Filter(match packed {
                        None => "tar -xOf -",
                        Some(Packing::Gzip) => "tar -xzOf -",
                        Some(Packing::Zstd) => "tar --zstd -xOf -",
                    }),
                );
            }
            None if !is_all => return Beginning::Short,
            _ => {}
        }
    }
    Beginning::Text
}

/// The command that makes UTF-8 of UTF-16.
fn utf16(bytes: &[u8]) -> Option<&'static str> {
    const ASCII: std::ops::RangeInclusive<u8> = 1..=0x7F;
    match *bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some("iconv -f UTF-16 -t UTF-8"),
        // Without a byte order mark.
        [a, 0, b, 0, ..] if ASCII.contains(&a) && ASCII.contains(&b) => Some("iconv -f UTF-16LE -t UTF-8"),
        [0, a, 0, b, ..] if ASCII.contains(&a) && ASCII.contains(&b) => Some("iconv -f UTF-16BE -t UTF-8"),
        _ => None,
    }
}

/// What an input seems to be that begins so, if its first line is no JSON object and that can be told; and what helps.
pub fn puzzle(begun: &[u8], name: &str) -> Option<String> {
    let begun = begun.trim_ascii_start();
    let line = begun[..memchr::memchr(b'\n', begun).unwrap_or(begun.len())].trim_ascii();
    let jq = |what: &str, filter| {
        let remedy = Remedy::Filter(filter).for_input(name);
        Some(format!("{name} begins as {what}, and one object a line is read; try: {remedy}"))
    };
    match line {
        b"{" => jq("JSON over several lines", "jq -c ."),
        [b'[', rest @ ..] => match rest.trim_ascii_start() {
            [] | [b'{' | b'[' | b']', ..] => jq("a JSON array", "jq -c '.[]'"),
            _ => Some(format!(
                "{name} was taken for NDJSON, as it begins with [; if it is a log, -i regex:RE takes its lines apart"
            )),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar() -> Vec<u8> {
        let mut tar = vec![0; 512];
        tar[..10].copy_from_slice(b"access.log");
        tar[257..262].copy_from_slice(b"ustar");
        tar
    }

    #[test]
    fn what_is_no_text_is_known_however_it_comes() {
        let tar = tar();
        for (bytes, expected) in [
            (&b"BZh91AY&SY\x01"[..], Some(("data packed with bzip2", "bzip2 -dc < f | streamw ..."))),
            (b"\xFD7zXZ\0\0\x04", Some(("data packed with xz", "xz -dc < f | streamw ..."))),
            (b"\x1F\x9D\x90", Some(("data packed with compress", "gzip -dc < f | streamw ..."))),
            (b"PK\x03\x04\x14", Some(("a zip archive", "funzip < f | streamw ..."))),
            (b"PAR1\x15\x04", Some(("a Parquet file", "duckdb -csv -c \"from 'f'\" | streamw -i csv ..."))),
            (b"\xFF\xFEt\0s\0", Some(("UTF-16 text", "iconv -f UTF-16 -t UTF-8 < f | streamw ..."))),
            (b"t\0s\0", Some(("UTF-16 text", "iconv -f UTF-16LE -t UTF-8 < f | streamw ..."))),
            (&tar, Some(("a tar archive", "tar -xOf - < f | streamw ..."))),
            // Text that begins like them, and text that is none but can be read.
            (b"BZh9,v\n", None),
            (b"PAR1,v\n", None),
            (b"PK,v\n", None),
            (b"P", None),
            (b"a\0,b\n1,2\n", None),
            (&[0; 600], None),
            (&[&b"access.log"[..], &[0; 600]].concat(), None),
            (b"", None),
        ] {
            // (More than a few bytes come at once, as a rule; a tar archive is known behind the name of its first file.)
            let got = (bytes.len().min(16)..=bytes.len()).map(|end| beginning(&bytes[..end], end == bytes.len(), None));
            let got = got.into_iter().find(|beginning| *beginning != Beginning::Short);
            let told = match &got {
                Some(Beginning::Foreign(foreign)) => Some((foreign.what, foreign.remedy.for_input("f"))),
                _ => None,
            };
            assert_eq!(told, expected.map(|(what, remedy)| (what, remedy.to_owned())), "{:.20?}", bytes);
        }
        let packed = |packing| match beginning(&tar, true, Some(packing)) {
            Beginning::Foreign(foreign) => foreign.remedy.for_input("-"),
            other => panic!("{other:?}"),
        };
        assert_eq!(packed(Packing::Gzip), "... | tar -xzOf - | streamw ...");
        assert_eq!(packed(Packing::Zstd), "... | tar --zstd -xOf - | streamw ...");
    }

    #[test]
    fn first_lines_that_are_no_objects_are_explained() {
        for (line, expected) in [
            (
                "{\r\n",
                "f begins as JSON over several lines, and one object a line is read; try: jq -c . < f | streamw ...",
            ),
            ("[\n", "f begins as a JSON array, and one object a line is read; try: jq -c '.[]' < f | streamw ..."),
            (
                " [ {\"a\":1},\n",
                "f begins as a JSON array, and one object a line is read; try: jq -c '.[]' < f | streamw ...",
            ),
            (
                "[Sun Dec 04 04:47:44 2005] [notice] x\n",
                "f was taken for NDJSON, as it begins with [; if it is a log, -i regex:RE takes its lines apart",
            ),
            (
                "\n\n[{\"a\":1},\n{\"a\":2}]",
                "f begins as a JSON array, and one object a line is read; try: jq -c '.[]' < f | streamw ...",
            ),
            ("{\"a\":1\n", ""),
            ("x\n", ""),
            ("\n", ""),
        ] {
            assert_eq!(puzzle(line.as_bytes(), "f").unwrap_or_default(), expected, "{line}");
        }
    }
}
