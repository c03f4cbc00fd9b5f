//! Coprocessor space: FPv4-SP instructions (coprocessors 10 and 11).
//!
//! The unit has 32 single-precision registers; double-precision registers exist only
//! as pairs of them in loads, stores and moves. A pair is decoded to the number of
//! its first single register.

use super::super::op::{Fixed, Op, V2, V3};
use super::{Bad, Result, bad_reg, bit, bits, expect, plain};

/// Decodes an instruction of the coprocessor space.
pub(super) fn decode(hw1: u16, hw2: u16) -> Result<Op> {
    // Words with bits 9:8 = 11 belong to no coprocessor.
    if hw1 & 0x0300 == 0x0300 {
        return Err(Bad::Undefined);
    }
    if !matches!(bits(hw2, 8, 4), 10 | 11) {
        return Err(Bad::NoCoprocessor);
    }
    // The space above 0xFC00 holds FPv5 and Advanced SIMD, which are absent.
    if bit(hw1, 12) {
        return Err(Bad::Undefined);
    }
    match (bit(hw1, 9), bit(hw2, 4)) {
        (true, false) => arithmetic(hw1, hw2),
        (true, true) => transfer(hw1, hw2),
        (false, _) if hw1 & 0x01e0 == 0x0040 => transfer_pair(hw1, hw2),
        (false, _) => load_store(hw1, hw2),
    }
}

/// Register number of the form Vx:X.
fn single(v: u8, low: u8) -> u8 {
    v << 1 | low
}

fn d_single(hw1: u16, hw2: u16) -> u8 {
    single(bits(hw2, 12, 4), bits(hw1, 6, 1))
}

fn m_single(hw2: u16) -> u8 {
    single(bits(hw2, 0, 4), bits(hw2, 5, 1))
}

fn n_single(hw1: u16, hw2: u16) -> u8 {
    single(bits(hw1, 0, 4), bits(hw2, 7, 1))
}

/// First single register of the pair X:Vx; only 16 pairs exist.
fn pair(v: u8, high: u8) -> Result<u8> {
    if high != 0 {
        return Err(Bad::Undefined);
    }
    Ok(v << 1)
}

fn load_store(hw1: u16, hw2: u16) -> Result<Op> {
    let (p, u, writeback, load) = (bit(hw1, 8), bit(hw1, 7), bit(hw1, 5), bit(hw1, 4));
    let double = bit(hw2, 8);
    let rn = bits(hw1, 0, 4);
    let imm8 = (hw2 & 0xff) as u8;
    if (!p && !u) || (p && u && writeback) {
        return Err(Bad::Undefined);
    }
    let d = if double {
        pair(bits(hw2, 12, 4), bits(hw1, 6, 1))?
    } else {
        d_single(hw1, hw2)
    };
    if p && !writeback {
        let magnitude = i16::from(imm8) * 4;
        let offset = if u { magnitude } else { -magnitude };
        return Ok(if load {
            Op::VLoad {
                double,
                d,
                rn,
                offset,
            }
        } else {
            expect(rn != 15)?;
            Op::VStore {
                double,
                d,
                rn,
                offset,
            }
        });
    }
    if double && imm8 & 1 != 0 {
        return Err(Bad::Unsupported("FLDMX and FSTMX"));
    }
    expect(rn != 15 && imm8 != 0 && imm8 <= 32 && d + imm8 <= 32)?;
    let (down, count) = (p, imm8);
    Ok(if load {
        Op::VLoadMany {
            down,
            writeback,
            rn,
            d,
            count,
        }
    } else {
        Op::VStoreMany {
            down,
            writeback,
            rn,
            d,
            count,
        }
    })
}

/// VMOV between two core registers and two single registers or one pair.
fn transfer_pair(hw1: u16, hw2: u16) -> Result<Op> {
    if hw2 & 0x00d0 != 0x0010 {
        return Err(Bad::Undefined);
    }
    let (rt2, rt) = (bits(hw1, 0, 4), bits(hw2, 12, 4));
    let m = if bit(hw2, 8) {
        pair(bits(hw2, 0, 4), bits(hw2, 5, 1))?
    } else {
        m_single(hw2)
    };
    plain(&[rt, rt2])?;
    expect(m != 31)?;
    if bit(hw1, 4) {
        expect(rt != rt2)?;
        Ok(Op::VMov2ToCore { rt, rt2, m })
    } else {
        Ok(Op::VMov2FromCore { rt, rt2, m })
    }
}

/// VMOV of one word, VMRS, VMSR.
fn transfer(hw1: u16, hw2: u16) -> Result<Op> {
    let (a, to_core, rt) = (bits(hw1, 5, 3), bit(hw1, 4), bits(hw2, 12, 4));
    let rest_zero = hw2 & 0x006f == 0;
    if bit(hw2, 8) {
        // VMOV.32 between a core register and one half of a pair; narrower elements
        // belong to Advanced SIMD.
        if a > 1 || hw2 & 0x0060 != 0 {
            return Err(Bad::Undefined);
        }
        let n = pair(bits(hw1, 0, 4), bits(hw2, 7, 1))? + a;
        expect(rest_zero && !bad_reg(rt))?;
        return Ok(if to_core {
            Op::VMovToCore { rt, n }
        } else {
            Op::VMovFromCore { rt, n }
        });
    }
    match a {
        0b000 => {
            expect(rest_zero && !bad_reg(rt))?;
            let n = n_single(hw1, hw2);
            Ok(if to_core {
                Op::VMovToCore { rt, n }
            } else {
                Op::VMovFromCore { rt, n }
            })
        }
        0b111 => {
            if bits(hw1, 0, 4) != 1 {
                return Err(Bad::Undefined);
            }
            expect(rest_zero && !bit(hw2, 7) && rt != 13)?;
            if to_core {
                Ok(Op::VMrs { rt })
            } else {
                expect(rt != 15)?;
                Ok(Op::VMsr { rt })
            }
        }
        _ => Err(Bad::Undefined),
    }
}

fn arithmetic(hw1: u16, hw2: u16) -> Result<Op> {
    if bit(hw2, 8) {
        // Double-precision arithmetic is absent.
        return Err(Bad::Undefined);
    }
    let op = bit(hw2, 6);
    let opc1 = bits(hw1, 7, 1) << 2 | bits(hw1, 4, 2);
    let f = match (opc1, op) {
        (0b000, false) => V3::Mla,
        (0b000, true) => V3::Mls,
        (0b001, false) => V3::Nmls,
        (0b001, true) => V3::Nmla,
        (0b010, false) => V3::Mul,
        (0b010, true) => V3::Nmul,
        (0b011, false) => V3::Add,
        (0b011, true) => V3::Sub,
        (0b100, false) => V3::Div,
        (0b101, false) => V3::Fnms,
        (0b101, true) => V3::Fnma,
        (0b110, false) => V3::Fma,
        (0b110, true) => V3::Fms,
        (0b111, _) => return other(hw1, hw2),
        _ => return Err(Bad::Undefined),
    };
    Ok(Op::V3 {
        f,
        d: d_single(hw1, hw2),
        n: n_single(hw1, hw2),
        m: m_single(hw2),
    })
}

/// Moves, comparisons and conversions.
fn other(hw1: u16, hw2: u16) -> Result<Op> {
    let (d, m) = (d_single(hw1, hw2), m_single(hw2));
    let opc2 = bits(hw1, 0, 4);
    let top = bit(hw2, 7);
    if !bit(hw2, 6) {
        expect(!top && !bit(hw2, 5))?;
        return Ok(Op::VMovImm {
            d,
            bits: expand_immediate(opc2 << 4 | bits(hw2, 0, 4)),
        });
    }
    let v2 = |f| Ok(Op::V2 { f, d, m });
    match (opc2, top) {
        (0b0000, false) => v2(V2::Mov),
        (0b0000, true) => v2(V2::Abs),
        (0b0001, false) => v2(V2::Neg),
        (0b0001, true) => v2(V2::Sqrt),
        (0b0010, false) => v2(V2::FromF16Low),
        (0b0010, true) => v2(V2::FromF16High),
        (0b0011, false) => v2(V2::ToF16Low),
        (0b0011, true) => v2(V2::ToF16High),
        (0b0100, e) => Ok(Op::VCmp { e, d, m }),
        (0b0101, e) => {
            expect(hw2 & 0x2f == 0)?;
            Ok(Op::VCmpZero { e, d })
        }
        (0b1000, false) => v2(V2::FromU32),
        (0b1000, true) => v2(V2::FromS32),
        (0b1100, false) => v2(V2::ToU32R),
        (0b1100, true) => v2(V2::ToU32),
        (0b1101, false) => v2(V2::ToS32R),
        (0b1101, true) => v2(V2::ToS32),
        (0b1010 | 0b1011 | 0b1110 | 0b1111, wide) => {
            let imm5 = bits(hw2, 0, 4) << 1 | bits(hw2, 5, 1);
            let size = if wide { 32 } else { 16 };
            expect(imm5 <= size)?;
            Ok(Op::VCvtFixed {
                to_fixed: opc2 & 0b0100 != 0,
                ty: match (wide, opc2 & 1 != 0) {
                    (false, false) => Fixed::S16,
                    (false, true) => Fixed::U16,
                    (true, false) => Fixed::S32,
                    (true, true) => Fixed::U32,
                },
                d,
                frac: size - imm5,
            })
        }
        _ => Err(Bad::Undefined),
    }
}

/// The manual's `VFPExpandImm` for 32 bits.
fn expand_immediate(imm8: u8) -> u32 {
    let sign = u32::from(imm8 >> 7) << 31;
    let b = u32::from(imm8 >> 6 & 1);
    let exponent = (b ^ 1) << 7 | (b * 0b11111) << 2 | u32::from(imm8 >> 4 & 3);
    sign | exponent << 23 | u32::from(imm8 & 15) << 19
}
