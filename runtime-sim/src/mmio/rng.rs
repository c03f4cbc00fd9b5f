//! Random numbers: the PE's own generator, and what stands for the chip's true random bus.
//!
//! The generator is the published recurrence (JKISS32 with the hardware's multiplier); each
//! read of its word or float is its next step. The emulated chip has no noise, and the same
//! run must give the same results: the words of the true random bus come from SplitMix64
//! (Steele, Lea, Flood 2014), seeded by the machine's seed and the place of the PE.

use crate::cpu::BusError;
use ir::Target;
use ir::geometry::GlobalPe;
use ir::target::Random as Registers;

/// The generators of one PE.
#[derive(Clone, Debug)]
pub struct Random {
    registers: Registers,
    /// C, X, Y, Z.
    seeds: [u32; 4],
    noise: u64,
    config: [u32; 4],
}

/// One step of SplitMix64.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Random {
    /// The generators of `pe` with the published seeds; `seed` is the machine's.
    pub fn new(target: &Target, pe: GlobalPe, seed: u64) -> Self {
        let r = &target.rng;
        let chip = u32::from(pe.chip.x) << 8 | u32::from(pe.chip.y);
        let own = chip + u32::from(pe.pe.id());
        let seeds = [r.seed_c, r.seed_x, r.seed_y, r.seed_z];
        let mut state = seed;
        Self {
            registers: r.clone(),
            seeds: seeds.map(|s| s.wrapping_mul(own + 1)),
            noise: splitmix(&mut state) ^ u64::from(own),
            config: [0; 4],
        }
    }

    /// The generator's next word.
    pub fn word(&mut self) -> u32 {
        let r = &self.registers;
        let [c, x, y, z] = &mut self.seeds;
        *x = x.wrapping_mul(r.multiplier_x).wrapping_add(r.increment_x);
        *y ^= *y << 5;
        *y ^= *y >> 7;
        *y ^= *y << 22;
        let t = u64::from(r.multiplier_z) * u64::from(*z) + u64::from(*c);
        *c = (t >> 32) as u32;
        *z = t as u32;
        x.wrapping_add(*y).wrapping_add(*z)
    }

    fn seed(&mut self, offset: u32) -> Option<&mut u32> {
        let index = offset.checked_sub(self.registers.seed)?;
        if !index.is_multiple_of(4) {
            return None;
        }
        self.seeds.get_mut(index as usize / 4)
    }

    /// Reads the register at `offset` of the generator.
    pub fn read(&mut self, offset: u32) -> Result<u32, BusError> {
        match offset {
            o if o == self.registers.word => Ok(self.word()),
            o if o == self.registers.float => {
                let bits = self.word() >> 8;
                Ok((bits as f32 / (1 << 24) as f32).to_bits())
            }
            o => self.seed(o).map(|s| *s).ok_or(BusError::Refused),
        }
    }

    /// Writes a seed.
    pub fn write(&mut self, offset: u32, value: u32) -> Result<(), BusError> {
        let seed = self.seed(offset).ok_or(BusError::Refused)?;
        *seed = value;
        Ok(())
    }

    /// One of the four words of the true random bus.
    pub fn noise(&mut self) -> u32 {
        (splitmix(&mut self.noise) >> 32) as u32
    }

    /// The configuration of the true random bus at byte `offset`.
    pub fn config(&mut self, offset: u32) -> Result<&mut u32, BusError> {
        let word = self.config.get_mut(offset as usize / 4);
        word.ok_or(BusError::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::geometry::{ChipCoord, PeCoord};

    fn random(x: u8, seed: u64) -> Random {
        let pe = GlobalPe {
            chip: ChipCoord { x: 0, y: 0 },
            pe: PeCoord::new(x, 1, 0).expect("in the byte"),
        };
        Random::new(&Target::spinnaker2(), pe, seed)
    }

    #[test]
    fn the_first_words_of_the_recurrence() {
        let mut r = random(1, 0);
        let own = (1 << 5 | 1 << 2) + 1_u32;
        assert_eq!(r.read(0x00), Ok(6_543_217_u32.wrapping_mul(own)));
        assert_eq!(r.read(0x0c), Ok(1_762_089_u32.wrapping_mul(own)));
        for (at, seed) in [
            (0, 6_543_217),
            (4, 143_185_431),
            (8, 987_654_321),
            (12, 1_762_089),
        ] {
            r.write(at, seed).expect("a seed");
        }
        // Computed with whole numbers by hand: x = 304042114 * 143185431 + 1234567 mod 2^32,
        // and so on.
        let x = (304_042_114_u64 * 143_185_431 + 1_234_567) as u32;
        assert_eq!(r.read(0x14).map(|w| w != 0), Ok(true));
        assert_eq!(r.read(0x04), Ok(x));
        assert_eq!(r.read(0x10), Err(BusError::Refused));
    }

    #[test]
    fn noise_depends_on_seed_and_place_only() {
        let draw = |x, seed| {
            let mut r = random(x, seed);
            [r.noise(), r.noise(), r.noise()]
        };
        assert_eq!(draw(1, 7), draw(1, 7));
        assert_ne!(draw(1, 7), draw(1, 8));
        assert_ne!(draw(1, 7), draw(2, 7));
    }

    #[test]
    fn floats_are_below_one() {
        let mut r = random(3, 0);
        for _ in 0..1000 {
            let x = f32::from_bits(r.read(0x18).expect("a float"));
            assert!((0.0..1.0).contains(&x));
        }
    }
}
