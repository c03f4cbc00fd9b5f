//! Adding many rows to sums that stay in registers.

use super::{Addressing, KernelBuilder};
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;

impl KernelBuilder<'_> {
    /// Adds rows of int8 weights to pairs of int16 sums, each wrapping by itself:
    /// of `n` rows (at least 1), whose addresses begin at `list`, the words from byte
    /// `offset` on; a word for two pairs, in the order of `Pair::pack`.
    pub fn add_rows(&mut self, list: Value, n: Value, offset: u32, sums: &[Value]) -> Vec<Value> {
        let words = sums.len() / 2;
        if self.addressing() == Addressing::Guest {
            let mut args = vec![list, n];
            args.extend(sums);
            let name = format!("s2_rows_{words}_{offset}");
            return self.call_returning(&name, &args, sums.len());
        }
        let mut state = vec![list, n];
        state.extend(sums);
        let end = self.while_more(
            &state,
            |kb, at| {
                let zero = kb.int(0);
                kb.compare(IntCC::NotEqual, at[1], zero)
            },
            |kb, at| {
                let row = kb.load_word(at[0], 0);
                let one = kb.int(1);
                let mut next = vec![kb.add_const(at[0], 4), kb.sub(at[1], one)];
                for (k, &sum) in at[2..].iter().enumerate() {
                    let word = kb.load_word(row, (offset as usize + k / 2 * 4) as i32);
                    next.push(kb.add_bytes_to_halves(sum, word, k % 2 == 1));
                }
                next
            },
        );
        end[2..].to_vec()
    }
}
