//! Code with labels: the form between register allocation and bytes, and the
//! assembler for hand-written code (vectors, start-up).

use super::inst::{Inst, ItPattern};
use super::layout;
use super::reg::{Cond, Reg};
use super::{BackendError, MachineFunction};

/// A place in a function. Labels are numbered from 0 and bound by [`Item::Label`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Label(pub u32);

/// What the linker fills into an instruction or word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum RelocKind {
    /// BL or B.W to a function.
    ThmCall,
    /// MOVW: the low half of an address.
    MovwAbs,
    /// MOVT: the high half of an address.
    MovtAbs,
    /// A data word that holds an address.
    Abs32,
}

/// A symbol reference of one instruction or data word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SymbolRef {
    pub kind: RelocKind,
    pub symbol: String,
    pub addend: i32,
}

/// One element of a function before layout.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    /// An instruction without a label; `cond` when an IT before it covers it.
    Inst {
        inst: Inst,
        cond: Option<Cond>,
        reloc: Option<SymbolRef>,
    },
    /// A branch that layout sizes.
    Branch {
        cond: Option<Cond>,
        label: Label,
    },
    /// CBZ or CBNZ where it reaches, else CMP and a conditional branch. It must
    /// not stand where the flags are live.
    CompareBranch {
        nonzero: bool,
        rn: Reg,
        label: Label,
    },
    Label(Label),
    /// TBB or TBH on `index`, with its table. Targets must come later.
    Table {
        index: Reg,
        targets: Vec<Label>,
    },
    /// Address of a label (ADR); it must be word-aligned and come later.
    Adr {
        rd: Reg,
        label: Label,
    },
    /// Fills with NOP (in code) up to a multiple of this power of two.
    Align(u32),
    Word {
        value: u32,
        reloc: Option<SymbolRef>,
    },
    Bytes(Vec<u8>),
}

impl Item {
    pub fn plain(inst: Inst) -> Item {
        Item::Inst {
            inst,
            cond: None,
            reloc: None,
        }
    }
}

/// Builds a function instruction by instruction.
#[derive(Debug)]
pub struct Assembler {
    name: String,
    items: Vec<Item>,
    labels: u32,
    /// Conditions that the open IT block still has to hand out.
    it: Vec<Cond>,
    align: u32,
}

impl Assembler {
    pub fn new(name: impl Into<String>) -> Assembler {
        Assembler {
            name: name.into(),
            items: Vec::new(),
            labels: 0,
            it: Vec::new(),
            align: 4,
        }
    }

    /// Alignment of the first byte; a power of two, at least 4.
    pub fn align_start(&mut self, align: u32) -> &mut Self {
        self.align = align.max(4);
        self
    }

    pub fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    pub fn bind(&mut self, label: Label) -> &mut Self {
        self.items.push(Item::Label(label));
        self
    }

    /// Appends an instruction; after an IT it takes the next condition of the
    /// block.
    pub fn inst(&mut self, inst: Inst) -> &mut Self {
        self.push_inst(inst, None)
    }

    fn push_inst(&mut self, inst: Inst, reloc: Option<SymbolRef>) -> &mut Self {
        let cond = if self.it.is_empty() {
            None
        } else {
            Some(self.it.remove(0))
        };
        if let Inst::It { cond, pattern } = inst {
            self.it = it_conditions(cond, pattern);
        }
        self.items.push(Item::Inst { inst, cond, reloc });
        self
    }

    pub fn branch(&mut self, label: Label) -> &mut Self {
        self.items.push(Item::Branch { cond: None, label });
        self
    }

    pub fn branch_if(&mut self, cond: Cond, label: Label) -> &mut Self {
        self.items.push(Item::Branch {
            cond: Some(cond),
            label,
        });
        self
    }

    /// Branches when `rn` is (not) zero; the flags may change.
    pub fn branch_zero(&mut self, rn: Reg, nonzero: bool, label: Label) -> &mut Self {
        self.items.push(Item::CompareBranch { nonzero, rn, label });
        self
    }

    /// BL to a function by name.
    pub fn call(&mut self, symbol: impl Into<String>) -> &mut Self {
        let reloc = SymbolRef {
            kind: RelocKind::ThmCall,
            symbol: symbol.into(),
            addend: 0,
        };
        self.push_inst(Inst::Bl { offset: -4 }, Some(reloc))
    }

    /// B.W to a function by name (a tail call).
    pub fn jump(&mut self, symbol: impl Into<String>) -> &mut Self {
        let reloc = SymbolRef {
            kind: RelocKind::ThmCall,
            symbol: symbol.into(),
            addend: 0,
        };
        self.push_inst(
            Inst::B {
                offset: -4,
                wide: true,
            },
            Some(reloc),
        )
    }

    /// MOVW and MOVT of a symbol's address. For a function the linker sets bit 0.
    pub fn address(&mut self, rd: Reg, symbol: impl Into<String>, addend: i32) -> &mut Self {
        let symbol = symbol.into();
        let low = SymbolRef {
            kind: RelocKind::MovwAbs,
            symbol: symbol.clone(),
            addend,
        };
        let high = SymbolRef {
            kind: RelocKind::MovtAbs,
            symbol,
            addend,
        };
        self.push_inst(Inst::Movw { rd, imm: 0 }, Some(low));
        self.push_inst(Inst::Movt { rd, imm: 0 }, Some(high))
    }

    /// Loads a constant by the shortest sequence.
    pub fn constant(&mut self, rd: Reg, value: u32) -> &mut Self {
        for inst in super::constant(rd, value) {
            self.inst(inst);
        }
        self
    }

    /// Address of a later, word-aligned label of this function.
    pub fn label_address(&mut self, rd: Reg, label: Label) -> &mut Self {
        self.items.push(Item::Adr { rd, label });
        self
    }

    pub fn align(&mut self, align: u32) -> &mut Self {
        self.items.push(Item::Align(align));
        self
    }

    pub fn word(&mut self, value: u32) -> &mut Self {
        self.items.push(Item::Word { value, reloc: None });
        self
    }

    /// A data word with the address of a symbol.
    pub fn word_of(&mut self, symbol: impl Into<String>, addend: i32) -> &mut Self {
        let reloc = SymbolRef {
            kind: RelocKind::Abs32,
            symbol: symbol.into(),
            addend,
        };
        self.items.push(Item::Word {
            value: 0,
            reloc: Some(reloc),
        });
        self
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.items.push(Item::Bytes(bytes.to_vec()));
        self
    }

    /// Chooses branch sizes and writes the bytes.
    pub fn finish(self) -> Result<MachineFunction, BackendError> {
        if !self.it.is_empty() {
            return Err(BackendError::new(&self.name, "an IT block is not complete"));
        }
        let mut function = layout::lay_out(&self.name, &self.items)?;
        function.align = self.align;
        Ok(function)
    }
}

/// The condition of each instruction that an IT covers.
pub(crate) fn it_conditions(cond: Cond, pattern: ItPattern) -> Vec<Cond> {
    (0..pattern.len())
        .map(|i| if pattern.then(i) { cond } else { cond.invert() })
        .collect()
}
