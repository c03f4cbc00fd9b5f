//! Bytes and cycles of a slice before they are known to fit.

use ir::Target;
use ir::machine_graph::Budget;
use ir::memory::{BudgetLine, RegionKind};

/// A [`Budget`] before it is known to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sizes {
    pub text: u64,
    pub data: u64,
    pub state: u64,
    pub rows: u64,
    pub cycles: u64,
}

impl Sizes {
    /// Books each region on its budget line.
    pub fn sum(regions: &[(RegionKind, u64)], cycles: u64) -> Self {
        let mut sizes = Self {
            cycles,
            ..Self::default()
        };
        for &(kind, bytes) in regions {
            match kind.budget_line() {
                BudgetLine::Text => sizes.text += bytes,
                BudgetLine::Data => sizes.data += bytes,
                BudgetLine::State => sizes.state += bytes,
                BudgetLine::Rows => sizes.rows += bytes,
            }
        }
        sizes
    }
    pub fn bytes(self) -> u64 {
        self.text + self.data + self.state + self.rows
    }
    /// The budget, if its bytes fit the memory of a PE.
    pub fn fit(self, target: &Target) -> Option<Budget> {
        if self.bytes() > u64::from(target.memory.sram_bytes) {
            return None;
        }
        let line = |bytes: u64| u32::try_from(bytes).ok();
        Some(Budget {
            text: line(self.text)?,
            data: line(self.data)?,
            state: line(self.state)?,
            rows: line(self.rows)?,
            cycles: self.cycles,
        })
    }
}
