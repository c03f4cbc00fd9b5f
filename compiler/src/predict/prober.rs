//! What is known of all vertices, and the prediction of one.

use super::Prediction;
use super::pe::Subject;
use super::recorded::Recorded;
use super::stream::Stream;
use ir::diag::Result;
use ir::image::PeImage;
use ir::{Diagnostic, GlobalPe, IdVec, Module, PopId, Target, VertexId};
use passes::Activity;
use passes::activity::Rates;

/// What every vertex's prediction needs.
pub(super) struct Prober<'a> {
    pub(super) module: &'a Module,
    pub(super) target: &'a Target,
    rates: IdVec<PopId, Rates>,
    pub(super) recorded: Recorded,
    pub(super) ticks_per_step: u32,
    /// The tick in which runs begin: everything is active and all phases are at 0.
    pub(super) first: u32,
}

impl<'a> Prober<'a> {
    pub(super) fn new(module: &'a Module, target: &'a Target, activity: &Activity) -> Result<Self> {
        let app = &module.app;
        let mut rates = IdVec::new();
        for p in app.populations.values() {
            rates.push(activity.of(p, target));
        }
        let ticks_per_step = app.ticks_per_step.max(1);
        let late = app.populations.values().filter_map(|p| p.timing);
        let late = late.map(|t| t.latency.max(t.active_from)).max();
        Ok(Self {
            module,
            target,
            rates,
            recorded: Recorded::new(module, activity),
            ticks_per_step,
            first: (late.unwrap_or(0) + 2).next_multiple_of(ticks_per_step),
        })
    }

    pub(super) fn stream(&self, vertex: VertexId) -> Result<Stream<'_>> {
        let graph = &self.module.machine_graph;
        let v = &graph.vertices[vertex];
        let population = &self.module.app.populations[v.population];
        let rates = &self.rates[v.population];
        let key = graph.net_of(vertex).and_then(|n| self.module.keys.get(&n));
        let key = key.ok_or_else(|| Diagnostic::internal(format!("{vertex} has no key")))?;
        let positions = v.slice.lo..v.slice.lo + v.slice.n;
        let rate = |p: u32| {
            let atom = population.order.atom_at(p as usize, &population.shape);
            rates.atoms.get(atom).copied().unwrap_or(0.0)
        };
        Ok(Stream {
            key: key.key(),
            sends: population.sends,
            rates: positions.map(rate).collect(),
            profile: rates.profile.clone(),
            peak: rates.peak,
            count: rates.count.round().max(1.0) as u32,
            latency: population.timing.map_or(0, |t| t.latency),
            sent: self.recorded.of(vertex),
            work: Vec::new(),
        })
    }

    pub(super) fn predict(
        &self,
        vertex: VertexId,
        place: GlobalPe,
        image: &PeImage,
    ) -> Result<Prediction> {
        let subject = Subject::new(self, vertex, place, image)?;
        let busiest = subject.by_rates(true)?;
        let by_rates = Prediction {
            mean: 0,
            worst: busiest.iter().fold(0.0f64, |a, &b| a.max(b)).round() as u64,
            mean_packets: subject.packets(false),
            worst_packets: subject.packets(true),
        };
        if let Some(measured) = subject.by_measured()? {
            let worst = match measured.worst > by_rates.worst {
                true => measured,
                false => by_rates,
            };
            return Ok(Prediction {
                mean: measured.mean,
                ..worst
            });
        }
        let mean = subject.by_rates(false)?;
        let ticks = f64::from(self.ticks_per_step);
        Ok(Prediction {
            mean: (mean.iter().sum::<f64>() / ticks).round() as u64,
            ..by_rates
        })
    }
}
