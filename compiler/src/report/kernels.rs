//! Which kernel adds each dense projection up, and what both would take.

use ir::app::AppGraph;
use ir::diag::Result;
use ir::image::ImageSet;
use ir::{Module, Target};
use passes::{Activity, Kernels, MappingOptions, choose_kernels};
use serde::Serialize;

/// A dense projection of spikes into a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KernelReport {
    pub projection: String,
    pub population: String,
    pub first: u32,
    pub neurons: u32,
    /// `rows` or `mac`.
    pub kernel: &'static str,
    /// Cycles of a mean network step by the model that chooses, for the activity.
    pub rows_cycles: u64,
    pub mac_cycles: u64,
    pub why: String,
}

/// All of them, by slice and projection.
pub(super) fn kernels(
    module: &Module,
    target: &Target,
    activity: &Activity,
) -> Result<Vec<KernelReport>> {
    let app: &AppGraph = &module.app;
    let graph = &module.machine_graph;
    let options = MappingOptions {
        activity: activity.clone(),
        ..MappingOptions::default()
    };
    let all = choose_kernels::judge(app, (graph, &module.keys), target, &options)?;
    let report = |j: choose_kernels::Judgement| {
        let vertex = &graph.vertices[j.vertex];
        let multiplied = vertex.array.contains(&j.projection);
        let (kernel, better) = match multiplied {
            true => (Kernels::Mac, j.array <= j.rows),
            false => (Kernels::Rows, j.rows <= j.array),
        };
        let why = match j.refusal {
            Some(why) if !multiplied => format!("the array can't: {why}"),
            _ if better => "fewer cycles in a mean step".to_owned(),
            _ => "asked for".to_owned(),
        };
        KernelReport {
            projection: app.projections[j.projection].name.clone(),
            population: app.populations[vertex.population].name.clone(),
            first: vertex.slice.lo,
            neurons: vertex.slice.n,
            kernel: kernel.name(),
            rows_cycles: j.rows,
            mac_cycles: j.array,
            why,
        }
    };
    Ok(all.into_iter().map(report).collect())
}

/// Whether some program multiplies on its MAC array.
pub fn multiply(images: &ImageSet) -> bool {
    let programs = images.chips.iter().flat_map(|c| &c.pes);
    let mut symbols = programs.flat_map(|p| &p.symbols);
    symbols.any(|s| s.name.starts_with("matrix_"))
}
