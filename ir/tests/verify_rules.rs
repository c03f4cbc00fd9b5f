//! A right module passes; one damaged module for each rule does not.

mod text_support;

use ir::verify::tables::{Fault, first_difference, first_misdelivery, ranges};
use ir::verify::{Verified, check, verify};
use ir::{Code, Fact, FactSet, Module, PeCoord};
use text_support::{TINY, read, target, tiny};

/// Applies replacements to the small module's text, each of which must occur.
fn damaged(edits: &[(&str, &str)]) -> Module {
    let mut text = TINY.to_owned();
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    read(&text)
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
    let module = tiny();
    let proved: Verified = verify(module.clone(), &target()).expect("nothing is wrong");
    assert_eq!(proved.module(), &module);
    let (rejected, found) = verify(damaged(&[("delay 1 lag 1", "delay 1")]), &target())
        .expect_err("the recurrence acts a step late");
    assert_eq!(rejected.app.populations.len(), 3);
    assert_eq!(found.0.len(), 1);
}

#[test]
fn always() {
    expect(
        &[("placed keyed", "keyed")],
        "the fact routed is claimed without placed",
    );
    expect(
        &[
            ("population @out if", "population @hid if"),
            ("@hid -> @out", "%pop1 -> %pop2"),
            (": @hid -> @hid", ": %pop1 -> %pop1"),
            ("@in -> @hid", "@in -> %pop1"),
            ("@y = @out", "@y = %pop2"),
            ("= @hid[", "= %pop1["),
            ("= @out[", "= %pop2["),
        ],
        "population 'hid' shares its name",
    );
    expect(
        &[("output @y = @out", "output @y = @out\noutput @y = @hid")],
        "output 'y' shares its name",
    );
    expect(
        &[("2x4xi8(", "4x2xi8(")],
        "projection 'fc2' has weights of the wrong shape: weights [4 2], [post pre] = [2 4]",
    );
    expect(
        &[(": @in -> @hid", ": @in -> @in")],
        "projection 'fc1' ends at a spike source",
    );
    // What text can't express: ids out of range.
    let mut module = tiny();
    module.machine_graph = Default::default();
    let found = findings(&module);
    assert_eq!(found[0], "a placement names something that does not exist");
    let mut module = tiny();
    module.time_step_us = 0;
    assert_eq!(findings(&module), ["the time step is 0 us long"]);
}

#[test]
fn shaped() {
    let text = |edge: &str, node: &str| {
        format!(
            "s2ir 1 \"x\"\nfacts shaped\nnetwork \"x\"\nnode @in Input in [2] out [2] {{ shape = [2] }}\n\
             node @fc Linear in [2] out [3] {{ weight = 3x2xf32(1 2 3 4 5 6) }}\n\
             node @n {node}\nedge @in -> @fc\n{edge}\n"
        )
    };
    let node = "IF in [3] out [3] { r = 1.0, v_threshold = 3xf64(1 2 3) }";
    assert_eq!(findings(&read(&text("edge @fc -> @n", node))), [""; 0]);
    let found = |edge, node| findings(&read(&text(edge, node)));
    assert_eq!(
        found("edge @in -> @n", node),
        ["node 'in' (Input) and node 'n' (IF) have different shapes: [2] -> [3]"]
    );
    assert_eq!(
        found(
            "",
            "IF in [3] out [3] { r = 2xf64(1 2), v_threshold = 1.0 }"
        ),
        ["node 'n' (IF) disagrees with its shape: r holds 2 values for 3"]
    );
    assert_eq!(
        found("", "IF in [3] out [2] { r = 1.0, v_threshold = 1.0 }"),
        ["node 'n' (IF) disagrees with its shape: [3] -> [2] should be equal"]
    );
    assert_eq!(
        found("", "IF in [3] { r = 1.0, v_threshold = 1.0 }"),
        ["node 'n' (IF) has no shape"]
    );
    assert_eq!(
        found("", "Linear in [3] out [2] { weight = 1xf64(1) }"),
        ["node 'n' (Linear) disagrees with its shape: weight [1], [out in] = [2 3]"]
    );
}

#[test]
fn canonical_and_discrete() {
    expect(
        &[(
            "network \"tiny\"\n",
            "network \"tiny\"\nnode @fc1 Scale { scale = 1.0 }\n",
        )],
        "node 'fc1' (Scale) is left",
    );
    let continuous = "continuous { r = 1.0, v_threshold = 1.0, v_reset = 0.0, bias = 0.0 }";
    let discrete = "discrete { gain = 1.0, threshold = 50.0, reset = subtract 50.0, compare = ge, unit = 2xf64(0.01 0.02) }";
    expect(
        &[(discrete, continuous)],
        "population 'out' is not discrete",
    );
    expect(
        &[("4xf64(0.5 0.0 ", "4xf64(0.5 inf ")],
        "population 'hid' has a parameter that is not finite: offset of atom 1 is inf",
    );
}

#[test]
fn balanced() {
    expect(
        &[(" latency 2 active 2", "")],
        "population 'out' has no latency",
    );
    expect(
        &[("latency 0 active 0", "latency 1 active 1")],
        "population 'in' does not send step s in tick s: latency 1, active from tick 1",
    );
    expect(
        &[("latency 1 active 1", "latency 1 active 0")],
        "population 'hid' does not begin with step 0: step 0 is due in tick 1, active from tick 0",
    );
    expect(
        &[("-40) delay 1", "-40)")],
        "projection 'fc2' has no delay that a chip can keep: no delay, allowed 1 to 8192 ticks",
    );
    expect(
        &[("-40) delay 1", "-40) delay 4294967295")],
        "projection 'fc2' has no delay that a chip can keep: delay 4294967295, allowed 1 to 8192 ticks",
    );
    expect(
        &[("-40) delay 1", "-40) delay 2")],
        "projection 'fc2' acts in the wrong network step: a spike of step 0 acts in tick 1 + 2 = 3, step 0 of the target is tick 2",
    );
    expect(
        &[("delay 1 lag 1", "delay 2 lag 1")],
        "projection 'rec' acts in the wrong network step: a spike of step 0 acts in tick 1 + 2 = 3, step 1 of the target is tick 2",
    );
    // With `--edge-delay chip` each projection costs its steps.
    let chip = ("edge-delay none", "edge-delay chip");
    let steps = [
        ("50) delay 1", "50) delay 1 lag 1"),
        ("-40) delay 1", "-40) delay 2 lag 2"),
    ];
    let [first, second] = steps;
    let unlaid = ("selected laid_out", "selected");
    let right = damaged(&[chip, first, second, unlaid]);
    assert_eq!(findings(&right), [""; 0]);
    expect(
        &[chip, first],
        "projection 'fc2' acts in the wrong network step: it takes 1 ticks, with --edge-delay chip it carries 0 steps",
    );
    expect(
        &[
            chip,
            first,
            ("-40) delay 1", "-40) delay 1 lag 1"),
            ("active 2", "active 3"),
        ],
        "projection 'fc2' loses its first spikes: they act from tick 1 + 1 = 2, the target is active from tick 3",
    );
}

#[test]
fn quantised() {
    expect(
        &[("2x4xi8(10", "2x4xf32(10")],
        "projection 'fc2' has weights that are not integers: type f32",
    );
    expect(
        &[(", unit = 0.01", "")],
        "population 'hid' has no unit: the scale of its membrane is unknown",
    );
    expect(
        &[("2xf64(0.01 0.02)", "2xf64(0.01 0.0)")],
        "population 'out' has a unit that is not above 0: unit of atom 1 is 0.0",
    );
    expect(
        &[("decay = 0.9, gain = 1.0", "decay = 0.9, gain = 0.1")],
        "population 'hid' has a gain other than 1: the gain belongs into the weights' unit",
    );
    expect(
        &[("threshold = 50.0", "threshold = 1e39")],
        "population 'out' has a parameter beyond float32: threshold of atom 0 is 1e39",
    );
    expect(
        &[(" accumulator i16 latency 2", " latency 2")],
        "population 'out' has no accumulator type: it must be i16 or i32",
    );
    expect(
        &[("2x4xi8(10 20 30 40 -10", "2x4xi16(32767 1 30 -40 -10")],
        "population 'out' can receive more than its accumulator holds: atom 0: max(sum of positive, sum of negative weights) = 32798, i16 holds 32767",
    );
}

#[test]
fn partitioned() {
    expect(
        &[("%v2 = @hid[2 +2]", "%v2 = @hid[1 +3]")],
        "'hid'[1 +3] (%v2) does not continue its population: atom 2 should come first",
    );
    expect(
        &[("%v3 = @out[0 +2]", "%v3 = @out[0 +1]")],
        "the slices of population 'out' do not cover it: 1 of 2 atoms",
    );
    expect(
        &[("%v0 -> %v1 %v2 via", "%v0 -> %v1 via")],
        "the net of 'in'[0 +3] (%v0) does not reach its targets: sinks [%v1] without %v2, to which synapses lead",
    );
    expect(
        &[(
            "%v1 -> %v1 %v2 %v3 via @rec @fc2",
            "%v1 -> %v1 %v2 %v3 via @rec",
        )],
        "the net of 'hid'[0 +2] (%v1) serves other projections: [%proj1], expected [%proj1, %proj2]",
    );
    expect(
        &[(
            "net %n3 = %v3 -> none",
            "net %n3 = %v2 -> %v1 %v2 %v3 via @rec @fc2",
        )],
        "'hid'[2 +2] (%v2) drives 2 nets, expected 1",
    );
    expect(
        &[("data 1184", "data 131072")],
        "'in'[0 +3] (%v0) does not fit into a PE: 4096 + 131072 + 0 + 0 = 135168 B, a PE has 131072 B",
    );
}

#[test]
fn placed() {
    expect(
        &[("place %v1 at chip(0,0) pe(3,3,1)\n", "")],
        "'hid'[0 +2] (%v1) has no place",
    );
    let at = |pe: &str, message: &str| {
        expect(
            &[(
                "place %v1 at chip(0,0) pe(3,3,1)",
                &format!("place %v1 at {pe}"),
            )],
            message,
        );
    };
    let wrong = |place: &str, why: &str| {
        at(
            place,
            &format!("'hid'[0 +2] (%v1) is placed at {place}, which {why}"),
        );
    };
    wrong("chip(2,0) pe(3,3,1)", "does not exist");
    wrong("chip(0,0) pe(4,3,0)", "does not exist");
    wrong("chip(0,0) pe(7,6,0)", "is reserved");
    wrong("chip(0,0) pe(2,1,0)", "is dead");
    at(
        "chip(0,0) pe(3,3,0)",
        "'hid'[0 +2] (%v1) and 'in'[0 +3] (%v0) are both placed at chip(0,0) pe(3,3,0)",
    );
}

#[test]
fn keyed() {
    expect(
        &[("key %n1 = 0x00010004/0xfffffffe\n", "")],
        "the net of 'hid'[0 +2] (%v1) has no key",
    );
    expect(
        &[(
            "key %n1 = 0x00010004/0xfffffffe",
            "key %n1 = 0x00010004/0xfffffffd",
        )],
        "the keys of 'hid'[0 +2] (%v1) are not one aligned block: 0x00010004/0xfffffffd",
    );
    expect(
        &[(
            "key %n0 = 0x00010000/0xfffffffc",
            "key %n0 = 0x00010000/0xfffffffe",
        )],
        "the keys of 'in'[0 +3] (%v0) do not cover it: 2 keys for 3 atoms: 0x00010000/0xfffffffe",
    );
    expect(
        &[(
            "key %n1 = 0x00010004/0xfffffffe",
            "key %n1 = 0x00010002/0xfffffffe",
        )],
        "the keys of 'hid'[0 +2] (%v1) and 'in'[0 +3] (%v0) overlap: 0x00010000/0xfffffffc and 0x00010002/0xfffffffe",
    );
    // The whole key space is one block too.
    expect(
        &[(
            "key %n0 = 0x00010000/0xfffffffc",
            "key %n0 = 0x00000000/0x00000000",
        )],
        "the keys of 'hid'[0 +2] (%v1) and 'in'[0 +3] (%v0) overlap: 0x00000000/0x00000000 and 0x00010004/0xfffffffe",
    );
}

#[test]
fn routed() {
    let n1 =
        "tree %n1 root chip(0,0) { chip(0,0) -> E pe(3,3,1) pe(3,3,2), chip(1,0) -> pe(3,3,0) }";
    let tree = |hops: &str, fault: &str| {
        let message = format!("the routing tree of 'hid'[0 +2] (%v1) is wrong: %n1 {fault}");
        expect(&[(n1, &format!("tree %n1 root {hops}"))], &message);
    };
    expect(
        &[(&format!("{n1}\n"), "")],
        "the net of 'hid'[0 +2] (%v1) has no routing tree",
    );
    tree(
        "chip(1,0) { }",
        "starts at chip(1,0), its source is on chip(0,0)",
    );
    tree(
        "chip(0,0) { chip(0,0) -> W }",
        "leaves the machine at chip(0,0) W",
    );
    tree(
        "chip(0,0) { chip(0,0) -> E pe(3,3,1) pe(3,3,2), chip(1,0) -> W pe(3,3,0) }",
        "enters chip(0,0) twice",
    );
    tree(
        "chip(0,0) { chip(0,0) -> pe(3,3,1) pe(3,3,2), chip(1,0) -> pe(3,3,0) }",
        "never enters chip(1,0)",
    );
    tree(
        "chip(0,0) { chip(0,0) -> E pe(3,3,1) pe(3,3,2) }",
        "does not reach chip(1,0) pe(3,3,0)",
    );
    tree(
        "chip(0,0) { chip(0,0) -> E pe(3,3,0) pe(3,3,1) pe(3,3,2), chip(1,0) -> pe(3,3,0) }",
        "reaches chip(0,0) pe(3,3,0), where no sink is",
    );
}

#[test]
fn tabled() {
    let hid = "misdeliver the spikes of 'hid'[0 +2] (%v1)";
    let table = |from: &str, to: &str, fault: &str| {
        expect(
            &[(from, to)],
            &format!("the routing tables {hid}: key {fault}"),
        );
    };
    let east = "entry chip(0,0) 0x00010004/0xfffffffc -> E pe(3,3,1) pe(3,3,2)";
    table(
        east,
        "entry chip(0,0) 0x00010006/0xfffffffe -> E pe(3,3,1) pe(3,3,2)",
        "0x00010004 of %n1 at chip(0,0): no entry matches",
    );
    table(
        east,
        "entry chip(0,0) 0x00010004/0xfffffffc -> E pe(3,3,1)",
        "0x00010004 of %n1 at chip(0,0): delivered to pe(3,3,1), expected pe(3,3,1) pe(3,3,2)",
    );
    table(
        east,
        "entry chip(0,0) 0x00010004/0xfffffffc -> pe(3,3,1) pe(3,3,2)",
        "0x00010004 of %n1 at chip(1,0): the packet never comes here, but a sink is here",
    );
    table(
        east,
        "entry chip(0,0) 0x00010004/0xfffffffc -> E S pe(3,3,1) pe(3,3,2)",
        "0x00010004 of %n1 at chip(0,0): link S leads off the machine or is dead",
    );
    table(
        "entry chip(1,0) 0x00010004/0xfffffffc -> pe(3,3,0)",
        "entry chip(1,0) 0x00010004/0xfffffffc -> W pe(3,3,0)",
        "0x00010004 of %n1 at chip(0,0): the packet comes back",
    );
    // The first match decides, here for one key of the two.
    table(
        east,
        "entry chip(0,0) 0x00010005/0xffffffff -> none\nentry chip(0,0) 0x00010004/0xfffffffc -> E pe(3,3,1) pe(3,3,2)",
        "0x00010005 of %n1 at chip(0,0): delivered to no PE, expected pe(3,3,1) pe(3,3,2)",
    );
    expect(
        &[(
            "region %v0 text",
            "entry chip(5,0) 0x0/0x0 -> none\nregion %v0 text",
        )],
        "there is a routing table for chip(5,0), which does not exist",
    );
    let mut long = tiny();
    let table = long.tables.values_mut().next().expect("a table");
    let last = table.last().expect("an entry").clone();
    table.resize(16_385, last);
    assert_eq!(
        findings(&long),
        ["the routing table of chip(0,0) is too long: 16385 entries, the router holds 16384"]
    );
}

#[test]
fn a_key_that_is_never_sent_may_go_anywhere() {
    // 0x00010003 lies in the block of the input, but its slice has 3 atoms.
    let stray = "entry chip(0,0) 0x00010003/0xffffffff -> pe(1,1,1)\nentry chip(0,0) 0x00010000";
    let module = damaged(&[("entry chip(0,0) 0x00010000", stray)]);
    assert_eq!(first_misdelivery(&module), None);
    let other = stray.replace("0x00010003/", "0x00010002/");
    let module = damaged(&[("entry chip(0,0) 0x00010000", &other)]);
    let witness = first_misdelivery(&module).expect("the key of atom 2");
    assert_eq!(witness.key, 0x0001_0002);
    let stray = PeCoord::new(1, 1, 1).expect("in the byte");
    assert!(matches!(witness.fault, Fault::Delivers { found, .. } if found.contains(&stray)));
}

#[test]
fn two_tables_are_compared_key_by_key() {
    let module = tiny();
    let before = module.tables.values().next().expect("a table");
    let keys = ranges(0x0001_0000, 8);
    assert_eq!(keys.len(), 1, "8 aligned keys are one block");
    assert_eq!(first_difference(before, before, &keys), None);
    let reversed: Vec<_> = before.iter().rev().cloned().collect();
    assert_eq!(first_difference(before, &reversed, &keys), None);
    let shorter = &before[..1];
    let found = first_difference(before, shorter, &keys).expect("the second entry is gone");
    assert_eq!((found.key, found.after), (0x0001_0004, None));
    assert_eq!(
        first_difference(before, shorter, &ranges(0x0001_0000, 4)),
        None
    );
}

#[test]
fn ranges_cover_each_key_once() {
    for (first, n) in [
        (0, 0),
        (0, 1),
        (5, 11),
        (0xffff_fff0, 16),
        (0xffff_fff1, 99),
        (0, u32::MAX),
    ] {
        let blocks = ranges(first, n);
        let sizes: u64 = blocks.iter().map(|b| u64::from(!b.mask()) + 1).sum();
        assert_eq!(sizes, u64::from(n).min((1 << 32) - u64::from(first)));
        assert!(blocks.windows(2).all(|w| !w[0].overlaps(w[1])));
        assert!(blocks.first().is_none_or(|b| b.key() == first));
    }
}

#[test]
fn selected() {
    let vertex = "rows 32 cycles 2500";
    let array = |what: &str, fault: &str| {
        expect(&[(vertex, &format!("{vertex} array {what}"))], fault);
    };
    let cannot = "'out'[0 +2] (%v3) can't multiply projection";
    array(
        "@rec",
        &format!("{cannot} 'rec' on its MAC array: it leads elsewhere"),
    );
    array(
        "@fc2 @fc2",
        "'out'[0 +2] (%v3) lists what its MAC array multiplies out of order",
    );
    let on_array = (vertex, "rows 32 cycles 2500 array @fc2");
    let wide = (
        "2x4xi8(10 20 30 40 -10 -20 -30 -40)",
        "2x4xi32(10 20 30 40 -10 -20 -30 -40)",
    );
    expect(
        &[on_array, wide],
        &format!("{cannot} 'fc2' on its MAC array: its weights are i32"),
    );
    // What is selected must be laid out so.
    expect(
        &[on_array],
        "the memory layout of 'out'[0 +2] (%v3) is wrong: `rows %proj2 %v1` belongs to no incoming projection",
    );
}

#[test]
fn laid_out() {
    let layout = |from: &str, to: &str, fault: &str| {
        let message = format!("the memory layout of 'out'[0 +2] (%v3) is wrong: {fault}");
        expect(&[(from, to)], &message);
    };
    layout(
        "region %v3 ring at 0x00001040",
        "region %v3 ring at 0x00001042",
        "`ring` at 0x1042 is not aligned to 4 bytes",
    );
    layout(
        "region %v3 stack at 0x00002000",
        "region %v3 stack at 0x00002004",
        "`stack` at 0x2004 is not aligned to 8 bytes",
    );
    layout(
        "region %v3 ring at 0x00001040",
        "region %v3 ring at 0x0000103c",
        "`ring` at 0x103c begins before 0x1040, where the one before it ends",
    );
    layout(
        "region %v3 stack at 0x00002000",
        "region %v3 stack at 0x0001fff8",
        "`stack` ends at 0x203f8, the memory at 0x20000",
    );
    layout(
        "region %v3 ring at 0x00001040 bytes 64",
        "region %v3 ring at 0x00001040 bytes 60",
        "data: 2140 B in regions, 2144 B in the budget",
    );
    layout(
        "region %v3 ring at 0x00001040 bytes 64",
        "region %v3 control at 0x00001040 bytes 64",
        "two regions `control`",
    );
    layout(
        "region %v3 rows @fc2 %v2 at 0x00001090 bytes 16",
        "region %v3 rows @fc1 %v2 at 0x00001090 bytes 16",
        "`rows %proj0 %v2` belongs to no incoming projection",
    );
    expect(
        &[
            (
                "@fc2 %v1 at 0x00001080 bytes 16",
                "@fc2 %v1 at 0x00001080 bytes 12",
            ),
            (
                "@fc2 %v2 at 0x00001090 bytes 16",
                "@fc2 %v2 at 0x00001090 bytes 20",
            ),
        ],
        "the memory layout of 'out'[0 +2] (%v3) is wrong: `rows %proj2 %v1` has 12 B, its rows 16 B",
    );
    let mut module = tiny();
    module.layouts.pop_last();
    assert_eq!(
        findings(&module),
        ["'out'[0 +2] (%v3) has no memory layout"]
    );
}

#[test]
fn only_claims_are_checked() {
    let mut module = damaged(&[
        ("delay 1 lag 1", "delay 7"),
        ("place %v3 at chip(1,0)", "place %v3 at chip(9,9)"),
    ]);
    module.facts = FactSet::of(&[Fact::Canonical, Fact::Discrete]);
    assert_eq!(findings(&module), [""; 0]);
}
