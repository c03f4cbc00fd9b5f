//! Relocations of a machine function and how to apply them.

use super::asm::RelocKind;
use super::encode::{Encoding, encode};
use super::inst::Inst;
use std::fmt;

/// One place in a function's bytes that needs an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reloc {
    /// Byte offset of the instruction or word in the function.
    pub offset: u32,
    pub kind: RelocKind,
    pub symbol: String,
    pub addend: i32,
}

/// Why a relocation could not be applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelocError {
    pub offset: u32,
    pub symbol: String,
    pub reason: &'static str,
}

impl fmt::Display for RelocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "reference to `{}` at offset {:#x}: {}",
            self.symbol, self.offset, self.reason
        )
    }
}

impl std::error::Error for RelocError {}

/// Writes the address of a symbol into a function's bytes.
///
/// `place` is the address of the function's first byte. `target` is the symbol's
/// address, with bit 0 set for a function (Thumb); calls ignore that bit,
/// address constants keep it.
pub fn apply_reloc(
    code: &mut [u8],
    reloc: &Reloc,
    place: u32,
    target: u32,
) -> Result<(), RelocError> {
    let fail = |reason| RelocError {
        offset: reloc.offset,
        symbol: reloc.symbol.clone(),
        reason,
    };
    let at = reloc.offset as usize;
    let bytes = code
        .get_mut(at..at + 4)
        .ok_or_else(|| fail("the place lies outside the code"))?;
    let value = target.wrapping_add_signed(reloc.addend);
    match reloc.kind {
        RelocKind::Abs32 => bytes.copy_from_slice(&value.to_le_bytes()),
        RelocKind::ThmCall => {
            let from = place.wrapping_add(reloc.offset).wrapping_add(4);
            let offset = (value & !1).wrapping_sub(from) as i32;
            let link = bytes[3] & 0x40 != 0;
            let inst = if link {
                Inst::Bl { offset }
            } else {
                Inst::B { offset, wide: true }
            };
            let encoding = encode(&inst).map_err(|e| fail(e.reason))?;
            put(bytes, encoding);
        }
        RelocKind::MovwAbs | RelocKind::MovtAbs => {
            let high = reloc.kind == RelocKind::MovtAbs;
            let imm = if high { value >> 16 } else { value & 0xffff };
            let mut first = u16::from_le_bytes([bytes[0], bytes[1]]);
            let mut second = u16::from_le_bytes([bytes[2], bytes[3]]);
            first = first & 0xfbf0 | (imm >> 12 & 15) as u16 | ((imm >> 11 & 1) << 10) as u16;
            second = second & 0x8f00 | ((imm >> 8 & 7) << 12) as u16 | (imm & 0xff) as u16;
            put(bytes, Encoding::Wide(first, second));
        }
    }
    Ok(())
}

fn put(bytes: &mut [u8], encoding: Encoding) {
    let mut out = Vec::with_capacity(4);
    encoding.write(&mut out);
    bytes[..out.len()].copy_from_slice(&out);
}

#[cfg(test)]
mod tests {
    use super::super::asm::Assembler;
    use super::super::reg::Reg;
    use super::*;

    #[test]
    fn address_halves_are_filled() {
        let mut asm = Assembler::new("f");
        asm.address(Reg::R3, "data", 4);
        let mut f = asm.finish().expect("assembles");
        for reloc in f.relocs.clone() {
            apply_reloc(&mut f.code, &reloc, 0x100, 0x2001_fffc).expect("applies");
        }
        let mut expected = Vec::new();
        encode(&Inst::Movw {
            rd: Reg::R3,
            imm: 0,
        })
        .expect("encodes")
        .write(&mut expected);
        encode(&Inst::Movt {
            rd: Reg::R3,
            imm: 0x2002,
        })
        .expect("encodes")
        .write(&mut expected);
        assert_eq!(f.code, expected);
    }

    #[test]
    fn calls_are_relative_and_range_checked() {
        let mut asm = Assembler::new("f");
        asm.call("g");
        let f = asm.finish().expect("assembles");
        let mut code = f.code.clone();
        apply_reloc(&mut code, &f.relocs[0], 0x1000, 0x1011).expect("applies");
        let mut expected = Vec::new();
        encode(&Inst::Bl { offset: 0xc })
            .expect("encodes")
            .write(&mut expected);
        assert_eq!(code, expected);
        let far = apply_reloc(&mut code, &f.relocs[0], 0x1000, 0x2000_0001);
        assert_eq!(far.map_err(|e| e.reason), Err("the target is out of range"));
    }
}
