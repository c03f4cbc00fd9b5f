//! Who called whom, from the link register and the stack.
//!
//! Programs carry no unwind tables. A word is taken for a return address if it lies
//! behind a call in a known function; what lies between two frames is searched word
//! by word, so an old value that a function left on the stack can look like a frame.
//! A frame is *certain* only if the call before it goes to the function that the frame
//! above it is in; all others are called what they are.

use crate::cpu::op::Op;
use crate::cpu::{Core, Decoded, Memory, decode, is_wide};
use crate::symbols::Symbols;

/// A frame above the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The address behind a call of the function above.
    Certain(u32),
    /// The address behind some call.
    Perhaps(u32),
    /// Where an exception was taken.
    Interrupted(u32),
}

/// Frames that are given at most.
const DEPTH: usize = 16;
/// Words of the stack that are searched at most.
const WORDS: u32 = 1024;
/// Bytes of the exception frame before its PC.
const FRAME_PC: u32 = 24;

/// What comes before a return address.
enum Call {
    /// A call of this address.
    To(u32),
    /// A call through a register.
    Indirect,
}

/// The call that returns to `address`, if there is one.
fn call_before(memory: &Memory, address: u32) -> Option<Call> {
    let at = address & !1;
    let wide = at.checked_sub(4)?;
    let (hw1, hw2) = (memory.half(wide)?, memory.half(wide + 2)?);
    if is_wide(hw1)
        && let Decoded::Op(Op::Bl { offset }) = decode(hw1, hw2, false)
    {
        return Some(Call::To(at.wrapping_add_signed(offset)));
    }
    let narrow = memory.half(at - 2)?;
    match decode(narrow, 0, false) {
        Decoded::Op(Op::Blx { .. }) if !is_wide(narrow) => Some(Call::Indirect),
        _ => None,
    }
}

/// The value that LR has in a handler.
fn is_exception_return(word: u32) -> bool {
    matches!(
        word,
        0xffff_ffe1 | 0xffff_ffe9 | 0xffff_ffed | 0xffff_fff1 | 0xffff_fff9 | 0xffff_fffd
    )
}

struct Walk<'a> {
    memory: &'a Memory,
    symbols: &'a Symbols,
    /// The function of the last frame.
    function: Option<u32>,
    frames: Vec<Caller>,
}

impl Walk<'_> {
    /// Takes `word` for a return address, if it is one.
    fn try_return(&mut self, word: u32) {
        if word & 1 == 0 || self.symbols.start_of(word).is_none() {
            return;
        }
        let Some(call) = call_before(self.memory, word) else {
            return;
        };
        let at = (word & !1) - 2;
        let certain = matches!(call, Call::To(to) if Some(to) == self.function);
        if !certain && self.symbols.start_of(at) == self.function {
            // What a call that is over left behind.
            return;
        }
        self.frames.push(if certain {
            Caller::Certain(at)
        } else {
            Caller::Perhaps(at)
        });
        self.function = self.symbols.start_of(at);
    }

    /// An exception frame at `sp`; where the stack goes on behind it.
    fn interrupted(&mut self, sp: u32) -> Option<u32> {
        let pc = self.memory.word(sp.checked_add(FRAME_PC)?)?;
        self.symbols.start_of(pc)?;
        self.frames.push(Caller::Interrupted(pc));
        self.function = self.symbols.start_of(pc);
        // LR of what was interrupted may be its return address.
        let lr = self.memory.word(sp + 20)?;
        self.try_return(lr);
        Some(sp + FRAME_PC + 8)
    }
}

/// The frames above the one of `core`'s program counter.
pub fn backtrace(core: &Core, memory: &Memory, symbols: &Symbols) -> Vec<Caller> {
    let mut walk = Walk {
        memory,
        symbols,
        function: symbols.start_of(core.pc),
        frames: Vec::new(),
    };
    let mut sp = core.regs[13];
    let lr = core.regs[14];
    if is_exception_return(lr) && core.exception() != 0 {
        // The handler has not called anything yet; it may have pushed LR.
        let pushed = (0..16).map(|i| sp.wrapping_add(4 * i));
        let saved = pushed.clone().find(|at| memory.word(*at) == Some(lr));
        let frame = saved.map_or(sp, |at| at.wrapping_add(4));
        sp = walk.interrupted(frame).unwrap_or(sp);
    } else {
        walk.try_return(lr);
    }
    let from_lr = walk.frames.len();
    let end = sp.saturating_add(4 * WORDS);
    while sp < end && walk.frames.len() < DEPTH {
        let Some(word) = memory.word(sp) else {
            break;
        };
        sp += 4;
        if is_exception_return(word) {
            if let Some(after) = walk.interrupted(sp) {
                sp = after;
            }
        } else if word == lr && walk.frames.len() == from_lr && from_lr == 1 {
            // The frame that LR gave already, as its function has pushed it.
        } else {
            walk.try_return(word);
        }
    }
    walk.frames.truncate(DEPTH);
    walk.frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Costs, Exit, IRQ0, NoMmio};
    use ir::geometry::PeCoord;
    use ir::image::{PeImage, Symbol, SymbolKind};

    fn symbols(functions: &[(&str, u32)]) -> Symbols {
        let symbols = functions.iter().map(|(name, addr)| Symbol {
            name: (*name).to_owned(),
            addr: *addr,
            size: 0,
            kind: SymbolKind::Function,
        });
        Symbols::new(&PeImage {
            pe: PeCoord::new(1, 1, 0).expect("fits"),
            entry: 0,
            segments: Vec::new(),
            symbols: symbols.collect(),
        })
    }

    fn put(memory: &mut Memory, at: u32, halves: &[u16]) {
        let bytes: Vec<u8> = halves.iter().flat_map(|h| h.to_le_bytes()).collect();
        memory.write(at, &bytes).expect("inside");
    }

    #[test]
    fn frames_through_an_interrupt() {
        let mut memory = Memory::new(0x4000);
        put(&mut memory, 0, &[0x4000, 0, 0x101, 0]);
        let vector = 4 * u32::from(IRQ0);
        put(&mut memory, vector, &[0x201, 0]);
        // main at 0x100: enable line 0, then pend it and spin.
        put(
            &mut memory,
            0x100,
            &[
                0xf24e, 0x1000, 0xf2ce, 0x0000, // r0 = 0xe000e100
                0x2101, 0x6001, 0xf8c0, 0x1100, // enable, pend
                0xe7fe,
            ],
        );
        // tick at 0x200: push {r4, lr}; bl outer; pop {r4, pc}
        put(&mut memory, 0x200, &[0xb510, 0xf000, 0xf87e, 0xbd10]);
        // outer at 0x302: push {r3, lr}; bl inner (0x400); pop {r3, pc}
        put(&mut memory, 0x302, &[0xb508, 0xf000, 0xf87c, 0xbd08]);
        // inner at 0x400: udf, without a frame
        put(&mut memory, 0x400, &[0xde00]);
        let names = symbols(&[
            ("main", 0x100),
            ("tick", 0x200),
            ("outer", 0x302),
            ("inner", 0x400),
        ]);
        let mut core = Core::new(Costs::default());
        core.reset(&memory).expect("vectors");
        let exit = core.run(&mut memory, &mut NoMmio, 10_000);
        assert!(matches!(exit, Exit::Fault(f) if f.pc == 0x400), "{exit:?}");
        let frames = backtrace(&core, &memory, &names);
        let [
            Caller::Certain(outer),
            Caller::Certain(tick),
            Caller::Interrupted(main),
        ] = frames.as_slice()
        else {
            panic!("{frames:?}");
        };
        assert_eq!(names.function(*outer).as_deref(), Some("outer+0x4"));
        assert_eq!(names.function(*tick).as_deref(), Some("tick+0x4"));
        assert_eq!(names.function(*main).as_deref(), Some("main+0x10"));
    }

    #[test]
    fn garbage_on_the_stack_ends() {
        let mut memory = Memory::new(0x1000);
        let bytes: Vec<u8> = (0..0xf00_u32).map(|i| (i * 37 % 251) as u8).collect();
        memory.write(0x100, &bytes).expect("inside");
        let names = symbols(&[("all", 0)]);
        let mut core = Core::new(Costs::default());
        for sp in [0, 0x800, 0xffc, 0x1000, 0xffff_fff0] {
            core.regs[13] = sp;
            core.regs[14] = 0xffff_fff9;
            assert!(backtrace(&core, &memory, &names).len() <= DEPTH);
        }
    }
}
