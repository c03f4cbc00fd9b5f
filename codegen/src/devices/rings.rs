//! Driver of the receive rings with their interrupts. Generated programs use the first ring
//! without any (`frame::send`, `frame::drain`); here is the rest.

use crate::kernels::KernelBuilder;
use cranelift_codegen::ir::Value;
use ir::{Target, target};

/// One of the two rings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    base: u32,
    comms: target::Comms,
    rings: target::Rings,
    second: bool,
}

/// What a ring may interrupt for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interrupts {
    pub not_empty: bool,
    pub full: bool,
    /// It holds this many words.
    pub limit: Option<u32>,
    /// Packets were lost.
    pub overrun: bool,
}

impl Ring {
    pub fn first(target: &Target) -> Self {
        Self {
            base: target.comms.base,
            comms: target.comms.clone(),
            rings: target.rings.clone(),
            second: false,
        }
    }

    pub fn second(target: &Target) -> Self {
        Self {
            base: target.comms.base + target.rings.second,
            second: true,
            ..Self::first(target)
        }
    }

    /// Interrupt lines: not empty, full, limit, overrun.
    pub fn lines(&self) -> [u32; 4] {
        let (r, after) = (&self.rings, u32::from(self.second));
        [
            r.not_empty_irq + 3 * after,
            r.full_irq + 3 * after,
            r.limit_irq + 3 * after,
            r.overrun_irq + after,
        ]
    }

    /// Packets go to `start..end`, with their payloads or without.
    pub fn enable(
        &self,
        kb: &mut KernelBuilder<'_>,
        (start, end): (u32, u32),
        payloads: bool,
        on: Interrupts,
    ) {
        let (c, r) = (&self.comms, &self.rings);
        let config = if payloads {
            c.dma_payload_value
        } else {
            c.dma_key_only_value
        };
        let control = [
            (true, c.dma_enable_value),
            (on.not_empty, r.enable_not_empty),
            (on.full, r.enable_full),
            (on.limit.is_some(), r.enable_limit),
            (on.overrun, r.enable_overrun),
        ];
        let control = control.iter().filter(|(on, _)| *on);
        let control = control.fold(0, |word, (_, bit)| word | bit);
        for (register, value) in [
            (c.dma_start, start),
            (c.dma_end, end),
            (c.dma_config, config),
            (c.dma_limit, on.limit.unwrap_or(0)),
            (c.dma_control, control),
        ] {
            self.set(kb, register, value);
        }
    }

    fn set(&self, kb: &mut KernelBuilder<'_>, register: u32, value: u32) {
        let base = kb.int(self.base);
        let value = kb.int(value);
        kb.write_device(value, base, register);
    }

    fn get(&self, kb: &mut KernelBuilder<'_>, register: u32) -> Value {
        let base = kb.int(self.base);
        kb.read_device(base, register)
    }

    /// Words that it holds.
    pub fn words(&self, kb: &mut KernelBuilder<'_>) -> Value {
        self.get(kb, self.comms.dma_n_words)
    }

    /// Packets that it has lost; writing it forgets them.
    pub fn take_dropped(&self, kb: &mut KernelBuilder<'_>) -> Value {
        let dropped = self.get(kb, self.comms.dma_dropped);
        self.set(kb, self.comms.dma_dropped, 0);
        dropped
    }

    /// Makes it empty: gives what was in it back to the hardware.
    pub fn empty(&self, kb: &mut KernelBuilder<'_>) {
        let write = self.get(kb, self.comms.dma_write);
        let base = kb.int(self.base);
        kb.write_device(write, base, self.comms.dma_read);
    }
}
