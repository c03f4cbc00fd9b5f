//! `s2c opt` on text does what the pass did in the compiler, for every pass;
//! and two compiles in different folders give the same bundle.

use std::collections::BTreeMap;
use std::path::Path;
use tests::s2c;

fn ok(args: &[&str]) -> String {
    let ran = s2c(args);
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    ran.stdout
}

#[test]
fn opt_reproduces_each_pass_from_text() {
    let target = ir::Target::spinnaker2();
    let net = fixtures::NORSE_IF;
    let mut module = tests::pipeline::load(net, ir::semantics::WeightMode::Auto);
    let options = passes::MappingOptions::default();
    let context = passes::PassContext {
        target: &target,
        options: &options,
    };
    let folder = tempfile::tempdir().expect("a scratch folder");
    let names: Vec<&str> = passes::Plan::standard()
        .passes()
        .map(|p| p.name())
        .collect();
    assert!(names.len() >= 11, "the standard plan is whole: {names:?}");
    let inline = ir::text::PrintOptions {
        inline_blobs: true,
        ..ir::text::PrintOptions::default()
    };
    for name in names {
        let (before, _) = ir::text::print(&module, &inline);
        let file = folder.path().join(format!("before-{name}.s2ir"));
        std::fs::write(&file, before).expect("written");
        let plan = passes::Plan::from_names(&[name]).expect("a known pass");
        passes::run(&mut module, &plan, &context, &mut passes::Silent).expect("the pass runs");
        let (after, _) = ir::text::print(&module, &inline);
        let stem = file.to_str().expect("UTF-8");
        let from_text = ok(&["opt", stem, "-p", name]);
        assert!(
            from_text.trim_end() == after.trim_end(),
            "{name} differs from text"
        );
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(&at).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(folder)
                    .expect("inside")
                    .display()
                    .to_string();
                all.insert(name, std::fs::read(&path).expect("readable"));
            }
        }
    }
    all
}

#[test]
fn two_compiles_in_different_folders_give_identical_bundles() {
    let net = fixtures::NORSE_MLP;
    let (a, b) = (
        tempfile::tempdir().expect("scratch"),
        tempfile::tempdir().expect("scratch"),
    );
    let mut bundles = Vec::new();
    for folder in [a.path(), b.path()] {
        let copy = folder.join("net.nir");
        std::fs::copy(net.nir(), &copy).expect("copied");
        let bundle = folder.join("some-name.s2");
        ok(&[
            "compile",
            copy.to_str().expect("UTF-8"),
            "-o",
            bundle.to_str().expect("UTF-8"),
            "--profile",
            net.profile,
            "--dt",
            net.dt.expect("norse needs dt"),
        ]);
        bundles.push(files(&bundle));
    }
    assert!(bundles[0].len() >= 5, "a bundle holds several files");
    assert_eq!(
        bundles[0].keys().collect::<Vec<_>>(),
        bundles[1].keys().collect::<Vec<_>>()
    );
    for (name, bytes) in &bundles[0] {
        assert!(bundles[1][name] == *bytes, "{name} differs");
        let text = String::from_utf8_lossy(bytes);
        for folder in [a.path(), b.path()] {
            assert!(
                !text.contains(folder.to_str().expect("UTF-8")),
                "{name} holds a path"
            );
        }
    }
}
