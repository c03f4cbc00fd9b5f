//! A second opinion on cycles: the instructions that QEMU executed, costed from
//! their text by the rules of the core's manual. It shares nothing with the
//! emulator's table or with the backend's.

use codegen::thumb::{LineKind, MachineFunction, text};
use std::collections::BTreeMap;
use tests::bare;

/// Cycles of a taken branch on top of its own.
const REFILL: u64 = 2;

/// One instruction as text: its name without width or condition, and its operands.
struct Step {
    name: String,
    operands: String,
    size: u32,
}

/// Every instruction of the functions by its address.
pub(crate) struct Listing(BTreeMap<u32, Step>);

impl Listing {
    pub(crate) fn of(functions: &[MachineFunction]) -> Self {
        let places = bare::places(functions);
        let mut all = BTreeMap::new();
        for f in functions {
            let ends = f.listing.iter().skip(1).map(|l| l.offset);
            let ends = ends.chain([f.code.len() as u32]);
            for (line, end) in f.listing.iter().zip(ends) {
                let LineKind::Inst(inst, cond) = &line.kind else {
                    continue;
                };
                let text = text(inst, *cond, line.offset);
                let (name, operands) = text.split_once('\t').unwrap_or((&text, ""));
                let name = name.trim_end_matches(".w").trim_end_matches(".n");
                let step = Step {
                    name: name.to_owned(),
                    operands: operands.to_owned(),
                    size: end - line.offset,
                };
                all.insert(places[&f.name] + line.offset, step);
            }
        }
        Self(all)
    }

    /// Cycles of the call whose instructions are the listed ones of `trace`, the
    /// BL included.
    pub(crate) fn cycles(&self, trace: &[u32]) -> u64 {
        let own: Vec<u32> = trace
            .iter()
            .copied()
            .filter(|pc| self.0.contains_key(pc))
            .collect();
        let mut total = 1 + REFILL;
        let mut before: Option<&Step> = None;
        for (k, pc) in own.iter().enumerate() {
            let step = &self.0[pc];
            // The last one returns.
            let taken = own.get(k + 1) != Some(&(pc + step.size));
            total += step.cycles(before) + if taken { REFILL } else { 0 };
            before = Some(step);
        }
        total
    }
}

impl Step {
    fn is(&self, names: &[&str]) -> bool {
        names.iter().any(|n| self.name.starts_with(n))
    }
    fn is_branch(&self) -> bool {
        let conditions = [
            "b", "bl", "bx", "blx", "cbz", "cbnz", "beq", "bne", "bcs", "bcc", "bhs", "blo", "bmi",
            "bpl", "bvs", "bvc", "bhi", "bls", "bge", "blt", "bgt", "ble",
        ];
        conditions.contains(&self.name.as_str())
    }
    fn is_single_load(&self) -> bool {
        self.is(&["ldr"]) && !self.is(&["ldrd"])
    }
    fn is_single_store(&self) -> bool {
        self.is(&["str"]) && !self.is(&["strd"])
    }
    fn is_many(&self) -> bool {
        self.is(&["ldm", "stm", "push", "pop", "vldm", "vstm", "vpush", "vpop"])
    }
    fn is_memory(&self) -> bool {
        self.is(&["ldr", "str", "vldr", "vstr"]) || self.is_many()
    }
    /// Arithmetic of the FPU, conversions, comparisons and register moves included.
    fn is_float(&self) -> bool {
        let moves_in_or_out = self.name == "vmov" || self.is(&["vmrs", "vmsr"]);
        let constant = self.operands.contains('#') && self.is(&["vmov"]);
        self.name.starts_with('v') && !self.is_memory() && !moves_in_or_out && !constant
    }

    /// The operands outside of lists and addresses.
    fn registers(&self) -> Vec<&str> {
        let all = self.operands.split([',', '[', ']', '{', '}', '!']);
        all.map(str::trim).filter(|r| !r.is_empty()).collect()
    }
    fn first(&self) -> &str {
        self.registers().first().copied().unwrap_or("")
    }

    /// Registers that make the address.
    fn address(&self) -> Vec<&str> {
        let inside = self.operands.split(['[', ']']).nth(1);
        match inside {
            Some(inside) => inside.split(',').map(str::trim).collect(),
            None if self.is(&["push", "pop", "vpush", "vpop"]) => vec!["sp"],
            None => vec![self.first()],
        }
    }

    /// Registers of a list such as `{r4, r5}` or `{s8-s15}`.
    fn listed(&self) -> u64 {
        let list = self.operands.split(['{', '}']).nth(1).unwrap_or("");
        let number = |r: &str| r.trim_start_matches(['s', 'r']).parse::<u64>().ok();
        let count = |part: &str| match part.split_once('-') {
            Some((a, b)) => match (number(a), number(b)) {
                (Some(a), Some(b)) => b - a + 1,
                _ => panic!("a list `{list}`"),
            },
            None => 1,
        };
        list.split(',').map(|p| count(p.trim())).sum()
    }

    fn alone(&self) -> u64 {
        if self.is_many() {
            return 1 + self.listed();
        }
        if self.is(&["vldr", "vstr"]) || self.is_single_load() {
            return 2;
        }
        if self.is_single_store() {
            let plain = self.address().iter().skip(1).all(|o| o.starts_with('#'));
            return if plain { 1 } else { 2 };
        }
        if self.is(&["ldrd", "strd"]) {
            return 3;
        }
        if self.is(&["vdiv", "vsqrt"]) {
            return 14;
        }
        if self.is(&["vmla", "vmls", "vnml", "vfm", "vfnm"]) {
            return 3;
        }
        let known = !self.is(&["sdiv", "udiv", "tbb", "tbh", "wf", "mrs", "msr"]);
        assert!(known, "no rule for {} {}", self.name, self.operands);
        1
    }

    fn cycles(&self, before: Option<&Step>) -> u64 {
        let mut cycles = self.alone();
        let Some(before) = before else { return cycles };
        if before.is_single_load()
            && (self.is_single_load() || self.is_single_store())
            && !self.address().contains(&before.first())
        {
            cycles = (cycles - 1).max(1);
        }
        let computes = !before.is_memory()
            && !before.is_branch()
            && !before.name.starts_with('v')
            && !before.is(&["cmp", "cmn", "tst", "teq", "it"]);
        if computes && self.is_memory() && self.address().contains(&before.first()) {
            cycles += 1;
        }
        if before.is_float() && !before.is(&["vcmp"]) && self.is_float() {
            let registers = self.registers();
            let compares = self.is(&["vcmp"]);
            // Conversions between fixed and floating point work in place.
            let in_place = self.is(&["vcvt"]) && self.operands.contains('#');
            let from = usize::from(!compares && !in_place);
            if registers[from..].contains(&before.first()) {
                cycles += 1;
            }
        }
        cycles
    }
}
