//! What arrives from a vertex: in steps that were measured, or as its rates say.

use super::recorded::{Packet, Sent};
use ir::app::Sends;
use passes::activity::At;

/// A step whose packets arrive.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    /// One that was measured, by number in its sample.
    Measured(At),
    /// One that rates make: its number.
    Mean(u32),
    /// The same with every source in its busiest step.
    Busiest(u32),
}

/// What sends to a vertex, or what a source sends.
pub(super) struct Stream<'a> {
    /// Of the first atom.
    pub(super) key: u32,
    pub(super) sends: Sends,
    /// Packets of each position in a step.
    pub(super) rates: Vec<f64>,
    /// Of its population.
    pub(super) profile: Vec<f64>,
    pub(super) peak: f64,
    pub(super) count: u32,
    pub(super) latency: u32,
    pub(super) sent: Option<&'a Sent>,
    /// What the packets of each position mean for the vertex; empty if nothing is measured.
    pub(super) work: Vec<u32>,
}

impl Stream<'_> {
    /// Steps between that which its sender computes and that in whose ticks, after the
    /// first `late` ticks, its packets are heard.
    pub(super) fn shift(&self, late: u32, ticks_per_step: u32) -> u32 {
        (self.latency + late) / ticks_per_step
    }

    /// The packets of a step, by its sender's count.
    pub(super) fn packets(&self, moment: Moment) -> Vec<Packet> {
        match (moment, self.sent) {
            (Moment::Measured(at), Some(sent)) => sent.packets(at).to_vec(),
            (Moment::Measured(at), None) => self.by_rate(at.step, false),
            (Moment::Mean(step), _) => self.by_rate(step, false),
            (Moment::Busiest(step), _) => self.by_rate(step, true),
        }
    }

    /// Each position sends evenly in time, but no two of them in the same rhythm.
    fn by_rate(&self, step: u32, busiest: bool) -> Vec<Packet> {
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

    /// Packets of a step by rates.
    pub(super) fn mean(&self, busiest: bool) -> f64 {
        let scale = if busiest { self.peak } else { 1.0 };
        self.rates.iter().map(|r| (r * scale).min(1.0)).sum()
    }

    /// How much work the packets of a measured step are.
    pub(super) fn work_at(&self, at: At) -> u64 {
        let work = |&(key, payload): &Packet| {
            let position = key.wrapping_sub(self.key) as usize;
            let one = u64::from(self.work.get(position).copied().unwrap_or(0));
            match (self.sends, payload) {
                (Sends::Counts { .. }, Some(n)) => one * u64::from(n),
                _ => one,
            }
        };
        let sent = self.sent.map_or(&[][..], |sent| sent.packets(at));
        sent.iter().map(work).sum()
    }

    /// Packets in a measured step.
    pub(super) fn count_at(&self, at: At) -> u64 {
        match self.sent {
            Some(sent) => sent.packets(at).len() as u64,
            None => self.mean(false).round() as u64,
        }
    }
}
