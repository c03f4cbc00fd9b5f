//! 32-bit instructions: data processing, multiplication, branches and system control.

use super::super::op::{Cond, Dp, Extract, ImmCarry, Lane, Misc, Mul, MulLong, Op, Par, Shift};
use super::{Bad, Result, bad_reg, bit, bits, expect, imm_shift, memory, narrow, plain};
use super::{sign_extend, vfp};

/// Decodes one 32-bit instruction.
pub(super) fn decode(hw1: u16, hw2: u16) -> Result<Op> {
    let op2 = bits(hw1, 4, 7);
    match bits(hw1, 11, 2) {
        0b01 => match op2 >> 5 {
            0b00 if op2 & 0b100 == 0 => memory::multiple(hw1, hw2),
            0b00 => memory::dual(hw1, hw2),
            0b01 => shifted_register(hw1, hw2),
            _ => vfp::decode(hw1, hw2),
        },
        0b10 if bit(hw2, 15) => branch_or_system(hw1, hw2),
        0b10 if bit(hw1, 9) => plain_immediate(hw1, hw2),
        0b10 => modified_immediate(hw1, hw2),
        _ => match op2 {
            _ if op2 & 0b1110001 == 0 => memory::store(hw1, hw2),
            _ if op2 & 0b1100111 == 0b0000111 => Err(Bad::Undefined),
            _ if op2 & 0b1100001 == 0b0000001 => memory::load(hw1, hw2),
            _ if op2 & 0b1110000 == 0b0100000 => data_register(hw1, hw2),
            _ if op2 & 0b1111000 == 0b0110000 => multiply(hw1, hw2),
            _ if op2 & 0b1111000 == 0b0111000 => multiply_long(hw1, hw2),
            _ if op2 & 0b1000000 != 0 => vfp::decode(hw1, hw2),
            _ => Err(Bad::Undefined),
        },
    }
}

/// Function by the 4-bit opcode that register and immediate forms share, with the
/// register restrictions they share. `move_form` is true if rn = 15 makes it MOV/MVN.
fn dp_function(op: u8, s: bool, rd: u8, rn: u8) -> Result<Dp> {
    let test = rd == 15 && s;
    let dest_ok = !(rd == 13 || (rd == 15 && !s));
    Ok(match op {
        0b0000 if test => {
            plain(&[rn])?;
            Dp::Tst
        }
        0b0100 if test => {
            plain(&[rn])?;
            Dp::Teq
        }
        0b0000 | 0b0100 => {
            expect(dest_ok && !bad_reg(rn))?;
            if op == 0 { Dp::And } else { Dp::Eor }
        }
        0b0001 => {
            plain(&[rd, rn])?;
            Dp::Bic
        }
        0b0010 | 0b0011 => {
            expect(rn != 13)?;
            if rn != 15 {
                plain(&[rd])?;
            }
            match (op, rn) {
                (0b0010, 15) => Dp::Mov,
                (0b0010, _) => Dp::Orr,
                (_, 15) => Dp::Mvn,
                _ => Dp::Orn,
            }
        }
        0b1000 | 0b1101 => {
            expect(rn != 15)?;
            if test {
                return Ok(if op == 0b1000 { Dp::Cmn } else { Dp::Cmp });
            }
            // SP may be computed only from SP.
            expect(rd != 15 && (rd != 13 || rn == 13))?;
            if op == 0b1000 { Dp::Add } else { Dp::Sub }
        }
        0b1010 | 0b1011 | 0b1110 => {
            plain(&[rd, rn])?;
            match op {
                0b1010 => Dp::Adc,
                0b1011 => Dp::Sbc,
                _ => Dp::Rsb,
            }
        }
        _ => return Err(Bad::Undefined),
    })
}

fn shifted_register(hw1: u16, hw2: u16) -> Result<Op> {
    let (op, s, rn) = (bits(hw1, 5, 4), bit(hw1, 4), bits(hw1, 0, 4));
    let (rd, rm) = (bits(hw2, 8, 4), bits(hw2, 0, 4));
    let imm5 = bits(hw2, 12, 3) << 2 | bits(hw2, 6, 2);
    let ty = bits(hw2, 4, 2);
    if op == 0b0110 {
        if s || ty & 1 != 0 {
            return Err(Bad::Undefined);
        }
        expect(!bit(hw2, 15))?;
        plain(&[rd, rn, rm])?;
        let tb = ty == 2;
        let amount = if tb && imm5 == 0 { 32 } else { imm5 };
        return Ok(Op::Pkh {
            tb,
            rd,
            rn,
            rm,
            amount,
        });
    }
    let f = dp_function(op, s, rd, rn)?;
    expect(!bit(hw2, 15))?;
    let (shift, amount) = imm_shift(ty, imm5);
    match f {
        Dp::Mov if ty == 0 && imm5 == 0 && !s => {
            expect(rd != 15 && rm != 15 && !(rd == 13 && rm == 13))?;
        }
        Dp::Mov | Dp::Mvn => plain(&[rd, rm])?,
        Dp::Add | Dp::Sub if rd == 13 => {
            expect(ty == 0 && imm5 <= 3 && !bad_reg(rm))?;
        }
        _ => plain(&[rm])?,
    }
    Ok(Op::DpReg {
        f,
        s,
        rd,
        rn,
        rm,
        shift,
        amount,
    })
}

fn modified_immediate(hw1: u16, hw2: u16) -> Result<Op> {
    let (op, s, rn) = (bits(hw1, 5, 4), bit(hw1, 4), bits(hw1, 0, 4));
    let rd = bits(hw2, 8, 4);
    let f = dp_function(op, s, rd, rn)?;
    if matches!(f, Dp::Mov | Dp::Mvn) {
        plain(&[rd])?;
    }
    let imm12 =
        u32::from(bits(hw1, 10, 1)) << 11 | u32::from(bits(hw2, 12, 3)) << 8 | u32::from(hw2 & 255);
    let (imm, carry) = expand_immediate(imm12)?;
    Ok(Op::DpImm {
        f,
        s,
        rd,
        rn,
        carry,
        imm,
    })
}

/// The manual's `ThumbExpandImm_C`.
fn expand_immediate(imm12: u32) -> Result<(u32, ImmCarry)> {
    let byte = imm12 & 0xff;
    if imm12 >> 10 == 0 {
        let pattern = imm12 >> 8;
        expect(pattern == 0 || byte != 0)?;
        let factor = match pattern {
            0 => 1,
            1 => 0x0001_0001,
            2 => 0x0100_0100,
            _ => 0x0101_0101,
        };
        return Ok((byte * factor, ImmCarry::Keep));
    }
    let value = (0x80 | imm12 & 0x7f).rotate_right(imm12 >> 7);
    let carry = if value >> 31 != 0 {
        ImmCarry::Set
    } else {
        ImmCarry::Clear
    };
    Ok((value, carry))
}

fn plain_immediate(hw1: u16, hw2: u16) -> Result<Op> {
    let (op, rn, rd) = (bits(hw1, 4, 5), bits(hw1, 0, 4), bits(hw2, 8, 4));
    let i = bits(hw1, 10, 1);
    let imm12 = u32::from(i) << 11 | u32::from(bits(hw2, 12, 3)) << 8 | u32::from(hw2 & 255);
    let imm5 = bits(hw2, 12, 3) << 2 | bits(hw2, 6, 2);
    match op {
        0b00000 | 0b01010 => {
            let sub = op != 0;
            if rn == 15 {
                plain(&[rd])?;
                let offset = if sub { -(imm12 as i32) } else { imm12 as i32 };
                return Ok(Op::Adr { rd, offset });
            }
            expect(rd != 15 && (rd != 13 || rn == 13))?;
            Ok(Op::DpImm {
                f: if sub { Dp::Sub } else { Dp::Add },
                s: false,
                rd,
                rn,
                carry: ImmCarry::Keep,
                imm: imm12,
            })
        }
        0b00100 | 0b01100 => {
            plain(&[rd])?;
            let imm16 = u32::from(rn) << 12 | imm12;
            if op == 0b01100 {
                return Ok(Op::Movt {
                    rd,
                    imm: imm16 as u16,
                });
            }
            Ok(Op::DpImm {
                f: Dp::Mov,
                s: false,
                rd,
                rn: 0,
                carry: ImmCarry::Keep,
                imm: imm16,
            })
        }
        0b10000 | 0b10010 | 0b11000 | 0b11010 => {
            expect(i == 0 && !bit(hw2, 5))?;
            plain(&[rd, rn])?;
            let signed = op & 0b01000 == 0;
            let right = op & 0b00010 != 0;
            let extra = u8::from(signed);
            if right && imm5 == 0 {
                expect(!bit(hw2, 4))?;
                return Ok(Op::Sat16 {
                    signed,
                    rd,
                    rn,
                    bits: bits(hw2, 0, 4) + extra,
                });
            }
            Ok(Op::Sat {
                signed,
                rd,
                rn,
                bits: bits(hw2, 0, 5) + extra,
                shift: if right { Shift::Asr } else { Shift::Lsl },
                amount: imm5,
            })
        }
        0b10100 | 0b11100 => {
            expect(i == 0 && !bit(hw2, 5))?;
            plain(&[rd, rn])?;
            let width = bits(hw2, 0, 5) + 1;
            expect(imm5 + width <= 32)?;
            Ok(Op::Bfx {
                signed: op == 0b10100,
                rd,
                rn,
                lsb: imm5,
                width,
            })
        }
        0b10110 => {
            expect(i == 0 && !bit(hw2, 5))?;
            plain(&[rd])?;
            let msb = bits(hw2, 0, 5);
            expect(rn != 13 && msb >= imm5)?;
            Ok(Op::Bfi {
                rd,
                rn,
                lsb: imm5,
                width: msb - imm5 + 1,
            })
        }
        _ => Err(Bad::Undefined),
    }
}

fn branch_or_system(hw1: u16, hw2: u16) -> Result<Op> {
    let s = u32::from(bits(hw1, 10, 1));
    let (j1, j2) = (u32::from(bits(hw2, 13, 1)), u32::from(bits(hw2, 11, 1)));
    let low = u32::from(hw2 & 0x7ff) << 1;
    let long_offset = || {
        let (i1, i2) = (1 ^ j1 ^ s, 1 ^ j2 ^ s);
        let raw = s << 24 | i1 << 23 | i2 << 22 | u32::from(hw1 & 0x3ff) << 12 | low;
        sign_extend(raw, 25)
    };
    match (bit(hw2, 14), bit(hw2, 12)) {
        (true, true) => Ok(Op::Bl {
            offset: long_offset(),
        }),
        (false, true) => Ok(Op::B {
            offset: long_offset(),
        }),
        (true, false) => Err(Bad::Undefined),
        (false, false) => {
            let cond = bits(hw1, 6, 4);
            if cond < 14 {
                let raw = s << 20 | j2 << 19 | j1 << 18 | u32::from(hw1 & 0x3f) << 12 | low;
                return Ok(Op::BCond {
                    cond: Cond(cond),
                    offset: sign_extend(raw, 21),
                });
            }
            system(hw1, hw2)
        }
    }
}

fn system(hw1: u16, hw2: u16) -> Result<Op> {
    // Bit 13 of the second halfword separates UDF from the rest of this group.
    match bits(hw1, 4, 7) {
        0b0111000 | 0b0111001 => {
            let rn = bits(hw1, 0, 4);
            let (sysm, mask) = (bits(hw2, 0, 8), bits(hw2, 10, 2));
            expect(!bit(hw1, 4) && !bit(hw2, 13) && hw2 & 0x0300 == 0)?;
            plain(&[rn])?;
            expect(special_register(sysm))?;
            expect(mask != 0 && (mask == 0b10 || sysm < 4))?;
            Ok(Op::Msr { rn, sysm, mask })
        }
        0b0111010 => {
            expect(hw1 & 15 == 15 && hw2 & 0x2800 == 0)?;
            if bits(hw2, 8, 3) != 0 {
                return Err(Bad::Undefined);
            }
            Ok(narrow::hint(bits(hw2, 0, 8).min(15)))
        }
        0b0111011 => {
            expect(hw1 & 15 == 15 && hw2 & 0x2f00 == 0x0f00)?;
            match bits(hw2, 4, 4) {
                0b0010 => {
                    expect(hw2 & 15 == 15)?;
                    Ok(Op::ClearExclusive)
                }
                0b0100 | 0b0101 => Ok(Op::Barrier),
                0b0110 => Ok(Op::Isb),
                _ => Err(Bad::Undefined),
            }
        }
        0b0111110 | 0b0111111 => {
            let (rd, sysm) = (bits(hw2, 8, 4), bits(hw2, 0, 8));
            expect(!bit(hw1, 4) && hw1 & 15 == 15 && !bit(hw2, 13))?;
            plain(&[rd])?;
            expect(special_register(sysm))?;
            Ok(Op::Mrs { rd, sysm })
        }
        _ => Err(Bad::Undefined),
    }
}

fn special_register(sysm: u8) -> bool {
    matches!(sysm, 0..=3 | 5..=9 | 16..=20)
}

fn data_register(hw1: u16, hw2: u16) -> Result<Op> {
    let (op1, op2) = (bits(hw1, 4, 4), bits(hw2, 4, 4));
    let (rn, rd, rm) = (bits(hw1, 0, 4), bits(hw2, 8, 4), bits(hw2, 0, 4));
    if hw2 >> 12 != 15 {
        return Err(Bad::Undefined);
    }
    if op1 & 0b1000 == 0 {
        if op2 == 0 {
            plain(&[rd, rn, rm])?;
            let shift = match op1 >> 1 {
                0 => Shift::Lsl,
                1 => Shift::Lsr,
                2 => Shift::Asr,
                _ => Shift::Ror,
            };
            let s = op1 & 1 != 0;
            return Ok(Op::ShiftReg {
                shift,
                s,
                rd,
                rn,
                rm,
            });
        }
        if op2 & 0b1000 == 0 {
            return Err(Bad::Undefined);
        }
        let x = match op1 {
            0 => Extract::Sh,
            1 => Extract::Uh,
            2 => Extract::Sb16,
            3 => Extract::Ub16,
            4 => Extract::Sb,
            5 => Extract::Ub,
            _ => return Err(Bad::Undefined),
        };
        expect(op2 & 0b0100 == 0 && rn != 13)?;
        plain(&[rd, rm])?;
        let rot = (op2 & 3) * 8;
        return Ok(Op::Extend { x, rd, rn, rm, rot });
    }
    if op2 & 0b1000 == 0 {
        let par = match op1 & 7 {
            0b000 => Par::Add8,
            0b001 => Par::Add16,
            0b010 => Par::Asx,
            0b100 => Par::Sub8,
            0b101 => Par::Sub16,
            0b110 => Par::Sax,
            _ => return Err(Bad::Undefined),
        };
        let lane = match op2 {
            0b0000 => Lane::S,
            0b0001 => Lane::Q,
            0b0010 => Lane::Sh,
            0b0100 => Lane::U,
            0b0101 => Lane::Uq,
            0b0110 => Lane::Uh,
            _ => return Err(Bad::Undefined),
        };
        plain(&[rd, rn, rm])?;
        return Ok(Op::Parallel {
            lane,
            par,
            rd,
            rn,
            rm,
        });
    }
    let f = match (op1, op2) {
        (0b1000, 0b1000) => Misc::Qadd,
        (0b1000, 0b1001) => Misc::Qdadd,
        (0b1000, 0b1010) => Misc::Qsub,
        (0b1000, 0b1011) => Misc::Qdsub,
        (0b1001, 0b1000) => Misc::Rev,
        (0b1001, 0b1001) => Misc::Rev16,
        (0b1001, 0b1010) => Misc::Rbit,
        (0b1001, 0b1011) => Misc::Revsh,
        (0b1010, 0b1000) => Misc::Sel,
        (0b1011, 0b1000) => Misc::Clz,
        _ => return Err(Bad::Undefined),
    };
    plain(&[rd, rn, rm])?;
    // One-operand forms encode rm twice.
    expect(op1 & 1 == 0 || rn == rm)?;
    Ok(Op::Misc { f, rd, rn, rm })
}

fn multiply(hw1: u16, hw2: u16) -> Result<Op> {
    let (op1, op2) = (bits(hw1, 4, 3), bits(hw2, 4, 2));
    let (rn, rm) = (bits(hw1, 0, 4), bits(hw2, 0, 4));
    let (ra, rd) = (bits(hw2, 12, 4), bits(hw2, 8, 4));
    if hw2 & 0x00c0 != 0 {
        return Err(Bad::Undefined);
    }
    let (n_high, m_high) = (op2 & 2 != 0, op2 & 1 != 0);
    let one = m_high;
    let alone = ra == 15;
    let f = match op1 {
        0b000 if op2 == 0 => [Mul::Mla, Mul::Mul][usize::from(alone)],
        0b000 if op2 == 1 => {
            expect(!alone)?;
            Mul::Mls
        }
        0b001 if alone => Mul::Smul { n_high, m_high },
        0b001 => Mul::Smla { n_high, m_high },
        0b010 | 0b100 if op2 < 2 => {
            let (swap, sub) = (one, op1 == 0b100);
            if alone {
                Mul::Smuad { swap, sub }
            } else {
                Mul::Smlad { swap, sub }
            }
        }
        0b011 if op2 < 2 => {
            if alone {
                Mul::Smulw { m_high }
            } else {
                Mul::Smlaw { m_high }
            }
        }
        0b101 if op2 < 2 => {
            if alone {
                Mul::Smmul { round: one }
            } else {
                Mul::Smmla { round: one }
            }
        }
        0b110 if op2 < 2 => {
            expect(!alone)?;
            Mul::Smmls { round: one }
        }
        0b111 if op2 == 0 => [Mul::Usada8, Mul::Usad8][usize::from(alone)],
        _ => return Err(Bad::Undefined),
    };
    plain(&[rd, rn, rm])?;
    expect(ra != 13)?;
    Ok(Op::Mul {
        f,
        s: false,
        rd,
        rn,
        rm,
        ra,
    })
}

fn multiply_long(hw1: u16, hw2: u16) -> Result<Op> {
    let (op1, op2) = (bits(hw1, 4, 3), bits(hw2, 4, 4));
    let (rn, rm) = (bits(hw1, 0, 4), bits(hw2, 0, 4));
    let (lo, hi) = (bits(hw2, 12, 4), bits(hw2, 8, 4));
    if let (0b001 | 0b011, 0b1111) = (op1, op2) {
        expect(lo == 15)?;
        plain(&[hi, rn, rm])?;
        return Ok(Op::Misc {
            f: if op1 == 1 { Misc::Sdiv } else { Misc::Udiv },
            rd: hi,
            rn,
            rm,
        });
    }
    let (n_high, m_high) = (op2 & 2 != 0, op2 & 1 != 0);
    let f = match (op1, op2) {
        (0b000, 0) => MulLong::Smull,
        (0b010, 0) => MulLong::Umull,
        (0b100, 0) => MulLong::Smlal,
        (0b100, 0b1000..=0b1011) => MulLong::SmlalHalf { n_high, m_high },
        (0b100 | 0b101, 0b1100 | 0b1101) => MulLong::Smlald {
            swap: m_high,
            sub: op1 == 0b101,
        },
        (0b110, 0) => MulLong::Umlal,
        (0b110, 0b0110) => MulLong::Umaal,
        _ => return Err(Bad::Undefined),
    };
    plain(&[lo, hi, rn, rm])?;
    expect(lo != hi)?;
    Ok(Op::MulLong { f, lo, hi, rn, rm })
}
