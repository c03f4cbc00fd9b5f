//! Source: sends the events that the host wrote for this tick.

use super::builder::{Addressing, Kernel, KernelBuilder, build};
use super::record::record_spike;
use super::send::Send;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::memory::control;

/// `source()`: one count word and that many events from the event region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    pub control: u32,
    pub send: Send,
    /// Whether an event is a payload word and a key word.
    pub payload: bool,
    /// Key of the first atom if spikes are recorded on the chip.
    pub record: Option<u32>,
}

impl Source {
    pub const SYMBOL: &'static str = "source";

    pub fn kernel(&self, addressing: Addressing) -> Kernel {
        build(Self::SYMBOL, 0, addressing, |kb, _| self.emit(kb))
    }

    fn emit(&self, kb: &mut KernelBuilder<'_>) {
        let at = kb.load_at(self.control + control::EVENTS_READ);
        let count = kb.load_word(at, 0);
        let first = kb.add_const(at, 4);
        let size = if self.payload { 8 } else { 4 };
        let bytes = kb.mul_const(count, size);
        let end = kb.add(first, bytes);
        kb.store_at(end, self.control + control::EVENTS_READ);
        let top = kb.block_like(&[first]);
        let done = kb.block();
        let any = kb.compare(IntCC::NotEqual, first, end);
        kb.branch(any, (top, &[first]), (done, &[]));

        kb.enter(top);
        let event = kb.params(top)[0];
        let payload = self.payload.then(|| kb.load_word(event, 0));
        let key = kb.load_word(event, size as i32 - 4);
        self.send.emit(kb, key, payload, false);
        if let Some(first) = self.record {
            record_spike(kb, self.control, first, key);
        }
        let next = kb.add_const(event, size);
        let more = kb.compare(IntCC::NotEqual, next, end);
        kb.branch(more, (top, &[next]), (done, &[]));
        kb.enter(done);
    }
}
