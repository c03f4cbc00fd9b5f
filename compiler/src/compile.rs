//! `s2c compile`: a network file becomes a bundle.

use crate::bundle;
use crate::calibrate;
use crate::carried;
use crate::cli::{Common, CompileArgs};
use crate::driver::{self, Outcome};
use crate::emit::{self, Watch};
use crate::level;
use crate::optimise;
use crate::options::{self, usage};
use crate::progress::Progress;
use crate::render::{Renderer, print};
use crate::report;
use crate::textio;
use ir::diag::Result;
use ir::golden::Golden;
use serde_json::json;
use std::path::{Path, PathBuf};

/// `<stem>.s2` in the working folder.
fn default_output(net: &Path) -> PathBuf {
    let mut name = net.file_stem().unwrap_or_default().to_os_string();
    name.push(".s2");
    PathBuf::from(name)
}

pub fn compile(args: &CompileArgs, common: &Common, show: &Renderer) -> Result<()> {
    emit::check_kinds(common)?;
    let mut watch = Watch::new(common)?;
    let output = args
        .output
        .clone()
        .unwrap_or_else(|| default_output(&args.net));
    if common.stop_after.is_none() {
        bundle::check_output(&output)?;
    } else if args.report.is_some() {
        return Err(usage("--report", "a stopped compilation has no report")
            .help("leave --stop-after out")
            .into());
    }
    level::of_compile(args.level)?;
    let records = options::record_requests(&args.record);
    let mut prepared = driver::prepare(&args.net, &args.lowering, &args.read, &args.mapping)?;
    prepared.carry(&args.ports, None)?;
    prepared.level(args.level);
    let carried = prepared.carried();
    let (mut source, mut mapping) = (prepared.source, prepared.mapping);
    let mut warnings = source.warnings;
    show.show(&warnings);
    let shown = warnings.len();
    let mut unused = Vec::new();
    if driver::needs_network(&source.module, &args.net).is_ok() {
        let shaping = driver::shape(&mut source.module, &mapping, &mut watch)?;
        driver::add_new(&mut warnings, &shaping);
        if watch.stopped() {
            show.show(&warnings[shown..]);
            return stopped(args, common, &source.module, &source.files);
        }
        let golden = Golden::new(&source.module.network, &source.module.semantics)?;
        driver::add_new(&mut warnings, golden.warnings());
        let network = &source.module.network;
        let ranges = carried::ranges(network, &source.module.inputs);
        driver::add_new(&mut warnings, &golden.unreachable(network, &ranges));
        if let Some(file) = &mapping.calibrate {
            let dt = source.module.semantics.dt;
            mapping.activity = calibrate::measure(file, network, &golden, &carried, dt)?;
            source.files.push(file.clone());
        }
        unused = driver::unused(&golden, &source.typed);
        driver::add_new(&mut warnings, &driver::unused_warnings(&unused));
    } else if mapping.calibrate.is_some() {
        return Err(usage(
            "--calibrate",
            "this IR text no longer holds the network that golden runs",
        )
        .help("use the .nir file, or text from before canonicalise")
        .into());
    }
    let progress = Progress::new(show, format!("compiling {}", source.module.name));
    let outcome = driver::compile(source.module, &mapping, &records, &mut watch);
    progress.finish();
    if let Some(times) = watch.timings() {
        show.remark(times.trim_end());
    }
    let compiled = match outcome? {
        Outcome::Done(compiled) => optimise::improve(*compiled, &mut mapping, &mut watch)?,
        Outcome::Stopped(module, more) => {
            driver::add_new(&mut warnings, &more);
            show.show(&warnings[shown..]);
            return stopped(args, common, &module, &source.files);
        }
    };
    driver::add_new(&mut warnings, &compiled.warnings);
    show.show(&warnings[shown..]);
    let module = compiled.verified.module();
    driver::record_levels(&mut prepared.record, &compiled);
    prepared.record.schedule = report::ScheduleReport::new(&module.app).kind;
    let report = report::report(
        &compiled,
        &mapping.target,
        &prepared.record,
        &unused,
        &warnings,
    )?;
    let text = serde_json::to_string_pretty(&report)
        .map_err(|e| ir::Diagnostic::internal(format!("the report is no JSON: {e}")))?
        + "\n";
    bundle::write(
        &output,
        &compiled.images,
        &prepared.record,
        &mapping.target,
        &text,
    )?;
    driver::depfile(common, &output.join(bundle::DESCRIPTION), &source.files)?;
    let compile_ms = prepared.started.elapsed().as_secs_f64() * 1e3;
    if let Some(path) = &args.report {
        let mut value = serde_json::to_value(&report).unwrap_or_default();
        value["compile_ms"] = json!(compile_ms);
        let text = serde_json::to_string_pretty(&value).unwrap_or_default() + "\n";
        textio::write_file(path, text.as_bytes())?;
    }
    if !common.emit.is_empty() {
        print(&emit::emit(
            &compiled,
            &mapping.target,
            &report,
            &common.emit,
        )?)?;
    }
    if !show.quiet() {
        let r = &report.resources;
        let line = if show.json() {
            json!({
                "v": 1, "bundle": output.display().to_string(), "network": report.network,
                "resources": r, "compile_ms": compile_ms,
            })
            .to_string()
                + "\n"
        } else {
            format!(
                "{}: {} PEs, fullest {} of {} B, {} routing entries, latency {} steps, {compile_ms:.1} ms\n",
                options::escape(&output.display().to_string()),
                r.pes,
                r.max_sram_bytes,
                mapping.target.target.memory.sram_bytes,
                r.routing_entries,
                r.latency_steps
            )
        };
        print(&line)?;
    }
    Ok(())
}

/// `--stop-after`: the text is the result, or the parts that `--emit` names.
fn stopped(
    args: &CompileArgs,
    common: &Common,
    module: &ir::Module,
    files: &[PathBuf],
) -> Result<()> {
    match &args.output {
        Some(path) => {
            textio::write(path, module, false)?;
            driver::depfile(common, path, files)?;
        }
        None if common.depfile.is_some() => {
            return Err(usage("--depfile", "a rule needs an output file")
                .help("name one with -o")
                .into());
        }
        None => {}
    }
    if !common.emit.is_empty() {
        return print(&emit::emit_module(module, &common.emit));
    }
    if args.output.is_none() {
        print(&textio::inline(module))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_is_named_after_the_network() {
        assert_eq!(
            default_output(Path::new("a/digits.nir")),
            Path::new("digits.s2")
        );
        assert_eq!(default_output(Path::new("x.y.s2ir")), Path::new("x.y.s2"));
    }
}
