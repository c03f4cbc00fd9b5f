//! Names for addresses of a program.

use ir::image::{PeImage, SymbolKind};

/// The functions and objects of one PE, by address.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    functions: Vec<(u32, String)>,
    /// First address, end, name.
    objects: Vec<(u32, u32, String)>,
}

impl Symbols {
    /// The symbols of `image`.
    pub fn new(image: &PeImage) -> Self {
        let mut all = Self::default();
        for s in &image.symbols {
            match s.kind {
                SymbolKind::Function => all.functions.push((s.addr & !1, s.name.clone())),
                SymbolKind::Object => {
                    let end = s.addr.saturating_add(s.size);
                    all.objects.push((s.addr, end, s.name.clone()));
                }
                SymbolKind::Code | SymbolKind::Literal => {}
            }
        }
        all.functions.sort();
        all.objects.sort();
        all
    }

    /// The nearest function at or before `pc`, as `name+0x1c`.
    pub fn function(&self, pc: u32) -> Option<String> {
        let next = self.functions.partition_point(|(addr, _)| *addr <= pc);
        let (addr, name) = self.functions.get(next.checked_sub(1)?)?;
        Some(place(name, pc - addr))
    }

    /// Where the nearest function at or before `pc` begins.
    pub fn start_of(&self, pc: u32) -> Option<u32> {
        let next = self.functions.partition_point(|(addr, _)| *addr <= pc);
        let (addr, _) = self.functions.get(next.checked_sub(1)?)?;
        Some(*addr)
    }

    /// The object that holds `addr`, as `name+0x1c`.
    pub fn object(&self, addr: u32) -> Option<String> {
        let next = self.objects.partition_point(|(from, _, _)| *from <= addr);
        let (from, end, name) = self.objects.get(next.checked_sub(1)?)?;
        (addr < *end).then(|| place(name, addr - from))
    }
}

fn place(name: &str, offset: u32) -> String {
    let name = ir::origin::escape(name);
    if offset == 0 {
        name
    } else {
        format!("{name}+{offset:#x}")
    }
}
