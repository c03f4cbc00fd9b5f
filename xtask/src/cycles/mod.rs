//! Cycles of kernels, each alone on the emulated core, and of the same work in
//! plain C as `arm-none-eabi-gcc` compiles it.
//!
//! A bench is one or more calls of a kernel on memory that it finds as it would on
//! the chip. What is counted is the call: from the BL to the instruction behind it,
//! so loop, entry and exit are in the figures.

mod conv;
mod dense;
mod fixed;
mod gcc;
mod mac;
mod neurons;
mod report;
mod sparse;

pub use gcc::{Level, Twin};
pub use report::{Row, json, table};

use codegen::thumb::{Assembler, Inst, MachineFunction, Reg};
use std::ops::Range;
use tests::bare;

/// One call on given memory.
#[derive(Clone, Debug)]
pub struct Call {
    pub args: Vec<u32>,
    pub data: Vec<u8>,
}

/// Work whose cost is known as cycles per unit.
#[derive(Clone, Debug)]
pub struct Bench {
    pub name: String,
    pub unit: &'static str,
    /// Units of all calls together.
    pub units: f64,
    pub target: Option<f64>,
    /// The first is called.
    pub functions: Vec<MachineFunction>,
    pub calls: Vec<Call>,
    /// Taken off the calls' cycles, where a difference is asked for.
    pub without: Option<Call>,
    /// The same in C. Its calls are those of the bench unless its memory differs.
    pub twin: Option<Twin>,
    /// What a call writes; C must leave the same there.
    pub output: Range<u32>,
}

impl Bench {
    /// Cycles of all calls, less those of `without` each time.
    pub fn cycles(&self) -> i64 {
        cycles(&self.functions, &self.calls, self.without.as_ref())
    }

    pub fn bytes(&self) -> u32 {
        self.functions.iter().map(|f| f.code.len() as u32).sum()
    }

    pub fn measure(&self) -> Row {
        let per_unit = |cycles: i64| cycles as f64 / self.units;
        let gcc = |level| {
            let function = self.twin.as_ref()?.compile(level)?;
            let (calls, without) = self.twin_calls();
            Some(per_unit(cycles(&[function], calls, without)))
        };
        Row {
            kernel: self.name.clone(),
            unit: self.unit,
            cycles_per_unit: per_unit(self.cycles()),
            bytes: self.bytes(),
            target: self.target,
            gcc_o3: gcc(Level::O3),
            gcc_o3_unroll: gcc(Level::Unroll),
            difference: self.without.is_some(),
        }
    }

    /// The calls of the twin, and the one that is taken off.
    pub fn twin_calls(&self) -> (&[Call], Option<&Call>) {
        match self.twin.as_ref().and_then(|t| t.calls.as_deref()) {
            Some(own) => (own, None),
            None => (&self.calls, self.without.as_ref()),
        }
    }

    pub fn disassembly(&self) -> String {
        let each = self
            .functions
            .iter()
            .map(|f| format!("{} ({})\n{}\n", self.name, f.name, f.disassembly()));
        each.collect()
    }
}

/// All benches whose name contains `filter`.
pub fn benches(filter: &str) -> Vec<Bench> {
    let makers = [
        dense::benches,
        conv::benches,
        sparse::benches,
        neurons::benches,
        fixed::benches,
    ];
    let all = makers.iter().flat_map(|make| make());
    all.filter(|b| b.name.contains(filter)).collect()
}

/// What is known of all kernels whose name contains `filter`: the benches, then those that
/// need the devices of a PE.
pub fn rows(filter: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = benches(filter).iter().map(Bench::measure).collect();
    if "mac_256x256".contains(filter) {
        rows.push(mac::row());
    }
    rows
}

/// An empty function costs its call and its return, both taken branches.
const EMPTY: u64 = 6;

fn cycles(functions: &[MachineFunction], calls: &[Call], without: Option<&Call>) -> i64 {
    let of = |call: &Call| call_cycles(functions, call) as i64;
    let base = without.map_or(0, of);
    calls.iter().map(|call| of(call) - base).sum()
}

/// Cycles from the BL that calls the first function to its return.
pub fn call_cycles(functions: &[MachineFunction], call: &Call) -> u64 {
    let run = |functions: &[MachineFunction]| {
        bare::emulate(&bare::link(functions, &call.args, &call.data)).cycles
    };
    run(functions) + EMPTY - run(&[empty()])
}

fn empty() -> MachineFunction {
    let mut a = Assembler::new("empty");
    a.inst(Inst::Bx { rm: Reg::LR });
    a.finish().expect("one instruction")
}
