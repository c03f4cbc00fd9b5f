//! What PEs have done outside of themselves, packets aside, for reports.

use crate::mmio::dma::DmaStats;
use crate::mmio::packet::PacketStats;
use ir::Origin;
use ir::code::Code;
use ir::diag::Diagnostic;
use serde::Serialize;

/// Of one PE in one sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Block DMA.
    pub dma: DmaStats,
    /// Loads and stores of the core outside its SRAM.
    pub accesses: u64,
    /// Interrupts from other PEs.
    pub interrupts: u64,
    /// Packets that are not plain multicast.
    pub packets: PacketStats,
}

/// Of one PE over all samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LinkReport {
    pub dma_transfers: u64,
    pub dma_bytes_read: u64,
    pub dma_bytes_written: u64,
    pub dma_refused: u64,
    /// Why the first transfer was refused.
    pub dma_first_refused: Option<String>,
    pub remote_accesses: u64,
    pub interrupts_received: u64,
    /// Packets that are not plain multicast.
    pub parcels_sent: u64,
    pub parcels_received: u64,
    pub parcels_dropped: u64,
    pub parcels_lost: u64,
}

impl LinkReport {
    pub(crate) fn add(&mut self, stats: &LinkStats) {
        self.dma_transfers += stats.dma.transfers;
        self.dma_bytes_read += stats.dma.bytes_read;
        self.dma_bytes_written += stats.dma.bytes_written;
        self.dma_refused += stats.dma.refused;
        if self.dma_first_refused.is_none() {
            self.dma_first_refused = stats.dma.first_refused.map(|why| why.to_string());
        }
        self.remote_accesses += stats.accesses;
        self.interrupts_received += stats.interrupts;
        self.parcels_sent += stats.packets.sent;
        self.parcels_received += stats.packets.received;
        self.parcels_dropped += stats.packets.dropped;
        self.parcels_lost += stats.packets.lost;
    }

    pub(crate) fn warnings(&self, who: &str) -> Vec<Diagnostic> {
        let warn = |code, message| Diagnostic::warning(code, &Origin::Compiler, message);
        let mut all = Vec::new();
        if self.dma_refused > 0 {
            let why = self.dma_first_refused.as_deref().unwrap_or_default();
            let message = format!("{} transfers of {who} were refused", self.dma_refused);
            let warning = warn(Code::TransferRefused, message);
            all.push(warning.note(format!("the first one: {why}")));
        }
        if self.parcels_lost > 0 {
            let message = format!(
                "{} packets of {who} reached nobody: no such PE, memory, route or link",
                self.parcels_lost
            );
            all.push(warn(Code::UnmatchedKey, message));
        }
        if self.parcels_dropped > 0 {
            let message = format!(
                "{who} lost {} packets that no ring takes: their queue was full or not enabled",
                self.parcels_dropped
            );
            all.push(warn(Code::RingOverflow, message));
        }
        all
    }
}
