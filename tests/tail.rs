//! Following one path through everything that happens to logs, on a real file system (RELIABILITY section 1). Time is told
//! by the test; nothing sleeps.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};

use streamw::input::tail::body::Body;
use streamw::input::tail::disk::{Disk, FileId, FileSystem, OpenFile, Stat};
use streamw::input::tail::known::KnownRecord;
use streamw::input::tail::position::{Digest, Left, Position, Start};
use streamw::input::tail::reading::{More, Reading};
use streamw::input::tail::together::Together;
use streamw::input::tail::{Given, Mark, QUIET, Tail, TailOptions};

pub const POLL: Duration = Duration::from_secs(1);
pub const ROTATE_WAIT: Duration = Duration::from_secs(5);

pub fn options() -> TailOptions {
    let apart = Vec::new();
    TailOptions { from_end: false, rotate_wait: ROTATE_WAIT, poll: POLL, apart, together: Together::default() }
}

/// A directory with a log in it, and somebody who follows that.
pub struct Place {
    pub here: PathBuf,
    pub now: Instant,
    tail: Option<Tail>,
}

impl Place {
    /// An empty directory, and nobody there yet.
    pub fn new(test: &str) -> Place {
        let here = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tail").join(test);
        let _ = fs::remove_dir_all(&here);
        fs::create_dir_all(&here).expect("a directory");
        Place { here, now: Instant::now(), tail: None }
    }

    /// A directory where somebody follows `log` from the beginning.
    fn followed(test: &str) -> Place {
        let mut place = Place::new(test);
        place.start(&[], options());
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.here.join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).expect("a file");
    }

    pub fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).expect("a file");
        file.write_all(text.as_ref()).expect("room");
    }

    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("a file");
    }

    /// The file was last written to so many seconds after some moment.
    fn aged(&self, name: &str, seconds: u64) {
        let file = OpenOptions::new().append(true).open(self.path(name)).expect("a file");
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)).expect("its owner");
    }

    /// As gzip does: the packed file has the time of the plain one, which goes when it is whole.
    fn gzip(&self, name: &str) {
        let path = self.path(name);
        let modified = fs::metadata(&path).and_then(|file| file.modified()).expect("a file");
        let mut to = File::create(self.path(&format!("{name}.gz"))).expect("a file");
        to.write_all(&self.packed(name)).and_then(|()| to.set_modified(modified)).expect("room");
        fs::remove_file(path).expect("a file");
    }

    fn packed(&self, name: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&fs::read(self.path(name)).expect("a file")).expect("room");
        encoder.finish().expect("room")
    }

    fn start(&mut self, history: &[&str], options: TailOptions) {
        self.start_on(Arc::new(Disk), history, options);
    }

    fn start_on(&mut self, files: Arc<dyn FileSystem>, history: &[&str], options: TailOptions) {
        let history: Vec<PathBuf> = history.iter().map(|name| self.path(name)).collect();
        self.tail = Some(Tail::start(files, &self.path("log"), &history, options).expect("a log"));
    }

    /// Goes on where another one was.
    fn resume(&mut self, position: &Position) {
        let known = self.tail.as_ref().map_or(KnownRecord::default(), |tail| tail.beside().record(true));
        let left = Left { position: position.clone(), created: None, is_telling: true, formers: Vec::new(), known };
        self.go_on(&left, &[]);
    }

    /// What a run leaves that is killed now.
    fn left(&mut self, is_telling: bool) -> Left {
        let (position, known) = (self.position(), self.tail().beside().record(is_telling));
        Left { position, created: None, is_telling, formers: Vec::new(), known }
    }

    /// The same with all that may be known.
    pub fn go_on(&mut self, left: &Left, history: &[&str]) {
        let history: Vec<PathBuf> = history.iter().map(|name| self.path(name)).collect();
        let mut tail = Tail::new(Arc::new(Disk), &self.path("log"), &history, options());
        tail.go_on(left).expect("a log");
        self.tail = Some(tail);
    }

    fn tail(&mut self) -> &mut Tail {
        self.tail.as_mut().expect("somebody follows")
    }

    /// Everything there is at the moment: text as it is, and marks in angle brackets.
    fn look(&mut self) -> String {
        self.look_taking(usize::MAX).0
    }

    /// As [`Place::look`], with reads of so many bytes; and how long there is nothing to do.
    fn look_taking(&mut self, most: usize) -> (String, Duration) {
        let (now, mut seen, mut bytes) = (self.now, Vec::new(), Vec::new());
        loop {
            let given = self.tail().give(&mut bytes, most, now).expect("files can be read");
            seen.append(&mut bytes);
            let mark = match given {
                Given::Bytes(_) => String::new(),
                Given::Nothing(wait) => return (String::from_utf8(seen).expect("text"), wait),
                Given::Mark(Mark::Begin { offset: 0, .. }) => "<begin>".into(),
                Given::Mark(Mark::Begin { offset, .. }) => format!("<begin {offset}>"),
                Given::Mark(Mark::End) => "<end>".into(),
                Given::Mark(Mark::Truncated) => "<truncated>".into(),
                Given::Mark(Mark::Hole(length)) => format!("<hole {length}>"),
                Given::Mark(Mark::Say(..)) => String::new(),
            };
            seen.extend(mark.into_bytes());
        }
    }

    /// As [`Place::look`], and again after each wait until nothing comes of waiting.
    fn look_long(&mut self) -> String {
        let mut seen = self.look();
        let mut in_vain = 0;
        while in_vain < 3 {
            self.now += QUIET.max(POLL);
            let more = self.look();
            in_vain = if more.is_empty() { in_vain + 1 } else { 0 };
            seen += &more;
        }
        seen
    }

    fn position(&mut self) -> Position {
        self.tail().position().expect("a file is at hand")
    }
}

#[test]
fn t10_a_path_need_not_be_there_yet() {
    let mut place = Place::followed("not_yet");
    assert_eq!(place.look_taking(9), (String::new(), POLL));
    place.append("log", "a\n");
    assert_eq!(place.look(), "<begin>a\n");
    place.append("log", "b\nc");
    assert_eq!(place.look(), "b\nc");
}

#[test]
fn r5_what_is_written_to_a_renamed_file_is_read_before_the_new_one() {
    let mut place = Place::followed("r5");
    place.append("log", "a\n");
    assert_eq!(place.look(), "<begin>a\n");
    place.rename("log", "log.1");
    place.append("log.1", "b\n");
    assert_eq!(place.look(), "b\n", "the renamed file is still read");
    place.now += 10 * ROTATE_WAIT;
    assert_eq!(place.look(), "", "as long as there is no new one");
    place.append("log", "x\n");
    assert_eq!(place.look(), "");
    place.now += QUIET / 2;
    place.append("log.1", "c\n");
    assert_eq!(place.look(), "c\n");
    place.now += QUIET / 2;
    assert_eq!(place.look_taking(9), (String::new(), QUIET / 2), "half a second quiet");
    place.now += QUIET / 2;
    assert_eq!(place.look(), "<end><begin>x\n");
}

#[test]
fn r5_a_renamed_file_that_is_written_to_for_ever_is_given_up_after_rotate_wait() {
    let mut place = Place::followed("r5_for_ever");
    place.append("log", "a\n");
    place.look();
    place.rename("log", "log.1");
    place.append("log", "x\n");
    let mut seen = place.look();
    let began = place.now;
    while !seen.contains('x') {
        place.append("log.1", "b\n");
        place.now += QUIET / 2;
        seen += &place.look();
        assert!(place.now - began <= ROTATE_WAIT, "{seen}");
    }
    assert_eq!(place.now - began, ROTATE_WAIT);
    assert!(seen.ends_with("b\n<end><begin>x\n"), "{seen}");
}

#[test]
fn r6_files_that_came_and_went_while_we_looked_away_are_read_in_order() {
    for numbered_down in [true, false] {
        let mut place = Place::followed("r6");
        place.append("log", "0 a\n0 b\n");
        assert_eq!(place.look(), "<begin>0 a\n0 b\n");
        let mut expected = String::new();
        for round in 1..=5 {
            place.append("log", format!("{} z\n", round - 1));
            expected += &format!("{} z\n<end><begin>{round} a\n", round - 1);
            place.aged("log", round);
            if numbered_down {
                for number in (1..round).rev() {
                    place.rename(&format!("log.{number}"), &format!("log.{}", number + 1));
                }
                place.rename("log", "log.1");
            } else {
                place.rename("log", &format!("log.{round}"));
            }
            place.append("log", format!("{round} a\n"));
        }
        assert_eq!(place.look_long(), expected, "numbered down: {numbered_down}");
    }
}

#[test]
fn r6_files_that_were_packed_while_we_looked_away_are_read_too() {
    let mut place = Place::followed("r6_packed");
    place.append("log", "a\n");
    place.look();
    place.rename("log", "log.2");
    place.append("log", "b\n");
    place.aged("log.2", 1);
    place.aged("log", 2);
    place.rename("log", "log.1");
    place.append("log", "c\n");
    place.gzip("log.1");
    place.gzip("log.2");
    // The first is at hand, whatever has become of its name; its packed form is known to be the same.
    assert_eq!(place.look_long(), "<end><begin>b\n<end><begin>c\n");
}

#[test]
fn r6_what_was_beside_the_path_before_is_no_successor() {
    let mut place = Place::new("r6_before");
    place.append("log.2", "older\n");
    place.append("log.1", "old\n");
    place.append("log", "a\n");
    place.start(&[], options());
    assert_eq!(place.look(), "<begin>a\n");
    // A copy that somebody makes is none either, nor one whose inode a deleted file had.
    place.append("log.bak", "old\n");
    assert_eq!(place.look(), "");
    place.rename("log.1", "log.2");
    place.rename("log", "log.1");
    place.append("log", "b\n");
    assert_eq!(place.look_long(), "<end><begin>b\n");
}

#[test]
fn r7_the_unfinished_line_of_a_file_is_not_glued_to_the_next_one() {
    // Finding 7: what tail -F 9.1 gets wrong, with the new file there at every byte of the old one.
    let text = "one\ntwo\npartial";
    for at in 0..=text.len() {
        let mut place = Place::followed("r7");
        place.append("log", &text[..at]);
        let mut seen = place.look();
        place.rename("log", "log.1");
        place.append("log.1", &text[at..]);
        place.append("log", "b1\n");
        seen += &place.look_long();
        assert_eq!(seen.replace("<begin>", ""), "one\ntwo\npartial<end>b1\n", "at {at}");
    }
}

#[test]
fn r1_another_file_with_the_same_inode_is_read_from_its_beginning() {
    let mut place = Place::new("r1");
    place.append("log", "one\ntwo\n");
    place.start(&[], options());
    place.look();
    let (position, inode) = (place.position(), fs::metadata(place.path("log")).expect("a file").ino());
    place.tail = None;
    // The file system gives a freed inode away again, sooner or later; where it does not, content alone must tell.
    for attempt in 0..1000 {
        fs::remove_file(place.path("log")).expect("a file");
        place.append("log", format!("{attempt} a longer file than the one before it\nand more\n"));
        if fs::metadata(place.path("log")).expect("a file").ino() == inode {
            break;
        }
    }
    let expected = fs::read_to_string(place.path("log")).expect("a file");
    place.resume(&position);
    assert_eq!(place.look(), format!("<begin>{expected}"));
}

#[test]
fn r1_of_a_file_of_which_nothing_was_read_the_age_tells_whether_it_is_the_same() {
    let mut place = Place::new("r1_age");
    place.append("log", "a\n");
    place.aged("log", 5);
    if fs::metadata(place.path("log")).and_then(|file| file.created()).is_err() {
        eprintln!("skipped: nobody knows how old files are here");
        return;
    }
    place.start(&[], options());
    let was = place.tail().place().expect("a file");
    assert_eq!(was.offset, 0);
    // It is packed since, and a later one has its inode, as far as anybody can tell.
    let known = place.tail().beside().record(false);
    let left = Left { position: was.position(), created: Some(1), is_telling: false, formers: Vec::new(), known };
    place.rename("log", "log.2");
    place.gzip("log.2");
    place.append("log", "b\n");
    place.aged("log", 6);
    place.rename("log", "log.1");
    place.append("log", "c\n");
    let id = fs::metadata(place.path("log.1")).map(|file| FileId { device: file.dev(), inode: file.ino() });
    let left = Left { position: Position { id: id.expect("a file"), ..left.position }, ..left };
    place.go_on(&left, &[]);
    assert_eq!(place.look_long(), "<begin>a\n<end><begin>b\n<end><begin>c\n");
}

#[test]
fn r1_the_same_inode_and_beginning_with_another_content_before_the_place_is_another_file() {
    let header = "x".repeat(2000) + "\n";
    let mut place = Place::new("r1_header");
    place.append("log", format!("{header}a\nb\n"));
    place.start(&[], options());
    place.look();
    let position = place.position();
    place.write("log", format!("{header}c\nd\ne\n"));
    place.resume(&position);
    assert_eq!(place.look(), format!("<begin>{header}c\nd\ne\n"));
}

#[test]
fn r2_a_file_that_is_shorter_than_what_was_read_is_read_from_its_beginning() {
    let text = "a\nb\nc\n";
    for length in 0..text.len() {
        let mut place = Place::new("r2");
        place.append("log", text);
        place.start(&[], options());
        assert_eq!(place.look(), format!("<begin>{text}"));
        let position = place.position();
        let file = OpenOptions::new().write(true).open(place.path("log")).expect("a file");
        file.set_len(length as u64).expect("it can be cut");
        assert_eq!(place.look(), format!("<truncated><begin>{}", &text[..length]), "up, cut to {length}");
        place.resume(&position);
        assert_eq!(place.look(), format!("<begin>{}", &text[..length]), "down, cut to {length}");
    }
}

#[test]
fn r3_a_file_that_was_emptied_and_has_grown_past_the_place_is_read_from_its_beginning() {
    let (few, many): (String, String) =
        ((0..10).map(|n| format!("few {n}\n")).collect(), (0..100).map(|n| format!("many {n}\n")).collect());
    for length in [0, 1, few.len() - 1, few.len()] {
        // The same inode, as `>` leaves it.
        let mut place = Place::new("r3");
        place.append("log", &few[..length]);
        place.start(&[], options());
        assert_eq!(place.look(), format!("<begin>{}", &few[..length]));
        let position = place.position();
        place.write("log", &many);
        let again = if length == 0 { "" } else { "<truncated><begin>" };
        assert_eq!(place.look(), format!("{again}{many}"), "up, after {length} bytes");
        place.resume(&position);
        assert_eq!(place.look(), format!("<begin>{many}"), "down, after {length} bytes");
    }
}

#[test]
fn r4_what_was_copied_away_before_the_file_was_emptied_is_read_from_the_copy() {
    for is_packed in [false, true] {
        let mut place = Place::followed("r4");
        place.append("log", "a\nb");
        assert_eq!(place.look(), "<begin>a\nb");
        place.append("log", "b\nc\n");
        fs::copy(place.path("log"), place.path("log.1")).expect("room");
        place.append("log", "in the gap\n");
        place.write("log", "");
        place.append("log", "a new line, longer than all the old ones together\n");
        if is_packed {
            place.gzip("log.1");
        }
        let seen = place.look_long();
        assert_eq!(seen, "b\nc\n<end><begin>a new line, longer than all the old ones together\n", "{is_packed}");
        // Later the path is rotated by renaming: the copy is no file that was missed.
        place.rename("log", "log.0");
        place.append("log", "x\n");
        assert_eq!(place.look_long(), "<end><begin>x\n");
    }
}

#[test]
fn r4_a_copy_made_before_the_last_lines_were_added_is_known_as_one() {
    let line = |number: u64| format!("line {number}\n");
    for count in [3, 30, 300, 10_000] {
        let place = Place::new("r4_past");
        let lines: String = (0..count).map(line).collect();
        place.append("log", &lines);
        let (body, stat) = Body::open(&Disk, &place.path("log")).expect("a file");
        let mut reading = Reading::new(body, stat, 0).expect("it can be read");
        while reading.look().expect("it can be read") == More::Bytes {
            reading.take(&mut Vec::new(), usize::MAX);
        }
        let passed = reading.passing.get().clone();
        let all = lines.len();
        let other_head = lines.replacen('0', "x", 1);
        let other_end = lines[..all - 10].to_owned() + "#";
        let mut cases = vec![(&lines[..all - 9], true), (&lines[..1], true), (&lines[..], false), ("", false)];
        cases.extend([(&other_head[..all - 9], false), (&other_end[..], false)]);
        for (copy, is_one) in cases {
            place.write("copy", copy);
            let (mut body, stat) = Body::open(&Disk, &place.path("copy")).expect("a file");
            let is_past = passed.is_past(&mut body, stat.size).expect("it can be read");
            assert_eq!(is_past, is_one, "{} bytes of {all}", copy.len());
        }
    }
}

#[test]
fn r4_a_copy_that_lacks_lines_is_not_read_later_on() {
    // Two rotations between two looks, and lines between copying and emptying that only we have seen.
    let mut place = Place::followed("r4_lacking");
    let mut expected = String::from("<begin>");
    for round in 0..3 {
        place.append("log", format!("{round} a\n{round} b\n"));
        fs::copy(place.path("log"), place.path(&format!("log.{}", 9 - round))).expect("room");
        place.aged(&format!("log.{}", 9 - round), round);
        place.append("log", format!("{round} in the gap\n"));
        let seen = place.look();
        expected += &format!("{round} a\n{round} b\n{round} in the gap\n");
        assert_eq!(seen, expected);
        place.write("log", "");
        expected = String::from("<truncated><begin>");
    }
    place.append("log", "the last line of all, longer than what was there before\n");
    assert_eq!(place.look_long(), expected + "the last line of all, longer than what was there before\n");
}

#[test]
fn r4_of_a_log_that_is_only_a_header_no_older_rotation_with_that_header_is_taken_for_a_copy() {
    let header = "time,value\n";
    for has_copy in [false, true] {
        let mut place = Place::new("r4_header_only");
        place.append("log.1", format!("{header}1,old\n"));
        place.aged("log.1", 1);
        place.append("log", header);
        place.start(&[], options());
        assert_eq!(place.look(), format!("<begin>{header}"));
        // Its writer has a line more, which is copied or not, and begins anew.
        if has_copy {
            place.append("log", "2,copied\n");
            place.rename("log.1", "log.2");
            fs::copy(place.path("log"), place.path("log.1")).expect("room");
        }
        place.write("log", "");
        place.append("log", "");
        let mut seen = place.look();
        place.append("log", format!("{header}3,new\n"));
        seen += &place.look_long();
        let lines: String = seen.split_inclusive(['>', '\n']).filter(|piece| !piece.starts_with('<')).collect();
        let expected = if has_copy { "2,copied\n3,new\n" } else { "3,new\n" };
        assert_eq!(lines.replace(header, ""), expected, "{seen}");
    }
}

#[test]
fn r8_a_line_in_the_making_is_given_as_far_as_it_is_there() {
    let mut place = Place::followed("r8");
    for piece in ["", "a", "b", "c\n", "\n", "d"] {
        place.append("log", piece);
        assert!(place.look().ends_with(piece));
    }
}

#[test]
fn r10_bytes_come_the_same_whatever_the_size_of_reads() {
    let text = "grüße ✓ 𝄞\nzwei\n".repeat(50);
    for most in 1..=64 {
        let mut place = Place::new("r10");
        place.append("log", &text);
        place.start(&[], options());
        let (now, mut bytes) = (place.now, Vec::new());
        while !matches!(place.tail().give(&mut bytes, most, now), Ok(Given::Nothing(_))) {}
        assert_eq!(String::from_utf8(bytes).as_deref(), Ok(text.as_str()), "{most} bytes at once");
    }
}

#[test]
fn r11_nuls_at_the_end_are_not_written_yet_and_those_before_lines_are_passed_over() {
    let mut place = Place::followed("r11");
    place.append("log", "a\n");
    place.look();
    // A preallocated file, filled from its beginning.
    let file = OpenOptions::new().write(true).open(place.path("log")).expect("a file");
    file.set_len(1 << 20).expect("room");
    assert_eq!(place.look(), "");
    assert_eq!(place.look(), "");
    file.write_all_at(b"b\nc", 2).expect("room");
    assert_eq!(place.look(), "b\nc");
    assert_eq!(place.look(), "", "the rest of the line is not written yet");
    file.write_all_at(b"c\n", 5).expect("room");
    assert_eq!(place.look(), "c\n");
    file.write_all_at(b"d\n", 100).expect("room");
    assert_eq!(place.look(), "<hole 93>d\n");
    // And a NUL within a line is part of it.
    file.write_all_at(b"e\0f\n", 102).expect("room");
    assert_eq!(place.look(), "e\0f\n");
}

#[test]
fn r11_the_hole_of_a_writer_that_goes_on_at_its_old_place_is_passed_over() {
    const HOLE: u64 = 100 << 20;
    let mut place = Place::new("r11_hole");
    let mut file = File::create(place.path("log")).expect("a file");
    file.seek(SeekFrom::Start(HOLE)).expect("a place");
    file.write_all(b"X\nY\n").expect("room");
    place.start(&[], options());
    assert_eq!(place.look(), format!("<begin><hole {HOLE}>X\nY\n"));
    let position = place.position();
    assert_eq!(position.offset, HOLE + 4);
    file.write_all(b"Z\n").expect("room");
    place.resume(&position);
    assert_eq!(place.look(), format!("<begin {}>Z\n", HOLE + 4));
}

#[test]
fn r13_a_link_that_is_swapped_between_files_continues_each() {
    let mut place = Place::new("r13");
    let swap = |place: &Place, to: &str| {
        symlink(to, place.path("new")).expect("a link");
        place.rename("new", "log");
    };
    place.append("a", "");
    place.append("b", "");
    swap(&place, "a");
    place.start(&[], TailOptions { rotate_wait: Duration::ZERO, ..options() });
    let (mut seen, mut expected) = (place.look(), String::new());
    for round in 0..1000 {
        let line = format!("line {round}\n");
        place.append(["a", "b"][round % 2], &line);
        expected += &line;
        seen += &place.look();
        swap(&place, ["b", "a"][round % 2]);
        seen += &place.look();
    }
    let lines: String = seen.split_inclusive(['>', '\n']).filter(|piece| !piece.starts_with('<')).collect();
    assert_eq!(lines, expected);
}

#[test]
fn r13_what_is_followed_itself_is_no_rotation_whatever_its_name() {
    let mut place = Place::new("r13_apart");
    place.append("log", "a\n");
    place.start(&[], TailOptions { apart: vec![place.path("log-ssl")], ..options() });
    place.look();
    place.rename("log", "log.1");
    place.append("log-ssl", "other\n");
    place.append("log", "b\n");
    assert_eq!(place.look_long(), "<end><begin>b\n");
}

#[test]
fn r14_a_file_that_is_packed_after_its_rotation_is_not_read_again() {
    let mut place = Place::followed("r14");
    place.append("log", "a\n");
    place.look();
    place.rename("log", "log.1");
    place.append("log", "b\n");
    assert_eq!(place.look(), "");
    place.gzip("log.1");
    assert_eq!(place.look_long(), "<end><begin>b\n");
    place.rename("log", "log.1");
    place.append("log", "c\n");
    assert_eq!(place.look_long(), "<end><begin>c\n");
}

#[test]
fn r15_files_that_begin_alike_are_told_apart() {
    let header = "column,".repeat(300) + "\n";
    let mut place = Place::followed("r15");
    let mut expected = String::new();
    for round in 0..5 {
        let text = format!("{header}{round}\n");
        place.append("log", &text);
        expected += &format!("<begin>{text}<end>");
        place.aged("log", round);
        place.rename("log", &format!("log.{round}"));
    }
    place.append("log", "");
    expected += "<begin>";
    // None was seen while it had the name.
    assert_eq!(place.look_long(), expected);
}

#[test]
fn r16_a_file_of_any_size_is_known_again() {
    let mut place = Place::new("r16");
    for text in
        ["", "x", "x\n", "x\ny\n"].map(str::to_owned).into_iter().chain([format!("x\n{}\n", "y".repeat(1 << 20))])
    {
        place.write("log", &text);
        place.start(&[], options());
        place.look();
        let position = place.position();
        place.rename("log", "log.1");
        place.append("log.1", "late\n");
        place.append("log", "new\n");
        place.resume(&position);
        let begin = if text.is_empty() { "<begin>".to_owned() } else { format!("<begin {}>", text.len()) };
        assert_eq!(place.look_long(), format!("{begin}late\n<end><begin>new\n"));
        fs::remove_file(place.path("log.1")).expect("a file");
    }
}

#[test]
fn r4_a_file_of_which_nothing_or_a_header_was_read_may_have_been_copied_and_emptied_since() {
    for header in ["", "column\n"] {
        for (by_copy, again) in [(false, ""), (true, ""), (true, header)] {
            let mut place = Place::new("r4_header");
            place.append("log.2", format!("{header}old\n"));
            place.aged("log.2", 1);
            place.append("log", header);
            place.aged("log", 2);
            place.start(&[], options());
            assert_eq!(place.look(), format!("<begin>{header}"));
            let left = place.left(false);
            place.append("log", "a\n");
            place.aged("log", 3);
            if by_copy {
                fs::copy(place.path("log"), place.path("log.1")).expect("room");
                place.aged("log.1", 4);
                place.write("log", again);
            } else {
                place.rename("log", "log.1");
            }
            place.append("log", "b\n");
            place.aged("log", 5);
            place.go_on(&left, &[]);
            let seen: String =
                place.look_long().split_inclusive(['>', '\n']).filter(|piece| !piece.starts_with('<')).collect();
            assert_eq!(seen.replace("column\n", ""), "a\nb\n", "{header:?} {by_copy} {again:?}");
        }
    }
}

#[test]
fn section_5_files_that_were_read_before_are_not_read_again_whatever_was_done_to_them() {
    for is_packed in [false, true] {
        let mut place = Place::followed("formers");
        place.append("log", "a\n");
        let mut seen = place.look();
        place.rename("log", "log.2");
        place.append("log", "b\n");
        seen += &place.look_long();
        assert_eq!(seen, "<begin>a\n<end><begin>b\n");
        let id = |name: &str| {
            let file = fs::metadata(place.path(name)).expect("a file");
            FileId { device: file.dev(), inode: file.ino() }
        };
        let digest = Digest::of(b"a\n");
        let former =
            Position { id: id("log.2"), head: digest, trail: digest, offset: 2, modified: 0, start: Start::default() };
        let left = Left { formers: vec![former], known: KnownRecord::default(), ..place.left(true) };
        place.rename("log", "log.1");
        // By the times of files the one that was read would be as good as any.
        place.aged("log.1", 7);
        place.aged("log.2", 7);
        if is_packed {
            place.gzip("log.2");
        }
        place.append("log", "c\n");
        place.go_on(&left, &[]);
        assert_eq!(place.look_long(), "<begin 2><end><begin>c\n", "{is_packed}");
    }
}

#[test]
fn r4_two_copies_made_between_two_looks_are_both_read() {
    let mut place = Place::followed("r4_twice");
    place.append("log", "a\n");
    assert_eq!(place.look(), "<begin>a\n");
    for (copy, line) in [("log.2", "b\n"), ("log.1", "c\n")] {
        place.append("log", line);
        fs::copy(place.path("log"), place.path(copy)).expect("room");
        place.aged(copy, if copy == "log.2" { 8 } else { 9 });
        place.write("log", "");
    }
    place.append("log", "a line of its own\n");
    assert_eq!(place.look_long(), "b\n<end><begin>c\n<end><begin>a line of its own\n");
}

#[test]
fn r4_a_copy_of_what_is_still_there_is_not_read() {
    let mut place = Place::followed("r4_still_there");
    place.append("log", "a\n");
    assert_eq!(place.look(), "<begin>a\n");
    fs::copy(place.path("log"), place.path("log.2")).expect("room");
    place.aged("log.2", 8);
    place.write("log", "");
    place.append("log", "b\n");
    // It is emptied in a moment.
    fs::copy(place.path("log"), place.path("log.1")).expect("room");
    place.aged("log.1", 9);
    assert_eq!(place.look_long(), "<end><begin>b\n");
    place.append("log", "c\n");
    assert_eq!(place.look(), "c\n");
    fs::copy(place.path("log"), place.path("log.1")).expect("room");
    place.write("log", "");
    place.append("log", "d\n");
    assert_eq!(place.look_long(), "<end><begin>d\n");
}

#[test]
fn r17_what_is_remembered_of_former_files_is_bounded() {
    let mut place = Place::followed("r17");
    for round in 0..300 {
        place.append("log", format!("{round}\n"));
        assert!(place.look_long().ends_with(&format!("<begin>{round}\n")), "round {round}");
        place.rename("log", "log.1");
    }
    place.append("log", "");
    place.look_long();
    let kept = serde_json::to_string(&place.left(true).known).expect("plain data");
    assert!(kept.len() < 16 << 10, "{} bytes", kept.len());
}

#[test]
fn r18_a_deleted_file_is_closed_after_rotate_wait_and_what_was_unread_is_said() {
    let mut place = Place::followed("r18");
    place.append("log", "a\n");
    place.look();
    fs::remove_file(place.path("log")).expect("a file");
    assert_eq!(place.look(), "");
    place.now += ROTATE_WAIT - QUIET / 2;
    assert_eq!(place.look_taking(9), (String::new(), QUIET / 2));
    assert_eq!(open_files_in(&place.here), 1);
    place.now += QUIET;
    assert_eq!(place.look(), "<end>");
    assert_eq!(open_files_in(&place.here), 0);
    // Of one that nobody takes bytes of, its keeper lets go.
    place.append("log", "b\n".repeat(100_000));
    let (now, mut bytes) = (place.now, Vec::new());
    while bytes.is_empty() {
        place.tail().give(&mut bytes, 10, now).expect("bytes");
    }
    fs::remove_file(place.path("log")).expect("a file");
    place.tail().held().expect("a file is at hand").let_go();
    assert_eq!(open_files_in(&place.here), 0);
    while !matches!(place.tail().give(&mut bytes, 1 << 16, now), Ok(Given::Mark(Mark::Say(..)))) {}
    assert!((64 << 10..100_000).contains(&bytes.len()), "{}: what had been read already is not lost", bytes.len());
}

/// Something that happens to files.
type Deed = Box<dyn FnOnce() + Send>;

/// The machine's files, among whose uses something happens: the first deed at one of them, each further one so many
/// uses later.
struct Meddled {
    uses: AtomicUsize,
    at: usize,
    pace: usize,
    deeds: Mutex<VecDeque<Deed>>,
}

impl Meddled {
    fn new(at: usize, pace: usize, deeds: Vec<Deed>) -> Arc<Meddled> {
        Arc::new(Meddled { uses: AtomicUsize::new(0), at, pace, deeds: Mutex::new(deeds.into()) })
    }

    fn used(&self) {
        let use_number = self.uses.fetch_add(1, Ordering::SeqCst) + 1;
        if use_number >= self.at && (use_number - self.at).is_multiple_of(self.pace) {
            let deed = self.deeds.lock().expect("no deed fails").pop_front();
            if let Some(deed) = deed {
                deed();
            }
        }
    }

    fn has_begun(&self) -> bool {
        self.uses.load(Ordering::SeqCst) >= self.at
    }

    fn is_over(&self) -> bool {
        self.deeds.lock().expect("no deed fails").is_empty()
    }
}

struct MeddledFile(Arc<Meddled>, Arc<dyn OpenFile>);

/// A file system is asked through this.
struct Through(Arc<Meddled>);

impl FileSystem for Through {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn OpenFile>> {
        self.0.used();
        Ok(Arc::new(MeddledFile(self.0.clone(), Disk.open(path)?)))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.0.used();
        Disk.stat(path)
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        self.0.used();
        Disk.names(directory)
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        Disk.resolve(path)
    }
}

impl OpenFile for MeddledFile {
    fn stat(&self) -> io::Result<Stat> {
        self.0.used();
        self.1.stat()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.used();
        self.1.read_at(offset, into)
    }
}

/// What happens at some moment: a line is added, and the log rotated, once or more.
fn rotations(here: &Path, count: usize, by_copy: bool) -> Deed {
    let here = here.to_owned();
    Box::new(move || {
        let log = here.join("log");
        let add = |text: String| {
            let mut file = OpenOptions::new().append(true).create(true).open(&log).expect("a file");
            file.write_all(text.as_bytes()).expect("room");
        };
        for round in 1..=count {
            add(format!("last of {round}\n"));
            let modified = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + round as u64);
            File::options().append(true).open(&log).and_then(|file| file.set_modified(modified)).expect("a file");
            for number in (1..round).rev() {
                let _ = fs::rename(here.join(format!("log.{number}")), here.join(format!("log.{}", number + 1)));
            }
            if by_copy {
                fs::copy(&log, here.join("log.1")).expect("room");
                File::create(&log).expect("a file");
            } else {
                fs::rename(&log, here.join("log.1")).expect("a file");
            }
            add(format!("first after {round}\n"));
        }
    })
}

#[test]
fn r5_r6_a_rotation_between_any_two_looks_at_files_loses_and_repeats_nothing() {
    // Emptying a file twice while we look away loses what came between: nobody has it. Once it must not.
    for (count, by_copy) in [(1, false), (2, false), (3, false), (1, true), (2, true), (3, true)] {
        for at in 1.. {
            let mut place = Place::new("between");
            place.append("log", "first\n");
            place.aged("log", 0);
            let deed = rotations(&place.here, count, by_copy);
            let meddled = Meddled::new(at, 1, vec![deed]);
            place.start_on(Arc::new(Through(meddled.clone())), &[], options());
            let begun = meddled.has_begun();
            let mut seen = place.look();
            place.append("log", "more\n");
            seen += &place.look_long();
            if meddled.has_begun() {
                // Maybe in the very last look.
                seen += &place.look_long();
            }
            if begun || by_copy && !seen.starts_with("<begin>first\n") {
                // Before the tail had the first file, there was no telling that it is meant; nor which it is before
                // anything of it was read.
                continue;
            }
            let lines: Vec<&str> = seen.split_inclusive(['>', '\n']).filter(|piece| !piece.starts_with('<')).collect();
            let mut expected = vec!["first\n".to_owned()];
            for round in (1..=count).filter(|_| meddled.has_begun()) {
                expected.extend([format!("last of {round}\n"), format!("first after {round}\n")]);
            }
            // Added before the deed, or after it.
            let mut got: Vec<&str> = lines.clone();
            got.retain(|line| *line != "more\n");
            assert_eq!(got, expected, "{count} rotations, by copy: {by_copy}, at look {at}: {seen}");
            assert_eq!(lines.len(), got.len() + 1, "{seen}");
            if !meddled.has_begun() {
                break;
            }
        }
    }
}

/// Each thing that logrotate does one after the other, with `compress`, so many times; a line is added before each rotation,
/// and one after it.
fn packing_rotations(here: &Path, count: usize) -> Vec<Deed> {
    let mut deeds: Vec<Deed> = Vec::new();
    let mut then = |deed: fn(&Place, usize), round: usize| {
        let place = Place { here: here.to_owned(), now: Instant::now(), tail: None };
        deeds.push(Box::new(move || deed(&place, round)));
    };
    for round in 1..=count {
        then(|place, round| place.append("log", format!("last of {round}\n")), round);
        for number in (1..round).rev() {
            then(|place, number| place.rename(&format!("log.{number}.gz"), &format!("log.{}.gz", number + 1)), number);
        }
        then(|place, _| place.rename("log", "log.1"), round);
        then(|place, _| place.append("log", ""), round);
        then(|place, round| place.append("log", format!("first after {round}\n")), round);
        then(|place, _| place.append("log.1.gz", ""), round);
        then(|place, _| place.append("log.1.gz", &place.packed("log.1")[..12]), round);
        then(|place, _| place.append("log.1.gz", &place.packed("log.1")[12..]), round);
        then(
            |place, _| {
                let modified = fs::metadata(place.path("log.1")).and_then(|file| file.modified()).expect("a file");
                let packed = File::options().append(true).open(place.path("log.1.gz")).expect("a file");
                packed.set_modified(modified).expect("its owner");
            },
            round,
        );
        then(|place, _| fs::remove_file(place.path("log.1")).expect("a file"), round);
    }
    deeds
}

#[test]
fn r14_a_rotation_with_packing_step_by_step_between_any_looks_at_files_loses_and_repeats_nothing() {
    for pace in 1..=12 {
        for at in 1.. {
            let mut place = Place::new("packing");
            place.append("log", "first\n");
            let meddled = Meddled::new(at, pace, packing_rotations(&place.here, 3));
            place.start_on(Arc::new(Through(meddled.clone())), &[], options());
            let begun = meddled.has_begun();
            let mut seen = place.look_long();
            if begun {
                // Before the tail had the first file, there was no telling which it is.
                continue;
            }
            if !meddled.has_begun() {
                break;
            }
            while !meddled.is_over() {
                meddled.used();
            }
            place.append("log", "more\n");
            seen += &place.look_long();
            let mut expected = "first\n".to_owned();
            for round in 1..=3 {
                expected += &format!("last of {round}\nfirst after {round}\n");
            }
            let lines: String = seen.split_inclusive(['>', '\n']).filter(|piece| !piece.starts_with('<')).collect();
            assert_eq!(lines, expected + "more\n", "at look {at}, every {pace} looks: {seen}");
        }
    }
}

fn open_files_in(directory: &Path) -> usize {
    let open = fs::read_dir("/proc/self/fd").expect("Linux");
    open.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok()).filter(|file| file.starts_with(directory)).count()
}

#[test]
fn t10_from_the_end_only_what_comes_is_read() {
    for (text, offset) in [("", 0), ("a\nb\n", 4), ("a\nunfini", 2), ("unfini", 0)] {
        let mut place = Place::new("from_end");
        place.append("log", text);
        place.start(&[], TailOptions { from_end: true, ..options() });
        let begin = if offset == 0 { "<begin>".to_owned() } else { format!("<begin {offset}>") };
        assert_eq!(place.look(), format!("{begin}{}", &text[offset..]));
        place.append("log", "shed\n");
        assert_eq!(place.look(), "shed\n");
        // A file that comes later is new as a whole.
        place.rename("log", "log.1");
        place.append("log", "c\n");
        assert_eq!(place.look_long(), "<end><begin>c\n");
    }
    let mut place = Place::new("from_end_later");
    place.start(&[], TailOptions { from_end: true, ..options() });
    place.append("log", "a\n");
    assert_eq!(place.look(), "<begin>a\n");
}

#[test]
fn t10_history_comes_first_plain_or_packed() {
    let mut place = Place::new("history");
    place.append("log.3", "a\n");
    place.append("log.2", "b\n");
    place.append("log.1", "c\n");
    place.append("log", "d\n");
    place.gzip("log.3");
    place.start(&["log.3.gz", "log.2", "log.1"], options());
    // A rotation between the opening and the reading loses and repeats nothing.
    place.rename("log.1", "log.2");
    place.rename("log", "log.1");
    place.append("log.1", "e\n");
    place.append("log", "f\n");
    assert_eq!(place.look_long(), "<begin>a\n<end><begin>b\n<end><begin>c\n<end><begin>d\ne\n<end><begin>f\n");
}

#[test]
fn t10_history_that_is_being_written_to_is_waited_for() {
    let mut place = Place::new("history_late");
    place.append("log.1", "a\n");
    place.append("log", "b\n");
    place.start(&["log.1"], options());
    assert_eq!(place.look(), "<begin>a\n");
    place.append("log.1", "late\n");
    assert_eq!(place.look_long(), "late\n<end><begin>b\n");
}

#[test]
fn section_5_a_resume_finds_the_file_under_its_new_name_and_those_that_came_since() {
    for is_packed in [false, true] {
        let mut place = Place::new("resume");
        place.append("log.1", "before\n");
        place.aged("log.1", 0);
        place.append("log", "a\n");
        place.start(&[], options());
        place.look();
        let position = place.position();
        place.append("log", "b\n");
        place.rename("log.1", "log.3");
        place.rename("log", "log.2");
        place.append("log", "c\n");
        place.rename("log", "log.1");
        place.append("log", "d\n");
        for (name, seconds) in [("log.2", 1), ("log.1", 2)] {
            place.aged(name, seconds);
        }
        if is_packed {
            for name in ["log.3", "log.2", "log.1"] {
                place.gzip(name);
            }
        }
        place.resume(&position);
        assert_eq!(place.look_long(), "<begin 2>b\n<end><begin>c\n<end><begin>d\n", "packed: {is_packed}");
    }
}

#[test]
fn section_5_a_resume_reads_the_rest_of_a_file_from_the_copy_made_of_it() {
    let mut place = Place::new("resume_copy");
    place.append("log", "a\n");
    place.start(&[], options());
    place.look();
    let position = place.position();
    place.append("log", "b\n");
    fs::copy(place.path("log"), place.path("log.1")).expect("room");
    place.write("log", "another line\n");
    place.resume(&position);
    assert_eq!(place.look_long(), "<begin 2>b\n<end><begin>another line\n");
}

#[test]
fn a_file_that_cannot_be_followed_is_refused_at_the_start() {
    let place = Place::new("refused");
    let refused = Tail::start(Arc::new(Disk), &place.here, &[], options()).err();
    assert_eq!(refused.map(|(_, error)| error.kind()), Some(io::ErrorKind::InvalidInput));
    let refused = Tail::start(Arc::new(Disk), &place.path("log"), &[place.path("log.1")], options()).err();
    assert_eq!(refused.map(|(path, _)| path), Some(place.path("log.1")));
}

/// What a run that is killed before or after its first look leaves, and what the next one reads.
fn killed(place: &mut Place, options: TailOptions, has_looked: bool, meanwhile: impl FnOnce(&Place)) -> String {
    place.start(&[], options);
    if has_looked {
        place.look();
    }
    let tail = place.tail();
    let was = tail.place().expect("a file");
    let is_telling = has_looked && memchr::memchr_iter(b'\n', &was.head).nth(1).is_some();
    let (position, known) = (was.position(), tail.beside().record(is_telling));
    meanwhile(place);
    place.go_on(&Left { position, created: was.created, is_telling, formers: Vec::new(), known }, &[]);
    let seen = place.look_long();
    seen.split_inclusive(['>', '\n']).filter(|piece| !piece.starts_with('<')).collect::<String>().replace('\n', " ")
}

#[test]
fn r13_what_a_link_led_to_is_read_first_wherever_the_link_leads_since_a_kill() {
    let link = |place: &Place, to: &str| {
        let _ = fs::remove_file(place.path("log"));
        std::os::unix::fs::symlink(place.path(to), place.path("log")).expect("a link");
    };
    for (first, next) in [("log-01", "log-02"), ("a/x", "b/y"), ("a/x", "b/x"), ("x.1", "x.2"), ("one", "two")] {
        for (there, has_looked) in [("", false), ("", true), ("1\n", false), ("1\n", true), ("1\n2\n", true)] {
            let mut place = Place::new("r13_link");
            for directory in ["a", "b"] {
                fs::create_dir(place.path(directory)).expect("room");
            }
            place.append(&format!("{next}.old"), "of another\n");
            place.aged(&format!("{next}.old"), 1);
            place.append(first, there);
            link(&place, first);
            let read = killed(&mut place, options(), has_looked, |place| {
                place.append(first, "3\n4\n");
                place.append(next, "5\n6\n");
                link(place, next);
            });
            let again = if has_looked && there.len() > 2 { "" } else { there };
            let again = again.replace('\n', " ");
            // Of one line that was read nobody knows whether it is a header.
            let expected = [format!("{again}3 4 5 6 "), "3 4 5 6 ".to_owned()];
            assert!(expected.contains(&read), "{first} {next} {there:?} {has_looked}: {read}");
        }
    }
}

#[test]
fn r6_r13_a_link_that_is_swapped_twice_between_two_looks_leaves_out_nothing() {
    let mut place = Place::new("r13_twice");
    let link = |place: &Place, to: &str| {
        let _ = fs::remove_file(place.path("log"));
        std::os::unix::fs::symlink(place.path(to), place.path("log")).expect("a link");
    };
    for directory in ["a", "b", "c"] {
        fs::create_dir(place.path(directory)).expect("room");
    }
    place.append("a/x", "1\n2\n");
    link(&place, "a/x");
    place.start(&[], options());
    let mut seen = place.look();
    place.append("b/x.1", "before\n");
    place.append("b/x", "3\n");
    link(&place, "b/x");
    seen += &place.look();
    place.append("b/x", "4\n");
    place.append("c/x", "5\n");
    link(&place, "c/x");
    seen += &place.look_long();
    assert_eq!(seen, "<begin>1\n2\n<end><begin>3\n4\n<end><begin>5\n");
    // What is rotated where the link leads to now is seen as well.
    place.append("c/x", "6\n");
    for line in ["7\n", "8\n"] {
        let _ = fs::rename(place.path("c/x.1"), place.path("c/x.2"));
        place.rename("c/x", "c/x.1");
        place.append("c/x", line);
    }
    assert_eq!(place.look_long(), "6\n<end><begin>7\n<end><begin>8\n");
}

#[test]
fn t10_what_was_there_before_the_end_is_not_read_after_a_kill_either() {
    for is_packed in [false, true] {
        let mut place = Place::new("from_end");
        place.append("log", "before\n");
        let from_end = TailOptions { from_end: true, ..options() };
        let read = killed(&mut place, from_end, true, |place| {
            place.append("log", "1\n");
            place.rename("log", "log.1");
            if is_packed {
                place.gzip("log.1");
            }
            place.append("log", "2\n");
        });
        assert_eq!(read, "1 2 ", "{is_packed}");
    }
}

#[test]
fn r6_the_file_at_hand_comes_first_after_a_kill_whatever_the_clock_says() {
    let mut place = Place::new("r6_clock");
    place.append("log", "1\n");
    let read = killed(&mut place, options(), false, |place| {
        place.rename("log", "log.2");
        place.append("log.1", "2\n");
        place.append("log", "3\n");
        place.aged("log.1", 1);
        place.aged("log", 2);
    });
    assert_eq!(read, "1 2 3 ");
}

#[test]
fn r8_a_path_that_is_a_directory_for_a_moment_is_waited_for() {
    let mut place = Place::followed("r8_directory");
    fs::create_dir(place.path("log")).expect("room");
    assert_eq!(place.look_long(), "");
    fs::remove_dir(place.path("log")).expect("empty");
    place.append("log", "1\n");
    assert_eq!(place.look_long(), "<begin>1\n");
}

#[test]
fn r6_r13_what_a_link_is_to_lead_to_may_be_there_before() {
    let mut place = Place::new("r13_before");
    let link = |place: &Place, to: &str| {
        let _ = fs::remove_file(place.path("log"));
        std::os::unix::fs::symlink(place.path(to), place.path("log")).expect("a link");
    };
    place.append("log-1", "1\n2\n");
    link(&place, "log-1");
    place.start(&[], options());
    let mut seen = place.look();
    for next in ["log-2", "log-3"] {
        place.append(next, "");
        seen += &place.look_long();
    }
    for (next, line) in [("log-2", "3\n"), ("log-3", "4\n")] {
        link(&place, next);
        place.append(next, line);
    }
    place.aged("log-2", 1);
    seen += &place.look_long();
    assert_eq!(seen, "<begin>1\n2\n<end><begin>3\n<end><begin>4\n");
}
