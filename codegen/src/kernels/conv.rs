//! Convolution: adds a block of channels for each tap of a source pixel.
//!
//! All geometry is in the taps, which were listed at compile time; the weights
//! are shared by all pixels.

use super::builder::KernelBuilder;
use super::lanes::{Lanes, Pair};
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::memory::{rows, touched};

/// `conv(first tap, end of the taps, weights of the source channel, sink address)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConvRow {
    pair: Pair,
    /// Channels of the target's block, side by side in the sink.
    channels: u32,
    /// Address of the marks of what was touched ([`ir::memory::touched`]).
    marks: Option<u32>,
}

/// Channels that are added without a loop, and by each iteration of one.
const STRAIGHT: u32 = 64;
const UNROLL: u32 = 16;

impl ConvRow {
    pub fn new(pair: Pair, channels: u32) -> Self {
        Self {
            pair,
            channels,
            marks: None,
        }
    }
    /// Marks at `marks`, if anywhere, what it adds to; `channels` are whole groups then.
    #[must_use]
    pub fn marking(self, marks: Option<u32>) -> Self {
        Self { marks, ..self }
    }
    pub fn pair(&self) -> Pair {
        self.pair
    }
    pub fn channels(&self) -> u32 {
        self.channels
    }
    pub fn symbol(&self) -> String {
        let marks = if self.marks.is_some() { "_marked" } else { "" };
        format!("conv_{}_{}{marks}", self.pair.name(), self.channels)
    }
    /// Bytes of the weights of one kernel element.
    pub fn block_bytes(&self) -> u32 {
        rows::padded_block(self.channels) * self.pair.weight_bytes()
    }
    /// Channels that a group of words adds: as many as registers hold beside the
    /// addresses.
    fn group(&self) -> u32 {
        match (self.pair.sink_bytes(), self.pair.takes_value()) {
            (4, false) => 4,
            _ => 8,
        }
    }
    /// Whether pixels and blocks are whole words, so that words are added.
    fn in_words(&self) -> bool {
        self.channels.is_multiple_of(rows::BLOCK)
    }

    /// The weights of one kernel element, one for each channel of the block.
    pub fn block(&self, weights: &[i32]) -> Vec<u8> {
        let zeros = std::iter::repeat(0);
        let all = weights.iter().copied().chain(zeros);
        let all = all.take(rows::padded_block(self.channels) as usize);
        if self.in_words() {
            self.pair.pack(all)
        } else {
            self.pair.pack_plain(all)
        }
    }
    /// The tap from kernel element `element` to the target pixel `pixel` of the
    /// slice; `None` if one is beyond the reach of the format.
    pub fn tap(&self, pixel: u32, element: u32) -> Option<[u8; 4]> {
        let sink = u16::try_from(pixel * self.channels * self.pair.sink_bytes()).ok()?;
        let weights = u16::try_from(element * self.block_bytes()).ok()?;
        Some((u32::from(sink) | u32::from(weights) << 16).to_le_bytes())
    }

    pub(super) fn emit(
        &self,
        kb: &mut KernelBuilder<'_>,
        [from, end, weights, sink]: [Value; 4],
        x: Option<Value>,
    ) {
        // Counted from the end, where the count is 0, so that nothing is compared.
        let before = kb.sub(from, end);
        let zero = kb.int(0);
        let more = |kb: &mut KernelBuilder<'_>, before: &[Value]| {
            kb.compare(IntCC::NotEqual, before[0], zero)
        };
        kb.while_more(&[before], more, |kb, before| {
            let at = kb.add(end, before[0]);
            let tap = kb.load_word(at, 0);
            self.mark(kb, tap);
            let sink = kb.add_lower_half(sink, tap);
            let block = kb.shr_const(tap, 16);
            let row = kb.add(weights, block);
            if self.in_words() {
                self.words(kb, row, sink, x);
            } else {
                self.elements(kb, row, sink, x);
            }
            vec![kb.add_const(before[0], 4)]
        });
    }

    /// Marks the sums of a tap.
    fn mark(&self, kb: &mut KernelBuilder<'_>, tap: Value) {
        let Some(marks) = self.marks else { return };
        let group = (touched::TARGETS * self.pair.sink_bytes()).ilog2();
        let first = kb.shr_const(tap, group);
        let first = kb.and_const(first, u32::from(u16::MAX) >> group);
        let marks = kb.int(marks);
        let place = kb.add(marks, first);
        let one = kb.int(1);
        for k in 0..self.channels / touched::TARGETS {
            kb.store_byte(one, place, k as i32);
        }
    }

    fn words(&self, kb: &mut KernelBuilder<'_>, row: Value, sink: Value, x: Option<Value>) {
        let step = (self.pair.weight_bytes(), self.pair.sink_bytes());
        let run = |kb: &mut KernelBuilder<'_>, row, sink, n: u32| {
            let group = self.group();
            for k in (0..n).step_by(group as usize) {
                let lanes = Lanes {
                    row: (row, (k * step.0) as i32),
                    sink: (sink, (k * step.1) as i32),
                };
                self.pair.add(kb, lanes, group.min(n - k), x);
            }
        };
        if self.channels <= STRAIGHT {
            return run(kb, row, sink, self.channels);
        }
        let end = kb.repeat(self.channels / UNROLL, &[row, sink], |kb, at| {
            run(kb, at[0], at[1], UNROLL);
            let row = kb.add_const(at[0], UNROLL * step.0);
            vec![row, kb.add_const(at[1], UNROLL * step.1)]
        });
        run(kb, end[0], end[1], self.channels % UNROLL);
    }

    fn elements(&self, kb: &mut KernelBuilder<'_>, row: Value, sink: Value, x: Option<Value>) {
        let (from_bytes, to_bytes) = (self.pair.weight_bytes(), self.pair.sink_bytes());
        let run = |kb: &mut KernelBuilder<'_>, row, sink, n: u32| {
            let lanes = 0..n as i32;
            let weights: Vec<Value> = lanes
                .clone()
                .map(|k| self.pair.load_weight(kb, row, k * from_bytes as i32))
                .collect();
            let old: Vec<Value> = lanes
                .clone()
                .map(|k| self.pair.load_sink(kb, sink, k * to_bytes as i32))
                .collect();
            for (k, (old, weight)) in lanes.zip(old.into_iter().zip(weights)) {
                let sum = self.pair.sum(kb, old, weight, x);
                self.pair.store_sink(kb, sum, sink, k * to_bytes as i32);
            }
        };
        let end = kb.repeat(self.channels / rows::BLOCK, &[row, sink], |kb, at| {
            run(kb, at[0], at[1], rows::BLOCK);
            let row = kb.add_const(at[0], rows::BLOCK * from_bytes);
            vec![row, kb.add_const(at[1], rows::BLOCK * to_bytes)]
        });
        run(kb, end[0], end[1], self.channels % rows::BLOCK);
    }
}
