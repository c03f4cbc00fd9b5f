//! The DRAM of one chip: sparse contents, and the time that transfers take.
//!
//! Each interface serves transfers one after another, in the order in which they are
//! carried out, at its share of the sustained bandwidth; the first data comes a fixed
//! latency after a transfer's turn. Refresh, banks and open rows are not modelled: the
//! efficiency in the target file stands for them.

use crate::remote::RemoteFault;
use ir::Target;
use ir::code::Code;
use ir::diag::{Diagnostic, Result};
use ir::origin::Origin;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a page, the unit in which contents exist.
const PAGE: u32 = 1 << 14;

/// Pages of one chip that the host is asked for at most: a run-away program must not
/// take the host's memory. 1 GB.
const MAX_PAGES: usize = 1 << 16;

/// What the DRAM of one chip has done in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DramStats {
    pub transfers: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
    /// Machine time in which an interface moved data, summed over interfaces.
    pub busy: u64,
    /// Machine time that transfers waited for others.
    pub waited: u64,
}

/// DRAM of one chip. A clone shares pages until one of them is written.
#[derive(Clone, Debug)]
pub struct Dram {
    pages: BTreeMap<u32, Arc<Vec<u8>>>,
    interface_bytes: u32,
    bytes: u32,
    reserved: u32,
    alignment: u32,
    /// By interface: until when it is taken.
    free_at: Vec<u64>,
    /// Machine time of `per` bytes at one interface.
    units: u128,
    per: u128,
    latency: u64,
    stats: DramStats,
}

impl Dram {
    /// Empty DRAM: every byte reads as zero.
    pub fn new(target: &Target) -> Self {
        let d = &target.dram;
        let hz = u128::from(target.clock.pe_high_hz);
        Self {
            pages: BTreeMap::new(),
            interface_bytes: d.bytes / d.interfaces,
            bytes: d.bytes,
            reserved: d.reserved_bytes,
            alignment: d.alignment,
            free_at: vec![0; d.interfaces as usize],
            units: hz * 100 * u128::from(d.interfaces),
            per: u128::from(d.bytes_per_second) * u128::from(d.efficiency_percent),
            latency: (d.latency_ns * target.clock.pe_high_hz).div_ceil(1_000_000_000),
            stats: DramStats::default(),
        }
    }

    /// What a transfer of `len` bytes at `offset` breaks, if it breaks a rule. Loads
    /// and stores of a core, which move less than a unit, need not be `aligned` to it.
    pub fn check(
        &self,
        offset: u32,
        len: u32,
        aligned: bool,
    ) -> std::result::Result<(), RemoteFault> {
        let end = offset.checked_add(len).filter(|&end| end <= self.bytes);
        let Some(end) = end else {
            return Err(RemoteFault::Outside);
        };
        if len == 0 {
            return Err(RemoteFault::Length);
        }
        let unit = if aligned { self.alignment } else { 1 };
        if !offset.is_multiple_of(unit) || !len.is_multiple_of(unit) {
            return Err(RemoteFault::Unaligned);
        }
        if offset / self.interface_bytes != (end - 1) / self.interface_bytes {
            return Err(RemoteFault::CrossesInterface);
        }
        if offset % self.interface_bytes < self.reserved {
            return Err(RemoteFault::Reserved);
        }
        Ok(())
    }

    /// For how long an interface moves `len` bytes.
    pub fn moving(&self, len: u32) -> u64 {
        let len = len.next_multiple_of(self.alignment);
        (u128::from(len) * self.units).div_ceil(self.per) as u64
    }

    /// When a transfer of `len` bytes that is done at `done` had its turn.
    pub fn service(&self, done: u64, len: u32) -> u64 {
        done.saturating_sub(self.latency + self.moving(len))
    }

    /// A transfer takes its turn at `at`: when its last byte has moved. `offset` and
    /// `len` must have passed [`Dram::check`].
    fn reserve(&mut self, at: u64, offset: u32, len: u32) -> u64 {
        let interface = (offset / self.interface_bytes) as usize;
        let moving = self.moving(len);
        let Some(free_at) = self.free_at.get_mut(interface) else {
            return at;
        };
        let from = at.max(*free_at);
        *free_at = from.saturating_add(moving);
        self.stats.transfers += 1;
        self.stats.busy += moving;
        self.stats.waited += from - at;
        free_at.saturating_add(self.latency)
    }

    /// Reads at `at`; gives when the last byte is there.
    pub fn read(&mut self, at: u64, offset: u32, len: u32) -> (u64, Vec<u8>) {
        let done = self.reserve(at, offset, len);
        self.stats.bytes_read += u64::from(len);
        let mut bytes = vec![0; len as usize];
        for (page, within, part) in parts(offset, len) {
            if let Some(page) = self.pages.get(&page)
                && let (Some(to), Some(from)) = (
                    bytes.get_mut(part.clone()),
                    page.get(within..within + part.len()),
                )
            {
                to.copy_from_slice(from);
            }
        }
        (done, bytes)
    }

    /// Writes at `at`; gives when the last byte is stored. An error is the host's: it
    /// has no memory for the contents.
    pub fn write(&mut self, at: u64, offset: u32, bytes: &[u8]) -> Result<u64> {
        let len = bytes.len() as u32;
        let done = self.reserve(at, offset, len);
        self.stats.bytes_written += u64::from(len);
        for (page, within, part) in parts(offset, len) {
            let from = bytes.get(part).unwrap_or_default();
            let page = self.page(page)?;
            if let Some(to) = page.get_mut(within..within + from.len()) {
                to.copy_from_slice(from);
            }
        }
        Ok(done)
    }

    /// The page, as this DRAM's own.
    fn page(&mut self, index: u32) -> Result<&mut Vec<u8>> {
        let known = self.pages.get(&index);
        let shared = known.is_some_and(|page| Arc::strong_count(page) > 1);
        if known.is_none() || shared {
            if known.is_none() && self.pages.len() >= MAX_PAGES {
                return Err(no_memory(&format!(
                    "its contents exceed {MAX_PAGES} pages x {PAGE} B = {} MB",
                    (MAX_PAGES as u64 * u64::from(PAGE)) >> 20
                )));
            }
            let mut page = Vec::new();
            page.try_reserve_exact(PAGE as usize)
                .map_err(|e| no_memory(&e.to_string()))?;
            match known {
                Some(known) => page.extend_from_slice(known),
                None => page.resize(PAGE as usize, 0),
            }
            self.pages.insert(index, Arc::new(page));
        }
        let page = self.pages.get_mut(&index).and_then(Arc::get_mut);
        page.ok_or_else(|| Diagnostic::internal("a DRAM page is shared after its copy").into())
    }

    /// Bytes of pages that exist.
    pub fn resident(&self) -> u64 {
        self.pages.len() as u64 * u64::from(PAGE)
    }

    /// Counts since the last call.
    pub fn take_stats(&mut self) -> DramStats {
        std::mem::take(&mut self.stats)
    }
}

fn no_memory(why: &str) -> ir::diag::Diagnostics {
    Diagnostic::error(
        Code::HostMemory,
        &Origin::Compiler,
        "the host has no memory for what the program wrote to DRAM",
    )
    .note(why.to_owned())
    .help("use less DRAM, fewer --threads, or a larger host")
    .into()
}

/// The pages of `len` bytes at `offset`: page, offset in it, and which of the bytes.
fn parts(offset: u32, len: u32) -> impl Iterator<Item = (u32, usize, std::ops::Range<usize>)> {
    let end = u64::from(offset) + u64::from(len);
    let mut at = u64::from(offset);
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let page = at / u64::from(PAGE);
        let next = ((page + 1) * u64::from(PAGE)).min(end);
        let range = (at - u64::from(offset)) as usize..(next - u64::from(offset)) as usize;
        let part = (page as u32, (at % u64::from(PAGE)) as usize, range);
        at = next;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dram() -> Dram {
        Dram::new(&Target::spinnaker2())
    }

    #[test]
    fn bytes_come_back_and_only_touched_pages_exist() {
        let mut d = dram();
        let bytes: Vec<u8> = (0..40_000u32).map(|i| (i * 7 + i / 256) as u8).collect();
        d.write(0, 0x7fff_0000 - 32, &bytes)
            .expect("there is memory");
        d.write(0, 0x400, &[5; 16]).expect("there is memory");
        assert_eq!(d.read(0, 0x7fff_0000 - 32, 40_000).1, bytes);
        assert_eq!(d.read(0, 0x7fff_0000 - 48, 32).1[..16], [0; 16]);
        assert_eq!(d.read(0, 0x410, 16).1, [0; 16]);
        assert_eq!(d.resident(), 5 * u64::from(PAGE));
        let mut copy = d.clone();
        copy.write(0, 0x400, &[6; 16]).expect("there is memory");
        assert_eq!(
            (d.read(0, 0x400, 1).1, copy.read(0, 0x400, 1).1),
            (vec![5], vec![6])
        );
    }

    #[test]
    fn transfers_share_an_interface_and_not_the_other() {
        let mut d = dram();
        // 6.4 GB/s x 0.7 / 2 = 2.24 GB/s = 112 / 15 bytes a cycle of 300 MHz; 300 ns = 90.
        assert_eq!(d.read(1000, 0x1000, 1120).0, 1000 + 150 + 90);
        assert_eq!(d.read(1010, 0x2000, 1120).0, 1000 + 300 + 90);
        assert_eq!(
            d.write(1010, 0x4000_0400, &[1; 1120]).expect("memory"),
            1010 + 150 + 90
        );
        assert_eq!(d.read(5000, 0x1000, 16).0, 5000 + 3 + 90);
        let stats = d.take_stats();
        assert_eq!((stats.transfers, stats.busy, stats.waited), (4, 453, 140));
        assert_eq!((stats.bytes_read, stats.bytes_written), (2256, 1120));
        assert_eq!(d.take_stats(), DramStats::default());
    }

    #[test]
    fn rules_are_checked() {
        let d = dram();
        let wrong = |offset, len| d.check(offset, len, true).expect_err("against the rules");
        assert_eq!(wrong(0x7fff_fff0, 32), RemoteFault::Outside);
        assert_eq!(wrong(u32::MAX - 15, 32), RemoteFault::Outside);
        assert_eq!(wrong(0x1008, 16), RemoteFault::Unaligned);
        assert_eq!(wrong(0x1000, 20), RemoteFault::Unaligned);
        assert_eq!(wrong(0x3fff_fff0, 32), RemoteFault::CrossesInterface);
        assert_eq!(wrong(0x3f0, 32), RemoteFault::Reserved);
        assert_eq!(wrong(0x4000_03f0, 16), RemoteFault::Reserved);
        assert_eq!(wrong(0x1000, 0), RemoteFault::Length);
        assert_eq!(d.check(0x400, 0x3fff_fc00, true), Ok(()));
        assert_eq!(d.check(0x7fff_fff0, 16, true), Ok(()));
        assert_eq!(d.check(0x7fff_fff3, 2, false), Ok(()));
    }

    #[test]
    fn contents_are_bounded() {
        let mut d = dram();
        let mut refused = None;
        for page in 0..=MAX_PAGES as u32 {
            if page < MAX_PAGES as u32 {
                // Shared contents: the bound counts pages, the test needs no gigabyte.
                d.pages.insert(page, Arc::new(Vec::new()));
            } else {
                refused = d.write(0, page * PAGE, &[1; 16]).err();
            }
        }
        let refused = refused.expect("one page too many");
        assert!(format!("{refused:?}").contains("1024 MB"), "{refused:?}");
    }
}
