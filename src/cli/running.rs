//! What is printed beside the final row of each window: rows before its end, differences, silent windows.

use super::Flags;
use super::values::{EmitFlag, FillFlag, UpdatesFlag};
use crate::engine::fill::{Fill, Filling};
use crate::engine::running::{Running, Updates};
use crate::window::every::Every;
use crate::window::spec::WindowSpec;

/// One row of a window, once, and rows before its end or by differences do not go together.
///
/// # Errors
/// For people: flags that do not go together.
pub(super) fn refuse_more_than_final(flags: &Flags) -> Result<(), String> {
    let others = [
        ("--early", flags.early.is_some()),
        ("--trigger", flags.trigger.is_some()),
        ("--updates", !matches!(flags.updates, UpdatesFlag::Accumulating)),
    ];
    match others.iter().find(|(_, is_given)| matches!(flags.emit, EmitFlag::Final) && *is_given) {
        Some((flag, _)) => Err(format!("--emit final prints each window once; leave it out, or {flag}")),
        None => Ok(()),
    }
}

/// What is printed before windows end, and of silent ones.
///
/// # Errors
/// For people: a flag that is mistyped, or does not go with the windows.
pub(super) fn running(flags: &Flags, windows: &[WindowSpec]) -> Result<Running, String> {
    let early = flags.early.as_ref().map(|early| Every::parse(early, &flags.timezone)).transpose();
    Ok(Running {
        early: early.map_err(|message| format!("--early: {message}"))?,
        updates: match flags.updates {
            UpdatesFlag::Accumulating => Updates::Accumulating,
            UpdatesFlag::Discarding => Updates::Discarding,
            UpdatesFlag::Retracting => Updates::Retracting,
        },
        fill: fill(flags, windows)?,
    })
}

fn fill(flags: &Flags, windows: &[WindowSpec]) -> Result<Option<Fill>, String> {
    let Some(fill) = flags.fill else { return Ok(None) };
    if !windows.iter().all(|window| matches!(window, WindowSpec::Sliced(_))) {
        return Err("--fill is for windows that are there without events; sessions, count and global are not".into());
    }
    let with = match fill {
        FillFlag::Null => Filling::Null,
        FillFlag::Zero => Filling::Zero,
        FillFlag::Previous if matches!(flags.updates, UpdatesFlag::Discarding) => {
            return Err(
                "--fill previous says again what --updates discarding says once; take --fill null or zero".into()
            );
        }
        FillFlag::Previous => Filling::Previous,
    };
    Ok(Some(Fill { with, limit: flags.fill_limit }))
}
