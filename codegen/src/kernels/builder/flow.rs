//! Blocks, branches and loops of kernels.

use super::KernelBuilder;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I32;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, Value};

impl KernelBuilder<'_> {
    /// Stops the program unless the condition holds.
    pub(in crate::kernels) fn expect(&mut self, condition: Value) {
        let (good, bad) = (self.block(), self.cold_block());
        self.branch(condition, (good, &[]), (bad, &[]));
        self.enter(bad);
        self.trap();
        self.enter(good);
    }

    /// A block with parameters of the given values' types.
    pub fn block_like(&mut self, state: &[Value]) -> Block {
        let block = self.b.create_block();
        for &value in state {
            let ty = self.b.func.dfg.value_type(value);
            self.b.append_block_param(block, ty);
        }
        block
    }
    /// A block with `n` integer parameters.
    pub fn block_of_words(&mut self, n: usize) -> Block {
        let block = self.b.create_block();
        for _ in 0..n {
            self.b.append_block_param(block, I32);
        }
        block
    }
    pub fn block(&mut self) -> Block {
        self.b.create_block()
    }
    /// A block that is rarely entered; the backend places it last.
    pub fn cold_block(&mut self) -> Block {
        let block = self.b.create_block();
        self.b.set_cold_block(block);
        block
    }
    pub fn params(&self, block: Block) -> Vec<Value> {
        self.b.block_params(block).to_vec()
    }
    pub fn enter(&mut self, block: Block) {
        self.b.switch_to_block(block);
    }
    pub fn jump(&mut self, to: Block, args: &[Value]) {
        let args: Vec<BlockArg> = args.iter().map(|&v| BlockArg::Value(v)).collect();
        self.b.ins().jump(to, &args);
    }
    pub fn branch(&mut self, condition: Value, yes: (Block, &[Value]), no: (Block, &[Value])) {
        let wrap = |args: &[Value]| args.iter().map(|&v| BlockArg::Value(v)).collect::<Vec<_>>();
        let (yes_args, no_args) = (wrap(yes.1), wrap(no.1));
        self.b
            .ins()
            .brif(condition, yes.0, &yes_args, no.0, &no_args);
    }

    /// Runs `body` `count` times on a state that it maps to the next; the loop
    /// is bottom-tested, since only then the mid-end hoists out of it.
    pub fn repeat(
        &mut self,
        count: u32,
        state: &[Value],
        body: impl FnOnce(&mut Self, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        match count {
            0 => state.to_vec(),
            1 => body(self, state),
            _ => {
                let n = self.int(count);
                let mut all = vec![n];
                all.extend_from_slice(state);
                let top = self.block_like(&all);
                let exit = self.block_like(state);
                self.jump(top, &all);
                self.enter(top);
                let params = self.params(top);
                let next = body(self, &params[1..]);
                let one = self.int(1);
                let left = self.sub(params[0], one);
                let mut again = vec![left];
                again.extend_from_slice(&next);
                let zero = self.int(0);
                let more = self.compare(IntCC::NotEqual, left, zero);
                self.branch(more, (top, &again), (exit, &next));
                self.enter(exit);
                self.params(exit)
            }
        }
    }

    /// Runs `body` while `more` holds of the state, which may be never.
    pub fn while_more(
        &mut self,
        state: &[Value],
        mut more: impl FnMut(&mut Self, &[Value]) -> Value,
        body: impl FnOnce(&mut Self, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let top = self.block_like(state);
        let exit = self.block_like(state);
        let any = more(self, state);
        self.branch(any, (top, state), (exit, state));
        self.enter(top);
        let params = self.params(top);
        let next = body(self, &params);
        let again = more(self, &next);
        self.branch(again, (top, &next), (exit, &next));
        self.enter(exit);
        self.params(exit)
    }

    /// Runs `body` for each address from `from` up to, not including, `end`.
    pub fn each(
        &mut self,
        from: Value,
        end: Value,
        step: u32,
        body: impl FnOnce(&mut Self, Value),
    ) {
        self.while_more(
            &[from],
            |kb, at| kb.compare(IntCC::NotEqual, at[0], end),
            |kb, at| {
                body(kb, at[0]);
                vec![kb.add_const(at[0], step)]
            },
        );
    }
}
