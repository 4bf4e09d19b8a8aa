//! What time it is, told twice.
//!
//! Two things are called time. How long something lasts (a lease, a wrap-up, the ringing, a pause before a
//! second try) is measured on [`Now::steady`], which only moves forwards and at its own pace. What the clock on
//! the wall says (calling hours, when a contact is due, what is written into a record) is [`Now::wall`], which an
//! administrator or a time server may set, by hours and in both directions. So a clock that is set neither ends
//! nor keeps anything that is under way, and the rules go by the right date from that moment.
//!
//! Every deadline in this crate is on `steady`, and so is [`crate::Dialler::next_wake`]. A call reads its own
//! times off one line, the wall's time at the press of Call plus what has passed since: they are dates for the
//! record, and their differences are true.

/// One moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// UTC epoch milliseconds, as the machine's clock has it now.
    pub wall: i64,
    /// Milliseconds since a start of the server's choosing. It starts anew with each [`crate::Dialler`]; where
    /// it starts does not matter here (the server lets it start at the wall's time, as leases are stored by it).
    pub steady: i64,
}

impl Now {
    /// After so many milliseconds, if nobody sets the wall's clock.
    pub(crate) fn later(self, ms: i64) -> Now {
        Now { wall: self.wall.saturating_add(ms), steady: self.steady.saturating_add(ms) }
    }

    /// What the wall's clock will say at this steady time, if nobody sets it.
    pub(crate) fn on_the_wall(self, steady: i64) -> i64 {
        self.wall.saturating_add(steady.saturating_sub(self.steady))
    }

    /// When to look whether a time on the wall has come: then, and at least every minute, as the wall's clock
    /// may be set meanwhile.
    pub(crate) fn look_for(self, wall: i64) -> i64 {
        self.steady + wall.saturating_sub(self.wall).clamp(1, crate::rules::MINUTE)
    }
}
