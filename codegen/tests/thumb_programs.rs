//! Whole programs in QEMU: random control flow, scheduled kernels with cold calls,
//! functions so large that branches must grow.

mod thumb_support;

use codegen::thumb::Options;
use thumb_support::compile;
use thumb_support::qemu::{Call, SCRATCH, run};

/// A small generator so that every run makes the same programs.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as u32
    }

    fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }

    fn pick<'a>(&mut self, from: &'a [String]) -> &'a str {
        &from[self.next() as usize % from.len()]
    }
}

/// Builds one function of integer, float and memory operations, branches, loops
/// and cold paths.
struct Builder {
    random: Random,
    text: String,
    next: usize,
    block: usize,
    ints: Vec<String>,
    floats: Vec<String>,
}

impl Builder {
    fn value(&mut self) -> String {
        self.next += 1;
        format!("v{}", self.next)
    }

    fn line(&mut self, line: &str) {
        self.text += line;
        self.text += "\n";
    }

    fn operation(&mut self) {
        let out = self.value();
        let (x, y) = (
            self.random.pick(&self.ints).to_string(),
            self.random.pick(&self.ints).to_string(),
        );
        let (f, g) = (
            self.random.pick(&self.floats).to_string(),
            self.random.pick(&self.floats).to_string(),
        );
        let offset = 4 * self.random.below(16);
        match self.random.below(22) {
            0..=6 => {
                let op = [
                    "iadd", "isub", "imul", "band", "bor", "bxor", "smin", "umax", "smulhi",
                    "rotl", "ushr",
                ][self.random.below(11)];
                self.line(&format!("{out} = {op} {x}, {y}"));
                self.ints.push(out);
            }
            7..=8 => {
                let c = self.value();
                let constant = [1i64, 7, 255, -5, 0x1234, 0x12345678][self.random.below(6)];
                let op = ["iadd", "band", "bxor", "ishl", "sshr", "imul"][self.random.below(6)];
                self.line(&format!(
                    "{c} = iconst.i32 {constant} {out} = {op} {x}, {c}"
                ));
                self.ints.push(out);
            }
            9 => {
                let (n, ty) = (self.value(), ["i8", "i16"][self.random.below(2)]);
                let ext = ["sextend", "uextend"][self.random.below(2)];
                self.line(&format!("{n} = ireduce.{ty} {x} {out} = {ext}.i32 {n}"));
                self.ints.push(out);
            }
            10 => {
                let c = self.value();
                let code = ["slt", "ult", "eq", "sge"][self.random.below(4)];
                self.line(&format!(
                    "{c} = icmp {code} {x}, {y} {out} = select {c}, {y}, {x}"
                ));
                self.ints.push(out);
            }
            11..=13 => {
                let op = ["fadd", "fsub", "fmul"][self.random.below(3)];
                self.line(&format!("{out} = {op} {f}, {g}"));
                self.floats.push(out);
            }
            14 => {
                // Small whole numbers keep the floats away from NaN, whose bits vary.
                let (c, m) = (self.value(), self.value());
                self.line(&format!(
                    "{c} = iconst.i32 1023 {m} = band {x}, {c} {out} = fcvt_from_sint.f32 {m}"
                ));
                self.floats.push(out);
            }
            15 => {
                self.line(&format!("{out} = fcvt_to_sint_sat.i32 {f}"));
                self.ints.push(out);
            }
            16 => self.line(&format!("store {x}, v0+{offset}")),
            17 => self.line(&format!("store {f}, v0+{}", 64 + offset)),
            18 => {
                self.line(&format!("{out} = load.i32 v0+{offset}"));
                self.ints.push(out);
            }
            19 => {
                self.line(&format!("{out} = load.f32 v0+{}", 64 + offset));
                self.floats.push(out);
            }
            20 => {
                let (c, a) = (self.value(), self.value());
                let (m, t) = (self.value(), self.value());
                self.line(&format!("{c} = iconst.i32 60 {m} = band {x}, {c} {a} = iadd v0, {m} istore16 {y}, {a}+2 {t} = uload16.i32 {a} {out} = iadd {t}, {x}"));
                self.ints.push(out);
            }
            _ => {
                let name = ["s2_sxtab16", "s2_pkhbt", "s2_qadd16"][self.random.below(3)];
                let fun = ["fn0", "fn1", "fn2"][["s2_sxtab16", "s2_pkhbt", "s2_qadd16"]
                    .iter()
                    .position(|n| *n == name)
                    .unwrap_or(0)];
                self.line(&format!("{out} = call {fun}({x}, {y})"));
                self.ints.push(out);
            }
        }
    }

    fn straight(&mut self) {
        for _ in 0..self.random.below(9) + 2 {
            self.operation();
        }
    }

    fn new_block(&mut self) -> usize {
        self.block += 1;
        self.block
    }

    fn condition(&mut self) -> String {
        let c = self.value();
        let (x, y) = (
            self.random.pick(&self.ints).to_string(),
            self.random.pick(&self.ints).to_string(),
        );
        let (f, g) = (
            self.random.pick(&self.floats).to_string(),
            self.random.pick(&self.floats).to_string(),
        );
        match self.random.below(4) {
            0 => self.line(&format!("{c} = fcmp gt {f}, {g}")),
            1 => self.line(&format!("{c} = icmp ult {x}, {y}")),
            2 => self.line(&format!("{c} = band {x}, {y}")),
            _ => self.line(&format!("{c} = icmp sle {x}, {y}")),
        }
        c
    }

    fn region(&mut self, depth: usize) {
        self.straight();
        if depth == 0 {
            return;
        }
        for _ in 0..self.random.below(3) + 1 {
            if self.random.below(3) == 0 {
                self.looped(depth);
            } else {
                self.diamond(depth);
            }
            self.straight();
        }
    }

    /// Both sides compute; the join takes an integer and a float.
    fn diamond(&mut self, depth: usize) {
        let (yes, no, join) = (self.new_block(), self.new_block(), self.new_block());
        let cold = if self.random.below(2) == 0 {
            " cold"
        } else {
            ""
        };
        let condition = self.condition();
        self.line(&format!("brif {condition}, block{yes}, block{no}"));
        let (ints, floats) = (self.ints.len(), self.floats.len());
        for (block, mark) in [(yes, cold), (no, "")] {
            self.line(&format!("block{block}{mark}:"));
            if mark.is_empty() && self.random.below(2) == 0 {
                self.region(depth - 1);
            } else {
                self.straight();
            }
            let (x, f) = (
                self.random.pick(&self.ints).to_string(),
                self.random.pick(&self.floats).to_string(),
            );
            self.line(&format!("jump block{join}({x}, {f})"));
            self.ints.truncate(ints);
            self.floats.truncate(floats);
        }
        let (x, f) = (self.value(), self.value());
        self.line(&format!("block{join}({x}: i32, {f}: f32):"));
        self.ints.push(x);
        self.floats.push(f);
    }

    /// A bottom-tested loop of a few rounds.
    fn looped(&mut self, depth: usize) {
        let (head, exit) = (self.new_block(), self.new_block());
        let (start, one) = (self.value(), self.value());
        let rounds = self.random.below(4) + 1;
        let (x, f) = (
            self.random.pick(&self.ints).to_string(),
            self.random.pick(&self.floats).to_string(),
        );
        self.line(&format!("{start} = iconst.i32 {rounds} {one} = iconst.i32 -1 jump block{head}({start}, {x}, {f})"));
        let (n, px, pf) = (self.value(), self.value(), self.value());
        self.line(&format!("block{head}({n}: i32, {px}: i32, {pf}: f32):"));
        let (ints, floats) = (self.ints.len(), self.floats.len());
        self.ints.push(px);
        self.floats.push(pf);
        self.region(depth - 1);
        let left = self.value();
        let (x, f) = (
            self.random.pick(&self.ints).to_string(),
            self.random.pick(&self.floats).to_string(),
        );
        self.line(&format!("{left} = iadd {n}, {one} brif {left}, block{head}({left}, {x}, {f}), block{exit}({x}, {f})"));
        self.ints.truncate(ints);
        self.floats.truncate(floats);
        let (x, f) = (self.value(), self.value());
        self.line(&format!("block{exit}({x}: i32, {f}: f32):"));
        self.ints.push(x);
        self.floats.push(f);
    }
}

fn program(seed: u64) -> String {
    let mut builder = Builder {
        random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        text: String::new(),
        next: 10,
        block: 0,
        ints: vec!["v1".into(), "v2".into(), "v3".into()],
        floats: vec!["v4".into(), "v5".into()],
    };
    builder.region(2);
    // The checksum: every value that is still in scope, and the memory.
    let mut sum = "v1".to_string();
    for value in builder.ints.clone() {
        let (a, b) = (builder.value(), builder.value());
        builder.line(&format!("{a} = rotl {sum}, v6 {b} = bxor {a}, {value}"));
        sum = b;
    }
    for value in builder.floats.clone() {
        let (a, b, c) = (builder.value(), builder.value(), builder.value());
        builder.line(&format!(
            "{c} = fcvt_to_sint_sat.i32 {value} {a} = rotl {sum}, v6 {b} = bxor {a}, {c}"
        ));
        sum = b;
    }
    for offset in (0..64).step_by(4) {
        let (a, b, c) = (builder.value(), builder.value(), builder.value());
        builder.line(&format!(
            "{c} = load.i32 v0+{offset} {a} = rotl {sum}, v6 {b} = bxor {a}, {c}"
        ));
        sum = b;
    }
    let clear: String = (0..128)
        .step_by(4)
        .map(|o| format!("store v7, v0+{o}\n"))
        .collect();
    format!(
        "function %p(i32, i32, i32, i32, f32, f32) -> i32 {{
         fn0 = %s2_sxtab16(i32, i32) -> i32
         fn1 = %s2_pkhbt(i32, i32) -> i32
         fn2 = %s2_qadd16(i32, i32) -> i32
         block0(v0: i32, v1: i32, v2: i32, v3: i32, v4: f32, v5: f32):
         v6 = iconst.i32 5 v7 = iconst.i32 0
         {clear}{}return {sum} }}",
        builder.text
    )
}

/// Optimiser, grouping and scheduler change the order of everything; the results
/// must stay.
#[test]
fn random_programs_mean_the_same_at_every_level() {
    let count = 200;
    let off = Options {
        optimize: false,
        schedule: false,
        combine: false,
        check_allocation: true,
        hoisted_constants: (0, 0),
        ..Options::default()
    };
    let levels = [
        off.clone(),
        Options {
            schedule: true,
            ..off.clone()
        },
        Options {
            combine: true,
            schedule: true,
            hoisted_constants: (6, 12),
            ..off
        },
        Options {
            check_allocation: true,
            ..Options::default()
        },
    ];
    let mut results: Vec<Vec<u32>> = Vec::new();
    let programs: Vec<String> = (1..=count).map(program).collect();
    for options in &levels {
        let mut functions = Vec::new();
        let mut calls = Vec::new();
        for (i, text) in programs.iter().enumerate() {
            let mut function = compile(text, options).remove(0);
            function.name = format!("p{i}");
            functions.push(function);
            for k in 0..4u32 {
                calls.push(Call {
                    function: i,
                    ints: [SCRATCH, k.wrapping_mul(0x9e37_79b9), 77 + k, !k],
                    floats: [(k as f32 * 1.5 - 2.0).to_bits(), 3.25f32.to_bits(), 0, 0],
                });
            }
        }
        let Some(outcomes) = run(&functions, &calls) else {
            return;
        };
        for (call, outcome) in calls.iter().zip(&outcomes) {
            assert!(
                outcome.trap.is_none() && outcome.preserved,
                "{outcome:x?}\n{}",
                programs[call.function]
            );
        }
        results.push(outcomes.iter().map(|o| o.int).collect());
    }
    for (level, result) in results.iter().enumerate().skip(1) {
        for (i, (first, other)) in results[0].iter().zip(result).enumerate() {
            assert_eq!(
                first,
                other,
                "level {level}, call {i} of\n{}",
                programs[i / 4]
            );
        }
    }
}

/// Branches over more than 254 B, 2 kB and 126 B (CBZ), and a table with far
/// targets.
#[test]
fn branches_grow() {
    for size in [10usize, 60, 130, 700, 3000] {
        let mut filler = String::new();
        let mut last = "v1".to_string();
        for i in 0..size {
            let (a, b) = (1000 + 2 * i, 1001 + 2 * i);
            filler += &format!(
                "v{a} = imul v4, {last} v{b} = iadd v{a}, v2 store v{b}, v0+{}\n",
                4 * (i % 256 + 1)
            );
            last = format!("v{b}");
        }
        let text = format!(
            "function %far(i32, i32, i32) -> i32 {{
             block0(v0: i32, v1: i32, v2: i32): v3 = iconst.i32 3 store v1, v0 jump block1(v3)
             block1(v4: i32): br_table v2, block4, [block2, block3, block4, block5]
             block2:\n{filler}jump block3
             block3: v5 = iconst.i32 -1 v6 = iadd v4, v5 brif v6, block1(v6), block5
             block4: v7 = iconst.i32 99 return v7
             block5: v8 = load.i32 v0 v9 = iadd v8, v2 return v9 }}"
        );
        let function = compile(&text, &Options::default()).remove(0);
        println!("{size}: {} bytes", function.code.len());
        let calls: Vec<Call> = (0..6)
            .map(|k| Call {
                function: 0,
                ints: [SCRATCH, 0x1234, k, 0],
                floats: [0; 4],
            })
            .collect();
        let Some(outcomes) = run(&[function], &calls) else {
            return;
        };
        for (k, outcome) in outcomes.iter().enumerate() {
            let k = k as u32;
            let want = match k {
                0 => 0x1234,
                1 | 3 => 0x1234 + k,
                _ => 99,
            };
            assert_eq!(
                (outcome.int, outcome.trap),
                (want, None),
                "size {size}, case {k}"
            );
        }
    }
}
