//! The machine graph: populations cut into slices that fit one PE each, and
//! the nets that join them.

use crate::id::{IdVec, NetId, PopId, ProjId, VertexId};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Default)]
pub struct MachineGraph {
    pub vertices: IdVec<VertexId, MachineVertex>,
    pub nets: IdVec<NetId, Net>,
}

/// Consecutive atoms of a population, in its order of positions
/// ([`crate::app::AtomOrder`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AtomSlice {
    pub lo: u32,
    pub n: u32,
}

impl fmt::Display for AtomSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} +{}]", self.lo, self.n)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct MachineVertex {
    pub population: PopId,
    pub slice: AtomSlice,
    pub budget: Budget,
    /// Dense projections that are multiplied on the MAC array, ascending; the rows of all
    /// others are added. Set by `choose-kernels`.
    pub array: Vec<ProjId>,
}

/// What a vertex costs its PE. Bytes are exact, apart from `text`, which is a
/// reservation that the generated code must not exceed; cycles are estimated
/// for the planning activity of the target file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Budget {
    /// Code and read-only data.
    pub text: u32,
    /// Parameters, control block, receive ring, input events, records, stack.
    pub data: u32,
    /// Neuron state and accumulators.
    pub state: u32,
    /// Synaptic rows.
    pub rows: u32,
    /// Cycles of one tick.
    pub cycles: u64,
}

impl Budget {
    pub fn bytes(self) -> u32 {
        self.text + self.data + self.state + self.rows
    }
}

/// The spikes of one vertex and every vertex they must reach (none for a
/// population that only an output shows).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Net {
    pub source: VertexId,
    /// Ascending, without duplicates.
    pub sinks: Vec<VertexId>,
    /// The projections that the net serves, ascending.
    pub projections: Vec<ProjId>,
}

impl MachineGraph {
    /// Vertices of a population in slice order.
    pub fn vertices_of(&self, pop: PopId) -> impl Iterator<Item = (VertexId, &MachineVertex)> {
        self.vertices
            .iter()
            .filter(move |(_, v)| v.population == pop)
    }
    /// The net that a vertex drives (each vertex drives at most one).
    pub fn net_of(&self, source: VertexId) -> Option<NetId> {
        self.nets
            .iter()
            .find(|(_, n)| n.source == source)
            .map(|(id, _)| id)
    }
    /// Nets that reach a vertex, in net order.
    pub fn nets_into(&self, sink: VertexId) -> impl Iterator<Item = (NetId, &Net)> {
        self.nets
            .iter()
            .filter(move |(_, n)| n.sinks.binary_search(&sink).is_ok())
    }
}
