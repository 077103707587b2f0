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

/// Which panes of a window are printed (`--emit`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emission {
    /// One at its end, and one for each late event.
    All,
    /// One, when no event can change it any more: `end + L` takes the place of `end`.
    Final,
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
    /// Which panes are printed.
    pub emission: Emission,
}

impl Trigger {
    /// Where windows stand when the watermark is `watermark`.
    #[inline]
    pub fn horizons(&self, watermark: Timestamp) -> Horizons {
        let gone = watermark.saturating_sub(self.lateness);
        match self.emission {
            Emission::All => Horizons { fired: watermark, gone },
            // At the end of input a lateness beyond all time is over, too.
            Emission::Final if watermark == Timestamp::MAX => Horizons { fired: watermark, gone: watermark },
            Emission::Final => Horizons { fired: gone, gone },
        }
    }

    /// Whether windows are kept after they have fired.
    pub fn keeps_fired(&self) -> bool {
        self.lateness > Span::ZERO && self.emission == Emission::All
    }

    /// The watermark at which a window that ends at `end` fires; the end of time if only then.
    #[inline]
    pub fn fires_at(&self, end: Timestamp) -> Timestamp {
        match self.emission {
            Emission::All => end,
            Emission::Final => self.gone_at(end),
        }
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
        let trigger = Trigger { lateness: Span(lateness), rule: LateRule::Window, emission: Emission::All };
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
    fn t3_final_rows_fire_at_end_plus_lateness_and_are_gone_then() {
        for (end, watermark, lateness, expected) in [
            (10, 10, 5, Verdict::Open),
            (10, 14, 5, Verdict::Open),
            (10, 15, 5, Verdict::Gone),
            (10, 10, 0, Verdict::Gone),
            (10, i64::MAX - 1, i64::MAX, Verdict::Open),
            (10, i64::MAX, i64::MAX, Verdict::Gone),
            (i64::MIN + 1, i64::MIN, 5, Verdict::Open),
        ] {
            let trigger = Trigger { lateness: Span(lateness), rule: LateRule::Window, emission: Emission::Final };
            let verdict = trigger.horizons(Timestamp(watermark)).verdict(Timestamp(end));
            assert_eq!(verdict, expected, "end {end} W {watermark} L {lateness}");
            assert_eq!(trigger.fires_at(Timestamp(end)) <= Timestamp(watermark), expected == Verdict::Gone);
        }
    }

    #[test]
    fn t4_the_event_rule_refuses_what_is_older_than_w_minus_l() {
        let trigger = Trigger { lateness: Span(5), rule: LateRule::Event, emission: Emission::All };
        assert!(!trigger.refuses(Timestamp(15), Timestamp(20)));
        assert!(trigger.refuses(Timestamp(14), Timestamp(20)));
        assert!(!trigger.refuses(Timestamp(14), Timestamp::MIN));
    }
}
