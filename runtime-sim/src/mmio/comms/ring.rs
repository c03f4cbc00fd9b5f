//! One ring in local SRAM, and the registers of its spike-DMA.

use ir::target::Rings as Registers;
use std::collections::VecDeque;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Ring {
    pub(super) config: u32,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) read: u32,
    pub(super) write: u32,
    pub(super) limit: u32,
    pub(super) max: u32,
    pub(super) dropped: u32,
    pub(super) control: u32,
    pub(super) enabled: bool,
    /// Entries hold a payload word before the key.
    pub(super) payloads: bool,
    /// Packets that arrived while it was full and wait.
    pub(super) waiting: VecDeque<(u32, Option<u32>)>,
}

impl Ring {
    pub(super) fn entry_bytes(&self) -> u32 {
        if self.payloads { 8 } else { 4 }
    }

    pub(super) fn after(&self, pointer: u32) -> u32 {
        let next = pointer.wrapping_add(self.entry_bytes());
        if next >= self.end { self.start } else { next }
    }

    pub(super) fn words(&self) -> u32 {
        let size = self.end.wrapping_sub(self.start);
        let ahead = self.write.wrapping_sub(self.read);
        let bytes = if self.write >= self.read {
            ahead
        } else {
            ahead.wrapping_add(size)
        };
        bytes / 4
    }

    pub(super) fn entries(&self) -> u32 {
        self.words() * 4 / self.entry_bytes()
    }

    pub(super) fn holds(&self, pointer: u32) -> bool {
        (self.start..self.end).contains(&pointer)
            && (pointer - self.start).is_multiple_of(self.entry_bytes())
    }

    /// Whether its hardware writes whole entries inside local SRAM only.
    pub(super) fn is_sound(&self, sram_bytes: u32) -> bool {
        self.start.is_multiple_of(4)
            && self.start < self.end
            && (self.end - self.start).is_multiple_of(self.entry_bytes())
            && self.end <= sram_bytes
            && self.holds(self.read)
            && self.holds(self.write)
    }

    pub(super) fn is_full(&self) -> bool {
        self.after(self.write) == self.read
    }

    /// Whether it may interrupt.
    pub(super) fn listens(&self, r: &Registers) -> bool {
        self.enabled && self.control & interrupts(r) != 0
    }

    /// Levels of the interrupt lines of ring `index`.
    pub(super) fn lines(&self, r: &Registers, index: u32) -> u64 {
        if !self.listens(r) {
            return 0;
        }
        // The second ring's lines follow those of the first.
        let line = |irq: u32, after: u32| 1_u64 << ((irq + index * after) & 63);
        let full = self.is_full();
        let limit = self.limit != 0 && self.words() >= self.limit;
        let all = [
            (
                r.enable_not_empty,
                self.words() != 0,
                line(r.not_empty_irq, 3),
            ),
            (r.enable_full, full, line(r.full_irq, 3)),
            (r.enable_limit, limit, line(r.limit_irq, 3)),
            (r.enable_overrun, self.dropped != 0, line(r.overrun_irq, 1)),
        ];
        let high = all
            .iter()
            .filter(|(bit, high, _)| *high && self.control & bit != 0);
        high.map(|(_, _, line)| line).sum()
    }
}

/// Bits of the control register that enable interrupt lines.
pub(super) fn interrupts(r: &Registers) -> u32 {
    r.enable_not_empty | r.enable_full | r.enable_limit | r.enable_overrun
}
