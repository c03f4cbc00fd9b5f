use super::*;
use crate::cli::{LoweringArgs, MappingArgs};
use crate::options::{self, NamedTarget, OptionsRecord};
use ir::image::*;
use ir::routing::{RoutingEntry, Targets};
use ir::{Code, KeyMask};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn target() -> NamedTarget {
    options::target("spinnaker2").expect("built in")
}

fn record() -> OptionsRecord {
    let lowering = options::lowering(&LoweringArgs::default());
    let mapping = options::mapping(&MappingArgs {
        target: "spinnaker2".to_owned(),
        chips: None,
        ..MappingArgs::default()
    })
    .expect("defaults");
    OptionsRecord::new(
        Some(lowering.profile),
        &lowering.semantics,
        &lowering.quantisation,
        &mapping,
    )
}

fn images() -> ImageSet {
    let pe = PeCoord::new(1, 1, 1).expect("exists");
    let chip = ChipCoord { x: 0, y: 0 };
    let segment = |name: &str, addr, bytes: Vec<u8>, size, executable| Segment {
        name: name.to_owned(),
        addr,
        bytes,
        size,
        executable,
    };
    let key = KeyMask::new(0x10000, 0xffff_fff8).expect("aligned");
    ImageSet {
        name: "net".to_owned(),
        target: "spinnaker2".to_owned(),
        time_step_us: 1000,
        machine: ir::machine::Machine::new(1, 1),
        chips: vec![ChipImage {
            chip,
            pes: vec![PeImage {
                pe,
                entry: 0x41,
                segments: vec![
                    segment("text", 0, vec![0xfe; 0x80], 0x80, true),
                    segment("v", 0x100, Vec::new(), 0x20, false),
                ],
                symbols: vec![Symbol {
                    name: "reset".to_owned(),
                    addr: 0x40,
                    size: 4,
                    kind: SymbolKind::Function,
                }],
            }],
            routes: vec![RoutingEntry {
                key,
                targets: Targets {
                    links: Default::default(),
                    pes: [pe].into(),
                },
                nets: Vec::new(),
            }],
        }],
        program: Program {
            coupling: ir::image::Coupling::Dma,
            ticks_per_step: 3,
            populations: vec![PopulationInfo {
                name: "a/../b".to_owned(),
                n_atoms: 6,
                shape: ir::Shape::of(&[2, 1, 3]),
                order: ir::app::AtomOrder::Blocked { channels: 2 },
                sends: ir::app::Sends::Counts { max: 3 },
                latency: 1,
                active_from: 1,
                unit: vec![0.1, 0.2, 1.0 / 3.0, 5e-324, 0.7, -0.0],
                i_unit: vec![0.3],
                integers: true,
                slices: vec![SliceInfo {
                    chip,
                    pe,
                    lo: 0,
                    n: 6,
                    key,
                    v_addr: Some(0x100),
                    i_addr: Some(0x118),
                    events: None,
                    record: None,
                    control_addr: 0x60,
                }],
            }],
            inputs: Vec::new(),
            outputs: vec![PortInfo {
                name: "out".to_owned(),
                population: 0,
            }],
        },
    }
}

fn written() -> (TempDir, std::path::PathBuf) {
    let room = tempfile::tempdir().expect("a temporary folder");
    let dir = room.path().join("net.s2");
    write(&dir, &images(), &record(), &target(), "{}\n").expect("written");
    (room, dir)
}

fn refused(dir: &Path) -> String {
    let e = read(dir, &target()).expect_err("refused").0.remove(0);
    assert_eq!(e.code, Code::BundleInvalid, "{e}");
    e.to_string()
}

/// Changes the description by replacing text, which must occur.
fn edit(dir: &Path, from: &str, to: &str) {
    let path = dir.join(DESCRIPTION);
    let text = fs::read_to_string(&path).expect("readable");
    assert!(text.contains(from), "{from} not in {text}");
    fs::write(&path, text.replacen(from, to, 1)).expect("writable");
}

#[test]
fn what_is_written_is_read() {
    let (_room, dir) = written();
    let got = read(&dir, &target()).expect("valid").images;
    let want = images();
    assert_eq!(got.program, want.program);
    assert_eq!(got.chips[0].routes, want.chips[0].routes);
    let (got, want) = (&got.chips[0].pes[0], &want.chips[0].pes[0]);
    assert_eq!((got.entry, got.pe), (want.entry, want.pe));
    for (g, w) in got.segments.iter().zip(&want.segments) {
        assert_eq!((g.addr, g.size, &g.bytes), (w.addr, w.size, &w.bytes));
    }
}

#[test]
fn two_folders_hold_the_same_bytes() {
    let (_a, a) = written();
    let (_b, b) = written();
    for name in [
        DESCRIPTION,
        REPORT,
        "chip_0_0/pe_1_1_1.elf",
        "chip_0_0/routes.bin",
        "chip_0_0/routes.json",
    ] {
        assert_eq!(
            fs::read(a.join(name)).expect(name),
            fs::read(b.join(name)).expect(name)
        );
    }
}

#[test]
fn a_bundle_is_replaced_but_nothing_else_is() {
    let (room, dir) = written();
    fs::write(dir.join("stale"), "x").expect("writable");
    write(&dir, &images(), &record(), &target(), "{}\n").expect("replaced");
    assert!(!dir.join("stale").exists());
    let left = fs::read_dir(room.path()).expect("listed").count();
    assert_eq!(left, 1, "nothing temporary stays behind");

    let foreign = room.path().join("photos");
    fs::create_dir(&foreign).expect("made");
    check_output(&foreign).expect("empty folders are free");
    fs::write(foreign.join("a.jpg"), "x").expect("writable");
    let e = check_output(&foreign).expect_err("not ours");
    assert_eq!(e.0[0].code, Code::OutputExists);
    fs::write(
        foreign.join(DESCRIPTION),
        "{\"format\":\"other\",\"version\":1}",
    )
    .expect("writable");
    assert!(check_output(&foreign).is_err());
    assert!(check_output(&foreign.join("a.jpg")).is_err());
}

#[test]
fn altered_and_missing_files_are_named() {
    for name in [
        REPORT,
        "chip_0_0/pe_1_1_1.elf",
        "chip_0_0/routes.bin",
        "chip_0_0/routes.json",
    ] {
        let (_room, dir) = written();
        let path = dir.join(name);
        let mut bytes = fs::read(&path).expect("readable");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(&path, &bytes).expect("writable");
        let text = refused(&dir);
        assert!(text.contains(name) && text.contains("SHA-256"), "{text}");
        bytes.push(0);
        fs::write(&path, &bytes).expect("writable");
        assert!(refused(&dir).contains("expected"));
        fs::remove_file(&path).expect("removable");
        assert!(refused(&dir).contains(name));
    }
}

#[test]
fn another_version_or_target_is_refused_with_the_reason() {
    let (_room, dir) = written();
    edit(&dir, "\"version\": 3", "\"version\": 9, \"news\": 0");
    assert!(refused(&dir).contains("version 9"));

    let (_room, dir) = written();
    edit(&dir, "\"target\": \"spinnaker2\"", "\"target\": \"other\"");
    // The resolved options name the target too and come later in the file.
    assert!(refused(&dir).contains("'other'"));

    let (_room, dir) = written();
    let mut changed = target();
    changed.sha256 = "0".repeat(64);
    let e = read(&dir, &changed).expect_err("refused").0.remove(0);
    assert!(e.message.contains("has changed"), "{e}");
}

#[test]
fn paths_in_the_description_are_never_followed() {
    let (_room, dir) = written();
    edit(
        &dir,
        "\"files\": {",
        "\"files\": {\"../../etc/passwd\": {\"sha256\": \"\", \"bytes\": 0},",
    );
    assert!(refused(&dir).contains("does not belong"));
    assert!(!dir.join("a").exists());
}

#[test]
fn impossible_descriptions_are_refused() {
    let cases = [
        ("\"v_addr\": \"0x00000100\"", "\"v_addr\": \"0x0001fff0\""),
        ("\"v_addr\": \"0x00000100\"", "\"v_addr\": \"0xfffffffc\""),
        ("\"v_addr\": \"0x00000100\"", "\"v_addr\": \"0x00000101\""),
        (
            "\"control_addr\": \"0x00000060\"",
            "\"control_addr\": \"0xfffffff0\"",
        ),
        ("\"n_atoms\": 6", "\"n_atoms\": 4294967295"),
        ("\"n_atoms\": 6", "\"n_atoms\": 5"),
        ("\"lo\": 0", "\"lo\": 1"),
        ("\"n\": 6", "\"n\": 9"),
        ("\"latency\": 1", "\"latency\": 4294967295"),
        ("\"key\": \"0x00010000\"", "\"key\": \"0x00010001\""),
        ("\"index\": 0", "\"index\": 7"),
        ("\"entry\": \"0x00000041\"", "\"entry\": \"0x00000043\""),
        ("\"time_step_us\": 1000", "\"time_step_us\": 0"),
        ("\"outputs\"", "\"outlets\""),
        ("\"ticks_per_step\": 3", "\"ticks_per_step\": 0"),
        ("\"ticks_per_step\": 3", "\"ticks_per_step\": 1001"),
        ("\"block\": 2", "\"block\": 3"),
        ("\"block\": 2", "\"block\": 0"),
        ("\"max\": 3", "\"max\": 0"),
        ("\"counts\"", "\"count\""),
        ("\"i_addr\": \"0x00000118\"", "\"i_addr\": \"0x0001fff0\""),
    ];
    for (from, to) in cases {
        let (_room, dir) = written();
        edit(&dir, from, to);
        refused(&dir);
    }
}

#[test]
fn what_is_no_bundle_is_refused() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let absent = read(&room.path().join("absent"), &target()).expect_err("absent");
    assert_eq!(absent.0[0].code, Code::FileAccess);
    refused(room.path());
    for text in ["", "[]", "{\"format\":\"s2c bundle\"}", "\u{0}\u{0}"] {
        fs::write(room.path().join(DESCRIPTION), text).expect("writable");
        refused(room.path());
    }
}
