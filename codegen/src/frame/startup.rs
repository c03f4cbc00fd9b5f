//! Start-up: what a PE does before its first tick.

use crate::kernels::{Addressing, Kernel, build};
use ir::Target;
use std::collections::BTreeMap;

/// Coprocessor access control; full access to the FPU (ARMv7-M B3.2.20).
const CPACR: u32 = 0xE000_ED88;
const CPACR_FPU: u32 = 0xF << 20;
/// First interrupt set-enable register (ARMv7-M B3.4.4).
const NVIC_ISER: u32 = 0xE000_E100;

/// A receive ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    pub start: u32,
    /// One past the last address.
    pub end: u32,
    /// Whether entries are a payload word and a key word.
    pub payload: bool,
}

/// `reset()`: never returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// The receive ring; `None` if the PE receives nothing.
    pub ring: Option<Ring>,
}

impl Reset {
    pub const SYMBOL: &'static str = "reset";

    pub fn kernel(&self, target: &Target) -> Kernel {
        build(Self::SYMBOL, 0, Addressing::Guest, |kb, _| {
            let fpu = kb.int(CPACR_FPU);
            kb.store_at(fpu, CPACR);
            kb.call("s2_dsb", &[]);
            kb.call("s2_isb", &[]);
            if let Some(ring) = self.ring {
                let c = &target.comms;
                let config = match ring.payload {
                    true => c.dma_payload_value,
                    false => c.dma_key_only_value,
                };
                for (register, value) in [
                    (c.dma_start, ring.start),
                    (c.dma_end, ring.end),
                    (c.dma_read, ring.start),
                    (c.dma_write, ring.start),
                    (c.dma_config, config),
                    (c.dma_control, c.dma_enable_value),
                ] {
                    let value = kb.int(value);
                    kb.store_at(value, c.base + register);
                }
            }
            // One store per register: the mid-end drops a store that the next
            // one to the same address overwrites, and knows no devices.
            let mut enabled: BTreeMap<u32, u32> = BTreeMap::new();
            for line in [target.timer.irq, target.irq.start] {
                *enabled.entry(line / 32).or_default() |= 1 << (line % 32);
            }
            for (word, bits) in enabled {
                let bits = kb.int(bits);
                kb.store_at(bits, NVIC_ISER + 4 * word);
            }
            let sleep = kb.block();
            kb.jump(sleep, &[]);
            kb.enter(sleep);
            kb.call("s2_wfi", &[]);
            kb.jump(sleep, &[]);
            // Not reachable: the builder ends every kernel with a return.
            let end = kb.block();
            kb.enter(end);
        })
    }
}

/// `start()`: the handler of the global start interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Timer counts of one tick.
    pub period: u32,
}

impl Start {
    pub const SYMBOL: &'static str = "start";

    pub fn kernel(&self, target: &Target) -> Kernel {
        build(Self::SYMBOL, 0, Addressing::Guest, |kb, _| {
            let t = &target.timer;
            for (register, value) in [
                (t.load, self.period),
                (t.int_clr, 1),
                (t.ctl, t.start_value),
            ] {
                let value = kb.int(value);
                kb.store_at(value, t.base + register);
            }
        })
    }
}

/// `unexpected()`: the handler of everything that must not happen.
pub fn unexpected() -> Kernel {
    build("unexpected", 0, Addressing::Guest, |kb, _| {
        kb.trap();
        let end = kb.block();
        kb.enter(end);
    })
}
