//! What the compiler decided, for people and for scripts.
//!
//! `report.json` lies in the bundle, so it holds no time, no duration and no
//! path: an origin shows the file's name without its folder.

mod human;
mod kernels;
mod schedule;
mod state;

pub use human::human;
pub(crate) use human::table as human_table;
pub use kernels::{KernelReport, multiply};
pub use schedule::ScheduleReport;
pub(crate) use state::table as state_table;
pub use state::{StateReport, states};

use crate::carried;
use crate::driver::Compiled;
use crate::options::{NamedTarget, OptionsRecord};
use crate::predict::{self, Prediction};
use ir::app::{AppGraph, Connector, Conv, Model, Projection};
use ir::diag::Result;
use ir::image::ImageSet;
use ir::machine::Machine;
use ir::memory::RegionKind;
use ir::{DType, Diagnostic, GlobalPe, Module, Origin, VertexId};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The report of one compilation.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub v: u32,
    pub network: String,
    pub options: OptionsRecord,
    pub resources: Resources,
    pub schedule: ScheduleReport,
    pub populations: Vec<PopulationReport>,
    /// What is proven of fixed-point state.
    pub fixed_point: Vec<StateReport>,
    pub projections: Vec<ProjectionReport>,
    pub pes: Vec<PeReport>,
    pub kernels: Vec<KernelReport>,
    /// What predictions assume: `measured`, `partly measured` or `default`.
    pub activity: &'static str,
    /// Ticks by which each output lags the network step.
    pub latency: BTreeMap<String, u32>,
    /// Flags that change nothing on this network.
    pub unused_options: Vec<String>,
    pub warnings: Vec<Warning>,
    pub assumptions: Vec<String>,
}

/// What the network takes of the machine; field by field as `check --json`
/// promises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resources {
    pub chips: usize,
    pub pes: usize,
    /// Of the fullest PE.
    pub max_sram_bytes: u32,
    /// On all chips.
    pub routing_entries: usize,
    /// Of the slowest output: what it shows of a step is sent so many steps later.
    pub latency_steps: u32,
}

#[derive(Clone, Debug, Serialize)]
pub struct PopulationReport {
    pub name: String,
    pub neurons: usize,
    pub model: &'static str,
    /// What its packets carry.
    pub sends: String,
    pub latency: Option<u32>,
    pub active_from: Option<u32>,
    /// Integer type of the input sums.
    pub accumulator: Option<&'static str>,
    pub pes: usize,
    /// What its state is kept in; null where nothing is kept.
    pub state: Option<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ProjectionReport {
    pub name: String,
    pub from: String,
    pub to: String,
    /// `dense`, `sparse`, or the convolution.
    pub connector: String,
    /// What its packets carry.
    pub carries: String,
    /// The integer type that was chosen.
    pub weights: &'static str,
    /// Weights that are stored.
    pub stored: usize,
    pub synapses: usize,
    /// In ticks.
    pub delay: Option<u32>,
    /// Network steps by which it is late by the network's meaning.
    pub lag: u32,
}

#[derive(Clone, Debug, Serialize)]
pub struct PeReport {
    pub chip: (u16, u16),
    pub pe: (u8, u8, u8),
    pub population: String,
    pub first: u32,
    pub neurons: u32,
    pub bytes: Bytes,
    pub regions: Vec<RegionReport>,
    pub code: CodeReport,
    /// Of one tick, for the planning activity of the target file.
    pub estimated_cycles: u64,
    /// By the emitted code and the activity.
    pub predicted_cycles: Prediction,
    pub cycles_per_tick: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Bytes {
    pub text: u32,
    pub data: u32,
    pub state: u32,
    pub rows: u32,
    pub total: u32,
    pub available: u32,
}

/// Bytes of code, vectors and constants, and what is reserved for them: code beyond that
/// is refused.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CodeReport {
    pub bytes: u32,
    pub reserved: u32,
}

#[derive(Clone, Debug, Serialize)]
pub struct RegionReport {
    pub name: String,
    pub addr: u32,
    pub bytes: u32,
}

#[derive(Clone, Debug, Serialize)]
pub struct Warning {
    pub code: &'static str,
    pub message: String,
    pub origin: String,
    pub notes: Vec<String>,
    pub help: Option<String>,
}

impl Warning {
    pub fn new(d: &Diagnostic) -> Self {
        Self {
            code: d.code.id(),
            message: d.message.clone(),
            origin: without_folder(&d.origin).to_string(),
            notes: d.notes.clone(),
            help: d.help.clone(),
        }
    }
}

/// An origin whose file is named without its folder.
fn without_folder(origin: &Origin) -> Origin {
    let name = |file: &String| {
        Path::new(file)
            .file_name()
            .map_or_else(|| file.clone(), |n| n.to_string_lossy().into_owned())
    };
    match origin {
        Origin::NirNode { file, path, kind } => Origin::NirNode {
            file: name(file),
            path: path.clone(),
            kind: kind.clone(),
        },
        Origin::Text { file, line } => Origin::Text {
            file: name(file),
            line: *line,
        },
        Origin::Derived { from, .. } => without_folder(from),
        Origin::File { file } => Origin::File { file: name(file) },
        Origin::Option { .. } | Origin::Compiler => origin.clone(),
    }
}

/// Describes a compiled module.
pub fn report(
    compiled: &Compiled,
    target: &NamedTarget,
    options: &OptionsRecord,
    unused: &[&str],
    warnings: &[Diagnostic],
) -> Result<Report> {
    let module = compiled.verified.module();
    let app = &module.app;
    let chip = &target.target;
    let activity = &compiled.activity;
    let predicted = predict::predict(module, &compiled.images, chip, activity)?;
    let code = code(&compiled.images);
    Ok(Report {
        v: 1,
        network: module.name.clone(),
        options: options.clone(),
        resources: resources(module),
        schedule: ScheduleReport::new(app),
        populations: app
            .populations
            .iter()
            .map(|(id, p)| PopulationReport {
                name: p.name.clone(),
                neurons: p.n_atoms(),
                model: match &p.model {
                    Model::SpikeSource => "spike_source",
                    Model::Neuron(n) => n.kind().name(),
                },
                sends: carried::text(p.sends),
                latency: p.timing.map(|t| t.latency),
                active_from: p.timing.map(|t| t.active_from),
                accumulator: p.accumulator.map(DType::name),
                pes: module.machine_graph.vertices_of(id).count(),
                state: state::kind(&p.model),
            })
            .collect(),
        fixed_point: states(app),
        projections: app
            .projections
            .values()
            .map(|p| projection(app, p))
            .collect(),
        pes: module
            .placements
            .iter()
            .map(|(&v, place)| {
                let vertex = &module.machine_graph.vertices[v];
                let b = vertex.budget;
                PeReport {
                    chip: (place.chip.x, place.chip.y),
                    pe: (place.pe.x(), place.pe.y(), place.pe.p()),
                    population: app.populations[vertex.population].name.clone(),
                    first: vertex.slice.lo,
                    neurons: vertex.slice.n,
                    bytes: Bytes {
                        text: b.text,
                        data: b.data,
                        state: b.state,
                        rows: b.rows,
                        total: b.bytes(),
                        available: chip.memory.sram_bytes,
                    },
                    regions: regions(module, v),
                    code: CodeReport {
                        bytes: code.get(place).copied().unwrap_or(0),
                        reserved: b.text,
                    },
                    estimated_cycles: b.cycles,
                    predicted_cycles: predicted.get(&v).copied().unwrap_or_default(),
                    cycles_per_tick: chip.cycles_per_tick(module.time_step_us)
                        / u64::from(app.ticks_per_step.max(1)),
                }
            })
            .collect(),
        kernels: kernels::kernels(module, chip, activity)?,
        activity: match (activity.is_empty(), activity.covers(app)) {
            (true, _) => "default",
            (false, true) => "measured",
            (false, false) => "partly measured",
        },
        latency: latencies(app),
        unused_options: unused.iter().map(|&f| f.to_owned()).collect(),
        warnings: warnings.iter().map(Warning::new).collect(),
        assumptions: assumptions(target, &module.machine, multiply(&compiled.images)),
    })
}

/// Bytes of code of each PE.
fn code(images: &ImageSet) -> BTreeMap<GlobalPe, u32> {
    let mut all = BTreeMap::new();
    for chip in &images.chips {
        for image in &chip.pes {
            let place = GlobalPe {
                chip: chip.chip,
                pe: image.pe,
            };
            let code = image.segments.iter().filter(|s| s.executable);
            all.insert(place, code.map(|s| s.bytes.len() as u32).sum());
        }
    }
    all
}

/// Latency in ticks of every output.
pub fn latencies(app: &AppGraph) -> BTreeMap<String, u32> {
    app.outputs
        .iter()
        .map(|o| {
            let timing = app.populations[o.source].timing;
            (o.name.clone(), timing.map_or(0, |t| t.latency))
        })
        .collect()
}

/// Parts of the chip that no compiled network uses: what is assumed of them has no
/// part in any figure of a report.
const UNUSED_PARTS: [&str; 10] = [
    "dma", "dram", "explog", "ipi", "packet", "remote", "rings", "rng", "rounding", "timers",
];

/// The assumed numbers of a target that a network on `machine` depends on, as reports
/// print them; `array` if it uses the MAC array.
pub fn assumptions(target: &NamedTarget, machine: &Machine, array: bool) -> Vec<String> {
    let one_chip = machine.width == 1 && machine.height == 1;
    let used = |key: &str| {
        let part = key.split('.').next().unwrap_or_default();
        let unused = UNUSED_PARTS.contains(&part) || !array && part == "mla";
        !(unused || one_chip && part == "chip_links")
    };
    target
        .target
        .assumptions
        .iter()
        .filter(|a| used(&a.key))
        .map(|a| format!("{} = {} ({})", a.key, a.value, a.source))
        .collect()
}

/// Resources of a mapped module.
pub fn resources(module: &Module) -> Resources {
    let chips: std::collections::BTreeSet<_> = module.placements.values().map(|p| p.chip).collect();
    Resources {
        chips: chips.len(),
        pes: module.placements.len(),
        max_sram_bytes: module
            .machine_graph
            .vertices
            .values()
            .map(|v| v.budget.bytes())
            .max()
            .unwrap_or(0),
        routing_entries: module.tables.values().map(Vec::len).sum(),
        latency_steps: latencies(&module.app).into_values().max().unwrap_or(0)
            / module.app.ticks_per_step.max(1),
    }
}

fn projection(app: &AppGraph, p: &Projection) -> ProjectionReport {
    ProjectionReport {
        name: p.name.clone(),
        from: app.populations[p.pre].name.clone(),
        to: app.populations[p.post].name.clone(),
        connector: connector(&p.connector),
        carries: carried::text(app.carries(p)),
        weights: p.weights.dtype().name(),
        stored: p.weights.len(),
        synapses: match &p.connector {
            Connector::Dense | Connector::Sparse(_) => p.weights.len(),
            Connector::Conv(c) => synapses(c),
        },
        delay: p.delay,
        lag: p.lag,
    }
}

fn connector(connector: &Connector) -> String {
    match connector {
        Connector::Dense => "dense".to_owned(),
        Connector::Sparse(_) => "sparse".to_owned(),
        Connector::Conv(c) => format!("conv {}x{}", c.kernel[0], c.kernel[1]),
    }
}

/// Pairs of source and target atoms that a kernel element joins.
fn synapses(c: &Conv) -> usize {
    let along = |dim: usize| -> usize {
        (0..c.source[dim + 1])
            .map(|at| c.reach(dim, at).count())
            .sum()
    };
    c.source[0] * c.target[0] * along(0) * along(1)
}

fn regions(module: &Module, vertex: VertexId) -> Vec<RegionReport> {
    let Some(layout) = module.layouts.get(&vertex) else {
        return Vec::new();
    };
    let name = |kind: RegionKind| match kind {
        RegionKind::Rows { projection, source } => {
            let p = &module.app.projections[projection];
            let s = &module.machine_graph.vertices[source];
            let pre = &module.app.populations[s.population].name;
            format!("rows {} from {pre}{}", p.name, s.slice)
        }
        other => other.to_string(),
    };
    layout
        .regions
        .iter()
        .map(|r| RegionReport {
            name: name(r.kind),
            addr: r.addr,
            bytes: r.bytes,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::Code;

    #[test]
    fn a_report_names_no_folder() {
        let origin = Origin::NirNode {
            file: "/home/ann/nets/digits.nir".to_owned(),
            path: "/node/nodes/fc1".to_owned(),
            kind: "Linear".to_owned(),
        };
        let d = Diagnostic::warning(Code::TooSlow, &origin.derived("x"), "slow");
        let text = serde_json::to_string(&Warning::new(&d)).expect("plain data");
        assert!(text.contains("digits.nir: /node/nodes/fc1"));
        assert!(!text.contains("ann"));
    }
}
