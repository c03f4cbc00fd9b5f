//! What parameters must hold, and what looks like the wrong dt.

use super::Fallible;
use ir::app::Population;
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::neuron::{NeuronKind, Param};
use ir::origin::escape;

fn values(param: &Param) -> impl Iterator<Item = (usize, f64)> + '_ {
    (0..param.tensor().len()).map(|i| (i, param.at(i)))
}

pub(super) fn check_finite(population: &Population, name: &str, param: &Param) -> Fallible<()> {
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

/// How many thresholds fit into v is only defined for thresholds above 0.
pub(super) fn check_threshold(population: &Population, threshold: &Param) -> Fallible<()> {
    match values(threshold).find(|(_, v)| v.is_nan() || *v <= 0.0) {
        None => Ok(()),
        Some((i, v)) => Err(Diagnostic::error(
            Code::BadParameter,
            &population.origin,
            format!(
                "the threshold of population '{}' must be above 0 for --reset multi-subtract",
                escape(&population.name)
            ),
        )
        .note(format!("atom {i}: {v}"))),
    }
}

/// tau must be positive; dt/tau outside (0, 1) is legal but suspicious.
pub(super) fn check_tau(
    population: &Population,
    name: &str,
    tau: &Param,
    dt: f64,
    warnings: &mut Vec<Diagnostic>,
) -> Fallible<()> {
    let population_name = escape(&population.name);
    if let Some((i, v)) = values(tau).find(|(_, v)| v.is_nan() || *v <= 0.0) {
        return Err(Diagnostic::error(
            Code::BadParameter,
            &population.origin,
            format!("{name} of population '{population_name}' must be above 0"),
        )
        .note(format!("atom {i}: {name} = {v}")));
    }
    if let Some((i, v)) = values(tau).find(|(_, v)| dt / v >= 1.0) {
        let mut warning = Diagnostic::warning(
            Code::DtImplausible,
            &population.origin,
            format!("a step is longer than {name} of population '{population_name}'"),
        )
        .note(format!(
            "atom {i}: dt/{name} = {dt}/{v} = {}, expected between 0 and 1",
            dt / v
        ))
        .help("check --dt and --time-unit");
        if let Some(dt) = plausible_dt(tau) {
            warning = warning.note(format!("dt = {dt:e} would be plausible for this {name}"));
        }
        warnings.push(warning);
    }
    Ok(())
}

pub(super) fn dt_missing(
    population: &Population,
    kind: NeuronKind,
    tau: Option<&Param>,
) -> Diagnostic {
    let error = Diagnostic::error(
        Code::DtMissing,
        &population.origin,
        format!(
            "{} population '{}' needs the time step of the network",
            nir_name(kind),
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

fn nir_name(kind: NeuronKind) -> &'static str {
    match kind {
        NeuronKind::Lif => "LIF",
        NeuronKind::If => "IF",
        NeuronKind::CubaLif => "CubaLIF",
        NeuronKind::Li => "LI",
        NeuronKind::CubaLi => "CubaLI",
        NeuronKind::I => "I",
        NeuronKind::Threshold => "Threshold",
        NeuronKind::Linear => "linear",
    }
}

/// The power of ten nearest below a tenth of the smallest time constant.
fn plausible_dt(tau: &Param) -> Option<f64> {
    let smallest = values(tau).map(|(_, v)| v).fold(f64::INFINITY, f64::min);
    let dt = 10f64.powf((smallest / 10.0).log10().floor());
    (dt.is_finite() && dt > 0.0).then_some(dt)
}
