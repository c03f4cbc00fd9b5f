//! PARTITIONED: slices cover populations, nets join them, budgets fit.

use super::findings::{Findings, population, vertex};
use super::reach::Reach;
use crate::app::{AtomOrder, Connector, Population};
use crate::id::{Id, PopId, ProjId, VertexId};
use crate::machine_graph::{AtomSlice, Net};
use crate::module::Module;
use crate::target::Target;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(m: &Module, target: &Target, found: &mut Findings) {
    let graph = &m.machine_graph;
    let mut of: BTreeMap<PopId, Vec<VertexId>> = BTreeMap::new();
    for (id, v) in graph.vertices.iter() {
        of.entry(v.population).or_default().push(id);
        let b = v.budget;
        let lines = [b.text, b.data, b.state, b.rows].map(u64::from);
        let bytes: u64 = lines.iter().sum();
        let sram = u64::from(target.memory.sram_bytes);
        if bytes > sram {
            let (name, origin) = vertex(m, id);
            let [text, data, state, rows] = lines;
            let note = format!("{text} + {data} + {state} + {rows} = {bytes} B, a PE has {sram} B");
            found.add_with(origin, format!("{name} does not fit into a PE"), note);
        }
    }
    // Pixels of the populations at which convolutions end.
    let convs = m.app.projections.values();
    let convs = convs.filter_map(|p| match &p.connector {
        Connector::Conv(conv) => Some((p.post, conv.target[1] * conv.target[2])),
        Connector::Dense | Connector::Sparse(_) => None,
    });
    let convs: BTreeMap<PopId, usize> = convs.collect();
    for (id, p) in m.app.populations.iter() {
        let vertices = of.get(&id).map_or(&[][..], Vec::as_slice);
        let mut next = 0u64;
        for v in vertices {
            let slice = graph.vertices[*v].slice;
            if u64::from(slice.lo) != next || slice.n == 0 {
                let (name, origin) = vertex(m, *v);
                let message = format!("{name} does not continue its population");
                found.add_with(origin, message, format!("atom {next} should come first"));
            }
            if let Some(note) = torn(p, slice, convs.get(&id).copied()) {
                let (name, origin) = vertex(m, *v);
                let message = format!("{name} is not cut between pixels of one block");
                found.add_with(origin, message, note);
            }
            next = u64::from(slice.lo) + u64::from(slice.n);
        }
        let atoms = p.n_atoms() as u64;
        if next != atoms {
            let message = format!("the slices of {} do not cover it", population(p));
            let note = format!("{next} of {atoms} atoms");
            found.add_with(&p.origin, message, note);
        }
    }
    check_nets(m, found);
}

/// Whether a slice leaves its block of channels or, at the end of a
/// convolution, splits the channels of a pixel: one tap meets a whole block of
/// them. Without blocks each channel is one of its own.
fn torn(p: &Population, slice: AtomSlice, convolution: Option<usize>) -> Option<String> {
    let (channels, pixels) = match (p.order, convolution) {
        (AtomOrder::Blocked { channels }, _) => (channels, p.shape.0.iter().skip(1).product()),
        (AtomOrder::RowMajor, Some(pixels)) => (1, pixels),
        (AtomOrder::RowMajor, None) => return None,
    };
    let (lo, n) = (slice.lo as usize, slice.n as usize);
    let block = pixels * channels;
    if block == 0 || n == 0 {
        return None; // an empty slice is reported as such
    }
    if lo / block != (lo + n - 1) / block {
        return Some(format!(
            "blocks of {channels} channels x {pixels} pixels = {block} atoms"
        ));
    }
    let split = !lo.is_multiple_of(channels) || !n.is_multiple_of(channels);
    (split && convolution.is_some()).then(|| format!("pixels of {channels} channels"))
}

fn check_nets(m: &Module, found: &mut Findings) {
    let graph = &m.machine_graph;
    let mut driven = vec![0u32; graph.vertices.len()];
    for net in graph.nets.values() {
        driven[net.source.index()] += 1;
    }
    for id in graph.vertices.ids() {
        let nets = driven[id.index()];
        if nets != 1 {
            let (name, origin) = vertex(m, id);
            found.add(origin, format!("{name} drives {nets} nets, expected 1"));
        }
    }
    // What follows relies on slices that lie within their populations.
    if found.any() {
        return;
    }
    let reach = Reach::count(m);
    for net in graph.nets.values() {
        let (name, origin) = vertex(m, net.source);
        let outgoing = m.app.outgoing(graph.vertices[net.source].population);
        let projections: Vec<ProjId> = outgoing.map(|(p, _)| p).collect();
        if let Some(fault) = sink_fault(m, net, &projections, &reach) {
            let message = format!("the net of {name} does not reach its targets");
            found.add_with(origin, message, fault);
        }
        if net.projections != projections {
            let message = format!("the net of {name} serves other projections");
            let note = format!("{:?}, expected {projections:?}", net.projections);
            found.add_with(origin, message, note);
        }
    }
}

/// A net reaches every vertex to which a synapse leads, and no vertex of
/// another population. A vertex in between may be reached or not.
fn sink_fault(m: &Module, net: &Net, via: &[ProjId], reach: &Reach) -> Option<String> {
    if !net.sinks.is_sorted_by(|a, b| a < b) {
        return Some(format!("sinks {:?} do not ascend", net.sinks));
    }
    let ends = |p: &ProjId| reach.vertices_of(m.app.projections[*p].post).iter();
    let all: BTreeSet<VertexId> = via.iter().flat_map(ends).copied().collect();
    if let Some(stray) = net.sinks.iter().find(|s| !all.contains(s)) {
        return Some(format!("sink {stray}, expected some of {all:?}"));
    }
    let reached = |v: VertexId| {
        let here = m.machine_graph.vertices[v].population;
        let mut via = via.iter();
        via.any(|p| m.app.projections[*p].post == here && reach.reaches(m, *p, net.source, v))
    };
    let mut left_out = all.iter().filter(|v| net.sinks.binary_search(v).is_err());
    let missing = left_out.find(|v| reached(**v))?;
    Some(format!(
        "sinks {:?} without {missing}, to which synapses lead",
        net.sinks
    ))
}
