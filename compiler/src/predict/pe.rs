//! A vertex alone: its program, started, and the steps that it is run on.

use super::Prediction;
use super::line::Line;
use super::prober::Prober;
use super::recorded::{Packet, choose};
use super::stream::{Moment, Stream};
use super::work::work;
use ir::app::{Model, Sends};
use ir::diag::Result;
use ir::image::PeImage;
use ir::memory::{RegionKind, control};
use ir::{Diagnostic, GlobalPe, VertexId};
use passes::activity::At;
use runtime_sim::Level;
use runtime_sim::alone::{Alone, Ticked};
use std::collections::BTreeSet;

/// Steps by rates at least that are run, and those before them that fill delays and
/// membranes.
const STEPS: usize = 4;
const WARM: u32 = 4;

/// Steps at most that are run before a measured one, for what is delayed.
const PAST: u32 = 8;

/// The busiest of the measured steps that are run.
const BUSIEST: usize = 8;

/// A started program and what it is fed with.
pub(super) struct Subject<'a> {
    prober: &'a Prober<'a>,
    alone: Alone,
    control: u32,
    /// Where membranes are, and how many.
    membranes: Option<(u32, u32)>,
    events: Option<u32>,
    own: Stream<'a>,
    sources: Vec<Stream<'a>>,
    /// Steps until all that arrives has acted.
    past: u32,
}

/// What came of the ticks of a step.
struct Ran {
    cycles: Vec<f64>,
    sent: f64,
}

impl<'a> Subject<'a> {
    pub(super) fn new(
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
                let mut stream = prober.stream(net.source)?;
                if stream.sent.is_some() {
                    stream.work = work(module, net.source, vertex);
                }
                sources.push(stream);
            }
        }
        let delays = module.app.incoming(v.population);
        let delay = delays.filter_map(|(_, p)| p.delay).max().unwrap_or(1);
        let mut subject = Self {
            prober,
            alone: Alone::start(image, place, prober.target, Level::High)?,
            control,
            membranes: addr(RegionKind::V).map(|at| (at, v.slice.n)),
            events: addr(RegionKind::Events),
            own: prober.stream(vertex)?,
            sources,
            past: delay.div_ceil(prober.ticks_per_step).clamp(1, PAST),
        };
        let first = prober.first;
        put(&mut subject.alone, control + control::TICK, &[first])?;
        Ok(subject)
    }

    /// Packets in the tick of a step in which most wait.
    pub(super) fn packets(&self, busiest: bool) -> f64 {
        self.in_busiest_tick(&|s| s.mean(busiest))
    }

    fn in_busiest_tick(&self, count: &dyn Fn(&Stream<'_>) -> f64) -> f64 {
        if self.events.is_some() {
            return count(&self.own);
        }
        let ticks = self.prober.ticks_per_step;
        let in_phase = |phase: u32| {
            let here = self.sources.iter();
            let here = here.filter(|s| (s.latency + 1) % ticks == phase);
            here.map(count).sum::<f64>()
        };
        (0..ticks).map(in_phase).fold(0.0, f64::max)
    }

    /// Cycles of each tick of a step, from the rates of the sources.
    pub(super) fn by_rates(&self, busiest: bool) -> Result<Vec<f64>> {
        let ticks = self.prober.ticks_per_step;
        let moment = |step| match busiest {
            true => Moment::Busiest(step),
            false => Moment::Mean(step),
        };
        let mut alone = self.alone.clone();
        for step in 0..WARM {
            self.step(&mut alone, moment(step))?;
        }
        let warm = alone.clone();
        let mut sums = vec![0.0; ticks as usize];
        let mut sent = 0.0;
        // Every step of the longest profile once.
        let profiles = self.sources.iter().chain([&self.own]);
        let steps = profiles.map(|s| s.profile.len()).max();
        let steps = match busiest {
            true => STEPS as u32,
            false => steps.unwrap_or(STEPS).max(STEPS) as u32,
        };
        for step in WARM..WARM + steps {
            let ran = self.step(&mut alone, moment(step))?;
            for (sum, cycles) in sums.iter_mut().zip(ran.cycles) {
                *sum += cycles;
            }
            sent += ran.sent;
        }
        let a_spike = self.a_spike(&warm, moment(WARM))?;
        let steps = f64::from(steps);
        let more = self.own.mean(busiest) - sent / steps;
        let mut all: Vec<f64> = sums.iter().map(|cycles| cycles / steps).collect();
        if let Some(own) = all.get_mut((self.own.latency % ticks) as usize) {
            *own += a_spike * more;
        }
        Ok(all)
    }

    /// The same from whole steps, if they were measured: a few of them are run and stand
    /// for all, each with the packets that were sent in it.
    pub(super) fn by_measured(&self) -> Result<Option<Prediction>> {
        let steps = self.measured();
        if steps.is_empty() {
            return Ok(None);
        }
        let ticks = self.prober.ticks_per_step;
        let n = steps.len() as f64;
        let heard = |at: At| self.heard(at) as f64;
        let own = |at: At| self.own_in(at) as f64;
        let means = [&heard as &dyn Fn(At) -> f64, &own]
            .map(|f| steps.iter().map(|&(_, at)| f(at)).sum::<f64>() / n);
        let [mean_heard, mean_own] = means;
        let mut busiest = steps.clone();
        busiest.sort_unstable_by(|a, b| b.cmp(a));
        busiest.truncate(BUSIEST);
        let chosen = choose(steps);

        let mut alone = self.alone.clone();
        let middle = chosen.get(chosen.len() / 2);
        let middle = middle.ok_or_else(|| Diagnostic::internal("no step stands for others"))?;
        self.lead_to(&mut alone, middle.at)?;
        let a_spike = self.a_spike(&alone, Moment::Measured(middle.at))?;
        let mut line = Line::default();
        let mut worst = Prediction::default();
        let shares = chosen.iter().map(|c| (c.at, c.share));
        for (at, share) in shares.chain(busiest.iter().map(|b| (b.1, 0.0))) {
            self.lead_to(&mut alone, at)?;
            let mut ran = self.step(&mut alone, Moment::Measured(at))?;
            if let Some(phase) = ran.cycles.get_mut((self.own.latency % ticks) as usize) {
                *phase += a_spike * (own(at) - ran.sent);
            }
            let most = ran.cycles.iter().fold(0.0f64, |a, &b| a.max(b)).round() as u64;
            if most > worst.worst {
                worst.worst = most;
                worst.worst_packets =
                    self.in_busiest_tick(&|s| s.count_at(self.of(s, 1, at)) as f64);
            }
            // Without the spikes that the vertex sends: their number is known of all steps.
            let cycles = ran.cycles.iter().sum::<f64>() - a_spike * own(at);
            line.add(share, heard(at), cycles);
        }
        let mean = line.at(mean_heard) + a_spike * mean_own;
        Ok(Some(Prediction {
            mean: (mean / f64::from(ticks)).round() as u64,
            mean_packets: self.packets(false),
            ..worst
        }))
    }

    /// Measured steps in which all that is heard is known, with the work in them.
    fn measured(&self) -> Vec<(u64, At)> {
        let ticks = self.prober.ticks_per_step;
        let shifts = self.sources.iter().filter(|s| s.sent.is_some());
        let mut shifts: BTreeSet<u32> = shifts.map(|s| s.shift(1, ticks)).collect();
        if self.own.sent.is_some() {
            shifts.insert(self.own.shift(0, ticks));
        }
        if shifts.is_empty() {
            return Vec::new();
        }
        let steps = self.prober.recorded.after(&shifts);
        steps
            .map(|at| (self.heard(at).max(self.source_in(at)), at))
            .collect()
    }

    /// The step that a stream sends in, `late` ticks before it is heard in step `at`.
    fn of(&self, stream: &Stream<'_>, late: u32, at: At) -> At {
        let shift = stream.shift(late, self.prober.ticks_per_step);
        at.before(shift).unwrap_or(at)
    }

    /// How much work what is heard in a step is.
    fn heard(&self, at: At) -> u64 {
        let sources = self.sources.iter();
        sources.map(|s| s.work_at(self.of(s, 1, at))).sum()
    }

    fn own_in(&self, at: At) -> u64 {
        self.own.count_at(self.of(&self.own, 0, at))
    }

    /// Events of a source.
    fn source_in(&self, at: At) -> u64 {
        match self.events {
            Some(_) => self.own_in(at),
            None => 0,
        }
    }

    /// Runs the steps before a measured one.
    fn lead_to(&self, alone: &mut Alone, at: At) -> Result<()> {
        for n in (1..=self.past).rev() {
            if let Some(before) = at.before(n) {
                self.step(alone, Moment::Measured(before))?;
            }
        }
        Ok(())
    }

    /// What one more spike costs: a tick in which every neuron is far above its threshold
    /// against one in which all are far below, on the same packets.
    fn a_spike(&self, warm: &Alone, moment: Moment) -> Result<f64> {
        let Some((at, n)) = self.membranes.filter(|_| self.own.sends != Sends::Values) else {
            return Ok(0.0);
        };
        let phase = self.own.latency % self.prober.ticks_per_step;
        let run = |v: f32| -> Result<Ticked> {
            let mut alone = warm.clone();
            for before in 0..phase {
                self.tick(&mut alone, moment, before)?;
            }
            put(&mut alone, at, &vec![v.to_bits(); n as usize])?;
            self.tick(&mut alone, moment, phase)
        };
        // The same words are far below and far above as int32 state too.
        let (low, high) = (run(-1e9)?, run(1e9)?);
        let spikes = high.sent.saturating_sub(low.sent);
        if spikes == 0 {
            return Ok(0.0);
        }
        Ok((high.cycles as f64 - low.cycles as f64) / spikes as f64)
    }

    fn step(&self, alone: &mut Alone, moment: Moment) -> Result<Ran> {
        let mut ran = Ran {
            cycles: Vec::new(),
            sent: 0.0,
        };
        for phase in 0..self.prober.ticks_per_step {
            let done = self.tick(alone, moment, phase)?;
            ran.cycles.push(done.cycles as f64);
            ran.sent += done.sent as f64;
        }
        Ok(ran)
    }

    /// Tick `phase` of a step.
    fn tick(&self, alone: &mut Alone, moment: Moment, phase: u32) -> Result<Ticked> {
        let ticks = self.prober.ticks_per_step;
        let mut packets = Vec::new();
        for stream in &self.sources {
            // What arrives was sent in the tick before.
            if (stream.latency + 1) % ticks == phase {
                packets.extend(self.sent_by(stream, 1, moment));
            }
        }
        if let Some(at) = self.events {
            let events = match phase == self.own.latency % ticks {
                true => self.sent_by(&self.own, 0, moment),
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

    /// What a stream sends so that it is heard in a step.
    fn sent_by(&self, stream: &Stream<'_>, late: u32, moment: Moment) -> Vec<Packet> {
        match moment {
            Moment::Measured(at) => {
                let shift = stream.shift(late, self.prober.ticks_per_step);
                let at = at.before(shift);
                at.map_or_else(Vec::new, |at| stream.packets(Moment::Measured(at)))
            }
            Moment::Mean(_) | Moment::Busiest(_) => stream.packets(moment),
        }
    }
}

fn put(alone: &mut Alone, addr: u32, words: &[u32]) -> Result<()> {
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let written = alone.memory().write(addr, &bytes);
    written.ok_or_else(|| Diagnostic::internal(format!("{addr:#x} is not in SRAM")).into())
}
