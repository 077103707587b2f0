//! What the engine is told to do.

use super::bound::KeyLimit;
use super::dedup::DedupConfig;
use super::guard::GuardConfig;
use super::running::Running;
use super::sources::SourceRule;
use super::trigger::{Emission, LateRule};
use crate::aggregate::plan::AggregatePlan;
use crate::time::Span;
use crate::window::spec::WindowSpec;

/// What the engine computes.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The windows (`-w`), at least one.
    pub windows: Vec<WindowSpec>,
    /// Watermark delay `D` (`-d`).
    pub delay: Span,
    /// Allowed lateness `L` (`-l`).
    pub lateness: Span,
    /// Which events are too late (`--late-rule`).
    pub late_rule: LateRule,
    /// Which panes are printed (`--emit`).
    pub emission: Emission,
    /// The aggregates (`-a`).
    pub plan: AggregatePlan,
    /// When to give up.
    pub limits: Limits,
    /// How far ahead an event may be (`--max-jump`, `--max-future`).
    pub guard: GuardConfig,
    /// What is printed before windows end (`--early`, `--updates`).
    pub running: Running,
    /// Which events are duplicates of others (`--dedup`).
    pub dedup: Option<DedupConfig>,
    /// How many keys have state (`--key-limit`).
    pub key_limit: Option<KeyLimit>,
    /// Whose watermarks there are (`--merge`, `--partition`).
    pub sources: SourceRule,
    /// Whether only punctuation moves the watermark (`--punctuate`).
    pub is_punctuated: bool,
    /// Whether everything open fires when all sources are idle (`--idle-flush`).
    pub flushes_when_idle: bool,
}

impl EngineConfig {
    /// Whether keys may be shared out: each then has all that its rows need, and nothing stops the run in the middle of a
    /// batch.
    pub fn can_be_shared(&self) -> bool {
        let Limits { strict, max_bad, max_late } = self.limits;
        let is_of_keys = matches!(self.windows.as_slice(), [WindowSpec::Sliced(_) | WindowSpec::Sessions(_)]);
        self.is_plain() && is_of_keys && !strict && max_bad.is_none() && max_late.is_none()
    }

    /// Whether there is nothing but windows: then the plain loop does for one kind of them.
    pub(super) fn is_plain(&self) -> bool {
        let has_filter = self.guard.is_on() || self.dedup.is_some() || self.key_limit.is_some();
        let has_sources = self.sources != SourceRule::One || self.is_punctuated || self.flushes_when_idle;
        !has_filter && !has_sources && !self.running.is_on()
    }
}

/// Counts that stop the run (E1).
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Stop at the first bad record (`--strict`).
    pub strict: bool,
    /// Stop at the bad record after so many (`--max-bad N`).
    pub max_bad: Option<u64>,
    /// Stop at the late drop after so many (`--max-late N`).
    pub max_late: Option<u64>,
}
