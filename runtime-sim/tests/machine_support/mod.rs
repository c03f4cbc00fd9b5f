//! The guest program of the machine tests, and images around it.
//!
//! What `relay.s` does in a tick is decided by words in its configuration block,
//! so that one program serves every test.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "not every test file uses every part"
)]

mod relay;

use ir::Target;
use ir::app::{AtomOrder, Sends};
use ir::geometry::{ChipCoord, GlobalPe, PeCoord};
use ir::image::{
    ChipImage, ImageSet, PeImage, PopulationInfo, PortInfo, Program, Segment, SliceInfo, Symbol,
    SymbolKind,
};
use ir::key::KeyMask;
use ir::routing::{RoutingEntry, Targets};
use ir::tensor::Shape;
use relay::{RELAY, SEND_KEY, START_ISR, TICK_ISR, WILD};
use runtime_sim::Event;

pub const TEXT: u32 = 0x100;
pub const CONFIG: u32 = 0x800;
pub const CONTROL: u32 = 0x900;
/// Membranes: position p holds 100 + p, but the program writes to position 0 its
/// tick count plus one at the end of each tick.
pub const V: u32 = 0x960;
/// Currents: position p holds 200 + p.
pub const I: u32 = 0xa00;
pub const RING: u32 = 0x1000;
/// Pairs of (tick, word) for every word that the program took from its ring.
pub const LOG: u32 = 0x2000;
pub const EVENTS: u32 = 0x8000;
pub const RECORD: u32 = 0x9000;
pub const NEVER: u32 = u32::MAX;

/// The configuration block of `RELAY`, and what surrounds it.
#[derive(Clone, Debug)]
pub struct Guest {
    pub pe: (u8, u8, u8),
    /// Entries of the receive ring; 0 for no ring.
    pub ring_entries: u32,
    /// Take packets from the ring in each tick.
    pub drain: bool,
    /// Packets to send in each tick.
    pub send: u32,
    /// First key, also that of the population.
    pub key: u32,
    /// Rounds of a loop of 4 cycles each.
    pub delay: u32,
    /// Tick in which the loop runs.
    pub delay_tick: u32,
    pub fault_tick: u32,
    pub hang_tick: u32,
    /// Bytes of the event region; 0 for none.
    pub events: u32,
    /// Bitmap to record in each tick; 0 for none.
    pub record: u32,
    /// Frames that the record holds.
    pub record_frames: u32,
    /// Counts of the timer between interrupts.
    pub period: u32,
    /// What the packets of its events carry.
    pub sends: Sends,
    /// The ring's entries have a payload word.
    pub ring_payloads: bool,
    /// Order of the population's atoms, of shape `[4 2 4]`.
    pub order: AtomOrder,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            pe: (1, 1, 0),
            ring_entries: 0,
            drain: false,
            send: 0,
            key: 0x1000,
            delay: 1,
            delay_tick: NEVER,
            fault_tick: NEVER,
            hang_tick: NEVER,
            events: 0,
            record: 0,
            record_frames: 2,
            period: 100,
            sends: Sends::Spikes,
            ring_payloads: false,
            order: AtomOrder::RowMajor,
        }
    }
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

pub fn place(pe: (u8, u8, u8)) -> GlobalPe {
    GlobalPe {
        chip: ChipCoord::default(),
        pe: PeCoord::new(pe.0, pe.1, pe.2).expect("in the byte"),
    }
}

impl Guest {
    /// Sends packets in each tick.
    pub fn sender(send: u32) -> Self {
        Self {
            send,
            ..Self::default()
        }
    }
    /// Logs what comes into its ring.
    pub fn sink(ring_entries: u32) -> Self {
        Self {
            pe: (2, 1, 0),
            key: 0x2000,
            ring_entries,
            drain: true,
            ..Self::default()
        }
    }
    pub fn image(&self) -> PeImage {
        let target = Target::spinnaker2();
        let mut vectors = [0; 64];
        vectors[0] = target.memory.sram_bytes;
        vectors[1] = TEXT | 1;
        vectors[16 + target.timer.irq as usize] = TICK_ISR | 1;
        vectors[16 + target.irq.start as usize] = START_ISR | 1;
        let ring = if self.ring_entries > 0 { RING } else { 0 };
        let (entry, ring_config) = if self.ring_payloads {
            (8, target.comms.dma_payload_value)
        } else {
            (4, target.comms.dma_key_only_value)
        };
        let config = [
            ring,
            RING + entry * self.ring_entries,
            ring_config,
            self.send,
            self.key,
            self.delay,
            self.fault_tick,
            self.hang_tick,
            u32::from(self.events > 0),
            u32::from(self.drain),
            self.record,
            self.period,
            self.delay_tick,
            u32::from(self.sends.has_payload()),
        ];
        let mut control = [0; 56];
        control[1] = RING;
        control[2] = EVENTS;
        control[3] = RECORD;
        control[16] = LOG;
        (0..32).for_each(|p| control[24 + p] = 100 + p as u32);
        let currents: Vec<u32> = (200..232).collect();
        let segment = |name: &str, addr, bytes: Vec<u8>, size| Segment {
            name: name.to_owned(),
            addr,
            bytes,
            size,
            executable: name == "text",
        };
        let code = RELAY.iter().flat_map(|h| h.to_le_bytes()).collect();
        let function = |name: &str, addr| Symbol {
            name: name.to_owned(),
            addr,
            size: 0,
            kind: SymbolKind::Function,
        };
        PeImage {
            pe: place(self.pe).pe,
            entry: TEXT | 1,
            segments: vec![
                segment("vectors", 0, bytes(&vectors), TEXT),
                segment("text", TEXT, code, 0x200),
                segment("config", CONFIG, bytes(&config), 0x40),
                segment("control", CONTROL, bytes(&control), 0x100),
                segment("i", I, bytes(&currents), 0x80),
                segment("ring", RING, Vec::new(), 0x1000),
                segment("log", LOG, Vec::new(), 0x6000),
                segment("events", EVENTS, Vec::new(), 0x1000),
                segment("record", RECORD, Vec::new(), 0x1000),
            ],
            symbols: vec![
                function("reset", TEXT),
                function("start_isr", START_ISR),
                function("tick_isr", TICK_ISR),
                function("send_key", SEND_KEY),
                function("wild", WILD),
            ],
        }
    }

    /// The population of 32 atoms on this PE.
    pub fn population(&self, name: &str) -> PopulationInfo {
        let place = place(self.pe);
        PopulationInfo {
            name: name.to_owned(),
            n_atoms: 32,
            shape: Shape::of(&[4, 2, 4]),
            order: self.order,
            sends: self.sends,
            latency: 0,
            active_from: 0,
            unit: Vec::new(),
            i_unit: Vec::new(),
            integers: false,
            slices: vec![SliceInfo {
                chip: place.chip,
                pe: place.pe,
                lo: 0,
                n: 32,
                key: KeyMask::block(self.key, 5).expect("aligned"),
                v_addr: Some(V),
                i_addr: Some(I),
                events: (self.events > 0).then_some((EVENTS, self.events)),
                record: (self.record > 0).then_some((RECORD, 12 * self.record_frames)),
                control_addr: CONTROL,
            }],
        }
    }
}

/// Guests `a`, `b`, … on one chip, each with its population; routes as
/// (first of 32 keys, indices of the guests that receive them).
pub fn images(guests: &[Guest], routes: &[(u32, &[usize])]) -> ImageSet {
    let mut pes: Vec<PeImage> = guests.iter().map(Guest::image).collect();
    pes.sort_by_key(|p| p.pe);
    let entry = |&(key, to): &(u32, &[usize])| RoutingEntry {
        key: KeyMask::block(key, 5).expect("aligned"),
        targets: Targets {
            links: Default::default(),
            pes: to.iter().map(|&i| place(guests[i].pe).pe).collect(),
        },
        nets: Vec::new(),
    };
    let inputs = guests.iter().enumerate().filter(|(_, g)| g.events > 0);
    ImageSet {
        name: "test".to_owned(),
        target: Target::spinnaker2().name,
        time_step_us: guests.first().map_or(100, |g| g.period),
        machine: ir::machine::Machine::new(1, 1),
        chips: vec![ChipImage {
            chip: ChipCoord::default(),
            pes,
            routes: routes.iter().map(entry).collect(),
        }],
        program: Program {
            coupling: Default::default(),
            ticks_per_step: 1,
            populations: ('a'..='z')
                .zip(guests)
                .map(|(name, g)| g.population(&name.to_string()))
                .collect(),
            inputs: inputs
                .map(|(population, _)| PortInfo {
                    name: format!("in{population}"),
                    population,
                })
                .collect(),
            outputs: Vec::new(),
        },
    }
}

/// One spike of each atom.
pub fn spikes(atoms: &[u32]) -> Vec<Event> {
    atoms.iter().map(|&atom| Event::spike(atom)).collect()
}

/// What a guest has logged: (tick, key) of each packet that it took.
pub fn log(sram: &[u8]) -> Vec<(u32, u32)> {
    let word = |at: usize| u32::from_le_bytes(sram[at..at + 4].try_into().expect("4 bytes"));
    let end = word(CONTROL as usize + 0x40) as usize;
    (LOG as usize..end)
        .step_by(8)
        .map(|at| (word(at), word(at + 4)))
        .collect()
}
