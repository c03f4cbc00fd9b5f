//! The condition flags inside a region.
//!
//! They are seldom looked at other than by the next branch. So what is kept is where they
//! come from: the operands of a comparison, say. Before the region may be left that goes into
//! a [`Record`] in the core, and who leaves it makes flags of it ([`Record::settle`]).
//! Only where a node reads flags that another one set they are four variables.

use super::super::core::Core;
use super::super::flags::Flags as CoreFlags;
use super::super::op::{Dp, Op, Shift};
use super::emit::{Emitter, field};
use super::plan::Node;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{I8, I32};
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::{FunctionBuilder, Variable};
use std::mem::offset_of;

/// Where all four flags come from: the lower byte of [`Record::origin`].
mod origin {
    /// The core has them.
    pub(super) const CORE: u32 = 0;
    /// `a - b`.
    pub(super) const DIFFERENCE: u32 = 1;
    /// `a + b`.
    pub(super) const SUM: u32 = 2;
    /// Comparison of the floats `a` and `b`, neither NaN.
    pub(super) const FLOATS: u32 = 3;
    /// N and Z of `a`, C is `b`, V is the sign of `v`.
    pub(super) const PARTS: u32 = 4;
    pub(super) const MASK: u32 = 0xff;
    /// On top of it, N and Z are those of `result`.
    pub(super) const RESULT: u32 = 1 << 8;
    /// On top of it, C is `carry`.
    pub(super) const CARRY: u32 = 1 << 9;
}

/// What translated code leaves of the flags.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Record {
    origin: u32,
    a: u32,
    b: u32,
    v: u32,
    result: u32,
    carry: u32,
    /// Not 0 if FPSCR's flags are those of comparing `x` with `y`.
    compared: u32,
    x: f32,
    y: f32,
}

impl Record {
    /// Brings flags up to date.
    #[inline]
    pub(super) fn settle(&self, flags: &mut CoreFlags, fpscr: &mut u32) {
        let (a, b) = (self.a, self.b);
        let mut set = |n, z, c, v| {
            (flags.n, flags.z, flags.c, flags.v) = (n, z, c, v);
        };
        match self.origin & origin::MASK {
            origin::DIFFERENCE => {
                let d = a.wrapping_sub(b);
                set(d >> 31 != 0, d == 0, a >= b, ((a ^ b) & (a ^ d)) >> 31 != 0);
            }
            origin::SUM => {
                let s = a.wrapping_add(b);
                set(s >> 31 != 0, s == 0, s < a, ((a ^ s) & (b ^ s)) >> 31 != 0);
            }
            origin::FLOATS => {
                let (a, b) = (f32::from_bits(a), f32::from_bits(b));
                set(a < b, a == b, a >= b, false);
            }
            origin::PARTS => set(a >> 31 != 0, a == 0, b != 0, self.v >> 31 != 0),
            _ => {}
        }
        if self.origin & origin::RESULT != 0 {
            flags.n = self.result >> 31 != 0;
            flags.z = self.result == 0;
        }
        if self.origin & origin::CARRY != 0 {
            flags.c = self.carry != 0;
        }
        if self.compared != 0 {
            let nzcv = match (self.x < self.y, self.x == self.y) {
                (true, _) => 8,
                (_, true) => 6,
                _ => 2,
            };
            *fpscr = *fpscr & 0x0fff_ffff | nzcv << 28;
        }
    }
}

/// Where the flags come from, as far as it is known in the current node.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// From before the node.
    Before,
    /// `a - b`.
    Difference(Value, Value),
    /// `a + b`.
    Sum(Value, Value),
    /// Comparison of two floats that are not NaN.
    Floats(Value, Value),
    /// N and Z of the first, C (0 or 1), V in the sign.
    Parts(Value, Value, Value),
}

/// The flags in the current node.
pub(super) struct Flags {
    pub(super) source: Source,
    /// N and Z are those of this instead.
    pub(super) result: Option<Value>,
    /// C is this, 0 or 1, instead.
    carry: Option<Value>,
    /// What FPSCR's flags come from.
    compared: Option<(Value, Value)>,
    /// Of source, result and carry, and comparison: still to be recorded.
    fresh: [bool; 3],
    /// N in the sign, Z if zero, C 0 or 1, V in the sign: in nodes that read flags of others.
    variables: [Variable; 4],
}

impl Flags {
    pub(super) fn new(b: &mut FunctionBuilder<'_>) -> Self {
        Self {
            source: Source::Before,
            result: None,
            carry: None,
            compared: None,
            fresh: [false; 3],
            variables: [(); 4].map(|()| b.declare_var(I32)),
        }
    }

    pub(super) fn begin_node(&mut self) {
        self.source = Source::Before;
        self.result = None;
        self.carry = None;
        self.compared = None;
        self.fresh = [false; 3];
    }

    pub(super) fn unwritten(&self) -> [bool; 3] {
        self.fresh
    }

    pub(super) fn set_unwritten(&mut self, fresh: [bool; 3]) {
        self.fresh = fresh;
    }
}

/// Whether an instruction reads condition flags.
fn reads(op: &Op) -> bool {
    match *op {
        Op::BCond { .. } | Op::It { .. } => true,
        Op::DpImm { f, .. } => matches!(f, Dp::Adc | Dp::Sbc),
        Op::DpReg { f, shift, .. } => matches!(f, Dp::Adc | Dp::Sbc) || shift == Shift::Rrx,
        // A shift by nothing leaves C as it is.
        Op::ShiftReg { s, .. } => s,
        _ => false,
    }
}

/// Whether an instruction sets all four.
fn sets_all(op: &Op) -> bool {
    let arithmetic = |f| {
        !matches!(
            f,
            Dp::And | Dp::Bic | Dp::Orr | Dp::Orn | Dp::Eor | Dp::Mov | Dp::Mvn
        )
    };
    match *op {
        Op::DpImm { f, s, .. } | Op::DpReg { f, s, .. } => match f {
            Dp::Cmp | Dp::Cmn => true,
            Dp::Tst | Dp::Teq => false,
            _ => s && arithmetic(f),
        },
        Op::VMrs { rt } => rt == 15,
        _ => false,
    }
}

/// For each node, whether flags that were set before it may be read.
pub(super) fn needed(nodes: &[Node]) -> Vec<bool> {
    let mut needed = vec![false; nodes.len()];
    let mut passes = vec![true; nodes.len()];
    for (n, node) in nodes.iter().enumerate() {
        for item in node.items.iter().filter(|i| i.runs) {
            if reads(&item.slot.op) {
                needed[n] = true;
                break;
            }
            if sets_all(&item.slot.op) {
                passes[n] = false;
                break;
            }
        }
    }
    let successors: Vec<_> = nodes.iter().map(Node::successors).collect();
    let mut settled = false;
    while !settled {
        settled = true;
        for n in (0..nodes.len()).rev() {
            if !needed[n] && passes[n] && successors[n].iter().any(|&s| needed[s]) {
                needed[n] = true;
                settled = false;
            }
        }
    }
    needed
}

impl Emitter<'_> {
    // Setting.

    fn set_source(&mut self, source: Source) {
        let flags = &mut self.state.flags;
        flags.source = source;
        flags.result = None;
        flags.carry = None;
        flags.fresh[0] = true;
        flags.fresh[1] = false;
    }

    /// N and Z of `result`, and C if it changes.
    pub(super) fn logic_flags(&mut self, result: Value, carry: Option<Value>) {
        let flags = &mut self.state.flags;
        flags.result = Some(result);
        flags.carry = carry.or(flags.carry);
        flags.fresh[1] = true;
    }

    pub(super) fn add_flags(&mut self, a: Value, b: Value) -> Value {
        let result = self.b.ins().iadd(a, b);
        self.set_source(Source::Sum(a, b));
        result
    }

    pub(super) fn sub_flags(&mut self, a: Value, b: Value) -> Value {
        let result = self.b.ins().isub(a, b);
        self.set_source(Source::Difference(a, b));
        result
    }

    /// Flags of `a + b + carry in`, whose sum and carry are known.
    pub(super) fn carried_flags(&mut self, a: Value, b: Value, result: Value, carry: Value) {
        let v = self.overflow(a, b, result);
        self.set_source(Source::Parts(result, carry, v));
    }

    fn overflow(&mut self, a: Value, b: Value, sum: Value) -> Value {
        let x = self.b.ins().bxor(a, sum);
        let y = self.b.ins().bxor(b, sum);
        self.b.ins().band(x, y)
    }

    /// FPSCR's flags are those of two floats that are not NaN.
    pub(super) fn set_compared(&mut self, a: Value, b: Value) {
        self.state.flags.compared = Some((a, b));
        self.state.flags.fresh[2] = true;
    }

    /// VMRS to APSR. What was compared before the node is left to the interpreter.
    pub(super) fn take_compared(&mut self) {
        match self.state.flags.compared {
            Some((a, b)) => self.set_source(Source::Floats(a, b)),
            None => {
                self.always_leave();
                // Nothing gets here.
                let zero = self.word(0);
                self.set_source(Source::Parts(zero, zero, zero));
            }
        }
    }

    /// The whole of FPSCR, or nothing: see [`Emitter::take_compared`].
    pub(super) fn fpscr(&mut self) -> Option<Value> {
        let (a, b) = self.state.flags.compared?;
        let less = self.b.ins().fcmp(FloatCC::LessThan, a, b);
        let equal = self.b.ins().fcmp(FloatCC::Equal, a, b);
        let (n, zc, c) = (self.word(8 << 28), self.word(6 << 28), self.word(2 << 28));
        let flags = self.b.ins().select(equal, zc, c);
        let flags = self.b.ins().select(less, n, flags);
        let old = self.load_core(I32, field!(fpu.fpscr));
        let old = self.and(old, 0x0fff_ffff);
        Some(self.b.ins().bor(old, flags))
    }

    // Reading.

    fn variable(&mut self, flag: usize) -> Value {
        debug_assert!(
            self.reads_flags_of_others(),
            "flags::needed missed a reader"
        );
        self.b.use_var(self.state.flags.variables[flag])
    }

    fn float_flag(&mut self, cc: FloatCC, a: Value, b: Value) -> Value {
        let holds = self.b.ins().fcmp(cc, a, b);
        self.b.ins().uextend(I32, holds)
    }

    /// N in the sign.
    pub(super) fn flag_n(&mut self) -> Value {
        if let Some(result) = self.state.flags.result {
            return result;
        }
        match self.state.flags.source {
            Source::Before => self.variable(0),
            Source::Difference(a, b) => self.b.ins().isub(a, b),
            Source::Sum(a, b) => self.b.ins().iadd(a, b),
            Source::Floats(a, b) => {
                let less = self.float_flag(FloatCC::LessThan, a, b);
                self.left(less, 31)
            }
            Source::Parts(nz, _, _) => nz,
        }
    }

    /// Z if zero.
    pub(super) fn flag_z(&mut self) -> Value {
        if let Some(result) = self.state.flags.result {
            return result;
        }
        match self.state.flags.source {
            Source::Before => self.variable(1),
            Source::Floats(a, b) => self.float_flag(FloatCC::NotEqual, a, b),
            _ => self.flag_n(),
        }
    }

    /// C, 0 or 1.
    pub(super) fn carry(&mut self) -> Value {
        if let Some(carry) = self.state.flags.carry {
            return carry;
        }
        match self.state.flags.source {
            Source::Before => self.variable(2),
            Source::Difference(a, b) => {
                let c = self.compare(IntCC::UnsignedGreaterThanOrEqual, a, b);
                self.b.ins().uextend(I32, c)
            }
            Source::Sum(a, b) => {
                let sum = self.b.ins().iadd(a, b);
                let c = self.compare(IntCC::UnsignedLessThan, sum, a);
                self.b.ins().uextend(I32, c)
            }
            Source::Floats(a, b) => self.float_flag(FloatCC::GreaterThanOrEqual, a, b),
            Source::Parts(_, c, _) => c,
        }
    }

    /// V in the sign.
    pub(super) fn flag_v(&mut self) -> Value {
        match self.state.flags.source {
            Source::Before => self.variable(3),
            Source::Difference(a, b) => {
                let d = self.b.ins().isub(a, b);
                let x = self.b.ins().bxor(a, b);
                let y = self.b.ins().bxor(a, d);
                self.b.ins().band(x, y)
            }
            Source::Sum(a, b) => {
                let sum = self.b.ins().iadd(a, b);
                self.overflow(a, b, sum)
            }
            Source::Floats(..) => self.word(0),
            Source::Parts(_, _, v) => v,
        }
    }

    // Between nodes, and out.

    /// Gives the flags to the nodes behind as variables.
    pub(super) fn pass_flags(&mut self) {
        let flags = &self.state.flags;
        if matches!(flags.source, Source::Before) && flags.result.is_none() && flags.carry.is_none()
        {
            return;
        }
        let values = [self.flag_n(), self.flag_z(), self.carry(), self.flag_v()];
        for (variable, value) in self.state.flags.variables.into_iter().zip(values) {
            self.b.def_var(variable, value);
        }
    }

    /// Takes the variables from the core.
    pub(super) fn load_flags(&mut self) {
        let mut wide = |offset| {
            let byte = self.load_core(I8, offset);
            self.b.ins().uextend(I32, byte)
        };
        let [n, z, c, v] = [
            wide(field!(flags.n)),
            wide(field!(flags.z)),
            wide(field!(flags.c)),
            wide(field!(flags.v)),
        ];
        let n = self.b.ins().ineg(n);
        let one = self.word(1);
        let z = self.b.ins().bxor(z, one);
        let v = self.b.ins().ineg(v);
        for (variable, value) in self.state.flags.variables.into_iter().zip([n, z, c, v]) {
            self.b.def_var(variable, value);
        }
    }

    /// Records what is new.
    pub(super) fn flush_flags(&mut self) {
        let fresh = std::mem::take(&mut self.state.flags.fresh);
        let flags = &self.state.flags;
        let (source, result, carry, compared) =
            (flags.source, flags.result, flags.carry, flags.compared);
        if fresh[0] || fresh[1] {
            let mut on_top = if carry.is_some() { origin::CARRY } else { 0 };
            on_top |= if result.is_some() { origin::RESULT } else { 0 };
            let base = match source {
                Source::Before => origin::CORE,
                Source::Difference(..) => origin::DIFFERENCE,
                Source::Sum(..) => origin::SUM,
                Source::Floats(..) => origin::FLOATS,
                Source::Parts(..) => origin::PARTS,
            };
            let mut origin = self.word(base | on_top);
            if base == origin::CORE {
                // What the record says stays, what is on top of it is new.
                let old = self.load_core(I32, field!(link.record.origin));
                origin = self.b.ins().bor(old, origin);
            }
            self.store_core(origin, field!(link.record.origin));
        }
        if fresh[0] {
            self.record_source(source);
        }
        if fresh[1] {
            for (value, at) in [
                (result, field!(link.record.result)),
                (carry, field!(link.record.carry)),
            ] {
                if let Some(value) = value {
                    self.store_core(value, at);
                }
            }
        }
        if fresh[2]
            && let Some((x, y)) = compared
        {
            let one = self.word(1);
            self.store_core(one, field!(link.record.compared));
            self.store_core(x, field!(link.record.x));
            self.store_core(y, field!(link.record.y));
        }
    }

    fn record_source(&mut self, source: Source) {
        let (a, b, v) = match source {
            Source::Before => return,
            Source::Difference(a, b) | Source::Sum(a, b) | Source::Floats(a, b) => (a, b, None),
            Source::Parts(nz, c, v) => (nz, c, Some(v)),
        };
        self.store_core(a, field!(link.record.a));
        self.store_core(b, field!(link.record.b));
        if let Some(v) = v {
            self.store_core(v, field!(link.record.v));
        }
    }
}
