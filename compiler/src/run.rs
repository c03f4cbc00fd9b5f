//! `s2c run`: a bundle and inputs, nothing else.

use crate::arrays::file_bytes;
use crate::bundle;
use crate::carried;
use crate::cli::{Common, RunArgs};
use crate::driver;
use crate::engines::{self, Emulation, Feed, RunOptions};
use crate::front::data::{InputSet, PortSpec};
use crate::inject;
use crate::level;
use crate::options::{self, escape, usage};
use crate::plot;
use crate::progress::Progress;
use crate::render::{Renderer, print};
use crate::report;
use crate::summary;
use crate::textio;
use crate::trace;
use ir::diag::{Diagnostics, Result};
use ir::image::Program;
use ir::{Code, Diagnostic, Origin};
use serde_json::json;
use std::path::Path;

/// Input ports by name. The chip knows the size of a step, not its shape, so
/// any shape is read and the size is checked afterwards.
fn ports(program: &Program) -> Vec<PortSpec> {
    program
        .inputs
        .iter()
        .map(|port| PortSpec {
            name: port.name.clone(),
            shape: None,
        })
        .collect()
}

fn check_sizes(program: &Program, set: &InputSet, file: &str) -> Result<()> {
    let mut errors = Vec::new();
    for port in &program.inputs {
        let expected = program
            .populations
            .get(port.population)
            .map(|p| p.n_atoms as usize);
        let found = set.ports.get(&port.name).map(|p| p.width);
        if expected != found {
            let origin = Origin::File {
                file: file.to_owned(),
            };
            let message = format!("the data does not fit the input '{}'", escape(&port.name));
            errors.push(
                Diagnostic::error(Code::InputData, &origin, message).note(format!(
                    "{} values a step, expected {}",
                    found.unwrap_or(0),
                    expected.unwrap_or(0)
                )),
            );
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Diagnostics(errors))
    }
}

/// The report of a run that injected faults have ended.
fn failed(path: &Path, args: &RunArgs, errors: &Diagnostics) -> Result<()> {
    let errors: Vec<report::Warning> = errors.0.iter().map(report::Warning::new).collect();
    let report = json!({"v": 1, "inject": args.inject, "errors": errors});
    let text = serde_json::to_string_pretty(&report).unwrap_or_default() + "\n";
    textio::write_file(path, text.as_bytes())
}

/// The seed of a run: as asked for, or as the bundle was compiled.
fn seed_of_run(asked: Option<u64>, options: &serde_json::Value) -> u64 {
    let compiled = options.get("seed").and_then(serde_json::Value::as_u64);
    asked.or(compiled).unwrap_or(0)
}

pub fn run(args: &RunArgs, common: &Common, show: &Renderer) -> Result<()> {
    if common.depfile.is_some() && args.output.is_none() {
        return Err(usage("--depfile", "a rule needs an output file")
            .help("name one with -o")
            .into());
    }
    let tracing = trace::asked_for(&args.trace)?;
    let target = options::target(&args.target)?;
    let loaded = bundle::read(&args.bundle, &target)?;
    let auto = loaded.options.get("auto_level");
    let auto = auto.and_then(serde_json::Value::as_u64);
    let emulation = Emulation {
        continuous: args.continuous,
        level: level::of_run(args.level, auto)?,
        faults: inject::parse(&args.inject)?,
        seed: seed_of_run(args.seed, &loaded.options),
    };
    let requests = options::record_requests(&args.record);
    let spike_on = loaded.options.get("spike_on");
    if !requests.is_empty() && spike_on.and_then(serde_json::Value::as_str) == Some("old") {
        show.remark(engines::EARLY_ROWS);
    }
    let ports = ports(&loaded.images.program);
    let dt = loaded.options.get("dt").and_then(serde_json::Value::as_f64);
    let (set, warnings) = crate::feed::read(&args.input, &ports, dt)?;
    show.show(&warnings);
    let file = args.input.input.display().to_string();
    check_sizes(&loaded.images.program, &set, &file)?;
    carried::check_range(&set, &carried::of_program(&loaded.images.program), &file)?;
    let feed = Feed {
        set: &set,
        ports: &ports,
    };
    let run = RunOptions {
        align: args.align,
        threads: common.threads.map_or(0, usize::from),
        trace: tracing.as_ref(),
        engine: common.engine.engine(),
    };
    let progress = Progress::new(show, format!("emulating {} samples", set.samples));
    let result = engines::emulate(
        &loaded.images,
        &target.target,
        feed,
        &requests,
        run,
        &emulation,
    );
    progress.finish();
    let result = match result {
        Ok(result) => result,
        Err(errors) => {
            // What a fault on purpose brought down is a result that was asked for.
            if let (Some(path), false) = (&args.report, args.inject.is_empty()) {
                failed(path, args, &errors)?;
            }
            return Err(errors);
        }
    };
    show.show(&result.report.warnings());
    show.show(&result.notices);

    if let Some(path) = &args.output {
        let bytes = file_bytes(&result.tracks, path, dt)?;
        textio::write_file(path, &bytes)?;
        let files = [
            args.bundle.join(bundle::DESCRIPTION),
            args.input.input.clone(),
        ];
        driver::depfile(common, path, &files)?;
    }
    if let Some(path) = &args.plot {
        let svg = plot::raster(&loaded.images.name, &result.tracks)?;
        textio::write_file(path, svg.as_bytes())?;
    }
    let summary = summary::run(&loaded.images.name, &set, &result.tracks, &result.latencies);
    if let Some(path) = &args.report {
        let array = crate::report::multiply(&loaded.images);
        let assumptions = crate::report::assumptions(&target, &loaded.images.machine, array);
        let report = json!({
            "v": 1, "summary": summary, "emulated": result.report, "inject": args.inject,
            "host_ms_per_sample": result.host.as_secs_f64() * 1e3,
            "options": loaded.options, "assumptions": assumptions,
        });
        let text = serde_json::to_string_pretty(&report).unwrap_or_default() + "\n";
        textio::write_file(path, text.as_bytes())?;
    }
    if !show.quiet() {
        let mut text = summary.text(show.json());
        if !show.json() {
            let r = &result.report;
            text.push_str(&format!(
                "  cycles per step: at most {}, median {}; missed deadlines: {}; {:.3} ms per sample\n",
                r.cycles_per_step.max,
                r.cycles_per_step.p50,
                r.missed_deadlines,
                result.host.as_secs_f64() * 1e3
            ));
            text.push_str(&level::energy_line(
                &r.energy_uj_per_step,
                r.power_mw,
                r.level,
            ));
        }
        print(&text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_takes_the_seed_of_its_bundle_unless_it_has_its_own() {
        let options = json!({"seed": 7});
        assert_eq!(seed_of_run(None, &options), 7);
        assert_eq!(seed_of_run(Some(0), &options), 0);
        assert_eq!(seed_of_run(None, &json!({})), 0);
    }
}
