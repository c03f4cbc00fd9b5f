//! The benches measure what they say they measure.

mod cycles_support;

use cycles_support::Listing;
use tests::bare;
use xtask::cycles::{self, Level};

/// The code of gcc leaves the bytes that the kernel leaves.
#[test]
fn kernels_in_c_compute_the_same() {
    if !tests::tool("arm-none-eabi-gcc") {
        return;
    }
    for bench in cycles::benches("") {
        let Some(twin) = &bench.twin else { continue };
        let (calls, _) = bench.twin_calls();
        for level in [Level::O3, Level::Unroll] {
            let function = twin.compile(level).expect("gcc is there");
            for (ours, theirs) in bench.calls.iter().zip(calls) {
                let run = |f: &[_], c: &cycles::Call| {
                    let data = bare::emulate(&bare::link(f, &c.args, &c.data)).data;
                    let at = |addr: u32| (addr - bare::DATA.start) as usize;
                    data[at(bench.output.start)..at(bench.output.end)].to_vec()
                };
                let a = run(&bench.functions, ours);
                let b = run(std::slice::from_ref(&function), theirs);
                let first = a.iter().zip(&b).position(|(a, b)| a != b);
                assert!(a == b, "{} {level:?} differs at {first:?}", bench.name);
                let before = &ours.data[(bench.output.start - bare::DATA.start) as usize..];
                let scans = ["if_scan", "if_fixed_scan"].iter();
                let idle = scans.into_iter().any(|s| bench.name.starts_with(s))
                    && !bench.name.contains("busy");
                assert_eq!(
                    a == before[..a.len()],
                    idle,
                    "{} does something",
                    bench.name
                );
            }
        }
    }
}

/// QEMU's trace, costed by a counter of its own, gives the emulator's cycles.
#[test]
fn an_independent_count_agrees() {
    if !tests::tool("qemu-system-arm") {
        return;
    }
    let folder = tempfile::tempdir().expect("a scratch folder");
    for bench in cycles::benches("") {
        let listing = Listing::of(&bench.functions);
        for call in bench.calls.iter().chain(&bench.without) {
            let image = bare::link(&bench.functions, &call.args, &call.data);
            let trace = bare::qemu_trace(&image, folder.path());
            assert!(trace.len() > 20, "{} ran", bench.name);
            let counted = listing.cycles(&trace);
            let emulated = cycles::call_cycles(&bench.functions, call);
            assert_eq!(counted, emulated, "{}", bench.name);
        }
    }
}

#[test]
fn the_report_is_json_with_all_fields() {
    let rows: Vec<cycles::Row> = cycles::benches("lif_f32_per_neuron")
        .iter()
        .map(cycles::Bench::measure)
        .collect();
    assert_eq!(rows.len(), 1);
    let found = cycles::json(&rows);
    assert_eq!(found[0]["kernel"], "lif_f32_per_neuron");
    assert_eq!(found[0]["unit"], "neuron");
    let fields = [
        "bytes",
        "cycles_per_unit",
        "gcc_o3",
        "gcc_o3_unroll",
        "target",
    ];
    for field in fields {
        let absent = field.starts_with("gcc") && !tests::tool("arm-none-eabi-gcc");
        assert_eq!(found[0][field].is_number(), !absent, "{field}");
    }
}
