//! Branches, IT blocks and other sequences with a shape of their own.

use crate::instance::{Instance, from_pattern, mov};
use crate::patterns::PATTERNS;
use crate::value::Rng;

/// Four additions; every branch jumps over some of them, or not.
fn additions() -> [u16; 4] {
    let adds = |r: u16, imm: u16| 0x3000 | r << 8 | imm;
    [adds(0, 1), adds(1, 2), adds(2, 3), adds(3, 4)]
}

/// How a branch finds its target.
enum Target {
    Encoded,
    /// A register holds the address of the code plus this.
    Register(u8, u32),
    /// A scratch word at the base register R4 plus an offset, and the base's offset.
    Loaded {
        word: usize,
        base: u32,
    },
    /// R0 is a small even offset.
    Small,
    /// Base, index, and whether entries are halfwords.
    Table(u8, u8, bool),
}

/// A branch forward: name, code, and how its target is found.
fn branch(rng: &mut Rng, form: u32) -> (&'static str, Vec<u16>, Target) {
    let cond = rng.below(14) as u16;
    let loaded = |word, base| Target::Loaded { word, base };
    match form {
        0 => ("bcond", vec![0xd000 | cond << 8], Target::Encoded),
        1 => (
            "bcond wide",
            vec![0xf000 | cond << 6, 0x8001],
            Target::Encoded,
        ),
        2 => ("cbz", vec![0xb100 | rng.below(8) as u16], Target::Encoded),
        3 => ("cbnz", vec![0xb900 | rng.below(8) as u16], Target::Encoded),
        // From here on allowed at the end of an IT block.
        4 => ("b", vec![0xe000], Target::Encoded),
        5 => ("b wide", vec![0xf000, 0xb801], Target::Encoded),
        6 => ("bl", vec![0xf000, 0xf801], Target::Encoded),
        7 | 8 => {
            let rm = rng.pick(&[1_u16, 4, 9, 12]);
            let link = if form == 8 { 0x80 } else { 0 };
            (
                "bx blx",
                vec![0x4700 | rm << 3 | link],
                Target::Register(rm as u8, 2 + 2 + 1),
            )
        }
        9 => ("mov pc", vec![mov(15, 6)], Target::Register(6, 2 + 2)),
        10 => ("tbb", vec![0xe8d5, 0xf007], Target::Table(5, 7, false)),
        11 => ("tbh", vec![0xe8d5, 0xf018], Target::Table(5, 8, true)),
        12 => ("add pc", vec![0x4487], Target::Small),
        13 => ("ldr pc", vec![0xf8d4, 0xf000], loaded(0, 0)),
        14 => ("ldm pc", vec![0xe8b4, 0x8003], loaded(2, 0)),
        15 => ("pop pc", vec![mov(13, 4), 0xbd04], loaded(1, 0)),
        16 => ("ldr pc post", vec![0xf854, 0xfb04], loaded(1, 4)),
        17 => ("ldr pc post down", vec![0xf854, 0xf904], loaded(1, 4)),
        18 => ("ldr pc pre", vec![0xf854, 0xff04], loaded(2, 4)),
        19 => ("ldr pc pre down", vec![0xf854, 0xfd04], loaded(0, 4)),
        20 => ("ldr pc down", vec![0xf854, 0xfc04], loaded(0, 4)),
        21 => ("ldm pc plain", vec![0xe894, 0x8003], loaded(2, 0)),
        22 => ("ldmdb pc", vec![0xe914, 0x8003], loaded(2, 12)),
        23 => ("ldmdb pc wb", vec![0xe934, 0x8003], loaded(2, 12)),
        24 => (
            "pop pc wide",
            vec![mov(13, 4), 0xe8bd, 0x8004],
            loaded(1, 0),
        ),
        25 => ("ldm sp pc", vec![mov(13, 4), 0xe89d, 0x8004], loaded(1, 0)),
        _ => {
            // R5 is 0, or the index that gives the word.
            let shift = rng.below(4) as u16;
            (
                "ldr pc register",
                vec![0xf854, 0xf005 | shift << 4],
                loaded(3, 12),
            )
        }
    }
}

const BRANCHES: u32 = 27;

/// A branch forward over some additions, perhaps as the end of an IT block.
fn forward(rng: &mut Rng) -> Instance {
    let form = rng.below(BRANCHES);
    let (name, mut head, target) = branch(rng, form);
    // Where the branch itself begins.
    let at = usize::from(head[0] == mov(13, 4));
    let mut extra = 0;
    if form >= 4 && rng.chance(30) {
        let cond = rng.below(15) as u16;
        head.insert(at, 0xbf08 | cond << 4);
        extra = 2;
    }
    let end = 2 * head.len() as u32;
    head.extend(additions());
    let mut instance = Instance::new(rng, name, head);
    match target {
        Target::Encoded => {}
        Target::Register(r, offset) => instance.relative_to_code.push((r, offset + extra)),
        // ADD PC, R0: PC reads as the instruction plus 4.
        Target::Small => instance.set(0, rng.below(3) * 2),
        Target::Loaded { word, base } => {
            instance.point_to_scratch(4, base);
            instance.code_address = Some((word, end + 2 * rng.below(3) + 1));
            instance.set(5, 0);
        }
        Target::Table(rn, rm, half) => {
            instance.point_to_scratch(rn, 0);
            instance.set(rm, rng.below(4));
            // As bytes and as halfwords, entries 0 to 3 jump over that many additions.
            let entries = rng.pick(&[[3, 2, 1, 0], [0, 1, 2, 3], [2, 2, 0, 1]]);
            for (i, entry) in entries.into_iter().enumerate() {
                let at = if half { 2 * i } else { i };
                let lane = 8 * (at % 4);
                let wide = if half { 0xffff } else { 0xff };
                let word = &mut instance.scratch[at / 4];
                *word = *word & !(wide << lane) | entry << lane;
            }
        }
    }
    instance
}

/// A branch back: to an addition that is followed by a branch to the end.
fn backward(rng: &mut Rng) -> Instance {
    let cond = rng.below(14) as u16;
    let (name, back) = match rng.below(5) {
        0 => ("b back", [0xe7fc, 0xbf00]),
        1 => ("b wide back", [0xf7ff, 0xbffc]),
        2 => ("bl back", [0xf7ff, 0xfffc]),
        3 => ("bcond back", [0xd0fc | cond << 8, 0xbf00]),
        _ => ("bcond wide back", [0xf43f | cond << 6, 0xaffc]),
    };
    let [one, two, ..] = additions();
    if rng.chance(20) {
        let it = 0xbf08 | cond << 4;
        let code = vec![0xe001, one, 0xe002, it, 0xe7fb, 0xbf00, two];
        return Instance::new(rng, "it b back", code);
    }
    Instance::new(rng, name, vec![0xe001, one, 0xe001, back[0], back[1], two])
}

/// LDR PC, literal.
fn literal(rng: &mut Rng) -> Instance {
    let code = vec![0xf8df, 0xf004, 0xbf00, 0xbf00, 0, 0];
    let mut instance = Instance::new(rng, "ldr pc literal", [code, additions().to_vec()].concat());
    instance.literal = Some((4, 12 + 2 * rng.below(4) + 1));
    instance
}

/// Writes a special register, reads it, and puts it back.
fn system(rng: &mut Rng) -> Instance {
    let wide_zero = [0xf04f, 0x0200]; // mov.w r2, #0
    let mrs = |rd: u16, sysm: u16| [0xf3ef, 0x8000 | rd << 8 | sysm];
    let msr = |rn: u16, sysm: u16| [0xf380 | rn, 0x8800 | sysm];
    let name;
    let mut priority = false;
    let code: Vec<u16> = match rng.below(5) {
        0 => {
            name = "msr mrs";
            let sysm = rng.pick(&[9, 16, 17, 18, 19]);
            priority = sysm == 17 || sysm == 18;
            let back = if sysm == 18 { 17 } else { sysm };
            [msr(0, sysm), mrs(1, sysm), wide_zero, msr(2, back)].concat()
        }
        1 => {
            name = "msr msp";
            [msr(0, 8).as_slice(), &mrs(1, 8), &[mov(3, 13)]].concat()
        }
        2 => {
            name = "cps";
            let flags = 1 + rng.below(3) as u16;
            let disable = rng.below(2) as u16;
            let first = [0xb662 & !3 | disable << 4 | flags];
            [first.as_slice(), &mrs(1, 16), &mrs(2, 19), &[0xb663]].concat()
        }
        3 => {
            name = "sev wfe";
            let it = 0xbf08 | (rng.below(15) as u16) << 4;
            let forms = [
                [0xbf40, 0xbf20, 0xbf00],
                [0xbf40, 0xf3af, 0x8002],
                [0xbf40, it, 0xbf20],
            ];
            rng.pick(&forms).to_vec()
        }
        _ => {
            name = "svc";
            let svc = 0xdf00 | rng.below(256) as u16;
            // Inside a block the rest of it waits on the stack.
            let it = 0xbf04 | (rng.below(14) as u16) << 4;
            rng.pick(&[[svc, 0xbf00, 0xbf00], [it, svc, 0x3401]])
                .to_vec()
        }
    };
    let mut instance = Instance::new(rng, name, code);
    if priority {
        // QEMU keeps eight bits of a priority, the chip fewer.
        instance.set(0, rng.next() & 0xe0);
    }
    instance
}

/// Branches and other things with a shape of their own.
pub(crate) fn special(rng: &mut Rng) -> Instance {
    match rng.below(20) {
        0..=10 => forward(rng),
        11..=14 => backward(rng),
        15 => literal(rng),
        _ => system(rng),
    }
}

/// An IT block of one to four instructions.
pub(crate) fn it_block(rng: &mut Rng) -> Option<Instance> {
    let count = 1 + rng.below(4);
    let cond = rng.below(15) as u16;
    // The lowest set bit of the mask marks the end; above it then or else.
    // AL has no else.
    let choices = if cond == 14 {
        0
    } else {
        rng.below(1 << (count - 1)) as u16
    };
    let mask = (choices << 1 | 1) << (4 - count);
    let mut code = vec![0xbf00 | cond << 4 | mask];
    let mut whole: Option<Instance> = None;
    let mut left = count;
    while left > 0 {
        let index = rng.below(PATTERNS.len() as u32) as usize;
        let Some(instance) = from_pattern(rng, index, true) else {
            continue;
        };
        // Only the first instance's registers are loaded: one that needs a base register
        // stands alone.
        if count > 1 && instance.needs_base() {
            continue;
        }
        // QEMU treats a hint in an IT block like any instruction, and so do we.
        code.extend(&instance.code);
        whole.get_or_insert(instance);
        left -= 1;
    }
    let mut whole = whole?;
    whole.name = format!("it block of {count}");
    whole.code = code;
    Some(whole)
}
