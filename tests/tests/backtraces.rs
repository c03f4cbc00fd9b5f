//! A program whose code is damaged on purpose stops with a diagnostic that finds the
//! place: function and offset, who called it, registers, tick.

use ir::image::{ImageSet, SymbolKind};
use ir::{Code, Target};
use runtime_sim::{Event, Machine, SampleRun};
use tests::pipeline;

fn images() -> ImageSet {
    let target = Target::spinnaker2();
    let module = pipeline::load(fixtures::NORSE_MLP, ir::semantics::WeightMode::Auto);
    let verified = pipeline::map(module, &target);
    codegen::compile(&verified, &target).expect("it compiles")
}

fn sample(images: &ImageSet) -> SampleRun {
    let n = images.program.populations[images.program.inputs[0].population].n_atoms;
    SampleRun {
        ticks: 12,
        inputs: vec![
            (0..12)
                .map(|_| (0..n).map(Event::spike).collect())
                .collect(),
        ],
        ..SampleRun::default()
    }
}

/// Puts `halves` at `addr` of the program of every PE that has it.
fn damage(images: &mut ImageSet, name: &str, offset: u32, halves: &[u16]) -> usize {
    let mut damaged = 0;
    for image in images.chips.iter_mut().flat_map(|c| &mut c.pes) {
        let function = image
            .symbols
            .iter()
            .find(|s| s.kind == SymbolKind::Function && s.name == name);
        let Some(at) = function.map(|s| (s.addr & !1) + offset) else {
            continue;
        };
        for segment in &mut image.segments {
            let inside = at.checked_sub(segment.addr).map(|o| o as usize);
            let Some(inside) = inside.filter(|o| o + 2 * halves.len() <= segment.bytes.len())
            else {
                continue;
            };
            for (i, half) in halves.iter().enumerate() {
                let place = inside + 2 * i;
                segment.bytes[place..place + 2].copy_from_slice(&half.to_le_bytes());
            }
            damaged += 1;
        }
    }
    damaged
}

fn functions(images: &ImageSet) -> Vec<String> {
    let pes = images.chips.iter().flat_map(|c| &c.pes);
    let mut names: Vec<String> = pes
        .flat_map(|pe| &pe.symbols)
        .filter(|s| s.kind == SymbolKind::Function)
        .map(|s| s.name.clone())
        .collect();
    names.sort();
    names.dedup();
    names
}

fn failure(images: &ImageSet) -> ir::Diagnostic {
    let mut machine = Machine::load(images, &Target::spinnaker2()).expect("it loads");
    let errors = machine.run_sample(&sample(images)).expect_err("a failure");
    errors.0.into_iter().next().expect("one")
}

/// A function that the tick handler calls.
fn kernel(images: &ImageSet) -> String {
    let names = functions(images);
    let frame = ["reset", "start", "tick", "unexpected"];
    let found = names.iter().find(|n| !frame.contains(&n.as_str()));
    found
        .unwrap_or_else(|| panic!("no kernel in {names:?}"))
        .clone()
}

#[test]
fn an_undefined_instruction_in_a_kernel() {
    let mut images = images();
    let kernel = kernel(&images);
    assert!(damage(&mut images, &kernel, 0, &[0xde00]) > 0);
    let d = failure(&images);
    assert_eq!(d.code, Code::GuestFault);
    let text = d.to_string();
    eprintln!("{text}");
    for part in [
        "undefined instruction",
        &format!("({kernel})"),
        "back-trace: ",
        "; called from",
        "(tick+",
        "; interrupted",
        "in the handler of interrupt",
        "in tick ",
        "r0 ",
        "sp ",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn an_endless_loop_in_a_kernel() {
    let mut images = images();
    let kernel = kernel(&images);
    damage(&mut images, &kernel, 0, &[0xe7fe]);
    let d = failure(&images);
    assert_eq!(d.code, Code::FuelExhausted);
    let text = d.to_string();
    for part in [kernel.as_str(), "; called from", "(tick+"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn a_breakpoint_in_the_tick_handler() {
    let mut images = images();
    assert!(damage(&mut images, "tick", 0, &[0xbe07]) > 0);
    let text = failure(&images).to_string();
    for part in ["breakpoint 7", "(tick+0x2)", "; interrupted", "interrupt"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}
