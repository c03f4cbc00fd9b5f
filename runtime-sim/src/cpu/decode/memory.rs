//! 32-bit loads and stores.

use super::super::op::{Index, LoadKind, Op, StoreKind};
use super::{Bad, Result, bad_reg, bit, bits, expect, plain};

/// LDM, STM and their PUSH and POP forms.
pub(super) fn multiple(hw1: u16, hw2: u16) -> Result<Op> {
    let (load, writeback, rn) = (bit(hw1, 4), bit(hw1, 5), bits(hw1, 0, 4));
    let down = match bits(hw1, 7, 2) {
        0b01 => false,
        0b10 => true,
        // SRS and RFE do not exist in the M profile.
        _ => return Err(Bad::Undefined),
    };
    let list = hw2;
    expect(!bit(list, 13) && list.count_ones() >= 2 && rn != 15)?;
    expect(!(writeback && list >> rn & 1 != 0))?;
    if load {
        expect(list >> 14 != 0b11)?;
        Ok(Op::LoadMany {
            down,
            writeback,
            rn,
            list,
        })
    } else {
        expect(!bit(list, 15))?;
        Ok(Op::StoreMany {
            down,
            writeback,
            rn,
            list,
        })
    }
}

/// LDREX, STREX.
fn exclusive_word(load: bool, rn: u8, hw2: u16) -> Result<Op> {
    let offset = (hw2 & 0xff) * 4;
    let kinds = (LoadKind::W, StoreKind::W);
    exclusive(load, kinds, bits(hw2, 8, 4), rn, hw2, offset)
}

/// LDREXB, LDREXH, STREXB, STREXH.
fn exclusive_part(load: bool, half: bool, rn: u8, hw2: u16) -> Result<Op> {
    expect(bits(hw2, 8, 4) == 15)?;
    let kinds = match half {
        true => (LoadKind::H, StoreKind::H),
        false => (LoadKind::B, StoreKind::B),
    };
    exclusive(load, kinds, bits(hw2, 0, 4), rn, hw2, 0)
}

/// `rd` takes the status of a store; a load has ones in its place.
fn exclusive(
    load: bool,
    (load_kind, store_kind): (LoadKind, StoreKind),
    rd: u8,
    rn: u8,
    hw2: u16,
    offset: u16,
) -> Result<Op> {
    let rt = bits(hw2, 12, 4);
    expect(!bad_reg(rt) && rn != 15)?;
    if load {
        expect(rd == 15)?;
        return Ok(Op::LoadExclusive {
            kind: load_kind,
            rt,
            rn,
            offset,
        });
    }
    expect(!bad_reg(rd) && rd != rn && rd != rt)?;
    Ok(Op::StoreExclusive {
        kind: store_kind,
        rd,
        rt,
        rn,
        offset,
    })
}

/// LDRD, STRD, TBB, TBH, and the exclusives.
pub(super) fn dual(hw1: u16, hw2: u16) -> Result<Op> {
    let (p, u, w, load) = (bit(hw1, 8), bit(hw1, 7), bit(hw1, 5), bit(hw1, 4));
    let rn = bits(hw1, 0, 4);
    if !p && !w {
        return match (u, load, bits(hw2, 4, 4)) {
            (false, _, _) => exclusive_word(load, rn, hw2),
            (true, true, op @ 0..=1) => {
                let rm = bits(hw2, 0, 4);
                expect(hw2 >> 8 == 0xf0 && rn != 13 && !bad_reg(rm))?;
                Ok(Op::TableBranch {
                    half: op == 1,
                    rn,
                    rm,
                })
            }
            (true, _, op @ 4..=5) => exclusive_part(load, op == 5, rn, hw2),
            _ => Err(Bad::Undefined),
        };
    }
    let (rt, rt2) = (bits(hw2, 12, 4), bits(hw2, 8, 4));
    let magnitude = (hw2 & 0xff) as i16 * 4;
    let offset = if u { magnitude } else { -magnitude };
    let index = index(p, w);
    plain(&[rt, rt2])?;
    expect(!(w && (rn == rt || rn == rt2)))?;
    if load {
        expect(rt != rt2 && !(rn == 15 && w))?;
        Ok(Op::LoadDual {
            index,
            rt,
            rt2,
            rn,
            offset,
        })
    } else {
        expect(rn != 15)?;
        Ok(Op::StoreDual {
            index,
            rt,
            rt2,
            rn,
            offset,
        })
    }
}

/// The addressing mode of P and W; P = W = 0 is handled by the callers.
fn index(p: bool, w: bool) -> Index {
    match (p, w) {
        (true, false) => Index::Offset,
        (true, true) => Index::Pre,
        _ => Index::Post,
    }
}

/// The three address forms that single loads and stores share.
enum Address {
    Immediate {
        index: Index,
        offset: i32,
    },
    Register {
        rm: u8,
        shift: u8,
    },
    /// Unprivileged.
    User {
        offset: u8,
    },
}

fn address(hw1: u16, hw2: u16) -> Result<Address> {
    if bit(hw1, 7) {
        return Ok(Address::Immediate {
            index: Index::Offset,
            offset: i32::from(hw2 & 0xfff),
        });
    }
    if bits(hw2, 6, 6) == 0 {
        return Ok(Address::Register {
            rm: bits(hw2, 0, 4),
            shift: bits(hw2, 4, 2),
        });
    }
    let (p, u, w) = (bit(hw2, 10), bit(hw2, 9), bit(hw2, 8));
    if !bit(hw2, 11) || (!p && !w) {
        return Err(Bad::Undefined);
    }
    if p && u && !w {
        return Ok(Address::User {
            offset: (hw2 & 0xff) as u8,
        });
    }
    let magnitude = i32::from(hw2 & 0xff);
    Ok(Address::Immediate {
        index: index(p, w),
        offset: if u { magnitude } else { -magnitude },
    })
}

/// STR, STRB, STRH.
pub(super) fn store(hw1: u16, hw2: u16) -> Result<Op> {
    let (rn, rt) = (bits(hw1, 0, 4), bits(hw2, 12, 4));
    let kind = match bits(hw1, 5, 2) {
        0 => StoreKind::B,
        1 => StoreKind::H,
        2 => StoreKind::W,
        _ => return Err(Bad::Undefined),
    };
    if rn == 15 {
        return Err(Bad::Undefined);
    }
    let address = address(hw1, hw2)?;
    expect(rt != 15 && (rt != 13 || kind == StoreKind::W))?;
    match address {
        Address::Immediate { index, offset } => {
            expect(index == Index::Offset || rn != rt)?;
            Ok(Op::Store {
                kind,
                index,
                rt,
                rn,
                offset,
            })
        }
        Address::Register { rm, shift } => {
            plain(&[rm])?;
            Ok(Op::StoreReg {
                kind,
                rt,
                rn,
                rm,
                shift,
            })
        }
        Address::User { offset } => {
            plain(&[rt])?;
            Ok(Op::StoreUser {
                kind,
                rt,
                rn,
                offset,
            })
        }
    }
}

/// LDR, LDRB, LDRH, LDRSB, LDRSH and the memory hints.
pub(super) fn load(hw1: u16, hw2: u16) -> Result<Op> {
    let (rn, rt) = (bits(hw1, 0, 4), bits(hw2, 12, 4));
    let signed = bit(hw1, 8);
    let kind = match (bits(hw1, 5, 2), signed) {
        (0, false) => LoadKind::B,
        (0, true) => LoadKind::Sb,
        (1, false) => LoadKind::H,
        (1, true) => LoadKind::Sh,
        (2, false) => LoadKind::W,
        _ => return Err(Bad::Undefined),
    };
    let word = kind == LoadKind::W;
    if rn == 15 {
        if rt == 15 && !word {
            return Ok(Op::Preload);
        }
        expect(word || rt != 13)?;
        let magnitude = i32::from(hw2 & 0xfff);
        let offset = if bit(hw1, 7) { magnitude } else { -magnitude };
        return Ok(Op::LoadLit { kind, rt, offset });
    }
    // A negative offset without write-back is a hint when rt is 15; the same bits of a
    // word load are an ordinary load.
    if rt == 15 && !word {
        return match address(hw1, hw2)? {
            Address::Immediate {
                index: Index::Offset,
                ..
            } => Ok(Op::Preload),
            Address::Register { rm, .. } => {
                plain(&[rm])?;
                Ok(Op::Preload)
            }
            Address::Immediate { .. } | Address::User { .. } => Err(Bad::Unpredictable),
        };
    }
    let address = address(hw1, hw2)?;
    expect(word || rt != 13)?;
    match address {
        Address::Immediate { index, offset } => {
            expect(index == Index::Offset || rn != rt)?;
            Ok(Op::Load {
                kind,
                index,
                rt,
                rn,
                offset,
            })
        }
        Address::Register { rm, shift } => {
            plain(&[rm])?;
            Ok(Op::LoadReg {
                kind,
                rt,
                rn,
                rm,
                shift,
            })
        }
        Address::User { offset } => {
            plain(&[rt])?;
            Ok(Op::LoadUser {
                kind,
                rt,
                rn,
                offset,
            })
        }
    }
}
