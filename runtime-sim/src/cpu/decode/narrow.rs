//! 16-bit instructions.

use super::super::op::{Cond, Dp, Extract, ImmCarry, Index, LoadKind, Misc, Mul, Op, Shift};
use super::super::op::{Reg, StoreKind};
use super::{Bad, Result, bit, bits, expect, imm_shift, sign_extend};

/// Decodes one 16-bit instruction.
pub(super) fn decode(hw: u16, in_it: bool) -> Result<Op> {
    let s = !in_it;
    Ok(match hw >> 10 {
        0b000000..=0b000101 => return shift_imm(hw, in_it),
        0b000110 => dp_reg(
            if bit(hw, 9) { Dp::Sub } else { Dp::Add },
            s,
            bits(hw, 0, 3),
            bits(hw, 3, 3),
            bits(hw, 6, 3),
        ),
        0b000111 => dp_imm(
            if bit(hw, 9) { Dp::Sub } else { Dp::Add },
            s,
            bits(hw, 0, 3),
            bits(hw, 3, 3),
            u32::from(bits(hw, 6, 3)),
        ),
        0b001000..=0b001111 => {
            let (f, s) = match bits(hw, 11, 2) {
                0 => (Dp::Mov, s),
                1 => (Dp::Cmp, true),
                2 => (Dp::Add, s),
                _ => (Dp::Sub, s),
            };
            let r = bits(hw, 8, 3);
            dp_imm(f, s, r, r, u32::from(hw & 0xff))
        }
        0b010000 => data_processing(hw, s),
        0b010001 => return special(hw),
        0b010010 | 0b010011 => Op::LoadLit {
            kind: LoadKind::W,
            rt: bits(hw, 8, 3),
            offset: i32::from(hw & 0xff) * 4,
        },
        0b010100..=0b010111 => register_offset(hw),
        0b011000..=0b100111 => immediate_offset(hw),
        0b101000 | 0b101001 => Op::Adr {
            rd: bits(hw, 8, 3),
            offset: i32::from(hw & 0xff) * 4,
        },
        0b101010 | 0b101011 => dp_imm(Dp::Add, false, bits(hw, 8, 3), 13, u32::from(hw & 0xff) * 4),
        0b101100..=0b101111 => return misc(hw, in_it),
        0b110000 | 0b110001 => {
            let rn = bits(hw, 8, 3);
            let list = hw & 0xff;
            expect(list != 0)?;
            // A base in the list that is not its lowest register stores an unknown value.
            expect(list >> rn & 1 == 0 || list & ((1 << rn) - 1) == 0)?;
            Op::StoreMany {
                down: false,
                writeback: true,
                rn,
                list,
            }
        }
        0b110010 | 0b110011 => {
            let rn = bits(hw, 8, 3);
            let list = hw & 0xff;
            expect(list != 0)?;
            Op::LoadMany {
                down: false,
                writeback: list >> rn & 1 == 0,
                rn,
                list,
            }
        }
        0b110100..=0b110111 => match bits(hw, 8, 4) {
            0b1110 => return Err(Bad::Undefined),
            0b1111 => Op::Svc {
                imm: bits(hw, 0, 8),
            },
            cond => Op::BCond {
                cond: Cond(cond),
                offset: sign_extend(u32::from(hw & 0xff) << 1, 9),
            },
        },
        0b111000 | 0b111001 => Op::B {
            offset: sign_extend(u32::from(hw & 0x7ff) << 1, 12),
        },
        _ => return Err(Bad::Undefined),
    })
}

fn dp_imm(f: Dp, s: bool, rd: Reg, rn: Reg, imm: u32) -> Op {
    Op::DpImm {
        f,
        s,
        rd,
        rn,
        carry: ImmCarry::Keep,
        imm,
    }
}

fn dp_reg(f: Dp, s: bool, rd: Reg, rn: Reg, rm: Reg) -> Op {
    Op::DpReg {
        f,
        s,
        rd,
        rn,
        rm,
        shift: Shift::Lsl,
        amount: 0,
    }
}

fn shift_imm(hw: u16, in_it: bool) -> Result<Op> {
    let (ty, imm5) = (bits(hw, 11, 2), bits(hw, 6, 5));
    // LSL #0 is MOVS, which always sets flags and therefore can't stand in an IT block.
    expect(!(ty == 0 && imm5 == 0 && in_it))?;
    let (shift, amount) = imm_shift(ty, imm5);
    Ok(Op::DpReg {
        f: Dp::Mov,
        s: !in_it,
        rd: bits(hw, 0, 3),
        rn: 0,
        rm: bits(hw, 3, 3),
        shift,
        amount,
    })
}

fn data_processing(hw: u16, s: bool) -> Op {
    let (rd, rm) = (bits(hw, 0, 3), bits(hw, 3, 3));
    let shift_reg = |shift| Op::ShiftReg {
        shift,
        s,
        rd,
        rn: rd,
        rm,
    };
    match bits(hw, 6, 4) {
        0b0000 => dp_reg(Dp::And, s, rd, rd, rm),
        0b0001 => dp_reg(Dp::Eor, s, rd, rd, rm),
        0b0010 => shift_reg(Shift::Lsl),
        0b0011 => shift_reg(Shift::Lsr),
        0b0100 => shift_reg(Shift::Asr),
        0b0101 => dp_reg(Dp::Adc, s, rd, rd, rm),
        0b0110 => dp_reg(Dp::Sbc, s, rd, rd, rm),
        0b0111 => shift_reg(Shift::Ror),
        0b1000 => dp_reg(Dp::Tst, true, 0, rd, rm),
        0b1001 => dp_imm(Dp::Rsb, s, rd, rm, 0),
        0b1010 => dp_reg(Dp::Cmp, true, 0, rd, rm),
        0b1011 => dp_reg(Dp::Cmn, true, 0, rd, rm),
        0b1100 => dp_reg(Dp::Orr, s, rd, rd, rm),
        0b1101 => Op::Mul {
            f: Mul::Mul,
            s,
            rd,
            rn: rm,
            rm: rd,
            ra: 15,
        },
        0b1110 => dp_reg(Dp::Bic, s, rd, rd, rm),
        _ => dp_reg(Dp::Mvn, s, rd, 0, rm),
    }
}

/// ADD, CMP, MOV with high registers; BX, BLX.
fn special(hw: u16) -> Result<Op> {
    let rm = bits(hw, 3, 4);
    let rd = bits(hw, 0, 3) | bits(hw, 7, 1) << 3;
    match bits(hw, 8, 2) {
        0b00 => {
            expect(!(rd == 15 && rm == 15))?;
            Ok(match (rd, rm) {
                (15, _) => Op::AddToPc { rm },
                (_, 15) => Op::AddFromPc { rd },
                _ => dp_reg(Dp::Add, false, rd, rd, rm),
            })
        }
        0b01 => {
            expect(!(rd < 8 && rm < 8) && rd != 15 && rm != 15)?;
            Ok(dp_reg(Dp::Cmp, true, 0, rd, rm))
        }
        0b10 => match (rd, rm) {
            // MOV PC, PC: a branch to what PC reads as.
            (15, 15) => Ok(Op::B { offset: 0 }),
            (15, _) => Ok(Op::MovToPc { rm }),
            (_, 15) => Ok(Op::MovFromPc { rd }),
            _ => Ok(dp_reg(Dp::Mov, false, rd, 0, rm)),
        },
        _ => {
            expect(bits(hw, 0, 3) == 0 && rm != 15)?;
            if bit(hw, 7) {
                Ok(Op::Blx { rm })
            } else {
                // BX SP branches to an even address, which is never right.
                Ok(Op::Bx { rm })
            }
        }
    }
}

fn register_offset(hw: u16) -> Op {
    let (rt, rn, rm) = (bits(hw, 0, 3), bits(hw, 3, 3), bits(hw, 6, 3));
    let store = |kind| Op::StoreReg {
        kind,
        rt,
        rn,
        rm,
        shift: 0,
    };
    let load = |kind| Op::LoadReg {
        kind,
        rt,
        rn,
        rm,
        shift: 0,
    };
    match bits(hw, 9, 3) {
        0 => store(StoreKind::W),
        1 => store(StoreKind::H),
        2 => store(StoreKind::B),
        3 => load(LoadKind::Sb),
        4 => load(LoadKind::W),
        5 => load(LoadKind::H),
        6 => load(LoadKind::B),
        _ => load(LoadKind::Sh),
    }
}

fn immediate_offset(hw: u16) -> Op {
    let (rt, rn, imm5) = (bits(hw, 0, 3), bits(hw, 3, 3), i32::from(bits(hw, 6, 5)));
    let store = |kind, rt, rn, offset| Op::Store {
        kind,
        index: Index::Offset,
        rt,
        rn,
        offset,
    };
    let load = |kind, rt, rn, offset| Op::Load {
        kind,
        index: Index::Offset,
        rt,
        rn,
        offset,
    };
    let (sp_rt, sp_offset) = (bits(hw, 8, 3), i32::from(hw & 0xff) * 4);
    match hw >> 11 {
        0b01100 => store(StoreKind::W, rt, rn, imm5 * 4),
        0b01101 => load(LoadKind::W, rt, rn, imm5 * 4),
        0b01110 => store(StoreKind::B, rt, rn, imm5),
        0b01111 => load(LoadKind::B, rt, rn, imm5),
        0b10000 => store(StoreKind::H, rt, rn, imm5 * 2),
        0b10001 => load(LoadKind::H, rt, rn, imm5 * 2),
        0b10010 => store(StoreKind::W, sp_rt, 13, sp_offset),
        _ => load(LoadKind::W, sp_rt, 13, sp_offset),
    }
}

/// The 1011 group: stack, extend, reverse, CBZ, CPS, IT, hints.
fn misc(hw: u16, in_it: bool) -> Result<Op> {
    let (rd, rm) = (bits(hw, 0, 3), bits(hw, 3, 3));
    let extend = |x| {
        Ok(Op::Extend {
            x,
            rd,
            rn: 15,
            rm,
            rot: 0,
        })
    };
    let reverse = |f| Ok(Op::Misc { f, rd, rn: rm, rm });
    if hw & 0x0500 == 0x0100 {
        expect(!in_it)?;
        return Ok(Op::Cbz {
            nonzero: bit(hw, 11),
            rn: rd,
            offset: bits(hw, 3, 5) << 1 | bits(hw, 9, 1) << 6,
        });
    }
    match bits(hw, 5, 7) {
        0b0000000..=0b0000011 => Ok(dp_imm(Dp::Add, false, 13, 13, u32::from(hw & 0x7f) * 4)),
        0b0000100..=0b0000111 => Ok(dp_imm(Dp::Sub, false, 13, 13, u32::from(hw & 0x7f) * 4)),
        0b0010000 | 0b0010001 => extend(Extract::Sh),
        0b0010010 | 0b0010011 => extend(Extract::Sb),
        0b0010100 | 0b0010101 => extend(Extract::Uh),
        0b0010110 | 0b0010111 => extend(Extract::Ub),
        0b0100000..=0b0101111 => {
            let list = (hw & 0xff) | (hw & 0x100) << 6;
            expect(list != 0)?;
            Ok(Op::StoreMany {
                down: true,
                writeback: true,
                rn: 13,
                list,
            })
        }
        0b0110011 => {
            expect(hw & 0b1100 == 0 && hw & 0b11 != 0 && !in_it)?;
            Ok(Op::Cps {
                disable: bit(hw, 4),
                primask: bit(hw, 1),
                faultmask: bit(hw, 0),
            })
        }
        0b1010000 | 0b1010001 => reverse(Misc::Rev),
        0b1010010 | 0b1010011 => reverse(Misc::Rev16),
        0b1010110 | 0b1010111 => reverse(Misc::Revsh),
        0b1100000..=0b1101111 => {
            let list = (hw & 0xff) | (hw & 0x100) << 7;
            expect(list != 0)?;
            Ok(Op::LoadMany {
                down: false,
                writeback: true,
                rn: 13,
                list,
            })
        }
        0b1110000..=0b1110111 => Ok(Op::Bkpt {
            imm: bits(hw, 0, 8),
        }),
        0b1111000..=0b1111111 => {
            let (first, mask) = (bits(hw, 4, 4), bits(hw, 0, 4));
            if mask != 0 {
                expect(first != 15 && !(first == 14 && mask.count_ones() != 1) && !in_it)?;
                return Ok(Op::It {
                    state: bits(hw, 0, 8),
                });
            }
            Ok(hint(first))
        }
        _ => Err(Bad::Undefined),
    }
}

/// The NOP-compatible hints; unallocated ones do nothing.
pub(super) fn hint(number: u8) -> Op {
    match number {
        2 => Op::Wfe,
        3 => Op::Wfi,
        4 => Op::Sev,
        _ => Op::Nop,
    }
}
