//! `bundle.json`: what a host needs to know about the program, and the hash of
//! every other file.

use crate::options::OptionsRecord;
use ir::app;
use ir::image::{self, ImageSet, PopulationInfo, PortInfo, SliceInfo};
use ir::routing::Link;
use ir::{ChipCoord, KeyMask, PeCoord};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What marks a `bundle.json` of ours.
pub(super) const FORMAT: &str = "s2c bundle";
/// Version of the bundle layout.
pub(super) const VERSION: u32 = 3;

/// The head of the file, read first so that another version is named before
/// its fields are found strange.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    pub(super) format: String,
    pub(super) version: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bundle {
    pub(super) format: String,
    pub(super) version: u32,
    /// Version of the compiler that wrote it; for people.
    pub(super) s2c: String,
    pub(super) name: String,
    pub(super) target: String,
    /// Hash of the target file's text.
    pub(super) target_sha256: String,
    pub(super) time_step_us: u32,
    /// Timer ticks of one time step.
    pub(super) ticks_per_step: u32,
    /// Bundles without it are of programs whose PEs share nothing but packets.
    #[serde(default)]
    pub(super) coupling: Coupling,
    pub(super) options: serde_json::Value,
    pub(super) populations: Vec<Population>,
    pub(super) inputs: Vec<Port>,
    pub(super) outputs: Vec<Port>,
    pub(super) machine: Machine,
    /// Every chip that has programs or hands packets on.
    pub(super) chips: Vec<Chip>,
    /// Relative path to hash and size. Paths are derived from `chips`; this
    /// map is only looked up.
    pub(super) files: BTreeMap<String, File>,
}

/// Columns and rows of chips, and what was left out; [`ir::machine`] says how the
/// chips hang together.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Machine {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) dead_pes: Vec<(u16, u16, u8, u8, u8)>,
    /// Chip and name of each link.
    pub(super) dead_links: Vec<(u16, u16, String)>,
}

impl Machine {
    fn of(machine: &ir::machine::Machine) -> Self {
        let pe = |p: &ir::GlobalPe| (p.chip.x, p.chip.y, p.pe.x(), p.pe.y(), p.pe.p());
        let link = |(chip, link): &(ChipCoord, Link)| (chip.x, chip.y, link.name().to_owned());
        Self {
            width: machine.width,
            height: machine.height,
            dead_pes: machine.dead_pes.iter().map(pe).collect(),
            dead_links: machine.dead_links.iter().map(link).collect(),
        }
    }

    /// `None` if it names what no machine has.
    pub(super) fn machine(&self) -> Option<ir::machine::Machine> {
        let sizes = ir::machine::Machine::sizes();
        if !sizes.contains(&self.width) || !sizes.contains(&self.height) {
            return None;
        }
        let mut machine = ir::machine::Machine::new(self.width, self.height);
        for &(cx, cy, x, y, p) in &self.dead_pes {
            machine.dead_pes.insert(ir::GlobalPe {
                chip: ChipCoord { x: cx, y: cy },
                pe: PeCoord::new(x, y, p)?,
            });
        }
        for (x, y, link) in &self.dead_links {
            let chip = ChipCoord { x: *x, y: *y };
            machine.dead_links.insert((chip, Link::from_name(link)?));
        }
        Some(machine)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Population {
    pub(super) name: String,
    pub(super) n_atoms: u32,
    pub(super) shape: Vec<usize>,
    /// Channels of a block of [`app::AtomOrder::Blocked`]; null in C order.
    pub(super) block: Option<usize>,
    pub(super) sends: Sends,
    pub(super) latency: u32,
    pub(super) active_from: u32,
    /// `v_file = unit * v_chip`: one value, or one per atom, or none.
    pub(super) unit: Vec<f64>,
    /// The same for the synaptic current.
    pub(super) i_unit: Vec<f64>,
    /// Whether state is int32, else float32.
    pub(super) integers: bool,
    pub(super) vertices: Vec<Vertex>,
}

/// How PEs reach each other's memory: `"none"`, `"dma"` or `"window"`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Coupling {
    #[default]
    None,
    Dma,
    Window,
}

impl From<image::Coupling> for Coupling {
    fn from(coupling: image::Coupling) -> Self {
        match coupling {
            image::Coupling::None => Coupling::None,
            image::Coupling::Dma => Coupling::Dma,
            image::Coupling::Window => Coupling::Window,
        }
    }
}

impl From<Coupling> for image::Coupling {
    fn from(coupling: Coupling) -> Self {
        match coupling {
            Coupling::None => image::Coupling::None,
            Coupling::Dma => image::Coupling::Dma,
            Coupling::Window => image::Coupling::Window,
        }
    }
}

/// What a packet carries: `"spikes"`, `{"counts":{"max":3}}` or `"values"`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Sends {
    Spikes,
    Counts { max: u32 },
    Values,
}

impl From<app::Sends> for Sends {
    fn from(sends: app::Sends) -> Self {
        match sends {
            app::Sends::Spikes => Sends::Spikes,
            app::Sends::Counts { max } => Sends::Counts { max },
            app::Sends::Values => Sends::Values,
        }
    }
}

impl From<Sends> for app::Sends {
    fn from(sends: Sends) -> Self {
        match sends {
            Sends::Spikes => app::Sends::Spikes,
            Sends::Counts { max } => app::Sends::Counts { max },
            Sends::Values => app::Sends::Values,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vertex {
    pub(super) chip: (u16, u16),
    pub(super) pe: (u8, u8, u8),
    pub(super) lo: u32,
    pub(super) n: u32,
    pub(super) key: String,
    pub(super) mask: String,
    pub(super) control_addr: String,
    pub(super) v_addr: Option<String>,
    pub(super) i_addr: Option<String>,
    pub(super) events: Option<Area>,
    pub(super) record: Option<Area>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Area {
    pub(super) addr: String,
    pub(super) bytes: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Port {
    pub(super) name: String,
    /// Name of the population behind the port.
    pub(super) population: String,
    /// Index of that population.
    pub(super) index: usize,
    pub(super) latency: u32,
    /// First and last key of each slice.
    pub(super) keys: Vec<(String, String)>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chip {
    pub(super) x: u16,
    pub(super) y: u16,
    pub(super) pes: Vec<Pe>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pe {
    pub(super) pe: (u8, u8, u8),
    pub(super) entry: String,
    pub(super) regions: Vec<Region>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Region {
    pub(super) name: String,
    pub(super) addr: String,
    pub(super) bytes: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

/// Reads `0x…` with up to eight digits.
pub(super) fn hex(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0x")?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    plain
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

fn show(addr: u32) -> String {
    format!("{addr:#010x}")
}

/// Describes an image set; `files` is filled in by the writer.
pub(super) fn describe(
    images: &ImageSet,
    options: &OptionsRecord,
    target_sha256: &str,
) -> Option<Bundle> {
    let program = &images.program;
    Some(Bundle {
        format: FORMAT.to_owned(),
        version: VERSION,
        s2c: env!("CARGO_PKG_VERSION").to_owned(),
        name: images.name.clone(),
        target: images.target.clone(),
        target_sha256: target_sha256.to_owned(),
        time_step_us: images.time_step_us,
        ticks_per_step: program.ticks_per_step,
        coupling: program.coupling.into(),
        options: serde_json::to_value(options).ok()?,
        populations: program.populations.iter().map(population).collect(),
        inputs: ports(&program.inputs, &program.populations)?,
        outputs: ports(&program.outputs, &program.populations)?,
        machine: Machine::of(&images.machine),
        chips: images
            .chips
            .iter()
            .map(|c| Chip {
                x: c.chip.x,
                y: c.chip.y,
                pes: c.pes.iter().map(pe).collect(),
            })
            .collect(),
        files: BTreeMap::new(),
    })
}

fn pe(image: &ir::image::PeImage) -> Pe {
    let p = image.pe;
    Pe {
        pe: (p.x(), p.y(), p.p()),
        entry: show(image.entry),
        regions: image
            .segments
            .iter()
            .map(|s| Region {
                name: s.name.clone(),
                addr: show(s.addr),
                bytes: s.size,
            })
            .collect(),
    }
}

fn population(info: &PopulationInfo) -> Population {
    Population {
        name: info.name.clone(),
        n_atoms: info.n_atoms,
        shape: info.shape.0.clone(),
        block: match info.order {
            app::AtomOrder::RowMajor => None,
            app::AtomOrder::Blocked { channels } => Some(channels),
        },
        sends: info.sends.into(),
        latency: info.latency,
        active_from: info.active_from,
        unit: info.unit.clone(),
        i_unit: info.i_unit.clone(),
        integers: info.integers,
        vertices: info.slices.iter().map(vertex).collect(),
    }
}

fn vertex(s: &SliceInfo) -> Vertex {
    let area = |(addr, bytes)| Area {
        addr: show(addr),
        bytes,
    };
    Vertex {
        chip: (s.chip.x, s.chip.y),
        pe: (s.pe.x(), s.pe.y(), s.pe.p()),
        lo: s.lo,
        n: s.n,
        key: show(s.key.key()),
        mask: show(s.key.mask()),
        control_addr: show(s.control_addr),
        v_addr: s.v_addr.map(show),
        i_addr: s.i_addr.map(show),
        events: s.events.map(area),
        record: s.record.map(area),
    }
}

fn ports(ports: &[PortInfo], populations: &[PopulationInfo]) -> Option<Vec<Port>> {
    let port = |p: &PortInfo| {
        let population = populations.get(p.population)?;
        Some(Port {
            name: p.name.clone(),
            population: population.name.clone(),
            index: p.population,
            latency: population.latency,
            keys: population
                .slices
                .iter()
                .map(|s| {
                    let first = s.key.key();
                    (show(first), show(first.wrapping_add(s.n.saturating_sub(1))))
                })
                .collect(),
        })
    };
    ports.iter().map(port).collect()
}

impl Vertex {
    /// The slice; the error names the field that is wrong.
    pub(super) fn slice(&self) -> Result<SliceInfo, &'static str> {
        let addr = |text: &str| hex(text).ok_or("an address");
        let area = |a: &Option<Area>| -> Result<Option<(u32, u32)>, &'static str> {
            let Some(a) = a else { return Ok(None) };
            Ok(Some((addr(&a.addr)?, a.bytes)))
        };
        let (x, y, p) = self.pe;
        let key = hex(&self.key).zip(hex(&self.mask));
        Ok(SliceInfo {
            chip: ChipCoord {
                x: self.chip.0,
                y: self.chip.1,
            },
            pe: PeCoord::new(x, y, p).ok_or("the PE")?,
            lo: self.lo,
            n: self.n,
            key: key.and_then(|(k, m)| KeyMask::new(k, m)).ok_or("the key")?,
            v_addr: self.v_addr.as_deref().map(addr).transpose()?,
            i_addr: self.i_addr.as_deref().map(addr).transpose()?,
            events: area(&self.events)?,
            record: area(&self.record)?,
            control_addr: addr(&self.control_addr)?,
        })
    }
}
