//! Loads and stores.

use super::super::core::Core;
use super::super::fault::{BusError, FaultKind, Trap};
use super::super::memory::{Memory, Mmio, Size};
use super::super::nvic::{CCR_UNALIGN_TRP, Request, SCR_SEVONPEND};
use super::super::op::{Index, LoadKind, Reg, SReg, StoreKind};

/// The system control space, which belongs to the core.
const SYSTEM_SPACE: std::ops::RangeInclusive<u32> = 0xe000_e000..=0xe000_efff;

impl Core {
    /// Reads and extends one value.
    #[inline(always)]
    pub(in super::super) fn load<M: Mmio + ?Sized>(
        &mut self,
        kind: LoadKind,
        address: u32,
        memory: &Memory,
        mmio: &mut M,
    ) -> Result<u32, Trap> {
        Ok(match kind {
            LoadKind::W => match memory.word(address) {
                Some(word) => {
                    if address & 3 != 0 {
                        self.misaligned(address)?;
                    }
                    word
                }
                None => self.load_outside(address, Size::Word, mmio)?,
            },
            LoadKind::H => self.load_half(address, memory, mmio)?,
            LoadKind::Sh => self.load_half(address, memory, mmio)? as i16 as u32,
            LoadKind::B => self.load_byte(address, memory, mmio)?,
            LoadKind::Sb => self.load_byte(address, memory, mmio)? as i8 as u32,
        })
    }

    #[inline(always)]
    fn load_half<M: Mmio + ?Sized>(
        &mut self,
        address: u32,
        memory: &Memory,
        mmio: &mut M,
    ) -> Result<u32, Trap> {
        match memory.half(address) {
            Some(half) => {
                if address & 1 != 0 {
                    self.misaligned(address)?;
                }
                Ok(half.into())
            }
            None => self.load_outside(address, Size::Half, mmio),
        }
    }

    #[inline(always)]
    fn load_byte<M: Mmio + ?Sized>(
        &mut self,
        address: u32,
        memory: &Memory,
        mmio: &mut M,
    ) -> Result<u32, Trap> {
        match memory.byte(address) {
            Some(byte) => Ok(byte.into()),
            None => self.load_outside(address, Size::Byte, mmio),
        }
    }

    /// Writes the low part of `value`.
    #[inline(always)]
    pub(in super::super) fn store<M: Mmio + ?Sized>(
        &mut self,
        kind: StoreKind,
        address: u32,
        value: u32,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        // A trapping unaligned store must not reach memory.
        let misalignment = match kind {
            StoreKind::W => address & 3,
            StoreKind::H => address & 1,
            StoreKind::B => 0,
        };
        if misalignment != 0 && (address as usize) < memory.size() {
            self.misaligned(address)?;
        }
        let (stored, size) = match kind {
            StoreKind::W => (memory.store(address, value.to_le_bytes()), Size::Word),
            StoreKind::H => (
                memory.store(address, (value as u16).to_le_bytes()),
                Size::Half,
            ),
            StoreKind::B => (memory.store(address, [value as u8]), Size::Byte),
        };
        match stored {
            Some(false) => Ok(()),
            Some(true) => {
                self.attend_soon();
                Ok(())
            }
            None => self.store_outside(address, size, value, mmio),
        }
    }

    /// Allows an unaligned access to SRAM and charges for it, or faults.
    #[cold]
    fn misaligned(&mut self, address: u32) -> Result<(), Trap> {
        if self.nvic.ccr & CCR_UNALIGN_TRP != 0 {
            return Err(Trap::at(FaultKind::Unaligned, address));
        }
        self.cycle += u64::from(self.costs.unaligned);
        Ok(())
    }

    #[inline(never)]
    fn load_outside<M: Mmio + ?Sized>(
        &mut self,
        address: u32,
        size: Size,
        mmio: &mut M,
    ) -> Result<u32, Trap> {
        // Device memory does not allow unaligned accesses, and an access that
        // straddles the end of SRAM has no meaning.
        if address & (size.bytes() - 1) != 0 {
            return Err(Trap::at(FaultKind::Unaligned, address));
        }
        let refused = |why| Trap::at(FaultKind::BusRead(why), address);
        if SYSTEM_SPACE.contains(&address) {
            if !self.privileged() {
                return Err(refused(BusError::Privileged));
            }
            return self.nvic.read(address, size, self.ipsr).map_err(refused);
        }
        let value = mmio.read(address, size, self.cycle).map_err(refused)?;
        self.apply(mmio.effects());
        Ok(match size {
            Size::Byte => value & 0xff,
            Size::Half => value & 0xffff,
            Size::Word => value,
        })
    }

    #[inline(never)]
    fn store_outside<M: Mmio + ?Sized>(
        &mut self,
        address: u32,
        size: Size,
        value: u32,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        if address & (size.bytes() - 1) != 0 {
            return Err(Trap::at(FaultKind::Unaligned, address));
        }
        let value = match size {
            Size::Byte => value & 0xff,
            Size::Half => value & 0xffff,
            Size::Word => value,
        };
        let refused = |why| Trap::at(FaultKind::BusWrite(why), address);
        if SYSTEM_SPACE.contains(&address) {
            if !self.privileged() {
                return Err(refused(BusError::Privileged));
            }
            let pending = self.nvic.pending;
            let request = self.nvic.write(address, size, value).map_err(refused)?;
            if self.nvic.pending & !pending != 0 && self.nvic.scr & SCR_SEVONPEND != 0 {
                self.event = true;
            }
            self.fpu_ready = false;
            self.attend_soon();
            return match request {
                Request::None => Ok(()),
                Request::Reset => Err(Trap::Reset),
            };
        }
        mmio.write(address, size, value, self.cycle)
            .map_err(refused)?;
        self.apply(mmio.effects());
        Ok(())
    }

    /// Reads an aligned word; used by block transfers and exceptions.
    pub(in super::super) fn load_word<M: Mmio + ?Sized>(
        &mut self,
        address: u32,
        memory: &Memory,
        mmio: &mut M,
    ) -> Result<u32, Trap> {
        if address & 3 != 0 {
            return Err(Trap::at(FaultKind::Unaligned, address));
        }
        self.load(LoadKind::W, address, memory, mmio)
    }

    /// Writes an aligned word; used by block transfers and exceptions.
    pub(in super::super) fn store_word<M: Mmio + ?Sized>(
        &mut self,
        address: u32,
        value: u32,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        if address & 3 != 0 {
            return Err(Trap::at(FaultKind::Unaligned, address));
        }
        self.store(StoreKind::W, address, value, memory, mmio)
    }

    pub(super) fn store_words<M: Mmio + ?Sized>(
        &mut self,
        address: u32,
        words: &[u32],
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        for (i, word) in words.iter().enumerate() {
            self.store_word(address.wrapping_add(4 * i as u32), *word, memory, mmio)?;
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    #[inline]
    pub(super) fn load_dual<M: Mmio + ?Sized>(
        &mut self,
        index: Index,
        (rt, rt2): (Reg, Reg),
        rn: Reg,
        offset: i16,
        pc: u32,
        memory: &Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        let (address, moved) = if rn == 15 {
            let base = pc.wrapping_add(4) & !3;
            (base.wrapping_add_signed(offset.into()), 0)
        } else {
            self.indexed(index, rn, offset.into())
        };
        let first = self.load_word(address, memory, mmio)?;
        let second = self.load_word(address.wrapping_add(4), memory, mmio)?;
        if index != Index::Offset {
            self.set_any(rn, moved);
        }
        self.set(rt, first);
        self.set(rt2, second);
        Ok(())
    }

    /// Lowest address and new base of a block transfer.
    #[inline(always)]
    pub(in super::super) fn block_range(&self, down: bool, rn: Reg, count: u32) -> (u32, u32) {
        let base = self.get(rn);
        if down {
            let low = base.wrapping_sub(4 * count);
            (low, low)
        } else {
            (base, base.wrapping_add(4 * count))
        }
    }

    #[inline]
    pub(super) fn load_many<M: Mmio + ?Sized>(
        &mut self,
        down: bool,
        writeback: bool,
        rn: Reg,
        list: u16,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        let count = list.count_ones();
        let (address, moved) = self.block_range(down, rn, count);
        let mut loaded = self.regs;
        if address & 3 == 0
            && let Some(block) = memory.block(address, count)
        {
            let mut rest = list;
            for chunk in block.chunks_exact(4) {
                let r = rest.trailing_zeros() as usize;
                loaded[r & 15] = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
                rest &= rest.wrapping_sub(1);
            }
        } else {
            let mut at = address;
            for r in (0..16).filter(|r| list >> r & 1 != 0) {
                loaded[r] = self.load_word(at, memory, mmio)?;
                at = at.wrapping_add(4);
            }
        }
        let target = loaded[15];
        loaded[15] = self.regs[15];
        let before = std::mem::replace(&mut self.regs, loaded);
        if writeback {
            self.set_any(rn, moved);
        }
        if list >> 15 == 0 {
            return Ok(());
        }
        let result = self.branch_exchange(target, memory, mmio);
        if let Err(Trap::Fault(..)) = result {
            self.regs = before;
        }
        result
    }

    #[inline]
    pub(super) fn store_many<M: Mmio + ?Sized>(
        &mut self,
        down: bool,
        writeback: bool,
        rn: Reg,
        list: u16,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        let count = list.count_ones();
        let (address, moved) = self.block_range(down, rn, count);
        if address & 3 == 0
            && let Some((block, hit)) = memory.block_mut(address, count)
        {
            let mut rest = list;
            for chunk in block.chunks_exact_mut(4) {
                let r = rest.trailing_zeros() as usize;
                chunk.copy_from_slice(&self.regs[r & 15].to_le_bytes());
                rest &= rest.wrapping_sub(1);
            }
            if hit {
                self.attend_soon();
            }
        } else {
            let mut at = address;
            for r in (0..16).filter(|r| list >> r & 1 != 0) {
                self.store_word(at, self.regs[r], memory, mmio)?;
                at = at.wrapping_add(4);
            }
        }
        if writeback {
            self.set_any(rn, moved);
        }
        Ok(())
    }

    #[inline]
    pub(super) fn load_floats<M: Mmio + ?Sized>(
        &mut self,
        address: u32,
        first: SReg,
        count: u8,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        let from = usize::from(first);
        if address & 3 == 0
            && let Some(block) = memory.block(address, count.into())
        {
            let regs = self.fregs.iter_mut().skip(from);
            for (reg, chunk) in regs.zip(block.chunks_exact(4)) {
                *reg = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
            }
            return Ok(());
        }
        let mut loaded = self.fregs;
        for (i, reg) in loaded.iter_mut().skip(from).take(count.into()).enumerate() {
            *reg = self.load_word(address.wrapping_add(4 * i as u32), memory, mmio)?;
        }
        self.fregs = loaded;
        Ok(())
    }

    #[inline]
    pub(super) fn store_floats<M: Mmio + ?Sized>(
        &mut self,
        address: u32,
        first: SReg,
        count: u8,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        let from = usize::from(first);
        if address & 3 == 0
            && let Some((block, hit)) = memory.block_mut(address, count.into())
        {
            let regs = self.fregs.iter().skip(from);
            for (reg, chunk) in regs.zip(block.chunks_exact_mut(4)) {
                chunk.copy_from_slice(&reg.to_le_bytes());
            }
            if hit {
                self.attend_soon();
            }
            return Ok(());
        }
        for i in 0..u32::from(count) {
            let value = self.fregs[(from + i as usize) & 31];
            self.store_word(address.wrapping_add(4 * i), value, memory, mmio)?;
        }
        Ok(())
    }
}
