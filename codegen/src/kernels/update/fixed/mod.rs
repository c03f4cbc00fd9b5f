//! Neuron update with fixed-point state: one step of every atom of a slice in integers,
//! as `ir::fixed_point` says.
//!
//! Eight neurons an iteration, a few at a time, since membranes, sums and parameters share
//! the core's registers: arrays that lie close together share one pointer. A decay is one
//! SMMLAR, a sum that is added one SMLABB; the spike path is out of line.

mod fire;
mod pointers;
mod step;

use super::super::builder::{Addressing, Kernel, KernelBuilder, build};
use super::super::send::Send;
use super::{FireOps, Operand, Output, ResetOp, SynapseOps};
use cranelift_codegen::ir::Value;
use ir::DType;
use ir::fixed_point::Kept;
use ir::memory::GROUP;
use pointers::{Pointers, Source};

/// The update of one slice: `update(accumulator slot address)`.
///
/// A threshold is what a membrane must pass; with several spikes at once `compare` says
/// whether one more, which is then the threshold, is reached by being equal.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedUpdate {
    /// Atoms of the slice, at least 1.
    pub atoms: u32,
    /// Address of the membranes.
    pub v: u32,
    /// Type of the accumulators, I16 or I32.
    pub sums: DType,
    /// A count is `2^-shift` of what the accumulators count.
    pub shift: u8,
    pub synapse: Option<(SynapseOps<i32>, Kept)>,
    /// `None`: nothing leaks, and sums saturate.
    pub leak: Option<(Operand<i32>, Kept)>,
    pub offset: Option<Operand<i32>>,
    pub output: Output<i32>,
    /// Key of the first atom.
    pub key: u32,
    pub send: Send,
    /// Address of the control region if spikes are recorded on the chip.
    pub record_control: Option<u32>,
    /// A step whose sum is zero leaves every atom as it is, and none fires then.
    pub rests: bool,
}

/// The update with every array at a pointer.
struct Plan<'a> {
    update: &'a FixedUpdate,
    v: usize,
    synapse: Option<PlannedSynapse>,
    leak: Option<Decay>,
    offset: Option<Source>,
    output: PlannedOutput,
}

struct PlannedSynapse {
    i: usize,
    decay: Decay,
    after: bool,
    offset: Option<Source>,
}

#[derive(Clone, Copy)]
struct Decay {
    form: Kept,
    factor: Source,
}

struct PlannedFire {
    ops: FireOps<i32>,
    threshold: Source,
    /// Of the reset.
    amount: Option<Source>,
    floor: Option<Source>,
    pending: Option<usize>,
}

enum PlannedOutput {
    Spikes(PlannedFire),
    Values(Source),
}

/// Where a group of atoms stands.
#[derive(Clone, Copy)]
struct At<'a> {
    pointers: &'a Pointers,
    state: &'a [Value],
}

impl FixedUpdate {
    pub const SYMBOL: &'static str = super::Update::SYMBOL;

    pub fn kernel(&self, addressing: Addressing) -> Kernel {
        build(Self::SYMBOL, 1, addressing, |kb, args| {
            self.emit(kb, args[0]);
        })
    }

    fn emit(&self, kb: &mut KernelBuilder<'_>, sums: Value) {
        let mut pointers = Pointers::new(self.sums.size() as u32);
        let plan = self.plan(&mut pointers);
        let start = pointers.start(kb, sums);
        let groups = self.atoms / GROUP;
        let end = if self.rests {
            plan.scan(kb, &pointers, sums, groups)
        } else {
            kb.repeat(groups, &start, |kb, state| {
                let at = At {
                    pointers: &pointers,
                    state,
                };
                plan.group(kb, at, GROUP, None);
                pointers.advance(kb, state, GROUP)
            })
        };
        let rest = self.atoms % GROUP;
        if rest > 0 {
            let at = At {
                pointers: &pointers,
                state: &end,
            };
            plan.group(kb, at, rest, None);
        }
    }

    fn plan(&self, pointers: &mut Pointers) -> Plan<'_> {
        let v = pointers.array(self.v);
        let synapse = self.synapse.map(|(s, form)| PlannedSynapse {
            i: pointers.array(s.i),
            decay: Decay {
                form,
                factor: pointers.operand(s.decay),
            },
            after: s.after,
            offset: s.offset.map(|op| pointers.operand(op)),
        });
        let leak = self.leak.map(|(op, form)| Decay {
            form,
            factor: pointers.operand(op),
        });
        let offset = self.offset.map(|op| pointers.operand(op));
        let output = match self.output {
            Output::Values(unit) => PlannedOutput::Values(pointers.float(unit)),
            Output::Spikes(ops) => PlannedOutput::Spikes(PlannedFire {
                ops,
                threshold: pointers.operand(ops.threshold),
                amount: match ops.reset {
                    ResetOp::To(op) | ResetOp::Subtract(op) | ResetOp::Pending(op) => {
                        Some(pointers.operand(op))
                    }
                    ResetOp::Multi | ResetOp::Keep => None,
                },
                floor: ops.floor.map(|op| pointers.operand(op)),
                pending: ops.pending.map(|addr| pointers.array(addr)),
            }),
        };
        Plan {
            update: self,
            v,
            synapse,
            leak,
            offset,
            output,
        }
    }
}
