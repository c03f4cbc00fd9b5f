//! The machine: uniform chips of one target, with exceptions.

use crate::geometry::{ChipCoord, GlobalPe, PeCoord};
use crate::target::Target;
use std::collections::BTreeSet;

/// A rectangle of chips, all of the target's kind, minus what is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    pub width: u16,
    pub height: u16,
    pub dead_pes: BTreeSet<GlobalPe>,
}

impl Machine {
    pub fn new(width: u16, height: u16) -> Self {
        Self {
            width,
            height,
            dead_pes: BTreeSet::new(),
        }
    }
    #[must_use]
    pub fn without_pe(mut self, pe: GlobalPe) -> Self {
        self.dead_pes.insert(pe);
        self
    }
    pub fn chips(&self) -> impl Iterator<Item = ChipCoord> + use<> {
        let (w, h) = (self.width, self.height);
        (0..h).flat_map(move |y| (0..w).map(move |x| ChipCoord { x, y }))
    }
    pub fn contains(&self, chip: ChipCoord) -> bool {
        chip.x < self.width && chip.y < self.height
    }
    /// Working PEs that applications may use, chip by chip in the target's order.
    pub fn application_pes(&self, target: &Target) -> Vec<GlobalPe> {
        let pes: Vec<PeCoord> = target.application_pes();
        self.chips()
            .flat_map(|chip| pes.iter().map(move |&pe| GlobalPe { chip, pe }))
            .filter(|pe| !self.dead_pes.contains(pe))
            .collect()
    }
}
