//! Predicts what each PE spends on a tick.
//!
//! The emitted program of every vertex runs alone ([`runtime_sim::alone`]), by the cycle
//! table of the core, on packets that stand for an activity. Where whole steps were
//! measured ([`passes::activity::Steps`]) some of them stand for all, from quiet ones to
//! busy ones, each with the packets that were sent in it; else each source atom sends as
//! often as its rate says, evenly in time. No other PE takes part, and a prediction costs
//! some dozens of ticks a vertex. It holds for the activity: of other data it says as much
//! as that data is like what was measured.
//!
//! How many spikes the vertex itself sends in these ticks is chance; two more ticks show
//! what a spike costs, and the prediction is moved to the number that the activity gives.

mod line;
mod pe;
mod prober;
mod recorded;
mod stream;
mod work;

use ir::diag::Result;
use ir::image::{ImageSet, PeImage};
use ir::{Diagnostic, GlobalPe, Module, Target, VertexId};
use passes::Activity;
use prober::Prober;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;

/// Cycles of a tick of one PE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Prediction {
    /// Over the ticks of a step.
    pub mean: u64,
    /// Of the busiest tick: with every source in its busiest step, or of the busiest
    /// step that was measured, whatever is more.
    pub worst: u64,
    /// Packets that wait (or events that a source sends) in the busiest tick of a step.
    pub mean_packets: f64,
    pub worst_packets: f64,
}

/// Of every vertex.
pub type Predictions = BTreeMap<VertexId, Prediction>;

/// Predicts all vertices of a module that was compiled to `images`.
pub fn predict(
    module: &Module,
    images: &ImageSet,
    target: &Target,
    activity: &Activity,
) -> Result<Predictions> {
    let mut programs: BTreeMap<GlobalPe, &PeImage> = BTreeMap::new();
    for chip in &images.chips {
        for image in &chip.pes {
            let place = GlobalPe {
                chip: chip.chip,
                pe: image.pe,
            };
            programs.insert(place, image);
        }
    }
    let prober = Prober::new(module, target, activity)?;
    let placed: Vec<_> = module.placements.iter().collect();
    let all: Vec<Result<(VertexId, Prediction)>> = placed
        .into_par_iter()
        .map(|(&vertex, &place)| {
            let image = programs.get(&place).ok_or_else(|| {
                Diagnostic::internal(format!("{vertex} has no program at {place}"))
            })?;
            Ok((vertex, prober.predict(vertex, place, image)?))
        })
        .collect();
    all.into_iter().collect()
}
