//! How often the atoms of each population send: measured, or a documented default.

mod steps;

pub use steps::{At, Row, Steps, mark};

use crate::regions::Busy;
use ir::Target;
use ir::app::{AppGraph, Model, Population, Sends};
use ir::series::Series;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of each population, by name. The target's planning numbers stand for
/// those that were not measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Activity {
    measured: BTreeMap<String, Measured>,
    /// Shared by the copies that options make.
    steps: Arc<Steps>,
}

/// What a population sent in runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    samples: u32,
    /// Rows that were looked at.
    steps: u64,
    /// Packets of each atom, in C order.
    packets: Vec<u64>,
    /// Sum of the numbers in the packets.
    counts: f64,
    /// Packets of each step.
    totals: Vec<u64>,
}

/// How often the atoms of a population send.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    /// Packets of each atom in a step, in C order.
    pub atoms: Vec<f64>,
    /// By how much more is sent in the busiest step.
    pub peak: f64,
    /// Steps that stand for all, from quiet ones to busy ones: how much more (or less)
    /// than the mean is sent in them.
    pub profile: Vec<f64>,
    /// The mean number in a packet.
    pub count: f64,
    pub measured: bool,
}

/// Steps of a profile.
const PROFILE: usize = 16;

impl Rates {
    /// What is sent in the busiest step.
    pub fn busy(&self) -> Busy {
        let n = self.atoms.len().max(1) as f64;
        let busiest: f64 = self.atoms.iter().sum::<f64>() * self.peak;
        Busy {
            permille: (busiest / n * 1000.0).ceil().clamp(1.0, 1000.0) as u32,
            count: self.count.ceil().max(1.0) as u32,
        }
    }
}

impl Activity {
    /// Adds what population `name` sent in its next sample: a row for each step, a number
    /// for each atom. Row `t` of every population belongs to the same network step.
    pub fn add(&mut self, name: &str, sent: &Series) {
        let m = self.measured.entry(name.to_owned()).or_default();
        Arc::make_mut(&mut self.steps).add(name, m.samples, sent);
        m.samples = m.samples.saturating_add(1);
        m.packets.resize(m.packets.len().max(sent.width), 0);
        for step in 0..sent.steps {
            let row = sent.row(step);
            let mut packets = 0;
            for (atom, &x) in m.packets.iter_mut().zip(row) {
                if x != 0.0 {
                    *atom += 1;
                    packets += 1;
                    m.counts += x;
                }
            }
            m.totals.push(packets);
            m.steps += 1;
        }
    }

    /// Whole steps, where they were measured.
    pub fn steps(&self) -> &Steps {
        &self.steps
    }

    pub fn is_empty(&self) -> bool {
        self.measured.is_empty()
    }

    /// The rates of a population; neurons send values in every step.
    pub fn of(&self, population: &Population, target: &Target) -> Rates {
        let n = population.n_atoms();
        let even = |atoms: f64, peak: f64| Rates {
            atoms: vec![atoms; n],
            peak,
            profile: vec![1.0; 4],
            count: 1.0,
            measured: false,
        };
        if always(population) {
            return Rates {
                measured: true,
                ..even(1.0, 1.0)
            };
        }
        match self.measured.get(&population.name) {
            Some(m) if m.steps > 0 && m.packets.len() == n => {
                let total: u64 = m.packets.iter().sum();
                let mean = total as f64 / m.steps as f64;
                let rates = m.packets.iter().map(|&p| p as f64 / m.steps as f64);
                Rates {
                    atoms: rates.collect(),
                    peak: match m.totals.iter().max() {
                        Some(&busiest) if busiest > 0 => busiest as f64 / mean,
                        Some(_) | None => 1.0,
                    },
                    profile: profile(m.totals.clone()),
                    count: if total == 0 {
                        1.0
                    } else {
                        m.counts / total as f64
                    },
                    measured: true,
                }
            }
            _ => {
                let plan = &target.planning;
                let mean = f64::from(plan.default_activity_percent.max(1)) / 100.0;
                let worst = f64::from(plan.activity_percent) / 100.0;
                even(mean, worst / mean)
            }
        }
    }

    /// Whether every population that sends packets was measured.
    pub fn covers(&self, app: &AppGraph) -> bool {
        let known = |p: &Population| always(p) || self.measured.contains_key(&p.name);
        app.populations.values().all(known)
    }
}

/// Means of equally many steps each, from the quietest to the busiest, as shares of the
/// mean of all.
fn profile(mut totals: Vec<u64>) -> Vec<f64> {
    totals.sort_unstable();
    let n = totals.len();
    let parts = n.clamp(1, PROFILE);
    let mean = totals.iter().sum::<u64>() as f64 / n.max(1) as f64;
    let part = |k: usize| {
        let steps = totals.get(k * n / parts..(k + 1) * n / parts);
        let steps = steps.unwrap_or_default();
        let sum: u64 = steps.iter().sum();
        sum as f64 / steps.len().max(1) as f64
    };
    let share = |x: f64| if mean > 0.0 { x / mean } else { 1.0 };
    (0..parts).map(|k| share(part(k))).collect()
}

/// Whether every atom sends in every step, whatever it computes.
pub fn always(population: &Population) -> bool {
    population.sends == Sends::Values && population.model != Model::SpikeSource
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::quantised;
    use ir::id::{Id, PopId};

    #[test]
    fn rates_are_packets_a_step() {
        let app = quantised(&[("in", 3), ("z", 1)], &["in>z"]);
        let target = Target::spinnaker2();
        let pop = &app.populations[PopId::from_index(0)];
        let mut activity = Activity::default();
        let default = activity.of(pop, &target);
        assert!(!default.measured);
        assert_eq!(default.atoms[0] * default.peak, 1.0);
        activity.add(
            "in",
            &Series {
                steps: 4,
                width: 3,
                data: vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
            },
        );
        let rates = activity.of(pop, &target);
        assert_eq!(rates.atoms, [0.5, 0.0, 0.5]);
        assert_eq!((rates.peak, rates.count), (2.0, 1.0));
        assert_eq!(rates.profile, [0.0, 1.0, 1.0, 2.0]);
        assert!(rates.measured && !activity.covers(&app));
    }
}
