//! Flags of the check that the order of records does not matter (`--check-order`).

use super::Flags;
use super::config::CheckOrder;
use super::sources::ARRIVAL;
use super::values::{BeyondFlag, UpdatesFlag};
use crate::time::Span;
use crate::window::spec::WindowSpec;
use clap::Args;

/// What other orders are tried.
#[derive(Debug, Args)]
pub(super) struct OrderFlags {
    /// Read the files again in N other orders within -d, and fail if other rows come of one (exit 3)
    ///
    /// In each order a record comes at random up to -d after its time, so that none becomes late that was not; what is
    /// behind the watermark in the files meets the same watermark. Compared are the tables that the rows make in the end, --having
    /// aside: floats to 1e-9. count:N windows and aggregates that depend on arrival are left out, which is said.
    /// In memory are both tables and the records within twice -d, at most 262144.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Checks")]
    check_order: Option<u16>,

    /// The same seed makes the same orders
    #[arg(long, value_name = "N", default_value_t = 1, requires = "check_order", help_heading = "Checks")]
    order_seed: u64,
}

impl OrderFlags {
    /// The orders that are asked for.
    ///
    /// # Errors
    /// For people: what does not go together with them, and why.
    pub fn config(&self, flags: &Flags, windows: &[WindowSpec]) -> Result<Option<CheckOrder>, String> {
        let Some(orders) = self.check_order else { return Ok(None) };
        if flags.watermark_delay == Span::ZERO {
            return Err(
                "--check-order changes the order of records within -d, which is 0s; say how far they may be out of \
                        order, as in -d 10s"
                    .into(),
            );
        }
        if windows.iter().all(|window| matches!(window, WindowSpec::Count(_))) {
            return Err(
                "--check-order: what a count:N window holds is a matter of arrival, and nothing is left to compare"
                    .into(),
            );
        }
        let why = [
            (flags.follow.follow, "-F", "reads files that have no end yet"),
            (flags.state.config().is_some(), "--state", "goes on where another run was"),
            (flags.time.as_deref() == Some(ARRIVAL), "-t @now", "is the arrival itself"),
            (flags.max_future.is_some(), "--max-future", "goes by the clock"),
            (flags.replay.is_some(), "--replay", "goes by the clock"),
            (flags.merge, "--merge", "chooses the order itself"),
            (flags.partition.is_some(), "--partition", "has several watermarks"),
            (flags.punctuate.is_some(), "--punctuate", "moves the watermark by where its records stand, and not by -d"),
            (flags.max_jump.is_some() && flags.dedup.is_some(), "--max-jump with --dedup", "looks at what came before"),
            (
                flags.key_limit.is_some() && !matches!(flags.on_key_limit, BeyondFlag::Fail),
                "--on-key-limit",
                "takes the keys that come first",
            ),
            (
                matches!(flags.updates, UpdatesFlag::Discarding),
                "--updates discarding",
                "says what came since the row before",
            ),
        ];
        match why.iter().find(|(is_given, ..)| *is_given) {
            Some((_, flag, why)) => {
                Err(format!("{flag} {why} and does not go with --check-order; leave one of them out"))
            }
            None => Ok(Some(CheckOrder { orders: orders.into(), seed: self.order_seed })),
        }
    }
}
