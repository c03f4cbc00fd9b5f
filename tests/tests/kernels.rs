//! Each kernel three ways on random data: as host code from the same CLIF, on
//! the emulator's core, and in QEMU. All must leave the same memory.

use codegen::kernels::{
    Addressing, DenseRow, Kernel, KeyRange, Operand, Receive, ResetOp, RowBlock, Send, Source,
    Update,
};
use ir::DType;
use ir::memory::{control, padded};
use ir::semantics::Compare;
use runtime_sim::host::{HostKernel, HostMemory};
use tests::bare::{self, DATA};

/// Where the pretended registers are: plain memory with the status ready.
const STATUS: u32 = 0x1_e000;
const KEY: u32 = STATUS + 8;
const SEND: Send = Send {
    status: STATUS,
    key: KEY,
};

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same everywhere.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 32) as u32
    }
}

struct Lab {
    rng: Rng,
    data: Vec<u8>,
}

impl Lab {
    fn new(seed: u8) -> Self {
        let rng = Rng(u64::from(seed));
        let mut lab = Self {
            rng,
            data: vec![0; (DATA.end - DATA.start) as usize],
        };
        lab.put(STATUS, &0x8000_0000u32.to_le_bytes());
        lab
    }
    fn put(&mut self, addr: u32, bytes: &[u8]) {
        let at = (addr - DATA.start) as usize;
        self.data[at..at + bytes.len()].copy_from_slice(bytes);
    }
    fn word(&mut self, addr: u32, word: u32) {
        self.put(addr, &word.to_le_bytes());
    }
    fn random(&mut self, addr: u32, len: u32) {
        let bytes: Vec<u8> = (0..len).map(|_| self.rng.next() as u8).collect();
        self.put(addr, &bytes);
    }
    fn below(&mut self, n: u32) -> u32 {
        self.rng.next() % n
    }
    /// Random floats of moderate size, both signs, some of them exact zeros.
    fn floats(&mut self, addr: u32, n: u32, scale: f32) {
        for i in 0..n {
            let x = match self.below(16) {
                0 => 0.0,
                _ => (self.rng.next() as i32 as f32) / 2f32.powi(31) * scale,
            };
            self.put(addr + 4 * i, &x.to_le_bytes());
        }
    }

    /// Runs `guest` everywhere and compares; returns the data left behind.
    fn agree(&self, guest: &[Kernel], host: Kernel, args: &[u32]) -> Vec<u8> {
        let image = bare::image(guest, args, &self.data);
        let emulated = bare::emulate(&image).data;
        let name = host.name().to_owned();
        let compiled = HostKernel::compile(host.function).expect("the host compiles the kernel");
        let mut memory = HostMemory::new();
        memory.write(DATA.start, &self.data);
        compiled
            .call(&mut memory, args)
            .expect("the arguments match");
        let on_host = memory.read(DATA.start, self.data.len());
        assert!(
            emulated == on_host,
            "{name}: emulator and host differ at {:#x}",
            first_difference(&emulated, on_host)
        );
        if tests::tool("qemu-system-arm") {
            let folder = tempfile::tempdir().expect("a scratch folder");
            let in_qemu = bare::qemu(&image, folder.path());
            assert!(
                emulated == in_qemu,
                "{name}: emulator and QEMU differ at {:#x}",
                first_difference(&emulated, &in_qemu)
            );
        }
        emulated
    }
}

fn first_difference(a: &[u8], b: &[u8]) -> u32 {
    let at = a
        .iter()
        .zip(b)
        .position(|(a, b)| a != b)
        .unwrap_or(a.len().min(b.len()));
    DATA.start + at as u32
}

#[test]
fn dense_rows() {
    let pairs = [
        (DType::I8, DType::I16),
        (DType::I8, DType::I32),
        (DType::I16, DType::I32),
        (DType::I32, DType::I32),
    ];
    for (i, (weight, accumulator)) in pairs.into_iter().enumerate() {
        for targets in [1, 8, 10, 16, 24, 112, 256] {
            let kernel = DenseRow::new(weight, accumulator, targets).expect("a known pair");
            let mut lab = Lab::new(i as u8);
            lab.random(0x5000, kernel.stride());
            lab.random(0x6000, padded(targets) * accumulator.size() as u32);
            let before = lab.data.clone();
            let after = lab.agree(
                &[kernel.kernel(Addressing::Guest)],
                kernel.kernel(Addressing::Host),
                &[0x5000, 0x6000],
            );
            assert_ne!(before, after, "the row was added");
        }
    }
}

/// The accumulators that a row leaves, computed in plain Rust from `row_bytes`.
#[test]
fn a_row_adds_each_weight_to_its_own_target() {
    for (weight, accumulator) in [(DType::I8, DType::I16), (DType::I16, DType::I32)] {
        let kernel = DenseRow::new(weight, accumulator, 19).expect("a known pair");
        let weights: Vec<i32> = (0..19).map(|k| (k * 37 % 255) - 127).collect();
        let mut lab = Lab::new(7);
        lab.put(0x5000, &kernel.row_bytes(&weights));
        let after = lab.agree(
            &[kernel.kernel(Addressing::Guest)],
            kernel.kernel(Addressing::Host),
            &[0x5000, 0x6000],
        );
        for (k, &w) in weights.iter().enumerate() {
            let at = (0x6000 - DATA.start) as usize + k * accumulator.size();
            let mut word = [0; 4];
            word[..accumulator.size()].copy_from_slice(&after[at..at + accumulator.size()]);
            let shift = 32 - 8 * accumulator.size() as u32;
            let sum = i32::from_le_bytes(word) << shift >> shift;
            assert_eq!(sum, w, "target {k}");
        }
    }
}

#[test]
fn neuron_updates() {
    let resets = [
        ResetOp::To(Operand::Const(0.0)),
        ResetOp::To(Operand::Array(0xb000)),
        ResetOp::Subtract(Operand::Array(0xb000)),
        ResetOp::Subtract(Operand::Const(3.5)),
        ResetOp::Keep,
    ];
    let decays = [
        None,
        Some(Operand::Const(0.9)),
        Some(Operand::Array(0x8000)),
    ];
    let offsets = [
        None,
        Some(Operand::Const(-1.25)),
        Some(Operand::Array(0x9000)),
    ];
    let mut seed = 0u8;
    for reset in resets {
        for (decay, offset) in decays.into_iter().flat_map(|d| offsets.map(|o| (d, o))) {
            seed = seed.wrapping_add(1);
            let atoms = [1, 7, 8, 13, 40, 129][seed as usize % 6];
            let update = Update {
                atoms,
                v: 0x5000,
                accumulator: if seed.is_multiple_of(2) {
                    DType::I16
                } else {
                    DType::I32
                },
                decay,
                offset,
                threshold: if seed.is_multiple_of(3) {
                    Operand::Const(20.0)
                } else {
                    Operand::Array(0xa000)
                },
                reset,
                compare: if seed.is_multiple_of(5) {
                    Compare::Ge
                } else {
                    Compare::Gt
                },
                key: 0x0001_0000 + 4096 * u32::from(seed),
                send: SEND,
                record_control: (seed % 4 == 1).then_some(0x1_d000),
            };
            let mut lab = Lab::new(seed);
            lab.floats(0x5000, atoms, 40.0);
            lab.floats(0x8000, atoms, 1.0);
            lab.floats(0x9000, atoms, 3.0);
            lab.floats(0xa000, atoms, 30.0);
            lab.floats(0xb000, atoms, 5.0);
            for i in 0..padded(atoms) {
                let input = lab.below(61) as i32 - 30;
                let bytes = input.to_le_bytes();
                let size = update.accumulator.size();
                lab.put(0x6000 + i * size as u32, &bytes[..size]);
            }
            lab.word(0x1_d000 + control::RECORD_WRITE, 0xc000);
            lab.agree(
                &[update.kernel(Addressing::Guest)],
                update.kernel(Addressing::Host),
                &[0x6000],
            );
        }
    }
}

#[test]
fn receive_drains_the_ring_around_its_end() {
    let row = |targets| DenseRow::new(DType::I8, DType::I16, targets).expect("a known pair");
    for (ranges, slots) in [(1u32, 1u32), (3, 1), (5, 4)] {
        let receive = Receive {
            control: 0x1_d000,
            ring: (0x7000, 0x7000 + 4 * 40),
            write_pointer: 0x1_d100,
            read_pointer: 0x1_d104,
            accumulators: 0x6000,
            slots,
            slot_bytes: 48,
            ranges: (0..ranges)
                .map(|r| KeyRange {
                    key: 0x0001_0000 + 64 * r,
                    atoms: 20 + r,
                    blocks: vec![RowBlock {
                        rows: 0x8000 + 0x400 * r,
                        kernel: row(24),
                        delay: 1 + r % slots,
                    }],
                })
                .collect(),
        };
        let mut lab = Lab::new(ranges as u8);
        lab.random(0x8000, 0x400 * ranges);
        lab.word(0x1_d000 + control::RING_READ, 0x7000 + 4 * 31);
        lab.word(0x1_d100, 0x7000 + 4 * 17);
        for slot in 0..40 {
            let r = lab.below(ranges);
            let atom = lab.below(20 + r);
            lab.word(0x7000 + 4 * slot, 0x0001_0000 + 64 * r + atom);
        }
        let mut guest = vec![receive.kernel(Addressing::Guest)];
        guest.extend(
            receive
                .row_kernels()
                .iter()
                .map(|k| k.kernel(Addressing::Guest)),
        );
        let after = lab.agree(&guest, receive.kernel(Addressing::Host), &[6]);
        let read = (0x1_d104 - DATA.start) as usize;
        assert_eq!(after[read..read + 4], (0x7000u32 + 4 * 17).to_le_bytes());
    }
}

#[test]
fn source_sends_what_the_host_wrote() {
    for n in [0u32, 1, 9] {
        let source = Source {
            control: 0x1_d000,
            send: SEND,
            record: None,
        };
        let mut lab = Lab::new(3);
        lab.word(0x1_d000 + control::EVENTS_READ, 0x5000);
        lab.word(0x5000, n);
        for i in 0..n {
            lab.word(0x5004 + 4 * i, 0x0002_0000 + 3 * i);
        }
        let after = lab.agree(
            &[source.kernel(Addressing::Guest)],
            source.kernel(Addressing::Host),
            &[],
        );
        let at = |addr: u32| {
            let i = (addr - DATA.start) as usize;
            u32::from_le_bytes(after[i..i + 4].try_into().expect("four bytes"))
        };
        assert_eq!(at(0x1_d000 + control::EVENTS_READ), 0x5004 + 4 * n);
        assert_eq!(at(KEY), if n == 0 { 0 } else { 0x0002_0000 + 3 * (n - 1) });
    }
}
