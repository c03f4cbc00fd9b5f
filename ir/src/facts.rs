//! Facts: what holds of a module. Passes establish, require and destroy them.

use std::fmt;

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident $text:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fact { $($(#[$doc])* $name,)* }
        impl Fact {
            pub const ALL: &'static [Fact] = &[$(Fact::$name,)*];
            pub fn name(self) -> &'static str {
                match self { $(Fact::$name => $text,)* }
            }
            pub fn from_name(name: &str) -> Option<Fact> {
                Self::ALL.iter().copied().find(|f| f.name() == name)
            }
        }
    };
}

facts! {
    /// Every node of the network has input and output shapes that agree along edges.
    Shaped "shaped";
    /// Only populations and projections are left.
    Canonical "canonical";
    /// Neuron parameters are per-step factors, delays whole ticks.
    Discrete "discrete";
    /// Every population has a latency; every projection a delay that keeps the graph step-exact.
    Balanced "balanced";
    /// Weights are integers; neuron parameters are in the scaled unit of each neuron.
    Quantised "quantised";
    /// Populations are cut into vertices that each fit one PE; nets join them.
    Partitioned "partitioned";
    /// Every vertex has a PE of its own.
    Placed "placed";
    /// Every net has a key and mask; ranges do not overlap.
    Keyed "keyed";
    /// Every net has a routing tree that reaches exactly its sinks.
    Routed "routed";
    /// Every chip has a table that sends each key where its tree says.
    Tabled "tabled";
    /// Tables were minimised without changing what they do.
    Compressed "compressed";
    /// Every vertex has its kernels: which projections its MAC array multiplies.
    Selected "selected";
    /// Every vertex has addresses for its code, data and rows.
    LaidOut "laid_out";
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of facts.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct FactSet(u16);

impl FactSet {
    pub const EMPTY: FactSet = FactSet(0);
    pub const fn of(facts: &[Fact]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < facts.len() {
            bits |= 1 << facts[i] as u16;
            i += 1;
        }
        Self(bits)
    }
    pub fn contains(self, fact: Fact) -> bool {
        self.0 & (1 << fact as u16) != 0
    }
    pub fn contains_all(self, other: FactSet) -> bool {
        other.0 & !self.0 == 0
    }
    #[must_use]
    pub fn with(self, other: FactSet) -> Self {
        Self(self.0 | other.0)
    }
    #[must_use]
    pub fn without(self, other: FactSet) -> Self {
        Self(self.0 & !other.0)
    }
    pub fn iter(self) -> impl Iterator<Item = Fact> {
        Fact::ALL.iter().copied().filter(move |f| self.contains(*f))
    }
}

impl fmt::Display for FactSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Fact::name).collect();
        f.write_str(&names.join(" "))
    }
}
impl fmt::Debug for FactSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}
