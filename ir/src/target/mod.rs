//! The chip description: every number about SpiNNaker2 that the compiler and
//! the emulator use, read from one file with its sources.
//!
//! **Invariant:** no other file holds a hardware constant.

mod array;
mod links;
mod read;
mod units;

use crate::code::Code;
use crate::diag::Diagnostic;
use crate::geometry::PeCoord;
use crate::origin::Origin;
use read::Reader;
use std::collections::BTreeSet;
use toml::Table;

const SPINNAKER2: &str = include_str!("../../targets/spinnaker2.toml");

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
        full_policy: u32, full_wait_packets: u32,
    }
    /// Interrupt lines that belong to no block.
    Irq irq { start: u32, }
    /// The event router; latency in router cycles, hops in NoC cycles.
    Router router { entries: u32, latency_cycles: u32, hop_cycles: u32, cores_per_entry: u32,
        queue_packets: u32, flit_bits: u32,
    }
    /// Cycles of the CPU.
    Cpu cpu {
        pipeline_refill: u32, it: u32, load: u32, store_immediate: u32, store_register: u32,
        divide_min: u32, divide_max: u32, address_stall: u32, vfp_load_store: u32,
        vfp_multiply_accumulate: u32, vfp_divide: u32, vfp_stall: u32, exception_entry: u32,
        exception_exit: u32, exclusive: u32, mmio_access: u32, sram_stall_percent: u32,
    }
    /// Costs that planning assumes before code exists.
    Planning planning {
        activity_percent: u32, default_activity_percent: u32, deadline_percent: u32,
        source_atoms: u32, key_base: u32, margin_percent: u32, source_tick_cycles: u32,
        event_centicycles: u32, event_payload_centicycles: u32, tick_cycles: u32,
        receive_cycles: u32, neuron_centicycles: u32, parameter_centicycles: u32,
        synapse_centicycles: u32, pending_centicycles: u32, current_centicycles: u32,
        scan_centicycles: u32, spike_centicycles: u32, multi_spike_centicycles: u32,
        sent_value_centicycles: u32, level_centicycles: u32, counted_centicycles: u32, count_centicycles: u32,
        streamed_i8_i16_centicycles: u32, streamed_i8_i32_centicycles: u32,
        streamed_i32_i32_centicycles: u32, listed_half_centicycles: u32, list_cycles: u32,
        sparse_packet_centicycles: u32, sparse_centicycles: u32, sparse_alone_centicycles: u32,
        conv_packet_centicycles: u32, conv_spread_centicycles: u32, tap_centicycles: u32,
        channel_i16_centicycles: u32, channel_i32_centicycles: u32,
        channel_alone_centicycles: u32, mark_centicycles: u32,
        value_row_centicycles: u32, value_centicycles: u32,
        listed_packet_centicycles: u32, listed_i8_i16_centicycles: u32,
        listed_i16_target_centicycles: u32, listed_i8_i32_centicycles: u32,
        listed_i32_target_centicycles: u32, streamed_packet_centicycles: u32,
        streamed_i16_i32_centicycles: u32, decode_centicycles: u32, array_packet_centicycles: u32,
        array_tick_cycles: u32, array_added_i16_centicycles: u32,
        array_added_i32_centicycles: u32,
    }
    /// MAC array: registers, the shape of the array, its arithmetic and its times.
    Mla mla {
        base: u32, source_a: u32, source_b: u32, target: u32, rows_a: u32, cols_a_rows_b: u32,
        cols_b: u32, trigger: u32, conv_params1: u32, conv_params2: u32, conv_params3: u32,
        noc_src: u32, noc_dst: u32, status: u32, overflows: u32,
        kind_local: u32, kind_remote: u32, irq: u32,
        rows: u32, columns: u32, fused_cells: u32, accumulator_bits: u32, fused_bits: u32,
        align_bytes: u32, max_size: u32, max_kernel: u32,
        matrix_percent: u32, vector_percent: u32, convolution_percent: u32, start_cycles: u32,
    }
    /// Unit for exponentials and logarithms.
    ExpLog explog {
        base: u32, exp_fixed: u32, exp_fraction: u32, exp_float: u32, log_fixed: u32,
        log_fraction: u32, log_float: u32, control: u32, max_iterations: u32, fixed_cycles: u32,
    }
    /// Random number generators.
    Random rng {
        base: u32, seed: u32, word: u32, float: u32, multiplier_x: u32, increment_x: u32,
        multiplier_z: u32, seed_c: u32, seed_x: u32, seed_y: u32, seed_z: u32,
        trng_config: u32, trng_value: u32,
    }
    /// Unit that rounds and saturates.
    Rounding rounding {
        base: u32, contexts: u32, context_bytes: u32, config: u32, low: u32, high: u32,
        result: u32, result_high: u32, status: u32, max_position: u32, cycles: u32,
        stochastic_cycles: u32,
    }
    /// Performance levels: the command word of each PE of a QPE, and what it takes.
    Level level {
        base: u32, command: u32, stride: u32, low_value: u32, high_value: u32, change_ns: u64,
        auto_threshold: u32,
    }
    /// Power of a whole chip as published, and energies that are assumed.
    Energy energy {
        pes: u32, off_low_uw: u64, off_high_uw: u64, sleep_low_uw: u64, sleep_high_uw: u64,
        arm_low_uw: u64, arm_high_uw: u64, mla_low_uw: u64, mla_high_uw: u64,
        mla_low_gops: u64, mla_high_gops: u64, unused_pes_sleep: u32, dram_fj_per_bit: u64,
        noc_fj_per_bit_hop: u64, router_fj_per_packet: u64, link_fj_per_bit: u64,
    }
    /// Addresses of memory outside a PE, and what a core pays for reaching it.
    Remote remote {
        sram_base: u32, sram_shift: u32, window_base: u32, window_stall: u32, entry_cycles: u32,
        flit_bytes: u32,
    }
    /// Block DMA: register offsets in the communications controller, codes, costs, interrupt lines.
    Dma dma {
        local: u32, remote: u32, length: u32, config: u32, done: u32, status: u32, command: u32,
        read_value: u32, write_value: u32, setup_cycles: u32, bytes_per_cycle: u32,
        read_irq: u32, write_irq: u32,
    }
    /// Interrupts between PEs: the QPE's register file and the lines behind it.
    Ipi ipi {
        base: u32, feed_through: u32, feed_through_irq: u32, feed_through_lines: u32,
        regfile: u32, regfile_irq: u32, regfile_lines: u32, message_irq: u32,
        locks: u32, lock_count: u32, share_config: u32, share_reset: u32,
    }
    /// Timers 2 and 3, with the registers of timer 1.
    Timers timers { second_base: u32, second_irq: u32, third_base: u32, third_irq: u32, }
    /// Packets that are not plain multicast: registers, the fields of `TCR`, kinds, lines.
    Packet packet {
        channel_stride: u32, receive: u32, payload_shift: u32, mask_shift: u32, qpe_y_shift: u32,
        qpe_x_shift: u32, link_shift: u32, core_links: u32,
        info_irq: u32, overrun_irq: u32, multicast: u32, core_to_core: u32, neighbour: u32,
        memory_write: u32, memory_read: u32, direct: u32, message: u32, queue: u32,
        multicast_irq: u32, core_irq: u32, neighbour_irq: u32,
    }
    /// Where the second receive ring's registers are, bits of the control register that
    /// enable interrupts, and the first ring's lines; those of the second follow.
    Rings rings {
        second: u32, enable_not_empty: u32, enable_full: u32, enable_limit: u32,
        enable_overrun: u32, not_empty_irq: u32, full_irq: u32, limit_irq: u32,
        overrun_irq: u32,
    }
    /// DRAM of a chip: its window, its rules, its speed.
    Dram dram {
        window_base: u32, bytes: u32, interfaces: u32, reserved_bytes: u32, alignment: u32,
        bytes_per_second: u64, efficiency_percent: u64, latency_ns: u64, port_x: u32, port_y: u32,
    }
    /// Links between chips of a board (short) and between boards (long); a packet takes
    /// whole frames, latencies are cycles of `phy_hz`.
    ChipLinks chip_links {
        frame_bits: u32, check_bits: u32, header_bits: u32, phy_hz: u64,
        short_bps: u64, short_latency_cycles: u32,
        long_bps: u64, long_line_percent: u32, long_latency_cycles: u32,
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
    pub mla: Mla,
    pub explog: ExpLog,
    pub rng: Random,
    pub rounding: Rounding,
    pub level: Level,
    pub energy: Energy,
    pub remote: Remote,
    pub dma: Dma,
    pub ipi: Ipi,
    pub timers: Timers,
    pub rings: Rings,
    pub packet: Packet,
    pub dram: Dram,
    pub chip_links: ChipLinks,
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
        let mut r = Reader::new(&table, origin);
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
            mla: Mla::read(&mut r)?,
            explog: ExpLog::read(&mut r)?,
            rng: Random::read(&mut r)?,
            rounding: Rounding::read(&mut r)?,
            level: Level::read(&mut r)?,
            energy: Energy::read(&mut r)?,
            remote: Remote::read(&mut r)?,
            dma: Dma::read(&mut r)?,
            ipi: Ipi::read(&mut r)?,
            timers: Timers::read(&mut r)?,
            rings: Rings::read(&mut r)?,
            packet: Packet::read(&mut r)?,
            dram: Dram::read(&mut r)?,
            chip_links: ChipLinks::read(&mut r)?,
            assumptions: Vec::new(),
        };
        let target = Self {
            assumptions: r.assumptions(),
            ..target
        };
        target.check(&r)?;
        links::check(&target).map_err(|what| r.error(what.to_owned()))?;
        units::check(&target).map_err(|what| r.error(what.to_owned()))?;
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
        if self.comms.full_policy > 2 {
            return wrong("comms.full_policy must be 0, 1 or 2");
        }
        let e = &self.energy;
        let rows = [
            [e.off_low_uw, e.sleep_low_uw, e.arm_low_uw],
            [e.off_low_uw, e.sleep_low_uw, e.mla_low_uw],
            [e.off_high_uw, e.sleep_high_uw, e.arm_high_uw],
            [e.off_high_uw, e.sleep_high_uw, e.mla_high_uw],
        ];
        if rows.iter().any(|row| !row.is_sorted())
            || [u64::from(e.pes), e.mla_low_gops, e.mla_high_gops].contains(&0)
        {
            return wrong(
                "the powers in [energy] must ascend from off to sleep to arm and mla, and pes and gops be above 0",
            );
        }
        if self.planning.margin_percent < 100 {
            return wrong("planning.margin_percent must be at least 100");
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
