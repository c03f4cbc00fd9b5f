//! Every CLIF operation at every width, compiled, run in QEMU, and compared with
//! values computed in Rust.

mod thumb_support;

use codegen::thumb::Options;
use thumb_support::compile;
use thumb_support::qemu::{Call, Outcome, SCRATCH, run};

/// Inputs with their edges; the high bits of narrow values are never clean.
const INTS: [u32; 20] = [
    0,
    1,
    2,
    3,
    7,
    31,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0xffff_ff80,
    0x1234_5678,
    0x9abc_def1,
];

const FLOATS: [f32; 19] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -2.5,
    1.5e-40,
    3.4e38,
    -3.4e38,
    2147483648.0,
    -2147483904.0,
    4294967296.0,
    127.6,
    -129.5,
    65535.9,
    0.1,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

/// What a call must give.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Want {
    Int(u32),
    Float(f32),
    Trap,
}

type Eval = Box<dyn Fn(&[u32; 4], &[u32; 4]) -> Want>;

struct Test {
    clif: String,
    ints: usize,
    floats: usize,
    eval: Eval,
}

#[derive(Default)]
struct Suite {
    tests: Vec<Test>,
}

fn mask(value: u32, bits: u32) -> u32 {
    if bits == 32 {
        value
    } else {
        value & ((1 << bits) - 1)
    }
}

fn sext(value: u32, bits: u32) -> i32 {
    (value << (32 - bits)) as i32 >> (32 - bits)
}

impl Suite {
    fn add(&mut self, clif: String, ints: usize, floats: usize, eval: Eval) {
        self.tests.push(Test {
            clif,
            ints,
            floats,
            eval,
        });
    }

    /// An operation on two integers of a width: operands are reduced from i32, the
    /// result is zero-extended.
    fn binary(&mut self, op: &str, eval: impl Fn(u32, u32, u32) -> Option<u32> + Copy + 'static) {
        for bits in [8, 16, 32] {
            let clif = if bits == 32 {
                format!(
                    "function %f(i32, i32) -> i32 {{ block0(v0: i32, v1: i32): v2 = {op} v0, v1 return v2 }}"
                )
            } else {
                format!(
                    "function %f(i32, i32) -> i32 {{ block0(v0: i32, v1: i32): v2 = ireduce.i{bits} v0 v3 = ireduce.i{bits} v1 \
                     v4 = {op} v2, v3 v5 = uextend.i32 v4 return v5 }}"
                )
            };
            self.add(
                clif,
                2,
                0,
                Box::new(move |i, _| {
                    eval(mask(i[0], bits), mask(i[1], bits), bits)
                        .map_or(Want::Trap, |v| Want::Int(mask(v, bits)))
                }),
            );
        }
    }

    /// The same with a constant second operand.
    fn with_constant(
        &mut self,
        op: &str,
        eval: impl Fn(u32, u32, u32) -> Option<u32> + Copy + 'static,
    ) {
        for bits in [8, 16, 32] {
            for constant in [
                0u32, 1, 3, 5, 7, 24, 0x7f, 0xff, 0x80, 0xfff, 0xfffffff6, 0x12345, 0x00ff00ff,
                0x7fffff, 0xffff,
            ] {
                let signed = sext(constant, bits);
                let (first, last) = if bits == 32 {
                    ("v2 = iadd v0, v0 ".into(), "return v4".to_string())
                } else {
                    (
                        format!("v2 = ireduce.i{bits} v0 "),
                        "v5 = uextend.i32 v4 return v5".to_string(),
                    )
                };
                let clif = format!(
                    "function %f(i32) -> i32 {{ block0(v0: i32): {first} v3 = iconst.i{bits} {signed} v4 = {op} v2, v3 {last} }}"
                );
                self.add(
                    clif,
                    1,
                    0,
                    Box::new(move |i, _| {
                        let x = if bits == 32 {
                            i[0].wrapping_add(i[0])
                        } else {
                            mask(i[0], bits)
                        };
                        eval(x, mask(constant, bits), bits)
                            .map_or(Want::Trap, |v| Want::Int(mask(v, bits)))
                    }),
                );
            }
        }
    }

    fn unary(&mut self, op: &str, widths: &[u32], eval: impl Fn(u32, u32) -> u32 + Copy + 'static) {
        for &bits in widths {
            let clif = if bits == 32 {
                format!("function %f(i32) -> i32 {{ block0(v0: i32): v1 = {op} v0 return v1 }}")
            } else {
                format!(
                    "function %f(i32) -> i32 {{ block0(v0: i32): v1 = ireduce.i{bits} v0 v2 = {op} v1 v3 = uextend.i32 v2 return v3 }}"
                )
            };
            self.add(
                clif,
                1,
                0,
                Box::new(move |i, _| Want::Int(mask(eval(mask(i[0], bits), bits), bits))),
            );
        }
    }

    fn float(
        &mut self,
        op: &str,
        args: usize,
        eval: impl Fn(f32, f32, f32) -> f32 + Copy + 'static,
    ) {
        let params = vec!["f32"; args].join(", ");
        let names: Vec<String> = (0..args).map(|i| format!("v{i}: f32")).collect();
        let uses: Vec<String> = (0..args).map(|i| format!("v{i}")).collect();
        let clif = format!(
            "function %f({params}) -> f32 {{ block0({}): v9 = {op} {} return v9 }}",
            names.join(", "),
            uses.join(", ")
        );
        let f = |v: u32| f32::from_bits(v);
        self.add(
            clif,
            0,
            args,
            Box::new(move |_, x| Want::Float(eval(f(x[0]), f(x[1]), f(x[2])))),
        );
    }

    /// Runs the suite under several option sets.
    fn run(self) {
        let plain = Options {
            optimize: false,
            schedule: false,
            combine: false,
            check_allocation: true,
            ..Options::default()
        };
        let full = Options {
            check_allocation: true,
            ..Options::default()
        };
        for options in [plain, full] {
            self.run_with(&options);
        }
    }

    fn run_with(&self, options: &Options) {
        let mut functions = Vec::new();
        let mut calls = Vec::new();
        let mut wants = Vec::new();
        for (number, test) in self.tests.iter().enumerate() {
            let mut function = compile(&test.clif, options).remove(0);
            function.name = format!("f{number}");
            functions.push(function);
            for (ints, floats) in inputs(test.ints, test.floats) {
                wants.push(((test.eval)(&ints, &floats), number, ints, floats));
                calls.push(Call {
                    function: number,
                    ints,
                    floats,
                });
            }
        }
        let Some(outcomes) = run(&functions, &calls) else {
            return;
        };
        let mut wrong = Vec::new();
        for (outcome, (want, number, ints, floats)) in outcomes.iter().zip(&wants) {
            if !agrees(*outcome, *want) {
                wrong.push((
                    number,
                    format!("{ints:x?} {floats:x?}: want {want:x?}, got {outcome:x?}"),
                ));
            }
        }
        if let Some((number, _)) = wrong.first() {
            let lines: Vec<&str> = wrong
                .iter()
                .filter(|w| w.0 == *number)
                .take(4)
                .map(|w| w.1.as_str())
                .collect();
            let mut failing: Vec<&str> = wrong
                .iter()
                .map(|w| self.tests[*w.0].clif.as_str())
                .collect();
            failing.dedup();
            panic!(
                "{} wrong results in {} functions (optimize {}); the first:\n{}\n{}\n{}\nall:\n{}",
                wrong.len(),
                failing.len(),
                options.optimize,
                self.tests[**number].clif,
                functions[**number].disassembly(),
                lines.join("\n"),
                failing.join("\n")
            );
        }
        println!(
            "{} calls of {} functions agree",
            calls.len(),
            functions.len()
        );
    }
}

fn agrees(outcome: Outcome, want: Want) -> bool {
    match want {
        Want::Trap => outcome.trap.is_some(),
        Want::Int(v) => outcome.trap.is_none() && outcome.preserved && outcome.int == v,
        // Which NaN it is, nobody promises.
        Want::Float(v) if v.is_nan() => {
            outcome.trap.is_none() && f32::from_bits(outcome.float).is_nan()
        }
        Want::Float(v) => {
            outcome.trap.is_none() && outcome.preserved && outcome.float == v.to_bits()
        }
    }
}

/// All pairs of edges for up to two arguments, a rotation of them for more.
fn inputs(ints: usize, floats: usize) -> Vec<([u32; 4], [u32; 4])> {
    let float = |i: usize| FLOATS[i % FLOATS.len()].to_bits();
    let int = |i: usize| INTS[i % INTS.len()];
    let mut out = Vec::new();
    match (ints, floats) {
        (2, 0) => {
            for a in INTS {
                for b in INTS {
                    out.push(([a, b, 0, 0], [0; 4]));
                }
            }
        }
        (0, 2) => {
            for a in FLOATS {
                for b in FLOATS {
                    out.push(([0; 4], [a.to_bits(), b.to_bits(), 0, 0]));
                }
            }
        }
        _ => {
            for i in 0..60 {
                out.push((
                    [int(i), int(i * 7 + 3), int(i * 11 + 5), int(i * 13 + 1)],
                    [
                        float(i),
                        float(i * 7 + 3),
                        float(i * 5 + 2),
                        float(i * 11 + 4),
                    ],
                ));
            }
        }
    }
    out
}

fn shift_by(y: u32, bits: u32) -> u32 {
    y & (bits - 1)
}

fn arithmetic(op: &'static str) -> impl Fn(u32, u32, u32) -> Option<u32> + Copy {
    move |x: u32, y: u32, bits: u32| {
        let (sx, sy) = (sext(x, bits), sext(y, bits));
        let smallest = -(1i64 << (bits - 1));
        Some(match op {
            "iadd" => x.wrapping_add(y),
            "isub" => x.wrapping_sub(y),
            "imul" => x.wrapping_mul(y),
            "band" => x & y,
            "bor" => x | y,
            "bxor" => x ^ y,
            "smulhi" => ((i64::from(sx) * i64::from(sy)) >> bits) as u32,
            "umulhi" => ((u64::from(x) * u64::from(y)) >> bits) as u32,
            "ishl" => x << shift_by(y, bits),
            "ushr" => x >> shift_by(y, bits),
            "sshr" => (sx >> shift_by(y, bits)) as u32,
            "rotl" => rotate(x, shift_by(y, bits), bits),
            "rotr" => rotate(x, bits - shift_by(y, bits), bits),
            "smin" => sx.min(sy) as u32,
            "smax" => sx.max(sy) as u32,
            "umin" => x.min(y),
            "umax" => x.max(y),
            "udiv" => x.checked_div(y)?,
            "urem" => x.checked_rem(y)?,
            "sdiv" if sy == -1 && i64::from(sx) == smallest => return None,
            "sdiv" => sx.checked_div(sy)? as u32,
            "srem" if sy == -1 => 0,
            "srem" => sx.checked_rem(sy)? as u32,
            _ => unreachable!("{op}"),
        })
    }
}

fn rotate(x: u32, by: u32, bits: u32) -> u32 {
    let by = by % bits;
    if by == 0 {
        x
    } else {
        x << by | x >> (bits - by)
    }
}

#[test]
fn integer_operations_at_every_width() {
    let mut suite = Suite::default();
    for op in [
        "iadd", "isub", "imul", "band", "bor", "bxor", "smulhi", "umulhi", "ishl", "ushr", "sshr",
        "rotl", "rotr", "smin", "smax", "umin", "umax",
    ] {
        suite.binary(op, arithmetic(op));
    }
    suite.run();
}

#[test]
fn divisions_trap_where_clif_traps() {
    let mut suite = Suite::default();
    for op in ["udiv", "urem", "sdiv", "srem"] {
        suite.binary(op, arithmetic(op));
    }
    suite.run();
}

#[test]
fn integer_operations_with_constants() {
    let mut suite = Suite::default();
    for op in [
        "iadd", "isub", "imul", "band", "bor", "bxor", "ishl", "ushr", "sshr", "rotl", "rotr",
        "smin", "smax", "umin", "umax", "udiv", "urem", "sdiv", "srem",
    ] {
        suite.with_constant(op, arithmetic(op));
    }
    suite.run();
}

#[test]
fn one_operand_operations() {
    let mut suite = Suite::default();
    let all = [8, 16, 32];
    suite.unary("bnot", &all, |x, _| !x);
    suite.unary("ineg", &all, |x, _| x.wrapping_neg());
    suite.unary("iabs", &all, |x, bits| sext(x, bits).wrapping_abs() as u32);
    suite.unary("clz", &all, |x, bits| x.leading_zeros() - (32 - bits));
    suite.unary("cls", &all, |x, bits| {
        let s = sext(x, bits);
        (s ^ (s >> 31)).leading_zeros() - (32 - bits) - 1
    });
    suite.unary("ctz", &all, |x, bits| x.trailing_zeros().min(bits));
    suite.unary("popcnt", &all, |x, _| x.count_ones());
    suite.unary("bitrev", &all, |x, bits| x.reverse_bits() >> (32 - bits));
    suite.unary("bswap", &[16, 32], |x, bits| x.swap_bytes() >> (32 - bits));
    suite.unary("bmask.i32", &[32], |x, _| if x == 0 { 0 } else { u32::MAX });
    for bits in [8, 16] {
        let clif = format!(
            "function %f(i32) -> i32 {{ block0(v0: i32): v1 = ireduce.i{bits} v0 v2 = sextend.i32 v1 return v2 }}"
        );
        suite.add(
            clif,
            1,
            0,
            Box::new(move |i, _| Want::Int(sext(i[0], bits) as u32)),
        );
        let clif = format!(
            "function %f(i32) -> f32 {{ block0(v0: i32): v1 = ireduce.i{bits} v0 v2 = fcvt_from_sint.f32 v1 return v2 }}"
        );
        suite.add(
            clif,
            1,
            0,
            Box::new(move |i, _| Want::Float(sext(i[0], bits) as f32)),
        );
        let clif = format!(
            "function %f(i32) -> f32 {{ block0(v0: i32): v1 = ireduce.i{bits} v0 v2 = fcvt_from_uint.f32 v1 return v2 }}"
        );
        suite.add(
            clif,
            1,
            0,
            Box::new(move |i, _| Want::Float(mask(i[0], bits) as f32)),
        );
        let clif = format!(
            "function %f(i32) -> f32 {{ block0(v0: i32): v1 = ireduce.i{bits} v0 v3 = sextend.i32 v1 v2 = fcvt_from_sint.f32 v3 return v2 }}"
        );
        suite.add(
            clif,
            1,
            0,
            Box::new(move |i, _| Want::Float(sext(i[0], bits) as f32)),
        );
        for (signed, name) in [(true, "sint"), (false, "uint")] {
            let clif = format!(
                "function %f(f32) -> i32 {{ block0(v0: f32): v1 = fcvt_to_{name}_sat.i{bits} v0 v2 = uextend.i32 v1 return v2 }}"
            );
            suite.add(
                clif,
                0,
                1,
                Box::new(move |_, f| {
                    let x = f32::from_bits(f[0]);
                    Want::Int(match (bits, signed) {
                        (8, true) => x as i8 as u8 as u32,
                        (8, false) => x as u8 as u32,
                        (_, true) => x as i16 as u16 as u32,
                        (_, false) => x as u16 as u32,
                    })
                }),
            );
        }
    }
    suite.run();
}

const INT_CODES: [&str; 10] = [
    "eq", "ne", "slt", "sge", "sgt", "sle", "ult", "uge", "ugt", "ule",
];

fn int_compare(code: &str, x: u32, y: u32, bits: u32) -> bool {
    let (sx, sy) = (sext(x, bits), sext(y, bits));
    match code {
        "eq" => x == y,
        "ne" => x != y,
        "slt" => sx < sy,
        "sge" => sx >= sy,
        "sgt" => sx > sy,
        "sle" => sx <= sy,
        "ult" => x < y,
        "uge" => x >= y,
        "ugt" => x > y,
        _ => x <= y,
    }
}

#[test]
fn integer_comparisons_as_value_select_and_branch() {
    let mut suite = Suite::default();
    for code in INT_CODES {
        for bits in [8, 16, 32] {
            let reduce = if bits == 32 {
                "v2 = bor v0, v0 v3 = bor v1, v1 ".to_string()
            } else {
                format!("v2 = ireduce.i{bits} v0 v3 = ireduce.i{bits} v1 ")
            };
            let head = format!(
                "function %f(i32, i32) -> i32 {{ block0(v0: i32, v1: i32): {reduce} v4 = icmp {code} v2, v3 "
            );
            let bodies = [
                "v5 = uextend.i32 v4 return v5 }",
                "v6 = iconst.i32 1 v7 = iconst.i32 0 v5 = select v4, v6, v7 return v5 }",
                "brif v4, block1, block2 block1: v6 = iconst.i32 1 return v6 block2: v7 = iconst.i32 0 return v7 }",
                "v6 = iconst.i32 0x12345 v7 = bxor v0, v1 v5 = select v4, v6, v7 v8 = isub v5, v7 v9 = isub v6, v7 v10 = icmp eq v8, v9 v11 = icmp ne v6, v7 v12 = bor v4, v4 v13 = uextend.i32 v12 return v13 }",
            ];
            for body in bodies {
                suite.add(
                    format!("{head}{body}"),
                    2,
                    0,
                    Box::new(move |i, _| {
                        Want::Int(
                            int_compare(code, mask(i[0], bits), mask(i[1], bits), bits).into(),
                        )
                    }),
                );
            }
            for constant in [0i32, 1, -1, 100, -100, 127, -128, 0x7fff] {
                let constant = sext(constant as u32, bits);
                let reduce = if bits == 32 {
                    "v2 = bor v0, v0".to_string()
                } else {
                    format!("v2 = ireduce.i{bits} v0")
                };
                let clif = format!(
                    "function %f(i32) -> i32 {{ block0(v0: i32): {reduce} v3 = iconst.i{bits} {constant} v4 = icmp {code} v2, v3 \
                     brif v4, block1, block2 block1: v6 = iconst.i32 1 return v6 block2: v7 = iconst.i32 0 return v7 }}"
                );
                suite.add(
                    clif,
                    1,
                    0,
                    Box::new(move |i, _| {
                        Want::Int(
                            int_compare(code, mask(i[0], bits), mask(constant as u32, bits), bits)
                                .into(),
                        )
                    }),
                );
            }
        }
    }
    for bits in [8, 16, 32] {
        let reduce = if bits == 32 {
            "v1 = bor v0, v0".to_string()
        } else {
            format!("v1 = ireduce.i{bits} v0")
        };
        let clif = format!(
            "function %f(i32) -> i32 {{ block0(v0: i32): {reduce} brif v1, block1, block2 block1: v6 = iconst.i32 1 return v6 block2: v7 = iconst.i32 0 return v7 }}"
        );
        suite.add(
            clif,
            1,
            0,
            Box::new(move |i, _| Want::Int((mask(i[0], bits) != 0).into())),
        );
        let clif = format!(
            "function %f(i32, i32) -> i32 {{ block0(v0: i32, v2: i32): {reduce} v3 = select v1, v0, v2 return v3 }}"
        );
        suite.add(
            clif,
            2,
            0,
            Box::new(move |i, _| Want::Int(if mask(i[0], bits) != 0 { i[0] } else { i[1] })),
        );
    }
    suite.run();
}

#[test]
fn float_comparisons_as_value_select_and_branch() {
    let mut suite = Suite::default();
    for code in [
        "ord", "uno", "eq", "ne", "one", "ueq", "lt", "le", "gt", "ge", "ult", "ule", "ugt", "uge",
    ] {
        let eval = move |x: f32, y: f32| {
            let uno = x.is_nan() || y.is_nan();
            match code {
                "ord" => !uno,
                "uno" => uno,
                "eq" => x == y,
                "ne" => x != y,
                "one" => !uno && x != y,
                "ueq" => uno || x == y,
                "lt" => x < y,
                "le" => x <= y,
                "gt" => x > y,
                "ge" => x >= y,
                "ult" => uno || x < y,
                "ule" => uno || x <= y,
                "ugt" => uno || x > y,
                _ => uno || x >= y,
            }
        };
        let head = format!(
            "function %f(f32, f32) -> i32 {{ block0(v0: f32, v1: f32): v4 = fcmp {code} v0, v1 "
        );
        for body in [
            "v5 = uextend.i32 v4 return v5 }",
            "v6 = iconst.i32 1 v7 = iconst.i32 0 v5 = select v4, v6, v7 return v5 }",
            "brif v4, block1, block2 block1: v6 = iconst.i32 1 return v6 block2: v7 = iconst.i32 0 return v7 }",
            "brif v4, block2, block1 block1: v7 = iconst.i32 0 return v7 block2: v6 = iconst.i32 1 return v6 }",
        ] {
            suite.add(
                format!("{head}{body}"),
                0,
                2,
                Box::new(move |_, f| {
                    Want::Int(eval(f32::from_bits(f[0]), f32::from_bits(f[1])).into())
                }),
            );
        }
        let clif = format!(
            "function %f(f32, f32) -> f32 {{ block0(v0: f32, v1: f32): v4 = fcmp {code} v0, v1 v5 = select v4, v0, v1 return v5 }}"
        );
        suite.add(
            clif,
            0,
            2,
            Box::new(move |_, f| {
                let (x, y) = (f32::from_bits(f[0]), f32::from_bits(f[1]));
                Want::Float(if eval(x, y) { x } else { y })
            }),
        );
        for (zero, first) in [("v0, v2", true), ("v2, v0", false)] {
            let clif = format!(
                "function %f(f32) -> i32 {{ block0(v0: f32): v2 = f32const 0.0 v4 = fcmp {code} {zero} v5 = uextend.i32 v4 return v5 }}"
            );
            suite.add(
                clif,
                0,
                1,
                Box::new(move |_, f| {
                    let x = f32::from_bits(f[0]);
                    Want::Int(if first { eval(x, 0.0) } else { eval(0.0, x) }.into())
                }),
            );
        }
        let clif = format!(
            "function %f(f32, f32) -> i32 {{ block0(v0: f32, v1: f32): v4 = fcmp {code} v0, v1 trapz v4, user1 v6 = iconst.i32 1 return v6 }}"
        );
        suite.add(
            clif,
            0,
            2,
            Box::new(move |_, f| {
                if eval(f32::from_bits(f[0]), f32::from_bits(f[1])) {
                    Want::Int(1)
                } else {
                    Want::Trap
                }
            }),
        );
        let clif = format!(
            "function %f(f32, f32) -> i32 {{ block0(v0: f32, v1: f32): v4 = fcmp {code} v0, v1 trapnz v4, user2 v6 = iconst.i32 1 return v6 }}"
        );
        suite.add(
            clif,
            0,
            2,
            Box::new(move |_, f| {
                if eval(f32::from_bits(f[0]), f32::from_bits(f[1])) {
                    Want::Trap
                } else {
                    Want::Int(1)
                }
            }),
        );
    }
    suite.run();
}

/// IEEE minimum: NaN wins and the zeros are ordered.
fn minimum(x: f32, y: f32) -> f32 {
    if x.is_nan() || y.is_nan() {
        f32::NAN
    } else if x == y {
        if x.is_sign_negative() { x } else { y }
    } else if x < y {
        x
    } else {
        y
    }
}

#[test]
fn float_operations() {
    let mut suite = Suite::default();
    suite.float("fadd", 2, |x, y, _| x + y);
    suite.float("fsub", 2, |x, y, _| x - y);
    suite.float("fmul", 2, |x, y, _| x * y);
    suite.float("fdiv", 2, |x, y, _| x / y);
    suite.float("fmin", 2, |x, y, _| minimum(x, y));
    suite.float("fmax", 2, |x, y, _| -minimum(-x, -y));
    suite.float("fcopysign", 2, |x, y, _| x.copysign(y));
    suite.float("fma", 3, |x, y, z| x.mul_add(y, z));
    suite.float("sqrt", 1, |x, _, _| x.sqrt());
    suite.float("fneg", 1, |x, _, _| -x);
    suite.float("fabs", 1, |x, _, _| x.abs());
    let f = f32::from_bits;
    suite.add(
        "function %f(f32, f32, f32) -> f32 { block0(v0: f32, v1: f32, v2: f32): v3 = fmul v0, v1 v4 = fadd v3, v2 return v4 }".into(),
        0, 3, Box::new(move |_, x| Want::Float(f(x[0]) * f(x[1]) + f(x[2]))),
    );
    suite.add(
        "function %f(i32) -> f32 { block0(v0: i32): v1 = fcvt_from_sint.f32 v0 return v1 }".into(),
        1,
        0,
        Box::new(|i, _| Want::Float(i[0] as i32 as f32)),
    );
    suite.add(
        "function %f(i32) -> f32 { block0(v0: i32): v1 = fcvt_from_uint.f32 v0 return v1 }".into(),
        1,
        0,
        Box::new(|i, _| Want::Float(i[0] as f32)),
    );
    suite.add(
        "function %f(f32) -> i32 { block0(v0: f32): v1 = fcvt_to_sint_sat.i32 v0 return v1 }"
            .into(),
        0,
        1,
        Box::new(move |_, x| Want::Int(f(x[0]) as i32 as u32)),
    );
    suite.add(
        "function %f(f32) -> i32 { block0(v0: f32): v1 = fcvt_to_uint_sat.i32 v0 return v1 }"
            .into(),
        0,
        1,
        Box::new(move |_, x| Want::Int(f(x[0]) as u32)),
    );
    suite.add(
        "function %f(f32) -> i32 { block0(v0: f32): v1 = bitcast.i32 v0 return v1 }".into(),
        0,
        1,
        Box::new(|_, x| Want::Int(x[0])),
    );
    suite.add(
        "function %f(i32) -> f32 { block0(v0: i32): v1 = bitcast.f32 v0 v2 = fabs v1 return v2 }"
            .into(),
        1,
        0,
        Box::new(move |i, _| Want::Float(f(i[0]).abs())),
    );
    for constant in ["0x1.0p0", "0x1.99999ap-4", "0.0", "-0x1.0p-3", "0x1.0p20"] {
        let value: f32 = match constant {
            "0x1.0p0" => 1.0,
            "0x1.99999ap-4" => 0.1,
            "0.0" => 0.0,
            "-0x1.0p-3" => -0.125,
            _ => 1048576.0,
        };
        let clif = format!(
            "function %f(f32) -> f32 {{ block0(v0: f32): v1 = f32const {constant} v2 = fmul v0, v1 return v2 }}"
        );
        suite.add(
            clif,
            0,
            1,
            Box::new(move |_, x| Want::Float(f(x[0]) * value)),
        );
    }
    suite.run();
}

/// Shapes that fold into one instruction: each must still mean the same.
#[test]
fn folded_shapes() {
    let mut suite = Suite::default();
    let two =
        |clif: &str| format!("function %f(i32, i32) -> i32 {{ block0(v0: i32, v1: i32): {clif} }}");
    let three = |clif: &str| {
        format!("function %f(i32, i32, i32) -> i32 {{ block0(v0: i32, v1: i32, v2: i32): {clif} }}")
    };
    macro_rules! check2 {
        ($clif:expr, $eval:expr) => {{
            let eval: fn(u32, u32) -> u32 = $eval;
            suite.add(
                two($clif),
                2,
                0,
                Box::new(move |i, _| Want::Int(eval(i[0], i[1]))),
            );
        }};
    }
    macro_rules! check3 {
        ($clif:expr, $eval:expr) => {{
            let eval: fn(u32, u32, u32) -> u32 = $eval;
            suite.add(
                three($clif),
                3,
                0,
                Box::new(move |i, _| Want::Int(eval(i[0], i[1], i[2]))),
            );
        }};
    }
    for by in [8u32, 16, 24] {
        for (bits, ext) in [
            (8, "sextend"),
            (8, "uextend"),
            (16, "sextend"),
            (16, "uextend"),
        ] {
            let clif = two(&format!(
                "v2 = iconst.i32 {by} v3 = ushr v1, v2 v4 = ireduce.i{bits} v3 v5 = {ext}.i32 v4 v6 = iadd v0, v5 return v6"
            ));
            suite.add(
                clif,
                2,
                0,
                Box::new(move |i, _| {
                    let part = mask(i[1] >> by, bits);
                    let part = if ext == "sextend" {
                        sext(part, bits) as u32
                    } else {
                        part
                    };
                    Want::Int(i[0].wrapping_add(part))
                }),
            );
        }
    }
    check2!(
        "v2 = iconst.i32 255 v3 = iconst.i32 8 v4 = ushr v1, v3 v5 = band v4, v2 v6 = iadd v0, v5 return v6",
        |a, b| a.wrapping_add(b >> 8 & 255)
    );
    check2!(
        "v2 = ireduce.i8 v1 v3 = sextend.i32 v2 v4 = iadd v0, v3 return v4",
        |a, b| a.wrapping_add(sext(b, 8) as u32)
    );
    check2!(
        "v2 = ireduce.i16 v1 v3 = uextend.i32 v2 v4 = iadd v3, v0 return v4",
        |a, b| a.wrapping_add(b & 0xffff)
    );
    check3!("v3 = imul v0, v1 v4 = iadd v2, v3 return v4", |a, b, c| c
        .wrapping_add(a.wrapping_mul(b)));
    check3!("v3 = imul v0, v1 v4 = isub v2, v3 return v4", |a, b, c| c
        .wrapping_sub(a.wrapping_mul(b)));
    check2!(
        "v2 = ireduce.i16 v0 v3 = ireduce.i16 v1 v4 = sextend.i32 v2 v5 = sextend.i32 v3 v6 = imul v4, v5 return v6",
        |a, b| sext(a, 16).wrapping_mul(sext(b, 16)) as u32
    );
    check3!(
        "v10 = iconst.i32 16 v11 = sshr v0, v10 v2x = ireduce.i16 v11 return v0"
            .replace("v2x", "v12")
            .as_str(),
        |a, _, _| a
    );
    check3!(
        "v10 = iconst.i32 16 v11 = ushr v0, v10 v12 = ireduce.i16 v11 v13 = sextend.i32 v12 v14 = ireduce.i16 v1 v15 = sextend.i32 v14 v16 = imul v13, v15 v17 = iadd v16, v2 return v17",
        |a, b, c| c.wrapping_add((sext(a >> 16, 16)).wrapping_mul(sext(b, 16)) as u32)
    );
    for (op, f) in [
        ("iadd", 0),
        ("isub", 1),
        ("band", 2),
        ("bor", 3),
        ("bxor", 4),
    ] {
        for (shift, k) in [("ishl", 3u32), ("ushr", 5), ("sshr", 31), ("rotr", 9)] {
            for swapped in [false, true] {
                let args = if swapped { "v3, v0" } else { "v0, v3" };
                let clif = two(&format!(
                    "v2 = iconst.i32 {k} v3 = {shift} v1, v2 v4 = {op} {args} return v4"
                ));
                suite.add(
                    clif,
                    2,
                    0,
                    Box::new(move |i, _| {
                        let s = match shift {
                            "ishl" => i[1] << k,
                            "ushr" => i[1] >> k,
                            "sshr" => (i[1] as i32 >> k) as u32,
                            _ => i[1].rotate_right(k),
                        };
                        let (x, y) = if swapped { (s, i[0]) } else { (i[0], s) };
                        Want::Int(match f {
                            0 => x.wrapping_add(y),
                            1 => x.wrapping_sub(y),
                            2 => x & y,
                            3 => x | y,
                            _ => x ^ y,
                        })
                    }),
                );
            }
        }
    }
    check2!("v2 = bnot v1 v3 = band v0, v2 return v3", |a, b| a & !b);
    check2!("v2 = bnot v1 v3 = bor v0, v2 return v3", |a, b| a | !b);
    check2!(
        "v2 = iconst.i32 12 v3 = ushr v0, v2 v4 = iconst.i32 63 v5 = band v3, v4 v6 = iadd v5, v1 return v6",
        |a, b| (a >> 12 & 63).wrapping_add(b)
    );
    check2!(
        "v2 = iconst.i32 8 v3 = iconst.i32 20 v4 = ishl v0, v2 v5 = sshr v4, v3 v6 = bxor v5, v1 return v6",
        |a, b| ((a << 8) as i32 >> 20) as u32 ^ b
    );
    check2!(
        "v2 = iconst.i32 127 v3 = iconst.i32 -128 v4 = smin v0, v2 v5 = smax v4, v3 v6 = bxor v5, v1 return v6",
        |a, b| (a as i32).clamp(-128, 127) as u32 ^ b
    );
    check2!(
        "v2 = iconst.i32 255 v3 = iconst.i32 0 v4 = smax v0, v3 v5 = smin v4, v2 v6 = bxor v5, v1 return v6",
        |a, b| (a as i32).clamp(0, 255) as u32 ^ b
    );
    check3!(
        "v3 = band v0, v1 v4 = iconst.i32 0 v5 = icmp eq v3, v4 v6 = select v5, v1, v2 return v6",
        |a, b, c| if a & b == 0 { b } else { c }
    );
    check2!(
        "v2 = iconst.i32 64 v3 = band v0, v2 v4 = iconst.i32 0 v5 = icmp ne v3, v4 v6 = uextend.i32 v5 v7 = iadd v6, v1 return v7",
        |a, b| b.wrapping_add((a & 64 != 0).into())
    );
    for k in [0u32, 1, 15, 16, 31, 32, 40, 63] {
        for (ext, shift) in [
            ("sextend", "sshr"),
            ("uextend", "ushr"),
            ("sextend", "ushr"),
            ("uextend", "sshr"),
        ] {
            let clif = two(&format!(
                "v2 = {ext}.i64 v0 v3 = {ext}.i64 v1 v4 = imul v2, v3 v5 = iconst.i64 {k} v6 = {shift} v4, v5 v7 = ireduce.i32 v6 return v7"
            ));
            suite.add(
                clif,
                2,
                0,
                Box::new(move |i, _| {
                    let product = if ext == "sextend" {
                        i64::from(i[0] as i32).wrapping_mul(i64::from(i[1] as i32))
                    } else {
                        u64::from(i[0]).wrapping_mul(u64::from(i[1])) as i64
                    };
                    Want::Int(if shift == "sshr" {
                        product >> k
                    } else {
                        (product as u64 >> k) as i64
                    } as u32)
                }),
            );
        }
    }
    check2!(
        "v2 = sextend.i64 v0 v3 = sextend.i64 v1 v4 = imul v2, v3 v5 = iconst.i64 0x4000 v6 = iadd v4, v5 v7 = iconst.i64 15 v8 = sshr v6, v7 v9 = ireduce.i32 v8 return v9",
        |a, b| ((i64::from(a as i32) * i64::from(b as i32) + 0x4000) >> 15) as u32
    );
    suite.run();
}

#[test]
fn memory_and_stack() {
    let mut suite = Suite::default();
    let base = SCRATCH;
    for (ty, op, bits, signed) in [
        ("i8", "uload8.i32", 8u32, false),
        ("i8", "sload8.i32", 8, true),
        ("i16", "uload16.i32", 16, false),
        ("i16", "sload16.i32", 16, true),
    ] {
        for offset in [0i32, 4, 260, 4094, 4096, -4, -256, 70000] {
            let store = if ty == "i8" { "istore8" } else { "istore16" };
            let clif = format!(
                "function %f(i32, i32) -> i32 {{ block0(v0: i32, v1: i32): v2 = iconst.i32 {} v3 = band v1, v1 \
                 {store} v0, v2{offset:+} v4 = {op} v2{offset:+} v5 = iadd v4, v1 return v5 }}",
                (base + 0x400) as i32
            );
            suite.add(
                clif,
                2,
                0,
                Box::new(move |i, _| {
                    let v = if signed {
                        sext(i[0], bits) as u32
                    } else {
                        mask(i[0], bits)
                    };
                    Want::Int(v.wrapping_add(i[1]))
                }),
            );
            // The narrow load with a later extension, through a register base.
            let ext = if signed { "sextend" } else { "uextend" };
            let clif = format!(
                "function %f(i32, i32) -> i32 {{ block0(v0: i32, v1: i32): v2 = iconst.i32 {} v3 = iconst.i32 12 v6 = band v1, v3 v7 = iadd v2, v6 v8 = ireduce.{ty} v0 \
                 store v8, v7{offset:+} v4 = load.{ty} v7{offset:+} v5 = {ext}.i32 v4 return v5 }}",
                (base + 0x400) as i32
            );
            suite.add(
                clif,
                2,
                0,
                Box::new(move |i, _| {
                    Want::Int(if signed {
                        sext(i[0], bits) as u32
                    } else {
                        mask(i[0], bits)
                    })
                }),
            );
        }
    }
    for offset in [0i32, 4, 1020, 1024, -1020, -1024, 4096] {
        let clif = format!(
            "function %f(i32, f32) -> f32 {{ block0(v0: i32, v1: f32): v2 = iconst.i32 {} v3 = iconst.i32 12 v6 = band v0, v3 v7 = iadd v2, v6 \
             store v1, v7{offset:+} v4 = load.f32 v7{offset:+} v5 = fneg v4 return v5 }}",
            (base + 0x800) as i32
        );
        suite.add(
            clif,
            1,
            1,
            Box::new(|_, f| Want::Float(-f32::from_bits(f[0]))),
        );
    }
    for k in 0..4 {
        let clif = format!(
            "function %f(i32, i32) -> i32 {{ block0(v0: i32, v1: i32): v2 = iconst.i32 {base_} v3 = iconst.i32 12 v4 = band v0, v3 v5 = iconst.i32 {k} \
             v6 = ishl v4, v5 v7 = iadd v2, v6 store v1, v7 v8 = ishl v4, v5 v9 = iadd v2, v8 v10 = load.i32 v9 return v10 }}",
            base_ = base as i32
        );
        suite.add(clif, 2, 0, Box::new(|i, _| Want::Int(i[1])));
    }
    suite.add(
        "function %f(i32, i32, f32) -> i32 { ss0 = explicit_slot 8 ss1 = explicit_slot 600 ss2 = explicit_slot 4
         block0(v0: i32, v1: i32, v2: f32): v3 = stack_addr.i32 ss0 v4 = stack_addr.i32 ss1 v5 = stack_addr.i32 ss2
         store v0, v3 store v1, v3+4 store v2, v4+596 store v0, v5 v6 = load.i32 v3+4 v7 = load.i32 v4+596 v8 = load.i32 v5 v9 = iadd v6, v7 v10 = isub v9, v8
         v11 = iconst.i32 4 v12 = band v0, v11 v13 = iadd v3, v12 v14 = load.i32 v13 v15 = bxor v10, v14 return v15 }".into(),
        2, 1,
        Box::new(|i, f| Want::Int(i[1].wrapping_add(f[0]).wrapping_sub(i[0]) ^ if i[0] & 4 == 0 { i[0] } else { i[1] })),
    );
    suite.add(
        "function %f(i32, i32) -> i32 { gv0 = symbol colocated %scratch block0(v0: i32, v1: i32): v2 = symbol_value.i32 gv0
         store v0, v2+32 store v1, v2+36 v3 = load.i32 v2+36 v4 = iconst.i32 4 v5 = isub v2, v4 v6 = load.i32 v5+36 v7 = isub v3, v6 return v7 }".into(),
        2, 0, Box::new(|i, _| Want::Int(i[1].wrapping_sub(i[0]))),
    );
    suite.run();
}

#[test]
fn control_flow() {
    let mut suite = Suite::default();
    // A loop with two carried values and an inner branch.
    suite.add(
        "function %f(i32, i32) -> i32 {
         block0(v0: i32, v1: i32): v2 = iconst.i32 15 v3 = band v0, v2 v4 = iconst.i32 1 v5 = bor v3, v4 jump block1(v5, v1)
         block1(v6: i32, v7: i32): v8 = band v7, v4 brif v8, block2, block3
         block2: v9 = iconst.i32 3 v10 = imul v7, v9 v11 = iadd v10, v4 jump block4(v11)
         block3: v12 = ushr v7, v4 jump block4(v12)
         block4(v13: i32): v14 = iconst.i32 -1 v15 = iadd v6, v14 brif v15, block1(v15, v13), block5
         block5: return v13 }".into(),
        2, 0,
        Box::new(|i, _| {
            let mut n = i[0] & 15 | 1;
            let mut x = i[1];
            while n > 0 {
                x = if x & 1 != 0 { x.wrapping_mul(3).wrapping_add(1) } else { x >> 1 };
                n -= 1;
            }
            Want::Int(x)
        }),
    );
    // Swapped loop-carried values: moves on the back edge.
    suite.add(
        "function %f(i32, i32) -> i32 {
         block0(v0: i32, v1: i32): v2 = iconst.i32 7 v3 = band v0, v2 v4 = iconst.i32 1 v5 = iadd v3, v4 jump block1(v5, v0, v1)
         block1(v6: i32, v7: i32, v8: i32): v14 = iconst.i32 -1 v15 = iadd v6, v14 v16 = iadd v7, v8 brif v15, block1(v15, v8, v16), block5
         block5: v17 = isub v7, v8 return v17 }".into(),
        2, 0,
        Box::new(|i, _| {
            let (mut n, mut a, mut b) = ((i[0] & 7) + 1, i[0], i[1]);
            loop {
                n -= 1;
                let sum = a.wrapping_add(b);
                if n == 0 {
                    break Want::Int(a.wrapping_sub(b));
                }
                (a, b) = (b, sum);
            }
        }),
    );
    for count in [1usize, 3, 5, 300] {
        let targets: Vec<String> = (0..count).map(|i| format!("block{}", 2 + i % 4)).collect();
        let clif = format!(
            "function %f(i32, i32) -> i32 {{
             block0(v0: i32, v1: i32): br_table v0, block1, [{}]
             block1: return v1
             block2: v2 = iconst.i32 22 return v2
             block3: v3 = iconst.i32 33 v13 = iadd v3, v1 return v13
             block4: v4 = iconst.i32 44 return v4
             block5: v5 = iconst.i32 55 return v5 }}",
            targets.join(", ")
        );
        suite.add(
            clif,
            2,
            0,
            Box::new(move |i, _| {
                Want::Int(match i[0] {
                    n if n as usize >= count => i[1],
                    n => match n % 4 {
                        0 => 22,
                        1 => 33u32.wrapping_add(i[1]),
                        2 => 44,
                        _ => 55,
                    },
                })
            }),
        );
    }
    // A table inside a loop that goes backward.
    suite.add(
        "function %f(i32, i32) -> i32 {
         block0(v0: i32, v1: i32): v2 = iconst.i32 0 jump block1(v2, v1)
         block1(v3: i32, v4: i32): v5 = iconst.i32 1 v6 = iadd v3, v5 v7 = iconst.i32 20 v8 = icmp uge v6, v7 brif v8, block4, block2
         block2: v9 = iconst.i32 3 v10 = band v4, v9 v11 = iadd v4, v6 br_table v10, block4, [block1(v6, v11), block3, block1(v11, v4)]
         block3: v12 = imul v4, v9 jump block1(v6, v12)
         block4: return v4 }".into(),
        2, 0,
        Box::new(|i, _| {
            let (mut a, mut b) = (0u32, i[1]);
            loop {
                let n = a.wrapping_add(1);
                if n >= 20 {
                    break Want::Int(b);
                }
                let sum = b.wrapping_add(n);
                match b & 3 {
                    0 => (a, b) = (n, sum),
                    1 => (a, b) = (n, b.wrapping_mul(3)),
                    2 => a = sum,
                    _ => break Want::Int(b),
                }
            }
        }),
    );
    suite.run();
}

/// Twenty values live at once, and across a call.
#[test]
fn spills() {
    let mut suite = Suite::default();
    for floats in [false, true] {
        let mut body = String::new();
        for k in 0..20 {
            body += &format!(
                "v{} = iconst.i32 {} v{} = imul v0, v{} ",
                100 + k,
                3 + k * 2,
                200 + k,
                100 + k
            );
            if floats {
                body += &format!("v{} = bitcast.f32 v{} ", 400 + k, 200 + k);
            }
        }
        // The barrier keeps the twenty products alive at once.
        body += "fence ";
        let mut acc = "v1".to_string();
        for k in 0..20 {
            if floats {
                body += &format!("v{} = bitcast.i32 v{} ", 500 + k, 400 + k);
                body += &format!("v{} = bxor {acc}, v{} ", 300 + k, 500 + k);
            } else {
                body += &format!(
                    "store v{}, v2+{} v{} = bxor {acc}, v{} ",
                    200 + k,
                    k * 4,
                    300 + k,
                    200 + k
                );
            }
            acc = format!("v{}", 300 + k);
        }
        let clif = format!(
            "function %f(i32, i32) -> i32 {{ block0(v0: i32, v1: i32): v2 = iconst.i32 {} {body} return {acc} }}",
            SCRATCH as i32
        );
        suite.add(
            clif,
            2,
            0,
            Box::new(|i, _| {
                Want::Int((0..20u32).fold(i[1], |acc, k| acc ^ i[0].wrapping_mul(3 + k * 2)))
            }),
        );
    }
    suite.run();
}

/// Calls between functions: arguments, results, live values, both conventions.
#[test]
fn calls() {
    let full = Options {
        check_allocation: true,
        ..Options::default()
    };
    let text = "
        function %mix(i32, f32, i32, f32, i32, i32) -> i32 { block0(v0: i32, v1: f32, v2: i32, v3: f32, v4: i32, v5: i32):
            v6 = fsub v1, v3 v7 = fcvt_to_sint_sat.i32 v6 v8 = iadd v0, v7 v9 = imul v2, v4 v10 = isub v9, v5 v11 = bxor v8, v10 return v11 }
        function %quiet(i32, i32, i32) preserve_all { block0(v0: i32, v1: i32, v8: i32):
            v2 = iconst.i32 4 v3 = imul v0, v1 v4 = iadd v3, v2 v5 = fcvt_from_sint.f32 v4 v6 = fadd v5, v5 v7 = fcvt_to_sint_sat.i32 v6 store v7, v8+8 return }
        function %caller(i32, i32, f32) -> i32 {
            fn0 = %mix(i32, f32, i32, f32, i32, i32) -> i32
            fn1 = %quiet(i32, i32, i32) preserve_all
            block0(v0: i32, v1: i32, v2: f32):
            v3 = iconst.i32 77 v4 = f32const 0x1.8p1 v20 = fadd v2, v4
            v5 = call fn0(v1, v2, v0, v4, v3, v1)
            v30 = iconst.i32 0x20100000 call fn1(v5, v0, v30) v6 = load.i32 v30+8
            v7 = isub v6, v1 v8 = bxor v7, v0 v9 = fcvt_to_sint_sat.i32 v20 v10 = iadd v8, v9 return v10 }
        function %indirect(i32, i32) -> i32 {
            sig0 = (i32, i32, i32) preserve_all
            fn1 = %quiet(i32, i32, i32) preserve_all
            block0(v0: i32, v1: i32):
            v30 = iconst.i32 0x20100000 v2 = func_addr.i32 fn1 call_indirect sig0, v2(v1, v0, v30) v3 = load.i32 v30+8 v4 = isub v3, v0 return v4 }";
    let functions = compile(text, &full);
    let f = f32::from_bits;
    let quiet = |a: u32, b: u32| {
        let x = a.wrapping_mul(b).wrapping_add(4) as i32 as f32;
        (x + x) as i32 as u32
    };
    let mut calls = Vec::new();
    let mut wants = Vec::new();
    for (ints, floats) in inputs(3, 1) {
        let [a, b, ..] = ints;
        let x = f(floats[0]);
        let mix = b.wrapping_add((x - 3.0) as i32 as u32) ^ a.wrapping_mul(77).wrapping_sub(b);
        let want = (quiet(mix, a).wrapping_sub(b) ^ a).wrapping_add((x + 3.0) as i32 as u32);
        calls.push(Call {
            function: 2,
            ints,
            floats,
        });
        wants.push(Want::Int(want));
        calls.push(Call {
            function: 3,
            ints,
            floats,
        });
        wants.push(Want::Int(quiet(b, a).wrapping_sub(a)));
    }
    let Some(outcomes) = run(&functions, &calls) else {
        return;
    };
    for ((call, want), outcome) in calls.iter().zip(wants).zip(outcomes) {
        assert!(
            agrees(outcome, want),
            "{call:x?}: want {want:x?}, got {outcome:x?}\n{}",
            functions[call.function].disassembly()
        );
    }
}
