//! Translations that cores share.

use super::super::code::Code;
use super::super::core::Core;
use super::super::memory::Memory;
use super::discover::Discovery;
use super::emit::{Frame, emit};
use super::plan::Plan;
use super::{Engine, MAX_BUDGET, Region, Wanted};
use crate::host::RegionCompiler;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Guest instructions in all regions together; beyond this nothing more is translated.
const MAX_INSTRUCTIONS: usize = 1 << 20;
/// Instructions below which a region without a loop is not worth going in and out.
const LEAST_INSTRUCTIONS: usize = 4;

/// The translations of any number of cores. A clone is the same set.
#[derive(Clone, Debug, Default)]
pub struct Translations {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Made when it is first needed; `None` if the host can't run translated code.
    compiler: OnceLock<Option<RegionCompiler>>,
    regions: Mutex<Regions>,
}

#[derive(Debug, Default)]
struct Regions {
    by_start: BTreeMap<Start, Vec<Arc<Region>>>,
    instructions: usize,
    /// Regions that could not be compiled, which is a bug.
    failed: usize,
    /// What is being compiled, by place and code.
    busy: BTreeSet<(Start, u64)>,
}

/// What became of a wish.
pub(super) enum Answer {
    Region(Arc<Region>),
    /// There can be none.
    Never,
    /// Another thread makes one.
    Soon,
}

/// What the cores that share a region have in common, beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Start {
    pc: u32,
    met: u64,
    exact: bool,
    fpu: bool,
    memory_bytes: usize,
}

impl Translations {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of regions, of guest instructions in them, and of regions that the host's
    /// compiler refused.
    pub fn size(&self) -> (usize, usize, usize) {
        let regions = self.regions();
        let count = regions.by_start.values().map(Vec::len).sum();
        (count, regions.instructions, regions.failed)
    }

    /// A region that begins where it is wanted, and holds what `core` executes now.
    pub(super) fn get(
        &self,
        core: &mut Core,
        wanted: Wanted,
        code: &mut Code,
        memory: &mut Memory,
    ) -> Answer {
        let Wanted { pc, exact, fpu, .. } = wanted;
        let feels = code.at(pc).map_or(0, |slot| slot.feels);
        let start = Start {
            pc,
            met: wanted.met & feels,
            exact,
            fpu,
            memory_bytes: memory.size(),
        };
        let (now, costs, ports) = (core.pc, core.costs.clone(), core.ports);
        let found = |regions: &Regions| {
            let same = regions.by_start.get(&start)?;
            let alike = |r: &Region| r.costs == costs && r.ports == ports;
            let fits = |r: &&Arc<Region>| r.holds(now) && alike(r) && r.fits(memory);
            same.iter().find(fits).cloned()
        };
        let mark = (start, fingerprint(memory, pc));
        {
            let mut regions = self.regions();
            if let Some(region) = found(&regions) {
                return Answer::Region(region);
            }
            if regions.instructions >= MAX_INSTRUCTIONS {
                return Answer::Never;
            }
            if !regions.busy.insert(mark) {
                return Answer::Soon;
            }
        }
        let made = self.make(core, wanted, start, code, memory);
        let mut regions = self.regions();
        regions.busy.remove(&mark);
        match made {
            Some((region, instructions)) => {
                regions.instructions += instructions;
                let same = regions.by_start.entry(start).or_default();
                same.push(Arc::clone(&region));
                Answer::Region(region)
            }
            None => Answer::Never,
        }
    }

    fn regions(&self) -> MutexGuard<'_, Regions> {
        let regions = self.shared.regions.lock();
        regions.unwrap_or_else(PoisonError::into_inner)
    }

    /// A new region and the number of its instructions.
    fn make(
        &self,
        core: &mut Core,
        wanted: Wanted,
        start: Start,
        code: &mut Code,
        memory: &mut Memory,
    ) -> Option<(Arc<Region>, usize)> {
        let compiler = self
            .shared
            .compiler
            .get_or_init(|| RegionCompiler::new().ok());
        let compiler = compiler.as_ref()?;
        let plan = Discovery::new(core, code, memory, wanted).plan(start.met)?;
        if !countable(&plan) || (core.engine == Engine::Auto && !worthwhile(&plan)) {
            return None;
        }
        let bytes = bytes_of(&plan, memory)?;
        let frame = Frame {
            memory_bytes: u32::try_from(start.memory_bytes).ok()?,
            signatures: [compiler.signature(), compiler.step_signature()],
            config: compiler.frontend_config(),
            ports: core.ports,
        };
        let (function, exits) = emit(&plan, wanted.exact, &frame);
        let Ok(compiled) = compiler.compile(function, start.memory_bytes) else {
            self.regions().failed += 1;
            return None;
        };
        let region = Arc::new(Region {
            start: wanted.pc,
            exact: wanted.exact,
            code: compiled,
            entries: plan.entries,
            exits,
            bytes,
            costs: core.costs.clone(),
            ports: core.ports,
        });
        Some((region, plan.slots.len()))
    }
}

/// False for a few instructions before one that is left to the interpreter, such as a loop
/// around WFI: going in and out costs more than they do.
fn worthwhile(plan: &Plan) -> bool {
    let instructions: usize = plan.nodes.iter().map(|n| n.items.len()).sum();
    instructions >= LEAST_INSTRUCTIONS || plan.nodes.iter().any(|n| n.header)
}

/// Tells code apart that is at the same address of different cores: if it fails to, one of
/// them waits for nothing.
fn fingerprint(memory: &Memory, pc: u32) -> u64 {
    const BYTES: usize = 1024;
    let rest = memory.size().saturating_sub(pc as usize);
    let mut hasher = DefaultHasher::new();
    hasher.write(memory.read(pc, rest.min(BYTES)).unwrap_or_default());
    hasher.finish()
}

/// True if the counter of instructions can't overflow within a budget of cycles.
fn countable(plan: &Plan) -> bool {
    const { assert!(4 * MAX_BUDGET <= 1 << super::COUNT_BITS) };
    // One more for a node without cycles can't repeat without the others.
    plan.nodes.iter().all(|n| n.count < 4 * n.cycles.max(1))
}

/// The bytes of all instructions, as few pieces as possible.
fn bytes_of(plan: &Plan, memory: &Memory) -> Option<Vec<(u32, Vec<u8>)>> {
    let mut pieces: Vec<(u32, Vec<u8>)> = Vec::new();
    for (&at, slot) in &plan.slots {
        let bytes = memory.read(at, slot.size.into())?;
        match pieces.last_mut() {
            Some((from, piece)) if *from + piece.len() as u32 == at => {
                piece.extend_from_slice(bytes);
            }
            _ => pieces.push((at, bytes.to_vec())),
        }
    }
    Some(pieces)
}
