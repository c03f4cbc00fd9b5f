//! No result depends on the order in which packets arrive: with shuffled rings
//! each network sends the same, keeps the same state, and leaves the same bytes.

use ir::Target;
use ir::geometry::GlobalPe;
use ir::memory::RegionKind;
use ir::module::Module;
use ir::semantics::WeightMode;
use runtime_sim::{Event, Machine, SampleRun, Taps};
use std::collections::BTreeMap;
use tests::pipeline;

/// Cycles by which packets are delayed at most: a tick has 300,000.
const SHUFFLE: u64 = 20_000;

/// Bytes of each PE but for what holds the order itself (the ring, and lists of the rows
/// that it names) and what is left over of it (the stack).
fn memories(machine: &Machine, module: &Module) -> BTreeMap<GlobalPe, Vec<u8>> {
    let mut memories = BTreeMap::new();
    for (vertex, place) in &module.placements {
        let mut bytes = machine.memory(*place).expect("it has a program").to_vec();
        for region in &module.layouts[vertex].regions {
            if matches!(
                region.kind,
                RegionKind::Ring | RegionKind::Lists | RegionKind::Stack
            ) {
                bytes[region.addr as usize..region.end() as usize].fill(0);
            }
        }
        memories.insert(*place, bytes);
    }
    memories
}

#[test]
fn shuffled_packets_change_nothing() {
    let target = Target::spinnaker2();
    for net in fixtures::NETS {
        let module = pipeline::load(net, WeightMode::Auto);
        let verified = pipeline::map(module, &target);
        let images = codegen::compile(&verified, &target).expect("it compiles");
        let program = &images.program;
        let ticks = 30;
        let mut run = SampleRun {
            ticks,
            ..SampleRun::default()
        };
        for port in &program.inputs {
            let n = program.populations[port.population].n_atoms;
            let row = |t| {
                let spiking = (0..n).filter(|i| (i * 7 + t * 3) % 5 < 2);
                spiking.map(Event::spike).collect()
            };
            run.inputs.push((0..ticks).map(row).collect());
        }
        run.taps = Taps {
            spikes: (0..program.populations.len()).collect(),
            v: (0..program.populations.len())
                .filter(|&p| program.populations[p].slices[0].v_addr.is_some())
                .collect(),
            ..Taps::default()
        };
        let mut machine = Machine::load(&images, &target).expect("it loads");
        let expected = machine.run_sample(&run).expect("it runs");
        let bytes = memories(&machine, verified.module());
        let sent: u64 = expected.pes.iter().map(|p| p.sent).sum();
        assert!(sent > 50, "{}: {sent} packets", net.name);
        for seed in 1..=3 {
            let mut other = machine.clone();
            other.shuffle_arrivals(seed, SHUFFLE);
            let got = other.run_sample(&run).expect("it runs");
            assert!(got.spikes == expected.spikes, "{}: spikes", net.name);
            assert!(got.v == expected.v, "{}: membranes", net.name);
            assert!(
                memories(&other, verified.module()) == bytes,
                "{}: bytes",
                net.name
            );
        }
    }
}
