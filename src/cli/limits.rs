//! How much may go wrong: a count or a share.

use std::fmt;
use std::str::FromStr;

/// `N` or `P%`.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// A count, judged as it goes.
    Count(u64),
    /// A share, judged at the end.
    Share(Share),
}

/// A share in percent.
#[derive(Clone, Copy, Debug)]
pub struct Share(f64);

impl Share {
    /// Whether `count` is a larger share of `whole`.
    pub fn is_exceeded(self, count: u64, whole: u64) -> bool {
        count as f64 * 100.0 > self.0 * whole as f64
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Limit, String> {
        let limit = match text.strip_suffix('%') {
            Some(share) => share
                .trim()
                .parse()
                .ok()
                .filter(|share| (0.0..=100.0).contains(share))
                .map(|share| Limit::Share(Share(share))),
            None => text.parse().ok().map(Limit::Count),
        };
        limit.ok_or_else(|| format!("\"{text}\" is neither a count, such as 10, nor a share from 0% to 100%"))
    }
}

impl Limit {
    /// As a count and a share, of which one is there at the most.
    pub(super) fn parts(limit: Option<Limit>) -> (Option<u64>, Option<Share>) {
        match limit {
            None => (None, None),
            Some(Limit::Count(count)) => (Some(count), None),
            Some(Limit::Share(share)) => (None, Some(share)),
        }
    }
}
