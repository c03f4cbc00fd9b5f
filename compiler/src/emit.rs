//! Looking into a compilation: `--print-before`, `--print-after`,
//! `--stop-after`, `--time-passes`, `--verify-each` and `--emit`.

use crate::cli::{Common, EmitKind};
use crate::driver::Compiled;
use crate::options::{NamedTarget, escape, usage};
use crate::report::Report;
use crate::textio;
use ir::diag::{Diagnostics, Result};
use ir::{Code, Diagnostic, Id, Module, Origin};
use passes::registry;
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The pass that runs, for the message of a panic.
static RUNNING: Mutex<Option<&'static str>> = Mutex::new(None);

/// The pass that was running when the program stopped.
pub fn running_pass() -> Option<&'static str> {
    RUNNING.lock().map_or(None, |running| *running)
}

fn set_running(pass: Option<&'static str>) {
    if let Ok(mut running) = RUNNING.lock() {
        *running = pass;
    }
}

/// The observer of a compilation.
#[derive(Debug, Default)]
pub struct Watch {
    before: Vec<String>,
    after: Vec<String>,
    stop_after: Option<String>,
    verify_each: bool,
    timings: Option<Vec<(&'static str, Duration)>>,
    begin: Option<Instant>,
    stopped: bool,
}

impl Watch {
    /// Checks the pass names of the options.
    pub fn new(common: &Common) -> Result<Self> {
        let mut errors = Vec::new();
        let lists = [
            ("--print-before", common.print_before.as_slice()),
            ("--print-after", common.print_after.as_slice()),
            ("--stop-after", common.stop_after.as_slice()),
        ];
        for (flag, names) in lists {
            for name in names {
                let all = name == "all" && flag != "--stop-after";
                if !all && registry::find(name).is_none() {
                    errors.push(unknown(flag, name));
                }
            }
        }
        if !errors.is_empty() {
            return Err(Diagnostics(errors));
        }
        Ok(Self {
            before: common.print_before.clone(),
            after: common.print_after.clone(),
            stop_after: common.stop_after.clone(),
            verify_each: common.verify_each || cfg!(debug_assertions),
            timings: common.time_passes.then(Vec::new),
            begin: None,
            stopped: false,
        })
    }

    /// Whether `--stop-after` ended the run.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// Times a stage that is no pass.
    pub fn timed<T>(&mut self, stage: &'static str, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = work();
        if let Some(timings) = &mut self.timings {
            timings.push((stage, begin.elapsed()));
        }
        result
    }

    /// The table of `--time-passes`, if it was asked for.
    pub fn timings(&self) -> Option<String> {
        let timings = self.timings.as_ref()?;
        let mut out = String::new();
        let total: Duration = timings.iter().map(|(_, t)| *t).sum();
        for (name, time) in timings.iter().chain([&("total", total)]) {
            let _ = writeln!(out, "{:>10.3} ms  {name}", time.as_secs_f64() * 1e3);
        }
        Some(out)
    }
}

fn wanted(list: &[String], pass: &str) -> bool {
    list.iter().any(|name| name == pass || name == "all")
}

fn dump(when: &str, pass: &str, module: &Module) {
    let text = textio::readable(module);
    // A closed stderr leaves nobody to tell.
    let _ = write!(std::io::stderr().lock(), "# {when} {pass}\n{text}");
}

impl passes::Observer for Watch {
    fn before(&mut self, pass: &dyn passes::Pass, module: &Module) {
        set_running(Some(pass.name()));
        if wanted(&self.before, pass.name()) {
            dump("before", pass.name(), module);
        }
        self.begin = Some(Instant::now());
    }

    fn after(&mut self, pass: &dyn passes::Pass, module: &Module) -> ControlFlow<()> {
        if let (Some(begin), Some(timings)) = (self.begin.take(), &mut self.timings) {
            timings.push((pass.name(), begin.elapsed()));
        }
        set_running(None);
        if wanted(&self.after, pass.name()) {
            dump("after", pass.name(), module);
        }
        if self.stop_after.as_deref() == Some(pass.name()) {
            self.stopped = true;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn verify_each(&self) -> bool {
        self.verify_each
    }
}

fn unknown(flag: &str, name: &str) -> Diagnostic {
    let origin = Origin::Option {
        flag: flag.to_owned(),
    };
    let known: Vec<_> = registry::ALL.iter().map(|p| p.name()).collect();
    Diagnostic::error(
        Code::PassUnknown,
        &origin,
        format!("there is no pass '{}'", escape(name)),
    )
    .note(format!("passes: {}", known.join(", ")))
    .help("s2c passes says what each of them does")
}

/// Whether a kind shows the module itself, not what follows from it.
pub fn needs_module_only(kind: EmitKind) -> bool {
    match kind {
        EmitKind::App
        | EmitKind::Machine
        | EmitKind::Places
        | EmitKind::Routes
        | EmitKind::Tables => true,
        EmitKind::Asm | EmitKind::Clif | EmitKind::Elf | EmitKind::Spec | EmitKind::Report => false,
    }
}

/// Refuses kinds that don't exist yet, and kinds that a stopped compilation
/// can't show.
pub fn check_kinds(common: &Common) -> Result<()> {
    let mut errors = Vec::new();
    for kind in &common.emit {
        let early = needs_module_only(*kind);
        if *kind == EmitKind::Spec {
            errors.push(
                usage(
                    "--emit spec",
                    "the host-runner description is not available yet",
                )
                .help("bundle.json describes the program for hosts"),
            );
        } else if common.stop_after.is_some() && !early {
            errors.push(
                usage("--emit", "this kind needs the whole compilation")
                    .note("with --stop-after, app, machine, places, routes and tables can be shown")
                    .help("leave --stop-after out"),
            );
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Diagnostics(errors))
    }
}

/// The lines of the module text that belong to a kind.
fn lines(module: &Module, nouns: &[&str]) -> String {
    let text = textio::readable(module);
    let mut out = String::new();
    for line in text.lines() {
        let noun = line.split(' ').next().unwrap_or_default();
        if nouns.contains(&noun) {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// What the kinds that only need a module show.
fn of_module(module: &Module, kind: EmitKind) -> Option<String> {
    let nouns: &[&str] = match kind {
        EmitKind::App => &["population", "projection", "output"],
        EmitKind::Machine => &["vertex", "net"],
        EmitKind::Places => &["place"],
        EmitKind::Routes => &["key", "tree"],
        EmitKind::Tables => &["table", "entry"],
        EmitKind::Asm | EmitKind::Clif | EmitKind::Elf | EmitKind::Spec | EmitKind::Report => {
            return None;
        }
    };
    Some(lines(module, nouns))
}

/// Everything that `--emit` asked for, each under a heading if there are several.
pub fn emit_module(module: &Module, kinds: &[EmitKind]) -> String {
    let parts = kinds
        .iter()
        .filter_map(|&k| Some((k, of_module(module, k)?)));
    joined(parts.collect())
}

/// The same after a whole compilation.
pub fn emit(
    compiled: &Compiled,
    target: &NamedTarget,
    report: &Report,
    kinds: &[EmitKind],
) -> Result<String> {
    let module = compiled.verified.module();
    let needs_code = |k: &EmitKind| matches!(k, EmitKind::Asm | EmitKind::Clif);
    let code = if kinds.iter().any(needs_code) {
        codegen::listings(&compiled.verified, &target.target, &compiled.codegen)?
    } else {
        Vec::new()
    };
    let mut parts = Vec::new();
    for &kind in kinds {
        let text = match kind {
            EmitKind::Asm => listing(module, &code, |out, vertex| {
                for f in &vertex.functions {
                    let _ = writeln!(out, "\n{}:\n{}", f.name, f.disassembly().trim_end());
                }
            }),
            EmitKind::Clif => listing(module, &code, |out, vertex| {
                for k in &vertex.kernels {
                    let _ = writeln!(out, "\n; {}\n{}", k.name(), k.function);
                }
            }),
            EmitKind::Elf => elf(compiled),
            EmitKind::Report => crate::report::human(report),
            EmitKind::Spec => String::new(),
            early => of_module(module, early).unwrap_or_default(),
        };
        parts.push((kind, text));
    }
    Ok(joined(parts))
}

fn joined(parts: Vec<(EmitKind, String)>) -> String {
    if let [(_, only)] = parts.as_slice() {
        return only.clone();
    }
    let mut out = String::new();
    for (kind, text) in parts {
        let name = format!("{kind:?}").to_lowercase();
        let _ = writeln!(out, "== {name}\n{}", text.trim_end());
    }
    out
}

fn listing(
    module: &Module,
    code: &[codegen::VertexCode],
    body: impl Fn(&mut String, &codegen::VertexCode),
) -> String {
    let mut out = String::new();
    for vertex in code {
        let v = &module.machine_graph.vertices[vertex.vertex];
        let name = escape(&module.app.populations[v.population].name);
        let place = module
            .placements
            .get(&vertex.vertex)
            .map_or_else(|| "nowhere".to_owned(), ToString::to_string);
        let number = vertex.vertex.index();
        let _ = writeln!(out, "; %v{number} {name}{} on {place}", v.slice);
        body(&mut out, vertex);
        out.push('\n');
    }
    out
}

/// Segments and symbols of every program, as they stand in its ELF file.
fn elf(compiled: &Compiled) -> String {
    let mut out = String::new();
    for chip in &compiled.images.chips {
        for image in &chip.pes {
            let _ = writeln!(
                out,
                "{} {} entry {:#010x}",
                chip.chip, image.pe, image.entry
            );
            for s in &image.segments {
                let _ = writeln!(
                    out,
                    "  {:#010x} {:>7} B ({} in the file) {}{}",
                    s.addr,
                    s.size,
                    s.bytes.len(),
                    s.name,
                    if s.executable { ", executable" } else { "" }
                );
            }
            for s in &image.symbols {
                let _ = writeln!(out, "  {:#010x} {:>7}   {}", s.addr, s.size, s.name);
            }
        }
    }
    out
}
