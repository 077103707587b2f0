//! Opening what the command line names, before the first row is printed.

use super::watch::Watch;
use crate::cli::Config;
use crate::error::Error;
use crate::event::SourceId;
use crate::host::Clock;
use crate::input::again::Again;
use crate::input::feed::{Feed, FileFeed};
use crate::input::reader::{Source, Start};
use crate::output::replace::ReplacedFile;
use crate::output::sink::Sink;
use crate::output::{Encoder, RowFormat};
use std::fs::{File, Metadata};
use std::io::{self, IsTerminal};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything that is read and written.
pub struct Opened {
    /// The inputs, in order.
    pub sources: Vec<Source>,
    /// Those that are followed.
    pub watch: Option<Watch>,
    /// Where things go.
    pub writers: Writers,
    /// The inputs once more, if they are to be read several times.
    pub again: Option<Again>,
}

/// Where rows and reports go, but for stderr.
pub struct Writers {
    /// The rows.
    pub rows: Sink,
    /// Late drops, if not to stderr.
    pub late: Option<Sink>,
    /// Bad records, if not to stderr.
    pub bad: Option<Sink>,
    /// Whether any of the files is a terminal.
    pub has_terminal: bool,
    /// What makes rows text, if it goes on where another run was.
    pub encoder: Option<Box<dyn Encoder>>,
}

impl Opened {
    /// Opens all inputs first, so that a missing one is told before anything is truncated (T10).
    ///
    /// # Errors
    /// The first that cannot be opened, or an output that would overwrite something.
    pub fn new(
        config: &Config,
        stdin: Box<dyn Feed>,
        stdout: Box<dyn io::Write + Send>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Opened, Error> {
        let (sources, watch) = inputs(config, stdin, clock)?;
        refuse_overwriting(config, &sources)?;
        let again = config.check_order.map(|_| Again::new(&sources)).transpose()?;
        let mut has_terminal = false;
        let mut create = |path: &PathBuf| create(path, &mut has_terminal);
        let rows = match &config.output {
            Some(path) if is_replaced(config.row_format, path) => {
                Sink::new(path.display().to_string(), Box::new(replaced(path)?))
            }
            Some(path) => create(path)?,
            None => Sink::new("stdout", stdout).forgetful(),
        };
        let late = config.late.as_ref().map(&mut create).transpose()?;
        let bad = config.bad.as_ref().map(&mut create).transpose()?;
        let writers = Writers { rows, late, bad, has_terminal, encoder: None };
        Ok(Opened { sources, watch, writers, again })
    }
}

/// Opens the inputs. Followed are those that are regular files, or not there yet; others are read as they are.
///
/// # Errors
/// The first that cannot be opened.
pub fn inputs(
    config: &Config,
    stdin: Box<dyn Feed>,
    clock: &Arc<dyn Clock>,
) -> Result<(Vec<Source>, Option<Watch>), Error> {
    raise_file_limit();
    let is_followed = |path: &PathBuf| {
        let is_file = || std::fs::metadata(path).map_or(true, |file| file.is_file() || file.is_dir());
        path != Path::new("-") && is_file()
    };
    let follow = config.follow.as_ref();
    let (followed, read): (Vec<_>, Vec<_>) =
        config.inputs.iter().enumerate().partition(|(_, path)| follow.is_some() && is_followed(path));
    let mut stdin = Some(stdin);
    let open = |(index, path): (usize, &PathBuf)| -> Result<Source, Error> {
        let name = path.to_string_lossy().into_owned();
        let (id, start) = (SourceId(index as u32), Start::default());
        if name == "-" {
            return match stdin.take() {
                Some(feed) => Ok(Source { id, name, feed, start }),
                None => Err(Error::Usage("stdin (-) is named twice, but can be read once".into())),
            };
        }
        let failed = |source| Error::File { name: name.clone(), source };
        let feed = FileFeed::open(path).map_err(failed)?;
        Ok(Source { id, name, feed: Box::new(feed), start })
    };
    let mut sources = read.into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let Some(follow) = follow else { return Ok((sources, None)) };
    let (watch, followed) = Watch::start(follow, followed, clock)?;
    sources.extend(followed);
    sources.sort_by_key(|source| source.id.0);
    Ok((sources, Some(watch)))
}

/// All inputs are open at once: allow as many as the system lets us have.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If it is refused, opening says which file was one too many.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// An output that is an input, or another output, would destroy it.
///
/// # Errors
/// The flag and what it would overwrite.
pub fn refuse_overwriting(config: &Config, sources: &[Source]) -> Result<(), Error> {
    let outputs: Vec<(&str, &PathBuf)> =
        [("--output", &config.output), ("--late", &config.late), ("--bad", &config.bad)]
            .into_iter()
            .filter_map(|(flag, path)| Some((flag, path.as_ref()?)))
            .collect();
    for (index, (flag, path)) in outputs.iter().enumerate() {
        let own = identity(path);
        if let Some(input) = sources.iter().find(|source| own.is_some() && source.feed.identity() == own) {
            let (path, name) = (path.display(), &input.name);
            return Err(Error::Usage(format!("{flag} {path} is the input {name}, which it would overwrite")));
        }
        // They need not be there yet.
        let absolute = |path: &Path| std::path::absolute(path).ok();
        let is_same = |other: &Path| {
            !is_device(path) && absolute(path) == absolute(other) || own.is_some() && identity(other) == own
        };
        if let Some((other, _)) = outputs[..index].iter().find(|(_, earlier)| is_same(earlier)) {
            return Err(Error::Usage(format!("{other} and {flag} both name {}", path.display())));
        }
    }
    Ok(())
}

/// A character device such as `/dev/null` holds nothing that two writers could destroy.
fn is_device(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.file_type().is_char_device())
}

/// Device and inode of a regular file that is there.
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().filter(Metadata::is_file).map(|file| (file.dev(), file.ino()))
}

/// Whether a file of rows is replaced as a whole each time: not if it is a pipe or a device, which would be gone.
pub fn is_replaced(format: RowFormat, path: &Path) -> bool {
    format == RowFormat::Prometheus && std::fs::metadata(path).map_or(true, |file| file.is_file())
}

/// What replaces a file.
///
/// # Errors
/// It cannot.
pub fn replaced(path: &Path) -> Result<ReplacedFile, Error> {
    ReplacedFile::new(path).map_err(|source| Error::File { name: path.display().to_string(), source })
}

fn create(path: &Path, has_terminal: &mut bool) -> Result<Sink, Error> {
    let name = path.display().to_string();
    match File::create(path) {
        Ok(file) => {
            *has_terminal |= file.is_terminal();
            Ok(Sink::new(name, Box::new(file)))
        }
        Err(source) => Err(Error::File { name, source }),
    }
}
