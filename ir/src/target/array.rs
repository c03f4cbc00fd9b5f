//! Arithmetic and time of the MAC array for a vector times a matrix.

use super::Mla;
use crate::tensor::DType;

impl Mla {
    /// Cells that a product of a byte and such a weight occupies.
    fn fused(&self, weight: DType) -> u32 {
        match weight {
            DType::I16 => self.fused_cells.max(1),
            _ => 1,
        }
    }

    /// The largest sum of 8-bit unsigned counts times weights that an accumulator holds,
    /// without sign.
    pub fn largest_sum(&self, weight: DType) -> u64 {
        let wide = u32::from(weight == DType::I16);
        let bits = self.accumulator_bits + wide * self.fused_bits;
        (1u64 << (bits.clamp(1, 63) - 1)) - 1
    }

    /// Core cycles from the start until `sources` bytes times a matrix of as many rows of
    /// `targets` weights is in memory.
    pub fn vector_cycles(&self, sources: u64, targets: u64, weight: DType) -> u64 {
        let columns = (self.columns / self.fused(weight)).max(1);
        let ideal = targets.div_ceil(u64::from(columns)) * sources;
        u64::from(self.start_cycles) + (ideal * 100).div_ceil(u64::from(self.vector_percent.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Target;

    #[test]
    fn a_product_of_256_by_256() {
        let mla = Target::spinnaker2().mla;
        assert_eq!(mla.largest_sum(DType::I8), (1 << 23) - 1);
        assert_eq!(mla.largest_sum(DType::I16), (1 << 31) - 1);
        // 16 tiles of 256 steps at 70 percent, and the start
        assert_eq!(mla.vector_cycles(256, 256, DType::I8), 5852 + 100);
        assert_eq!(mla.vector_cycles(256, 256, DType::I16), 11703 + 100);
    }
}
