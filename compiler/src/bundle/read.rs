//! Reading a bundle back, with every claim checked.

use super::json::{Bundle, Chip, FORMAT, Head, VERSION, hex};
use super::{DESCRIPTION, REPORT, elf_name, routes, routes_names};
use crate::options::{NamedTarget, escape, sha256};
use ir::app::{AtomOrder, Sends};
use ir::diag::Result;
use ir::image::{ChipImage, ImageSet, PeImage, PopulationInfo, PortInfo, Program, SliceInfo};
use ir::memory::{control, record};
use ir::{ChipCoord, Code, Diagnostic, Origin, PeCoord, Shape};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Largest `bundle.json`.
pub(super) const MAX_DESCRIPTION: u64 = 256 << 20;
const MAX_REPORT: u64 = 256 << 20;
const MAX_TEXT_ROUTES: u64 = 64 << 20;
/// Longest latency and largest population that make sense on any machine.
const MAX_TICKS: u32 = 1 << 24;
const MAX_ATOMS: u32 = 1 << 28;

/// A bundle that passed every check.
#[derive(Debug)]
pub struct Loaded {
    pub images: ImageSet,
    /// The options that it was compiled with, as stored.
    pub options: serde_json::Value,
    /// `report.json`.
    pub report: serde_json::Value,
}

/// Whether a path looks like a bundle: a folder with a description in it.
pub fn is_bundle(path: &Path) -> bool {
    path.is_dir()
}

fn invalid(dir: &Path, message: impl Into<String>) -> Diagnostic {
    let origin = Origin::File {
        file: dir.display().to_string(),
    };
    Diagnostic::error(Code::BundleInvalid, &origin, message)
}

/// Bytes of a file, at most `max`; the error is for people.
pub(super) fn bounded(path: &Path, max: u64) -> std::result::Result<Vec<u8>, String> {
    // Asked before opening: opening a pipe would wait for a writer.
    let meta = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if !meta.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let file = File::open(path).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    // A file can grow after its size was read, so the read is bounded itself.
    let read = file.take(max + 1).read_to_end(&mut bytes);
    read.map_err(|e| e.to_string())?;
    if bytes.len() as u64 > max {
        return Err(format!("it is larger than {max} bytes"));
    }
    Ok(bytes)
}

/// Reads and checks a bundle for this target.
pub fn read(dir: &Path, target: &NamedTarget) -> Result<Loaded> {
    if !dir.is_dir() {
        let mut error = invalid(dir, "the bundle is not a folder");
        if !dir.exists() {
            error.code = Code::FileAccess;
            error.message = "there is no such bundle".to_owned();
        }
        return Err(error.help("compile one with s2c compile NET -o DIR").into());
    }
    let bytes = bounded(&dir.join(DESCRIPTION), MAX_DESCRIPTION).map_err(|e| {
        invalid(dir, "the folder is not a bundle")
            .note(format!("{DESCRIPTION}: {e}"))
            .help("compile one with s2c compile NET -o DIR")
    })?;
    let head: Head = serde_json::from_slice(&bytes).map_err(|e| {
        invalid(dir, "the bundle's description is not readable").note(format!("{DESCRIPTION}: {e}"))
    })?;
    if head.format != FORMAT {
        return Err(invalid(dir, "the folder is not a bundle of s2c").into());
    }
    if head.version != VERSION {
        return Err(invalid(dir, "the bundle has another version")
            .note(format!(
                "it has version {}, this s2c reads {VERSION}",
                head.version
            ))
            .help("compile the network again with this s2c")
            .into());
    }
    let bundle: Bundle = serde_json::from_slice(&bytes).map_err(|e| {
        invalid(dir, "the bundle's description is not valid").note(format!("{DESCRIPTION}: {e}"))
    })?;
    let reader = Reader { dir, target };
    reader.check_target(&bundle)?;
    reader.load(bundle)
}

struct Reader<'a> {
    dir: &'a Path,
    target: &'a NamedTarget,
}

impl Reader<'_> {
    fn fail(&self, message: impl Into<String>) -> Diagnostic {
        invalid(self.dir, message)
    }

    fn check_target(&self, bundle: &Bundle) -> Result<()> {
        let name = &self.target.target.name;
        if bundle.target != *name {
            return Err(self
                .fail("the bundle was compiled for another target")
                .note(format!(
                    "compiled for '{}', running on '{}'",
                    escape(&bundle.target),
                    escape(name)
                ))
                .help("name the target file with --target")
                .into());
        }
        if bundle.target_sha256 != self.target.sha256 {
            return Err(self
                .fail("the description of the target has changed since the bundle was compiled")
                .note(format!(
                    "target '{}': SHA-256 {} then, {} now",
                    escape(name),
                    escape(&bundle.target_sha256),
                    self.target.sha256
                ))
                .help("compile the network again, or name the target file with --target")
                .into());
        }
        Ok(())
    }

    /// A file of the bundle under a name that we derived.
    fn file(&self, bundle: &Bundle, name: &str, max: u64) -> Result<Vec<u8>> {
        let fail = |why: String| {
            self.fail("a file of the bundle is missing or altered")
                .note(format!("{name}: {why}"))
                .help("compile the network again")
        };
        let said = bundle
            .files
            .get(name)
            .ok_or_else(|| fail(format!("{DESCRIPTION} does not list it")))?;
        let bytes = bounded(&self.dir.join(name), max).map_err(fail)?;
        if bytes.len() as u64 != said.bytes {
            return Err(fail(format!("{} bytes, expected {}", bytes.len(), said.bytes)).into());
        }
        let hash = sha256(&bytes);
        if hash != said.sha256 {
            return Err(fail(format!("SHA-256 {hash}, expected {}", escape(&said.sha256))).into());
        }
        Ok(bytes)
    }

    fn load(&self, bundle: Bundle) -> Result<Loaded> {
        if !(1..=1_000_000_000).contains(&bundle.time_step_us) {
            return Err(self
                .fail(format!(
                    "a time step of {} us is impossible",
                    bundle.time_step_us
                ))
                .into());
        }
        if !(1..=bundle.time_step_us).contains(&bundle.ticks_per_step) {
            return Err(self
                .fail(format!(
                    "{} ticks in a time step of {} us are impossible",
                    bundle.ticks_per_step, bundle.time_step_us
                ))
                .into());
        }
        let machine = bundle.machine.machine();
        let machine = machine.ok_or_else(|| self.fail("the machine is impossible"))?;
        let mut known: BTreeSet<String> = [REPORT.to_owned()].into();
        let mut chips = Vec::new();
        for chip in &bundle.chips {
            let image = self.chip(&bundle, chip, &mut known)?;
            if !machine.contains(image.chip) {
                return Err(self
                    .fail(format!("{} is outside the machine", image.chip))
                    .into());
            }
            if chips
                .last()
                .is_some_and(|c: &ChipImage| c.chip >= image.chip)
            {
                return Err(self
                    .fail("the chips are not in order or occur twice")
                    .into());
            }
            chips.push(image);
        }
        if let Some(stray) = bundle.files.keys().find(|name| !known.contains(*name)) {
            return Err(self
                .fail("the bundle lists a file that does not belong to it")
                .note(escape(stray))
                .into());
        }
        let report = self.file(&bundle, REPORT, MAX_REPORT)?;
        let report = serde_json::from_slice(&report)
            .map_err(|e| self.fail("the report is not JSON").note(e.to_string()))?;
        let program = self.program(&bundle, &chips)?;
        Ok(Loaded {
            images: ImageSet {
                name: bundle.name,
                target: bundle.target,
                time_step_us: bundle.time_step_us,
                machine,
                chips,
                program,
            },
            options: bundle.options,
            report,
        })
    }

    fn chip(
        &self,
        bundle: &Bundle,
        said: &Chip,
        known: &mut BTreeSet<String>,
    ) -> Result<ChipImage> {
        let target = &self.target.target;
        let chip = ChipCoord {
            x: said.x,
            y: said.y,
        };
        let mut pes: Vec<PeImage> = Vec::new();
        for entry in &said.pes {
            let (x, y, p) = entry.pe;
            let pe = PeCoord::new(x, y, p)
                .filter(|pe| target.has_pe(*pe))
                .ok_or_else(|| self.fail(format!("{chip} has no pe({x},{y},{p})")))?;
            if pes.last().is_some_and(|last| last.pe >= pe) {
                return Err(self
                    .fail(format!("the PEs of {chip} are not in order or occur twice"))
                    .into());
            }
            let name = elf_name(chip, pe);
            // Symbols and headers come on top of the memory itself.
            let max = 4 * u64::from(target.memory.sram_bytes) + (4 << 20);
            let bytes = self.file(bundle, &name, max)?;
            let image = codegen::elf::read(&bytes, pe, target.memory.sram_bytes).map_err(|e| {
                self.fail("a program is not usable")
                    .note(format!("{name}: {e}"))
            })?;
            self.check_image(&image, hex(&entry.entry)).map_err(|why| {
                self.fail("a program is not usable")
                    .note(format!("{name}: {why}"))
            })?;
            known.insert(name);
            pes.push(image);
        }
        let [bin, text] = routes_names(chip);
        let bytes = self.file(bundle, &bin, routes::max_bin(target.router.entries))?;
        let bad = |name: &str, why: String| {
            self.fail("a routing table is not usable")
                .note(format!("{name}: {why}"))
        };
        let mut table = routes::from_bin(&bytes, target).map_err(|e| bad(&bin, e))?;
        let bytes = self.file(bundle, &text, MAX_TEXT_ROUTES)?;
        routes::check_json(&bytes, &mut table).map_err(|e| bad(&text, e))?;
        known.extend([bin, text]);
        Ok(ChipImage {
            chip,
            pes,
            routes: table,
        })
    }

    /// The emulator may rely on these; it checks every access all the same.
    fn check_image(&self, image: &PeImage, entry: Option<u32>) -> std::result::Result<(), String> {
        let memory = &self.target.target.memory;
        let mut end = memory.sram_base;
        for s in &image.segments {
            let last = s.addr.checked_add(s.size);
            if s.addr < end || last.is_none_or(|l| l > memory.sram_base + memory.sram_bytes) {
                return Err(format!(
                    "segment '{}' at {:#010x} with {} bytes overlaps another or leaves the memory",
                    escape(&s.name),
                    s.addr,
                    s.size
                ));
            }
            if s.bytes.len() as u64 > u64::from(s.size) {
                return Err(format!("segment '{}' is overfull", escape(&s.name)));
            }
            end = last.unwrap_or(end);
        }
        if entry != Some(image.entry) {
            return Err(format!(
                "entry {:#010x} is not the one in {DESCRIPTION}",
                image.entry
            ));
        }
        let pc = image.entry & !1;
        let inside = |s: &ir::image::Segment| s.executable && pc >= s.addr && pc - s.addr < s.size;
        if image.entry & 1 == 0 || !image.segments.iter().any(inside) {
            return Err(format!("entry {:#010x} is not in its code", image.entry));
        }
        Ok(())
    }

    fn program(&self, bundle: &Bundle, chips: &[ChipImage]) -> Result<Program> {
        let mut populations: Vec<PopulationInfo> = Vec::new();
        for p in &bundle.populations {
            let name = escape(&p.name);
            let bad = |why: String| {
                self.fail("the bundle describes an impossible population")
                    .note(format!("'{name}': {why}"))
            };
            if p.n_atoms == 0 || p.n_atoms > MAX_ATOMS {
                return Err(bad(format!("{} neurons", p.n_atoms)).into());
            }
            if p.latency > MAX_TICKS || p.active_from > MAX_TICKS {
                return Err(bad(format!("a latency of {} ticks", p.latency)).into());
            }
            for unit in [&p.unit, &p.i_unit] {
                let units = unit.len();
                if units > 1 && units != p.n_atoms as usize {
                    return Err(bad(format!("{units} units for {} neurons", p.n_atoms)).into());
                }
                if unit.iter().any(|u| !u.is_finite()) {
                    return Err(bad("a unit that is not finite".to_owned()).into());
                }
            }
            let shape = Shape(p.shape.clone());
            if shape.checked_len() != Some(p.n_atoms as usize) {
                return Err(bad(format!("shape {shape} for {} neurons", p.n_atoms)).into());
            }
            let order = p
                .block
                .map_or(AtomOrder::RowMajor, |channels| AtomOrder::Blocked {
                    channels,
                });
            if !order.fits(&shape) {
                return Err(bad("its blocks do not divide its channels".to_owned()).into());
            }
            let sends = Sends::from(p.sends);
            if sends.max_count() == Some(0) {
                return Err(bad("its largest count is 0".to_owned()).into());
            }
            let mut next = 0u32;
            let mut slices = Vec::new();
            for v in &p.vertices {
                let slice = v
                    .slice()
                    .map_err(|field| bad(format!("{field} of a slice is not valid")))?;
                if slice.lo != next || slice.n == 0 {
                    return Err(bad("its slices do not follow each other".to_owned()).into());
                }
                next = slice
                    .lo
                    .checked_add(slice.n)
                    .ok_or_else(|| bad("too many neurons".to_owned()))?;
                self.check_slice(&slice, chips).map_err(bad)?;
                slices.push(slice);
            }
            if next != p.n_atoms {
                return Err(bad(format!("its slices hold {next} of {}", p.n_atoms)).into());
            }
            populations.push(PopulationInfo {
                name: p.name.clone(),
                n_atoms: p.n_atoms,
                shape,
                order,
                sends,
                latency: p.latency,
                active_from: p.active_from,
                unit: p.unit.clone(),
                i_unit: p.i_unit.clone(),
                integers: p.integers,
                slices,
            });
        }
        let ports = |ports: &[super::json::Port]| -> Result<Vec<PortInfo>> {
            ports
                .iter()
                .map(|port| {
                    let there = populations.get(port.index);
                    if there.is_none_or(|p| p.name != port.population) {
                        return Err(self
                            .fail("the bundle describes an impossible port")
                            .note(format!("'{}' has no population", escape(&port.name)))
                            .into());
                    }
                    Ok(PortInfo {
                        name: port.name.clone(),
                        population: port.index,
                    })
                })
                .collect()
        };
        Ok(Program {
            coupling: bundle.coupling.into(),
            ticks_per_step: bundle.ticks_per_step,
            inputs: ports(&bundle.inputs)?,
            outputs: ports(&bundle.outputs)?,
            populations,
        })
    }

    /// Addresses that the host reads and writes must lie in the PE's memory.
    fn check_slice(&self, s: &SliceInfo, chips: &[ChipImage]) -> std::result::Result<(), String> {
        // Both lists were checked to ascend.
        let there = chips
            .binary_search_by_key(&s.chip, |c| c.chip)
            .is_ok_and(|at| chips[at].pes.binary_search_by_key(&s.pe, |i| i.pe).is_ok());
        if !there {
            return Err(format!("{} {} holds no program", s.chip, s.pe));
        }
        let last_key = s.key.key().checked_add(s.n - 1);
        if !last_key.is_some_and(|k| s.key.matches(k)) {
            return Err(format!("{} neurons do not fit the keys {}", s.n, s.key));
        }
        let memory = &self.target.target.memory;
        let fits = |addr: u32, bytes: u64| {
            let end = u64::from(addr) + bytes;
            addr.is_multiple_of(4)
                && addr >= memory.sram_base
                && end <= u64::from(memory.sram_base) + u64::from(memory.sram_bytes)
        };
        let n = u64::from(s.n);
        let areas = [
            ("control", Some((s.control_addr, u64::from(control::BYTES)))),
            ("membrane", s.v_addr.map(|a| (a, 4 * n))),
            ("synaptic current", s.i_addr.map(|a| (a, 4 * n))),
            ("events", s.events.map(|(a, b)| (a, u64::from(b)))),
            ("record", s.record.map(|(a, b)| (a, u64::from(b)))),
        ];
        for (what, area) in areas {
            if let Some((addr, bytes)) = area
                && !fits(addr, bytes)
            {
                return Err(format!(
                    "{what} at {addr:#010x} with {bytes} bytes leaves the memory"
                ));
            }
        }
        match s.record {
            Some((_, bytes)) if bytes < record::frame_bytes(s.n) => {
                Err(format!("a record of {bytes} bytes holds no frame"))
            }
            _ => Ok(()),
        }
    }
}
