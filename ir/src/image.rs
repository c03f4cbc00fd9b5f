//! What the compiler hands to a machine: bytes per PE, tables per chip, and
//! the description that a host needs to feed and read them.

use crate::app::{AtomOrder, Sends};
use crate::geometry::{ChipCoord, PeCoord};
use crate::key::KeyMask;
use crate::machine::Machine;
use crate::routing::RoutingEntry;
use crate::tensor::Shape;

/// A compiled network.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageSet {
    /// The network's name.
    pub name: String,
    /// Name of the target file it was compiled for.
    pub target: String,
    pub time_step_us: u32,
    /// The machine it was compiled for.
    pub machine: Machine,
    /// Chips with programs or a routing table, ascending by coordinate.
    pub chips: Vec<ChipImage>,
    pub program: Program,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ChipImage {
    pub chip: ChipCoord,
    /// Ascending by coordinate.
    pub pes: Vec<PeImage>,
    pub routes: Vec<RoutingEntry>,
}

/// The program of one PE.
#[derive(Clone, Debug, PartialEq)]
pub struct PeImage {
    pub pe: PeCoord,
    /// Address of the reset handler, with the Thumb bit.
    pub entry: u32,
    /// Ascending by address, not overlapping.
    pub segments: Vec<Segment>,
    pub symbols: Vec<Symbol>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    pub name: String,
    pub addr: u32,
    /// Initial contents; shorter than `size` where the rest starts as zero.
    pub bytes: Vec<u8>,
    pub size: u32,
    pub executable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    pub name: String,
    /// Address without the Thumb bit.
    pub addr: u32,
    pub size: u32,
    pub kind: SymbolKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolKind {
    Function,
    Object,
    /// Start of a run of instructions or data inside a text segment (`$t`, `$d`).
    Code,
    Literal,
}

/// How the program's PEs reach each other's memory, packets aside. A machine runs
/// PEs that share nothing but packets far ahead of each other; a program that does
/// more has to say so, and runs in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Coupling {
    /// Not at all.
    #[default]
    None,
    /// By devices: block DMA, operands of the MAC array, DRAM.
    Dma,
    /// By loads and stores of the core, interrupts of other PEs and packets that
    /// interrupt or bypass the router too.
    Window,
}

impl Coupling {
    /// As bundles call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Dma => "dma",
            Self::Window => "window",
        }
    }
}

/// How the host talks to the program.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Program {
    pub coupling: Coupling,
    /// Ticks of a network step, at least 1: the timer runs `time_step_us` over this.
    pub ticks_per_step: u32,
    pub populations: Vec<PopulationInfo>,
    /// The network's input ports, in the network's order.
    pub inputs: Vec<PortInfo>,
    pub outputs: Vec<PortInfo>,
}

/// A port and the population (index into `Program::populations`) behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortInfo {
    pub name: String,
    pub population: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PopulationInfo {
    pub name: String,
    pub n_atoms: u32,
    pub shape: Shape,
    /// Slices and keys count positions of this order.
    pub order: AtomOrder,
    /// What a packet of it carries.
    pub sends: Sends,
    /// Network step `s` is computed in tick `s * ticks_per_step + latency`.
    pub latency: u32,
    pub active_from: u32,
    /// `v_file = unit * v_chip`; one value, or one per atom; empty for sources.
    pub unit: Vec<f64>,
    /// The same for the synaptic current; empty where there is none.
    pub i_unit: Vec<f64>,
    /// Whether membranes and currents are int32, else float32.
    pub integers: bool,
    /// In slice order.
    pub slices: Vec<SliceInfo>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceInfo {
    pub chip: ChipCoord,
    pub pe: PeCoord,
    /// First position, and number of positions, in the population's order.
    pub lo: u32,
    pub n: u32,
    /// Position `lo + i` sends key `key + i`.
    pub key: KeyMask,
    /// Address of the membrane array, for neurons.
    pub v_addr: Option<u32>,
    /// Address of the synaptic currents, where the neuron has one.
    pub i_addr: Option<u32>,
    /// Address and bytes of the event region, for spike sources.
    pub events: Option<(u32, u32)>,
    /// Address and bytes of the spike record, if one was compiled in.
    pub record: Option<(u32, u32)>,
    /// Address of the control region.
    pub control_addr: u32,
}
