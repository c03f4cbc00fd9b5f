//! The textual form of a module, `.s2ir`.
//!
//! One declaration a line, the noun first; `@user` names and `%compiler`
//! names; `#` and `//` start a comment. A reference points backwards: what it
//! names stands on an earlier line.
//!
//! ```text
//! s2ir 1 "digits"
//! target "spinnaker2" chips 1x1 step 1000us
//! dead chip(0,0) pe(1,1,0)
//! semantics dt 0.0001 time-unit s integrator forward-euler …
//! quantisation weights auto scale neuron rounding nearest
//! facts shaped canonical discrete
//! input @in counts 3
//! network "digits"
//! node @fc1 Linear in [784] out [512] { weight = 512x784xf32(…) } origin nir "digits.nir" "/node/nodes/fc1" "Linear 784 -> 512"
//! edge @in -> @fc1
//! ticks_per_step 2
//! population @in spike_source [1 28 28] sends counts 3 latency 0 active 0
//! population @hid lif [128] discrete { decay = 0.9, gain = 1.0, offset = 0.5 from 3 0.25, threshold = blob("hid.threshold", 128xf64, 9c0e…), reset = to 0.0, compare = gt, unit = 0.01 } accumulator i16 latency 1 active 1 record spikes
//! population @map cubalif [8 28 28] discrete { … } order blocked 4 accumulator i16 latency 1 active 1
//! projection @fc1 : @in -> @hid dense blob("fc1.weights", 128x784xi8, 5f3a…) delay 1
//! projection @conv : @in -> @map conv source [1 28 28] target [8 28 28] kernel [3 3] stride [1 1] padding [1 1] dilation [1 1] blob(…) delay 1
//! projection @late : @hid -> @hid sparse starts 129xi32(0 1 …) targets 128xi32(0 1 …) blob(…) delay 6 lag 3
//! output @out = @hid
//! vertex %v1 = @hid[0 +64] text 3072 data 768 state 256 rows 50176 cycles 61000
//! net %n0 = %v0 -> %v1 %v2 via @fc1
//! place %v1 at chip(0,0) pe(1,1,1)
//! key %n0 = 0x00010000/0xfffffc00
//! tree %n0 root chip(0,0) { chip(0,0) -> pe(1,1,1) pe(1,1,2) }
//! entry chip(0,0) 0x00010000/0xfffffc00 -> pe(1,1,1) pe(1,1,2) nets %n0
//! region %v1 rows @fc1 %v0 at 0x00001000 bytes 50176
//! ```
//!
//! # Names
//! `@name` is plain if it consists of ASCII letters, digits, `_` and `.`, and
//! a string in quotes otherwise. A reference to a name that several objects
//! share is written by position, such as `%pop3`.
//!
//! # Arrays
//! `0.9` is a float64 scalar, `f32:0.9` a scalar of another type,
//! `2x3xi8(1 2 3 4 5 6)` an array. Arrays of more than [`INLINE_ELEMENTS`]
//! elements are printed as `blob("label", 2x3xi8, <sha256>)` and handed out as
//! [`Blob`]s; the label is for readers only, the hash decides.
//!
//! # Neurons
//! Fields that are absent: no `decay` integrates (`membrane = fresh` forgets),
//! no `syn_decay` is no synapse, no `threshold` never spikes. `0.5 from 3 0.25`
//! is a constant that changes at network step 3. A line without `sends` sends
//! spikes, one without `order` has its atoms in C order, one without `lag`
//! carries the same step.
//!
//! # Origins
//! A line may end with `origin …`: the passes that rewrote the object, newest
//! first, then where it was written (`nir`, `text`, `file`, `option`,
//! `compiler`). Without the clause an object comes from its line in this text.
//! Passes are known by [`PASSES`]; the printer leaves out others, so
//! `parse(print(m)) == m` holds for every module whose passes are listed.
//!
//! **Invariant:** printing and parsing do no IO; arrays come from a
//! [`BlobSource`].

mod blob;
mod choices;
mod lex;
mod parse;
mod print;

pub use blob::{Blob, BlobSource, NoBlobs};
pub use parse::parse;
pub use print::{PrintOptions, print};

/// The version of the text form that this crate reads and writes.
pub const VERSION: u32 = 1;

/// Arrays of at most this many elements stand in the text itself.
pub const INLINE_ELEMENTS: usize = 64;

/// Every name that [`crate::Origin::Derived`] may carry through text.
pub const PASSES: &[&str] = &[
    "lower",
    "infer-shapes",
    "canonicalise",
    "discretise",
    "balance-delays",
    "calibrate",
    "quantise",
    "choose-kernels",
    "partition",
    "place",
    "allocate-keys",
    "route",
    "build-tables",
    "compress-tables",
    "lay-out-memory",
];

/// Limits of the parser, so that a small hostile text can't claim much memory.
mod limit {
    /// Dimensions of one shape.
    pub(super) const RANK: usize = 32;
    /// Atoms of all shapes that nodes and populations declare.
    pub(super) const ATOMS: usize = 1 << 26;
    /// Elements of all arrays.
    pub(super) const ELEMENTS: usize = 1 << 28;
    /// Passes in one origin.
    pub(super) const DERIVATIONS: usize = 32;
    /// Errors after which parsing stops.
    pub(super) const ERRORS: usize = 20;
}
