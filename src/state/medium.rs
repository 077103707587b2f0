//! Where the bytes lie: a small sorted map with one honest `sync`. sled is the real one (`home.rs`); tests
//! bring one that loses, reorders and refuses.

use std::io;

/// The name of a value. There are two heads, one for even and one for odd epochs, so that writing one never
/// endangers the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The head of the newest even (0) or odd (1) epoch.
    Head(u8),
    /// A chunk of the log, by number.
    Chunk(u64),
}

/// Why the medium or what lies in it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// What was read is not what was written.
    #[error("{0}")]
    Damaged(String),
    /// What was read is of this later format.
    #[error("format {0} is newer than this program")]
    Newer(u32),
    /// A piece or the payload is larger than the format allows.
    #[error("{0} of {1} bytes is too large")]
    TooLarge(&'static str, u64),
    /// An earlier call failed: what is durable is known only to those who read it anew.
    #[error("no longer usable after an earlier error")]
    Dead,
    /// The system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why not.
        source: io::Error,
    },
}

impl Fault {
    /// The system refused.
    pub fn io(doing: impl Into<String>, source: io::Error) -> Fault {
        Fault::Io { doing: doing.into(), source }
    }
}

/// Values of at most 4 KiB under [`Key`]s.
///
/// Writes may be cut off, lost or reordered in any way by a crash until [`sync`](Medium::sync) has returned;
/// nothing else is asked of a medium, in particular no atomicity over several keys.
pub trait Medium: Send {
    /// Replaces the content of `into` by the value; `false` if there is none.
    ///
    /// # Errors
    /// It cannot be read, or is noticed to be damaged.
    fn get(&mut self, key: Key, into: &mut Vec<u8>) -> Result<bool, Fault>;

    /// Called once, before the first write. Until then a medium leaves what it was opened on as it found it, so that
    /// a run that is refused has changed nothing.
    ///
    /// # Errors
    /// The medium failed.
    fn adopt(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    /// Writes the value.
    ///
    /// # Errors
    /// The medium is full or failed.
    fn put(&mut self, key: Key, value: &[u8]) -> Result<(), Fault>;

    /// Forgets the value, if there is one.
    ///
    /// # Errors
    /// The medium failed.
    fn remove(&mut self, key: Key) -> Result<(), Fault>;

    /// The numbers of the chunks that exist in `from..to`, in ascending order.
    ///
    /// # Errors
    /// The medium failed or is noticed to be damaged.
    fn chunks(&mut self, from: u64, to: u64) -> Result<Vec<u64>, Fault>;

    /// Makes everything written and removed so far durable. After an error it is unknown what is durable, and
    /// asking again would not tell: the kernel reports a lost page once. So nobody retries.
    ///
    /// # Errors
    /// The medium failed.
    fn sync(&mut self) -> Result<(), Fault>;

    /// Notes durably, apart from the values, that this epoch was committed. A medium that later comes back
    /// without it has lost a suffix of its writes, which its own values cannot tell.
    ///
    /// # Errors
    /// The medium failed.
    fn mark(&mut self, epoch: u64) -> Result<(), Fault>;

    /// The epoch last [marked](Medium::mark), if that is legible.
    ///
    /// # Errors
    /// It cannot be read.
    fn marked(&mut self) -> Result<Option<u64>, Fault>;

    /// Gives room back if the medium takes far more than `useful` bytes. Called after a commit.
    ///
    /// # Errors
    /// The medium failed in a way that endangers what lies in it.
    fn tidy(&mut self, useful: u64) -> Result<(), Fault> {
        let _ = useful;
        Ok(())
    }

    /// Bytes that it takes.
    ///
    /// # Errors
    /// They cannot be determined.
    fn bytes(&mut self) -> Result<u64, Fault>;
}
