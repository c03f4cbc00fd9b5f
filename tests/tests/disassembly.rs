//! Every code byte of every emitted ELF is what the encoder meant: binutils
//! reads the same instructions that the listing shows.

use codegen::thumb::{LineKind, RelocKind, text};
use ir::Target;
use ir::image::{PeImage, SymbolKind};
use ir::semantics::WeightMode;
use std::collections::BTreeMap;
use std::process::Command;
use tests::pipeline;

/// What objdump shows of an executable: instruction text by address.
fn objdump(file: &std::path::Path) -> BTreeMap<u32, String> {
    let out = Command::new("arm-none-eabi-objdump")
        .arg("-d")
        .arg(file)
        .output()
        .expect("objdump starts");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let mut lines = BTreeMap::new();
    for line in String::from_utf8_lossy(&out.stdout).lines() {
        let mut fields = line.splitn(3, '\t');
        let (Some(addr), Some(_bytes), Some(text)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let addr = addr.trim().trim_end_matches(':');
        let addr = u32::from_str_radix(addr, 16).expect("an address");
        lines.insert(addr, normal(text));
    }
    lines
}

/// Without symbol names and comments, which depend on what else is in the file.
fn normal(text: &str) -> String {
    let text = text.split('<').next().unwrap_or("");
    let text = text.split(&['@', ';'][..]).next().unwrap_or("");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // With symbols around, objdump drops the prefix of branch targets.
    let branches = text.starts_with('b') || text.starts_with("cb");
    if branches {
        text.replace("0x", "")
    } else {
        text
    }
}

fn meant(image: &PeImage, code: &codegen::VertexCode) -> BTreeMap<u32, String> {
    let place = |name: &str| {
        let symbol = image
            .symbols
            .iter()
            .find(|s| s.kind == SymbolKind::Function && s.name == name);
        symbol.unwrap_or_else(|| panic!("{name} has a symbol")).addr
    };
    let mut lines = BTreeMap::new();
    for f in &code.functions {
        let base = place(&f.name);
        for line in &f.listing {
            let LineKind::Inst(inst, condition) = line.kind else {
                continue;
            };
            let reloc = f.relocs.iter().find(|r| r.offset == line.offset);
            let shown = match reloc {
                None => text(&inst, condition, base + line.offset),
                Some(r) if r.kind == RelocKind::ThmCall => format!("bl\t{:x}", place(&r.symbol)),
                Some(r) => panic!("{:?} does not occur in kernels", r.kind),
            };
            lines.insert(base + line.offset, normal(&shown));
        }
    }
    lines
}

#[test]
fn objdump_reads_what_the_encoder_meant() {
    if !tests::tool("arm-none-eabi-objdump") {
        return;
    }
    let target = Target::spinnaker2();
    let mut compared = 0;
    for net in fixtures::NETS {
        for weights in [
            WeightMode::Auto,
            WeightMode::Int8,
            WeightMode::Int16,
            WeightMode::Float,
        ] {
            let verified = pipeline::map(pipeline::load(net, weights), &target);
            let images = codegen::compile(&verified, &target).expect("it compiles");
            let listings = codegen::listings(&verified, &target, &codegen::Options::default())
                .expect("it lists");
            let folder = tempfile::tempdir().expect("a scratch folder");
            for code in &listings {
                let place = verified.module().placements[&code.vertex];
                let chip = images
                    .chips
                    .iter()
                    .find(|c| c.chip == place.chip)
                    .expect("its chip");
                let image = chip.pes.iter().find(|p| p.pe == place.pe).expect("its PE");
                let file = folder.path().join("pe.elf");
                std::fs::write(&file, codegen::elf::write(image).expect("an ELF"))
                    .expect("written");
                let read = objdump(&file);
                for (addr, text) in &read {
                    assert!(
                        !text.contains("UNDEFINED") && !text.contains("UNPREDICTABLE"),
                        "{addr:x}: {text}"
                    );
                    assert!(!text.contains("illegal"), "{addr:x}: {text}");
                }
                let meant = meant(image, code);
                for (addr, text) in &meant {
                    assert_eq!(read.get(addr), Some(text), "{} {addr:x}", net.name);
                    compared += 1;
                }
                // What objdump shows beside it is the padding between functions and the vectors.
                for (addr, text) in read.iter().filter(|(a, _)| !meant.contains_key(a)) {
                    assert!(
                        text == "nop" || text.starts_with(".word") || text.starts_with(".short"),
                        "{addr:x}: {text}"
                    );
                }
            }
        }
    }
    assert!(compared > 10_000, "only {compared} instructions compared");
    eprintln!("{compared} instructions compared");
}
