//! The module: everything that is known about one network while it is
//! compiled.

use crate::app::{AppGraph, Sends};
use crate::facts::FactSet;
use crate::geometry::{ChipCoord, GlobalPe};
use crate::id::{NetId, VertexId};
use crate::key::KeyMask;
use crate::machine::Machine;
use crate::machine_graph::MachineGraph;
use crate::memory::MemoryLayout;
use crate::network::Network;
use crate::routing::{RoutingEntry, RoutingTree};
use crate::semantics::{Profile, Quantisation, Semantics};
use std::collections::BTreeMap;

/// One network on its way from graph to tables. Each table belongs to a fact;
/// it is empty until the pass that establishes the fact has run.
#[derive(Clone, Debug, PartialEq)]
pub struct Module {
    pub name: String,
    /// Name of the target file.
    pub target: String,
    pub machine: Machine,
    /// Length of a tick in microseconds, at least 1.
    pub time_step_us: u32,
    pub semantics: Semantics,
    pub quantisation: Quantisation,
    /// What the Inputs carry, by node name; an Input that is not listed carries
    /// spikes.
    pub inputs: BTreeMap<String, Sends>,
    pub facts: FactSet,
    /// Float graph; emptied by `canonicalise`.
    pub network: Network,
    pub app: AppGraph,
    pub machine_graph: MachineGraph,
    pub placements: BTreeMap<VertexId, GlobalPe>,
    pub keys: BTreeMap<NetId, KeyMask>,
    pub trees: BTreeMap<NetId, RoutingTree>,
    pub tables: BTreeMap<ChipCoord, Vec<RoutingEntry>>,
    pub layouts: BTreeMap<VertexId, MemoryLayout>,
}

impl Module {
    /// A module that holds nothing but a network.
    pub fn from_network(network: Network, target: &str) -> Self {
        Self {
            name: network.name.clone(),
            target: target.to_owned(),
            machine: Machine::new(1, 1),
            time_step_us: 1000,
            semantics: Profile::Nir.semantics(),
            quantisation: Profile::Nir.quantisation(),
            inputs: BTreeMap::new(),
            facts: FactSet::EMPTY,
            network,
            app: AppGraph::default(),
            machine_graph: MachineGraph::default(),
            placements: BTreeMap::new(),
            keys: BTreeMap::new(),
            trees: BTreeMap::new(),
            tables: BTreeMap::new(),
            layouts: BTreeMap::new(),
        }
    }
}
