//! Puts the functions of one PE behind the vector table and resolves the calls
//! between them.

use crate::frame::vectors;
use crate::thumb::{MachineFunction, RangeKind, apply_reloc};
use ir::diag::Diagnostic;
use ir::image::{Symbol, SymbolKind};
use std::collections::BTreeMap;

/// Linked code: starts with the vector table at address 0.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub bytes: Vec<u8>,
    pub symbols: Vec<Symbol>,
    /// Address of the reset handler, with the Thumb bit.
    pub entry: u32,
}

/// Which functions stand in the vector table.
pub(crate) struct Handlers<'a> {
    pub stack: u32,
    pub reset: &'a str,
    pub unexpected: &'a str,
    /// Interrupt line and handler.
    pub interrupts: &'a [(u32, &'a str)],
}

pub(crate) fn link(
    functions: &[MachineFunction],
    handlers: &Handlers<'_>,
) -> Result<Text, Diagnostic> {
    let last = handlers.interrupts.iter().map(|h| h.0).max().unwrap_or(0);
    let mut at = vectors::table_bytes(last);
    let mut places: BTreeMap<&str, u32> = BTreeMap::new();
    for f in functions {
        at = at.next_multiple_of(f.align.max(4));
        if places.insert(&f.name, at).is_some() {
            return Err(Diagnostic::internal(format!(
                "function {} exists twice",
                f.name
            )));
        }
        at += f.code.len() as u32;
    }
    let place_of = |name: &str| {
        let place = places.get(name).copied();
        place.ok_or_else(|| Diagnostic::internal(format!("function {name} does not exist")))
    };
    let thumb = |name: &str| place_of(name).map(|place| place | 1);
    let interrupts: Vec<(u32, u32)> = handlers
        .interrupts
        .iter()
        .map(|&(irq, name)| Ok((irq, thumb(name)?)))
        .collect::<Result<_, Diagnostic>>()?;
    let entry = thumb(handlers.reset)?;
    let unexpected = thumb(handlers.unexpected)?;
    let mut bytes = vectors::table(handlers.stack, entry, unexpected, &interrupts);
    let mut symbols = vec![
        symbol("$d", 0, 0, SymbolKind::Literal),
        symbol("vectors", 0, bytes.len() as u32, SymbolKind::Object),
    ];
    for f in functions {
        let place = place_of(&f.name)?;
        // Gaps between functions hold NOPs, so that every code byte decodes.
        while bytes.len() < place as usize {
            bytes.extend([0x00, 0xbf]);
        }
        let mut code = f.code.clone();
        for reloc in &f.relocs {
            let target = place_of(&reloc.symbol)?;
            apply_reloc(&mut code, reloc, place, target).map_err(|e| {
                Diagnostic::internal(format!("{} in {}: {e}", reloc.symbol, f.name))
            })?;
        }
        bytes.extend_from_slice(&code);
        symbols.push(symbol(
            &f.name,
            place,
            code.len() as u32,
            SymbolKind::Function,
        ));
        for range in &f.ranges {
            let (name, kind) = match range.kind {
                RangeKind::Code => ("$t", SymbolKind::Code),
                RangeKind::Data => ("$d", SymbolKind::Literal),
            };
            symbols.push(symbol(name, place + range.start, 0, kind));
        }
    }
    Ok(Text {
        bytes,
        symbols,
        entry,
    })
}

fn symbol(name: &str, addr: u32, size: u32, kind: SymbolKind) -> Symbol {
    Symbol {
        name: name.to_owned(),
        addr,
        size,
        kind,
    }
}
