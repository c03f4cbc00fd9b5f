//! Values: after the drain, adds every received value times its weights to the
//! currents, in one fixed order, whatever the order of arrival was.

use super::builder::{Addressing, Kernel, KernelBuilder, build};
use super::rows::{RowBlock, RowKernel};
use super::slots::Slots;
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;

/// The values of one source vertex through one projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueRows {
    /// Rows by the tick of sending.
    pub slots: Slots,
    pub atoms: u32,
    /// Ticks from sending to acting, at least 1.
    pub delay: u32,
    pub block: RowBlock,
}

/// `values(tick)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    pub currents: u32,
    /// By projection, then by first atom of the source.
    pub sources: Vec<ValueRows>,
}

impl Values {
    pub const SYMBOL: &'static str = "values";

    /// Row kernels that the guest form calls.
    pub fn row_kernels(&self) -> Vec<RowKernel> {
        self.sources.iter().map(|s| s.block.kernel()).collect()
    }

    pub fn kernel(&self, addressing: Addressing) -> Kernel {
        build(Self::SYMBOL, 1, addressing, |kb, args| {
            for source in &self.sources {
                self.source(kb, source, args[0]);
            }
        })
    }

    fn source(&self, kb: &mut KernelBuilder<'_>, source: &ValueRows, tick: Value) {
        let row = source.slots.row(kb, tick, source.delay.wrapping_neg());
        let first = kb.int(0);
        let atoms = kb.int(source.atoms);
        let top = kb.block_like(&[row, first]);
        let done = kb.block();
        kb.jump(top, &[row, first]);

        kb.enter(top);
        let (at, index) = (kb.params(top)[0], kb.params(top)[1]);
        let bits = kb.load_word(at, 0);
        let says = kb.is_not_zero(bits);
        let (add, next) = (kb.block(), kb.block());
        kb.branch(says, (add, &[]), (next, &[]));

        kb.enter(add);
        let sink = kb.int(self.currents);
        let x = kb.from_bits(bits);
        source.block.add(kb, index, sink, Some(x));
        kb.jump(next, &[]);

        kb.enter(next);
        let at = kb.add_const(at, 4);
        let index = kb.add_const(index, 1);
        let more = kb.compare(IntCC::NotEqual, index, atoms);
        kb.branch(more, (top, &[at, index]), (done, &[]));
        kb.enter(done);
    }
}
