//! `discretise`: from time constants to factors per step.
//!
//! | integrator | decay | gain | leak |
//! |---|---|---|---|
//! | forward-euler | 1 - dt/tau | r dt/tau | v_leak dt/tau |
//! | exp-euler | e^(-dt/tau) | r (1 - decay) | v_leak (1 - decay) |
//! | exp-impulse | e^(-dt/tau) | r dt/tau | v_leak (1 - decay) |
//! | IF | none | r dt, or r with `--if-gain unit` | 0 |
//!
//! The offset of a step is `leak + gain * bias`: a constant needs no synapse.

use crate::contract::{Contract, MAPPED};
use crate::manager::PassContext;
use crate::registry::{Discretise, Transform};
use ir::Module;
use ir::app::{AppGraph, Model, Population};
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::facts::Fact;
use ir::id::PopId;
use ir::neuron::{
    Constant, ContinuousNeuron, DiscreteNeuron, Fire, Membrane, Neuron, NeuronKind, Param,
    ResetRule,
};
use ir::origin::escape;
use ir::semantics::{Hold, IfGain, Integrator, Reset, Semantics, SpikeOn, VFloor};

impl Transform for Discretise {
    const CONTRACT: Contract = Contract::requires(&[Fact::Canonical])
        .excludes(&[Fact::Discrete])
        .establishes(&[Fact::Discrete])
        .destroys(MAPPED);

    fn run(module: &mut Module, _: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        discretise(&mut module.app, &module.semantics)
    }
}

/// Rewrites the neurons of all populations.
pub fn discretise(app: &mut AppGraph, semantics: &Semantics) -> Result<Vec<Diagnostic>> {
    let mut warnings = Vec::new();
    let mut errors = Vec::new();
    for id in app.populations.ids() {
        let population = &app.populations[id];
        let Model::Neuron(Neuron::Continuous(neuron)) = &population.model else {
            continue;
        };
        let feeds_itself = app.outgoing(id).any(|(_, p)| p.post == id);
        let refusals = refusals(population, neuron, feeds_itself, semantics);
        if !refusals.is_empty() {
            errors.extend(refusals);
            continue;
        }
        match step(population, neuron, semantics, &mut warnings) {
            Ok(discrete) => {
                app.populations[id].model = Model::Neuron(Neuron::Discrete(discrete));
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(warnings)
    } else {
        warnings.extend(errors);
        Err(Diagnostics(warnings))
    }
}

/// The options whose effect on this population no kernel has yet.
fn refusals(
    population: &Population,
    neuron: &ContinuousNeuron,
    feeds_itself: bool,
    semantics: &Semantics,
) -> Vec<Diagnostic> {
    let kind = neuron.kind;
    let resets_to_zero = match semantics.reset {
        Reset::Zero => true,
        Reset::VReset => neuron.v_reset.as_ref().and_then(Param::as_uniform) == Some(0.0),
        Reset::Subtract | Reset::SnntorchSubtract | Reset::MultiSubtract | Reset::None => false,
    };
    let holds = match semantics.hold {
        Hold::On => true,
        Hold::Auto => feeds_itself && kind == NeuronKind::Lif && resets_to_zero,
        Hold::Off => false,
    };
    let pending = semantics.reset == Reset::SnntorchSubtract;
    let multi = semantics.reset == Reset::MultiSubtract;
    let old = semantics.spike_on == SpikeOn::Old;
    let floor = kind == NeuronKind::If && semantics.v_floor == VFloor::NegThreshold;
    let checks = [
        (old, "--spike-on old", "--spike-on new"),
        (holds, "--hold-after-spike", "--hold-after-spike off"),
        (pending, "--reset snntorch-subtract", "--reset subtract"),
        (multi, "--reset multi-subtract", "--reset subtract"),
        (floor, "--v-floor neg-threshold", "--v-floor none"),
    ];
    let refused = checks.into_iter().filter(|(hit, _, _)| *hit);
    let diagnose = |(_, flag, instead): (bool, &str, &str)| {
        Diagnostic::error(
            Code::OptionUnsupported,
            &population.origin,
            format!(
                "population '{}' needs {flag}, which the chip does not do yet",
                escape(&population.name)
            ),
        )
        .note("the option was given, or came with --profile")
        .help(format!(
            "pass {instead} if that is what you mean, or use `s2c golden`, which runs it"
        ))
    };
    refused.map(diagnose).collect()
}

fn step(
    population: &Population,
    neuron: &ContinuousNeuron,
    semantics: &Semantics,
    warnings: &mut Vec<Diagnostic>,
) -> std::result::Result<DiscreteNeuron, Diagnostic> {
    let n = population.n_atoms();
    let missing = || Diagnostic::internal("a neuron lacks a parameter of its kind");
    let r = neuron.r.as_ref().ok_or_else(missing)?;
    let v_reset = neuron.v_reset.as_ref().ok_or_else(missing)?;
    let v_threshold = neuron.v_threshold.as_ref().ok_or_else(missing)?;
    let all = |f: &dyn Fn(usize) -> f64| Param::per_atom((0..n).map(f).collect());
    let (decay, gain, leak) = match neuron.kind {
        NeuronKind::Lif => {
            let (Some(tau), Some(v_leak)) = (&neuron.tau, &neuron.v_leak) else {
                return Err(Diagnostic::internal(
                    "a LIF population without tau or v_leak",
                ));
            };
            let dt = semantics
                .dt_in_file_units()
                .ok_or_else(|| dt_missing(population, Some(tau)))?;
            check_tau(population, tau, dt, warnings)?;
            let ratio = |i| dt / tau.at(i);
            let euler = semantics.integrator == Integrator::ForwardEuler;
            let decay = all(&|i| {
                if euler {
                    1.0 - ratio(i)
                } else {
                    (-ratio(i)).exp()
                }
            });
            // -expm1 keeps the digits that 1 - e^(-q) loses for small q.
            let share = |i| {
                if euler {
                    ratio(i)
                } else {
                    -(-ratio(i)).exp_m1()
                }
            };
            let gain = all(&|i| {
                let per_step = match semantics.integrator {
                    Integrator::ForwardEuler | Integrator::ExpImpulse => ratio(i),
                    Integrator::ExpEuler => share(i),
                };
                per_step * r.at(i)
            });
            let leak = all(&|i| share(i) * v_leak.at(i));
            (Some(decay), gain, leak)
        }
        NeuronKind::If => {
            let dt = match semantics.if_gain {
                IfGain::Dt => semantics
                    .dt_in_file_units()
                    .ok_or_else(|| dt_missing(population, None))?,
                IfGain::Unit => 1.0,
            };
            (None, all(&|i| dt * r.at(i)), Param::uniform(0.0))
        }
        _ => {
            return Err(Diagnostic::internal(
                "this kind of neuron is not discretised yet",
            ));
        }
    };
    let bias = neuron
        .bias
        .at_step(0)
        .cloned()
        .unwrap_or(Param::uniform(0.0));
    let offset = all(&|i| leak.at(i) + gain.at(i) * bias.at(i));
    let threshold = v_threshold.clone();
    let reset = match semantics.reset {
        Reset::VReset => ResetRule::To(v_reset.clone()),
        Reset::Zero => ResetRule::To(Param::uniform(0.0)),
        Reset::Subtract => ResetRule::Subtract(all(&|i| threshold.at(i) - v_reset.at(i))),
        Reset::None => ResetRule::Keep,
        Reset::SnntorchSubtract | Reset::MultiSubtract => {
            return Err(Diagnostic::internal("a reset that was refused above"));
        }
    };
    for (name, param) in [
        ("gain", &gain),
        ("offset", &offset),
        ("threshold", &threshold),
    ] {
        check_finite(population, name, param)?;
    }
    Ok(DiscreteNeuron {
        kind: neuron.kind,
        synapse: None,
        membrane: decay.map_or(Membrane::Integrate, Membrane::Leaky),
        gain,
        offset: match (0..n).any(|i| offset.at(i) != 0.0) {
            true => Constant::always(offset),
            false => Constant::ZERO,
        },
        fire: Some(Fire {
            threshold,
            compare: semantics.compare,
            judge: semantics.spike_on,
            reset,
            hold: false,
            floor: None,
        }),
        unit: None,
    })
}

fn values(param: &Param) -> impl Iterator<Item = (usize, f64)> + '_ {
    (0..param.tensor().len()).map(|i| (i, param.at(i)))
}

fn check_finite(
    population: &Population,
    name: &str,
    param: &Param,
) -> std::result::Result<(), Diagnostic> {
    match values(param).find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some((i, v)) => Err(Diagnostic::error(
            Code::BadParameter,
            &population.origin,
            format!(
                "the {name} of population '{}' is not finite",
                escape(&population.name)
            ),
        )
        .note(format!("atom {i}: {v}"))),
    }
}

/// tau must be positive; dt/tau outside (0, 1) is legal but suspicious.
fn check_tau(
    population: &Population,
    tau: &Param,
    dt: f64,
    warnings: &mut Vec<Diagnostic>,
) -> std::result::Result<(), Diagnostic> {
    let name = escape(&population.name);
    if let Some((i, v)) = values(tau).find(|(_, v)| v.is_nan() || *v <= 0.0) {
        return Err(Diagnostic::error(
            Code::BadParameter,
            &population.origin,
            format!("tau of population '{name}' must be above 0"),
        )
        .note(format!("atom {i}: tau = {v}")));
    }
    if let Some((i, v)) = values(tau).find(|(_, v)| dt / v >= 1.0) {
        let mut warning = Diagnostic::warning(
            Code::DtImplausible,
            &population.origin,
            format!("a step is longer than the time constant of population '{name}'"),
        )
        .note(format!(
            "atom {i}: dt/tau = {dt}/{v} = {}, expected between 0 and 1",
            dt / v
        ))
        .help("check --dt and --time-unit");
        if let Some(dt) = plausible_dt(tau) {
            warning = warning.note(format!("dt = {dt:e} would be plausible for this tau"));
        }
        warnings.push(warning);
    }
    Ok(())
}

fn dt_missing(population: &Population, tau: Option<&Param>) -> Diagnostic {
    let kind = if tau.is_some() { "LIF" } else { "IF" };
    let error = Diagnostic::error(
        Code::DtMissing,
        &population.origin,
        format!(
            "{kind} population '{}' needs the time step of the network",
            escape(&population.name)
        ),
    );
    let smallest = tau.map(|t| values(t).map(|(_, v)| v).fold(f64::INFINITY, f64::min));
    match (smallest, tau.and_then(plausible_dt)) {
        (Some(smallest), Some(dt)) => error
            .note(format!("its smallest tau is {smallest} (in the file's unit)"))
            .help(format!(
                "pass --dt SECONDS as in training; {dt:e} would be plausible if tau is in seconds"
            )),
        (_, _) => error.help(
            "pass --dt SECONDS as in training (1e-4 is usual), or --if-gain unit if an input of 1 raises v by r",
        ),
    }
}

/// The power of ten nearest below a tenth of the smallest time constant.
fn plausible_dt(tau: &Param) -> Option<f64> {
    let smallest = values(tau).map(|(_, v)| v).fold(f64::INFINITY, f64::min);
    let dt = 10f64.powf((smallest / 10.0).log10().floor());
    (dt.is_finite() && dt > 0.0).then_some(dt)
}

/// The neuron of a population, if it is one that has been discretised.
pub fn discrete(app: &AppGraph, pop: PopId) -> Option<&DiscreteNeuron> {
    match &app.populations[pop].model {
        Model::Neuron(Neuron::Discrete(n)) => Some(n),
        Model::Neuron(Neuron::Continuous(_)) | Model::SpikeSource => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::Origin;
    use ir::semantics::Profile;
    use ir::tensor::Shape;

    fn lif(tau: f64) -> ContinuousNeuron {
        ContinuousNeuron {
            kind: NeuronKind::Lif,
            tau: Some(Param::uniform(tau)),
            r: Param::uniform(2.0),
            v_leak: Some(Param::uniform(0.5)),
            v_threshold: Param::uniform(1.0),
            v_reset: Param::uniform(0.25),
            bias: Param::per_atom(vec![0.0, 1.0]),
        }
    }

    fn graph(neuron: ContinuousNeuron) -> AppGraph {
        let mut app = AppGraph::default();
        app.populations.push(Population {
            name: "hid".into(),
            shape: Shape::of(&[2]),
            model: Model::Neuron(Neuron::Continuous(neuron)),
            timing: None,
            accumulator: None,
            record: vec![],
            origin: Origin::Compiler,
        });
        app
    }

    fn run(neuron: ContinuousNeuron, semantics: &Semantics) -> (DiscreteNeuron, Vec<Diagnostic>) {
        let mut app = graph(neuron);
        let warnings = discretise(&mut app, semantics).expect("discretises");
        let pop = app.population_named("hid").expect("there");
        (discrete(&app, pop).expect("discrete").clone(), warnings)
    }

    fn with_dt(dt: f64) -> Semantics {
        Semantics {
            dt: Some(dt),
            ..Profile::Nir.semantics()
        }
    }

    #[test]
    fn forward_euler_by_hand() {
        let (n, warnings) = run(lif(4.0), &with_dt(1.0));
        assert!(warnings.is_empty());
        assert_eq!(n.decay.expect("leaky").as_uniform(), Some(0.75));
        assert_eq!(n.gain.as_uniform(), Some(0.5));
        let offset = n.offset.expect("bias and leak");
        assert_eq!((offset.at(0), offset.at(1)), (0.125, 0.625));
        assert_eq!(n.reset, ResetRule::To(Param::uniform(0.25)));
    }

    #[test]
    fn the_exponential_integrators_differ_in_the_gain_only() {
        let s = |integrator| Semantics {
            integrator,
            reset: Reset::Subtract,
            ..with_dt(1.0)
        };
        let (euler, _) = run(lif(4.0), &s(Integrator::ExpEuler));
        let (impulse, _) = run(lif(4.0), &s(Integrator::ExpImpulse));
        assert_eq!(euler.decay, impulse.decay);
        let share = 1.0 - (-0.25f64).exp();
        assert!((euler.gain.at(0) - 2.0 * share).abs() < 1e-15);
        assert_eq!(impulse.gain.at(0), 0.5);
        assert_eq!(euler.reset, ResetRule::Subtract(Param::uniform(0.75)));
    }

    #[test]
    fn a_missing_dt_names_a_plausible_value() {
        let error = discretise(&mut graph(lif(0.0025)), &Profile::Nir.semantics());
        let error = error.expect_err("no dt");
        assert_eq!(error.0[0].code, Code::DtMissing);
        assert!(error.to_string().contains("1e-4"), "{error}");
    }

    #[test]
    fn a_step_longer_than_tau_warns() {
        let (_, warnings) = run(lif(0.5), &with_dt(1.0));
        assert_eq!(warnings[0].code, Code::DtImplausible);
    }

    #[test]
    fn options_without_a_kernel_are_refused_by_name() {
        let s = Semantics {
            dt: Some(1.0),
            ..Profile::Spyx.semantics()
        };
        let error = discretise(&mut graph(lif(4.0)), &s).expect_err("spike on old");
        assert_eq!(error.0[0].code, Code::OptionUnsupported);
        assert!(error.to_string().contains("'hid' needs --spike-on old"));
    }
}
