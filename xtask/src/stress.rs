//! A chip that is as busy as it can be: how many synaptic events a second its PEs add.
//!
//! Each application PE has a population of neurons that spike on their own nearly always,
//! each of which is connected to all neurons of the next one. A long step says how many
//! cycles the slowest PE takes; then a step is as short as that, and no deadline is missed.

use ir::Target;
use ir::machine::Machine;
use ir::module::Module;
use ir::semantics::WeightMode;
use ir::verify::verify;
use passes::{MappingOptions, PassContext, Plan, Silent};
use runtime_sim::clock::Level;
use runtime_sim::report::PeStats;
use runtime_sim::{SampleResult, SampleRun};
use tests::ring::Ring;

/// Published for SpiNNaker2 with software that serves every network: synaptic events a
/// second, on one chip.
const PUBLISHED: f64 = 1.8e9;
/// Ticks before the first that counts, and those that count.
const TICKS: (u32, u32) = (4, 20);
/// Step of the run that says how long a step takes.
const LONG_US: u32 = 2000;
/// Percent of the planned cycles of a slice that its plan may count: little enough that no
/// population is cut. What the emitted code takes is measured here.
const OF_PLAN: u32 = 10;
/// Ticks between two spikes of a neuron without input.
const INTERVAL: f64 = 1.01;

/// What a run showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Stress {
    pub pes: usize,
    pub neurons: usize,
    pub synapses: usize,
    pub step_us: u32,
    /// Permille of the neurons that spiked in a step.
    pub activity: u64,
    /// Cycles of the slowest PE's longest step.
    pub cycles: u64,
    /// Synaptic events of a step, of all PEs together.
    pub events: f64,
    pub missed: u64,
    pub lost: u64,
}

impl Stress {
    /// Synaptic events in a second of emulated time.
    pub fn rate(&self) -> f64 {
        self.events / (f64::from(self.step_us) * 1e-6)
    }

    pub fn text(&self) -> String {
        format!(
            "{} PEs at 300 MHz, {} neurons, {} synapses, {}.{} % spike in a step of {} us\n\
             longest step {} cycles, {} deadlines missed, {} packets lost\n\
             {:.1} G synaptic events/s, {:.1} times the published {:.1} G/s\n",
            self.pes,
            self.neurons,
            self.synapses,
            self.activity / 10,
            self.activity % 10,
            self.step_us,
            self.cycles,
            self.missed,
            self.lost,
            self.rate() / 1e9,
            self.rate() / PUBLISHED,
            PUBLISHED / 1e9,
        )
    }
}

/// Runs `atoms` neurons on each application PE of one chip.
pub fn run(atoms: usize) -> Stress {
    let target = Target::spinnaker2();
    let machine = Machine::new(1, 1);
    let ring = Ring {
        populations: machine.application_pes(&target).len(),
        atoms,
        step: 1,
        interval: INTERVAL,
    };
    let long = measure(&ring, &machine, &target, LONG_US);
    let per_us = target.clock.pe_high_hz / 1_000_000;
    let step = (longest(&long) / per_us + 1) as u32;
    let result = measure(&ring, &machine, &target, step);
    let neurons = ring.populations * atoms;
    let sum = |of: fn(&PeStats) -> u64| result.pes.iter().map(of).sum::<u64>();
    let spikes = sum(|p| p.sent);
    let ticks = u64::from(result.ticks);
    Stress {
        pes: result.pes.len(),
        neurons,
        synapses: neurons * atoms,
        step_us: step,
        activity: 1000 * spikes / (ticks * neurons as u64),
        cycles: longest(&result),
        events: (sum(|p| p.received) as f64) * atoms as f64 / ticks as f64,
        missed: sum(|p| p.missed_deadlines),
        lost: sum(|p| p.dropped + p.unreceived),
    }
}

fn longest(result: &SampleResult) -> u64 {
    let cycles = result.pes.iter().flat_map(|p| &p.tick_cycles);
    cycles.copied().max().unwrap_or(0)
}

/// The ticks that count, at this step.
fn measure(ring: &Ring, machine: &Machine, target: &Target, step_us: u32) -> SampleResult {
    let mut module: Module = ring.module(machine.clone());
    module.time_step_us = step_us;
    module.quantisation.weights = WeightMode::Int8;
    let names = module.app.populations.values().map(|p| p.name.clone());
    let options = MappingOptions {
        corrections: names.map(|name| (name, OF_PLAN)).collect(),
        ..MappingOptions::default()
    };
    let context = PassContext {
        target,
        options: &options,
    };
    let plan = Plan::rest_of_standard(module.facts);
    passes::run(&mut module, &plan, &context, &mut Silent).expect("it maps");
    let verified = verify(module, target).map_err(|(_, e)| e);
    let images = codegen::compile(&verified.expect("it verifies"), target).expect("it compiles");
    let machine = runtime_sim::Machine::load_at(&images, target, Level::High);
    let mut machine = machine.expect("it loads");
    let sample = |ticks, keep_state| SampleRun {
        ticks,
        keep_state,
        ..SampleRun::default()
    };
    machine
        .run_sample(&sample(TICKS.0, false))
        .expect("it runs");
    machine.run_sample(&sample(TICKS.1, true)).expect("it runs")
}
