//! The guest program of the machine tests, and images around it.
//!
//! `RELAY` was assembled with GNU as 2.40 (-mcpu=cortex-m4) and linked at 0x100.
//! What it does in a tick is decided by words in its configuration block, so
//! that one program serves every test.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "not every test file uses every part"
)]

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
use runtime_sim::Event;

pub const TEXT: u32 = 0x100;
pub const CONFIG: u32 = 0x800;
pub const CONTROL: u32 = 0x900;
/// Where the program writes its tick count plus one at the end of each tick.
pub const V: u32 = 0x960;
pub const RING: u32 = 0x1000;
/// Pairs of (tick, key) for every packet that the program took from its ring.
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
    pub fn image(&self) -> PeImage {
        let target = Target::spinnaker2();
        let mut vectors = [0; 64];
        vectors[0] = target.memory.sram_bytes;
        vectors[1] = TEXT | 1;
        vectors[16 + target.timer.irq as usize] = 0x142 | 1;
        vectors[16 + target.irq.start as usize] = 0x12c | 1;
        let ring = if self.ring_entries > 0 { RING } else { 0 };
        let config = [
            ring,
            RING + 4 * self.ring_entries,
            target.comms.dma_key_only_value,
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
        ];
        let mut control = [0; 17];
        control[1] = RING;
        control[2] = EVENTS;
        control[3] = RECORD;
        control[16] = LOG;
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
                segment("ring", RING, Vec::new(), 0x1000),
                segment("log", LOG, Vec::new(), 0x6000),
                segment("events", EVENTS, Vec::new(), 0x1000),
                segment("record", RECORD, Vec::new(), 0x1000),
            ],
            symbols: vec![
                function("reset", TEXT),
                function("start_isr", 0x12c),
                function("tick_isr", 0x142),
                function("send_key", 0x1f2),
                function("wild", 0x1fe),
            ],
        }
    }

    /// The population of 32 atoms on this PE.
    pub fn population(&self, name: &str) -> PopulationInfo {
        let place = place(self.pe);
        PopulationInfo {
            name: name.to_owned(),
            n_atoms: 32,
            shape: Shape::of(&[32]),
            order: AtomOrder::RowMajor,
            sends: Sends::Spikes,
            latency: 0,
            active_from: 0,
            unit: Vec::new(),
            i_unit: Vec::new(),
            slices: vec![SliceInfo {
                chip: place.chip,
                pe: place.pe,
                lo: 0,
                n: 32,
                key: KeyMask::block(self.key, 5).expect("aligned"),
                v_addr: Some(V),
                i_addr: None,
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
        chips: vec![ChipImage {
            chip: ChipCoord::default(),
            pes,
            routes: routes.iter().map(entry).collect(),
        }],
        program: Program {
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

/// Halfwords from address 0x100.
#[rustfmt::skip]
pub const RELAY: &[u16] = &[
    // reset:
    0x4840, // ldr r0, [pc, #256]
    0x4941, // ldr r1, [pc, #260]
    0x6001, // str r1, [r0, #0]
    0xf04f, 0x4462, // mov.w r4, #3791650816
    0xf44f, 0x6500, // mov.w r5, #2048
    0x6828, // ldr r0, [r5, #0]
    0xb150, // cbz r0, idle
    0xf8c4, 0x0104, // str.w r0, [r4, #260]
    0x6869, // ldr r1, [r5, #4]
    0xf8c4, 0x1108, // str.w r1, [r4, #264]
    0x68a9, // ldr r1, [r5, #8]
    0xf8c4, 0x1100, // str.w r1, [r4, #256]
    0x2101, // movs r1, #1
    0xf8c4, 0x113c, // str.w r1, [r4, #316]
    // idle:
    0xbf30, // wfi
    0xe7fd, // b.n idle
    // start_isr:
    0xf04f, 0x4061, // mov.w r0, #3774873600
    0xf44f, 0x6500, // mov.w r5, #2048
    0x2100, // movs r1, #0
    0x6081, // str r1, [r0, #8]
    0x6ae9, // ldr r1, [r5, #44]
    0x6001, // str r1, [r0, #0]
    0x21e2, // movs r1, #226
    0x6081, // str r1, [r0, #8]
    0x4770, // bx lr
    // tick_isr:
    0xe92d, 0x41f0, // stmdb sp!, {r4, r5, r6, r7, r8, lr}
    0xf04f, 0x4061, // mov.w r0, #3774873600
    0x2101, // movs r1, #1
    0x60c1, // str r1, [r0, #12]
    0xf04f, 0x4462, // mov.w r4, #3791650816
    0xf44f, 0x6500, // mov.w r5, #2048
    0xf44f, 0x6610, // mov.w r6, #2304
    0x6837, // ldr r7, [r6, #0]
    0x6a68, // ldr r0, [r5, #36]
    0xb1a0, // cbz r0, drained
    0xf8d4, 0x1110, // ldr.w r1, [r4, #272]
    0x6870, // ldr r0, [r6, #4]
    0x6c32, // ldr r2, [r6, #64]
    // drain:
    0x4288, // cmp r0, r1
    0xd00a, // beq.n drain_end
    0xf850, 0x3b04, // ldr.w r3, [r0], #4
    0xf842, 0x7b04, // str.w r7, [r2], #4
    0xf842, 0x3b04, // str.w r3, [r2], #4
    0x686b, // ldr r3, [r5, #4]
    0x4298, // cmp r0, r3
    0xbf08, // it eq
    0x6828, // ldreq r0, [r5, #0]
    0xe7f2, // b.n drain
    // drain_end:
    0x6070, // str r0, [r6, #4]
    0x6432, // str r2, [r6, #64]
    0xf8c4, 0x010c, // str.w r0, [r4, #268]
    // drained:
    0x69a8, // ldr r0, [r5, #24]
    0x42b8, // cmp r0, r7
    0xd101, // bne.n no_fault
    0xf000, 0xf835, // bl wild
    // no_fault:
    0x69e8, // ldr r0, [r5, #28]
    0x42b8, // cmp r0, r7
    // hang:
    0xd0fe, // beq.n hang
    0x6b28, // ldr r0, [r5, #48]
    0x42b8, // cmp r0, r7
    0xd102, // bne.n no_delay
    0x6968, // ldr r0, [r5, #20]
    // delay:
    0x3801, // subs r0, #1
    0xd1fd, // bne.n delay
    // no_delay:
    0x68e8, // ldr r0, [r5, #12]
    0x6929, // ldr r1, [r5, #16]
    // send:
    0xb120, // cbz r0, sent
    0xf000, 0xf821, // bl send_key
    0x3101, // adds r1, #1
    0x3801, // subs r0, #1
    0xe7f9, // b.n send
    // sent:
    0x6a28, // ldr r0, [r5, #32]
    0xb150, // cbz r0, no_events
    0x68b2, // ldr r2, [r6, #8]
    0xf852, 0x0b04, // ldr.w r0, [r2], #4
    // events:
    0xb128, // cbz r0, events_end
    0xf852, 0x1b04, // ldr.w r1, [r2], #4
    0xf000, 0xf814, // bl send_key
    0x3801, // subs r0, #1
    0xe7f8, // b.n events
    // events_end:
    0x60b2, // str r2, [r6, #8]
    // no_events:
    0x6aa8, // ldr r0, [r5, #40]
    0xb148, // cbz r0, no_record
    0x68f2, // ldr r2, [r6, #12]
    0xf8d4, 0x10f8, // ldr.w r1, [r4, #248]
    0xf842, 0x1b04, // str.w r1, [r2], #4
    0xf842, 0x7b04, // str.w r7, [r2], #4
    0xf842, 0x0b04, // str.w r0, [r2], #4
    0x60f2, // str r2, [r6, #12]
    // no_record:
    0x3701, // adds r7, #1
    0x6037, // str r7, [r6, #0]
    0x6637, // str r7, [r6, #96]
    0xe8bd, 0x81f0, // ldmia.w sp!, {r4, r5, r6, r7, r8, pc}
    // send_key:
    0x6fe3, // ldr r3, [r4, #124]
    0xf013, 0x4f00, // tst.w r3, #2147483648
    0xd0fb, // beq.n send_key
    0x6161, // str r1, [r4, #20]
    0x4770, // bx lr
    // wild:
    0x4803, // ldr r0, [pc, #12]
    0x6800, // ldr r0, [r0, #0]
    0x4770, // bx lr
    0xe100, 0xe000, // .word 0xe000e100
    0x0001, 0x0080, // .word 0x00800001
    0x0004, 0x4000, // .word 0x40000004
];
