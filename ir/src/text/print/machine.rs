//! Vertices, nets, and the tables that say where they are.

use super::Printer;
use crate::memory::RegionKind;
use std::fmt::{self, Display, Write};

impl Printer<'_> {
    pub(super) fn machine_graph(&mut self) -> fmt::Result {
        let graph = &self.module.machine_graph;
        for (id, vertex) in graph.vertices.iter() {
            let population = self.populations.reference(vertex.population);
            let slice = vertex.slice;
            let b = vertex.budget;
            write!(
                self.out,
                "vertex {id} = {population}{slice} text {} data {} state {} rows {} cycles {}",
                b.text, b.data, b.state, b.rows, b.cycles
            )?;
            if !vertex.array.is_empty() {
                self.out.push_str(" array");
                for &projection in &vertex.array {
                    let projection = self.projections.reference(projection);
                    write!(self.out, " {projection}")?;
                }
            }
            self.out.push('\n');
        }
        for (id, net) in graph.nets.iter() {
            let sinks = list(&net.sinks);
            write!(self.out, "net {id} = {} -> {sinks}", net.source)?;
            if !net.projections.is_empty() {
                self.out.push_str(" via");
                for &projection in &net.projections {
                    let projection = self.projections.reference(projection);
                    write!(self.out, " {projection}")?;
                }
            }
            self.out.push('\n');
        }
        Ok(())
    }

    pub(super) fn tables(&mut self) -> fmt::Result {
        let m = self.module;
        for (vertex, pe) in &m.placements {
            writeln!(self.out, "place {vertex} at {pe}")?;
        }
        for (net, key) in &m.keys {
            writeln!(self.out, "key {net} = {key}")?;
        }
        for (net, tree) in &m.trees {
            write!(self.out, "tree {net} root {} {{", tree.root)?;
            for (i, (chip, targets)) in tree.hops.iter().enumerate() {
                let comma = if i == 0 { "" } else { "," };
                write!(self.out, "{comma} {chip} -> {targets}")?;
            }
            self.out.push_str(" }\n");
        }
        for (chip, entries) in &m.tables {
            if entries.is_empty() {
                writeln!(self.out, "table {chip} empty")?;
            }
            for entry in entries {
                write!(self.out, "entry {chip} {entry}")?;
                if !entry.nets.is_empty() {
                    write!(self.out, " nets {}", list(&entry.nets))?;
                }
                self.out.push('\n');
            }
        }
        for (vertex, layout) in &m.layouts {
            if layout.regions.is_empty() {
                writeln!(self.out, "layout {vertex} empty")?;
            }
            for region in &layout.regions {
                write!(self.out, "region {vertex} ")?;
                match region.kind {
                    RegionKind::Rows { projection, source } => {
                        let projection = self.projections.reference(projection);
                        write!(self.out, "rows {projection} {source}")?;
                    }
                    RegionKind::Kernel { projection } => {
                        let projection = self.projections.reference(projection);
                        write!(self.out, "kernel {projection}")?;
                    }
                    RegionKind::Matrix { projection } => {
                        let projection = self.projections.reference(projection);
                        write!(self.out, "matrix {projection}")?;
                    }
                    RegionKind::Counts { projection } => {
                        let projection = self.projections.reference(projection);
                        write!(self.out, "counts {projection}")?;
                    }
                    // What names no projection reads back as it is shown.
                    other => write!(self.out, "{other}")?,
                }
                writeln!(self.out, " at {:#010x} bytes {}", region.addr, region.bytes)?;
            }
        }
        Ok(())
    }
}

/// Ids by blanks, or `none`.
fn list<T: Display>(items: &[T]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    let items: Vec<String> = items.iter().map(T::to_string).collect();
    items.join(" ")
}
