//! ELF32-ARM files of PE programs: written as ET_EXEC, one load segment and
//! one section per memory region, loadable as they are; and read back with
//! every size and address bounded.

use ir::PeCoord;
use ir::image::{PeImage, Segment, Symbol, SymbolKind};
use object::build::elf::{Builder, SectionData};
use object::read::elf::ElfFile32;
use object::{Endianness, Object, ObjectSection, ObjectSegment, ObjectSymbol, elf};
use std::collections::BTreeMap;
use std::fmt;

/// EABI version 5, hard float.
const FLAGS: u32 = 0x0500_0400;
/// File offset of the first segment, congruent to its address modulo the alignment.
const FIRST_OFFSET: u64 = 0x1000;
const ALIGN: u64 = 4;
/// More regions or symbols than any PE program has.
const MAX_SEGMENTS: usize = 4096;
const MAX_SYMBOLS: usize = 65_536;

/// Why an ELF file was refused or could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElfError(String);

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for ElfError {}
impl From<object::build::Error> for ElfError {
    fn from(e: object::build::Error) -> Self {
        Self(e.to_string())
    }
}
impl From<object::Error> for ElfError {
    fn from(e: object::Error) -> Self {
        Self(e.to_string())
    }
}

/// The file of one PE. The same image always gives the same bytes.
pub fn write(image: &PeImage) -> Result<Vec<u8>, ElfError> {
    let mut b = Builder::new(Endianness::Little, false);
    b.header.e_type = elf::ET_EXEC;
    b.header.e_machine = elf::EM_ARM;
    b.header.e_flags = elf::FileFlags(FLAGS);
    b.header.e_entry = u64::from(image.entry);
    b.header.e_phoff = b.file_header_size();

    let mut sections = Vec::new();
    for segment in &image.segments {
        let section = b.sections.add();
        section.name = segment.name.as_bytes().to_vec().into();
        section.sh_addr = u64::from(segment.addr);
        section.sh_addralign = ALIGN;
        section.sh_flags = elf::SHF_ALLOC
            | if segment.executable {
                elf::SHF_EXECINSTR
            } else {
                elf::SHF_WRITE
            };
        if segment.bytes.is_empty() {
            section.sh_type = elf::SHT_NOBITS;
            section.sh_size = u64::from(segment.size);
            section.data = SectionData::UninitializedData(u64::from(segment.size));
        } else {
            section.sh_type = elf::SHT_PROGBITS;
            section.sh_size = segment.bytes.len() as u64;
            section.data = SectionData::Data(segment.bytes.clone().into());
        }
        sections.push(section.id());
    }
    add_symbols(&mut b, image, &sections);
    add_tables(&mut b);
    b.set_section_sizes();
    add_segments(&mut b, image, &sections);
    let mut out = Vec::new();
    b.write(&mut out)?;
    Ok(out)
}

/// Mapping symbols are local and must stand before the global ones.
fn add_symbols(b: &mut Builder<'_>, image: &PeImage, sections: &[object::build::elf::SectionId]) {
    let is_mapping = |s: &&Symbol| matches!(s.kind, SymbolKind::Code | SymbolKind::Literal);
    let locals = image.symbols.iter().filter(is_mapping);
    let globals = image.symbols.iter().filter(|s| !is_mapping(s));
    for symbol in locals.chain(globals) {
        let home = image
            .segments
            .iter()
            .position(|s| symbol.addr >= s.addr && symbol.addr - s.addr < s.size.max(1));
        let (bind, ty, thumb) = match symbol.kind {
            SymbolKind::Function => (elf::STB_GLOBAL, elf::STT_FUNC, 1),
            SymbolKind::Object => (elf::STB_GLOBAL, elf::STT_OBJECT, 0),
            SymbolKind::Code | SymbolKind::Literal => (elf::STB_LOCAL, elf::STT_NOTYPE, 0),
        };
        let s = b.symbols.add();
        s.name = symbol.name.as_bytes().to_vec().into();
        s.section = home.map(|i| sections[i]);
        s.st_value = u64::from(symbol.addr | thumb);
        s.st_size = u64::from(symbol.size);
        s.set_st_info(bind, ty);
    }
}

fn add_tables(b: &mut Builder<'_>) {
    for (name, ty, data) in [
        (&b".symtab"[..], elf::SHT_SYMTAB, SectionData::Symbol),
        (&b".strtab"[..], elf::SHT_STRTAB, SectionData::String),
        (
            &b".shstrtab"[..],
            elf::SHT_STRTAB,
            SectionData::SectionString,
        ),
    ] {
        let section = b.sections.add();
        section.name = name.into();
        section.sh_type = ty;
        section.sh_addralign = if ty == elf::SHT_SYMTAB { 4 } else { 1 };
        section.data = data;
    }
}

fn add_segments(b: &mut Builder<'_>, image: &PeImage, sections: &[object::build::elf::SectionId]) {
    let mut offset = FIRST_OFFSET;
    for (segment, &id) in image.segments.iter().zip(sections) {
        // Offsets must be congruent to addresses modulo the alignment.
        offset = offset.next_multiple_of(ALIGN) + u64::from(segment.addr) % ALIGN;
        b.sections.get_mut(id).sh_offset = offset;
        let load = b.segments.add();
        load.p_type = elf::PT_LOAD;
        load.p_flags = if segment.executable {
            elf::PF_R | elf::PF_X
        } else {
            elf::PF_R | elf::PF_W
        };
        load.p_offset = offset;
        load.p_vaddr = u64::from(segment.addr);
        load.p_paddr = u64::from(segment.addr);
        load.p_filesz = segment.bytes.len() as u64;
        load.p_memsz = u64::from(segment.size);
        load.p_align = ALIGN;
        load.sections.push(id);
        offset += segment.bytes.len() as u64;
    }
}

/// Reads a PE program. `sram_bytes` bounds every address and size.
pub fn read(bytes: &[u8], pe: PeCoord, sram_bytes: u32) -> Result<PeImage, ElfError> {
    let fail = |what: &str| Err(ElfError(what.to_owned()));
    let file: ElfFile32<'_, Endianness> = ElfFile32::parse(bytes)?;
    let header = file.elf_header();
    let endian = Endianness::Little;
    if !file.is_little_endian()
        || header.e_machine.get(endian) != elf::EM_ARM
        || header.e_type.get(endian) != elf::ET_EXEC
    {
        return fail("not a little-endian ELF32-ARM executable");
    }
    let names: BTreeMap<u64, String> = file
        .sections()
        .filter(|s| s.size() > 0 && matches!(s.flags(), object::SectionFlags::Elf { sh_flags, .. } if sh_flags.0 & elf::SHF_ALLOC.0 != 0))
        .map(|s| Ok((s.address(), s.name()?.to_owned())))
        .collect::<Result<_, object::Error>>()?;
    let mut segments: Vec<Segment> = Vec::new();
    for segment in file.segments() {
        if segments.len() == MAX_SEGMENTS {
            return fail("too many segments");
        }
        let (addr, size) = (segment.address(), segment.size());
        if addr
            .checked_add(size)
            .is_none_or(|end| end > u64::from(sram_bytes))
        {
            return Err(ElfError(format!(
                "a segment of {size} bytes at {addr:#x} leaves the {sram_bytes} bytes of local memory"
            )));
        }
        let data = segment.data()?;
        if data.len() as u64 > size {
            return fail("a segment holds more bytes than its size");
        }
        let executable = matches!(
            segment.flags(),
            object::SegmentFlags::Elf { p_flags, .. } if p_flags.0 & elf::PF_X.0 != 0
        );
        segments.push(Segment {
            name: names.get(&addr).cloned().unwrap_or_default(),
            addr: addr as u32,
            bytes: data.to_vec(),
            size: size as u32,
            executable,
        });
    }
    segments.sort_by_key(|s| s.addr);
    if segments
        .windows(2)
        .any(|w| w[0].addr + w[0].size > w[1].addr)
    {
        return fail("segments overlap");
    }
    let entry = u32::try_from(file.entry()).map_err(|_| ElfError("entry out of range".into()))?;
    Ok(PeImage {
        pe,
        entry,
        segments,
        symbols: read_symbols(&file)?,
    })
}

fn read_symbols(file: &ElfFile32<'_, Endianness>) -> Result<Vec<Symbol>, ElfError> {
    let mut symbols = Vec::new();
    for symbol in file.symbols() {
        if symbols.len() == MAX_SYMBOLS {
            return Err(ElfError("too many symbols".into()));
        }
        let name = symbol.name()?.to_owned();
        let st_type = match symbol.flags() {
            object::SymbolFlags::Elf { st_info, .. } => st_info.st_type(),
            _ => elf::STT_NOTYPE,
        };
        let kind = match (st_type, name.as_str()) {
            (elf::STT_FUNC, _) => SymbolKind::Function,
            (elf::STT_OBJECT, _) => SymbolKind::Object,
            (_, "$t") => SymbolKind::Code,
            (_, "$d") => SymbolKind::Literal,
            _ => continue,
        };
        let thumb = u32::from(kind == SymbolKind::Function);
        let addr = symbol.address() as u32 & !thumb;
        symbols.push(Symbol {
            name,
            addr,
            size: symbol.size() as u32,
            kind,
        });
    }
    Ok(symbols)
}
