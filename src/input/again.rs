//! Regular files that are read from where they began, as often as wanted (`--check-order`).

use super::feed::Feed;
use super::reader::{Source, Start};
use crate::error::Error;
use crate::event::SourceId;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;

/// The inputs of a run, none of which is a pipe or the like.
pub struct Again(Vec<Original>);

struct Original {
    id: SourceId,
    name: String,
    file: File,
    /// Where reading began: whoever opened the file may have read from it.
    offset: u64,
}

impl Again {
    /// Remembers opened inputs before anything is read from them.
    ///
    /// # Errors
    /// One that can be read but once.
    pub fn new(sources: &[Source]) -> Result<Again, Error> {
        let original = |source: &Source| {
            let failed = |error| Error::File { name: source.name.clone(), source: error };
            let Some(mut file) = source.feed.regular() else {
                let what = if source.name == "-" { "stdin (-)" } else { &source.name };
                return Err(Error::Usage(format!(
                    "--check-order reads its input several times, and {what} is no file but a pipe or the like; write it to a \
                     file first"
                )));
            };
            let offset = file.stream_position().map_err(failed)?;
            let file = file.try_clone().map_err(failed)?;
            Ok(Original { id: source.id, name: source.name.clone(), file, offset })
        };
        Ok(Again(sources.iter().map(original).collect::<Result<_, _>>()?))
    }

    /// The inputs, once more.
    ///
    /// # Errors
    /// No more files can be open.
    pub fn sources(&self) -> Result<Vec<Source>, Error> {
        let source = |original: &Original| {
            let failed = |source| Error::File { name: original.name.clone(), source };
            let feed = Whole { file: original.file.try_clone().map_err(failed)?, at: original.offset };
            let (id, name) = (original.id, original.name.clone());
            Ok(Source { id, name, feed: Box::new(feed), start: Start::default() })
        };
        self.0.iter().map(source).collect()
    }
}

/// A file that is read whatever others who have it open do.
struct Whole {
    file: File,
    at: u64,
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Feed for Whole {
    fn is_ready(&self) -> bool {
        true
    }

    fn is_live(&self) -> bool {
        false
    }
}
