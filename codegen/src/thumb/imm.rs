//! Constants that fit in an instruction.

/// The 12-bit `i:imm3:imm8` form of a Thumb-2 modified immediate: a byte, a byte
/// repeated in one of three patterns, or a byte with its top bit set, rotated.
pub fn modified(value: u32) -> Option<u32> {
    let byte = value & 0xff;
    if value == byte {
        return Some(byte);
    }
    if value == byte | byte << 16 {
        return Some(0x100 | byte);
    }
    let second = value >> 8 & 0xff;
    if value == second << 8 | second << 24 {
        return Some(0x200 | second);
    }
    if value == byte * 0x0101_0101 {
        return Some(0x300 | byte);
    }
    (8..32).find_map(|rotation| {
        let unrotated = value.rotate_left(rotation);
        (0x80..=0xff)
            .contains(&unrotated)
            .then_some(rotation << 7 | (unrotated & 0x7f))
    })
}

/// The 8-bit form of VMOV.F32 #imm: sign, three exponent bits, four of fraction.
pub fn vfp(bits: u32) -> Option<u8> {
    let sign = bits >> 31;
    let exponent = bits >> 23 & 0xff;
    let fraction = bits & 0x7f_ffff;
    let low = exponent & 3;
    let bit6 = match exponent >> 2 {
        0b01_1111 => 1,
        0b10_0000 => 0,
        _ => return None,
    };
    (fraction & 0x7_ffff == 0).then_some((sign << 7 | bit6 << 6 | low << 4 | fraction >> 19) as u8)
}

/// The value that [`vfp`] encoded.
pub fn vfp_value(imm8: u8) -> f32 {
    let imm = u32::from(imm8);
    let exponent = if imm & 0x40 != 0 { 0x7c } else { 0x80 } | (imm >> 4 & 3);
    f32::from_bits(imm >> 7 << 31 | exponent << 23 | (imm & 0xf) << 19)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(code: u32) -> u32 {
        let byte = code & 0xff;
        match code >> 8 {
            0 => byte,
            1 => byte | byte << 16,
            2 => byte << 8 | byte << 24,
            3 => byte * 0x0101_0101,
            _ => (0x80 | (code & 0x7f)).rotate_right(code >> 7),
        }
    }

    #[test]
    fn modified_immediates_expand_to_their_value() {
        for code in 0..0x1000 {
            let value = expand(code);
            let found = modified(value);
            assert_eq!(found.map(expand), Some(value), "{code:#x}");
        }
        assert_eq!(modified(0x101), None);
        assert_eq!(modified(0x0001_0100), None);
    }

    #[test]
    fn vfp_immediates_round_trip() {
        for code in 0..=255u8 {
            assert_eq!(vfp(vfp_value(code).to_bits()), Some(code));
        }
        assert_eq!(vfp(0), None);
        assert_eq!(vfp(0.1f32.to_bits()), None);
    }
}
