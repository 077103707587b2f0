//! Panics of a library that are no defect of ours: sled panics on some files that are damaged.

use super::medium::Fault;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside a library whose panics are caught.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// How sled names its threads. They have no work but sled's.
const THREADS: &str = "sled-io-";

/// Runs `act`; a panic in it becomes damage, and nothing is printed.
///
/// The panic hook is one for the whole process: the first call puts one before it that is silent for these
/// panics and passes all others on.
pub(super) fn contained<T>(act: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            let theirs = std::thread::current().name().is_some_and(|name| name.starts_with(THREADS));
            if !theirs && !INSIDE.try_with(Cell::get).unwrap_or(false) {
                before(panic);
            }
        }));
    });
    let outside = INSIDE.replace(true);
    // What `act` leaves half done is never used again: the store above is dead after any error.
    let done = catch_unwind(AssertUnwindSafe(act));
    INSIDE.set(outside);
    done.unwrap_or_else(|_| Err(Fault::Damaged("sled broke down over its files".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_damage_and_the_thread_goes_on() {
        let broken = contained::<()>(|| panic!("as sled does"));
        assert!(matches!(broken, Err(Fault::Damaged(_))));
        assert_eq!(contained(|| Ok(7)).ok(), Some(7));
        assert!(!INSIDE.get());
    }
}
