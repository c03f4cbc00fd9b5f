//! `s2c inspect`: what is inside a network, a text or a bundle.

use crate::bundle;
use crate::cli::{InspectArgs, LoweringArgs, MappingArgs};
use crate::driver;
use crate::options::{self, escape};
use crate::render::{Renderer, print};
use crate::report::human_table;
use ir::diag::Result;
use ir::golden::{parameters, schedule};
use ir::network::{Network, Op};
use ir::{Module, Shape, Tensor};
use std::fmt::Write;

pub fn inspect(args: &InspectArgs, show: &Renderer) -> Result<()> {
    let text = if bundle::is_bundle(&args.path) {
        let target = options::target(&args.target)?;
        of_bundle(&bundle::read(&args.path, &target)?)
    } else {
        let mapping = MappingArgs {
            target: "spinnaker2".to_owned(),
            chips: None,
            ..MappingArgs::default()
        };
        let mut source = driver::load(&args.path, &LoweringArgs::default(), &args.read)?;
        show.show(&source.warnings);
        if source.module.facts == ir::FactSet::EMPTY {
            let mapping = options::mapping(&mapping)?;
            show.show(&driver::shape(
                &mut source.module,
                &mapping,
                &mut passes::Silent,
            )?);
        }
        of_module(&source.module)
    };
    print(&text)?;
    Ok(())
}

fn shape(shape: &Option<Shape>) -> String {
    shape
        .as_ref()
        .map_or_else(|| "?".to_owned(), Shape::to_string)
}

/// `[10 64] f32, -1.2 to 0.9`.
fn tensor(t: &Tensor) -> String {
    let mut low = f64::INFINITY;
    let mut high = f64::NEG_INFINITY;
    let mut odd = 0usize;
    for i in 0..t.len() {
        let v = t.at(i);
        if v.is_finite() {
            low = low.min(v);
            high = high.max(v);
        } else {
            odd += 1;
        }
    }
    let range = if low > high {
        "no finite value".to_owned()
    } else if low == high {
        format!("{low}")
    } else {
        format!("{low:.6} to {high:.6}")
    };
    let odd = if odd > 0 {
        format!(", {odd} not finite")
    } else {
        String::new()
    };
    format!("{} {}, {range}{odd}", t.shape(), t.dtype().name())
}

/// Every parameter of a node by name.
fn tensors(op: &Op) -> Vec<(&'static str, &Tensor)> {
    match op {
        Op::Affine { weight, bias } => vec![("weight", weight), ("bias", bias)],
        Op::Linear { weight } => vec![("weight", weight)],
        Op::Scale { scale } => vec![("scale", scale)],
        Op::Conv1d { weight, bias, .. } | Op::Conv2d { weight, bias, .. } => {
            let mut all = vec![("weight", weight)];
            all.extend(bias.as_ref().map(|b| ("bias", b)));
            all
        }
        Op::Delay { delay } => vec![("delay", delay)],
        Op::Threshold { threshold } => vec![("threshold", threshold)],
        Op::Lif { .. }
        | Op::If { .. }
        | Op::CubaLif { .. }
        | Op::Li { .. }
        | Op::CubaLi { .. }
        | Op::I { .. } => parameters(op),
        Op::SumPool2d { .. }
        | Op::AvgPool2d { .. }
        | Op::Input { .. }
        | Op::Output { .. }
        | Op::Flatten { .. } => Vec::new(),
    }
}

fn of_network(out: &mut String, network: &Network) {
    let _ = writeln!(
        out,
        "{}: {} nodes, {} edges",
        escape(&network.name),
        network.nodes.len(),
        network.edges.len()
    );
    for node in network.nodes.values() {
        let _ = writeln!(
            out,
            "  {} {} {} -> {}",
            escape(&node.name),
            node.op.kind(),
            shape(&node.in_shape),
            shape(&node.out_shape)
        );
        for (name, t) in tensors(&node.op) {
            let _ = writeln!(out, "    {name} {}", tensor(t));
        }
    }
    let schedule = schedule(network, None).ok();
    let _ = writeln!(out, "edges");
    for (i, e) in network.edges.iter().enumerate() {
        let late = schedule.as_ref().is_some_and(|s| s.is_previous(i));
        let _ = writeln!(
            out,
            "  {} -> {}{}",
            escape(&network.nodes[e.from].name),
            escape(&network.nodes[e.to].name),
            if late { " (previous step)" } else { "" }
        );
    }
}

fn of_module(module: &Module) -> String {
    let mut out = String::new();
    if !module.network.nodes.is_empty() {
        of_network(&mut out, &module.network);
    }
    if !module.app.populations.is_empty() {
        let _ = writeln!(
            out,
            "{}: {} populations, {} projections, {} vertices\nfacts: {}",
            escape(&module.name),
            module.app.populations.len(),
            module.app.projections.len(),
            module.machine_graph.vertices.len(),
            module.facts
        );
        for p in module.app.populations.values() {
            let _ = writeln!(out, "  {} {}", escape(&p.name), p.shape);
        }
        for p in module.app.projections.values() {
            let _ = writeln!(
                out,
                "  {}: {} -> {} {}",
                escape(&p.name),
                escape(&module.app.populations[p.pre].name),
                escape(&module.app.populations[p.post].name),
                tensor(&p.weights)
            );
        }
    }
    out
}

fn of_bundle(loaded: &bundle::Loaded) -> String {
    let images = &loaded.images;
    let mut out = String::new();
    let pes: usize = images.chips.iter().map(|c| c.pes.len()).sum();
    let _ = writeln!(
        out,
        "{}: bundle for {}, {} us a tick, {pes} PEs",
        escape(&images.name),
        escape(&images.target),
        images.time_step_us
    );
    let program = &images.program;
    for (what, ports) in [("input", &program.inputs), ("output", &program.outputs)] {
        for port in ports {
            if let Some(p) = program.populations.get(port.population) {
                let _ = writeln!(
                    out,
                    "{what} {}: population {}, {} neurons, latency {}",
                    escape(&port.name),
                    escape(&p.name),
                    p.n_atoms,
                    p.latency
                );
            }
        }
    }
    let mut rows = vec![
        ["population", "neurons", "PE", "keys"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for p in &program.populations {
        for s in &p.slices {
            rows.push(vec![
                escape(&p.name),
                format!("{} +{}", s.lo, s.n),
                format!("{} {}", s.chip, s.pe),
                s.key.to_string(),
            ]);
        }
    }
    out.push_str(&human_table(&rows));
    for chip in &images.chips {
        for image in &chip.pes {
            let total: u64 = image.segments.iter().map(|s| u64::from(s.size)).sum();
            let _ = writeln!(out, "{} {}: {total} B", chip.chip, image.pe);
            for s in &image.segments {
                let _ = writeln!(
                    out,
                    "  {:#010x} {:>7} B {}",
                    s.addr,
                    s.size,
                    escape(&s.name)
                );
            }
        }
        let _ = writeln!(out, "{}: {} routing entries", chip.chip, chip.routes.len());
        for entry in &chip.routes {
            let _ = writeln!(out, "  {entry}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_of_finite_values() {
        let t = Tensor::vector(vec![1.0, f64::NAN, -2.0]);
        assert_eq!(tensor(&t), "[3] f64, -2.000000 to 1.000000, 1 not finite");
        assert_eq!(tensor(&Tensor::scalar(0.5)), "[] f64, 0.5");
    }
}
