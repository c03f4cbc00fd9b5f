//! What a core can reach: its local SRAM directly, everything else through [`Mmio`].
//!
//! Local SRAM sits at address 0. The core keeps decoded copies of the code it has
//! executed, so every write to SRAM that does not come from the core itself must go
//! through [`Memory::write`] or [`Memory::bytes_mut`], which note that code may have
//! changed. There is no other way to get at the bytes, so it cannot be forgotten.

use std::fmt;
use std::ops::Range;

use super::fault::BusError;

/// Size of one data access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 8 bits.
    Byte,
    /// 16 bits.
    Half,
    /// 32 bits.
    Word,
}

impl Size {
    /// Number of bytes: 1, 2 or 4.
    pub fn bytes(self) -> u32 {
        match self {
            Size::Byte => 1,
            Size::Half => 2,
            Size::Word => 4,
        }
    }
}

/// What a device access did beside the access itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Interrupt lines that rose (bit n = line n): they become pending, and again after
    /// each return from their handler until they fall.
    pub raise: u64,
    /// Interrupt lines that fell: the level drops, a pending state stays. A line in both
    /// sets is a pulse.
    pub lower: u64,
    /// Bus wait states, in core cycles, on top of the instruction's own cost.
    pub wait: u32,
    /// Return to the caller of `run` after this instruction, because the scheduler
    /// has to look at the device before time goes on.
    pub stop: bool,
}

/// Two registers, words, that translated code may serve without asking the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Reads of this address do nothing and always give `value`.
    pub status: u32,
    pub value: u32,
    /// The bus may see writes to this address late, though before any other access and with
    /// the cycle in which they were made. They never fail.
    pub queued: u32,
    /// Bus wait states of both, as in [`Effects::wait`].
    pub wait: u32,
}

/// The bus beyond local SRAM and the system control space.
pub trait Mmio {
    /// Reads `size` at `addr`; the value is zero-extended. `cycle` is the core's clock
    /// at the end of the instruction, wait states not counted. Addresses are aligned
    /// to `size`.
    fn read(&mut self, addr: u32, size: Size, cycle: u64) -> Result<u32, BusError>;

    /// Writes the low `size` bits of `value` at `addr`.
    fn write(&mut self, addr: u32, size: Size, value: u32, cycle: u64) -> Result<(), BusError>;

    /// Called once after each successful access; the answer is used up by the call.
    fn effects(&mut self) -> Effects {
        Effects::default()
    }

    /// True while nothing depends on when the bus sees a write to [`Ports::queued`].
    fn takes_late_writes(&self) -> bool {
        false
    }
}

/// A bus on which nothing answers: for programs that use only local SRAM.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMmio;

impl Mmio for NoMmio {
    fn read(&mut self, _: u32, _: Size, _: u64) -> Result<u32, BusError> {
        Err(BusError::Unmapped)
    }

    fn write(&mut self, _: u32, _: Size, _: u32, _: u64) -> Result<(), BusError> {
        Err(BusError::Unmapped)
    }
}

/// The local SRAM of one processing element, at address 0.
pub struct Memory {
    bytes: Box<[u8]>,
    /// Addresses from which the core has decoded instructions; an over-estimate.
    code: Range<u32>,
    /// Addresses inside `code` that were written from outside since the core last looked.
    dirty: Range<u32>,
}

impl Clone for Memory {
    /// Pages of zeros are not written: the host gives memory only to what is.
    fn clone(&self) -> Self {
        const PAGE: usize = 4096;
        let mut bytes = vec![0; self.bytes.len()].into_boxed_slice();
        for (to, from) in bytes.chunks_mut(PAGE).zip(self.bytes.chunks(PAGE)) {
            if from.iter().any(|&byte| byte != 0) {
                to.copy_from_slice(from);
            }
        }
        Self {
            bytes,
            code: self.code.clone(),
            dirty: self.dirty.clone(),
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("size", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl Memory {
    /// Zeroed SRAM of `size` bytes.
    pub fn new(size: usize) -> Memory {
        Memory {
            bytes: vec![0; size].into_boxed_slice(),
            code: 0..0,
            dirty: 0..0,
        }
    }

    /// Number of bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All bytes, writable. Decoded code is discarded: use [`Memory::write`] for
    /// small writes.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.dirty = self.code.clone();
        &mut self.bytes
    }

    /// Copies `data` to `addr`; `None`, and nothing is written, if it does not fit.
    #[must_use = "a refused write must be reported"]
    pub fn write(&mut self, addr: u32, data: &[u8]) -> Option<()> {
        let start = addr as usize;
        let end = start.checked_add(data.len())?;
        self.bytes.get_mut(start..end)?.copy_from_slice(data);
        self.note_store(addr, data.len() as u32);
        Some(())
    }

    /// `len` bytes at `addr`, or `None` if they are not all inside.
    pub fn read(&self, addr: u32, len: usize) -> Option<&[u8]> {
        let start = addr as usize;
        self.bytes.get(start..start.checked_add(len)?)
    }

    /// The little-endian word at `addr`, any alignment.
    #[inline(always)]
    pub fn word(&self, addr: u32) -> Option<u32> {
        let a = addr as usize;
        let chunk = self.bytes.get(a..a + 4)?;
        Some(u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]))
    }

    /// The little-endian halfword at `addr`, any alignment.
    #[inline(always)]
    pub fn half(&self, addr: u32) -> Option<u16> {
        let a = addr as usize;
        let chunk = self.bytes.get(a..a + 2)?;
        Some(u16::from_le_bytes([chunk[0], chunk[1]]))
    }

    /// The byte at `addr`.
    #[inline(always)]
    pub fn byte(&self, addr: u32) -> Option<u8> {
        self.bytes.get(addr as usize).copied()
    }

    /// Stores `N` bytes for the core. True if decoded code may have been hit, so
    /// that the core must look before the next instruction.
    #[inline(always)]
    pub(super) fn store<const N: usize>(&mut self, addr: u32, value: [u8; N]) -> Option<bool> {
        let a = addr as usize;
        self.bytes.get_mut(a..a + N)?.copy_from_slice(&value);
        Some(self.note_store(addr, N as u32))
    }

    /// As [`Memory::store`], but only outside decoded code; false, and nothing is
    /// written, otherwise.
    #[inline(always)]
    pub(super) fn store_data<const N: usize>(&mut self, addr: u32, value: [u8; N]) -> bool {
        if self.is_code(addr, N as u32) {
            return false;
        }
        let a = addr as usize;
        match self.bytes.get_mut(a..a + N) {
            Some(bytes) => {
                bytes.copy_from_slice(&value);
                true
            }
            None => false,
        }
    }

    /// `count` consecutive words outside decoded code.
    #[inline(always)]
    pub(super) fn block_data_mut(&mut self, addr: u32, count: u32) -> Option<&mut [u8]> {
        if self.is_code(addr, 4 * count) {
            return None;
        }
        let a = addr as usize;
        self.bytes.get_mut(a..a + 4 * count as usize)
    }

    /// `count` consecutive words for a block transfer of the core.
    #[inline]
    pub(super) fn block(&self, addr: u32, count: u32) -> Option<&[u8]> {
        let a = addr as usize;
        self.bytes.get(a..a + 4 * count as usize)
    }

    /// As [`Memory::block`], writable, and whether decoded code may be hit.
    #[inline]
    pub(super) fn block_mut(&mut self, addr: u32, count: u32) -> Option<(&mut [u8], bool)> {
        let a = addr as usize;
        let hit = self.note_store(addr, 4 * count);
        Some((self.bytes.get_mut(a..a + 4 * count as usize)?, hit))
    }

    /// Notes a write to decoded code.
    #[inline(always)]
    fn note_store(&mut self, addr: u32, len: u32) -> bool {
        let hit = self.is_code(addr, len);
        if hit {
            self.dirty = join(&self.dirty, &(addr..addr.saturating_add(len)));
        }
        hit
    }

    /// The larger part of SRAM beside decoded code: first address, a multiple of 4, and
    /// size.
    #[inline]
    pub(super) fn data_window(&self) -> (u32, u32) {
        let size = self.bytes.len() as u32;
        let above = self.code.end.saturating_add(3) & !3;
        let (above_bytes, below_bytes) = (size.saturating_sub(above), self.code.start & !3);
        if above_bytes >= below_bytes {
            (above, above_bytes)
        } else {
            (0, below_bytes)
        }
    }

    /// All bytes, for translated code, which stores only to [`Memory::data_window`].
    #[inline]
    pub(crate) fn bytes_for_translated(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// True if all of these addresses are inside.
    #[inline(always)]
    pub(super) fn contains(&self, addr: u32, len: u32) -> bool {
        u64::from(addr) + u64::from(len) <= self.bytes.len() as u64
    }

    /// True if instructions were decoded from around these addresses.
    #[inline(always)]
    pub(super) fn is_code(&self, addr: u32, len: u32) -> bool {
        addr < self.code.end && addr.saturating_add(len) > self.code.start
    }

    /// The core has decoded an instruction here.
    pub(super) fn note_code(&mut self, range: Range<u32>) {
        self.code = join(&self.code, &range);
    }

    /// Outside writes to code since the last call.
    #[inline]
    pub(super) fn take_dirty(&mut self) -> Option<Range<u32>> {
        if self.dirty.is_empty() {
            return None;
        }
        Some(std::mem::replace(&mut self.dirty, 0..0))
    }
}

/// The smallest range that holds both.
fn join(a: &Range<u32>, b: &Range<u32>) -> Range<u32> {
    if a.is_empty() {
        b.clone()
    } else if b.is_empty() {
        a.clone()
    } else {
        a.start.min(b.start)..a.end.max(b.end)
    }
}
