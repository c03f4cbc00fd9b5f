//! What a pass needs and what it leaves behind, in facts.

use ir::facts::{Fact, FactSet};

/// The facts around one pass. The plan checks them before anything runs and
/// the manager books them after each pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Must hold before.
    pub requires: FactSet,
    /// Must not hold before: the pass consumes its input and can't run twice.
    pub excludes: FactSet,
    /// Hold afterwards.
    pub establishes: FactSet,
    /// Hold no longer; their tables are emptied before the pass runs.
    pub destroys: FactSet,
}

impl Contract {
    pub const fn requires(facts: &[Fact]) -> Self {
        Self {
            requires: FactSet::of(facts),
            excludes: FactSet::EMPTY,
            establishes: FactSet::EMPTY,
            destroys: FactSet::EMPTY,
        }
    }
    #[must_use]
    pub const fn excludes(self, facts: &[Fact]) -> Self {
        Self {
            excludes: FactSet::of(facts),
            ..self
        }
    }
    #[must_use]
    pub const fn establishes(self, facts: &[Fact]) -> Self {
        Self {
            establishes: FactSet::of(facts),
            ..self
        }
    }
    #[must_use]
    pub const fn destroys(self, facts: &[Fact]) -> Self {
        Self {
            destroys: FactSet::of(facts),
            ..self
        }
    }
    /// The facts after the pass.
    pub fn after(self, before: FactSet) -> FactSet {
        before.without(self.destroys).with(self.establishes)
    }
}

/// Everything that hangs on the partition: a pass that changes the application
/// graph or cuts it anew destroys these.
pub const MAPPED: &[Fact] = &[
    Fact::Partitioned,
    Fact::Placed,
    Fact::Keyed,
    Fact::Routed,
    Fact::Tabled,
    Fact::Compressed,
    Fact::Selected,
    Fact::LaidOut,
];
