use super::*;
use crate::partition::partition;
use crate::testing::quantised;
use ir::id::Id;
use ir::series::Series;

/// `in>hid` of 256 x 256, and `z` behind it.
fn graph(kernels: Kernels, active: usize) -> (AppGraph, MachineGraph, Result<()>) {
    let mut app = quantised(&[("in", 256), ("hid", 256), ("z", 8)], &["in>hid", "hid>z"]);
    let mut options = MappingOptions {
        kernels,
        ..MappingOptions::default()
    };
    let mut sent = Series::zeros(1, 256);
    sent.row_mut(0)[..active].fill(1.0);
    options.activity.add("in", &sent);
    options.activity.add("hid", &Series::zeros(1, 256));
    let target = Target::spinnaker2();
    let (mut graph, _) = partition(&mut app, &target, 1000, &options).expect("fits");
    let done = choose(&app, (&mut graph, &Keys::new()), &target, &options);
    (app, graph, done)
}

fn arrays(graph: &MachineGraph) -> Vec<usize> {
    graph.vertices.values().map(|v| v.array.len()).collect()
}

#[test]
fn busy_projections_are_multiplied() {
    for (active, expected) in [(0, 0), (5, 0), (100, 1), (256, 1)] {
        let (_, graph, done) = graph(Kernels::Auto, active);
        done.expect("it fits");
        assert_eq!(arrays(&graph), [0, expected, 0], "{active} active");
    }
}

#[test]
fn the_choice_can_be_forced() {
    assert_eq!(arrays(&graph(Kernels::Rows, 256).1), [0, 0, 0]);
    assert_eq!(arrays(&graph(Kernels::Mac, 0).1), [0, 1, 1]);
}

#[test]
fn a_budget_follows_the_choice() {
    let (app, rows, _) = graph(Kernels::Rows, 0);
    let (_, mac, _) = graph(Kernels::Mac, 0);
    let target = Target::spinnaker2();
    let hid = VertexId::from_index(1);
    let (rows, mac) = (rows.vertices[hid].budget, mac.vertices[hid].budget);
    assert_eq!(mac.rows, 256 * 256);
    // The counts come, the list of rows goes.
    assert_eq!(mac.state, rows.state + 256);
    assert_eq!(mac.data + 1024, rows.data);
    // A product takes the same in a quiet tick.
    assert!(mac.cycles > rows.cycles);
    assert!(mac.bytes() <= target.memory.sram_bytes && app.projections.len() == 2);
    let busy = |kernels| graph(kernels, 256).1.vertices[hid].budget.cycles;
    assert!(busy(Kernels::Mac) < busy(Kernels::Rows));
}

#[test]
fn what_is_impossible_is_told_with_its_numbers() {
    // A product of 3 sources is more code than the list of rows that it saves.
    let mut app = quantised(&[("in", 3), ("hid", 16)], &["in>hid"]);
    let options = MappingOptions {
        kernels: Kernels::Mac,
        ..MappingOptions::default()
    };
    let mut target = Target::spinnaker2();
    let (cut, _) = partition(&mut app, &target, 1000, &options).expect("fits");
    let hid = cut.vertices[VertexId::from_index(1)].budget;
    for (bytes, fits) in [(hid.bytes() + 1024, true), (hid.bytes() - 1024, false)] {
        target.memory.sram_bytes = bytes;
        let mut cut = cut.clone();
        let done = choose(&app, (&mut cut, &Keys::new()), &target, &options);
        assert_eq!(done.is_ok(), fits, "{bytes}");
        if let Err(error) = done {
            assert_eq!(error.0[0].code, ir::Code::KernelImpossible);
            let text = error.to_string();
            assert!(text.contains(&format!("a PE has {bytes} B")), "{text}");
            assert!(text.contains("--atoms-per-core hid=8"), "{text}");
        }
    }
}
