//! The chip description: every number about SpiNNaker2 that the compiler and
//! the emulator use, read from one file with its sources.
//!
//! **Invariant:** no other file holds a hardware constant.

use crate::code::Code;
use crate::diag::Diagnostic;
use crate::geometry::PeCoord;
use crate::origin::Origin;
use std::collections::BTreeSet;
use toml::{Table, Value};

const SPINNAKER2: &str = include_str!("../targets/spinnaker2.toml");

/// One assumed value, as reports print it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumption {
    /// Section and key, such as `cpu.it`.
    pub key: String,
    pub value: String,
    pub source: String,
}

macro_rules! sections {
    ($($(#[$doc:meta])* $section:ident $field:ident { $($key:ident: $ty:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $section { $(pub $key: $ty,)* }
            impl $section {
                fn read(table: &mut Reader<'_>) -> Result<Self, Diagnostic> {
                    table.enter(stringify!($field))?;
                    let section = Self { $($key: table.number(stringify!($key))?,)* };
                    table.leave()?;
                    Ok(section)
                }
            }
        )*
    };
}

sections! {
    /// Clock rates in Hz.
    Clock clock { pe_high_hz: u64, pe_low_hz: u64, timer_hz: u64, noc_hz: u64, router_hz: u64, }
    /// Local memory of a PE, in bytes.
    Memory memory {
        sram_base: u32, sram_bytes: u32, text_reserve: u32, text_per_rows: u32, stack_bytes: u32, events_bytes: u32,
    }
    /// Timer 1: base address, register offsets, the start command, its interrupt line.
    Timer timer {
        base: u32, load: u32, value: u32, ctl: u32, int_clr: u32, raw_int: u32, mask_int: u32,
        bg_load: u32, start_value: u32, irq: u32,
    }
    /// Communications controller: base address and register offsets.
    Comms comms {
        base: u32, tdr: u32, tkr: u32, tctl: u32, id: u32,
        dma_config: u32, dma_start: u32, dma_end: u32, dma_read: u32, dma_write: u32,
        dma_limit: u32, dma_n_words: u32, dma_max: u32, dma_dropped: u32, dma_control: u32,
        dma_enable_value: u32, dma_key_only_value: u32, dma_payload_value: u32, plain_payload: u32,
    }
    /// Interrupt lines that belong to no block.
    Irq irq { start: u32, }
    /// The event router; latency in router cycles, hops in NoC cycles.
    Router router { entries: u32, latency_cycles: u32, hop_cycles: u32, cores_per_entry: u32, }
    /// Cycles of the CPU.
    Cpu cpu {
        pipeline_refill: u32, it: u32, load: u32, store_immediate: u32, store_register: u32,
        divide_min: u32, divide_max: u32, address_stall: u32, vfp_load_store: u32,
        vfp_multiply_accumulate: u32, vfp_divide: u32, vfp_stall: u32, exception_entry: u32,
        exception_exit: u32, mmio_access: u32, sram_stall_percent: u32,
    }
    /// Costs that planning assumes before code exists.
    Planning planning {
        activity_percent: u32, tick_cycles: u32, receive_cycles: u32, neuron_cycles: u32,
        source_cycles: u32, synapse_i8_i16_centicycles: u32, synapse_i8_i32_centicycles: u32,
        synapse_i16_i32_centicycles: u32, synapse_i32_i32_centicycles: u32,
        sparse_centicycles: u32, value_centicycles: u32, tap_cycles: u32,
        deadline_percent: u32, source_atoms: u32, key_base: u32,
    }
}

/// The places of a chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    pub width: u8,
    pub height: u8,
    pub pes_per_qpe: u8,
    /// Places without a QPE.
    pub holes: BTreeSet<(u8, u8)>,
    /// Place from which hops to and from the router are counted.
    pub router_at: (u8, u8),
    /// PEs that applications may not use.
    pub reserved: BTreeSet<PeCoord>,
}

/// A chip description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub name: String,
    pub grid: Grid,
    pub clock: Clock,
    pub memory: Memory,
    pub timer: Timer,
    pub comms: Comms,
    pub irq: Irq,
    pub router: Router,
    pub cpu: Cpu,
    pub planning: Planning,
    pub assumptions: Vec<Assumption>,
}

impl Target {
    /// The built-in description of the product chip.
    pub fn spinnaker2() -> Self {
        Self::parse(SPINNAKER2, "spinnaker2.toml")
            .expect("the built-in target file is tested to parse")
    }

    /// Reads a target file; `file` is its name in diagnostics.
    pub fn parse(text: &str, file: &str) -> Result<Self, Diagnostic> {
        let origin = Origin::File {
            file: file.to_owned(),
        };
        let table: Table = text.parse().map_err(|e: toml::de::Error| {
            Diagnostic::error(Code::Usage, &origin, "the target file is not valid TOML")
                .note(e.message().to_owned())
        })?;
        let mut r = Reader {
            table: &table,
            origin,
            section: None,
            used: 0,
            assumptions: Vec::new(),
        };
        let name = r.text("name")?;
        let grid = Grid::read(&mut r)?;
        let target = Self {
            name,
            grid,
            clock: Clock::read(&mut r)?,
            memory: Memory::read(&mut r)?,
            timer: Timer::read(&mut r)?,
            comms: Comms::read(&mut r)?,
            irq: Irq::read(&mut r)?,
            router: Router::read(&mut r)?,
            cpu: Cpu::read(&mut r)?,
            planning: Planning::read(&mut r)?,
            assumptions: Vec::new(),
        };
        let target = Self {
            assumptions: r.assumptions.clone(),
            ..target
        };
        target.check(&r)?;
        Ok(target)
    }

    fn check(&self, r: &Reader<'_>) -> Result<(), Diagnostic> {
        let m = &self.memory;
        let wrong = |what: &str| Err(r.error(what.to_owned()));
        if m.sram_base != 0 {
            return wrong("memory.sram_base must be 0: the vector table is fetched from address 0");
        }
        if m.sram_bytes > 1 << 24 || !m.sram_bytes.is_multiple_of(16) {
            return wrong("memory.sram_bytes must be a multiple of 16 up to 16 MiB");
        }
        if u64::from(m.text_reserve) + u64::from(m.stack_bytes) > u64::from(m.sram_bytes) {
            return wrong("memory.text_reserve + memory.stack_bytes exceed memory.sram_bytes");
        }
        if [
            m.text_reserve,
            m.text_per_rows,
            m.stack_bytes,
            m.events_bytes,
        ]
        .iter()
        .any(|b| !b.is_multiple_of(16))
        {
            return wrong("sizes in [memory] must be multiples of 16");
        }
        let c = &self.clock;
        if c.timer_hz == 0
            || !c.pe_high_hz.is_multiple_of(c.timer_hz)
            || c.router_hz == 0
            || c.noc_hz == 0
        {
            return wrong(
                "clock.pe_high_hz must be a multiple of clock.timer_hz, and no clock may be 0",
            );
        }
        if self.planning.deadline_percent > 100 || self.planning.activity_percent > 100 {
            return wrong("percentages in [planning] may not exceed 100");
        }
        if self.planning.source_atoms == 0 || self.timer.irq > 239 || self.irq.start > 239 {
            return wrong("planning.source_atoms must be above 0 and interrupt lines below 240");
        }
        Ok(())
    }

    /// Every PE of a chip, QPE rows from the bottom, left to right.
    pub fn pes(&self) -> impl Iterator<Item = PeCoord> + '_ {
        let g = &self.grid;
        (1..=g.height)
            .flat_map(move |y| (1..=g.width).map(move |x| (x, y)))
            .filter(move |place| !g.holes.contains(place))
            .flat_map(move |(x, y)| (0..g.pes_per_qpe).filter_map(move |p| PeCoord::new(x, y, p)))
    }
    pub fn has_pe(&self, pe: PeCoord) -> bool {
        self.pes().any(|p| p == pe)
    }
    /// PEs that applications may use, nearest to the router first, then by coordinate.
    pub fn application_pes(&self) -> Vec<PeCoord> {
        let mut pes: Vec<PeCoord> = self
            .pes()
            .filter(|pe| !self.grid.reserved.contains(pe))
            .collect();
        pes.sort_by_key(|pe| (self.router_hops(*pe), pe.x(), pe.y(), pe.p()));
        pes
    }
    /// Mesh hops between a PE and the event router.
    pub fn router_hops(&self, pe: PeCoord) -> u32 {
        let (x, y) = self.grid.router_at;
        u32::from(pe.x().abs_diff(x)) + u32::from(pe.y().abs_diff(y))
    }
    /// PE cycles in one tick of `time_step_us` at the high performance level.
    pub fn cycles_per_tick(&self, time_step_us: u32) -> u64 {
        self.clock.pe_high_hz / 1_000_000 * u64::from(time_step_us)
    }
}

impl Grid {
    fn read(r: &mut Reader<'_>) -> Result<Self, Diagnostic> {
        r.enter("grid")?;
        let grid = Self {
            width: r.number("width")?,
            height: r.number("height")?,
            pes_per_qpe: r.number("pes_per_qpe")?,
            holes: r
                .tuples::<2>("holes")?
                .into_iter()
                .map(|[x, y]| (x, y))
                .collect(),
            router_at: {
                let [x, y] = r.tuple("router_at")?;
                (x, y)
            },
            reserved: r
                .tuples::<3>("reserved_pes")?
                .into_iter()
                .map(|[x, y, p]| PeCoord::new(x, y, p))
                .collect::<Option<_>>()
                .ok_or_else(|| r.error("grid.reserved_pes holds an impossible PE".to_owned()))?,
        };
        r.leave()?;
        if grid.width > 7 || grid.height > 7 || grid.pes_per_qpe > 4 {
            return Err(r.error("the grid exceeds the PE identity byte (7 x 7 x 4)".to_owned()));
        }
        Ok(grid)
    }
}

/// Walks the TOML table, notes assumptions, and reports unknown keys.
struct Reader<'a> {
    table: &'a Table,
    origin: Origin,
    section: Option<(String, &'a Table)>,
    used: usize,
    assumptions: Vec<Assumption>,
}

impl<'a> Reader<'a> {
    fn error(&self, message: String) -> Diagnostic {
        Diagnostic::error(Code::Usage, &self.origin, message)
            .help("compare with the built-in target file, ir/targets/spinnaker2.toml")
    }
    fn text(&self, key: &str) -> Result<String, Diagnostic> {
        let value = self.table.get(key).and_then(Value::as_str);
        value
            .map(str::to_owned)
            .ok_or_else(|| self.error(format!("`{key}` must be a text")))
    }
    fn enter(&mut self, name: &str) -> Result<(), Diagnostic> {
        let section = self.table.get(name).and_then(Value::as_table);
        let section = section.ok_or_else(|| self.error(format!("section [{name}] is missing")))?;
        self.section = Some((name.to_owned(), section));
        self.used = 0;
        Ok(())
    }
    /// Ends a section: every key in it must have been asked for.
    fn leave(&mut self) -> Result<(), Diagnostic> {
        match self.section.take() {
            Some((name, table)) if table.len() != self.used => {
                Err(self.error(format!("section [{name}] has keys that s2c does not know")))
            }
            _ => Ok(()),
        }
    }
    fn value(&mut self, key: &str) -> Result<&'a Value, Diagnostic> {
        let Some((name, table)) = &self.section else {
            return Err(self.error(format!("`{key}` outside a section")));
        };
        let path = format!("{name}.{key}");
        let entry = table.get(key).and_then(Value::as_table);
        let entry = entry.ok_or_else(|| self.error(format!("{path} is missing")))?;
        let value = entry.get("value");
        let value = value.ok_or_else(|| self.error(format!("{path} has no value")))?;
        let source = entry.get("source").and_then(Value::as_str);
        let source = source.ok_or_else(|| self.error(format!("{path} has no source")))?;
        if entry.get("assumed").and_then(Value::as_bool) == Some(true) {
            self.assumptions.push(Assumption {
                key: path,
                value: value.to_string(),
                source: source.to_owned(),
            });
        }
        self.used += 1;
        Ok(value)
    }
    fn number<T: TryFrom<i64>>(&mut self, key: &str) -> Result<T, Diagnostic> {
        let value = self
            .value(key)?
            .as_integer()
            .and_then(|v| T::try_from(v).ok());
        value.ok_or_else(|| self.error(format!("`{key}` is not a number in range")))
    }
    fn tuple<const N: usize>(&mut self, key: &str) -> Result<[u8; N], Diagnostic> {
        let value = self.value(key)?;
        bytes(value).ok_or_else(|| self.error(format!("`{key}` must be a list of {N} numbers")))
    }
    fn tuples<const N: usize>(&mut self, key: &str) -> Result<Vec<[u8; N]>, Diagnostic> {
        let value = self
            .value(key)?
            .as_array()
            .map(|a| a.iter().map(bytes).collect());
        value
            .flatten()
            .ok_or_else(|| self.error(format!("`{key}` must be a list of lists of {N} numbers")))
    }
}

fn bytes<const N: usize>(value: &Value) -> Option<[u8; N]> {
    let items: Option<Vec<u8>> = value
        .as_array()?
        .iter()
        .map(|v| v.as_integer().and_then(|v| u8::try_from(v).ok()))
        .collect();
    items?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_chip_has_152_pes_of_which_148_are_ours() {
        let t = Target::spinnaker2();
        assert_eq!(t.pes().count(), 152);
        assert_eq!(t.application_pes().len(), 148);
        assert!(!t.has_pe(PeCoord::new(4, 3, 0).expect("in the byte")));
        assert!(t.has_pe(PeCoord::new(7, 5, 3).expect("in the byte")));
        assert_eq!(t.cycles_per_tick(1000), 300_000);
    }

    #[test]
    fn assumptions_are_listed_with_their_ground() {
        let t = Target::spinnaker2();
        assert!(t.assumptions.iter().any(|a| a.key == "comms.base"));
        assert!(t.assumptions.iter().all(|a| !a.source.is_empty()));
    }

    #[test]
    fn unknown_keys_and_missing_values_are_named() {
        let extra = SPINNAKER2.replace("[irq]\n", "[irq]\nfoo = { value = 1, source = \"x\" }\n");
        assert!(
            Target::parse(&extra, "t")
                .expect_err("extra key")
                .message
                .contains("[irq]")
        );
        let gone = SPINNAKER2.replace("\nit = {", "\nitt = {");
        assert!(
            Target::parse(&gone, "t")
                .expect_err("missing key")
                .message
                .contains("cpu.it")
        );
    }
}
