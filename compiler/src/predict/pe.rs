//! One vertex alone.

use super::Prediction;
use ir::app::{Model, Sends};
use ir::diag::Result;
use ir::image::PeImage;
use ir::memory::{RegionKind, control};
use ir::{Diagnostic, GlobalPe, IdVec, Module, PopId, Target, VertexId};
use passes::Activity;
use passes::activity::Rates;
use runtime_sim::Level;
use runtime_sim::alone::{Alone, Ticked};

/// Steps at least that are measured, and those before them that fill delays and membranes.
const STEPS: usize = 4;
const WARM: u32 = 4;

/// A packet: key and payload.
type Packet = (u32, Option<u32>);

/// What sends to a vertex, or what a source sends.
struct Stream {
    /// Of the first atom.
    key: u32,
    sends: Sends,
    /// Packets of each position in a step.
    rates: Vec<f64>,
    /// Of its population.
    profile: Vec<f64>,
    peak: f64,
    count: u32,
    latency: u32,
}

impl Stream {
    /// The packets of step `step`: each position sends evenly in time, but no two of
    /// them in the same rhythm.
    fn packets(&self, step: u32, busiest: bool) -> Vec<Packet> {
        let (from, to) = (self.until(step, busiest), self.until(step + 1, busiest));
        let mut all = Vec::new();
        for (i, &rate) in (0u32..).zip(&self.rates) {
            // Low discrepancy: the fractions of multiples of the golden ratio.
            let start = (f64::from(i) * 0.618_033_988_749_895).fract();
            if (start + rate * to).floor() > (start + rate * from).floor() {
                all.push((self.key + i, self.payload()));
            }
        }
        all
    }

    /// Mean steps' worth of packets before `step`.
    fn until(&self, step: u32, busiest: bool) -> f64 {
        if busiest {
            return self.peak * f64::from(step);
        }
        let steps = self.profile.iter().cycle().take(step as usize);
        steps.sum()
    }

    fn payload(&self) -> Option<u32> {
        match self.sends {
            Sends::Spikes => None,
            Sends::Counts { .. } => Some(self.count),
            Sends::Values => Some(0.5f32.to_bits()),
        }
    }

    /// Packets of a step.
    fn mean(&self, busiest: bool) -> f64 {
        let scale = if busiest { self.peak } else { 1.0 };
        self.rates.iter().map(|r| (r * scale).min(1.0)).sum()
    }
}

/// What every vertex's prediction needs.
pub(super) struct Prober<'a> {
    module: &'a Module,
    target: &'a Target,
    rates: IdVec<PopId, Rates>,
    ticks_per_step: u32,
    /// The tick in which runs begin: everything is active and all phases are at 0.
    first: u32,
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
            ticks_per_step,
            first: (late.unwrap_or(0) + 2).next_multiple_of(ticks_per_step),
        })
    }

    fn stream(&self, vertex: VertexId) -> Result<Stream> {
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
        })
    }

    pub(super) fn predict(
        &self,
        vertex: VertexId,
        place: GlobalPe,
        image: &PeImage,
    ) -> Result<Prediction> {
        let subject = Subject::new(self, vertex, place, image)?;
        let mean = subject.cycles(false)?;
        let worst = subject.cycles(true)?;
        let ticks = f64::from(self.ticks_per_step);
        Ok(Prediction {
            mean: (mean.iter().sum::<f64>() / ticks).round() as u64,
            worst: worst.iter().fold(0.0f64, |a, &b| a.max(b)).round() as u64,
            mean_packets: subject.packets(false),
            worst_packets: subject.packets(true),
        })
    }
}

/// A started program and what it is fed with.
struct Subject<'a> {
    prober: &'a Prober<'a>,
    alone: Alone,
    control: u32,
    /// Where membranes are, and how many.
    membranes: Option<(u32, u32)>,
    events: Option<u32>,
    own: Stream,
    sources: Vec<Stream>,
}

impl<'a> Subject<'a> {
    fn new(
        prober: &'a Prober<'a>,
        vertex: VertexId,
        place: GlobalPe,
        image: &PeImage,
    ) -> Result<Self> {
        let module = prober.module;
        let graph = &module.machine_graph;
        let v = &graph.vertices[vertex];
        let population = &module.app.populations[v.population];
        let layout = module.layouts.get(&vertex);
        let layout =
            layout.ok_or_else(|| Diagnostic::internal(format!("{vertex} has no layout")))?;
        let addr = |kind| layout.find(kind).map(|r| r.addr);
        let control = addr(RegionKind::Control);
        let control =
            control.ok_or_else(|| Diagnostic::internal(format!("{vertex} has no control")))?;
        let mut sources = Vec::new();
        if population.model != Model::SpikeSource {
            for (_, net) in graph.nets_into(vertex) {
                sources.push(prober.stream(net.source)?);
            }
        }
        let mut subject = Self {
            prober,
            alone: Alone::start(image, place, prober.target, Level::High)?,
            control,
            membranes: addr(RegionKind::V).map(|at| (at, v.slice.n)),
            events: addr(RegionKind::Events),
            own: prober.stream(vertex)?,
            sources,
        };
        let first = prober.first;
        put(&mut subject.alone, control + control::TICK, &[first])?;
        Ok(subject)
    }

    /// Packets in the tick of a step in which most wait.
    fn packets(&self, busiest: bool) -> f64 {
        if self.events.is_some() {
            return self.own.mean(busiest);
        }
        let ticks = self.prober.ticks_per_step;
        let in_phase = |phase: u32| {
            let here = self.sources.iter();
            let here = here.filter(|s| (s.latency + 1) % ticks == phase);
            here.map(|s| s.mean(busiest)).sum::<f64>()
        };
        (0..ticks).map(in_phase).fold(0.0, f64::max)
    }

    /// Cycles of each tick of a step.
    fn cycles(&self, busiest: bool) -> Result<Vec<f64>> {
        let ticks = self.prober.ticks_per_step;
        let mut alone = self.alone.clone();
        for step in 0..WARM {
            for phase in 0..ticks {
                self.tick(&mut alone, step, phase, busiest)?;
            }
        }
        let warm = alone.clone();
        let mut sums = vec![(0.0, 0.0); ticks as usize];
        // Every step of the longest profile once.
        let profiles = self.sources.iter().chain([&self.own]);
        let steps = profiles.map(|s| s.profile.len()).max();
        let steps = match busiest {
            true => STEPS as u32,
            false => steps.unwrap_or(STEPS).max(STEPS) as u32,
        };
        for step in WARM..WARM + steps {
            for (phase, sum) in (0..ticks).zip(&mut sums) {
                let done = self.tick(&mut alone, step, phase, busiest)?;
                sum.0 += done.cycles as f64;
                sum.1 += done.sent as f64;
            }
        }
        let a_spike = self.a_spike(&warm, busiest)?;
        let expected = self.own.mean(busiest);
        let steps = f64::from(steps);
        let phase = self.own.latency % ticks;
        let all = (0..ticks).zip(&sums).map(|(p, &(cycles, sent))| {
            let more = if p == phase {
                expected - sent / steps
            } else {
                0.0
            };
            cycles / steps + a_spike * more
        });
        Ok(all.collect())
    }

    /// What one more spike costs: a tick in which every neuron is far above its threshold
    /// against one in which all are far below, on the same packets.
    fn a_spike(&self, warm: &Alone, busiest: bool) -> Result<f64> {
        let Some((at, n)) = self.membranes.filter(|_| self.own.sends != Sends::Values) else {
            return Ok(0.0);
        };
        let phase = self.own.latency % self.prober.ticks_per_step;
        let run = |v: f32| -> Result<Ticked> {
            let mut alone = warm.clone();
            for before in 0..phase {
                self.tick(&mut alone, WARM, before, busiest)?;
            }
            put(&mut alone, at, &vec![v.to_bits(); n as usize])?;
            self.tick(&mut alone, WARM, phase, busiest)
        };
        let (low, high) = (run(-1e9)?, run(1e9)?);
        let spikes = high.sent.saturating_sub(low.sent);
        if spikes == 0 {
            return Ok(0.0);
        }
        Ok((high.cycles as f64 - low.cycles as f64) / spikes as f64)
    }

    /// Tick `phase` of a step.
    fn tick(&self, alone: &mut Alone, step: u32, phase: u32, busiest: bool) -> Result<Ticked> {
        let ticks = self.prober.ticks_per_step;
        let mut packets = Vec::new();
        for stream in &self.sources {
            // What arrives was sent in the tick before.
            if (stream.latency + 1) % ticks == phase {
                packets.extend(stream.packets(step, busiest));
            }
        }
        if let Some(at) = self.events {
            let events = match phase == self.own.latency % ticks {
                true => self.own.packets(step, busiest),
                false => Vec::new(),
            };
            let mut words = vec![events.len() as u32];
            for (key, payload) in events {
                words.extend(payload);
                words.push(key);
            }
            put(alone, at, &words)?;
            put(alone, self.control + control::EVENTS_READ, &[at])?;
        }
        alone.tick(&packets)
    }
}

fn put(alone: &mut Alone, addr: u32, words: &[u32]) -> Result<()> {
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let written = alone.memory().write(addr, &bytes);
    written.ok_or_else(|| Diagnostic::internal(format!("{addr:#x} is not in SRAM")).into())
}
