//! `s2c check`: compile, run golden, the fixed reference and the emulator, and
//! compare them.

mod expect;
mod json;
mod table;

use crate::calibrate;
use crate::carried;
use crate::cli::{Align, CheckArgs, Common, Deny};
use crate::compare::{Comparison, combine, compare_all};
use crate::driver::{self, Compiled, Outcome, Prepared};
use crate::emit::{self, Watch};
use crate::engines::{self, Emulated, Emulation, Feed, RunOptions};
use crate::front::data;
use crate::level;
use crate::optimise;
use crate::options::{self, usage};
use crate::progress::Progress;
use crate::render::{Renderer, print};
use crate::report;
use crate::tracks::{Kind, Tracks, accuracy};
use ir::diag::{Diagnostics, Result};
use ir::golden::Golden;
use ir::semantics::SpikeOn;
use ir::{Code, Diagnostic, Observable, Origin};
use json::{Accuracy, CheckReport, EmulatedJson, Four};
use std::time::Instant;

/// Largest share of the range by which graded outputs may differ from `--expect`.
const DEFAULT_TOLERANCE: f64 = 1e-5;

/// Runs the check. With `--json` the object is printed whatever happens.
pub fn check(args: &CheckArgs, common: &Common, show: &Renderer) -> Result<()> {
    let mut report = CheckReport::default();
    let result = run(args, common, show, &mut report);
    if args.json {
        let text = serde_json::to_string(&report)
            .map_err(|e| Diagnostic::internal(format!("the result is no JSON: {e}")))?;
        print(&(text + "\n"))?;
    } else if report.samples.is_some() && report.fixed_vs_emulated.is_some() && !show.quiet() {
        print(&table::human(&report))?;
    }
    result
}

/// A compiled network with what the comparison needs of it.
struct Subject {
    network: ir::Network,
    golden: Golden,
    compiled: Box<Compiled>,
    mapping: options::Mapping,
}

impl Subject {
    /// Whether an output is spiking or graded is what the chip makes of it: a
    /// sum of spikes is a value there, a delayed spike is a spike.
    fn call_alike(&self, golden: &mut Tracks) {
        let app = &self.compiled.verified.module().app;
        for track in &mut golden.outputs {
            if let Some(output) = app.outputs.iter().find(|o| o.name == track.name) {
                track.kind = Kind::of(app.populations[output.source].sends);
            }
        }
        for track in &mut golden.recorded {
            if let Some(id) = app.population_named(&track.name)
                && track.observable == Observable::Spikes
            {
                track.kind = Kind::of(app.populations[id].sends);
            }
        }
    }
}

fn run(args: &CheckArgs, common: &Common, show: &Renderer, report: &mut CheckReport) -> Result<()> {
    if common.stop_after.is_some() {
        return Err(usage("--stop-after", "a check needs the whole compilation")
            .help("use s2c compile or s2c opt")
            .into());
    }
    emit::check_kinds(common)?;
    let mut prepared = prepare(args, common, show, report)?;
    let network = prepared.source.module.network.clone();
    let requests = options::record_requests(&args.record);
    let nodes = engines::find_nodes(&network, &requests)?;
    if !requests.is_empty() && prepared.source.module.semantics.spike_on == SpikeOn::Old {
        show.remark(engines::EARLY_ROWS);
    }
    let ports = data::ports_of(&network);
    let (set, warnings) =
        crate::feed::read(&args.input, &ports, prepared.source.module.semantics.dt)?;
    show.show(&warnings);
    report.samples = Some(set.samples);
    report.steps = Some(set.steps);
    prepared.carry(&args.ports, Some(&set))?;
    prepared.level(args.level);
    report.options = Some(prepared.record.clone());
    let carried = prepared.carried();
    carried::check_range(&set, &carried, &args.input.input.display().to_string())?;
    let subject = compile(args, common, show, report, prepared)?;
    let expect = args
        .expect
        .as_deref()
        .map(expect::Reference::read)
        .transpose()?;
    let feed = Feed {
        set: &set,
        ports: &ports,
    };
    let options = RunOptions {
        align: Align::Input,
        threads: common.threads.map_or(0, usize::from),
        trace: None,
        engine: common.engine.engine(),
    };
    let labels = set.labels.as_deref();
    if args.max_accuracy_drop.is_some()
        && (labels.is_none() || subject.network.outputs().len() != 1)
    {
        return Err(usage(
            "--max-accuracy-drop",
            "there is no accuracy: it needs labels and a single output",
        )
        .help("put labels into the input file as y")
        .into());
    }

    let progress = Progress::new(show, format!("golden, {} samples", set.samples));
    let done = engines::golden(
        &subject.golden,
        &subject.network,
        feed,
        &carried,
        &nodes,
        options,
    )?;
    // The emulated chip says which populations are silent.
    let mut golden = done.tracks;
    subject.call_alike(&mut golden);
    progress.finish();
    report.golden = Some(Accuracy {
        accuracy: accuracy(&golden.outputs, labels),
    });
    let mut failures = Vec::new();
    if let Some(expect) = &expect {
        let expected = expect.tracks(&golden.outputs)?;
        let found = compare_all(&golden.outputs, &expected.outputs, false)?;
        failures.extend(beyond_tolerance(&found, &args.tol));
        let n = found.len();
        report.expect_vs_golden = record(report, &found, n, |four| &mut four.expect_vs_golden);
    }

    let app = &subject.compiled.verified.module().app;
    let progress = Progress::new(show, format!("fixed reference, {} samples", set.samples));
    let (fixed, _) = engines::fixed::<f32>(app, feed, &requests, options)?;
    let (quantised, _) = engines::fixed::<f64>(app, feed, &[], options)?;
    progress.finish();
    report.golden_quantised = Some(Accuracy {
        accuracy: accuracy(&quantised.outputs, labels),
    });

    let progress = Progress::new(show, format!("emulating {} samples", set.samples));
    let emulated = engines::emulate(
        &subject.compiled.images,
        &subject.mapping.target.target,
        feed,
        &requests,
        options,
        &Emulation {
            level: level::of_check(args.level),
            seed: subject.mapping.seed,
            ..Emulation::default()
        },
    )?;
    progress.finish();
    show.show(&emulated.report.warnings());
    show.show(&emulated.notices);
    report.emulated = Some(EmulatedJson::new(
        accuracy(&emulated.tracks.outputs, labels),
        &emulated.report,
        emulated.host,
    ));

    let chip = &emulated.tracks;
    let (found, n) = all(chip, &fixed)?;
    failures.extend(not_exact(&found));
    report.fixed_vs_emulated = record(report, &found, n, |four| &mut four.fixed_vs_emulated);
    let (found, n) = all(chip, &golden)?;
    report.golden_vs_emulated = record(report, &found, n, |four| &mut four.golden_vs_emulated);
    if let Some(expect) = &expect {
        let expected = expect.tracks(&chip.outputs)?;
        let found = compare_all(&chip.outputs, &expected.outputs, false)?;
        let n = found.len();
        report.expect_vs_emulated = record(report, &found, n, |four| &mut four.expect_vs_emulated);
    }
    if report.fixed_vs_emulated.is_none() {
        let origin = Origin::File {
            file: args.net.display().to_string(),
        };
        return Err(Diagnostic::error(
            Code::NothingCompared,
            &origin,
            "the network has no output that could be compared",
        )
        .into());
    }
    failures.extend(limits(args, report, &emulated));
    if failures.is_empty() {
        Ok(())
    } else {
        Err(Diagnostics(failures))
    }
}

/// Reads the network and gives it its shapes.
fn prepare(
    args: &CheckArgs,
    common: &Common,
    show: &Renderer,
    report: &mut CheckReport,
) -> Result<Prepared> {
    let mut prepared = driver::prepare(&args.net, &args.lowering, &args.read, &args.mapping)?;
    let source = &mut prepared.source;
    report.network = Some(source.module.name.clone());
    report.options = Some(prepared.record.clone());
    report.assumptions =
        report::assumptions(&prepared.mapping.target, &source.module.machine, false);
    show.show(&source.warnings);
    driver::needs_network(&source.module, &args.net)?;
    let mut watch = Watch::new(common)?;
    show.show(&driver::shape(
        &mut source.module,
        &prepared.mapping,
        &mut watch,
    )?);
    report.compile_ms = Some(prepared.started.elapsed().as_secs_f64() * 1e3);
    Ok(prepared)
}

fn compile(
    args: &CheckArgs,
    common: &Common,
    show: &Renderer,
    report: &mut CheckReport,
    mut prepared: Prepared,
) -> Result<Subject> {
    let carried = prepared.carried();
    let (source, mut mapping) = (prepared.source, prepared.mapping);
    let mut watch = Watch::new(common)?;
    let network = source.module.network.clone();
    let golden = Golden::new(&network, &source.module.semantics)?;
    let mut warnings = golden.warnings().to_vec();
    let ranges = carried::ranges(&network, &source.module.inputs);
    warnings.extend(golden.unreachable(&network, &ranges));
    if let Some(file) = &mapping.calibrate {
        let dt = source.module.semantics.dt;
        mapping.activity = calibrate::measure(file, &network, &golden, &carried, dt)?;
    }
    let unused = driver::unused(&golden, &source.typed);
    warnings.extend(driver::unused_warnings(&unused));

    let begin = Instant::now();
    let outcome = driver::compile(source.module, &mapping, &[], &mut watch);
    let spent = begin.elapsed().as_secs_f64() * 1e3;
    if let Some(times) = watch.timings() {
        show.remark(times.trim_end());
    }
    let Outcome::Done(compiled) = outcome? else {
        return Err(Diagnostic::internal("a compilation without a stop stopped").into());
    };
    let compiled = Box::new(optimise::improve(*compiled, &mut mapping, &mut watch)?);
    driver::record_levels(&mut prepared.record, &compiled);
    // Now with the machine that the options ask for, and what programs use.
    let array = report::multiply(&compiled.images);
    report.assumptions = report::assumptions(&mapping.target, &compiled.images.machine, array);
    driver::add_new(&mut warnings, &compiled.warnings);
    show.show(&warnings);
    report.compile_ms = Some(report.compile_ms.unwrap_or(0.0) + spent);
    report.resources = Some(report::resources(compiled.verified.module()));
    report.fixed_point = report::states(&compiled.verified.module().app);
    let schedule = report::ScheduleReport::new(&compiled.verified.module().app);
    prepared.record.schedule = schedule.kind;
    report.options = Some(prepared.record.clone());
    if !common.emit.is_empty() {
        if args.json {
            return Err(usage("--emit", "stdout already carries the JSON object")
                .help("use --emit with s2c compile")
                .into());
        }
        let details = report::report(
            &compiled,
            &mapping.target,
            &prepared.record,
            &unused,
            &warnings,
        )?;
        print(&emit::emit(
            &compiled,
            &mapping.target,
            &details,
            &common.emit,
        )?)?;
    }
    if common.depfile.is_some() {
        show.show(&[Diagnostic::warning(
            Code::OptionUnused,
            &Origin::Option {
                flag: "--depfile".to_owned(),
            },
            "--depfile has no effect on `s2c check`: it writes no file",
        )]);
    }
    Ok(Subject {
        network,
        golden,
        compiled,
        mapping,
    })
}

/// Outputs and recordings of `a` against those of `b`: all of them, and how
/// many of them are outputs.
fn all(a: &Tracks, b: &Tracks) -> Result<(Vec<(String, Comparison)>, usize)> {
    let mut found = compare_all(&a.outputs, &b.outputs, false)?;
    let outputs = found.len();
    found.extend(compare_all(&a.recorded, &b.recorded, true)?);
    Ok((found, outputs))
}

/// Files comparisons under their output and gives the sum over the first
/// `outputs` of them. Recordings stand in `per_output` as
/// `<node>.<observable>` and don't count.
fn record(
    report: &mut CheckReport,
    found: &[(String, Comparison)],
    outputs: usize,
    place: fn(&mut Four) -> &mut Option<Comparison>,
) -> Option<Comparison> {
    for (name, comparison) in found {
        let four = report.per_output.entry(name.clone()).or_default();
        *place(four) = Some(comparison.clone());
    }
    let counted: Vec<Comparison> = found.iter().take(outputs).map(|(_, c)| c.clone()).collect();
    combine(&counted)
}

fn not_exact(found: &[(String, Comparison)]) -> Vec<Diagnostic> {
    let wrong = found.iter().filter(|(_, c)| !c.is_exact());
    wrong
        .map(|(name, c)| {
            Diagnostic::error(
                Code::NotExact,
                &Origin::Compiler,
                format!(
                    "the emulated chip differs from the fixed reference at '{}'",
                    options::escape(name)
                ),
            )
            .note(format!(
                "{} of {} positions differ",
                c.wrong_spikes + c.wrong_values,
                c.positions
            ))
            .help("unless packets were lost or deadlines missed, this is a bug in s2c; please report it")
        })
        .collect()
}

fn beyond_tolerance(found: &[(String, Comparison)], tol: &[f64]) -> Vec<Diagnostic> {
    let spikes = tol
        .iter()
        .copied()
        .filter(|t| *t >= 1.0)
        .fold(0.0, f64::max);
    let share = tol
        .iter()
        .copied()
        .find(|t| *t < 1.0)
        .unwrap_or(DEFAULT_TOLERANCE);
    let mut errors = Vec::new();
    for (name, c) in found {
        let values = if c.wrong_values > 0 {
            c.max_rel_error
        } else {
            0.0
        };
        if c.wrong_spikes as f64 > spikes || values > share {
            errors.push(
                Diagnostic::error(
                    Code::ExpectDiffers,
                    &Origin::Compiler,
                    format!("golden differs from --expect at '{}'", options::escape(name)),
                )
                .note(format!(
                    "{} wrong spikes, {spikes} allowed; error {values:e} of the range, {share:e} allowed",
                    c.wrong_spikes
                ))
                .help("check --profile, --dt and --reset against the framework, or allow more with --tol"),
            );
        }
    }
    errors
}

/// The limits that the user gave.
fn limits(args: &CheckArgs, report: &CheckReport, emulated: &Emulated) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    let mut fail = |flag: &str, message: &str, note: String| {
        let origin = Origin::Option {
            flag: flag.to_owned(),
        };
        errors.push(Diagnostic::error(Code::LimitFailed, &origin, message).note(note));
    };
    if let (Some(min), Some(c)) = (args.min_agreement, &report.golden_vs_emulated)
        && c.argmax_agreement < min
    {
        fail(
            "--min-agreement",
            "golden and chip agree on too few samples",
            format!("agreement {}, at least {min} asked for", c.argmax_agreement),
        );
    }
    if let Some(max) = args.max_accuracy_drop {
        let golden = report.golden.as_ref().and_then(|a| a.accuracy);
        let chip = report.emulated.as_ref().and_then(|e| e.accuracy);
        match golden.zip(chip) {
            Some((g, c)) if g - c > max => fail(
                "--max-accuracy-drop",
                "the chip loses too much accuracy",
                format!(
                    "golden {g}, chip {c}: a drop of {}, at most {max} allowed",
                    g - c
                ),
            ),
            Some(_) => {}
            None => fail(
                "--max-accuracy-drop",
                "there is no accuracy to compare",
                "the labels hold fewer than two classes".to_owned(),
            ),
        }
    }
    let missed = emulated.report.missed_deadlines;
    if args.deny.contains(&Deny::MissedDeadlines) && missed > 0 {
        fail(
            "--deny missed-deadlines",
            "deadlines were missed",
            format!("{missed} missed deadlines"),
        );
    }
    errors
}
