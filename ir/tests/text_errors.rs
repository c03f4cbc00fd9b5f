//! Each mistake in a text is named with its line and what was expected.

use ir::text::{Blob, NoBlobs, parse};
use ir::{Code, Origin};
use std::collections::BTreeMap;

/// Parses `lines` after a version line; each error as `line: message`.
fn errors(lines: &str) -> Vec<String> {
    let text = format!("s2ir 1 \"x\"\n{lines}");
    let Err(found) = parse(&text, "x.s2ir", &NoBlobs) else {
        return Vec::new();
    };
    let of = |d: &ir::Diagnostic| match &d.origin {
        Origin::Text { file, line } => {
            assert_eq!(file, "x.s2ir");
            assert!(matches!(d.code, Code::TextSyntax | Code::TextBlob), "{d}");
            format!("{line}: {}", d.message)
        }
        other => panic!("{other:?}"),
    };
    found.0.iter().map(of).collect()
}

fn check(lines: &str, expected: &[&str]) {
    assert_eq!(errors(lines), expected, "{lines}");
}

const POP: &str = "population @a spike_source [3]";

#[test]
fn the_version_comes_first() {
    for (text, message) in [
        ("", "the text does not start with its version"),
        ("hello", "the text does not start with its version"),
        (
            "s2ir 2 \"x\"",
            "the text has version 2, this s2c reads version 1",
        ),
        ("s2ir 1", "expected the module's name in quotes"),
        ("s2ir 1 \"x\" y", "expected the end of the line"),
    ] {
        let found = parse(text, "x.s2ir", &NoBlobs).expect_err(text);
        assert_eq!(found.0[0].code, Code::TextVersion);
        assert_eq!(found.0[0].message, message);
    }
    assert!(parse("# a comment\n\ns2ir 1 \"x\" // another", "x", &NoBlobs).is_ok());
}

#[test]
fn the_header() {
    check(
        "target spinnaker2",
        &["2: expected the target's name in quotes"],
    );
    check(
        "target \"t\" chips 0x1 step 1us",
        &["2: expected a size such as `1x1`"],
    );
    check(
        "target \"t\" chips 1x1 step 0us",
        &["2: expected a time step such as `1000us`"],
    );
    check(
        "dead chip(0,0) pe(8,0,0)",
        &["2: expected a PE within pe(7,7,3)"],
    );
    check("semantics dt -1", &["2: expected seconds above 0"]);
    check(
        "semantics reset sideways",
        &["2: expected one of v-reset, zero, subtract, snntorch-subtract, multi-subtract, none"],
    );
    check(
        "semantics colour red",
        &["2: expected the name of a choice of semantics"],
    );
    check(
        "quantisation weight-scale inf",
        &["2: expected a scale above 0"],
    );
    check("quantisation state int", &["2: expected f32 or fixed"]);
    check(
        "quantisation colour red",
        &["2: expected the name of a choice of quantisation"],
    );
    check(
        "facts shaped done",
        &["2: expected a fact, such as `shaped`"],
    );
    check(
        "facts shaped\nfacts placed",
        &["3: expected one `facts` line only"],
    );
}

#[test]
fn declarations() {
    let found = errors("populations @a");
    assert!(
        found[0].starts_with("2: expected a declaration: target, dead,"),
        "{found:?}"
    );
    check("population a", &["2: expected a name such as `@hid`"]);
    check(
        "population @a lif [3]",
        &["2: expected continuous or discrete"],
    );
    check(
        "population @a spike_source [3] extra",
        &["2: expected the end of the line"],
    );
    check(
        "population @a if [3] discrete { gain = 1, reset = keep, compare = gt }",
        &["2: expected a field `threshold` before this"],
    );
    check(
        "population @a if [3] discrete { gain = 1, gain = 1 }",
        &["2: expected one field `gain` only"],
    );
    check(
        "population @a if [3] discrete { weight = 1 }",
        &["2: expected a field that this has, not `weight`"],
    );
    check(
        "population @a if [3] discrete { gain = 2xf64(1 2) }",
        &["2: expected 1 value or 3, one for each atom; found 2"],
    );
    check(
        "node @a Conv9d",
        &[
            "2: expected a node type: Input, Output, Affine, Linear, Scale, Conv1d, Conv2d, \
           SumPool2d, AvgPool2d, Delay, Threshold, Flatten, LIF, CubaLIF, LI, CubaLI, I or IF",
        ],
    );
    check(
        "vertex %v1 = @a[0 +3]",
        &["2: expected `%v0` (ids count up from 0)"],
    );
    check(
        &format!("{POP} origin paint compiler"),
        &["2: expected a pass, nir, text, file, option or compiler"],
    );
}

#[test]
fn references_point_backwards() {
    check(
        "output @y = @a",
        &["2: expected a population that an earlier line declares"],
    );
    check(
        &format!("{POP}\noutput @y = %pop1"),
        &["3: expected a population that an earlier line declares"],
    );
    check(
        &format!("{POP}\noutput @y = %v0"),
        &["3: expected a population"],
    );
    check(
        &format!("{POP}\n{POP}\noutput @y = @a"),
        &["4: expected one a population: several have this name"],
    );
    check(
        "place %v0 at chip(0,0) pe(1,1,1)",
        &["2: expected a vertex that an earlier line declares"],
    );
}

#[test]
fn one_mistake_gives_one_error() {
    check(
        "population @a spike_sauce [3]\nprojection @p : @a -> @a dense 1xi8(1)\noutput @y = @a",
        &[
            "2: expected a model: spike_source, lif, if, cubalif, li, cubali, i, threshold or linear",
        ],
    );
    check(
        "edge @a -> @b\nfacts x\nkey %n0 = 1",
        &[
            "2: expected a node that an earlier line declares",
            "3: expected a fact, such as `shaped`",
            "4: expected a net that an earlier line declares",
        ],
    );
    let many = errors(&"facts x\n".repeat(1000));
    assert_eq!(many.len(), 21);
    assert_eq!(many[20], "21: too many errors");
}

#[test]
fn arrays_hold_what_they_declare() {
    let weights = |w: &str| errors(&format!("{POP}\nprojection @p : @a -> @a dense {w}"));
    assert_eq!(
        weights("2x2xi8(1 2 3)"),
        ["3: expected 4 elements for this shape, found 3"]
    );
    assert_eq!(weights("2xi8(1 300)"), ["3: expected an integer of 8 bits"]);
    assert_eq!(
        weights("2xi9(1 2)"),
        ["3: expected an array type such as `2x3xi8`"]
    );
    assert_eq!(
        weights("2xf32:1"),
        ["3: expected the type of a scalar, such as `f32`"]
    );
    assert_eq!(weights("much"), ["3: expected a number or an array"]);
    assert_eq!(weights("1xf64(nan_0)"), ["3: expected a float"]);
    assert_eq!(weights("2xi8(1 2"), ["3: expected an integer of 8 bits"]);
}

#[test]
fn claims_of_size_cost_nothing() {
    let hash = "0".repeat(64);
    let huge = "1000000000000";
    check(
        &format!("population @a spike_source [{huge}]"),
        &["2: expected at most 67108864 atoms in all shapes"],
    );
    let twice = "population @a spike_source [60000000]";
    check(
        &format!("{twice}\n{twice}"),
        &["3: expected at most 67108864 atoms in all shapes"],
    );
    check(
        &format!("{POP}\nprojection @p : @a -> @a dense blob(\"w\", {huge}xi8, {hash})"),
        &["3: expected at most 268435456 elements in all arrays"],
    );
    check(
        &format!("{POP}\nprojection @p : @a -> @a dense {huge}xi8(1)"),
        &["3: expected 1000000000000 elements for this shape, found 1"],
    );
    check(
        &format!("population @a spike_source [{}]", "1 ".repeat(40)),
        &["2: expected at most 32 dimensions"],
    );
    let deep = "place ".repeat(100);
    check(
        &format!("{POP} origin {deep} compiler"),
        &["2: expected fewer passes"],
    );
    check(
        &format!("{POP}\nvertex %v0 = @a[0 +3] text 4294967295 data 1 state 0 rows 0 cycles 0"),
        &["3: expected a budget below 4 GiB before this"],
    );
}

#[test]
fn tables_say_each_thing_once() {
    let graph = format!(
        "{POP}\nvertex %v0 = @a[0 +3] text 0 data 0 state 0 rows 0 cycles 0\nnet %n0 = %v0 -> none\n"
    );
    for line in [
        "place %v0 at chip(0,0) pe(1,1,1)",
        "key %n0 = 0x0/0xffffffff",
        "tree %n0 root chip(0,0) { }",
        "table chip(0,0) empty",
        "layout %v0 empty",
    ] {
        assert_eq!(errors(&format!("{graph}{line}")), [""; 0], "{line}");
        check(
            &format!("{graph}{line}\n{line}"),
            &["6: expected one such line only for this"],
        );
    }
    check(
        &format!("{graph}key %n0 = 0x1/0x0"),
        &["5: expected a key without bits outside its mask"],
    );
    check(
        &format!("{graph}entry chip(0,0) 0x0/0x0 -> up"),
        &["5: expected a link, a PE or `none`"],
    );
    check(
        &format!("{graph}region %v0 attic at 0x0 bytes 4"),
        &["5: expected a kind of region"],
    );
    check(
        &format!("{graph}region %v0 kernel @p at 0x0 bytes 4"),
        &["5: expected a projection that an earlier line declares"],
    );
    check(
        &format!("{graph}region %v0 late_offset at 0x0 bytes 4"),
        &["5: expected the number of an entry"],
    );
    check(
        &format!("{graph}region %v0 text at 0xffffffff bytes 4"),
        &["5: expected a region that ends below 4 GiB before this"],
    );
}

#[test]
fn connectors_are_orderly() {
    let projection = |rest: &str, message: &str| {
        check(
            &format!("{POP}\nprojection @p : @a -> @a {rest}"),
            &[&format!("3: {message}")],
        );
    };
    projection("thick", "expected a connector: dense, conv or sparse");
    projection("conv source [1 2]", "expected 3 sizes in brackets");
    projection("conv source [1 -2 3]", "expected a size or `]`");
    projection(
        "conv source [1 2 3] target [1 2 3] stride [1 1]",
        "expected `kernel`",
    );
    projection(
        &format!("conv source [{}]", "1 ".repeat(40)),
        "expected at most 32 sizes",
    );
    let orderly = "expected starts that rise from 0 to the number of targets, and targets that \
                   ascend between them";
    for (starts, targets) in [
        ("0xi32()", "0xi32()"),
        ("2xi32(0 2)", "1xi32(0)"),
        ("3xi32(0 2 1)", "1xi32(0)"),
        ("2xi32(0 2)", "2xi32(1 1)"),
    ] {
        let rest = format!("sparse starts {starts} targets {targets} 0xi8()");
        projection(&rest, orderly);
    }
    for starts in ["2xi16(0 1)", "1x2xi32(0 1)", "2xi32(0 -1)", "0.0"] {
        projection(
            &format!("sparse starts {starts}"),
            "expected an i32 array of numbers from 0 on",
        );
    }
    let hash = "0".repeat(64);
    projection(
        &format!("sparse starts blob(\"s\", 1000000000000xi32, {hash})"),
        "expected at most 268435456 elements in all arrays",
    );
}

#[test]
fn payloads_orders_and_steps() {
    let population = |rest: &str, message: &str| {
        check(
            &format!("population @a spike_source [4 2 2] {rest}"),
            &[&format!("2: {message}")],
        );
    };
    population("sends letters", "expected spikes, counts or values");
    population("sends counts many", "expected the largest count");
    population("order sorted", "expected row_major or blocked");
    let blocks = "expected a shape [C H W] before this, whose channels are whole blocks";
    population("order blocked 3", blocks);
    population("order blocked 0", blocks);
    check(
        "ticks_per_step 0",
        &["2: expected a number of ticks above 0"],
    );
    check(
        "ticks_per_step 2\nticks_per_step 2",
        &["3: expected one `ticks_per_step` line only"],
    );
    check(
        "input @a values\ninput @a spikes",
        &["3: expected one such line only for this"],
    );
    check("input @a", &["2: expected spikes, counts or values"]);
}

#[test]
fn neurons_have_whole_parts() {
    let fields = |fields: &str, message: &str| {
        check(
            &format!("population @a lif [3] discrete {{ {fields} }}"),
            &[&format!("2: {message}")],
        );
    };
    fields(
        "gain = 1, offset = 1 from 3 2 from 3 1",
        "expected a step after 3",
    );
    fields("gain = 1, offset = 1 from 0 2", "expected a step after 0");
    fields(
        "gain = 1, offset = 1 from 2 2xf64(1 2)",
        "expected 1 value or 3, one for each atom; found 2",
    );
    fields(
        "gain = 1, syn_decay = 0.5",
        "expected a field `drive` before this",
    );
    fields(
        "gain = 1, syn_order = after, drive = 1",
        "expected a field `syn_decay` before this",
    );
    fields("syn_order = sideways", "expected before or after");
    fields(
        "gain = 1, floor = 0",
        "expected a field `threshold` before this",
    );
    fields(
        "reset = gently",
        "expected to, subtract, pending, multi or keep",
    );
    fields("judge = young", "expected new or old");
    fields("hold = 1", "expected on or off");
    fields("membrane = stale", "expected `fresh`");
    fields(
        "gain = 1, decay = 0.5, membrane = fresh",
        "expected no `decay` where the membrane is fresh",
    );
}

#[test]
fn nodes_have_the_fields_of_their_type() {
    let node = |rest: &str, message: &str| {
        check(&format!("node @a {rest}"), &[&format!("2: {message}")]);
    };
    node(
        "Conv2d { stride = [1 2 3] }",
        "expected 2 sizes in brackets",
    );
    node("Conv2d { stride = 1 }", "expected `[`");
    node("Conv1d { stride = [1] }", "expected a size");
    node("Conv1d { padding = some }", "expected `[`");
    node("Conv1d { groups = -1 }", "expected a size");
    node(
        "Conv1d { weight = 1.0, stride = 1, padding = same, groups = 1 }",
        "expected a field `dilation` before this",
    );
    node(
        "LI { tau_mem = 1.0 }",
        "expected a field that this has, not `tau_mem`",
    );
}

/// The message for a blob whose file holds `npy` under the hash `hash`.
fn blob_error(ty: &str, hash: &str, npy: &[u8]) -> String {
    let blobs = BTreeMap::from([(hash.to_owned(), npy.to_vec())]);
    let text =
        format!("s2ir 1 \"x\"\n{POP}\nprojection @p : @a -> @a dense blob(\"w\", {ty}, {hash})");
    let found = parse(&text, "x.s2ir", &blobs).expect_err("a wrong blob");
    assert_eq!(found.0[0].code, Code::TextBlob);
    found.0[0].message.clone()
}

#[test]
fn blobs_are_what_their_hash_says() {
    let zeros = "0".repeat(64);
    let missing = errors(&format!(
        "{POP}\nprojection @p : @a -> @a dense blob(\"w\", 2xi8, {zeros})"
    ));
    assert_eq!(
        missing,
        ["3: the array 'w' cannot be used: no folder of arrays belongs to this text",]
    );
    let altered = blob_error("2xi8", &zeros, b"x");
    assert!(
        altered.contains("its contents have the hash 2d711642b726b044"),
        "{altered}"
    );

    let good = good_blob();
    let other = blob_error("70xi16", &good.sha256, &good.npy);
    assert!(
        other.ends_with("it is not a .npy array of 70xi16"),
        "{other}"
    );
    let other = blob_error("7x10xi8", &good.sha256, &good.npy);
    assert!(
        other.ends_with("it is not a .npy array of 7x10xi8"),
        "{other}"
    );
}

/// What the printer makes of 70 bytes.
fn good_blob() -> Blob {
    let elements = "1 ".repeat(70);
    let text = format!("s2ir 1 \"x\"\n{POP}\nprojection @p : @a -> @a dense 70xi8({elements})");
    let module = parse(&text, "x.s2ir", &NoBlobs).expect("the text is right");
    let (_, blobs) = ir::text::print(&module, &Default::default());
    blobs.into_iter().next().expect("more than 64 elements")
}
