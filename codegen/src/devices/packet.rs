//! Driver of packets that are not plain multicast. Channel B sends them, so that channel A
//! stays with plain multicast.

use crate::frame::wait;
use crate::kernels::KernelBuilder;
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::geometry::{GlobalPe, PeCoord};
use ir::{Target, target};

const KEY: u32 = 0x14;
const ENABLE: u32 = 1;
const INTERRUPT: u32 = 2;
/// Registers of the receiving side, from its first.
const DROPPED: u32 = 0x18;
const CONTROL: u32 = 0x1c;

/// What a packet is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// By key through the router, with up to 128 bits of payload.
    Multicast,
    /// To the PE that the key names: see [`core_key`].
    CoreToCore,
    /// Over chip link `link` (0 to 5: E, NE, N, W, SW, S) to the PE whose NoC address the
    /// key is.
    Neighbour { link: u8 },
    /// Stores the payload at the NoC address that the key is.
    MemoryWrite,
    /// Asks for 1, 2 or 4 words at the NoC address that the key is.
    MemoryRead { words: u32 },
    /// By key to these PEs of the QPE at (x, y), PE 0 in bit 3 of the mask, past the router.
    Direct { x: u8, y: u8, mask: u8 },
    /// Interrupts the PE that the key names.
    Message,
}

/// The key of a core-to-core packet or a message to `pe`.
pub fn core_key(pe: GlobalPe) -> u32 {
    let chip = u32::from(pe.chip.x) << 8 | u32::from(pe.chip.y);
    chip << 16 | u32::from(pe.pe.id())
}

/// The mask of PE `pe` in a packet to its QPE.
pub fn mask_of(pe: PeCoord) -> u8 {
    8 >> pe.p()
}

/// Sends and receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packets {
    base: u32,
    registers: target::Packet,
}

impl Packets {
    pub fn of(target: &Target) -> Self {
        Self {
            base: target.comms.base,
            registers: target.packet.clone(),
        }
    }

    fn control(&self, kind: Kind, words: u32) -> u32 {
        let r = &self.registers;
        let (code, words) = match kind {
            Kind::Multicast => (r.multicast, words),
            Kind::CoreToCore => (r.core_to_core, words),
            Kind::Neighbour { link } => {
                let link = u32::from(link) << r.link_shift;
                (r.neighbour | link, words)
            }
            Kind::MemoryWrite => (r.memory_write, words),
            Kind::MemoryRead { words } => (r.memory_read, words),
            Kind::Direct { x, y, mask } => {
                let to = u32::from(x) << r.qpe_x_shift
                    | u32::from(y) << r.qpe_y_shift
                    | u32::from(mask) << r.mask_shift;
                (r.direct | to, words)
            }
            Kind::Message => (r.message, words),
        };
        code | words.min(3) << r.payload_shift
    }

    /// Sends a packet with 0, 1, 2 or 4 words of payload.
    pub fn send(&self, kb: &mut KernelBuilder<'_>, kind: Kind, key: Value, payload: &[Value]) {
        let base = kb.int(self.base + self.registers.channel_stride);
        let control = kb.int(self.control(kind, payload.len() as u32));
        kb.write_device(control, base, 0);
        for (n, &word) in (0u32..4).zip(payload) {
            kb.write_device(word, base, KEY - 4 - 4 * n);
        }
        kb.write_device(key, base, KEY);
    }

    /// Lets packets that no ring takes wait in the queue, with interrupts if wanted.
    pub fn enable(&self, kb: &mut KernelBuilder<'_>, interrupts: bool) {
        let base = kb.int(self.base + self.registers.receive);
        let control = kb.int(ENABLE | if interrupts { INTERRUPT } else { 0 });
        kb.write_device(control, base, CONTROL);
    }

    /// Waits awake until a packet is there.
    pub fn poll(&self, kb: &mut KernelBuilder<'_>) {
        wait::poll_until(kb, |kb| {
            let first = self.first(kb);
            let zero = kb.int(0);
            kb.compare(IntCC::SignedLessThan, first, zero)
        });
    }

    /// What the first packet in the queue is: zero if there is none, else bit 31, its
    /// number of payload words in bits 7:4, and its kind in bits 3:0.
    pub fn first(&self, kb: &mut KernelBuilder<'_>) -> Value {
        let base = kb.int(self.base + self.registers.receive);
        kb.read_device(base, 0)
    }

    /// Payload word `n` of the first packet.
    pub fn word(&self, kb: &mut KernelBuilder<'_>, n: u32) -> Value {
        let base = kb.int(self.base + self.registers.receive);
        kb.read_device(base, KEY - 4 - 4 * (n & 3))
    }

    /// The key of the first packet, which is gone then.
    pub fn take(&self, kb: &mut KernelBuilder<'_>) -> Value {
        let base = kb.int(self.base + self.registers.receive);
        kb.read_device(base, KEY)
    }

    /// Packets that were lost because the queue was full.
    pub fn dropped(&self, kb: &mut KernelBuilder<'_>) -> Value {
        let base = kb.int(self.base + self.registers.receive);
        kb.read_device(base, DROPPED)
    }
}
