//! Data processing: the same results and flags as `exec::alu` and `exec::dsp`.

use super::super::op::{Dp, Extract, ImmCarry, Lane, Misc, Mul, MulLong, Op, Par, Reg, Shift};
use super::emit::Emitter;
use super::plan::Item;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Type, Value};

impl Emitter<'_> {
    /// One instruction that does not branch.
    pub(super) fn instruction(&mut self, item: &Item) {
        let pc = item.here.wrapping_add(4);
        match item.slot.op {
            Op::DpImm {
                f,
                s,
                rd,
                rn,
                carry,
                imm,
            } => {
                if let (false, Dp::Add | Dp::Sub, false) = (s, f, rn == 15) {
                    let by = if f == Dp::Add {
                        imm
                    } else {
                        imm.wrapping_neg()
                    };
                    let base = self.get(rn);
                    let sum = self.moved(base, by as i32);
                    self.set_any(rd, sum);
                    return;
                }
                let b = self.word(imm);
                let carry = match carry {
                    ImmCarry::Keep => None,
                    ImmCarry::Clear => Some(self.word(0)),
                    ImmCarry::Set => Some(self.word(1)),
                };
                self.data_processing(f, s, rd, rn, b, carry);
            }
            Op::DpReg {
                f,
                s,
                rd,
                rn,
                rm,
                shift,
                amount,
            } => {
                let value = self.get(rm);
                let amount = amount.into();
                let b = self.shift(value, shift, amount);
                let logical = s || matches!(f, Dp::Tst | Dp::Teq);
                let carry = logical.then(|| self.shift_carry(value, shift, amount));
                let carry = carry.flatten();
                self.data_processing(f, s, rd, rn, b, carry);
            }
            Op::ShiftReg {
                shift,
                s,
                rd,
                rn,
                rm,
            } => self.shift_register(shift, s, rd, rn, rm),
            Op::Adr { rd, offset } => {
                let value = self.word((pc & !3).wrapping_add_signed(offset));
                self.set(rd, value);
            }
            Op::MovFromPc { rd } => {
                let value = self.word(pc);
                self.set_any(rd, value);
            }
            Op::AddFromPc { rd } => {
                let (a, b) = (self.get(rd), self.word(pc));
                let sum = self.b.ins().iadd(a, b);
                self.set_any(rd, sum);
            }
            Op::Movt { rd, imm } => {
                let low = self.get(rd);
                let low = self.and(low, 0xffff);
                let high = self.word(u32::from(imm) << 16);
                let value = self.b.ins().bor(low, high);
                self.set(rd, value);
            }
            Op::Bfi { rd, rn, lsb, width } => {
                let mask = (u32::MAX >> (32 - u32::from(width))) << lsb;
                let old = self.get(rd);
                let old = self.and(old, !mask);
                let value = if rn == 15 {
                    old
                } else {
                    let source = self.get(rn);
                    let source = self.left(source, lsb.into());
                    let source = self.and(source, mask);
                    self.b.ins().bor(old, source)
                };
                self.set(rd, value);
            }
            Op::Bfx {
                signed,
                rd,
                rn,
                lsb,
                width,
            } => {
                let (lsb, width) = (u32::from(lsb), u32::from(width));
                let value = self.get(rn);
                let value = if signed {
                    let up = self.left(value, 32 - lsb - width);
                    self.right_signed(up, 32 - width)
                } else {
                    let down = self.right(value, lsb);
                    self.and(down, u32::MAX >> (32 - width))
                };
                self.set(rd, value);
            }
            Op::Extend { x, rd, rn, rm, rot } => self.extend(x, rd, rn, rm, rot),
            Op::Pkh {
                tb,
                rd,
                rn,
                rm,
                amount,
            } => {
                let (n, m) = (self.get(rn), self.get(rm));
                let (n_mask, m) = if tb {
                    let shifted = self.shift(m, Shift::Asr, amount.into());
                    (0xffff_0000, shifted)
                } else {
                    (0xffff, self.left(m, amount.into()))
                };
                let n = self.and(n, n_mask);
                let m = self.and(m, !n_mask);
                let value = self.b.ins().bor(n, m);
                self.set(rd, value);
            }
            Op::Sat {
                signed,
                rd,
                rn,
                bits,
                shift,
                amount,
            } => {
                let value = self.get(rn);
                let value = self.shift(value, shift, amount.into());
                let wide = self.b.ins().sextend(I64, value);
                let (low, high) = if signed {
                    let max = (1_i64 << (bits - 1)) - 1;
                    (-max - 1, max)
                } else {
                    (0, (1_i64 << bits) - 1)
                };
                let result = self.saturate(wide, low, high);
                let result = self.b.ins().ireduce(I32, result);
                self.set(rd, result);
            }
            Op::Parallel {
                lane,
                par,
                rd,
                rn,
                rm,
            } => self.parallel(lane, par, rd, rn, rm),
            Op::Misc { f, rd, rn, rm } => self.misc(f, rd, rn, rm),
            Op::Mul {
                f,
                s,
                rd,
                rn,
                rm,
                ra,
            } => self.multiply(f, s, rd, rn, rm, ra),
            Op::MulLong { f, lo, hi, rn, rm } => self.multiply_long(f, lo, hi, rn, rm),
            Op::Bl { .. } => {
                let behind = item.here.wrapping_add(item.slot.size.into()) | 1;
                let behind = self.word(behind);
                self.set(14, behind);
            }
            op if op.is_fpu() => self.fpu(&op, item.here),
            op => self.access(&op, item.here),
        }
    }

    pub(super) fn and(&mut self, value: Value, mask: u32) -> Value {
        let mask = self.word(mask);
        self.b.ins().band(value, mask)
    }

    /// Shifts by 0 to 31.
    pub(super) fn left(&mut self, value: Value, amount: u32) -> Value {
        let amount = self.word(amount);
        self.b.ins().ishl(value, amount)
    }

    pub(super) fn right(&mut self, value: Value, amount: u32) -> Value {
        let amount = self.word(amount);
        self.b.ins().ushr(value, amount)
    }

    fn right_signed(&mut self, value: Value, amount: u32) -> Value {
        let amount = self.word(amount);
        self.b.ins().sshr(value, amount)
    }

    fn bit(&mut self, value: Value, bit: u32) -> Value {
        let down = self.right(value, bit);
        self.and(down, 1)
    }

    /// As `flags::shift`, without the carry.
    fn shift(&mut self, value: Value, kind: Shift, amount: u32) -> Value {
        match (kind, amount) {
            (_, 0) => value,
            (Shift::Lsl, 1..=31) => self.left(value, amount),
            (Shift::Lsr, 1..=31) => self.right(value, amount),
            (Shift::Lsl | Shift::Lsr, _) => self.word(0),
            (Shift::Asr, _) => self.right_signed(value, amount.min(31)),
            (Shift::Ror, _) => {
                let by = self.word(amount & 31);
                self.b.ins().rotr(value, by)
            }
            (Shift::Rrx, _) => {
                let carry = self.carry();
                let high = self.left(carry, 31);
                let low = self.right(value, 1);
                self.b.ins().bor(high, low)
            }
        }
    }

    /// The carry of such a shift; `None` if it stays.
    fn shift_carry(&mut self, value: Value, kind: Shift, amount: u32) -> Option<Value> {
        Some(match (kind, amount) {
            (_, 0) => return None,
            (Shift::Lsl, 1..=31) => self.bit(value, 32 - amount),
            (Shift::Lsl | Shift::Rrx, _) => self.and(value, 1),
            (Shift::Lsr | Shift::Asr, 1..=31) => self.bit(value, amount - 1),
            (Shift::Lsr | Shift::Asr, _) => self.bit(value, 31),
            (Shift::Ror, _) => self.bit(value, (amount + 31) & 31),
        })
    }

    fn shift_register(&mut self, kind: Shift, s: bool, rd: Reg, rn: Reg, rm: Reg) {
        let (value, amount) = (self.get(rn), self.get(rm));
        let amount = self.and(amount, 0xff);
        let (result, carry) = if matches!(kind, Shift::Ror | Shift::Rrx) {
            let result = self.b.ins().rotr(value, amount);
            (result, self.bit(result, 31))
        } else {
            // With 64 bits, shifts by up to 63 need no cases, and longer ones give the
            // same as 63.
            let most = self.word(63);
            let by = self.b.ins().umin(amount, most);
            let by = self.b.ins().uextend(I64, by);
            let one = self.b.ins().iconst(I64, 1);
            let (result, carry) = match kind {
                Shift::Lsl => {
                    let wide = self.b.ins().uextend(I64, value);
                    let shifted = self.b.ins().ishl(wide, by);
                    let up = self.b.ins().iconst(I64, 32);
                    let carry = self.b.ins().ushr(shifted, up);
                    (shifted, carry)
                }
                Shift::Asr => {
                    let wide = self.b.ins().sextend(I64, value);
                    let doubled = self.b.ins().ishl(wide, one);
                    let carry = self.b.ins().sshr(doubled, by);
                    (self.b.ins().sshr(wide, by), carry)
                }
                _ => {
                    let wide = self.b.ins().uextend(I64, value);
                    let doubled = self.b.ins().ishl(wide, one);
                    let carry = self.b.ins().ushr(doubled, by);
                    (self.b.ins().ushr(wide, by), carry)
                }
            };
            let result = self.b.ins().ireduce(I32, result);
            let carry = self.b.ins().ireduce(I32, carry);
            (result, self.and(carry, 1))
        };
        if s {
            let old = self.carry();
            let none = self.compare_word(IntCC::Equal, amount, 0);
            let carry = self.b.ins().select(none, old, carry);
            self.logic_flags(result, Some(carry));
        }
        self.set(rd, result);
    }

    fn data_processing(
        &mut self,
        f: Dp,
        s: bool,
        rd: Reg,
        rn: Reg,
        b: Value,
        carry: Option<Value>,
    ) {
        let a = match f {
            Dp::Mov | Dp::Mvn => b,
            _ => self.get(rn),
        };
        let logical = match f {
            Dp::And | Dp::Tst => Some(self.b.ins().band(a, b)),
            Dp::Bic => Some(self.b.ins().band_not(a, b)),
            Dp::Orr => Some(self.b.ins().bor(a, b)),
            Dp::Orn => Some(self.b.ins().bor_not(a, b)),
            Dp::Eor | Dp::Teq => Some(self.b.ins().bxor(a, b)),
            Dp::Mov => Some(b),
            Dp::Mvn => Some(self.b.ins().bnot(b)),
            _ => None,
        };
        if let Some(result) = logical {
            let tests = matches!(f, Dp::Tst | Dp::Teq);
            if s || tests {
                self.logic_flags(result, carry);
            }
            if !tests {
                self.set_any(rd, result);
            }
            return;
        }
        match f {
            Dp::Cmn => {
                self.add_flags(a, b);
            }
            Dp::Cmp => {
                self.sub_flags(a, b);
            }
            Dp::Adc | Dp::Sbc => {
                let b = if f == Dp::Sbc {
                    self.b.ins().bnot(b)
                } else {
                    b
                };
                let carry = self.carry();
                let [wa, wb, wc] = [a, b, carry].map(|x| self.b.ins().uextend(I64, x));
                let sum = self.b.ins().iadd(wa, wb);
                let sum = self.b.ins().iadd(sum, wc);
                let result = self.b.ins().ireduce(I32, sum);
                if s {
                    let up = self.b.ins().iconst(I64, 32);
                    let carry = self.b.ins().ushr(sum, up);
                    let carry = self.b.ins().ireduce(I32, carry);
                    self.carried_flags(a, b, result, carry);
                }
                self.set(rd, result);
            }
            Dp::Rsb => {
                let result = if s {
                    self.sub_flags(b, a)
                } else {
                    self.b.ins().isub(b, a)
                };
                self.set(rd, result);
            }
            Dp::Sub => {
                let result = if s {
                    self.sub_flags(a, b)
                } else {
                    self.b.ins().isub(a, b)
                };
                self.set_any(rd, result);
            }
            _ => {
                let result = if s {
                    self.add_flags(a, b)
                } else {
                    self.b.ins().iadd(a, b)
                };
                self.set_any(rd, result);
            }
        }
    }

    fn narrow(&mut self, ty: Type, signed: bool, value: Value) -> Value {
        let low = self.b.ins().ireduce(ty, value);
        if signed {
            self.b.ins().sextend(I32, low)
        } else {
            self.b.ins().uextend(I32, low)
        }
    }

    fn extend(&mut self, x: Extract, rd: Reg, rn: Reg, rm: Reg, rot: u8) {
        let mut w = self.get(rm);
        if rot != 0 {
            let by = self.word(rot.into());
            w = self.b.ins().rotr(w, by);
        }
        let pair = match x {
            Extract::Sb => (self.narrow(I8, true, w), None),
            Extract::Sh => (self.narrow(I16, true, w), None),
            Extract::Ub => (self.narrow(I8, false, w), None),
            Extract::Uh => (self.narrow(I16, false, w), None),
            Extract::Sb16 | Extract::Ub16 => {
                let signed = x == Extract::Sb16;
                let high = self.right(w, 16);
                let high = self.narrow(I8, signed, high);
                (self.narrow(I8, signed, w), Some(high))
            }
        };
        let result = match (pair, rn) {
            ((low, None), 15) => low,
            ((low, None), _) => {
                let base = self.get(rn);
                self.b.ins().iadd(base, low)
            }
            ((low, Some(high)), _) => {
                let base = if rn == 15 { self.word(0) } else { self.get(rn) };
                // The low sum may carry into the high half, which is masked away; the
                // high sum is made in place, where nothing below can carry into it.
                let low = self.b.ins().iadd(base, low);
                let low = self.and(low, 0xffff);
                let high = self.left(high, 16);
                let top = self.and(base, 0xffff_0000);
                let high = self.b.ins().iadd(top, high);
                self.b.ins().bor(low, high)
            }
        };
        self.set(rd, result);
    }

    /// Clamps a 64-bit value; Q if that changes it.
    fn saturate(&mut self, value: Value, low: i64, high: i64) -> Value {
        let low = self.b.ins().iconst(I64, low);
        let high = self.b.ins().iconst(I64, high);
        let clamped = self.b.ins().smax(value, low);
        let clamped = self.b.ins().smin(clamped, high);
        let changed = self.compare(IntCC::NotEqual, clamped, value);
        self.or_q(changed);
        clamped
    }

    fn parallel(&mut self, lane: Lane, par: Par, rd: Reg, rn: Reg, rm: Reg) {
        let (n, mut m) = (self.get(rn), self.get(rm));
        let signed = matches!(lane, Lane::S | Lane::Q | Lane::Sh);
        let (width, minus) = match par {
            Par::Add16 => (16, [false; 4]),
            Par::Asx => (16, [true, false, false, false]),
            Par::Sax => (16, [false, true, false, false]),
            Par::Sub16 => (16, [true; 4]),
            Par::Add8 => (8, [false; 4]),
            Par::Sub8 => (8, [true; 4]),
        };
        if matches!(par, Par::Asx | Par::Sax) {
            let half = self.word(16);
            m = self.b.ins().rotr(m, half);
        }
        let mut result = self.word(0);
        let mut reached = self.word(0);
        for i in 0..32 / width {
            let element = |e: &mut Self, word: Value| {
                let up = e.left(word, 32 - width - i * width);
                if signed {
                    e.right_signed(up, 32 - width)
                } else {
                    e.right(up, 32 - width)
                }
            };
            let (a, b) = (element(self, n), element(self, m));
            let difference = minus[i as usize];
            let exact = if difference {
                self.b.ins().isub(a, b)
            } else {
                self.b.ins().iadd(a, b)
            };
            let value = match lane {
                Lane::S | Lane::U => exact,
                Lane::Sh | Lane::Uh => self.right_signed(exact, 1),
                Lane::Q | Lane::Uq => {
                    let (low, high) = if signed {
                        (!0 << (width - 1), (1 << (width - 1)) - 1)
                    } else {
                        (0, (1_u32 << width) - 1)
                    };
                    let (low, high) = (self.word(low), self.word(high));
                    let raised = self.b.ins().smax(exact, low);
                    self.b.ins().smin(raised, high)
                }
            };
            if matches!(lane, Lane::S | Lane::U) {
                let ge = if lane == Lane::U && !difference {
                    let carry = self.right(exact, width);
                    self.compare_word(IntCC::NotEqual, carry, 0)
                } else {
                    self.compare_word(IntCC::SignedGreaterThanOrEqual, exact, 0)
                };
                let ge = self.b.ins().uextend(I32, ge);
                let per = width / 8;
                let spread = self.word(((1 << per) - 1) << (i * per));
                let ge = self.b.ins().imul(ge, spread);
                reached = self.b.ins().bor(reached, ge);
            }
            let value = self.and(value, u32::MAX >> (32 - width));
            let value = self.left(value, i * width);
            result = self.b.ins().bor(result, value);
        }
        if matches!(lane, Lane::S | Lane::U) {
            let ge = self.b.ins().ireduce(I8, reached);
            self.set_ge(ge);
        }
        self.set(rd, result);
    }

    fn misc(&mut self, f: Misc, rd: Reg, rn: Reg, rm: Reg) {
        let m = self.get(rm);
        let result = match f {
            Misc::Clz => self.b.ins().clz(m),
            Misc::Rbit => self.b.ins().bitrev(m),
            Misc::Rev => self.b.ins().bswap(m),
            Misc::Rev16 => {
                let swapped = self.b.ins().bswap(m);
                let half = self.word(16);
                self.b.ins().rotr(swapped, half)
            }
            Misc::Revsh => {
                let swapped = self.b.ins().bswap(m);
                self.right_signed(swapped, 16)
            }
            Misc::Sel => {
                let n = self.get(rn);
                let ge = self.get_ge();
                let ge = self.b.ins().uextend(I32, ge);
                // One bit for each byte, spread to its lowest bit.
                let mut mask = self.word(0);
                for i in 0..4 {
                    let bit = self.bit(ge, i);
                    let bit = self.left(bit, 8 * i);
                    mask = self.b.ins().bor(mask, bit);
                }
                let all = self.word(0xff);
                let mask = self.b.ins().imul(mask, all);
                let n = self.b.ins().band(n, mask);
                let m = self.b.ins().band_not(m, mask);
                self.b.ins().bor(n, m)
            }
            _ => {
                let n = self.get(rn);
                let (n, m) = (self.b.ins().sextend(I64, n), self.b.ins().sextend(I64, m));
                let n = if matches!(f, Misc::Qdadd | Misc::Qdsub) {
                    let doubled = self.b.ins().iadd(n, n);
                    self.saturate_word(doubled)
                } else {
                    n
                };
                let exact = if matches!(f, Misc::Qadd | Misc::Qdadd) {
                    self.b.ins().iadd(m, n)
                } else {
                    self.b.ins().isub(m, n)
                };
                let clamped = self.saturate_word(exact);
                self.b.ins().ireduce(I32, clamped)
            }
        };
        self.set(rd, result);
    }

    fn saturate_word(&mut self, value: Value) -> Value {
        self.saturate(value, i32::MIN.into(), i32::MAX.into())
    }

    fn half(&mut self, value: Value, high: bool) -> Value {
        let value = if high { self.right(value, 16) } else { value };
        self.narrow(I16, true, value)
    }

    /// Sum or difference of two products of halfwords, 64 bits.
    fn dual(&mut self, n: Value, m: Value, swap: bool, sub: bool) -> Value {
        let [n0, n1] = [false, true].map(|h| self.half(n, h));
        let [m0, m1] = [swap, !swap].map(|h| self.half(m, h));
        let (low, high) = (self.b.ins().imul(n0, m0), self.b.ins().imul(n1, m1));
        let [low, high] = [low, high].map(|x| self.b.ins().sextend(I64, x));
        if sub {
            self.b.ins().isub(low, high)
        } else {
            self.b.ins().iadd(low, high)
        }
    }

    fn product(&mut self, n: Value, m: Value) -> Value {
        let [n, m] = [n, m].map(|x| self.b.ins().sextend(I64, x));
        self.b.ins().imul(n, m)
    }

    /// The low word of a 64-bit sum; Q if it does not fit.
    fn accumulate(&mut self, sum: Value) -> Value {
        let low = self.b.ins().ireduce(I32, sum);
        let back = self.b.ins().sextend(I64, low);
        let lost = self.compare(IntCC::NotEqual, back, sum);
        self.or_q(lost);
        low
    }

    fn multiply(&mut self, f: Mul, s: bool, rd: Reg, rn: Reg, rm: Reg, ra: Reg) {
        let (n, m) = (self.get(rn), self.get(rm));
        let addend = |e: &mut Self| {
            let a = if ra == 15 { e.word(0) } else { e.get(ra) };
            e.b.ins().sextend(I64, a)
        };
        let result = match f {
            Mul::Mul => {
                let product = self.b.ins().imul(n, m);
                if s {
                    self.logic_flags(product, None);
                }
                product
            }
            Mul::Mla => {
                let (a, product) = (self.get(ra), self.b.ins().imul(n, m));
                self.b.ins().iadd(a, product)
            }
            Mul::Mls => {
                let (a, product) = (self.get(ra), self.b.ins().imul(n, m));
                self.b.ins().isub(a, product)
            }
            Mul::Smul { n_high, m_high } | Mul::Smla { n_high, m_high } => {
                let (n, m) = (self.half(n, n_high), self.half(m, m_high));
                let product = self.b.ins().imul(n, m);
                if matches!(f, Mul::Smul { .. }) {
                    product
                } else {
                    let (a, product) = (addend(self), self.b.ins().sextend(I64, product));
                    let sum = self.b.ins().iadd(a, product);
                    self.accumulate(sum)
                }
            }
            Mul::Smulw { m_high } | Mul::Smlaw { m_high } => {
                let m = self.half(m, m_high);
                let product = self.product(n, m);
                let by = self.b.ins().iconst(I64, 16);
                let product = self.b.ins().sshr(product, by);
                if matches!(f, Mul::Smulw { .. }) {
                    self.b.ins().ireduce(I32, product)
                } else {
                    let a = addend(self);
                    let sum = self.b.ins().iadd(a, product);
                    self.accumulate(sum)
                }
            }
            Mul::Smuad { swap, sub } => {
                let sum = self.dual(n, m, swap, sub);
                self.accumulate(sum)
            }
            Mul::Smlad { swap, sub } => {
                let (a, sum) = (addend(self), self.dual(n, m, swap, sub));
                let sum = self.b.ins().iadd(a, sum);
                self.accumulate(sum)
            }
            Mul::Smmul { round } | Mul::Smmla { round } | Mul::Smmls { round } => {
                let mut value = self.product(n, m);
                if !matches!(f, Mul::Smmul { .. }) {
                    let up = self.b.ins().iconst(I64, 32);
                    let a = addend(self);
                    let a = self.b.ins().ishl(a, up);
                    value = if matches!(f, Mul::Smmla { .. }) {
                        self.b.ins().iadd(a, value)
                    } else {
                        self.b.ins().isub(a, value)
                    };
                }
                if round {
                    let half = self.b.ins().iconst(I64, 0x8000_0000);
                    value = self.b.ins().iadd(value, half);
                }
                self.high(value)
            }
            // Not translated.
            Mul::Usad8 | Mul::Usada8 => return,
        };
        self.set(rd, result);
    }

    fn high(&mut self, value: Value) -> Value {
        let down = self.b.ins().iconst(I64, 32);
        let high = self.b.ins().ushr(value, down);
        self.b.ins().ireduce(I32, high)
    }

    fn multiply_long(&mut self, f: MulLong, lo: Reg, hi: Reg, rn: Reg, rm: Reg) {
        let (n, m) = (self.get(rn), self.get(rm));
        let product = match f {
            MulLong::Smull | MulLong::Smlal => self.product(n, m),
            MulLong::Umull | MulLong::Umlal | MulLong::Umaal => {
                let [n, m] = [n, m].map(|x| self.b.ins().uextend(I64, x));
                self.b.ins().imul(n, m)
            }
            MulLong::SmlalHalf { n_high, m_high } => {
                let (n, m) = (self.half(n, n_high), self.half(m, m_high));
                let product = self.b.ins().imul(n, m);
                self.b.ins().sextend(I64, product)
            }
            MulLong::Smlald { swap, sub } => self.dual(n, m, swap, sub),
        };
        let result = if matches!(f, MulLong::Smull | MulLong::Umull) {
            product
        } else {
            let (low, high) = (self.get(lo), self.get(hi));
            let [low, high] = [low, high].map(|x| self.b.ins().uextend(I64, x));
            let before = if f == MulLong::Umaal {
                self.b.ins().iadd(low, high)
            } else {
                let up = self.b.ins().iconst(I64, 32);
                let high = self.b.ins().ishl(high, up);
                self.b.ins().bor(low, high)
            };
            self.b.ins().iadd(before, product)
        };
        let low = self.b.ins().ireduce(I32, result);
        self.set(lo, low);
        let high = self.high(result);
        self.set(hi, high);
    }
}
