//! What the options mean for one graph: the time step it needs, the neurons
//! that hold after a spike, the biases on recurrent paths, and the options
//! that change nothing.

use super::schedule::Schedule;
use super::wiring::is_alias;
use crate::code::Code;
use crate::diag::{Diagnostic, Diagnostics};
use crate::id::{IdVec, NodeId};
use crate::network::{Network, Node, Op};
use crate::origin::escape;
use crate::semantics::{
    Bias, Compare, EdgeDelay, Hold, IfGain, Integrator, RecurrentBiasT0, Reset, Semantics, SpikeOn,
    SynDecay, SynGain, TimeUnit, VFloor,
};
use crate::tensor::Tensor;

/// Names in a message beyond this number are counted, not listed.
const NAMES_SHOWN: usize = 5;

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Seconds => "s",
        TimeUnit::Milliseconds => "ms",
        TimeUnit::Steps => "steps",
    }
}

/// The nodes whose step depends on dt under these options.
pub(super) fn needs_dt(network: &Network, semantics: &Semantics) -> Vec<NodeId> {
    let needs = |op: &Op| match op {
        Op::Lif { .. } => true,
        Op::If { .. } => semantics.if_gain == IfGain::Dt,
        Op::Input { .. }
        | Op::Output { .. }
        | Op::Affine { .. }
        | Op::Linear { .. }
        | Op::Scale { .. }
        | Op::Flatten { .. } => false,
        _ => true,
    };
    let nodes = network.nodes.iter();
    nodes
        .filter(|(_, n)| needs(&n.op))
        .map(|(id, _)| id)
        .collect()
}

/// dt in the file's time unit, 1 where no node needs it.
pub(super) fn dt(network: &Network, semantics: &Semantics) -> Result<f64, Diagnostics> {
    let needy = needs_dt(network, semantics);
    let Some(&first) = needy.first() else {
        return Ok(1.0);
    };
    let origin = &network.nodes[first].origin;
    match semantics.dt_in_file_units() {
        Some(dt) if dt.is_finite() && dt > 0.0 => Ok(dt),
        Some(dt) => Err(Diagnostic::error(
            Code::BadParameter,
            origin,
            format!("the time step must be above 0 and finite, not {dt}"),
        )
        .help("pass --dt SECONDS")
        .into()),
        None => Err(missing_dt(network, semantics, &needy).into()),
    }
}

fn missing_dt(network: &Network, semantics: &Semantics, needy: &[NodeId]) -> Diagnostic {
    let node = |id: &NodeId| &network.nodes[*id];
    let mut names: Vec<String> = needy
        .iter()
        .take(NAMES_SHOWN)
        .map(|id| format!("'{}' ({})", escape(&node(id).name), node(id).op.kind()))
        .collect();
    if needy.len() > NAMES_SHOWN {
        names.push(format!("{} more", needy.len() - NAMES_SHOWN));
    }
    let verb = if needy.len() == 1 { "needs" } else { "need" };
    let message = format!(
        "{} {verb} dt, and NIR files do not hold it",
        names.join(", ")
    );
    let error = Diagnostic::error(
        Code::DtMissing,
        &needy
            .first()
            .map_or(crate::Origin::Compiler, |id| node(id).origin.clone()),
        message,
    );

    let taus = || {
        needy
            .iter()
            .filter_map(|id| tau(node(id)))
            .flat_map(Tensor::to_f64)
    };
    let smallest = taus()
        .filter(|t| t.is_finite() && *t > 0.0)
        .fold(f64::INFINITY, f64::min);
    if smallest.is_finite() {
        let seconds = match semantics.time_unit {
            TimeUnit::Seconds | TimeUnit::Steps => smallest,
            TimeUnit::Milliseconds => smallest * 1e-3,
        };
        let plausible = power_of_ten(seconds / 10.0);
        return error
            .note(format!(
                "the smallest tau is {smallest} {}; a tenth of it is about {plausible:e} s",
                unit_name(semantics.time_unit)
            ))
            .note("usual values: snnTorch exports use 1e-4, Norse runs with 1e-3 and its default export needs 1e-6")
            .help(format!("pass --dt {plausible:e} if that is the step the network was trained with"));
    }
    // Only IF nodes: the literal step is v += dt * r * x, so dt = 1/r gives unit gain.
    let mut gains = needy.iter().filter_map(|id| match &node(id).op {
        Op::If { r, .. } => Some(r),
        _ => None,
    });
    let gain = gains
        .find_map(Tensor::uniform)
        .filter(|r| r.is_finite() && *r > 0.0);
    let plausible = gain.map_or(1.0, |r| 1.0 / r);
    error
        .note("literal NIR integrates v += dt * r * x; every framework exports IF for v += r * x")
        .help(format!(
            "pass --if-gain unit (or a --profile that has it), or --dt {plausible:e}"
        ))
}

fn power_of_ten(x: f64) -> f64 {
    // Rounding the exponent keeps 9.9e-5, a float32's idea of 1e-4, at 1e-4.
    // Parsing gives the double that the user would get by typing it.
    let exponent = x.log10().round();
    format!("1e{exponent}").parse().unwrap_or(x)
}

fn tau(node: &Node) -> Option<&Tensor> {
    match &node.op {
        Op::Lif { tau, .. } => Some(tau),
        _ => None,
    }
}

/// One warning per LIF node with a dt/tau outside (0, 1).
pub(super) fn implausible_dt(network: &Network, semantics: &Semantics, dt: f64) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (_, node) in network.nodes.iter() {
        let Some(tau) = tau(node) else { continue };
        let wrong = |i: &usize| {
            let ratio = dt / tau.at(*i);
            ratio <= 0.0 || ratio >= 1.0
        };
        let count = (0..tau.len()).filter(wrong).count();
        let Some(i) = (0..tau.len()).find(wrong) else {
            continue;
        };
        let unit = unit_name(semantics.time_unit);
        let ratio = dt / tau.at(i);
        let mut warning = Diagnostic::warning(
            Code::DtImplausible,
            &node.origin,
            format!("dt does not fit the time constants of '{}'", escape(&node.name)),
        )
        .note(format!(
            "dt/tau = {dt} {unit} / {} {unit} = {ratio:.4}, not inside (0, 1), for {count} of {} time constants",
            tau.at(i),
            tau.len()
        ))
        .help(match semantics.time_unit {
            TimeUnit::Seconds => "check --dt, and --time-unit: sinabs writes steps, hxtorch and jaxsnn milliseconds",
            TimeUnit::Milliseconds => "check --dt (in seconds), and whether the file really is in milliseconds (--time-unit)",
            TimeUnit::Steps => "check whether the file really counts in steps (--time-unit)",
        });
        if semantics.integrator == Integrator::ForwardEuler && ratio > 2.0 {
            warning =
                warning.note("forward Euler multiplies the membrane by 1 - dt/tau, so it diverges");
        }
        found.push(warning);
    }
    found
}

/// The neurons whose membrane is forced to 0 in the step after a spike.
///
/// `auto` takes snnTorch's rule for RLeaky: a LIF that feeds itself through
/// stateless nodes, when its reset is zero (by option, or by a v_reset that
/// the file gives as 0 or not at all).
pub(super) fn held(
    network: &Network,
    schedule: &Schedule,
    semantics: &Semantics,
) -> IdVec<NodeId, bool> {
    let selfish = self_feeding(network, schedule);
    let nodes = network.nodes.iter();
    nodes
        .map(|(id, node)| match semantics.hold {
            Hold::Off => false,
            Hold::On => node.op.is_stateful(),
            Hold::Auto => selfish[id] && resets_to_zero(&node.op, semantics),
        })
        .collect()
}

fn resets_to_zero(op: &Op, semantics: &Semantics) -> bool {
    let Op::Lif { v_reset, .. } = op else {
        return false;
    };
    match semantics.reset {
        Reset::Zero => true,
        Reset::VReset => v_reset
            .as_ref()
            .is_none_or(|t| (0..t.len()).all(|i| t.at(i) == 0.0)),
        Reset::Subtract | Reset::SnntorchSubtract | Reset::MultiSubtract | Reset::None => false,
    }
}

/// The LIF nodes with a path back to themselves through stateless nodes.
fn self_feeding(network: &Network, schedule: &Schedule) -> IdVec<NodeId, bool> {
    let succs = network.successors();
    let mut found: IdVec<NodeId, bool> = network.nodes.ids().map(|_| false).collect();
    // The last walk that met each node; cheaper than clearing a set per walk.
    let mut met: IdVec<NodeId, Option<NodeId>> = network.nodes.ids().map(|_| None).collect();
    for (start, node) in network.nodes.iter() {
        if !matches!(node.op, Op::Lif { .. }) || !schedule.on_cycle(start) {
            continue;
        }
        let mut stack = vec![start];
        while let Some(id) = stack.pop() {
            for &s in &succs[id] {
                if s == start {
                    found[start] = true;
                } else if met[s] != Some(start)
                    && schedule.share_cycle(start, s)
                    && !network.nodes[s].op.is_stateful()
                {
                    met[s] = Some(start);
                    stack.push(s);
                }
            }
        }
    }
    found
}

/// The stateless nodes that only a previous step drives: they lie on a cycle
/// and every in-edge carries the previous step or comes from such a node.
/// In step 0 there is nothing to drive them, so with `--recurrent-bias-t0 off`
/// (Norse calls the recurrent layer only once it has a state) their biases
/// don't act then. A node that also has an input from outside the cycle keeps
/// its bias.
pub(super) fn recurrent(network: &Network, schedule: &Schedule) -> IdVec<NodeId, bool> {
    let mut edges_into: IdVec<NodeId, Vec<usize>> = network.nodes.ids().map(|_| vec![]).collect();
    for (i, e) in network.edges.iter().enumerate() {
        edges_into[e.to].push(i);
    }
    let mut found: IdVec<NodeId, bool> = network.nodes.ids().map(|_| false).collect();
    for &id in &schedule.order {
        let driven = |&i: &usize| schedule.is_previous(i) || found[network.edges[i].from];
        found[id] = schedule.on_cycle(id)
            && !network.nodes[id].op.is_stateful()
            && !edges_into[id].is_empty()
            && edges_into[id].iter().all(driven);
    }
    found
}

/// The flags that change nothing on this graph, whatever their value.
///
/// `--bias` is among them as long as only LIF and IF exist: their membrane
/// offset `gain * b` is what the bias does through the synapse. It matters only
/// where it overrides `--recurrent-bias-t0 off`.
pub(super) fn unused(
    network: &Network,
    schedule: &Schedule,
    semantics: &Semantics,
) -> Vec<&'static str> {
    let any = |test: fn(&Op) -> bool| network.nodes.values().any(|n| test(&n.op));
    let lif = any(|op| matches!(op, Op::Lif { .. }));
    let integrator_if = any(|op| matches!(op, Op::If { .. }));
    let spiking = lif || integrator_if;
    let needs_dt = !needs_dt(network, semantics).is_empty();
    let recurrent = recurrent(network, schedule);
    let recurrent_bias = network
        .nodes
        .iter()
        .any(|(id, n)| recurrent[id] && matches!(n.op, Op::Affine { .. }));
    let late_bias = semantics.recurrent_bias_t0 == RecurrentBiasT0::Off;
    let hold = match semantics.hold {
        Hold::On => spiking,
        Hold::Auto | Hold::Off => self_feeding(network, schedule).values().any(|&h| h),
    };
    let computes = any(|op| !is_alias(op) && !matches!(op, Op::Input { .. }));
    let used = [
        ("--dt", needs_dt && semantics.time_unit != TimeUnit::Steps),
        (TimeUnit::FLAG, needs_dt),
        (Integrator::FLAG, lif),
        (Reset::FLAG, spiking),
        (Compare::FLAG, spiking),
        (SpikeOn::FLAG, spiking),
        (Hold::FLAG, hold),
        (SynGain::FLAG, false),
        (SynDecay::FLAG, false),
        (IfGain::FLAG, integrator_if),
        (
            RecurrentBiasT0::FLAG,
            recurrent_bias && semantics.bias == Bias::Synapse,
        ),
        (Bias::FLAG, recurrent_bias && late_bias),
        (VFloor::FLAG, integrator_if),
        (EdgeDelay::FLAG, computes),
    ];
    let unused = used.iter().filter(|(_, used)| !used);
    unused.map(|(flag, _)| *flag).collect()
}
