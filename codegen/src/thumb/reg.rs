//! Registers, conditions and register lists.
//!
//! Before register allocation an instruction is a *template*: its register
//! fields hold operand slots instead of register numbers. Slot `i` means "the
//! register that the allocator gave to operand `i`". Both kinds share one type
//! so that there is one instruction set in the compiler and not two; the
//! encoder refuses slots.

use std::fmt;

/// Marks a register field as an operand slot.
const SLOT: u8 = 0x80;

/// A core register, or an operand slot of a template.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reg(u8);

impl Reg {
    pub const R0: Reg = Reg(0);
    pub const R1: Reg = Reg(1);
    pub const R2: Reg = Reg(2);
    pub const R3: Reg = Reg(3);
    pub const R4: Reg = Reg(4);
    pub const R5: Reg = Reg(5);
    pub const R6: Reg = Reg(6);
    pub const R7: Reg = Reg(7);
    pub const R8: Reg = Reg(8);
    pub const R9: Reg = Reg(9);
    pub const R10: Reg = Reg(10);
    pub const R11: Reg = Reg(11);
    pub const R12: Reg = Reg(12);
    pub const SP: Reg = Reg(13);
    pub const LR: Reg = Reg(14);
    pub const PC: Reg = Reg(15);

    /// The register with this number, 0 to 15.
    pub const fn new(number: u8) -> Option<Reg> {
        if number < 16 { Some(Reg(number)) } else { None }
    }

    pub(crate) const fn slot(index: u8) -> Reg {
        Reg(SLOT | index)
    }

    /// The register number, or `None` for an operand slot.
    pub const fn number(self) -> Option<u8> {
        if self.0 < 16 { Some(self.0) } else { None }
    }

    pub(crate) const fn slot_index(self) -> Option<u8> {
        if self.0 & SLOT != 0 {
            Some(self.0 & !SLOT)
        } else {
            None
        }
    }

    /// r0 to r7: the registers that most 16-bit instructions can name.
    pub const fn is_low(self) -> bool {
        self.0 < 8
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // objdump's names for r10 to r12.
            10 => f.write_str("sl"),
            11 => f.write_str("fp"),
            12 => f.write_str("ip"),
            13 => f.write_str("sp"),
            14 => f.write_str("lr"),
            15 => f.write_str("pc"),
            n if n < 16 => write!(f, "r{n}"),
            n => write!(f, "%{}", n & !SLOT),
        }
    }
}

impl fmt::Debug for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A single-precision register s0 to s31, or an operand slot of a template.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SReg(u8);

impl SReg {
    /// The register with this number, 0 to 31.
    pub const fn new(number: u8) -> Option<SReg> {
        if number < 32 {
            Some(SReg(number))
        } else {
            None
        }
    }

    pub(crate) const fn slot(index: u8) -> SReg {
        SReg(SLOT | index)
    }

    /// The register number, or `None` for an operand slot.
    pub const fn number(self) -> Option<u8> {
        if self.0 < 32 { Some(self.0) } else { None }
    }

    pub(crate) const fn slot_index(self) -> Option<u8> {
        if self.0 & SLOT != 0 {
            Some(self.0 & !SLOT)
        } else {
            None
        }
    }
}

impl fmt::Display for SReg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number() {
            Some(n) => write!(f, "s{n}"),
            None => write!(f, "%s{}", self.0 & !SLOT),
        }
    }
}

impl fmt::Debug for SReg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A set of core registers, as PUSH, POP, LDM and STM take it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct RegList(pub u16);

impl RegList {
    pub fn of(regs: &[Reg]) -> RegList {
        regs.iter().fold(RegList(0), |list, &reg| list.with(reg))
    }

    #[must_use]
    pub fn with(self, reg: Reg) -> RegList {
        RegList(self.0 | reg.number().map_or(0, |n| 1 << n))
    }

    pub fn contains(self, reg: Reg) -> bool {
        reg.number().is_some_and(|n| self.0 >> n & 1 == 1)
    }

    pub fn count(self) -> u32 {
        self.0.count_ones()
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Reg> {
        (0..16).filter(move |n| self.0 >> n & 1 == 1).map(Reg)
    }
}

impl fmt::Display for RegList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, reg) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{reg}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for RegList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A branch or IT condition, with the architecture's numbering.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Cond {
    Eq = 0,
    Ne = 1,
    Cs = 2,
    Cc = 3,
    Mi = 4,
    Pl = 5,
    Vs = 6,
    Vc = 7,
    Hi = 8,
    Ls = 9,
    Ge = 10,
    Lt = 11,
    Gt = 12,
    Le = 13,
}

impl Cond {
    pub const ALL: [Cond; 14] = [
        Cond::Eq,
        Cond::Ne,
        Cond::Cs,
        Cond::Cc,
        Cond::Mi,
        Cond::Pl,
        Cond::Vs,
        Cond::Vc,
        Cond::Hi,
        Cond::Ls,
        Cond::Ge,
        Cond::Lt,
        Cond::Gt,
        Cond::Le,
    ];

    pub const fn bits(self) -> u32 {
        self as u32
    }

    #[must_use]
    pub const fn invert(self) -> Cond {
        Cond::ALL[(self as usize) ^ 1]
    }

    pub const fn name(self) -> &'static str {
        [
            "eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le",
        ][self as usize]
    }
}

impl fmt::Display for Cond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
