//! Is a window open, late or gone (T3, T4)? The rule stands here and nowhere else.

use crate::time::{Span, Timestamp};

/// Which events are refused for being late (`--late-rule`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateRule {
    /// Those all of whose windows are gone; Flink's.
    Window,
    /// Those more than the allowed lateness behind the watermark, whatever their windows.
    Event,
}

/// What the watermark says of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has not fired.
    Open,
    /// It has fired and still takes events, each of which prints it again.
    Late,
    /// Its state is gone.
    Gone,
}

/// Where windows stand at one watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizons {
    /// Windows that end at or before this have fired: `end <= W`.
    pub fired: Timestamp,
    /// Windows that end at or before this are gone: `end + L <= W`. Where `end + L` is beyond the
    /// range of time a window is never gone: a huge lateness means just that.
    pub gone: Timestamp,
}

/// The rules that lateness follows.
#[derive(Clone, Copy, Debug)]
pub struct Trigger {
    /// Allowed lateness `L`.
    pub lateness: Span,
    /// Which events are refused.
    pub rule: LateRule,
}

impl Trigger {
    /// Where windows stand when the watermark is `watermark`.
    #[inline]
    pub fn horizons(&self, watermark: Timestamp) -> Horizons {
        Horizons { fired: watermark, gone: watermark.saturating_sub(self.lateness) }
    }

    /// Whether the event rule refuses an event of this time; the window rule refuses none by itself.
    #[inline]
    pub fn refuses(&self, time: Timestamp, watermark: Timestamp) -> bool {
        self.rule == LateRule::Event && time < watermark.saturating_sub(self.lateness)
    }

    /// The watermark at which a window that ends at `end` is gone; the end of time if never.
    #[inline]
    pub fn gone_at(&self, end: Timestamp) -> Timestamp {
        end.saturating_add(self.lateness)
    }
}

impl Horizons {
    /// Where a window with this end stands.
    #[inline]
    pub fn verdict(&self, end: Timestamp) -> Verdict {
        if end <= self.gone {
            Verdict::Gone
        } else if end <= self.fired {
            Verdict::Late
        } else {
            Verdict::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(end: i64, watermark: i64, lateness: i64) -> Verdict {
        let trigger = Trigger { lateness: Span(lateness), rule: LateRule::Window };
        trigger.horizons(Timestamp(watermark)).verdict(Timestamp(end))
    }

    #[test]
    fn t3_fires_at_its_end_t4_is_gone_at_end_plus_lateness() {
        for (end, watermark, lateness, expected) in [
            (10, 9, 5, Verdict::Open),
            (10, 10, 5, Verdict::Late),
            (10, 14, 5, Verdict::Late),
            (10, 15, 5, Verdict::Gone),
            (10, 10, 0, Verdict::Gone),
            (10, i64::MIN, 0, Verdict::Open),
            (10, i64::MAX - 1, i64::MAX, Verdict::Late),
            (i64::MIN + 1, i64::MIN, 5, Verdict::Open),
        ] {
            assert_eq!(verdict(end, watermark, lateness), expected, "end {end} W {watermark} L {lateness}");
        }
    }

    #[test]
    fn t4_the_event_rule_refuses_what_is_older_than_w_minus_l() {
        let trigger = Trigger { lateness: Span(5), rule: LateRule::Event };
        assert!(!trigger.refuses(Timestamp(15), Timestamp(20)));
        assert!(trigger.refuses(Timestamp(14), Timestamp(20)));
        assert!(!trigger.refuses(Timestamp(14), Timestamp::MIN));
    }
}
