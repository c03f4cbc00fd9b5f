//! The rules for payloads, synapses, convolutions, sparse lists, blocks and
//! steps of several ticks: a right module, and each rule broken once.

mod text_support;

use ir::app::{AtomOrder, Sends};
use ir::memory::BudgetLine;
use ir::verify::check;
use ir::{Code, Module};
use proptest::prelude::*;
use proptest::sample::Index;
use std::fmt::Write;
use text_support::{read, target};

/// `n` numbers by blanks.
fn numbers(n: usize, f: impl Fn(usize) -> usize) -> String {
    let all: Vec<String> = (0..n).map(|i| f(i).to_string()).collect();
    all.join(" ")
}

/// Counts into a convolution of two blocks, its spikes through a sparse list
/// into a leaky integrator, whose values end at a neuron that sends counts
/// back: two ticks a step.
fn text() -> String {
    let mut text = format!(
        r#"s2ir 1 "rich"
facts canonical discrete balanced quantised partitioned selected laid_out
input @img counts 3
ticks_per_step 2
population @img spike_source [2 3 3] sends counts 3 latency 0 active 0
population @conv cubalif [4 3 3] discrete {{ syn_decay = 0.8, syn_offset = 0.5 from 4 0.25, drive = 1.0, syn_unit = 0.1, decay = 0.9, gain = 1.0, threshold = 10.0, reset = to 0.0, compare = gt, hold = on, unit = 0.1 }} order blocked 2 accumulator i16 latency 1 active 1
population @li li [2] discrete {{ decay = 0.9, gain = 1.0, unit = 0.5 }} sends values accumulator i16 latency 2 active 2
population @out if [2] discrete {{ gain = 1.0, offset = 0.5 from 3 2xf64(0.25 0.5), threshold = 2xf64(1.0 2.0), reset = multi, compare = ge, floor = -1.0, unit = 1.0 }} sends counts 255 latency 3 active 3
projection @c : @img -> @conv conv source [2 3 3] target [4 3 3] kernel [3 3] stride [1 1] padding [1 1] dilation [1 1] 4x2x3x3xi8({}) delay 1
projection @s : @conv -> @li sparse starts 37xi32({}) targets 36xi32({}) 36xi8({}) delay 1
projection @v : @li -> @out dense 2x2xi8(1 2 3 4) delay 1
projection @back : @out -> @li dense 2x2xi8(1 0 0 1) delay 1 lag 1
output @y = @out
"#,
        numbers(72, |i| i % 7),
        numbers(37, |i| i),
        numbers(36, |i| i / 18),
        numbers(36, |i| i),
    );
    for (v, slice) in [
        "@img[0 +18]",
        "@conv[0 +10]",
        "@conv[10 +8]",
        "@conv[18 +18]",
        "@li[0 +2]",
        "@out[0 +2]",
    ]
    .into_iter()
    .enumerate()
    {
        let budget = "text 0 data 0 state 0 rows 0 cycles 0";
        writeln!(text, "vertex %v{v} = {slice} {budget}").expect("a string");
    }
    for (n, net) in [
        "%v1 %v2 %v3 via @c",
        "%v4 via @s",
        "%v4 via @s",
        "%v4 via @s",
        "%v5 via @v",
        "%v4 via @back",
    ]
    .into_iter()
    .enumerate()
    {
        writeln!(text, "net %n{n} = %v{n} -> {net}").expect("a string");
    }
    // 3x3 target pixels meet 4 6 4, 6 9 6, 4 6 4 source pixels.
    let conv = |v: usize, n: u32, sums: u32, taps: u32| {
        let word = 4 * n;
        let rows = 20 + 4 * taps;
        let all = [
            ("syn_offset", word),
            ("late_syn_offset 1", word),
            ("v", word),
            ("i", word),
            ("pending", word),
            ("accumulators", sums),
            ("ring", 160),
            ("rows @c %v0", rows),
            ("kernel @c", 72),
        ];
        (v, all.to_vec())
    };
    let li = [
        ("v", 8),
        ("accumulators", 16),
        ("ring", 160),
        ("rows @s %v1", 84),
        // Filled up to the alignment.
        ("rows @s %v2", 72),
        ("rows @s %v3", 148),
        ("rows @back %v5", 16),
    ];
    let out = [
        ("offset", 8),
        ("late_offset 1", 8),
        ("threshold", 8),
        ("v", 8),
        ("currents", 32),
        ("values %v4", 32),
        ("ring", 32),
        ("rows @v %v4", 16),
    ];
    for (v, regions) in [
        (0, vec![("events", 4096), ("stack", 1024)]),
        conv(1, 10, 32, 29),
        conv(2, 8, 16, 20),
        conv(3, 18, 48, 49),
        (4, li.to_vec()),
        (5, out.to_vec()),
    ] {
        for (k, (kind, bytes)) in regions.into_iter().enumerate() {
            let at = k * 4096;
            writeln!(text, "region %v{v} {kind} at {at:#010x} bytes {bytes}").expect("a string");
        }
    }
    text
}

/// The module after replacements, each of which must occur, with budgets that
/// are the sums of the regions.
fn damaged(edits: &[(&str, &str)]) -> Module {
    let mut text = text();
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let mut module = read(&text);
    for (id, layout) in &module.layouts {
        let budget = &mut module.machine_graph.vertices[*id].budget;
        for r in &layout.regions {
            match r.kind.budget_line() {
                BudgetLine::Text => budget.text += r.bytes,
                BudgetLine::Data => budget.data += r.bytes,
                BudgetLine::State => budget.state += r.bytes,
                BudgetLine::Rows => budget.rows += r.bytes,
            }
        }
    }
    module
}

/// Every message of a damaged module, with its notes.
fn findings(module: &Module) -> Vec<String> {
    let Err(found) = check(module, &target()) else {
        return Vec::new();
    };
    let one = |d: &ir::Diagnostic| {
        assert_eq!(d.code, Code::Verify, "{d}");
        std::iter::once(d.message.clone())
            .chain(d.notes.iter().cloned())
            .collect::<Vec<_>>()
            .join(": ")
    };
    found.0.iter().map(one).collect()
}

fn expect(edits: &[(&str, &str)], first: &str) {
    let found = findings(&damaged(edits));
    assert_eq!(found.first().map(String::as_str), Some(first), "{found:#?}");
}

#[test]
fn a_right_module_is_proved() {
    assert_eq!(findings(&damaged(&[])), [""; 0]);
}

#[test]
fn convolutions_are_possible() {
    let conv = |from: &str, to: &str, fault: &str| {
        let message = format!("projection 'c' has a convolution that is impossible here: {fault}");
        expect(&[(from, to)], &message);
    };
    conv(
        "conv source [2 3 3]",
        "conv source [3 2 3]",
        "source [3 2 3], the population has [2 3 3]",
    );
    conv(
        "target [4 3 3]",
        "target [4 9 1]",
        "target [4 9 1], the population has [4 3 3]",
    );
    conv(
        "stride [1 1]",
        "stride [0 1]",
        "stride [0 1], each must be 1 to 2^32 - 1",
    );
    conv(
        "dilation [1 1]",
        "dilation [1 4294967296]",
        "dilation [1 4294967296], each must be 1 to 2^32 - 1",
    );
    conv(
        "padding [1 1]",
        "padding [1 18446744073709551615]",
        "padding [1 18446744073709551615], each must be below 2^32",
    );
    conv(
        "stride [1 1]",
        "stride [1 3]",
        "horizontally the last window begins at (3 - 1) * 3 = 6, behind 3 + 2 * 1 = 5 values",
    );
    expect(
        &[("kernel [3 3]", "kernel [3 2]")],
        "projection 'c' has weights of the wrong shape: weights [4 2 3 3], [C_out C_in Kh Kw] = [4 2 3 2]",
    );
    // In C order the shape of another rank has the same atoms.
    let flat = ("spike_source [2 3 3]", "spike_source [18]");
    assert_eq!(findings(&damaged(&[flat])), [""; 0]);
}

#[test]
fn synapses_join_atoms() {
    let starts = numbers(37, |i| i);
    expect(
        &[(&format!("37xi32({starts}"), &format!("38xi32({starts} 36"))],
        "projection 's' has synapses between no atoms: 37 lists of targets, 36 source atoms",
    );
    let targets = format!("targets 36xi32({})", numbers(36, |i| i / 18));
    let beyond = format!("targets 36xi32({})", numbers(36, |i| i / 18 * 2));
    expect(
        &[(&targets, &beyond)],
        "projection 's' has synapses between no atoms: target atom 2, there are 2",
    );
    expect(
        &[("36xi8(", "6x6xi8(")],
        "projection 's' has weights of the wrong shape: weights [6 6], [synapses] = [36]",
    );
}

#[test]
fn kinds_have_their_parts() {
    let parts = |from: &str, to: &str, fault: &str| {
        let found = findings(&damaged(&[(from, to)]));
        assert!(found[0].ends_with(fault), "{found:#?}");
        assert!(found[0].contains("has the wrong parts for its kind: "));
    };
    parts(
        "@conv cubalif",
        "@conv lif",
        "lif has no synapse, but it is there",
    );
    parts("@li li", "@li cubali", "cubali lacks a synapse");
    parts("@li li", "@li lif", "lif lacks a threshold");
    parts("@li li", "@li linear", "linear lacks a fresh membrane");
    parts("@out if", "@out i", "i has no threshold, but it is there");
    parts(
        "gain = 1.0, offset",
        "membrane = fresh, gain = 1.0, offset",
        "if has no fresh membrane, but it is there",
    );
    let continuous = |fields: &str| {
        let text = format!("s2ir 1 \"x\"\nfacts canonical\npopulation @n {fields}\n");
        findings(&read(&text))
    };
    for right in [
        "lif [1] continuous { tau = 1.0, r = 1.0, v_leak = 0.0, v_threshold = 1.0, v_reset = 0.0 }",
        "if [1] continuous { r = 1.0, v_threshold = 1.0, v_reset = 0.0, bias = 1.0 }",
        "cubalif [1] continuous { tau = 1.0, tau_syn = 1.0, w_in = 1.0, r = 1.0, v_leak = 0.0, v_threshold = 1.0, v_reset = 0.0, hold = on }",
        "li [1] continuous { tau = 1.0, r = 1.0, v_leak = 0.0 } sends values",
        "cubali [1] continuous { tau = 1.0, tau_syn = 1.0, w_in = 1.0, r = 1.0, v_leak = 0.0 } sends values",
        "i [1] continuous { r = 1.0 } sends values",
        "threshold [1] continuous { v_threshold = 1.0 }",
        "linear [1] continuous sends values",
    ] {
        assert_eq!(continuous(right), [""; 0], "{right}");
    }
    assert_eq!(
        continuous("i [1] continuous { tau = 1.0 } sends values"),
        [
            "population 'n' has the wrong parts for its kind: i has no tau, but it is there",
            "population 'n' has the wrong parts for its kind: i lacks r",
        ]
    );
}

#[test]
fn populations_send_what_they_have() {
    let sends = |from: &str, to: &str, fault: &str| {
        let found = findings(&damaged(&[(from, to)]));
        let wanted = format!("sends what it cannot have: {fault}");
        assert!(found[0].ends_with(&wanted), "{found:#?}");
    };
    sends(" sends values", "", "spikes; li has values");
    sends(
        "order blocked 2 accumulator",
        "sends values order blocked 2 accumulator",
        "values; cubalif has spikes",
    );
    sends(
        "order blocked 2 accumulator",
        "sends counts 2 order blocked 2 accumulator",
        "counts up to 2, but its reset allows one spike",
    );
    sends(
        " sends counts 255",
        "",
        "plain spikes, but its reset sends up to 255 at once",
    );
    sends(
        "sends counts 255",
        "sends counts 7",
        "counts up to 7, but its reset sends up to 255",
    );
    let mut module = damaged(&[]);
    let img = module.app.populations.values_mut().next().expect("one");
    img.sends = Sends::Counts { max: 0 };
    assert_eq!(
        findings(&module),
        ["population 'img' sends what it cannot have: counts of at most 0"]
    );
}

#[test]
fn steps_of_several_ticks_are_balanced() {
    expect(
        &[("ticks_per_step 2", "ticks_per_step 3")],
        "projection 'back' acts in the wrong network step: a spike of step 0 acts in tick 3 + 1 = 4, step 1 of the target is tick 5",
    );
    expect(
        &[("delay 1 lag 1", "delay 1")],
        "projection 'back' acts in the wrong network step: a spike of step 0 acts in tick 3 + 1 = 4, step 0 of the target is tick 2",
    );
    let mut module = damaged(&[]);
    module.app.ticks_per_step = 0;
    assert_eq!(findings(&module), ["a step has no tick"]);
    let chip = "semantics edge-delay chip\nfacts canonical";
    expect(
        &[("facts canonical", chip)],
        "a step of --edge-delay chip is not one tick: 2 ticks",
    );
}

#[test]
fn units_are_known() {
    expect(
        &[("drive = 1.0", "drive = 0.5")],
        "population 'conv' has a drive other than 1: the drive belongs into the membrane's unit",
    );
    expect(
        &[("syn_unit = 0.1, ", "")],
        "population 'conv' has no unit: the scale of its current is unknown",
    );
    expect(
        &[("unit = 0.5", "unit = 1e-60")],
        "population 'li' has a unit that is not above 0: unit of atom 0 is 1e-60",
    );
    expect(
        &[("from 4 0.25", "from 4 1e39")],
        "population 'conv' has a parameter beyond float32: syn_offset from step 4 of atom 0 is 1e39",
    );
    expect(
        &[("from 4 0.25", "from 4 inf")],
        "population 'conv' has a parameter that is not finite: syn_offset from step 4 of atom 0 is inf",
    );
}

#[test]
fn fixed_point_state_has_a_range() {
    expect(
        &[(
            "floor = -1.0, unit = 1.0",
            "floor = -1.0, unit = 1.0, state = fixed 3",
        )],
        "population 'out' cannot have fixed-point state: it receives values, which are float32",
    );
    expect(
        &[(
            "decay = 0.9, gain = 1.0, unit = 0.5",
            "decay = -1.5, gain = 1.0, unit = 0.5, state = fixed 3",
        )],
        "population 'li' cannot have fixed-point state: a decay is not from -1 to 1",
    );
    let long = (
        "decay = 0.9, gain = 1.0, unit = 0.5",
        "decay = 0.9999, gain = 1.0, unit = 0.5, state = fixed 14",
    );
    let found = findings(&damaged(&[long]));
    let start = "population 'li' cannot have fixed-point state: atom 0 can reach ";
    assert!(found[0].starts_with(start), "{found:?}");
    let fine = (
        "decay = 0.9, gain = 1.0, unit = 0.5",
        "decay = 0.9, gain = 1.0, unit = 0.5, state = fixed 14",
    );
    assert_eq!(findings(&damaged(&[fine])), [""; 0]);
}

#[test]
fn counts_fill_accumulators() {
    // 32 767 / 255: the sum of the list is 459, of which 153 end at atom 0.
    expect(
        &[("2x2xi8(1 0 0 1)", "2x2xi8(127 2 0 1)")],
        "population 'li' can receive more than its accumulator holds: atom 0: max(sum of positive, sum of negative weights) = 33048, i16 holds 32767",
    );
    // Values need none.
    expect(
        &[("sends values accumulator i16", "sends values")],
        "population 'li' has no accumulator type: it must be i16 or i32",
    );
}

#[test]
fn slices_hold_whole_pixels_of_a_block() {
    let cut = |from: (&str, &str), fault: &str| {
        expect(
            &[
                ("%v1 = @conv[0 +10]", &format!("%v1 = @conv[0 +{}]", from.0)),
                (
                    "%v2 = @conv[10 +8]",
                    &format!("%v2 = @conv[{} +{}]", from.0, from.1),
                ),
            ],
            fault,
        );
    };
    cut(
        ("9", "9"),
        "'conv'[0 +9] (%v1) is not cut between pixels of one block: pixels of 2 channels",
    );
    let found = findings(&damaged(&[
        ("@conv[10 +8]", "@conv[10 +10]"),
        ("@conv[18 +18]", "@conv[20 +16]"),
    ]));
    assert_eq!(
        found[0],
        "'conv'[10 +10] (%v2) is not cut between pixels of one block: blocks of 2 channels x 9 pixels = 18 atoms"
    );
    // Without an order each channel is a block.
    let found = findings(&damaged(&[(" order blocked 2", "")]));
    assert_eq!(
        found[0],
        "'conv'[0 +10] (%v1) is not cut between pixels of one block: blocks of 1 channels x 9 pixels = 9 atoms"
    );
    let mut module = damaged(&[]);
    let conv = module.app.populations.values_mut().nth(1).expect("three");
    conv.order = AtomOrder::Blocked { channels: 3 };
    assert_eq!(
        findings(&module),
        [
            "population 'conv' has an order that is none of its atoms: blocks of 3 channels, shape [4 3 3]"
        ]
    );
}

#[test]
fn nets_reach_what_synapses_lead_to() {
    // Without the synapses of the last 18 atoms %v3 reaches nothing.
    let (from, to) = (numbers(36, |i| i / 18), numbers(18, |_| 0));
    let lists = numbers(37, |i| i.min(18));
    let starts = numbers(37, |i| i);
    let weights = format!("36xi8({})", numbers(36, |i| i));
    let half = [
        (format!("37xi32({starts})"), format!("37xi32({lists})")),
        (format!("36xi32({from})"), format!("18xi32({to})")),
        (weights, format!("18xi8({})", numbers(18, |i| i))),
    ];
    let edits = |more: &[(&'static str, &'static str)]| {
        let half = half.iter().map(|(a, b)| (a.as_str(), b.as_str()));
        let all: Vec<_> = half.chain(more.iter().copied()).collect();
        findings(&damaged(&all))
    };
    let rows = (
        "rows @s %v3 at 0x00005000 bytes 148",
        "rows @s %v3 at 0x00005000 bytes 76",
    );
    let line = "region %v4 rows @s %v3 at 0x00005000 bytes 148\n";
    // It may be heard all the same, with or without rows.
    assert_eq!(edits(&[rows]), [""; 0]);
    assert_eq!(edits(&[(line, "")]), [""; 0]);
    let unheard = ("%v3 -> %v4 via @s", "%v3 -> none via @s");
    assert_eq!(edits(&[(line, ""), unheard]), [""; 0]);
    let others = edits(&[(line, ""), ("%v3 -> %v4 via @s", "%v3 -> %v5 via @s")]);
    assert_eq!(
        others,
        [
            "the net of 'conv'[18 +18] (%v3) does not reach its targets: sink %v5, expected some of {%v4}"
        ]
    );
    expect(
        &[unheard],
        "the net of 'conv'[18 +18] (%v3) does not reach its targets: sinks [] without %v4, to which synapses lead",
    );
}

#[test]
fn regions_are_those_that_are_needed() {
    /// The first fault of vertex `v` when its line `kind` is replaced.
    fn region(v: usize, from: &str, to: &str, fault: &str) {
        let text = text();
        let start = format!("region %v{v} {from} at ");
        let line = text.lines().find(|l| l.starts_with(&start)).expect(&start);
        let with = match to {
            "" => String::new(),
            to => match to.parse::<u32>() {
                Ok(bytes) => format!("{} {bytes}", line.rsplit_once(' ').expect("blanks").0),
                Err(_) => line.replacen(from, to, 1),
            },
        };
        let found = findings(&damaged(&[(line, &with)]));
        assert!(
            found[0].ends_with(&format!("is wrong: {fault}")),
            "{found:#?}"
        );
        assert!(found[0].contains(&format!("(%v{v})")), "{found:#?}");
    }
    region(0, "events", "", "there is no `events`");
    for kind in [
        "syn_offset",
        "late_syn_offset 1",
        "v",
        "i",
        "pending",
        "accumulators",
        "ring",
    ] {
        region(1, kind, "", &format!("there is no `{kind}`"));
    }
    region(1, "rows @c %v0", "", "there is no `rows %proj0 %v0`");
    region(1, "kernel @c", "", "there is no `kernel %proj0`");
    region(1, "pending", "36", "`pending` has 36 B, its contents 40 B");
    region(
        1,
        "accumulators",
        "20",
        "`accumulators` has 20 B, its contents 32 B",
    );
    region(
        1,
        "rows @c %v0",
        "132",
        "`rows %proj0 %v0` has 132 B, its rows 136 B",
    );
    region(
        3,
        "rows @c %v0",
        "212",
        "`rows %proj0 %v0` has 212 B, its rows 216 B",
    );
    region(
        1,
        "kernel @c",
        "36",
        "`kernel %proj0` has 36 B, its contents 72 B",
    );
    region(
        1,
        "kernel @c",
        "kernel @s",
        "`kernel %proj1` belongs to no incoming projection",
    );
    region(1, "pending", "floor", "`floor` has no use here");
    region(
        4,
        "rows @s %v1",
        "76",
        "`rows %proj1 %v1` has 76 B, its rows 84 B",
    );
    region(4, "rows @s %v2", "", "there is no `rows %proj1 %v2`");
    region(5, "late_offset 1", "", "there is no `late_offset 1`");
    region(
        5,
        "late_offset 1",
        "late_offset 2",
        "`late_offset 2` has no use here",
    );
    region(5, "threshold", "", "there is no `threshold`");
    region(5, "currents", "", "there is no `currents`");
    region(
        5,
        "values %v4",
        "8",
        "`values %v4` has 8 B, its contents 32 B",
    );
    region(
        5,
        "values %v4",
        "values %v3",
        "`values %v3` has no use here",
    );
}

#[test]
fn windows_of_nodes_agree_with_their_shapes() {
    let found = |node: &str| {
        let found = findings(&read(&format!(
            "s2ir 1 \"x\"\nfacts shaped\nnode @n {node}\n"
        )));
        let of = |m: &String| {
            m.rsplit_once("disagrees with its shape: ")
                .map(|m| m.1.to_owned())
        };
        found.iter().filter_map(of).collect::<Vec<_>>().join("; ")
    };
    let conv = |shapes: &str, fields: &str| {
        found(&format!(
            "Conv2d {shapes} {{ weight = 4x1x3x2xf32(1 2 3 4 5 6 1 2 3 4 5 6 1 2 3 4 5 6 1 2 3 4 5 6), {fields} }}"
        ))
    };
    let plain = "stride = [1 1], padding = [1 0], dilation = [1 1], groups = 2";
    assert_eq!(conv("in [2 5 5] out [4 5 4]", plain), "");
    let same =
        "stride = [2 1], padding = same, dilation = [2 1], groups = 2, bias = 4xf32(1 2 3 4)";
    assert_eq!(conv("in [2 5 5] out [4 3 5]", same), "");
    assert_eq!(
        conv("in [2 5 5] out [4 5 5]", plain),
        "its windows make [4 5 4], found [4 5 5]"
    );
    assert_eq!(
        conv(
            "in [2 5 5] out [4 5 4]",
            &plain.replace("groups = 2", "groups = 1")
        ),
        "weight [4 1 3 2], 1 groups, 2 channels: C_in must be 1 * 1, and 4 a multiple of 1"
    );
    assert_eq!(
        conv(
            "in [2 5 5] out [4 5 4]",
            &plain.replace("[1 1], p", "[0 1], p")
        ),
        "kernel 3, stride 0, dilation 1: each must be at least 1"
    );
    assert_eq!(
        conv("in [2 5 1] out [4 5 4]", plain),
        "a window of 1 + 1 does not fit into 1 values, zeros included"
    );
    assert_eq!(
        conv(
            "in [2 5 5] out [4 5 4]",
            &format!("{plain}, input_shape = [5 4]")
        ),
        "declared as [5 4], found [5 5]"
    );
    assert_eq!(
        conv(
            "in [2 5 5] out [4 5 4]",
            &format!("{plain}, bias = 2xf32(1 2)")
        ),
        "bias holds 2 values for 4 channels"
    );
    assert_eq!(
        conv(
            "in [2 5 5] out [4 5 4]",
            &plain.replace("[1 0]", "[9223372036854775808 0]")
        ),
        "a size overflows"
    );
    assert_eq!(
        conv("in [2 25] out [4 5 4]", plain),
        "weight [4 1 3 2], input [2 25]: expected 2 more dimensions than channels"
    );
    let line = "Conv1d in [1 6] out [2 2] { weight = 2x1x3xf32(1 2 3 4 5 6), stride = 2, padding = [0], dilation = 1, groups = 1, input_shape = 6 }";
    assert_eq!(found(line), "");
    assert_eq!(
        found(&line.replace("out [2 2]", "out [2 3]")),
        "its windows make [2 2], found [2 3]"
    );
    let pool =
        "SumPool2d in [3 5 5] out [3 2 3] { kernel = [2 2], stride = [2 2], padding = [0 1] }";
    assert_eq!(found(pool), "");
    assert_eq!(
        found(&pool.replace("Sum", "Avg").replace("[0 1]", "[0 0]")),
        "its windows make [3 2 2], found [3 2 3]"
    );
    assert_eq!(
        found(
            "CubaLI in [2] out [2] { tau_syn = 1.0, tau_mem = 1.0, r = 1.0, v_leak = 0.0, w_in = 3xf64(1 2 3) }"
        ),
        "w_in holds 3 values for 2"
    );
    assert_eq!(
        found("Delay in [2] out [3] { delay = 1.0 }"),
        "[2] -> [3] should be equal"
    );
}

/// The text with its `at`-th number replaced.
fn with_number(text: &str, at: Index, number: &str) -> String {
    let digit = |(i, c): (usize, char)| c.is_ascii_digit().then_some(i);
    let digits: Vec<usize> = text.char_indices().filter_map(digit).collect();
    let at = digits[at.index(digits.len())];
    let digits = |c: &char| c.is_ascii_digit();
    let before = text[..at].chars().rev().take_while(digits).count();
    let after = text[at..].chars().take_while(digits).count();
    format!("{}{number}{}", &text[..at - before], &text[at + after..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_numbers_make_the_verifier_panic(
        edits in proptest::collection::vec((any::<Index>(), number()), 1..4),
        more in proptest::sample::subsequence(vec![" placed", " keyed", " routed", " tabled"], 0..4),
        balanced in any::<bool>(),
    ) {
        let mut all = text().replace("facts ", "facts shaped ");
        if !balanced {
            all = all.replace(" balanced", "");
        }
        all = all.replace(" partitioned", &format!(" partitioned{}", more.concat()));
        for (at, number) in edits {
            all = with_number(&all, at, &number);
        }
        if let Ok(module) = ir::text::parse(&all, "x.s2ir", &ir::text::NoBlobs) {
            let _ = check(&module, &target());
        }
    }
}

/// Numbers that are small, or at some limit.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (0u64..40).prop_map(|n| n.to_string()),
        1 => proptest::sample::select(vec![
            "127", "255", "65536", "67108864", "2147483647", "2147483648", "4294967295",
            "4294967296", "9223372036854775807", "18446744073709551615",
        ]).prop_map(str::to_owned),
    ]
}
