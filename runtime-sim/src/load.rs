//! From images to a machine: everything is checked here, so that the rest of
//! the emulator may rely on it.

use crate::bus::Bus;
use crate::chip::Chips;
use crate::clock::{self, Clock, Level};
use crate::coupled::Links;
use crate::cpu::{Core, Costs, LINES, Memory, Translations};
use crate::inputs::{Atoms, Feeder};
use crate::machine::cycles_per_tick;
use crate::pe::{Fixed, Pe};
use crate::session::{HostPe, Recorder};
use crate::symbols::Symbols;
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics, Result as Checked};
use ir::geometry::GlobalPe;
use ir::image::{ChipImage, ImageSet, PeImage, PopulationInfo, Program, SliceInfo};
use ir::memory::{control, record};
use ir::{Origin, Target};
use std::collections::{BTreeMap, BTreeSet};

/// More than any real program has; bounds the work of looking at one.
const MAX_SEGMENTS: usize = 4096;
const MAX_SYMBOLS: usize = 1 << 16;

/// What a machine is made of.
pub(crate) struct Parts {
    pub(crate) places: BTreeMap<GlobalPe, usize>,
    pub(crate) pes: Vec<Pe>,
    pub(crate) chips: Chips,
    pub(crate) hosts: Vec<HostPe>,
}

fn bad(message: impl Into<String>) -> Diagnostics {
    Diagnostic::error(Code::BundleInvalid, &Origin::Compiler, message)
        .help("compile the network again")
        .into()
}

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Checked<()> {
    if holds { Ok(()) } else { Err(bad(message())) }
}

/// Checks `images` against `target` and builds every PE, at `level` and with the noise of
/// `seed`, and router.
pub(crate) fn check_and_build(
    images: &ImageSet,
    target: &Target,
    level: Level,
    seed: u64,
) -> Checked<Parts> {
    clock::check(target)?;
    let costs = costs(target)?;
    ensure(images.target == target.name, || {
        format!(
            "the images are for target '{}', the machine is '{}'",
            ir::origin::escape(&images.target),
            target.name
        )
    })?;
    ensure(images.time_step_us > 0, || {
        "the time step is zero".to_owned()
    })?;
    let places = places(images, target)?;
    let all: Vec<GlobalPe> = places.keys().copied().collect();
    check_program(&images.program, &places, target)?;
    for image in &images.chips {
        check_routes(image, &places, &images.machine, target)?;
    }
    let mut ordered: Vec<&ChipImage> = images.chips.iter().collect();
    ordered.sort_by_key(|c| c.chip);
    let mut chips = Chips::new(&ordered, &all, &images.machine, target);
    chips.links = Links::new(target, images.program.coupling, &places);
    let names = names(&images.program);
    let mut by_place: Vec<(GlobalPe, &PeImage)> = images
        .chips
        .iter()
        .flat_map(|c| c.pes.iter().map(|pe| (global(c, pe), pe)))
        .collect();
    by_place.sort_by_key(|(place, _)| *place);
    // PEs with the same program share what is made of it for the host.
    let translations = Translations::new();
    let mut pes = Vec::with_capacity(by_place.len());
    for (index, (place, image)) in by_place.into_iter().enumerate() {
        let memory = load_memory(place, image, target)?;
        let fixed = Fixed {
            place,
            name: name(names.get(&place), place),
            symbols: Symbols::new(image),
            timer_line: interrupt(target.timer.irq, "timer.irq")?,
            start_line: interrupt(target.irq.start, "irq.start")?,
            period: cycles_per_tick(target, images.time_step_us, &images.program),
        };
        let mut core = Core::new(costs.clone());
        core.share_translations(&translations);
        let coupling = images.program.coupling;
        let mut bus = Bus::new(target, place, chips.lookahead, seed, coupling);
        bus.clock = Clock::new(target, level);
        core.set_ports(Some(bus.ports(target)));
        pes.push(Pe::new(fixed, index, core, memory, bus));
    }
    Ok(Parts {
        hosts: hosts(&images.program, &places),
        chips,
        places,
        pes,
    })
}

fn global(chip: &ChipImage, pe: &PeImage) -> GlobalPe {
    GlobalPe {
        chip: chip.chip,
        pe: pe.pe,
    }
}

/// The populations on each PE.
fn names(program: &Program) -> BTreeMap<GlobalPe, Vec<String>> {
    let mut names: BTreeMap<GlobalPe, Vec<String>> = BTreeMap::new();
    for p in &program.populations {
        let name = format!("'{}'", ir::origin::escape(&p.name));
        for s in &p.slices {
            let place = GlobalPe {
                chip: s.chip,
                pe: s.pe,
            };
            let here = names.entry(place).or_default();
            if here.last() != Some(&name) {
                here.push(name.clone());
            }
        }
    }
    names
}

/// How messages name a PE.
fn name(populations: Option<&Vec<String>>, place: GlobalPe) -> String {
    match populations {
        Some(names) => format!("population {} on {place}", names.join(", ")),
        None => place.to_string(),
    }
}

fn interrupt(line: u32, key: &str) -> Checked<u8> {
    match u8::try_from(line) {
        Ok(line) if usize::from(line) < LINES => Ok(line),
        _ => Err(usage(format!(
            "{key} = {line} is beyond the {LINES} interrupt lines of the emulated core"
        ))),
    }
}

fn usage(message: String) -> Diagnostics {
    Diagnostic::error(Code::Usage, &Origin::Compiler, message)
        .help("change the target file")
        .into()
}

/// Cycles of the core, from the target.
pub(crate) fn costs(target: &Target) -> Checked<Costs> {
    let c = &target.cpu;
    let byte = |value: u32, key: &str| {
        u8::try_from(value).map_err(|_| usage(format!("cpu.{key} = {value} exceeds 255 cycles")))
    };
    if c.sram_stall_percent != 0 {
        return Err(usage(format!(
            "cpu.sram_stall_percent = {}, but the emulator models zero-wait SRAM only",
            c.sram_stall_percent
        )));
    }
    Ok(Costs {
        refill: byte(c.pipeline_refill, "pipeline_refill")?,
        it: byte(c.it, "it")?,
        load: byte(c.load, "load")?,
        store: byte(c.store_immediate, "store_immediate")?,
        store_register: byte(c.store_register, "store_register")?,
        divide_min: byte(c.divide_min, "divide_min")?,
        divide_max: byte(c.divide_max, "divide_max")?,
        address_stall: byte(c.address_stall, "address_stall")?,
        fpu_access: byte(c.vfp_load_store, "vfp_load_store")?,
        fpu_accumulate: byte(c.vfp_multiply_accumulate, "vfp_multiply_accumulate")?,
        fpu_divide: byte(c.vfp_divide, "vfp_divide")?,
        fpu_stall: byte(c.vfp_stall, "vfp_stall")?,
        exception_entry: byte(c.exception_entry, "exception_entry")?,
        exception_exit: byte(c.exception_exit, "exception_exit")?,
        exclusive: byte(c.exclusive, "exclusive")?,
        ..Costs::default()
    })
}

/// The index of every PE, ascending by coordinate.
fn places(images: &ImageSet, target: &Target) -> Checked<BTreeMap<GlobalPe, usize>> {
    let grid: BTreeSet<_> = target.pes().collect();
    let mut chips = BTreeSet::new();
    let mut all = BTreeSet::new();
    for chip in &images.chips {
        ensure(chips.insert(chip.chip), || {
            format!("{} occurs twice", chip.chip)
        })?;
        // The identity register has eight bits for each coordinate of a chip.
        let named = chip.chip.x < 256 && chip.chip.y < 256;
        ensure(named && images.machine.contains(chip.chip), || {
            format!("{} is outside any machine", chip.chip)
        })?;
        for pe in &chip.pes {
            let place = global(chip, pe);
            ensure(grid.contains(&pe.pe), || {
                format!("{place} does not exist on target '{}'", target.name)
            })?;
            ensure(all.insert(place), || format!("{place} has two programs"))?;
        }
    }
    Ok(all.into_iter().zip(0..).collect())
}

/// Refuses a table that the router cannot hold, or that leads to nothing.
fn check_routes(
    image: &ChipImage,
    places: &BTreeMap<GlobalPe, usize>,
    machine: &ir::machine::Machine,
    target: &Target,
) -> Checked<()> {
    ensure(
        image.routes.len() as u64 <= u64::from(target.router.entries),
        || {
            format!(
                "{} has {} routing entries, the router holds {}",
                image.chip,
                image.routes.len(),
                target.router.entries
            )
        },
    )?;
    for entry in &image.routes {
        // A dead link is another matter: what goes there is counted.
        for &link in &entry.targets.links {
            ensure(machine.beyond(image.chip, link).is_some(), || {
                format!(
                    "routing entry {entry} of {} uses link {}, which leads off the machine",
                    image.chip,
                    link.name()
                )
            })?;
        }
        for &pe in &entry.targets.pes {
            let place = GlobalPe {
                chip: image.chip,
                pe,
            };
            ensure(places.contains_key(&place), || {
                format!(
                    "routing entry {entry} of {} targets {pe}, which has no program",
                    image.chip
                )
            })?;
        }
    }
    Ok(())
}

/// SRAM with the segments of `image` in it.
pub(crate) fn load_memory(place: GlobalPe, image: &PeImage, target: &Target) -> Checked<Memory> {
    let size = target.memory.sram_bytes;
    ensure(
        image.segments.len() <= MAX_SEGMENTS && image.symbols.len() <= MAX_SYMBOLS,
        || {
            format!(
                "the image of {place} has {} segments and {} symbols",
                image.segments.len(),
                image.symbols.len()
            )
        },
    )?;
    let mut memory = Memory::new(size as usize);
    let mut end = 0;
    let mut entry_inside = false;
    for s in &image.segments {
        let who = || format!("segment '{}' of {place}", ir::origin::escape(&s.name));
        let segment_end = s.addr.checked_add(s.size).filter(|&end| end <= size);
        let segment_end = segment_end.ok_or_else(|| {
            bad(format!(
                "{} does not fit: {:#x} + {:#x} B exceed the {size:#x} B of local SRAM",
                who(),
                s.addr,
                s.size
            ))
        })?;
        ensure(s.addr >= end, || {
            format!("{} begins at {:#x}, inside the one before", who(), s.addr)
        })?;
        end = segment_end;
        let fits = s.bytes.len() as u64 <= u64::from(s.size);
        fits.then(|| memory.write(s.addr, &s.bytes))
            .flatten()
            .ok_or_else(|| {
                bad(format!(
                    "{} has {} B of contents for {} B",
                    who(),
                    s.bytes.len(),
                    s.size
                ))
            })?;
        let code = image.entry & !1;
        entry_inside |= s.executable && (s.addr..segment_end).contains(&code);
    }
    ensure(image.entry & 1 == 1 && entry_inside, || {
        format!(
            "the entry {:#x} of {place} is not a Thumb address in executable memory",
            image.entry
        )
    })?;
    let vector = memory.word(4).unwrap_or(0);
    ensure(vector == image.entry, || {
        format!(
            "the reset vector of {place} is {vector:#x}, the entry {:#x}",
            image.entry
        )
    })?;
    Ok(memory)
}

fn check_program(
    program: &Program,
    places: &BTreeMap<GlobalPe, usize>,
    target: &Target,
) -> Checked<()> {
    ensure(program.ticks_per_step > 0, || {
        "a network step has no ticks".to_owned()
    })?;
    let mut keys: Vec<(u32, u32, &str)> = Vec::new();
    for p in &program.populations {
        let mut next = 0;
        let elements = p
            .shape
            .0
            .iter()
            .try_fold(1, |n: usize, &d| n.checked_mul(d));
        let ordered = elements == Some(p.n_atoms as usize) && p.order.fits(&p.shape);
        ensure(ordered, || {
            format!(
                "the shape or the order of population '{}' does not fit its {} atoms",
                ir::origin::escape(&p.name),
                p.n_atoms
            )
        })?;
        for s in &p.slices {
            ensure(s.n > 0 && s.lo == next && s.n <= p.n_atoms - next, || {
                format!(
                    "the slices of population '{}' do not cover its {} atoms in order",
                    ir::origin::escape(&p.name),
                    p.n_atoms
                )
            })?;
            next += s.n;
            check_slice(p, s, places, target)?;
            keys.push((s.key.key(), s.key.key() + (s.n - 1), &p.name));
        }
        ensure(next == p.n_atoms, || {
            format!(
                "the slices of population '{}' cover {next} of its {} atoms",
                ir::origin::escape(&p.name),
                p.n_atoms
            )
        })?;
    }
    keys.sort_unstable();
    for pair in keys.windows(2) {
        ensure(pair[0].1 < pair[1].0, || {
            format!(
                "populations '{}' and '{}' share key {:#010x}",
                ir::origin::escape(pair[0].2),
                ir::origin::escape(pair[1].2),
                pair[1].0
            )
        })?;
    }
    for (what, ports) in [("input", &program.inputs), ("output", &program.outputs)] {
        for port in ports {
            let p = program.populations.get(port.population);
            let sends = |p: &PopulationInfo| p.slices.iter().all(|s| s.events.is_some());
            ensure(p.is_some_and(|p| what == "output" || sends(p)), || {
                format!(
                    "{what} '{}' belongs to no population that can serve it",
                    ir::origin::escape(&port.name)
                )
            })?;
        }
    }
    Ok(())
}

fn check_slice(
    p: &PopulationInfo,
    s: &SliceInfo,
    places: &BTreeMap<GlobalPe, usize>,
    target: &Target,
) -> Checked<()> {
    let place = GlobalPe {
        chip: s.chip,
        pe: s.pe,
    };
    let who = || {
        format!(
            "the slice of population '{}' on {place}",
            ir::origin::escape(&p.name)
        )
    };
    ensure(places.contains_key(&place), || {
        format!("{} has no program", who())
    })?;
    let inside = |addr: u32, bytes: u64| {
        addr.is_multiple_of(4) && u64::from(addr) + bytes <= u64::from(target.memory.sram_bytes)
    };
    let n = u64::from(s.n);
    let last = s.key.key().checked_add(s.n - 1);
    ensure(last.is_some_and(|k| s.key.matches(k)), || {
        format!("{} has {n} atoms, more than key {} holds", who(), s.key)
    })?;
    let events = |(addr, bytes): (u32, u32)| bytes >= 4 && inside(addr, bytes.into());
    let frame = u64::from(s.n).div_ceil(32) * 4 + 8;
    let records =
        |(addr, bytes): (u32, u32)| u64::from(bytes) >= frame && inside(addr, bytes.into());
    let sound = inside(s.control_addr, control::BYTES.into())
        && s.v_addr.is_none_or(|v| inside(v, 4 * n))
        && s.i_addr.is_none_or(|i| inside(i, 4 * n))
        && s.events.is_none_or(events)
        && s.record.is_none_or(records);
    debug_assert_eq!(frame, u64::from(record::frame_bytes(s.n)));
    ensure(sound, || {
        format!(
            "{} has a region outside local SRAM, or too small a one",
            who()
        )
    })
}

/// The host's duties at each PE.
fn hosts(program: &Program, places: &BTreeMap<GlobalPe, usize>) -> Vec<HostPe> {
    let mut hosts = vec![HostPe::default(); places.len()];
    for (index, p) in program.populations.iter().enumerate() {
        let port = program.inputs.iter().position(|i| i.population == index);
        for (slice_index, s) in p.slices.iter().enumerate() {
            let place = GlobalPe {
                chip: s.chip,
                pe: s.pe,
            };
            let Some(host) = places.get(&place).and_then(|&i| hosts.get_mut(i)) else {
                continue;
            };
            if let Some(region) = s.events {
                host.feeders.push(Feeder::new(port, p, s.clone(), region));
            }
            if let Some((addr, bytes)) = s.record {
                host.recorders.push(Recorder {
                    population: index,
                    slice_index,
                    slice: s.clone(),
                    name: p.name.clone(),
                    atoms: Atoms::of(p),
                    addr,
                    bytes,
                });
            }
        }
    }
    hosts
}
