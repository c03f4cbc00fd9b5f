//! Exclusive accesses, and loads and stores as an unprivileged program does them.
//!
//! The local monitor holds no address, as the manual allows: a store-exclusive succeeds if
//! a load-exclusive came after the last store-exclusive, CLREX, or exception. There is no
//! global monitor: memory of other PEs is not marked shareable.

use super::super::core::Core;
use super::super::fault::{BusError, FaultKind, Trap};
use super::super::memory::{Memory, Mmio};
use super::super::op::{LoadKind, Reg, StoreKind};

/// The private peripheral bus, which unprivileged accesses do not reach.
const PRIVATE: std::ops::Range<u32> = 0xE000_0000..0xE010_0000;

fn aligned(address: u32, bytes: u32) -> Result<(), Trap> {
    if address.is_multiple_of(bytes) {
        Ok(())
    } else {
        Err(Trap::at(FaultKind::Unaligned, address))
    }
}

impl Core {
    pub(super) fn load_exclusive<M: Mmio + ?Sized>(
        &mut self,
        kind: LoadKind,
        rt: Reg,
        address: u32,
        memory: &Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        let bytes = match kind {
            LoadKind::W => 4,
            LoadKind::H | LoadKind::Sh => 2,
            LoadKind::B | LoadKind::Sb => 1,
        };
        aligned(address, bytes)?;
        let value = self.load(kind, address, memory, mmio)?;
        self.set(rt, value);
        self.exclusive = true;
        Ok(())
    }

    pub(super) fn store_exclusive<M: Mmio + ?Sized>(
        &mut self,
        kind: StoreKind,
        (rd, rt): (Reg, Reg),
        address: u32,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        let bytes = match kind {
            StoreKind::W => 4,
            StoreKind::H => 2,
            StoreKind::B => 1,
        };
        aligned(address, bytes)?;
        if self.exclusive {
            let value = self.get(rt);
            self.store(kind, address, value, memory, mmio)?;
        }
        let failed = !std::mem::take(&mut self.exclusive);
        self.set(rd, failed.into());
        Ok(())
    }

    pub(super) fn load_unprivileged<M: Mmio + ?Sized>(
        &mut self,
        kind: LoadKind,
        rt: Reg,
        address: u32,
        memory: &Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        if PRIVATE.contains(&address) {
            return Err(Trap::at(FaultKind::BusRead(BusError::Privileged), address));
        }
        let value = self.load(kind, address, memory, mmio)?;
        self.set(rt, value);
        Ok(())
    }

    pub(super) fn store_unprivileged<M: Mmio + ?Sized>(
        &mut self,
        kind: StoreKind,
        rt: Reg,
        address: u32,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        if PRIVATE.contains(&address) {
            return Err(Trap::at(FaultKind::BusWrite(BusError::Privileged), address));
        }
        let value = self.get(rt);
        self.store(kind, address, value, memory, mmio)
    }
}
