//! The time step: who needs it, what is plausible.

use super::values::parameters;
use crate::code::Code;
use crate::diag::{Diagnostic, Diagnostics};
use crate::id::NodeId;
use crate::network::{Network, Node, Op};
use crate::origin::escape;
use crate::semantics::{IfGain, Integrator, Semantics, TimeUnit};
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
        Op::Lif { .. } | Op::CubaLif { .. } | Op::Li { .. } | Op::CubaLi { .. } => true,
        Op::Delay { .. } => true,
        Op::I { .. } | Op::If { .. } => semantics.if_gain == IfGain::Dt,
        Op::Input { .. }
        | Op::Output { .. }
        | Op::Affine { .. }
        | Op::Linear { .. }
        | Op::Scale { .. }
        | Op::Conv1d { .. }
        | Op::Conv2d { .. }
        | Op::SumPool2d { .. }
        | Op::AvgPool2d { .. }
        | Op::Threshold { .. }
        | Op::Flatten { .. } => false,
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

    let times = |of: fn(&Op) -> Vec<&Tensor>| {
        needy
            .iter()
            .flat_map(move |id| of(&node(id).op))
            .flat_map(Tensor::to_f64)
    };
    let least = |of| {
        let positive = times(of).filter(|t| t.is_finite() && *t > 0.0);
        positive.fold(f64::INFINITY, f64::min)
    };
    let to_seconds = match semantics.time_unit {
        TimeUnit::Seconds | TimeUnit::Steps => 1.0,
        TimeUnit::Milliseconds => 1e-3,
    };
    let unit = unit_name(semantics.time_unit);
    let smallest = least(|op| taus(op).into_iter().map(|(_, tau)| tau).collect());
    if smallest.is_finite() {
        let plausible = power_of_ten(smallest * to_seconds / 10.0);
        return error
            .note(format!(
                "the smallest tau is {smallest} {unit}; a tenth of it is about {plausible:e} s"
            ))
            .note("usual values: snnTorch exports use 1e-4, Norse runs with 1e-3 and its default export needs 1e-6")
            .help(format!("pass --dt {plausible:e} if that is the step the network was trained with"));
    }
    let smallest = least(|op| match op {
        Op::Delay { delay } => vec![delay],
        _ => Vec::new(),
    });
    if smallest.is_finite() {
        let plausible = power_of_ten(smallest * to_seconds);
        return error
            .note(format!("the smallest delay above 0 is {smallest} {unit}"))
            .help(format!(
                "pass --dt {plausible:e} if that is the step the network was trained with"
            ));
    }
    // Only I and IF nodes, or delays of 0: the literal step is v += dt * r * x, so dt = 1/r gives unit gain.
    let mut gains = needy.iter().filter_map(|id| match &node(id).op {
        Op::If { r, .. } | Op::I { r } => Some(r),
        _ => None,
    });
    let gain = gains
        .find_map(Tensor::uniform)
        .filter(|r| r.is_finite() && *r > 0.0);
    let plausible = gain.map_or(1.0, |r| 1.0 / r);
    error
        .note("literal NIR integrates v += dt * r * x; every framework exports I and IF for v += r * x")
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

/// The time constants of a neuron by their NIR names.
fn taus(op: &Op) -> Vec<(&'static str, &Tensor)> {
    let mut all = parameters(op);
    all.retain(|(name, _)| matches!(*name, "tau" | "tau_syn" | "tau_mem"));
    all
}

/// One warning per time constant parameter with a dt/tau outside (0, 1).
pub(super) fn implausible(network: &Network, semantics: &Semantics, dt: f64) -> Vec<Diagnostic> {
    let all = network.nodes.values();
    let all = all.flat_map(|node| taus(&node.op).into_iter().map(move |(n, t)| (node, n, t)));
    all.filter_map(|(node, name, tau)| implausible_one(node, name, tau, semantics, dt))
        .collect()
}

fn implausible_one(
    node: &Node,
    name: &str,
    tau: &Tensor,
    semantics: &Semantics,
    dt: f64,
) -> Option<Diagnostic> {
    let wrong = |i: &usize| {
        let ratio = dt / tau.at(*i);
        ratio <= 0.0 || ratio >= 1.0
    };
    let count = (0..tau.len()).filter(wrong).count();
    let i = (0..tau.len()).find(wrong)?;
    let unit = unit_name(semantics.time_unit);
    let ratio = dt / tau.at(i);
    let warning = Diagnostic::warning(
        Code::DtImplausible,
        &node.origin,
        format!("dt does not fit {name} of '{}'", escape(&node.name)),
    )
    .note(format!(
        "dt/{name} = {dt} {unit} / {} {unit} = {ratio:.4}, not inside (0, 1), for {count} of {} time constants",
        tau.at(i),
        tau.len()
    ))
    .help(match semantics.time_unit {
        TimeUnit::Seconds => "check --dt, and --time-unit: sinabs writes steps, hxtorch and jaxsnn milliseconds",
        TimeUnit::Milliseconds => "check --dt (in seconds), and whether the file really is in milliseconds (--time-unit)",
        TimeUnit::Steps => "check whether the file really counts in steps (--time-unit)",
    });
    if semantics.integrator == Integrator::ForwardEuler && ratio > 2.0 {
        Some(warning.note("forward Euler multiplies the state by 1 - dt/tau, so it diverges"))
    } else {
        Some(warning)
    }
}
