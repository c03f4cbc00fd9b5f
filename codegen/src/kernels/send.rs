//! Send: waits until the communications controller is ready, then writes the
//! payload, if there is one, and the key, which fires the packet.

use super::builder::KernelBuilder;
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::target::Comms;

/// Register addresses of the transmit side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Bit 31 is set when a packet may be written.
    pub status: u32,
    pub payload: u32,
    pub key: u32,
}

impl Send {
    pub fn of(comms: &Comms) -> Self {
        Self {
            status: comms.base + comms.tctl,
            payload: comms.base + comms.tdr,
            key: comms.base + comms.tkr,
        }
    }

    /// Emits the send of one packet. `cold` if the code before it is.
    pub fn emit(&self, kb: &mut KernelBuilder<'_>, key: Value, payload: Option<Value>, cold: bool) {
        let mut block = || if cold { kb.cold_block() } else { kb.block() };
        let (poll, ready) = (block(), block());
        kb.jump(poll, &[]);
        kb.enter(poll);
        let status = kb.int(self.status);
        let status = kb.load_word(status, 0);
        let zero = kb.int(0);
        let is_ready = kb.compare(IntCC::SignedLessThan, status, zero);
        kb.branch(is_ready, (ready, &[]), (poll, &[]));
        kb.enter(ready);
        // One base register serves all addresses.
        let base = kb.int(self.status);
        if let Some(payload) = payload {
            kb.store(payload, base, self.payload as i32 - self.status as i32);
        }
        kb.store(key, base, self.key as i32 - self.status as i32);
    }
}
