//! Driver of the random number generators.

use crate::kernels::KernelBuilder;
use cranelift_codegen::ir::Value;
use ir::Target;
use ir::target;

/// The generator of the PE, and the chip's true random bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Random {
    registers: target::Random,
    /// Address of the identity register.
    identity: u32,
}

impl Random {
    pub fn of(target: &Target) -> Self {
        Self {
            registers: target.rng.clone(),
            identity: target.comms.base + target.comms.id,
        }
    }

    /// Seeds the generator: C, X, Y, Z.
    pub fn seed(&self, kb: &mut KernelBuilder<'_>, seeds: [Value; 4]) {
        let base = kb.int(self.registers.base);
        for (offset, seed) in (self.registers.seed..).step_by(4).zip(seeds) {
            kb.write_device(seed, base, offset);
        }
    }

    /// Seeds it as published software does: each constant times chip + PE + 1.
    pub fn seed_by_place(&self, kb: &mut KernelBuilder<'_>) {
        let identity = kb.int(self.identity);
        let id = kb.read_device(identity, 0);
        let chip = kb.shr_const(id, 16);
        let pe = kb.and_const(id, 0xff);
        let place = kb.add(chip, pe);
        let place = kb.add_const(place, 1);
        let r = &self.registers;
        let seeds = [r.seed_c, r.seed_x, r.seed_y, r.seed_z];
        let seeds = seeds.map(|seed| {
            let seed = kb.int(seed);
            kb.mul(seed, place)
        });
        self.seed(kb, seeds);
    }

    /// The next word.
    pub fn word(&self, kb: &mut KernelBuilder<'_>) -> Value {
        let base = kb.int(self.registers.base);
        kb.read_device(base, self.registers.word)
    }

    /// The next float32 in [0, 1).
    pub fn float(&self, kb: &mut KernelBuilder<'_>) -> Value {
        let base = kb.int(self.registers.base);
        let bits = kb.read_device(base, self.registers.float);
        kb.from_bits(bits)
    }

    /// A word of the true random bus.
    pub fn noise(&self, kb: &mut KernelBuilder<'_>) -> Value {
        let base = kb.int(self.registers.trng_value);
        kb.read_device(base, 0)
    }
}
