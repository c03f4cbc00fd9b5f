//! A ring of LIF populations over all PEs of a machine: how long it takes to compile,
//! load and run, and how much memory.
//!
//! `board [WxH] [NEURONS] [TICKS] [PES]`, by default a 48-chip board with 32 neurons on
//! each PE for 100 ticks; PES bounds the PEs of a chip.
#![forbid(unsafe_code)]

use ir::Target;
use ir::machine::Machine;
use ir::verify::verify;
use passes::{MappingOptions, PassContext, Plan, Silent};
use runtime_sim::SampleRun;
use std::time::Instant;
use tests::ring::{Ring, sparse};

/// A line of what Linux says about this process, in MB.
fn memory(what: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(what))?;
    let kb: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kb / 1024)
}

fn report(what: &str, since: Instant) {
    println!(
        "{what:<12} {:8.2} s   {:6} MB now, {:6} MB at most",
        since.elapsed().as_secs_f64(),
        memory("VmRSS:").unwrap_or(0),
        memory("VmHWM:").unwrap_or(0)
    );
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let size = args.first().map_or("8x8", String::as_str);
    let size = size.split_once('x').map(|(w, h)| (w.parse(), h.parse()));
    let Some((Ok(width), Ok(height))) = size else {
        eprintln!("usage: board [WxH] [NEURONS] [TICKS] [PES]");
        return;
    };
    let number = |at: usize, default: usize| {
        let typed = args.get(at).and_then(|a| a.parse().ok());
        typed.unwrap_or(default)
    };
    let target = Target::spinnaker2();
    let machine = sparse(Machine::new(width, height), &target, number(3, 148));
    let pes = machine.application_pes(&target).len();
    let chips = machine.chips().count();
    let ring = Ring {
        populations: pes,
        atoms: number(1, 32),
        // The next population is on another chip.
        step: (pes / chips + 1) % pes,
        interval: 100.0,
    };
    let ticks = number(2, 100) as u32;
    println!("{chips} chips, {pes} PEs, {} neurons", pes * ring.atoms);

    let since = Instant::now();
    let mut module = ring.module(machine);
    let options = MappingOptions::default();
    let context = PassContext {
        target: &target,
        options: &options,
    };
    for pass in Plan::rest_of_standard(module.facts).passes() {
        let since = Instant::now();
        let plan = Plan::from_names(&[pass.name()]).expect("a pass");
        passes::run(&mut module, &plan, &context, &mut Silent).expect("it maps");
        report(pass.name(), since);
    }
    let verified = verify(module, &target);
    let verified = verified.map_err(|(_, e)| e).expect("it verifies");
    report("verified", since);
    let since = Instant::now();
    let images = codegen::compile(&verified, &target).expect("it compiles");
    report("compiled", since);
    drop(verified);

    let since = Instant::now();
    let mut machine = runtime_sim::Machine::load(&images, &target).expect("it loads");
    report("loaded", since);
    drop(images);
    let sample = |ticks, keep_state| SampleRun {
        ticks,
        keep_state,
        ..SampleRun::default()
    };
    // Code is decoded, or translated, in the first ticks.
    for (what, ticks, keep) in [("first ticks", 4, false), ("ticks", ticks, true)] {
        let since = Instant::now();
        let result = machine.run_sample(&sample(ticks, keep)).expect("it runs");
        let seconds = since.elapsed().as_secs_f64();
        report(what, since);
        let spikes: u64 = result.pes.iter().map(|p| p.sent).sum();
        let instructions: u64 = result.pes.iter().map(|p| p.instructions).sum();
        let missed: u64 = result.pes.iter().map(|p| p.missed_deadlines).sum();
        println!(
            "{:.1} ticks/s, {:.0} MIPS on {} threads; activity {:.2} %, {missed} deadlines missed",
            f64::from(ticks) / seconds,
            instructions as f64 / seconds / 1e6,
            rayon_threads(),
            100.0 * spikes as f64 / f64::from(ticks) / (pes * ring.atoms) as f64
        );
        println!("{:?}", result.network);
    }
}

fn rayon_threads() -> usize {
    rayon::current_num_threads()
}
