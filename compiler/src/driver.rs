//! The straight way from a file to images.

use crate::carried::{self, Carried};
use crate::cli::{Common, DuplicateEdges, LoweringArgs, MappingArgs, Optimise, PortArgs, ReadArgs};
use crate::emit::Watch;
use crate::front;
use crate::front::data::InputSet;
use crate::level::{self, LevelArg};
use crate::options::{self, Mapping, OptionsRecord, RecordRequest, usage};
use crate::textio;
use ir::app::Sends;
use ir::diag::{Diagnostics, Result};
use ir::golden::Golden;
use ir::image::ImageSet;
use ir::semantics::Profile;
use ir::verify::{Verified, verify};
use ir::{Code, Diagnostic, Fact, FactSet, Module, Observable, Origin};
use passes::{Activity, MappingOptions, PassContext, Plan};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A network file, read and lowered, with its meaning decided.
#[derive(Debug)]
pub struct Source {
    pub module: Module,
    /// `None` where IR text says what the options would.
    pub profile: Option<Profile>,
    pub warnings: Vec<Diagnostic>,
    /// Flags of the user that may turn out to have no effect.
    pub typed: Vec<&'static str>,
    /// Files that the result depends on.
    pub files: Vec<PathBuf>,
}

/// What a network became.
#[derive(Debug)]
pub struct Compiled {
    pub verified: Verified,
    pub images: ImageSet,
    /// With which the code was generated.
    pub codegen: codegen::Options,
    /// For which it was planned.
    pub activity: Activity,
    pub warnings: Vec<Diagnostic>,
}

/// The end of a compilation: images, or the module where `--stop-after` said.
#[derive(Debug)]
pub enum Outcome {
    Done(Box<Compiled>),
    Stopped(Box<Module>, Vec<Diagnostic>),
}

/// Whether a file is IR text: by its ending, else by its first line.
fn is_text(path: &Path, bytes: &[u8]) -> bool {
    let extension = path.extension().unwrap_or_default();
    extension.eq_ignore_ascii_case("s2ir") || bytes.starts_with(b"s2ir ")
}

/// Reads a network file of any kind into a module.
pub fn load(path: &Path, lowering: &LoweringArgs, read: &ReadArgs) -> Result<Source> {
    let file = path.display().to_string();
    let extension = path.extension().unwrap_or_default();
    if extension.eq_ignore_ascii_case("onnx") {
        return Err(usage(file, "ONNX models are not available yet")
            .help("export a spiking network as .nir")
            .into());
    }
    let bytes = front::read_file(path)?;
    let files = vec![path.to_path_buf()];
    if is_text(path, &bytes) {
        if let Some(flag) = options::typed_lowering_flag(lowering) {
            return Err(
                usage(flag, format!("IR text already says what {flag} would"))
                    .note(format!("{} is IR text", options::escape(&file)))
                    .help("edit its semantics and quantisation lines instead")
                    .into(),
            );
        }
        return Ok(Source {
            module: textio::read(path, &bytes)?,
            profile: None,
            warnings: Vec::new(),
            typed: Vec::new(),
            files,
        });
    }
    let options = front::ReadOptions {
        strict: read.strict,
        duplicate_edges: match read.duplicate_edges {
            DuplicateEdges::Once => front::DuplicateEdges::Once,
            DuplicateEdges::Sum => front::DuplicateEdges::Sum,
        },
    };
    let (network, warnings) = front::load(&bytes, &file, options)?;
    if read.strict {
        // Some repairs show only once shapes are derived.
        let mut shaped = network.clone();
        front::refuse_repairs(&passes::infer_shapes::infer(&mut shaped)?)?;
    }
    let meaning = options::lowering(lowering);
    let mut module = Module::from_network(network, "spinnaker2");
    module.semantics = meaning.semantics;
    module.quantisation = meaning.quantisation;
    Ok(Source {
        module,
        profile: Some(meaning.profile),
        warnings,
        typed: meaning.typed,
        files,
    })
}

/// Writes the mapping options into the module. What IR text has decided
/// already cannot be decided again.
pub fn apply(module: &mut Module, mapping: &Mapping, args: &MappingArgs, text: bool) -> Result<()> {
    let name = &mapping.target.target.name;
    if text && module.target != *name {
        return Err(usage(
            "--target",
            format!(
                "the IR text is for target '{}', not '{}'",
                options::escape(&module.target),
                options::escape(name)
            ),
        )
        .help("name the target of the text")
        .into());
    }
    module.target.clone_from(name);
    let partitioned = module.facts.contains(Fact::Partitioned);
    match args.time_step {
        Some(us) if text && partitioned && us != module.time_step_us => {
            return Err(usage(
                "--time-step",
                format!(
                    "the IR text is already cut for ticks of {} us",
                    module.time_step_us
                ),
            )
            .help("start from text that is not partitioned")
            .into());
        }
        Some(us) => module.time_step_us = us,
        None if text => {}
        None => module.time_step_us = mapping.time_step_us,
    }
    if text && args.kernels.is_some() && module.facts.contains(Fact::Selected) {
        return Err(usage(
            "--kernels",
            "the IR text already says what MAC arrays multiply",
        )
        .help("run `choose-kernels` again with s2c opt, or start from text without it")
        .into());
    }
    mapping.machine(
        &mut module.machine,
        text,
        module.facts.contains(Fact::Placed),
    )
}

/// Runs `infer-shapes`, which everything that looks at a network needs.
pub fn shape(
    module: &mut Module,
    mapping: &Mapping,
    observer: &mut dyn passes::Observer,
) -> Result<Vec<Diagnostic>> {
    if module.facts.contains(Fact::Shaped) {
        return Ok(Vec::new());
    }
    let plan = Plan::from_names(&["infer-shapes"])?;
    run(module, &plan, mapping, observer)
}

pub(crate) fn run(
    module: &mut Module,
    plan: &Plan,
    mapping: &Mapping,
    observer: &mut dyn passes::Observer,
) -> Result<Vec<Diagnostic>> {
    let options = MappingOptions {
        atoms_per_core: mapping.atoms_per_core.clone(),
        goal: mapping.optimise.map(Optimise::goal).unwrap_or_default(),
        activity: mapping.activity.clone(),
        corrections: mapping.corrections.clone(),
        kernels: mapping.kernels,
        schedule: mapping.schedule,
        seed: mapping.seed,
    };
    let context = PassContext {
        target: &mapping.target.target,
        options: &options,
    };
    passes::run(module, plan, &context, observer)
}

/// Runs named passes, as `s2c opt` does.
pub fn run_named(
    module: &mut Module,
    names: &[String],
    mapping: &Mapping,
    watch: &mut Watch,
) -> Result<Vec<Diagnostic>> {
    let plan = Plan::from_names(names)?;
    run(module, &plan, mapping, watch)
}

/// From a module to images: all passes that are still to do, the proof, code.
pub fn compile(
    mut module: Module,
    mapping: &Mapping,
    records: &[RecordRequest],
    watch: &mut Watch,
) -> Result<Outcome> {
    let mut warnings = Vec::new();
    // Recording belongs to populations, which exist from `canonicalise` on.
    if !module.facts.contains(Fact::Canonical) {
        let front = Plan::rest_of_standard(module.facts).stop_after("canonicalise")?;
        warnings.extend(run(&mut module, &front, mapping, watch)?);
        if watch.stopped() {
            return Ok(Outcome::Stopped(Box::new(module), warnings));
        }
    }
    known_populations(&module, mapping, records)?;
    for request in records {
        if let Some(id) = module.app.population_named(&request.node) {
            module.app.populations[id].record.push(request.observable);
        }
    }
    let rest = Plan::rest_of_standard(module.facts);
    warnings.extend(run(&mut module, &rest, mapping, watch)?);
    if watch.stopped() {
        return Ok(Outcome::Stopped(Box::new(module), warnings));
    }
    let compiled = finish(module, mapping, watch, warnings)?;
    Ok(Outcome::Done(Box::new(compiled)))
}

/// The proof and the code of a mapped module.
pub(crate) fn finish(
    module: Module,
    mapping: &Mapping,
    watch: &mut Watch,
    warnings: Vec<Diagnostic>,
) -> Result<Compiled> {
    let target = &mapping.target.target;
    let verified = verify(module, target).map_err(|(_, found)| broken(found))?;
    let images = watch.timed("generate code", || {
        codegen::compile_with(&verified, target, &mapping.codegen)
    })?;
    Ok(Compiled {
        verified,
        images,
        codegen: mapping.codegen.clone(),
        activity: mapping.activity.clone(),
        warnings,
    })
}

/// What the verifier finds after passes is their fault, not the user's: text
/// was verified when it was read.
fn broken(found: Diagnostics) -> Diagnostics {
    let lines = found.0.iter().map(ToString::to_string).collect();
    let mut bug = Diagnostic::internal("the mapped module breaks an invariant");
    bug.notes = lines;
    bug.into()
}

/// Names in `--atoms-per-core` and `--record` must be populations.
fn known_populations(module: &Module, mapping: &Mapping, records: &[RecordRequest]) -> Result<()> {
    let names: Vec<String> = module
        .app
        .populations
        .values()
        .map(|p| options::escape(&p.name))
        .collect();
    let mut errors = Vec::new();
    let mut unknown = |flag: &str, code: Code, name: &str| {
        if module.app.population_named(name).is_none() {
            errors.push(
                Diagnostic::error(
                    code,
                    &Origin::Option {
                        flag: flag.to_owned(),
                    },
                    format!("there is no population '{}'", options::escape(name)),
                )
                .note(format!("populations: {}", names.join(", "))),
            );
        }
    };
    for name in mapping.atoms_per_core.keys() {
        unknown("--atoms-per-core", Code::Usage, name);
    }
    for request in records {
        unknown("--record", Code::RecordUnknown, &request.node);
    }
    for request in records
        .iter()
        .filter(|r| r.observable != Observable::Spikes)
    {
        errors.push(
            usage(
                "--record",
                format!(
                    "recording '{}' on the chip is not available yet",
                    request.observable.name()
                ),
            )
            .help("record spikes, or use s2c run --record, which needs nothing compiled in"),
        );
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Diagnostics(errors))
    }
}

/// Everything that `compile` and `check` do before they differ.
#[derive(Debug)]
pub struct Prepared {
    pub source: Source,
    pub mapping: Mapping,
    pub record: OptionsRecord,
    pub started: Instant,
}

/// Resolves options, reads the network, writes the options into it.
pub fn prepare(
    net: &Path,
    lowering: &LoweringArgs,
    read: &ReadArgs,
    args: &MappingArgs,
) -> Result<Prepared> {
    let started = Instant::now();
    let mut mapping = options::mapping(args)?;
    let mut source = load(net, lowering, read)?;
    let text = source.profile.is_none();
    if text {
        ir::verify::check(&source.module, &mapping.target.target)?;
    }
    apply(&mut source.module, &mapping, args, text)?;
    mapping.time_step_us = source.module.time_step_us;
    if let Some(file) = &mapping.target.file {
        source.files.push(file.clone());
    }
    let m = &source.module;
    let record = OptionsRecord::new(source.profile, &m.semantics, &m.quantisation, &mapping);
    Ok(Prepared {
        source,
        mapping,
        record,
        started,
    })
}

impl Prepared {
    /// Takes over what `--level` says about programs.
    pub fn level(&mut self, arg: Option<LevelArg>) {
        let policy = level::policy(arg, &self.mapping.target.target);
        self.mapping.codegen.auto_level = policy;
        self.record.auto_level = policy.map(|p| p.threshold);
    }

    /// Decides what the Inputs carry: what the options say, else what IR text
    /// said, else what the data need (if there are data).
    pub fn carry(&mut self, args: &PortArgs, data: Option<&InputSet>) -> Result<()> {
        let module = &mut self.source.module;
        if let Some(carried) = carried::chosen(&module.network, args)? {
            if module.facts.contains(Fact::Canonical) {
                return Err(usage(
                    "--max-count",
                    "the IR text already says what its inputs carry",
                )
                .help("start from text from before canonicalise")
                .into());
            }
            module.inputs = carried;
        } else if let Some(set) = data
            && module.inputs.is_empty()
        {
            module.inputs = carried::of_data(set);
        }
        // What is not listed carries spikes.
        module.inputs.retain(|_, sends| *sends != Sends::Spikes);
        self.record.inputs = self
            .carried()
            .into_iter()
            .map(|(name, s)| (name, carried::text(s)))
            .collect();
        Ok(())
    }

    /// What each Input carries.
    pub fn carried(&self) -> Carried {
        let module = &self.source.module;
        let ports = module.network.inputs().into_iter().map(|id| {
            let name = &module.network.nodes[id].name;
            let sends = module.inputs.get(name).copied().unwrap_or(Sends::Spikes);
            (name.clone(), sends)
        });
        ports.collect()
    }
}

/// The flags that were typed and change nothing on this network.
pub fn unused(golden: &Golden, typed: &[&'static str]) -> Vec<&'static str> {
    let mut unused = golden.unused_options();
    unused.retain(|flag| typed.contains(flag));
    unused
}

/// The same as warnings.
pub fn unused_warnings(unused: &[&'static str]) -> Vec<Diagnostic> {
    let warn = |flag: &&'static str| {
        Diagnostic::warning(
            Code::OptionUnused,
            &Origin::Option {
                flag: (*flag).to_owned(),
            },
            format!("{flag} has no effect on this network"),
        )
    };
    unused.iter().map(warn).collect()
}

/// Adds warnings that are not there yet: golden and the passes both look at
/// the options.
pub fn add_new(warnings: &mut Vec<Diagnostic>, more: &[Diagnostic]) {
    for d in more {
        if !warnings.contains(d) {
            warnings.push(d.clone());
        }
    }
}

/// Notes that PEs choose their levels, where that was decided after the options.
pub fn record_levels(record: &mut OptionsRecord, compiled: &Compiled) {
    let most = compiled.codegen.levels.values().map(|l| l.threshold).max();
    record.auto_level = most.or(record.auto_level);
}

/// The Makefile rule of `--depfile`.
pub fn depfile(common: &Common, output: &Path, files: &[PathBuf]) -> Result<()> {
    let Some(path) = &common.depfile else {
        return Ok(());
    };
    let escape = |p: &Path| {
        let mut out = String::new();
        for c in p.display().to_string().chars() {
            match c {
                ' ' | '#' | '\\' => {
                    out.push('\\');
                    out.push(c);
                }
                '$' => out.push_str("$$"),
                '\n' | '\r' => out.push('?'),
                other => out.push(other),
            }
        }
        out
    };
    let mut text = format!("{}:", escape(output));
    for file in files {
        text.push_str(" \\\n  ");
        text.push_str(&escape(file));
    }
    text.push('\n');
    textio::write_file(path, text.as_bytes())
}

/// Whether a module still holds the float network that golden runs.
pub fn needs_network(module: &Module, net: &Path) -> Result<()> {
    let consumed = FactSet::of(&[Fact::Canonical]);
    if module.facts.contains_all(consumed) || module.network.nodes.is_empty() {
        return Err(usage(
            net.display().to_string(),
            "this IR text no longer holds the network that golden runs",
        )
        .note("`canonicalise` folded it into populations")
        .help("use the .nir file, or text from before canonicalise")
        .into());
    }
    Ok(())
}
