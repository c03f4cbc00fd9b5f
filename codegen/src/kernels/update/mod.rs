//! Neuron update: one step of every atom of a slice, float32 state, in the
//! order that `ir::neuron::DiscreteNeuron` gives.
//!
//! ```text
//! x  = float(sum) + current            (what there is of it; read and cleared)
//! i  = decay * i + x + offset          (or the decay last); x = i
//! v  = decay * v + x, + offset         (each operation rounded)
//! v  = what pending, hold and floor make of it
//! v > threshold:  reset, send key;     or: send unit * v
//! ```
//!
//! Eight neurons an iteration; the spike path is out of line, since most neurons
//! do not spike. Where a step without input changes nothing ([`Update::rests`]),
//! the loop scans the sums and updates only groups that have one.

mod fire;
mod fixed;
mod scan;
mod step;
mod streams;

use super::builder::{Addressing, Kernel, KernelBuilder, build};
use super::send::Send;
use cranelift_codegen::ir::Value;
use ir::DType;
use ir::memory::GROUP;
use ir::semantics::{Compare, SpikeOn};
use streams::{Source, Streams};

pub use fixed::FixedUpdate;

/// The update of a slice, by how it keeps its state.
#[derive(Clone, Debug, PartialEq)]
pub enum Neurons {
    F32(Update),
    Fixed(FixedUpdate),
}

impl Neurons {
    pub fn kernel(&self, addressing: Addressing) -> Kernel {
        match self {
            Neurons::F32(update) => update.kernel(addressing),
            Neurons::Fixed(update) => update.kernel(addressing),
        }
    }
}

/// A parameter: one constant, or an array in local memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operand<C = f32> {
    Const(C),
    Array(u32),
}

/// What a spike does to the membrane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ResetOp<C = f32> {
    To(Operand<C>),
    Subtract(Operand<C>),
    /// Falls by the value in the next step.
    Pending(Operand<C>),
    /// Falls by the threshold, as often as it fits.
    Multi,
    Keep,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MembraneOp {
    Leaky(Operand),
    Integrate,
    Fresh,
}

/// A synaptic current; `i` is the address of its array.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SynapseOps<C = f32> {
    pub i: u32,
    pub decay: Operand<C>,
    /// The decay multiplies after the input is added.
    pub after: bool,
    pub offset: Option<Operand<C>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FireOps<C = f32> {
    pub threshold: Operand<C>,
    pub compare: Compare,
    pub judge: SpikeOn,
    pub reset: ResetOp<C>,
    pub hold: bool,
    pub floor: Option<Operand<C>>,
    /// Array of one word an atom, not zero if it spiked in the step before;
    /// needed by `hold` and by a pending reset.
    pub pending: Option<u32>,
    /// Packets say how many spikes they are.
    pub counts: bool,
}

/// What the slice sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output<C = f32> {
    Spikes(FireOps<C>),
    /// The membrane times the unit.
    Values(Operand),
}

/// The update of one slice: `update(accumulator slot address)`, or `update()` if
/// it has no accumulators.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// Atoms of the slice, at least 1.
    pub atoms: u32,
    /// Address of the membranes; a membrane that nothing remembers may have none.
    pub v: Option<u32>,
    /// Type of the accumulators, I16 or I32.
    pub sums: Option<DType>,
    /// Address of the currents that values left.
    pub currents: Option<u32>,
    pub synapse: Option<SynapseOps>,
    pub membrane: MembraneOp,
    pub offset: Option<Operand>,
    pub output: Output,
    /// Key of the first atom.
    pub key: u32,
    pub send: Send,
    /// Address of the control region if spikes are recorded on the chip.
    pub record_control: Option<u32>,
    /// A step whose sum is zero leaves every atom as it is, and none fires then.
    /// Only for integrating membranes that have sums and no other input.
    pub rests: bool,
    /// Address of the marks of sums ([`ir::memory::touched`]), if there are any: then it
    /// rests, has whole groups of marked sums, and all that adds to them marks them.
    pub touched: Option<u32>,
}

/// The update with every array as a stream.
struct Plan<'a> {
    update: &'a Update,
    v: Option<usize>,
    sums: Option<(usize, DType)>,
    key: usize,
    currents: Option<usize>,
    synapse: Option<PlannedSynapse>,
    decay: Option<Source>,
    offset: Option<Source>,
    output: PlannedOutput,
}

struct PlannedSynapse {
    i: usize,
    decay: Source,
    after: bool,
    offset: Option<Source>,
}

struct PlannedFire {
    ops: FireOps,
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

impl Update {
    pub const SYMBOL: &'static str = "update";

    pub fn kernel(&self, addressing: Addressing) -> Kernel {
        let params = usize::from(self.sums.is_some());
        build(Self::SYMBOL, params, addressing, |kb, args| {
            self.emit(kb, args.first().copied())
        })
    }

    fn emit(&self, kb: &mut KernelBuilder<'_>, sums: Option<Value>) {
        let mut streams = Streams::default();
        let plan = self.plan(&mut streams, sums);
        let start = streams.start(kb);
        let groups = self.atoms / GROUP;
        let end = match plan.sums.filter(|_| self.rests) {
            Some(sums) if let Some(marks) = self.touched => {
                return plan.visit(kb, &streams, sums, marks);
            }
            Some((sums, ty)) => plan.scan(kb, &streams, (sums, ty), groups),
            None => kb.repeat(groups, &start, |kb, at| {
                plan.group(kb, at, GROUP, None);
                streams.advance(kb, at, GROUP)
            }),
        };
        if !self.atoms.is_multiple_of(GROUP) {
            plan.group(kb, &end, self.atoms % GROUP, None);
        }
    }

    fn plan(&self, streams: &mut Streams, sums: Option<Value>) -> Plan<'_> {
        let v = self.v.map(|addr| streams.array(addr));
        let sums = self
            .sums
            .zip(sums)
            .map(|(ty, at)| (streams.moving(at, ty.size() as u32), ty));
        let key = streams.key(self.key);
        let currents = self.currents.map(|addr| streams.array(addr));
        let synapse = self.synapse.map(|s| PlannedSynapse {
            i: streams.array(s.i),
            decay: streams.operand(s.decay),
            after: s.after,
            offset: s.offset.map(|op| streams.operand(op)),
        });
        let decay = match self.membrane {
            MembraneOp::Leaky(op) => Some(streams.operand(op)),
            MembraneOp::Integrate | MembraneOp::Fresh => None,
        };
        let offset = self.offset.map(|op| streams.operand(op));
        let output = match self.output {
            Output::Values(unit) => PlannedOutput::Values(streams.operand(unit)),
            Output::Spikes(ops) => PlannedOutput::Spikes(PlannedFire {
                ops,
                threshold: streams.operand(ops.threshold),
                amount: match ops.reset {
                    ResetOp::To(op) | ResetOp::Subtract(op) | ResetOp::Pending(op) => {
                        Some(streams.operand(op))
                    }
                    ResetOp::Multi | ResetOp::Keep => None,
                },
                floor: ops.floor.map(|op| streams.operand(op)),
                pending: ops.pending.map(|addr| streams.array(addr)),
            }),
        };
        Plan {
            update: self,
            v,
            sums,
            key,
            currents,
            synapse,
            decay,
            offset,
            output,
        }
    }
}
