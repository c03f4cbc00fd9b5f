//! Passes on text: every `filetests/<pass>/*.s2ir` and the snapshot beside it.
//!
//! The first line of a file says what to run:
//!
//! ```text
//! // passes: partition, place; atoms-per-core hid=8
//! ```
//!
//! The snapshot shows the input, what each pass changes in it, and what was
//! reported. A line that a diagnostic points at ends with `//~ E0501`; the
//! first line stands for diagnostics that point at no line.

use ir::text::{NoBlobs, PrintOptions, parse, print};
use ir::{Diagnostic, Module, Origin, Target};
use passes::{Goal, Kernels, MappingOptions, Observer, Pass, PassContext, Plan};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/filetests");

/// A longer snapshot is too long to judge.
const MOST_LINES: usize = 60;

/// Writes down what each pass changes: lines that go (`-`) and come (`+`).
#[derive(Default)]
struct Recorder {
    before: String,
    text: String,
}

fn printed(module: &Module) -> String {
    let options = PrintOptions {
        inline_blobs: true,
        origins: false,
    };
    print(module, &options).0
}

impl Observer for Recorder {
    fn before(&mut self, _: &dyn Pass, module: &Module) {
        self.before = printed(module);
    }
    fn after(&mut self, pass: &dyn Pass, module: &Module) -> ControlFlow<()> {
        let after = printed(module);
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        let (old, new) = (lines(&self.before), lines(&after));
        let _ = writeln!(self.text, "--- after {}", pass.name());
        for gone in self.before.lines().filter(|l| !new.contains(*l)) {
            let _ = writeln!(self.text, "- {gone}");
        }
        for come in after.lines().filter(|l| !old.contains(*l)) {
            let _ = writeln!(self.text, "+ {come}");
        }
        ControlFlow::Continue(())
    }
}

/// The pass names and the options of the first line.
fn instructions(text: &str) -> (Vec<String>, MappingOptions) {
    let first = text.lines().next().unwrap_or_default();
    let first = first.split("//~").next().unwrap_or_default();
    let rest = first
        .strip_prefix("// passes:")
        .expect("the first line is `// passes: …`");
    let mut parts = rest.split(';');
    let names = parts.next().unwrap_or_default().split(',');
    let mut options = MappingOptions::default();
    for part in parts {
        let words: Vec<&str> = part.split_whitespace().collect();
        match words.as_slice() {
            ["atoms-per-core", bound] => {
                let (name, n) = bound.split_once('=').expect("POP=N");
                let n = n.parse().expect("a number");
                options.atoms_per_core.insert(name.to_owned(), n);
            }
            ["optimise", goal] => {
                let all = [Goal::Pes, Goal::Latency, Goal::Energy];
                let known = all.into_iter().find(|g| g.name() == *goal);
                options.goal = known.expect("a goal");
            }
            ["kernels", how] => {
                let known = Kernels::ALL.into_iter().find(|k| k.name() == *how);
                options.kernels = known.expect("kernels");
            }
            ["schedule", kind] => options.schedule = kind.parse().expect("a schedule"),
            _ => panic!("unknown instruction `{part}`"),
        }
    }
    let names = names.map(|n| n.trim().to_owned()).filter(|n| !n.is_empty());
    (names.collect(), options)
}

/// Line and code of every `//~` comment.
fn expected(text: &str) -> BTreeSet<(usize, String)> {
    let mut found = BTreeSet::new();
    for (line, text) in (1..).zip(text.lines()) {
        for code in text.split("//~").skip(1) {
            found.insert((line, code.trim().to_owned()));
        }
    }
    found
}

fn reported(diagnostics: &[Diagnostic]) -> BTreeSet<(usize, String)> {
    let line = |d: &Diagnostic| match d.origin.root() {
        Origin::Text { line, .. } => *line,
        Origin::NirNode { .. }
        | Origin::Derived { .. }
        | Origin::File { .. }
        | Origin::Option { .. }
        | Origin::Compiler => 1,
    };
    let code = |d: &Diagnostic| d.code.id().to_owned();
    diagnostics.iter().map(|d| (line(d), code(d))).collect()
}

fn run(text: &str, file: &str) -> (String, Vec<Diagnostic>) {
    let (names, options) = instructions(text);
    let target = Target::spinnaker2();
    let context = PassContext {
        target: &target,
        options: &options,
    };
    let mut recorder = Recorder::default();
    let result = Plan::from_names(&names).and_then(|plan| {
        let mut module = parse(text, file, &NoBlobs)?;
        passes::run(&mut module, &plan, &context, &mut recorder)
    });
    let diagnostics = match result {
        Ok(warnings) => warnings,
        Err(errors) => errors.0,
    };
    (recorder.text, diagnostics)
}

fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(FOLDER).expect("the folder of filetests") {
        let folder = folder.expect("readable").path();
        if folder.is_dir() {
            let inside = std::fs::read_dir(folder).expect("readable");
            files.extend(inside.map(|f| f.expect("readable").path()));
        }
    }
    files.retain(|f| f.extension().is_some_and(|e| e == "s2ir"));
    files.sort();
    files
}

fn check(path: &Path) {
    let text = std::fs::read_to_string(path).expect("readable");
    let stem = path.file_stem().expect("a name").to_string_lossy();
    let (after, diagnostics) = run(&text, &format!("{stem}.s2ir"));
    assert_eq!(
        expected(&text),
        reported(&diagnostics),
        "{}: marked and reported; {diagnostics:#?}",
        path.display()
    );
    let mut shown = format!("--- input\n{text}{after}");
    if !diagnostics.is_empty() {
        shown.push_str("--- diagnostics\n");
        for d in &diagnostics {
            let _ = writeln!(shown, "{d}");
        }
    }
    let lines = shown.lines().count();
    assert!(
        lines < MOST_LINES,
        "{}: {lines} lines; make the test smaller",
        path.display()
    );
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(path.parent().expect("a folder"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(&*stem, shown));
}

#[test]
fn filetests() {
    let files = files();
    assert!(!files.is_empty());
    files.iter().for_each(|f| check(f));
}

#[test]
fn every_pass_has_a_filetest() {
    let with_tests: BTreeSet<String> = files()
        .iter()
        .filter_map(|f| f.parent()?.file_name())
        .map(|f| f.to_string_lossy().into_owned())
        .collect();
    for pass in passes::registry::ALL {
        assert!(with_tests.contains(pass.name()), "{}", pass.name());
    }
}
