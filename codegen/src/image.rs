//! From a verified module to images: code, data and the host's description.

use crate::link::{Handlers, Text, link};
use crate::program::Site;
use crate::thumb::cost::CycleRules;
use crate::thumb::{self, MachineFunction};
use crate::{Options, frame, kernels::Kernel};
use ir::app::Model;
use ir::code::Code;
use ir::diag::{Diagnostic, Result};
use ir::fixed_point;
use ir::image::{
    ChipImage, Coupling, ImageSet, PeImage, PopulationInfo, PortInfo, Program as HostProgram,
    Segment, SliceInfo, Symbol, SymbolKind,
};
use ir::memory::{MemoryLayout, RegionKind};
use ir::module::Module;
use ir::neuron::{Neuron, Param, State};
use ir::verify::Verified;
use ir::{Fact, Id, PopId, Target, VertexId};
use std::collections::BTreeMap;

/// The generated code of one vertex, for listings and tests.
#[derive(Clone, Debug)]
pub struct VertexCode {
    pub vertex: VertexId,
    pub kernels: Vec<Kernel>,
    pub functions: Vec<MachineFunction>,
}

/// Generates the program of every PE.
pub fn compile(verified: &Verified, target: &Target) -> Result<ImageSet> {
    compile_with(verified, target, &Options::default())
}

/// As [`compile`], with `options`.
pub fn compile_with(verified: &Verified, target: &Target, options: &Options) -> Result<ImageSet> {
    let module = verified.module();
    for fact in [Fact::LaidOut, Fact::Tabled, Fact::Keyed, Fact::Placed] {
        if !module.facts.contains(fact) {
            return Err(Diagnostic::internal(format!("code generation needs `{fact}`")).into());
        }
    }
    // A chip without programs may still hand packets on.
    let tabled = module.tables.keys().map(|&chip| (chip, Vec::new()));
    let mut chips: BTreeMap<_, Vec<PeImage>> = tabled.collect();
    for (&vertex, place) in &module.placements {
        let image = pe_image(module, target, options, vertex)?;
        chips.entry(place.chip).or_default().push(image);
    }
    let chips = chips
        .into_iter()
        .map(|(chip, mut pes)| {
            pes.sort_by_key(|pe| pe.pe);
            let routes = module.tables.get(&chip).cloned().unwrap_or_default();
            ChipImage { chip, pes, routes }
        })
        .collect();
    Ok(ImageSet {
        name: module.name.clone(),
        target: target.name.clone(),
        time_step_us: module.time_step_us,
        machine: module.machine.clone(),
        chips,
        program: host_program(module)?,
    })
}

/// Kernels and machine code of every vertex, in vertex order.
pub fn listings(
    verified: &Verified,
    target: &Target,
    options: &Options,
) -> Result<Vec<VertexCode>> {
    let module = verified.module();
    let vertices = module.machine_graph.vertices.ids();
    vertices
        .map(|vertex| {
            let site = Site::new(module, target, vertex)?;
            let kernels = site.program(options)?.kernels(target);
            let functions = generate(&kernels, target)?;
            Ok(VertexCode {
                vertex,
                kernels,
                functions,
            })
        })
        .collect()
}

fn generate(kernels: &[Kernel], target: &Target) -> Result<Vec<MachineFunction>> {
    let options = thumb::Options {
        cycles: CycleRules::of(&target.cpu),
        ..thumb::Options::default()
    };
    let functions = kernels.iter().map(|kernel| {
        thumb::compile(kernel.function.clone(), &kernel.symbols, &options)
            .map_err(|e| Diagnostic::internal(format!("kernel {}: {e}", kernel.name())).into())
    });
    functions.collect()
}

fn pe_image(
    module: &Module,
    target: &Target,
    options: &Options,
    vertex: VertexId,
) -> Result<PeImage> {
    let place = module.placements.get(&vertex);
    let place = place.ok_or_else(|| Diagnostic::internal(format!("{vertex} has no place")))?;
    let site = Site::new(module, target, vertex)?;
    let layout = &module.layouts[&vertex];
    let functions = generate(&site.program(options)?.kernels(target), target)?;
    let stack = layout.find(RegionKind::Stack);
    let stack = stack.ok_or_else(|| Diagnostic::internal(format!("{vertex} has no stack")))?;
    let interrupts = [
        (target.timer.irq, frame::Tick::SYMBOL),
        (target.irq.start, frame::Start::SYMBOL),
    ];
    let text = link(
        &functions,
        &Handlers {
            stack: stack.end(),
            reset: frame::Reset::SYMBOL,
            unexpected: "unexpected",
            interrupts: &interrupts,
        },
    )?;
    let align = target.mla.align_bytes as usize;
    let (segments, data_symbols) =
        segments(module, vertex, layout, (&text, align), site.contents()?)?;
    let mut symbols = text.symbols;
    symbols.extend(data_symbols);
    Ok(PeImage {
        pe: place.pe,
        entry: text.entry,
        segments,
        symbols,
    })
}

/// One segment per region. What was planned must be what is written.
fn segments(
    module: &Module,
    vertex: VertexId,
    layout: &MemoryLayout,
    (text, align): (&Text, usize),
    mut contents: BTreeMap<RegionKind, Vec<u8>>,
) -> Result<(Vec<Segment>, Vec<Symbol>)> {
    let mut segments = Vec::new();
    let mut symbols = Vec::new();
    for region in &layout.regions {
        let name = symbol_name(region.kind);
        let executable = region.kind == RegionKind::Text;
        let bytes = if executable {
            if text.bytes.len() > region.bytes as usize {
                let population =
                    &module.app.populations[module.machine_graph.vertices[vertex].population];
                return Err(Diagnostic::error(
                    Code::CodegenLimit,
                    &population.origin,
                    "the code of a PE exceeds its reservation",
                )
                .note(format!(
                    "{} bytes of code, {} bytes reserved",
                    text.bytes.len(),
                    region.bytes
                ))
                .help("raise memory.text_reserve in a target file of your own (--target)")
                .into());
            }
            text.bytes.clone()
        } else {
            symbols.push(Symbol {
                name: name.clone(),
                addr: region.addr,
                size: region.bytes,
                kind: SymbolKind::Object,
            });
            contents.remove(&region.kind).unwrap_or_default()
        };
        // Alignment may pad the end of a region by less than 16 bytes, or than the MAC
        // array's.
        let slack = region.bytes as usize - bytes.len().min(region.bytes as usize);
        if bytes.len() > region.bytes as usize
            || (!executable && !bytes.is_empty() && slack >= align.max(16))
        {
            return Err(Diagnostic::internal(format!(
                "region {} of {vertex} was planned with {} bytes but takes {}",
                region.kind,
                region.bytes,
                bytes.len()
            ))
            .into());
        }
        segments.push(Segment {
            name,
            addr: region.addr,
            bytes,
            size: region.bytes,
            executable,
        });
    }
    if let Some(kind) = contents.keys().next() {
        return Err(
            Diagnostic::internal(format!("{kind} of {vertex} has contents but no region")).into(),
        );
    }
    Ok((segments, symbols))
}

fn symbol_name(kind: RegionKind) -> String {
    match kind {
        RegionKind::Rows { projection, source } => {
            format!("rows_{}_{}", projection.index(), source.index())
        }
        RegionKind::Matrix { projection } => format!("matrix_{}", projection.index()),
        RegionKind::Counts { projection } => format!("counts_{}", projection.index()),
        RegionKind::Kernel { projection } => format!("kernel_{}", projection.index()),
        RegionKind::Values { source } => format!("values_{}", source.index()),
        RegionKind::LateOffset { synapse, entry } => {
            let what = if synapse { "syn_offset" } else { "offset" };
            format!("late_{what}_{entry}")
        }
        RegionKind::Text
        | RegionKind::Control
        | RegionKind::Decay
        | RegionKind::Offset
        | RegionKind::Threshold
        | RegionKind::Reset
        | RegionKind::SynDecay
        | RegionKind::SynOffset
        | RegionKind::Floor
        | RegionKind::Unit
        | RegionKind::V
        | RegionKind::I
        | RegionKind::Pending
        | RegionKind::Currents
        | RegionKind::Product
        | RegionKind::Accumulators
        | RegionKind::Touched
        | RegionKind::Lists
        | RegionKind::Ring
        | RegionKind::Events
        | RegionKind::SpikeRecord
        | RegionKind::Stack => kind.to_string(),
    }
}

fn host_program(module: &Module) -> Result<HostProgram> {
    let populations = module
        .app
        .populations
        .ids()
        .map(|pop| population_info(module, pop))
        .collect::<Result<Vec<_>>>()?;
    let inputs = module
        .app
        .populations
        .iter()
        .filter(|(_, p)| matches!(p.model, Model::SpikeSource))
        .map(|(id, p)| PortInfo {
            name: p.name.clone(),
            population: id.index(),
        })
        .collect();
    let outputs = module
        .app
        .outputs
        .iter()
        .map(|o| PortInfo {
            name: o.name.clone(),
            population: o.source.index(),
        })
        .collect();
    Ok(HostProgram {
        // Generated programs exchange packets only.
        coupling: Coupling::None,
        ticks_per_step: module.app.ticks_per_step,
        populations,
        inputs,
        outputs,
    })
}

fn population_info(module: &Module, pop: PopId) -> Result<PopulationInfo> {
    let population = &module.app.populations[pop];
    let timing = population.timing;
    let timing =
        timing.ok_or_else(|| Diagnostic::internal(format!("{} has no timing", population.name)))?;
    let neuron = match &population.model {
        Model::Neuron(Neuron::Discrete(n)) => Some(n),
        Model::Neuron(Neuron::Continuous(_)) | Model::SpikeSource => None,
    };
    let count = neuron.map_or(1.0, fixed_point::count);
    let synapse = neuron.and_then(|n| n.synapse.as_ref());
    let (unit, i_unit) = (
        neuron.and_then(|n| n.unit.as_ref()),
        synapse.and_then(|s| s.unit.as_ref()),
    );
    let units = |p: Option<&Param>| {
        let units = p.map(|p| p.tensor().to_f64()).unwrap_or_default();
        units.into_iter().map(|u| u * count).collect()
    };
    let slices = module
        .machine_graph
        .vertices_of(pop)
        .map(|(id, vertex)| {
            let place = module.placements.get(&id);
            let place = place.ok_or_else(|| Diagnostic::internal(format!("{id} has no place")))?;
            let layout = &module.layouts[&id];
            let span = |kind| layout.find(kind).map(|r| (r.addr, r.bytes));
            let control = span(RegionKind::Control);
            let control = control
                .ok_or_else(|| Diagnostic::internal(format!("{id} has no control region")))?;
            let key = module
                .machine_graph
                .net_of(id)
                .and_then(|n| module.keys.get(&n));
            let key = key.ok_or_else(|| Diagnostic::internal(format!("{id} has no key")))?;
            Ok(SliceInfo {
                chip: place.chip,
                pe: place.pe,
                lo: vertex.slice.lo,
                n: vertex.slice.n,
                key: *key,
                v_addr: span(RegionKind::V).map(|(addr, _)| addr),
                i_addr: span(RegionKind::I).map(|(addr, _)| addr),
                events: span(RegionKind::Events),
                record: span(RegionKind::SpikeRecord),
                control_addr: control.0,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(PopulationInfo {
        name: population.name.clone(),
        n_atoms: population.n_atoms() as u32,
        shape: population.shape.clone(),
        order: population.order,
        sends: population.sends,
        latency: timing.latency,
        active_from: timing.active_from,
        unit: units(unit),
        i_unit: units(i_unit),
        integers: neuron.is_some_and(|n| n.state != State::F32),
        slices,
    })
}
