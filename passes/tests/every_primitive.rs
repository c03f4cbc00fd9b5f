//! Networks of every primitive through the whole plan: each pass proves its
//! claims, and what comes out reads back from its text.

use ir::app::{AtomOrder, Connector};
use ir::memory::RegionKind;
use ir::semantics::Profile;
use ir::text::{NoBlobs, PrintOptions, parse, print};
use ir::{Fact, Module, Target};
use passes::{MappingOptions, PassContext, Plan, Silent};

/// An array of small multiples of 1/8, not all alike.
fn array(dims: &[usize]) -> String {
    let n: usize = dims.iter().product();
    let shape: String = dims.iter().map(|d| format!("{d}x")).collect();
    let values = (0..n).map(|i| format!("{}", ((i * 37 + 11) % 23) as f64 / 8.0 - 1.0));
    format!("{shape}f32({})", values.collect::<Vec<_>>().join(" "))
}

fn conv(name: &str, [out, of, k]: [usize; 3], rest: &str) -> String {
    let (weight, bias) = (array(&[out, of, k, k]), array(&[out]));
    format!(
        "node @{name} Conv2d {{ weight = {weight}, bias = {bias}, dilation = [1 1], {rest} }}\n"
    )
}

fn neuron(name: &str, kind: &str) -> String {
    let fields = match kind {
        "LIF" => "tau = 4.0, r = 1.0, v_leak = 0.0, v_threshold = 1.0",
        "LI" => "tau = 4.0, r = 1.0, v_leak = 0.0",
        "IF" => "r = 1.0, v_threshold = 1.0",
        "I" => "r = 1.0",
        "CubaLI" => "tau_syn = 3.0, tau_mem = 4.0, r = 1.0, v_leak = 0.0, w_in = 2.0",
        _ => "tau_syn = 3.0, tau_mem = 4.0, r = 1.0, v_leak = 0.0, v_threshold = 1.0, w_in = 2.0",
    };
    format!("node @{name} {kind} {{ {fields} }}\n")
}

/// Edges along each chain of names.
fn edges(chains: &[&str]) -> String {
    let mut all = String::new();
    for chain in chains {
        let names: Vec<&str> = chain.split(' ').collect();
        for pair in names.windows(2) {
            all += &format!("edge @{} -> @{}\n", pair[0], pair[1]);
        }
    }
    all
}

fn mapped(network: &str, head: &str, caps: &[(&str, u32)]) -> Module {
    let text = format!("s2ir 1 \"n\"\n{head}\nnetwork \"n\"\n{network}");
    let mut module = parse(&text, "n.s2ir", &NoBlobs).unwrap_or_else(|e| panic!("{e}"));
    let target = Target::spinnaker2();
    let options = MappingOptions {
        atoms_per_core: caps.iter().map(|(n, c)| ((*n).to_owned(), *c)).collect(),
        ..MappingOptions::default()
    };
    let context = PassContext {
        target: &target,
        options: &options,
    };
    if let Err(e) = passes::run(&mut module, &Plan::standard(), &context, &mut Silent) {
        panic!("{e}");
    }
    assert!(module.facts.contains(Fact::LaidOut));
    let (text, blobs) = print(&module, &PrintOptions::default());
    let read = parse(&text, "n.s2ir", &blobs).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(read, module);
    module
}

/// A convolution, pools, groups, a Flatten and three kinds of readout.
fn spatial() -> String {
    let mut n = "node @in Input { shape = [2 8 8] }\n".to_owned();
    n += &conv(
        "c1",
        [8, 2, 3],
        "stride = [1 1], padding = same, groups = 1",
    );
    n += &neuron("a", "CubaLIF");
    n += "node @pool SumPool2d { kernel = [2 2], stride = [2 2], padding = [0 0] }\n";
    n += &conv(
        "c2",
        [6, 8, 3],
        "stride = [1 1], padding = [1 1], groups = 1",
    );
    n += &neuron("b", "IF");
    n += &conv(
        "c3",
        [6, 3, 2],
        "stride = [2 1], padding = [0 1], groups = 2",
    );
    n += &neuron("c", "LIF");
    n += "node @avg AvgPool2d { kernel = [2 2], stride = [1 1], padding = [1 0] }\n";
    n += "node @th Threshold { threshold = 0.25 }\n";
    n += "node @flat Flatten { start_dim = 0, end_dim = -1 }\n";
    n += &format!("node @fc Linear {{ weight = {} }}\n", array(&[5, 72]));
    n += &neuron("li", "LI");
    n += "node @sums Output { shape = [5] }\nnode @spikes Output { shape = [6 2 5] }\n";
    n + &edges(&["in c1 a pool c2 b c3 c avg th flat fc li sums", "c spikes"])
}

/// Values, counts, delays of several lengths and a loop.
fn temporal() -> String {
    let mut n = "node @in Input { shape = [6] }\nnode @now Input { shape = [6] }\n".to_owned();
    n += &format!(
        "node @fc Affine {{ weight = {}, bias = {} }}\n",
        array(&[6, 6]),
        array(&[6])
    );
    n += "node @late Delay { delay = 6xf64(0 1 2 3 1 0) }\n";
    n += &neuron("a", "LIF");
    n += &format!(
        "node @rec Affine {{ weight = {}, bias = {} }}\n",
        array(&[6, 6]),
        array(&[6])
    );
    n += &neuron("mid", "CubaLI");
    n += "node @scale Scale { scale = 0.5 }\n";
    n += &neuron("b", "IF");
    n += &neuron("i", "I");
    n += &format!("node @last Linear {{ weight = {} }}\n", array(&[3, 6]));
    for (name, shape) in [("o1", 6), ("o2", 6), ("o3", 3)] {
        n += &format!("node @{name} Output {{ shape = [{shape}] }}\n");
    }
    n + &edges(&[
        "in fc late a mid scale b o1",
        "now a",
        "a rec a",
        "b i o2",
        "i last o3",
    ])
}

const HEAD: &str = "semantics dt 1.0 time-unit s";

#[test]
fn convolutions_are_cut_and_laid_out() {
    for caps in [
        &[][..],
        &[
            ("a", 64),
            ("b", 24),
            ("in", 50),
            ("c", 7),
            ("th", 11),
            ("li", 2),
        ],
        &[("a", 31), ("b", 5), ("in", 1000), ("c", 60)],
    ] {
        let module = mapped(&spatial(), HEAD, caps);
        let app = &module.app;
        let count = |keep: fn(&Connector) -> bool| {
            let all = app.projections.values();
            all.filter(|p| keep(&p.connector)).count()
        };
        assert!(count(|c| matches!(c, Connector::Conv(_))) >= 2);
        assert!(count(|c| matches!(c, Connector::Sparse(_))) >= 1);
        let blocked = |o| matches!(o, AtomOrder::Blocked { .. });
        assert!(app.populations.values().any(|p| blocked(p.order)));
    }
}

#[test]
fn counts_come_from_multiple_spikes_and_inputs() {
    let head =
        format!("{HEAD} reset multi-subtract compare ge v-floor neg-threshold\ninput @in counts 7");
    for caps in [&[][..], &[("a", 40), ("b", 17), ("in", 33)]] {
        mapped(&spatial(), &head, caps);
    }
}

#[test]
fn values_delays_and_loops_are_cut_and_laid_out() {
    let inputs = "input @now values\ninput @in counts 3";
    for semantics in [
        "",
        "reset snntorch-subtract hold-after-spike auto recurrent-bias-t0 off",
        "reset multi-subtract compare ge syn-decay after",
        "edge-delay chip",
        "reset zero hold-after-spike on bias membrane",
        "reset subtract bias membrane spike-on old",
    ] {
        for caps in [
            &[][..],
            &[("a", 2), ("in", 4), ("mid", 3), ("b", 1), ("now", 5)],
        ] {
            let module = mapped(&temporal(), &format!("{HEAD} {semantics}\n{inputs}"), caps);
            assert!(module.app.projections.values().any(|p| p.lag >= 3));
            let mut regions = module.layouts.values().flat_map(|l| &l.regions);
            assert!(regions.any(|r| matches!(r.kind, RegionKind::Values { .. })));
        }
    }
}

#[test]
fn every_profile_is_proved() {
    for profile in Profile::ALL {
        let choices = profile.semantics();
        let head = format!(
            "{HEAD} integrator {} reset {} compare {} spike-on {} hold-after-spike {} \
             syn-gain {} syn-decay {} if-gain {} recurrent-bias-t0 {} bias {} v-floor {} \
             edge-delay {}",
            choices.integrator,
            choices.reset,
            choices.compare,
            choices.spike_on,
            choices.hold,
            choices.syn_gain,
            choices.syn_decay,
            choices.if_gain,
            choices.recurrent_bias_t0,
            choices.bias,
            choices.v_floor,
            choices.edge_delay,
        );
        mapped(&temporal(), &head, &[("a", 4)]);
        mapped(&spatial(), &head, &[("a", 100)]);
    }
}
