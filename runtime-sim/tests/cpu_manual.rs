//! The decoder against the manual, over every 16-bit and every 32-bit encoding: what is
//! UNDEFINED or UNPREDICTABLE is refused, and what is defined is accepted.

#[path = "cpu_manual/mod.rs"]
mod manual;

use manual::{Rule, Says, ask};
use runtime_sim::cpu::{Core, Costs, Decoded, Exit, FaultKind, Memory, NoMmio, decode, is_wide};
use std::collections::BTreeMap;

/// Whether decoder and manual agree, to the reader of a list of differences.
fn agree(decoded: &Decoded, says: Says) -> bool {
    match says {
        Says::Defined => matches!(decoded, Decoded::Op(_)),
        Says::Absent => matches!(decoded, Decoded::Unsupported(_)),
        // Both are refusals; the manual itself is not always clear which it is.
        Says::Undefined | Says::Unpredictable => !matches!(decoded, Decoded::Op(_)),
    }
}

#[derive(Default)]
struct Found {
    encodings: u64,
    accepted: u64,
    wrong: u64,
    /// A few examples by rule.
    examples: BTreeMap<&'static str, String>,
    /// Encodings by rule.
    used: BTreeMap<&'static str, u64>,
}

impl Found {
    fn add(&mut self, other: Found) {
        self.encodings += other.encodings;
        self.accepted += other.accepted;
        self.wrong += other.wrong;
        self.examples.extend(other.examples);
        for (name, n) in other.used {
            *self.used.entry(name).or_default() += n;
        }
    }

    fn check(&self) {
        println!(
            "{} encodings, {} accepted, {} decided otherwise",
            self.encodings, self.accepted, self.wrong
        );
        for (name, example) in &self.examples {
            println!("{name}: {example}");
        }
        assert_eq!(self.wrong, 0);
    }
}

/// Every `stride`-th second half after each first half in `first`.
fn scan(rules: &[Rule], first: impl Iterator<Item = u16>, stride: usize) -> Found {
    let mut found = Found::default();
    for hw1 in first {
        let high = u32::from(hw1) << 16;
        let near: Vec<(&Rule, usize)> = rules
            .iter()
            .enumerate()
            .filter(|(_, r)| (high ^ r.value) & r.mask & 0xffff_0000 == 0)
            .map(|(i, r)| (r, i))
            .collect();
        let mut used = vec![0_u64; near.len()];
        // Another phase for each first half, so that a stride meets all low bits.
        for hw2 in (usize::from(hw1) % stride..0x1_0000).step_by(stride) {
            let word = high | hw2 as u32;
            let hit = near.iter().position(|(r, _)| word & r.mask == r.value);
            let (says, name) = match hit {
                Some(i) => {
                    used[i] += 1;
                    ask([near[i].0], word)
                }
                None => (Says::Undefined, "no diagram"),
            };
            let decoded = decode(hw1, hw2 as u16, false);
            found.encodings += 1;
            found.accepted += u64::from(matches!(decoded, Decoded::Op(_)));
            if !agree(&decoded, says) {
                found.wrong += 1;
                found.examples.entry(name).or_insert_with(|| {
                    format!("{hw1:04x} {hw2:04x}: manual {says:?}, decoder {decoded:?}")
                });
            }
        }
        for ((rule, _), n) in near.iter().zip(used) {
            *found.used.entry(rule.name).or_default() += n;
        }
    }
    found
}

#[test]
fn every_32_bit_encoding() {
    let rules = manual::wide_rules();
    let stride = if cfg!(debug_assertions) { 13 } else { 1 };
    // The coprocessor space above 0xfc00 is scanned too: nothing there is defined.
    let halves = |part: u16| (0xe800_u16..=0xffff).filter(move |hw| hw & 1 == part);
    let rules = &rules;
    let mut found = Found::default();
    std::thread::scope(|scope| {
        let both = [0, 1].map(|part| scope.spawn(move || scan(rules, halves(part), stride)));
        for part in both {
            found.add(part.join().expect("the scan ends"));
        }
    });
    assert!(found.accepted > found.encodings / 10);
    for rule in rules {
        let n = found.used.get(rule.name).copied().unwrap_or(0);
        assert!(
            n > 0,
            "{} never decides: an earlier line hides it",
            rule.name
        );
    }
    found.check();
}

#[test]
fn every_16_bit_encoding() {
    let rules = manual::narrow_rules();
    let mut found = Found::default();
    for half in (0..=0xffff_u16).filter(|h| !is_wide(*h)) {
        let (says, name) = ask(&rules, half.into());
        let decoded = decode(half, 0, false);
        found.encodings += 1;
        found.accepted += u64::from(matches!(decoded, Decoded::Op(_)));
        *found.used.entry(name).or_default() += 1;
        if !agree(&decoded, says) {
            found.wrong += 1;
            found
                .examples
                .insert(name, format!("{half:04x}: {says:?}, {decoded:?}"));
        }
    }
    for rule in &rules {
        assert!(found.used.contains_key(rule.name), "{}", rule.name);
    }
    found.check();
}

/// An IT instruction that leaves `before` instructions before the one under test and
/// `after` behind it, and whose condition fails for all of them (EQ with Z clear).
fn it(before: u16, after: u16) -> u16 {
    let count = before + after + 1;
    0xbf00 | 1 << (4 - count)
}

#[test]
fn every_16_bit_encoding_in_every_place_of_an_it_block() {
    let rules = manual::narrow_rules();
    let mut wrong = Vec::new();
    let mut memory = Memory::new(0x1000);
    for (before, after) in [(0, 0), (1, 0), (3, 0), (0, 1), (1, 2), (2, 1)] {
        let mut core = Core::new(Costs::default());
        for half in (0..=0xffff_u16).filter(|h| !is_wide(*h)) {
            let mut code = vec![it(before, after)];
            code.extend((0..before).map(|_| 0xbf00));
            code.push(half);
            code.extend((0..after).map(|_| 0xbf00));
            code.push(0xbe00);
            let mut bytes = Vec::new();
            for word in [0x800_u32, 0x101] {
                bytes.extend(word.to_le_bytes());
            }
            memory.write(0, &bytes).expect("inside");
            let bytes: Vec<u8> = code.iter().flat_map(|h| h.to_le_bytes()).collect();
            memory.write(0x100, &bytes).expect("inside");
            core.reset(&memory).expect("the vectors are good");
            // Skipped instructions do nothing, so the end is reached if all decode.
            let exit = core.run(&mut memory, &mut NoMmio, core.cycle + 100);
            let refused = match exit {
                Exit::Fault(f) => {
                    let expected = matches!(
                        f.kind,
                        FaultKind::Undefined | FaultKind::Unpredictable | FaultKind::Unsupported(_)
                    );
                    assert!(expected && f.pc == 0x102 + 2 * u32::from(before), "{f}");
                    true
                }
                Exit::Bkpt(_) => false,
                other => panic!("{half:04x}: {other:?}"),
            };
            let outside = ask(&rules, half.into()).0;
            let says = manual::narrow::in_it_block(outside, half, after == 0);
            if refused == (says == Says::Defined) {
                wrong.push(format!(
                    "{half:04x} with {before} before, {after} after: {says:?}"
                ));
            }
        }
    }
    for text in wrong.iter().take(40) {
        println!("{text}");
    }
    assert!(wrong.is_empty(), "{} differ", wrong.len());
}

/// Wide instructions by what an IT block allows: anywhere, only last, nowhere.
const WIDE_IN_IT: &[(&str, [u16; 2], bool, bool)] = &[
    ("add.w", [0xeb00, 0x0001], true, true),
    ("vadd.f32", [0xee30, 0x0a20], true, true),
    ("ldr.w", [0xf8d0, 0x1000], true, true),
    ("b<c>.w", [0xf000, 0x8000], false, false),
    ("b.w", [0xf000, 0xb800], false, true),
    ("bl", [0xf000, 0xf800], false, true),
    ("tbb", [0xe8d0, 0xf001], false, true),
    ("tbh", [0xe8d0, 0xf011], false, true),
    ("ldr pc, imm12", [0xf8d0, 0xf000], false, true),
    ("ldr pc, imm8", [0xf850, 0xfb04], false, true),
    ("ldr pc, literal", [0xf8df, 0xf000], false, true),
    ("ldr pc, register", [0xf850, 0xf001], false, true),
    ("ldm pc", [0xe890, 0x8002], false, true),
    ("ldmdb pc", [0xe910, 0x8002], false, true),
    ("pop.w pc", [0xe8bd, 0x8002], false, true),
];

#[test]
fn wide_branches_stand_last_in_an_it_block() {
    for &(name, [hw1, hw2], inside, last) in WIDE_IN_IT {
        for (after, allowed) in [(0, last), (1, inside)] {
            let mut memory = Memory::new(0x1000);
            let code = [it(1, after), 0xbf00, hw1, hw2, 0xbf00, 0xbe00];
            let bytes: Vec<u8> = code.iter().flat_map(|h| h.to_le_bytes()).collect();
            memory.write(0x100, &bytes).expect("inside");
            memory.write(0, &[0, 8, 0, 0, 1, 1, 0, 0]).expect("inside");
            let mut core = Core::new(Costs::default());
            core.reset(&memory).expect("the vectors are good");
            let exit = core.run(&mut memory, &mut NoMmio, 100);
            let refused = match exit {
                Exit::Bkpt(_) => false,
                Exit::Fault(f) => {
                    assert_eq!(
                        (f.kind, f.pc),
                        (FaultKind::Unpredictable, 0x104),
                        "{name}: {f}"
                    );
                    true
                }
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!(refused, !allowed, "{name}, {after} after");
        }
    }
}
