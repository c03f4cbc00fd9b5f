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

    /// The sums of the same rows alone, `words` words of each.
    pub fn sum_rows(&mut self, list: Value, n: Value, offset: u32, words: u32) -> Vec<Value> {
        let sums = 2 * words as usize;
        if self.addressing() == Addressing::Guest {
            let name = format!("s2_sum_rows_{words}_{offset}");
            return self.call_returning(&name, &[list, n], sums);
        }
        let zero = self.int(0);
        self.add_rows(list, n, offset, &vec![zero; sums])
    }

    /// Adds pairs of int16 to the int32 from byte `at` behind `sink` on. Two pairs are
    /// for four targets: the first for targets 0 and 2, the second for 1 and 3.
    pub fn widen(&mut self, sums: &[Value], sink: Value, at: i32) {
        if self.addressing() == Addressing::Guest {
            let mut args = vec![sink];
            args.extend(sums);
            let name = format!("s2_widen_{}_{at}", sums.len() / 2);
            self.call_returning(&name, &args, 0);
            return;
        }
        for (k, pairs) in (0i32..).zip(sums.chunks(2)) {
            for j in 0..4 {
                let place = at + 16 * k + 4 * j;
                let old = self.load_word(sink, place);
                let sum = self.signed_half(pairs[j as usize % 2], j as u32 / 2);
                let new = self.add(old, sum);
                self.store(new, sink, place);
            }
        }
    }
}
