//! Cycles per unit of kernels whose cost the design depends on.

mod thumb_support;

use codegen::kernels::{
    Addressing, ConvRow, DenseRow, FireOps, Kernel, MembraneOp, Operand, Output, Pair, ResetOp,
    RowKernel, Send, SparseRow, SynapseOps, Update,
};
use codegen::thumb::cost::{CycleRules, straight_line};
use codegen::thumb::inst::Inst;
use codegen::thumb::{self, LineKind, MachineFunction, Options};
use ir::semantics::{Compare, SpikeOn};
use ir::{DType, Target};
use thumb_support::compile;

/// Cycles of one iteration of the function's largest loop, back edge taken, no
/// other branch taken.
fn iteration(function: &MachineFunction) -> u32 {
    let rules = CycleRules::default();
    let (from, to) = function
        .loops()
        .into_iter()
        .max_by_key(|(from, to)| to - from)
        .unwrap_or_else(|| panic!("{} has no loop", function.name));
    straight_line(function.lines(from, to), &rules) + rules.refill
}

/// The same for a kernel, whose loops end in a conditional branch; jumps from
/// cold blocks back into the loop do not.
fn kernel_iteration(function: &MachineFunction) -> u32 {
    let rules = CycleRules::default();
    let ends_conditionally = |&(_, to): &(u32, u32)| {
        let last = function.listing.iter().rfind(|line| line.offset < to);
        last.is_some_and(|l| matches!(l.kind, LineKind::Inst(Inst::BCond { .. }, _)))
    };
    let (from, to) = function
        .loops()
        .into_iter()
        .filter(ends_conditionally)
        .max_by_key(|(from, to)| to - from)
        .unwrap_or_else(|| panic!("{} has no loop", function.name));
    straight_line(function.lines(from, to), &rules) + rules.refill
}

fn check(clif: &str, units: u32, most: f64) {
    let function = compile(clif, &Options::default()).remove(0);
    let cycles = iteration(&function);
    pin(&function, cycles, units, most);
}

fn compile_kernel(kernel: &Kernel) -> MachineFunction {
    let function = thumb::compile(
        kernel.function.clone(),
        &kernel.symbols,
        &Options::default(),
    );
    function.expect("the kernel compiles")
}

fn check_kernel(what: &str, kernel: &Kernel, units: u32, most: f64) {
    let function = compile_kernel(kernel);
    let cycles = kernel_iteration(&function);
    print!("{what}, {} bytes: ", function.code.len());
    pin(&function, cycles, units, most);
}

fn pin(function: &MachineFunction, cycles: u32, units: u32, most: f64) {
    let per_unit = f64::from(cycles) / f64::from(units);
    println!(
        "{}: {cycles} cycles per {units} units = {per_unit:.2}, {} spills",
        function.name, function.frame.spill_slots
    );
    assert!(
        per_unit <= most,
        "{per_unit:.2} > {most}\n{}",
        function.disassembly()
    );
}

/// Leaky integrate-and-fire, 8 neurons an iteration, int16 accumulators cleared,
/// the spike in a cold block per neuron.
fn lif(n: usize) -> String {
    let mut o = String::from(
        "function %lif(i32, i32, i32, f32, f32) { fn0 = %send(i32) preserve_all
         block0(v0: i32, v1: i32, v2: i32, v3: f32, v4: f32): jump block1(v0, v1, v2)
         block1(v5: i32, v6: i32, v7: i32): v18 = iconst.i32 16 v50 = iconst.i32 0\n",
    );
    for i in 0..n {
        o += &format!("v{} = load.f32 v5+{}\n", 100 + i, 4 * i);
    }
    for i in 0..n / 2 {
        o += &format!("v{} = load.i32 v6+{}\n", 200 + i, 4 * i);
    }
    for i in 0..n / 2 {
        o += &format!(
            "v{} = ireduce.i16 v{} v{} = fcvt_from_sint.f32 v{}\n",
            210 + 2 * i,
            200 + i,
            300 + 2 * i,
            210 + 2 * i
        );
        o += &format!(
            "v{} = sshr v{}, v18 v{} = fcvt_from_sint.f32 v{}\n",
            211 + 2 * i,
            200 + i,
            301 + 2 * i,
            211 + 2 * i
        );
        o += &format!("store v50, v6+{}\n", 4 * i);
    }
    for i in 0..n {
        o += &format!(
            "v{} = fmul v{}, v3 v{} = fadd v{}, v{}\n",
            400 + i,
            100 + i,
            500 + i,
            400 + i,
            300 + i
        );
    }
    o += "jump block10\n";
    for i in 0..n {
        o += &format!(
            "block{}: v{} = fcmp gt v{}, v4 brif v{}, block{}, block{}(v{})\n",
            10 + 2 * i,
            600 + i,
            500 + i,
            600 + i,
            11 + 2 * i,
            30 + i,
            500 + i
        );
        o += &format!(
            "block{} cold: v{} = iconst.i32 {i} v{} = iadd v7, v{} call fn0(v{}) v{} = f32const 0.0 jump block{}(v{})\n",
            11 + 2 * i,
            720 + i,
            730 + i,
            720 + i,
            730 + i,
            700 + i,
            30 + i,
            700 + i
        );
        o += &format!("block{}(v{}: f32):\n", 30 + i, 800 + i);
        if i + 1 < n {
            o += &format!("jump block{}\n", 12 + 2 * i);
        }
    }
    for i in 0..n {
        o += &format!("store v{}, v5+{}\n", 800 + i, 4 * i);
    }
    o += &format!(
        "v51 = iconst.i32 {} v52 = iadd v5, v51 v53 = iconst.i32 {} v54 = iadd v6, v53 v55 = iconst.i32 -{n} v56 = iadd v7, v55
         brif v56, block1(v52, v54, v56), block99
         block99: return }}", 4 * n, 2 * n
    );
    o
}

/// Dense int16 streaming: 16 targets an iteration in two halves.
fn dense() -> String {
    let mut o = String::from(
        "function %dense(i32, i32, i32) { fn0 = %s2_sxtab16(i32, i32) -> i32 fn1 = %s2_sxtab16_ror8(i32, i32) -> i32
         block0(v0: i32, v1: i32, v2: i32): jump block1(v0, v1, v2)
         block1(v3: i32, v4: i32, v5: i32):\n",
    );
    for half in 0..2 {
        for w in 0..2 {
            o += &format!(
                "v{} = load.i32 v4+{}\n",
                100 + half * 2 + w,
                4 * (half * 2 + w)
            );
        }
        for a in 0..4 {
            o += &format!(
                "v{} = load.i32 v3+{}\n",
                200 + half * 4 + a,
                4 * (half * 4 + a)
            );
        }
        for a in 0..4 {
            o += &format!(
                "v{} = call fn{}(v{}, v{})\n",
                300 + half * 4 + a,
                a % 2,
                200 + half * 4 + a,
                100 + half * 2 + a / 2
            );
        }
        for a in 0..4 {
            o += &format!("store v{}, v3+{}\n", 300 + half * 4 + a, 4 * (half * 4 + a));
        }
    }
    o += "v20 = iconst.i32 32 v21 = iadd v3, v20 v22 = iconst.i32 16 v23 = iadd v4, v22 v24 = iconst.i32 -1 v25 = iadd v5, v24
          brif v25, block1(v21, v23, v25), block2
          block2: return }";
    o
}

/// Row-blocked dense: 16 accumulators stay in registers, one row an iteration.
fn blocked(rows: usize) -> String {
    let mut o = String::from(
        "function %blocked(i32, i32, i32) { fn0 = %s2_sxtab16(i32, i32) -> i32 fn1 = %s2_sxtab16_ror8(i32, i32) -> i32
         block0(v0: i32, v1: i32, v2: i32): v9 = iconst.i32 0 jump block1(v1, v2, v9, v9, v9, v9, v9, v9, v9, v9)
         block1(v3: i32, v4: i32, v10: i32, v11: i32, v12: i32, v13: i32, v14: i32, v15: i32, v16: i32, v17: i32):\n",
    );
    let mut acc: Vec<usize> = (10..18).collect();
    for row in 0..rows {
        let base = 1000 * (row + 1);
        o += &format!("v{base} = load.i32 v3+{}\n", 4 * row);
        for w in 0..4 {
            o += &format!("v{} = load.i32 v{base}+{}\n", base + 1 + w, 64 + 4 * w);
        }
        for (a, old) in acc.iter_mut().enumerate() {
            let new = base + 10 + a;
            o += &format!("v{new} = call fn{}(v{old}, v{})\n", a % 2, base + 1 + a / 2);
            *old = new;
        }
    }
    let list = acc
        .iter()
        .map(|a| format!("v{a}"))
        .collect::<Vec<_>>()
        .join(", ");
    o += &format!(
        "v20 = iconst.i32 {} v21 = iadd v3, v20 v24 = iconst.i32 -{rows} v25 = iadd v4, v24
         brif v25, block1(v21, v25, {list}), block2
         block2:\n",
        4 * rows
    );
    for (i, a) in acc.iter().enumerate() {
        o += &format!("store v{a}, v0+{}\n", 4 * i);
    }
    o + "return }"
}

#[test]
fn lif_float_8() {
    check(&lif(8), 8, 12.6);
}

#[test]
fn dense_int16_streaming_16() {
    check(&dense(), 16, 2.4);
}

#[test]
fn dense_int16_row_blocked() {
    check(&blocked(2), 32, 1.25);
}

fn row(weight: DType, sink: DType, make: impl Fn(Pair) -> RowKernel) -> Kernel {
    let pair = Pair::new(weight, sink).expect("a known pair");
    make(pair).kernel(Addressing::Guest)
}

#[test]
fn dense_rows() {
    let dense = |w, s| row(w, s, |p| RowKernel::Dense(DenseRow::new(p, 128)));
    check_kernel("row", &dense(DType::I8, DType::I16), 32, 2.1);
    check_kernel("row", &dense(DType::I8, DType::I32), 32, 3.7);
    check_kernel("row", &dense(DType::I16, DType::I32), 32, 4.1);
    check_kernel("row", &dense(DType::I8, DType::F32), 16, 9.0);
}

#[test]
fn sparse_rows() {
    let sparse = |w, s| row(w, s, |p| RowKernel::Sparse(SparseRow::new(p)));
    check_kernel("row", &sparse(DType::I8, DType::I16), 16, 5.7);
    check_kernel("row", &sparse(DType::I16, DType::I32), 16, 6.2);
    check_kernel("row", &sparse(DType::I32, DType::I32), 16, 7.2);
    check_kernel("row", &sparse(DType::I16, DType::F32), 16, 16.0);
}

/// One tap is a block of channels.
#[test]
fn convolution_taps() {
    let conv = |w, s, c| row(w, s, |p| RowKernel::Conv(ConvRow::new(p, c)));
    check_kernel("tap", &conv(DType::I8, DType::I16, 16), 16, 2.4);
    check_kernel("tap", &conv(DType::I8, DType::I16, 4), 4, 6.0);
    check_kernel("tap", &conv(DType::I8, DType::I32, 16), 16, 5.0);
    check_kernel("tap", &conv(DType::I16, DType::I32, 16), 16, 5.0);
    check_kernel("tap", &conv(DType::I8, DType::I16, 3), 3, 12.0);
}

/// The way of the scan through an iteration without input: the branch over each
/// group's update is taken. Other branches in the loop lead to cold blocks behind it.
fn check_scan(what: &str, update: &Update, most: f64) {
    let function = compile_kernel(&update.kernel(Addressing::Guest));
    let rules = CycleRules::default();
    let forward: Vec<(u32, u32)> = function
        .listing
        .iter()
        .filter_map(|line| match line.kind {
            LineKind::Inst(Inst::BCond { offset, .. }, _) if offset > 0 => {
                Some((line.offset, line.offset.wrapping_add_signed(offset + 4)))
            }
            _ => None,
        })
        .collect();
    let (first, _) = forward.first().expect("a branch over the update");
    let around = |&(from, to): &(u32, u32)| from <= *first && first < &to;
    let loops = function.loops().into_iter().filter(around);
    let (from, to) = loops.min_by_key(|(from, to)| to - from).expect("a loop");
    let (mut at, mut cycles, mut groups) = (from, 0, 0);
    for (branch, target) in forward {
        if branch < at || target >= to {
            continue;
        }
        let end = function.listing.iter().find(|l| l.offset > branch);
        let end = end.map_or(branch, |l| l.offset);
        cycles += straight_line(function.lines(at, end), &rules) + rules.refill;
        at = target;
        groups += 1;
    }
    cycles += straight_line(function.lines(at, to), &rules) + rules.refill;
    print!("{what}, {} bytes: ", function.code.len());
    pin(&function, cycles, 8 * groups, most);
}

fn plain() -> Update {
    let fire = FireOps {
        threshold: Operand::Const(1.0),
        compare: Compare::Gt,
        judge: SpikeOn::New,
        reset: ResetOp::To(Operand::Const(0.0)),
        hold: false,
        floor: None,
        pending: None,
        counts: false,
    };
    Update {
        atoms: 128,
        v: Some(0x5000),
        sums: Some(DType::I16),
        currents: None,
        synapse: None,
        membrane: MembraneOp::Leaky(Operand::Const(0.9)),
        offset: None,
        output: Output::Spikes(fire),
        key: 0x1_0000,
        send: Send::of(&Target::spinnaker2().comms),
        record_control: None,
        rests: false,
        touched: None,
    }
}

#[test]
fn updates() {
    let check = |what: &str, update: &Update, most: f64| {
        check_kernel(what, &update.kernel(Addressing::Guest), 8, most);
    };
    let lif = plain();
    let synapse = SynapseOps {
        i: 0x6000,
        decay: Operand::Const(0.8),
        after: false,
        offset: None,
    };
    let Output::Spikes(fire) = lif.output else {
        panic!("it spikes");
    };
    check("LIF", &lif, 11.9);
    let arrays = Update {
        offset: Some(Operand::Array(0x7000)),
        output: Output::Spikes(FireOps {
            threshold: Operand::Array(0x8000),
            ..fire
        }),
        ..lif.clone()
    };
    check("LIF, offset and threshold in arrays", &arrays, 18.0);
    let scan = |sums| Update {
        sums: Some(sums),
        membrane: MembraneOp::Integrate,
        rests: true,
        touched: None,
        ..lif.clone()
    };
    check_scan("IF without input", &scan(DType::I16), 1.9);
    check_scan("IF without input, int32 sums", &scan(DType::I32), 3.0);
    let cuba = Update {
        synapse: Some(synapse),
        ..lif.clone()
    };
    check("CubaLIF", &cuba, 19.0);
    let held = Update {
        output: Output::Spikes(FireOps {
            hold: true,
            pending: Some(0x9000),
            ..fire
        }),
        ..cuba.clone()
    };
    check("CubaLIF with hold", &held, 28.0);
    let pending = Update {
        output: Output::Spikes(FireOps {
            reset: ResetOp::Pending(Operand::Const(1.0)),
            pending: Some(0x9000),
            ..fire
        }),
        ..lif.clone()
    };
    check("LIF, pending subtract", &pending, 18.0);
    let readout = Update {
        output: Output::Values(Operand::Const(0.01)),
        ..lif
    };
    check("LI that sends values", &readout, 28.0);
}
