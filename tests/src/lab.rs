//! Random memory in which one kernel runs three ways: as host code from the
//! same CLIF, on the emulator's core, and in QEMU. All must leave the same bytes.

use crate::bare::{self, DATA};
use codegen::kernels::{Kernel, Send};
use runtime_sim::host::{HostKernel, HostMemory};

/// Where the pretended registers are: plain memory with the status ready.
pub const STATUS: u32 = 0x1_e000;
pub const SEND: Send = Send {
    status: STATUS,
    payload: STATUS + 4,
    key: STATUS + 8,
};

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same everywhere.
#[derive(Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn draw(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 32) as u32
    }
}

#[derive(Debug)]
pub struct Lab {
    pub rng: Rng,
    pub data: Vec<u8>,
}

impl Lab {
    pub fn new(seed: u64) -> Self {
        let mut lab = Self {
            rng: Rng(seed),
            data: vec![0; (DATA.end - DATA.start) as usize],
        };
        lab.word(STATUS, 0x8000_0000);
        lab
    }
    pub fn put(&mut self, addr: u32, bytes: &[u8]) {
        let at = (addr - DATA.start) as usize;
        self.data[at..at + bytes.len()].copy_from_slice(bytes);
    }
    pub fn word(&mut self, addr: u32, word: u32) {
        self.put(addr, &word.to_le_bytes());
    }
    pub fn below(&mut self, n: u32) -> u32 {
        self.rng.draw() % n
    }
    /// A number from `low` to `high`.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }
    pub fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
    /// A float of moderate size and either sign, sometimes an exact zero.
    pub fn float(&mut self, scale: f32) -> f32 {
        match self.below(16) {
            0 => 0.0,
            _ => (self.rng.draw() as i32 as f32) / 2f32.powi(31) * scale,
        }
    }
    /// Puts `n` such floats at `addr`, and gives them.
    pub fn floats(&mut self, addr: u32, n: u32, scale: f32) -> Vec<f32> {
        let all: Vec<f32> = (0..n).map(|_| self.float(scale)).collect();
        for (k, x) in (0..).zip(&all) {
            self.put(addr + 4 * k, &x.to_le_bytes());
        }
        all
    }

    /// Runs `guest` everywhere and compares; returns the data left behind.
    pub fn agree(&self, guest: &[Kernel], host: Kernel, args: &[u32]) -> After {
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
        if crate::tool("qemu-system-arm") {
            let folder = tempfile::tempdir().expect("a scratch folder");
            let in_qemu = bare::qemu(&image, folder.path());
            assert!(
                emulated == in_qemu,
                "{name}: emulator and QEMU differ at {:#x}",
                first_difference(&emulated, &in_qemu)
            );
        }
        After(emulated)
    }
}

/// What a kernel left.
#[derive(Debug)]
pub struct After(Vec<u8>);

impl After {
    pub fn word(&self, addr: u32) -> u32 {
        let at = (addr - DATA.start) as usize;
        u32::from_le_bytes(self.0[at..at + 4].try_into().expect("four bytes"))
    }
    pub fn words(&self, addr: u32, n: u32) -> Vec<u32> {
        (0..n).map(|k| self.word(addr + 4 * k)).collect()
    }
    pub fn halves(&self, addr: u32, n: u32) -> Vec<i32> {
        let at = (addr - DATA.start) as usize;
        let halves = self.0[at..at + 2 * n as usize].chunks_exact(2);
        let half = |b: &[u8]| i32::from(i16::from_le_bytes([b[0], b[1]]));
        halves.map(half).collect()
    }
}

fn first_difference(a: &[u8], b: &[u8]) -> u32 {
    let at = a.iter().zip(b).position(|(a, b)| a != b);
    DATA.start + at.unwrap_or(a.len().min(b.len())) as u32
}
