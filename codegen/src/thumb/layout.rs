//! From items to bytes: branch sizes, table sizes, offsets.
//!
//! Every branch starts in its shortest form. While some branch does not reach
//! its target it grows, and grown branches never shrink, so the loop ends.

use super::asm::{Item, Label, SymbolRef};
use super::encode::encode_in;
use super::inst::{CmpOp, Hint, Inst, Op2};
use super::reg::{Cond, Reg};
use super::{BackendError, FrameInfo, Line, LineKind, MachineFunction, Range, RangeKind, Reloc};

/// Size class of a branch or table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Size {
    Short,
    Medium,
    Long,
}

/// Lays out a function whose labels are bound once each.
pub(super) fn lay_out(name: &str, items: &[Item]) -> Result<MachineFunction, BackendError> {
    let fail = |reason: String| BackendError::new(name, reason);
    let mut sizes = vec![Size::Short; items.len()];
    let (offsets, labels) = loop {
        let (offsets, labels) = place(name, items, &sizes)?;
        let mut grown = false;
        for (i, item) in items.iter().enumerate() {
            let wanted = wanted_size(item, offsets[i], &labels).map_err(fail)?;
            if wanted > sizes[i] {
                sizes[i] = wanted;
                grown = true;
            }
        }
        if !grown {
            break (offsets, labels);
        }
    };
    let mut writer = Writer::new(name, labels);
    for (i, item) in items.iter().enumerate() {
        if writer.code.len() as u32 != offsets[i] {
            return Err(fail(format!(
                "item {i} moved from {} to {}",
                offsets[i],
                writer.code.len()
            )));
        }
        writer.item(item, sizes[i])?;
    }
    Ok(writer.finish())
}

type Labels = Vec<Option<u32>>;

fn find(labels: &Labels, label: Label) -> Result<u32, String> {
    labels
        .get(label.0 as usize)
        .copied()
        .flatten()
        .ok_or_else(|| format!("label {} is not bound", label.0))
}

fn place(name: &str, items: &[Item], sizes: &[Size]) -> Result<(Vec<u32>, Labels), BackendError> {
    let mut offsets = Vec::with_capacity(items.len());
    let mut labels: Labels = Vec::new();
    let mut at = 0u32;
    for (item, &size) in items.iter().zip(sizes) {
        offsets.push(at);
        if let Item::Label(Label(index)) = item {
            let index = *index as usize;
            if labels.len() <= index {
                labels.resize(index + 1, None);
            }
            if labels[index].replace(at).is_some() {
                return Err(BackendError::new(
                    name,
                    format!("label {index} is bound twice"),
                ));
            }
        }
        at += item_size(item, size, at).map_err(|e| BackendError::new(name, e))?;
    }
    Ok((offsets, labels))
}

fn item_size(item: &Item, size: Size, at: u32) -> Result<u32, String> {
    Ok(match item {
        Item::Inst { inst, cond, reloc } => {
            // A relocated instruction is always the 32-bit form.
            if reloc.is_some() {
                return Ok(4);
            }
            encode_in(inst, cond.is_some())
                .map_err(|e| e.to_string())?
                .size()
        }
        Item::Branch { .. } => {
            if size == Size::Short {
                2
            } else {
                4
            }
        }
        Item::CompareBranch { rn, .. } => match size {
            Size::Short if rn.is_low() => 2,
            Size::Short | Size::Medium => compare_size(*rn) + 2,
            Size::Long => compare_size(*rn) + 4,
        },
        Item::Label(_) => 0,
        Item::Table { targets, .. } => {
            let entries = targets.len() as u32;
            4 + if size == Size::Short {
                entries.next_multiple_of(2)
            } else {
                entries * 2
            }
        }
        Item::Adr { .. } => 4,
        Item::Align(align) => at.next_multiple_of((*align).max(1)) - at,
        Item::Word { .. } => 4,
        Item::Bytes(bytes) => bytes.len() as u32,
    })
}

fn wanted_size(item: &Item, at: u32, labels: &Labels) -> Result<Size, String> {
    let reach = |from: u32, label: Label| -> Result<i64, String> {
        Ok(i64::from(find(labels, label)?) - i64::from(from) - 4)
    };
    Ok(match item {
        Item::Branch { cond, label } => {
            let offset = reach(at, *label)?;
            let short = if cond.is_some() {
                -256..=254
            } else {
                -2048..=2046
            };
            if short.contains(&offset) {
                Size::Short
            } else {
                Size::Medium
            }
        }
        Item::CompareBranch { rn, label, .. } => {
            let near = reach(at, *label)?;
            if rn.is_low() && (0..=126).contains(&near) {
                Size::Short
            } else if (-256..=254).contains(&reach(at + compare_size(*rn), *label)?) {
                Size::Medium
            } else {
                Size::Long
            }
        }
        Item::Table { targets, .. } => {
            let mut size = Size::Short;
            for &label in targets {
                let offset = reach(at, label)?;
                if offset < 0 {
                    return Err("a table branch goes backward".into());
                }
                if offset > 2 * 255 {
                    size = Size::Medium;
                }
            }
            size
        }
        _ => Size::Short,
    })
}

struct Writer<'a> {
    name: &'a str,
    labels: Labels,
    code: Vec<u8>,
    relocs: Vec<Reloc>,
    ranges: Vec<Range>,
    lines: Vec<Line>,
}

impl<'a> Writer<'a> {
    fn new(name: &'a str, labels: Labels) -> Writer<'a> {
        Writer {
            name,
            labels,
            code: Vec::new(),
            relocs: Vec::new(),
            ranges: Vec::new(),
            lines: Vec::new(),
        }
    }

    fn at(&self) -> u32 {
        self.code.len() as u32
    }

    fn offset_to(&self, label: Label) -> Result<i32, BackendError> {
        let target = find(&self.labels, label).map_err(|e| BackendError::new(self.name, e))?;
        Ok(target as i32 - self.at() as i32 - 4)
    }

    fn kind(&mut self, kind: RangeKind) {
        let start = self.at();
        match self.ranges.last_mut() {
            Some(last) if last.kind == kind => {}
            Some(last) if last.start == start => last.kind = kind,
            _ => self.ranges.push(Range { start, kind }),
        }
    }

    fn inst(&mut self, inst: Inst, cond: Option<Cond>) -> Result<(), BackendError> {
        self.kind(RangeKind::Code);
        let encoding = encode_in(&inst, cond.is_some())
            .map_err(|e| BackendError::at(self.name, inst.to_string(), e.reason))?;
        self.lines.push(Line {
            offset: self.at(),
            kind: LineKind::Inst(inst, cond),
        });
        encoding.write(&mut self.code);
        Ok(())
    }

    fn reloc(&mut self, reloc: &SymbolRef) {
        let offset = self.at();
        self.relocs.push(Reloc {
            offset,
            kind: reloc.kind,
            symbol: reloc.symbol.clone(),
            addend: reloc.addend,
        });
    }

    fn data(&mut self, bytes: &[u8]) {
        self.kind(RangeKind::Data);
        self.lines.push(Line {
            offset: self.at(),
            kind: LineKind::Data(bytes.len() as u32),
        });
        self.code.extend_from_slice(bytes);
    }

    fn item(&mut self, item: &Item, size: Size) -> Result<(), BackendError> {
        match item {
            Item::Inst { inst, cond, reloc } => {
                if let Some(reloc) = reloc {
                    self.reloc(reloc);
                }
                self.inst(*inst, *cond)?;
            }
            Item::Branch { cond, label } => {
                let offset = self.offset_to(*label)?;
                let wide = size != Size::Short;
                let inst = match *cond {
                    Some(cond) => Inst::BCond { cond, offset, wide },
                    None => Inst::B { offset, wide },
                };
                self.inst(inst, None)?;
            }
            Item::CompareBranch { nonzero, rn, label } => {
                let (nonzero, rn) = (*nonzero, *rn);
                if size == Size::Short && rn.is_low() {
                    let offset = self.offset_to(*label)?;
                    return self.inst(
                        Inst::Cbz {
                            nonzero,
                            rn,
                            offset,
                        },
                        None,
                    );
                }
                self.inst(compare_zero(rn), None)?;
                let offset = self.offset_to(*label)?;
                let cond = if nonzero { Cond::Ne } else { Cond::Eq };
                self.inst(
                    Inst::BCond {
                        cond,
                        offset,
                        wide: size == Size::Long,
                    },
                    None,
                )?;
            }
            Item::Label(_) => {}
            Item::Table { index, targets } => self.table(*index, targets, size)?,
            Item::Adr { rd, label } => {
                let target = self.offset_to(*label)? + 4 + self.at() as i32;
                let base = (self.at() + 4) & !3;
                self.inst(
                    Inst::Adr {
                        rd: *rd,
                        offset: target - base as i32,
                        wide: true,
                    },
                    None,
                )?;
            }
            Item::Align(align) => {
                let in_code = self.ranges.last().is_none_or(|r| r.kind == RangeKind::Code);
                while !self.at().is_multiple_of((*align).max(1)) {
                    if in_code && self.at().is_multiple_of(2) {
                        self.inst(Inst::Hint(Hint::Nop), None)?;
                    } else {
                        self.data(&[0]);
                    }
                }
            }
            Item::Word { value, reloc } => {
                if let Some(reloc) = reloc {
                    self.reloc(reloc);
                }
                self.data(&value.to_le_bytes());
            }
            Item::Bytes(bytes) => self.data(bytes),
        }
        Ok(())
    }

    fn table(&mut self, index: Reg, targets: &[Label], size: Size) -> Result<(), BackendError> {
        let half = size != Size::Short;
        self.inst(
            Inst::TableBranch {
                half,
                rn: Reg::PC,
                rm: index,
            },
            None,
        )?;
        let base = self.at();
        let mut table = Vec::new();
        for &label in targets {
            let target = find(&self.labels, label).map_err(|e| BackendError::new(self.name, e))?;
            let entry = (target - base) / 2;
            if half {
                table.extend((entry as u16).to_le_bytes());
            } else {
                table.push(entry as u8);
            }
        }
        if !table.len().is_multiple_of(2) {
            table.push(0);
        }
        self.data(&table);
        Ok(())
    }

    fn finish(self) -> MachineFunction {
        MachineFunction {
            name: self.name.to_string(),
            code: self.code,
            align: 4,
            relocs: self.relocs,
            ranges: self.ranges,
            listing: self.lines,
            frame: FrameInfo::default(),
        }
    }
}

/// CMP with zero: 16 bits for low registers, else 32.
fn compare_size(rn: Reg) -> u32 {
    if rn.is_low() { 2 } else { 4 }
}

fn compare_zero(rn: Reg) -> Inst {
    Inst::Compare {
        op: CmpOp::Cmp,
        rn,
        op2: Op2::Imm(0),
    }
}
