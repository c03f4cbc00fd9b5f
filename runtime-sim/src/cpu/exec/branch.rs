//! Branches that leave the straight path: exchanges, tables, exception returns.

use super::super::core::Core;
use super::super::fault::{FaultKind, Trap};
use super::super::memory::{Memory, Mmio};
use super::super::op::{LoadKind, Reg};

impl Core {
    /// Branches to a loaded or register value: bit 0 must be set. In handler mode the
    /// top of the address space means exception return.
    #[inline]
    pub(super) fn branch_exchange<M: Mmio + ?Sized>(
        &mut self,
        target: u32,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        if self.ipsr != 0 && target >> 28 == 0xf {
            return self.exception_return(target, memory, mmio);
        }
        if target & 1 == 0 {
            return Err(Trap::at(FaultKind::NotThumb, target));
        }
        self.pc = target & !1;
        Ok(())
    }

    pub(super) fn branch_link_exchange(&mut self, rm: Reg) -> Result<(), Trap> {
        let target = self.get(rm);
        if target & 1 == 0 {
            return Err(Trap::at(FaultKind::NotThumb, target));
        }
        self.regs[14] = self.pc | 1;
        self.pc = target & !1;
        Ok(())
    }

    pub(super) fn table_branch<M: Mmio + ?Sized>(
        &mut self,
        half: bool,
        rn: Reg,
        rm: Reg,
        pc: u32,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        let here = pc.wrapping_add(4);
        let base = if rn == 15 { here } else { self.get(rn) };
        let index = self.get(rm);
        let entry = if half {
            let at = base.wrapping_add(index << 1);
            self.load(LoadKind::H, at, memory, mmio)?
        } else {
            let at = base.wrapping_add(index);
            self.load(LoadKind::B, at, memory, mmio)?
        };
        self.pc = here.wrapping_add(2 * entry);
        Ok(())
    }
}
