use super::*;
use crate::clock::Level;
use crate::remote::{Kind, Place, RemoteFault, owner};
use ir::geometry::PeCoord;

const A: u32 = 0x1000;
const B: u32 = 0x2000;
const C: u32 = 0x3000;
/// Start, both operands signed, 32-bit results, interrupt.
const START: u32 = 1 | 1 << 2 | 1 << 4 | 2 << 6 | 1 << 9;

fn pe(p: u8) -> GlobalPe {
    GlobalPe {
        chip: ir::geometry::ChipCoord { x: 0, y: 0 },
        pe: PeCoord::new(1, 1, p).expect("in the byte"),
    }
}

fn here() -> GlobalPe {
    pe(0)
}

struct Bench {
    mla: Mla,
    memory: Memory,
    r: Registers,
    clock: Clock,
    port: Port,
}

impl Bench {
    fn new() -> Self {
        let target = Target::spinnaker2();
        Self {
            mla: Mla::new(&target, here()),
            port: Port::new(&target, Coupling::Dma),
            memory: Memory::new(target.memory.sram_bytes as usize),
            clock: Clock::new(&target, Level::High),
            r: target.mla,
        }
    }
    fn write(&mut self, offset: u32, value: u32, time: u64) {
        let written = self
            .mla
            .write(offset, value, (time, &self.clock), &mut self.port);
        written.expect("a register");
        self.mla.service(&mut self.port, &self.memory);
    }
    fn matrix(&mut self, m: u32, k: u32, n: u32) {
        let r = self.r.clone();
        for (offset, value) in [
            (r.source_a, A),
            (r.source_b, B),
            (r.target, C),
            (r.rows_a, m),
            (r.cols_a_rows_b, k),
            (r.cols_b, n),
        ] {
            self.write(offset, value, 0);
        }
    }
    fn expire(&mut self, time: u64) {
        self.mla.expire(time, &mut self.port, &mut self.memory);
    }
    fn status(&mut self) -> u32 {
        self.mla.read(self.r.status).expect("the status")
    }
    fn refused(&mut self) -> u32 {
        let status = self.status();
        assert_eq!(status & (1 | DONE | REFUSED), DONE | REFUSED);
        self.write(self.r.status, DONE | REFUSED, 0);
        assert_eq!(self.status(), 0);
        status >> REASON_SHIFT
    }
}

#[test]
fn a_product_is_there_when_it_is_due_and_not_before() {
    let mut t = Bench::new();
    t.matrix(2, 3, 2);
    t.memory.write(A, &[1, 2, 3, 255, 0, 1]).expect("in SRAM");
    t.memory.write(B, &[1, 0, 0, 1, 10, 254]).expect("in SRAM");
    t.write(t.r.trigger, START, 1000);
    // Two rows are one tile of four, two columns one of sixteen: 3 cycles at 78 percent.
    let due = 1000 + 100 + 4;
    assert_eq!(t.mla.due(), Some(due));
    // Operands may change at once.
    t.memory.write(A, &[9; 6]).expect("in SRAM");
    t.expire(due - 1);
    assert_eq!(
        (t.status(), t.memory.word(C), t.mla.line()),
        (1, Some(0), false)
    );
    t.expire(due);
    let words: Vec<i32> = (0..4)
        .map(|i| t.memory.word(C + 4 * i).expect("in SRAM") as i32)
        .collect();
    assert_eq!(words, [31, 2 - 6, -1 + 10, -2]);
    assert_eq!((t.status(), t.mla.due(), t.mla.line()), (DONE, None, true));
    t.write(t.r.status, DONE, 2000);
    assert_eq!((t.status(), t.mla.line()), (0, false));
    let did = t.mla.activity();
    assert_eq!((did.jobs, did.macs, did.busy), (1, 12, [0, 104]));
}

#[test]
fn a_start_while_busy_is_refused_and_the_job_goes_on() {
    let mut t = Bench::new();
    t.matrix(1, 1, 1);
    t.memory.write(A, &[3]).expect("in SRAM");
    t.memory.write(B, &[5]).expect("in SRAM");
    t.write(t.r.trigger, START, 0);
    t.write(t.r.target, C + 0x100, 1);
    t.write(t.r.trigger, START, 2);
    assert_eq!(
        t.status(),
        1 | REFUSED | (Refusal::Busy as u32) << REASON_SHIFT
    );
    let due = t.mla.due().expect("it runs");
    t.expire(due);
    assert_eq!(
        (t.memory.word(C), t.memory.word(C + 0x100)),
        (Some(15), Some(0))
    );
    assert_eq!(t.mla.activity().first_refused, Some(Refusal::Busy));
}

#[test]
fn illegal_starts_say_why() {
    let mut t = Bench::new();
    let cases = |r: &Registers| {
        [
            (r.rows_a, 0, Refusal::Sizes),
            (r.cols_b, 65_536, Refusal::Sizes),
            (r.cols_b, 40_000, Refusal::Sizes),
            (r.source_a, A + 4, Refusal::Alignment),
            (r.target, 0x1_fff0, Refusal::Address),
            (r.source_b, 0x3fff_fff0, Refusal::Address),
            (r.source_a, 3 << 30, Refusal::Unknown),
        ]
    };
    for (offset, value, why) in cases(&t.r.clone()) {
        t.matrix(2, 16, 4);
        t.write(offset, value, 0);
        t.write(t.r.trigger, START, 0);
        assert!(t.mla.line(), "a refused start interrupts too");
        assert_eq!(t.refused(), why as u32, "{why:?}");
    }
    for trigger in [START | 1 << 10, START | 1 << 31, START | 1 << 6] {
        t.matrix(2, 16, 4);
        t.write(t.r.trigger, trigger, 0);
        assert_eq!(t.refused(), Refusal::Unknown as u32);
    }
    // A kernel that is larger than the padded input, padding as wide as the kernel, no stride.
    for (kernel, padding) in [(0x0101_0503, 0), (0x0101_0303, 3), (0x0001_0303, 0)] {
        t.matrix(4, 1, 1);
        t.write(t.r.conv_params1, 4, 0);
        t.write(t.r.conv_params2, kernel, 0);
        t.write(t.r.conv_params3, padding, 0);
        t.write(t.r.trigger, START | 2, 0);
        assert_eq!(t.refused(), Refusal::Sizes as u32, "{kernel:#x} {padding}");
    }
    let did = t.mla.activity();
    assert_eq!((did.jobs, did.refused), (0, 13));
    assert_eq!(t.mla.read(0x1c), Err(BusError::Refused));
}

#[test]
fn an_accumulator_that_overflows_wraps_and_is_counted() {
    let mut t = Bench::new();
    // 127 * 127 * 521 is above 2^23, 520 of them below: the sum comes back, the count stays.
    let k = 600;
    t.matrix(2, k, 1);
    let mut a = vec![127_u8; 600];
    a[521..].fill(-127_i8 as u8);
    t.memory.write(A, &a).expect("in SRAM");
    t.memory.write(A + k, &[1; 600]).expect("in SRAM");
    t.memory.write(B, &[127; 600]).expect("in SRAM");
    t.write(t.r.trigger, START, 0);
    t.expire(u64::MAX);
    let sum = 127 * 127 * (521 - 79);
    assert_eq!(t.memory.word(C), Some(sum));
    assert_eq!(t.memory.word(C + 4), Some(127 * 600));
    assert_eq!(t.mla.read(t.r.overflows), Ok(1));
    assert_eq!(t.status(), DONE | OVERFLOWED);
    // 29 bits take it.
    t.mla.registers.accumulator_bits = 29;
    t.write(t.r.status, DONE | OVERFLOWED, 0);
    t.write(t.r.trigger, START, 0);
    t.expire(u64::MAX);
    assert_eq!((t.status(), t.mla.read(t.r.overflows)), (DONE, Ok(0)));
}

#[test]
fn results_are_shifted_cut_and_made_positive() {
    let mut t = Bench::new();
    t.matrix(1, 1, 4);
    t.memory.write(A, &[100]).expect("in SRAM");
    t.memory.write(B, &[1, 255, 3, 5]).expect("in SRAM");
    let signed = 1 | 1 << 2 | 1 << 4;
    t.write(t.r.trigger, signed | 3 << 16, 0);
    t.expire(u64::MAX);
    // 100, -100, 300, 500 shifted by three; the last results are 37 and 62.
    assert_eq!(
        t.memory.word(C),
        Some(u32::from_le_bytes([12, -13_i8 as u8, 37, 62]))
    );
    assert_eq!(t.mla.activity().clipped, 0);
    t.write(t.r.trigger, signed | 1 << 8, 0);
    t.expire(u64::MAX);
    assert_eq!(
        t.memory.word(C),
        Some(u32::from_le_bytes([100, 0, 44, 244]))
    );
    assert_eq!(t.mla.activity().clipped, 2);
}

#[test]
fn a_transformer_product_comes_to_the_published_rate() {
    let target = Target::spinnaker2();
    let mut t = Bench::new();
    t.matrix(128, 256, 192);
    t.write(t.r.source_b, 0x9000, 0);
    t.write(t.r.target, 0x15000, 0);
    t.write(t.r.trigger, 1 | 1 << 2 | 1 << 4 | 8 << 16, 0);
    let cycles = t.mla.due().expect("it runs") as f64;
    let macs = 128.0 * 256.0 * 192.0;
    let tops = |hz: u64| 2.0 * 152.0 * macs / cycles * hz as f64 / 1e12;
    let close = |got: f64, published: f64| (got / published - 1.0).abs() < 0.005;
    assert!(
        close(tops(target.clock.pe_high_hz), 4.563),
        "{}",
        tops(target.clock.pe_high_hz)
    );
    assert!(
        close(tops(target.clock.pe_low_hz), 2.281),
        "{}",
        tops(target.clock.pe_low_hz)
    );
}

#[test]
fn remote_parts_are_fetched_first_and_sent_last() {
    let mut t = Bench::new();
    let id = u32::from(pe(2).pe.id());
    t.matrix(1, 2, 1);
    // A in PE 2 by its number, B in PE 1 by the window, the result in PE 2.
    t.write(t.r.source_a, 1 << 30 | A, 0);
    t.write(t.r.source_b, 0x000a_0000 | B, 0);
    t.write(t.r.target, 1 << 30 | C, 0);
    t.write(t.r.noc_src, id, 0);
    t.write(t.r.noc_dst, id, 0);
    t.write(t.r.trigger, START, 1000);
    assert_eq!((t.mla.due(), t.status()), (None, 1));
    let asked: Vec<_> = t.port.take().collect();
    let place = |p: u8, addr| Place::Sram { pe: pe(p), addr };
    let kinds: Vec<_> = asked.iter().map(|r| (r.tag, r.kind.clone())).collect();
    let read = |n, from| (owner::MLA | 4 | n, Kind::Read { from, len: 2 });
    let window = Place::Window { pe: pe(1), addr: B };
    assert_eq!(kinds, [read(0, place(2, A)), read(1, window)]);
    assert!(asked.iter().all(|r| r.at >= 1000 + t.port.lookahead()));
    let answer = |tag, at, data: &[u8]| Completion {
        at,
        tag,
        data: data.to_vec(),
        fault: None,
    };
    t.mla.complete(answer(owner::MLA | 5, 2500, &[7, 1]));
    assert_eq!(t.mla.due(), None);
    t.mla.complete(answer(owner::MLA | 4, 2000, &[5, 3]));
    // Two products at 70 percent, after the later operand.
    assert_eq!(t.mla.due(), Some(2500 + 100 + 3));
    t.expire(2603);
    assert_eq!((t.mla.due(), t.status()), (None, 1));
    let stored: Vec<_> = t.port.take().collect();
    let write = Kind::Write {
        to: place(2, C),
        bytes: 38_u32.to_le_bytes().to_vec(),
    };
    assert_eq!(stored.len(), 1);
    assert_eq!((stored[0].tag, &stored[0].kind), (owner::MLA | 6, &write));
    t.mla.complete(answer(owner::MLA | 6, 3000, &[]));
    assert!(!t.mla.line());
    t.expire(3000);
    assert_eq!((t.status(), t.mla.line()), (DONE, true));
    assert_eq!(t.mla.activity().busy, [0, 2000]);
    // A PE that does not answer.
    t.write(t.r.status, DONE, 0);
    t.write(t.r.trigger, START, 5000);
    let failed = Completion {
        fault: Some(RemoteFault::NoProgram),
        ..answer(owner::MLA | 8, 6000, &[])
    };
    t.mla.complete(failed);
    t.expire(6000);
    assert_eq!(t.refused(), Refusal::Remote as u32);
    // The other operand comes after the next start, which it does not belong to.
    t.write(t.r.trigger, START, 6100);
    t.mla.complete(answer(owner::MLA | 9, 6500, &[0, 0]));
    t.mla.complete(answer(owner::MLA | 12, 6600, &[5, 3]));
    assert_eq!(t.mla.due(), None);
    t.mla.complete(answer(owner::MLA | 13, 6700, &[7, 1]));
    assert_eq!(t.mla.due(), Some(6700 + 103));
}

#[test]
fn remote_parts_must_be_declared() {
    let mut t = Bench::new();
    t.port = Port::new(&Target::spinnaker2(), Coupling::None);
    t.matrix(1, 2, 1);
    t.write(t.r.source_a, 0x000a_0000, 0);
    let now = (0, &t.clock);
    let start = t.mla.write(t.r.trigger, START, now, &mut t.port);
    assert_eq!(start, Err(BusError::Refused));
    assert_eq!(t.port.undeclared(), Some(Coupling::Dma));
}
