//! Operands: edges of the integer and float formats, and chance.

/// xorshift64*: enough for test data, and the same everywhere.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    pub(crate) fn below(&mut self, n: u32) -> u32 {
        self.next() % n
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u32) as usize]
    }

    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }
}

const EDGES: &[u32] = &[
    0,
    1,
    2,
    3,
    0x1f,
    0x20,
    0x21,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x00ff_00ff,
    0x7fff_7fff,
    0x8000_8000,
    0x7f80_ff01,
    0x8080_8080,
    0x7f7f_7f7f,
    0x7fff_8000,
    0x8000_7fff,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_fffe,
    0xffff_ffff,
    0x4000_0000,
    0xc000_0000,
];

/// Zeros, ones, infinities, NaNs, denormals, limits of the integer and half formats.
const FLOAT_EDGES: &[u32] = &[
    0x0000_0000,
    0x8000_0000,
    0x3f80_0000,
    0xbf80_0000,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc1_2345,
    0x7f80_0001,
    0xffa0_0000,
    0x0000_0001,
    0x8000_0001,
    0x007f_ffff,
    0x807f_ffff,
    0x0080_0000,
    0x8080_0000,
    0x0080_0001,
    0x7f7f_ffff,
    0xff7f_ffff,
    0x3f7f_ffff,
    0x3f80_0001,
    0x3f00_0000,
    0xbf00_0000,
    0x3fc0_0000,
    0x4020_0000,
    0x4f00_0000,
    0xcf00_0000,
    0xcf00_0001,
    0x4eff_ffff,
    0x4f80_0000,
    0x4f7f_ffff,
    0x477f_e000,
    0x477f_efff,
    0x477f_f000,
    0x4780_0000,
    0x47ff_e000,
    0x47ff_ffff,
    0x4800_0000,
    0x3880_0000,
    0x387f_ffff,
    0x3380_0000,
    0x3300_0000,
    0x3300_0001,
    0x4700_0000,
    0xc700_0100,
    0x7e96_7699,
    0x1f80_0000,
    0x2000_0000,
    0x20ff_ffff,
    0x4b7f_ffff,
    0x4b80_0000,
    0x4b80_0001,
];

pub(crate) fn operand(rng: &mut Rng) -> u32 {
    match rng.below(4) {
        0 | 1 => rng.pick(EDGES),
        2 => rng.next(),
        _ => rng.next() >> rng.below(32),
    }
}

pub(crate) fn float_operand(rng: &mut Rng) -> u32 {
    match rng.below(4) {
        0 | 1 => rng.pick(FLOAT_EDGES),
        2 => rng.next(),
        // Exponents near 1, and near the denormals.
        _ => {
            let base = if rng.chance(70) { 118 } else { 1 };
            rng.next() & 0x807f_ffff | (base + rng.below(20)) << 23
        }
    }
}
