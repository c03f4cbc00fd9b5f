//! What is done to a PE on purpose.

use super::Pe;
use crate::session::Session;
use ir::diag::Diagnostic;

/// Flips of a PE that messages list.
const KEPT: usize = 8;

/// What was done to a PE on purpose in this run.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// Something may go wrong on purpose.
    pub(super) injected: bool,
    /// It has stopped.
    pub(super) dead: bool,
    /// Tick, address and bit of the first flips.
    flips: Vec<(u32, u32, u8)>,
}

impl Pe {
    /// Before `tick`: flips bits, and says whether the PE stops instead.
    pub(super) fn suffer(&mut self, tick: u32, session: &mut Session<'_>) -> bool {
        self.faults.injected = true;
        let flips = session.flip(self.fixed.place, tick, &mut self.memory);
        let room = KEPT.saturating_sub(self.faults.flips.len());
        let kept = flips.into_iter().take(room);
        let kept = kept.map(|(addr, bit)| (tick, addr, bit));
        self.faults.flips.extend(kept);
        self.faults.dead = session.stops(self.fixed.place, tick);
        self.faults.dead
    }

    /// What a message about this PE says of its flips.
    pub(super) fn suffered(&self, mut d: Diagnostic) -> Diagnostic {
        for (tick, addr, bit) in &self.faults.flips {
            let object = self.fixed.symbols.object(*addr);
            let object = object.map_or(String::new(), |o| format!(" ({o})"));
            d = d.note(format!(
                "bit {bit} at {addr:#010x}{object} was flipped on purpose before tick {tick}"
            ));
        }
        d
    }

    /// What a message about a fault of the program advises.
    pub(super) fn advice(&self) -> &'static str {
        if self.faults.injected {
            "faults were injected on purpose; run without --inject to see whether they are the cause"
        } else {
            "this is a bug in s2c; please report it with the input that shows it"
        }
    }
}
