//! Which lists are sent as they are, and which wait for one over all Namespaces.
//!
//! A list must show everything up to the moment at which it was asked for. So one over all Namespaces answers those that
//! arrived before it began, and those that arrive while it runs are answered by the next.

/// How many lists run as they are at once.
const FEW: usize = 4;

/// What becomes of a list that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is sent as it is; [`Coalescer::ended`] says when it is answered.
    Alone,
    /// It waits, and the lists over all Namespaces are to be started.
    Start,
    /// It waits.
    Wait,
}

/// What is to be done for those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// All are sent as they are.
    Alone,
    /// All are answered by a list over all Namespaces that begins now.
    Everywhere,
    /// Nobody waits, so this is the end.
    End,
}

/// The lists of one kind and selection that are under way.
#[derive(Debug, Default)]
pub(super) struct Coalescer {
    alone: usize,
    running: bool,
}

// === impl Coalescer ===

impl Coalescer {
    /// A list has arrived.
    pub(super) fn arrived(&mut self) -> Turn {
        if self.running {
            return Turn::Wait;
        }
        if self.alone < FEW {
            self.alone += 1;
            return Turn::Alone;
        }
        self.running = true;
        Turn::Start
    }

    /// A list that was sent as it is was answered or given up.
    pub(super) fn ended(&mut self) {
        self.alone -= 1;
    }

    /// So many of those that wait are sent as they are.
    pub(super) fn alone(&mut self, lists: usize) {
        self.alone += lists;
    }

    /// Those who answer lists over all Namespaces are gone: the next list starts them again.
    pub(super) fn lost(&mut self) {
        self.running = false;
    }

    /// The next round, for so many that wait.
    pub(super) fn round(&mut self, waiting: usize) -> Round {
        if waiting == 0 {
            self.running = false;
            Round::End
        } else if self.alone + waiting <= FEW {
            self.alone += waiting;
            Round::Alone
        } else {
            Round::Everywhere
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_becomes_a_few_lists() {
        let mut lists = Coalescer::default();
        let turns: Vec<_> = (0..1_000).map(|_| lists.arrived()).collect();
        assert_eq!(turns[..4], [Turn::Alone; 4]);
        assert_eq!(turns[4], Turn::Start);
        assert!(turns[5..].iter().all(|turn| *turn == Turn::Wait));
        assert_eq!(lists.round(996), Round::Everywhere);
        // Late ones wait for the next round.
        assert_eq!(lists.arrived(), Turn::Wait);
        (0..4).for_each(|_| lists.ended());
        assert_eq!(lists.round(1), Round::Alone);
        assert_eq!(lists.round(0), Round::End);
        lists.ended();
        assert_eq!(lists.arrived(), Turn::Alone);
    }

    #[test]
    fn lists_that_hang_do_not_hold_up_others() {
        let mut lists = Coalescer::default();
        (0..4).for_each(|_| assert_eq!(lists.arrived(), Turn::Alone));
        assert_eq!(lists.arrived(), Turn::Start);
        assert_eq!(lists.round(1), Round::Everywhere);
        assert_eq!(lists.round(0), Round::End);
        assert_eq!(lists.arrived(), Turn::Start);
    }
}
