//! Module to text.

mod app;
mod machine;
mod network;
mod neuron;
mod op;
mod value;

use super::{Blob, VERSION, choices};
use crate::id::Id;
use crate::module::Module;
use crate::origin::Origin;
use crate::semantics::StateMode;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use value::{name, quoted};

/// What the printer may leave out of the text or put into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrintOptions {
    /// Write arrays of any size into the text.
    pub inline_blobs: bool,
    /// Write where each object came from. Without it the text is easier to
    /// read, but objects read back have their line as origin.
    pub origins: bool,
}

impl Default for PrintOptions {
    fn default() -> Self {
        Self {
            inline_blobs: false,
            origins: true,
        }
    }
}

/// The text of a module, and the arrays that it refers to, by hash.
pub fn print(module: &Module, options: &PrintOptions) -> (String, Vec<Blob>) {
    let mut printer = Printer {
        module,
        options: *options,
        out: String::new(),
        blobs: BTreeMap::new(),
        nodes: Names::of(module.network.nodes.values().map(|n| n.name.as_str())),
        populations: Names::of(module.app.populations.values().map(|p| p.name.as_str())),
        projections: Names::of(module.app.projections.values().map(|p| p.name.as_str())),
    };
    // Writing to a string fails only if a `Display` does, and none of ours does.
    let _ = printer.module();
    (printer.out, printer.blobs.into_values().collect())
}

/// How objects of one kind are referred to: by name where that is unique.
struct Names<'a> {
    names: Vec<&'a str>,
    count: BTreeMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    fn of(names: impl Iterator<Item = &'a str>) -> Self {
        let names: Vec<&str> = names.collect();
        let mut count = BTreeMap::new();
        for name in &names {
            *count.entry(*name).or_insert(0) += 1;
        }
        Self { names, count }
    }

    fn reference(&self, id: impl Id) -> String {
        match self.names.get(id.index()) {
            Some(n) if self.count.get(n) == Some(&1) => name(n),
            _ => id.to_string(),
        }
    }
}

struct Printer<'a> {
    module: &'a Module,
    options: PrintOptions,
    out: String,
    blobs: BTreeMap<String, Blob>,
    nodes: Names<'a>,
    populations: Names<'a>,
    projections: Names<'a>,
}

impl Printer<'_> {
    fn module(&mut self) -> fmt::Result {
        let m = self.module;
        writeln!(self.out, "s2ir {VERSION} {}", quoted(&m.name))?;
        let (w, h) = (m.machine.width, m.machine.height);
        let target = quoted(&m.target);
        let step = m.time_step_us;
        writeln!(self.out, "target {target} chips {w}x{h} step {step}us")?;
        for pe in &m.machine.dead_pes {
            writeln!(self.out, "dead {pe}")?;
        }
        for (chip, link) in &m.machine.dead_links {
            writeln!(self.out, "dead link {chip} {}", link.name())?;
        }
        self.semantics()?;
        self.inputs()?;
        if m.facts != crate::facts::FactSet::EMPTY {
            writeln!(self.out, "facts {}", m.facts)?;
        }
        self.network()?;
        self.app()?;
        self.machine_graph()?;
        self.tables()
    }

    /// Every choice under the name of its command-line flag.
    fn semantics(&mut self) -> fmt::Result {
        let s = &self.module.semantics;
        self.out.push_str("semantics");
        if let Some(dt) = s.dt {
            write!(self.out, " dt {dt:?}")?;
        }
        for (flag, value) in choices::semantics(s) {
            write!(self.out, " {flag} {value}")?;
        }
        self.out.push_str("\nquantisation");
        let q = &self.module.quantisation;
        for (flag, value) in choices::quantisation(q) {
            write!(self.out, " {flag} {value}")?;
        }
        if let Some(scale) = q.weight_scale {
            write!(self.out, " weight-scale {scale:?}")?;
        }
        if q.state != StateMode::F32 {
            write!(self.out, " state {}", q.state)?;
        }
        self.out.push('\n');
        Ok(())
    }

    /// The closing clause of a declaration, and the end of its line.
    fn origin(&mut self, origin: &Origin) -> fmt::Result {
        if self.options.origins {
            self.out.push_str(" origin");
            let mut origin = origin;
            let mut passes = 0;
            while let Origin::Derived { pass, from } = origin {
                if super::PASSES.contains(pass) && passes < super::limit::DERIVATIONS {
                    write!(self.out, " {pass}")?;
                    passes += 1;
                }
                origin = from;
            }
            match origin {
                Origin::NirNode { file, path, kind } => {
                    let (file, path, kind) = (quoted(file), quoted(path), quoted(kind));
                    write!(self.out, " nir {file} {path} {kind}")?;
                }
                Origin::Text { file, line } => {
                    write!(self.out, " text {} {line}", quoted(file))?;
                }
                Origin::File { file } => write!(self.out, " file {}", quoted(file))?,
                Origin::Option { flag } => write!(self.out, " option {}", quoted(flag))?,
                // `Derived` was stripped by the loop.
                Origin::Compiler | Origin::Derived { .. } => self.out.push_str(" compiler"),
            }
        }
        self.out.push('\n');
        Ok(())
    }
}
