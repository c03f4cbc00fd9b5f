//! Which encodings the architecture manual defines, as a table that shares nothing with
//! the decoder: one line an encoding diagram, with the rules that its pseudocode states.
//!
//! The manual is the ARMv7-M Architecture Reference Manual (DDI 0403E): chapter A5 for
//! the tables, A7.7 for the diagrams, A6 for the floating-point ones.

#![allow(dead_code)]

pub(crate) mod narrow;
pub(crate) mod vfp;
pub(crate) mod wide;

/// What the manual says of one encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// Defined and predictable.
    Defined,
    /// Defined and predictable, and left out of the emulator on purpose.
    Absent,
    Undefined,
    Unpredictable,
}

/// An encoding: 16 bits in the low half, or both halves of a 32-bit one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word(pub(crate) u32);

impl Word {
    pub(crate) fn field(self, lo: u32, width: u32) -> u32 {
        self.0 >> lo & ((1 << width) - 1)
    }
    pub(crate) fn bit(self, n: u32) -> bool {
        self.0 >> n & 1 != 0
    }
    /// Rn of a 32-bit encoding.
    pub(crate) fn n(self) -> u32 {
        self.field(16, 4)
    }
    /// Rt, Ra or RdLo of a 32-bit encoding.
    pub(crate) fn t(self) -> u32 {
        self.field(12, 4)
    }
    /// Rd, Rt2 or RdHi of a 32-bit encoding.
    pub(crate) fn d(self) -> u32 {
        self.field(8, 4)
    }
    /// Rm of a 32-bit encoding.
    pub(crate) fn m(self) -> u32 {
        self.field(0, 4)
    }
    /// imm3:imm2 of a 32-bit encoding.
    pub(crate) fn imm5(self) -> u32 {
        self.field(12, 3) << 2 | self.field(6, 2)
    }
}

/// The manual's `IN {13,15}`.
pub(crate) fn bad(r: u32) -> bool {
    r == 13 || r == 15
}

/// One line of the table. Pattern letters: `0` and `1` are fixed, `z` and `y` are the
/// manual's `(0)` and `(1)`: any other value is UNPREDICTABLE. Dots are operands.
pub(crate) type Line = (&'static str, &'static str, fn(Word) -> Says);

/// A line with its pattern taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) mask: u32,
    pub(crate) value: u32,
    should_mask: u32,
    should_value: u32,
    says: fn(Word) -> Says,
}

impl Rule {
    pub(crate) fn new(&(name, pattern, says): &Line, width: usize) -> Rule {
        let mut rule = Rule {
            name,
            mask: 0,
            value: 0,
            should_mask: 0,
            should_value: 0,
            says,
        };
        let letters: Vec<char> = pattern.chars().filter(|c| *c != ' ').collect();
        assert_eq!(letters.len(), width, "{name}: {pattern}");
        for (i, letter) in letters.iter().rev().enumerate() {
            let bit = 1 << i;
            match letter {
                '0' => rule.mask |= bit,
                '1' => (rule.mask, rule.value) = (rule.mask | bit, rule.value | bit),
                'z' => rule.should_mask |= bit,
                'y' => {
                    rule.should_mask |= bit;
                    rule.should_value |= bit;
                }
                '.' => {}
                other => panic!("{name}: letter {other}"),
            }
        }
        rule
    }

    fn matches(&self, word: u32) -> bool {
        word & self.mask == self.value
    }

    fn says(&self, word: u32) -> Says {
        let says = (self.says)(Word(word));
        if says != Says::Undefined && word & self.should_mask != self.should_value {
            return Says::Unpredictable;
        }
        says
    }
}

/// UNPREDICTABLE if `wrong`.
pub(crate) fn unless(wrong: bool) -> Says {
    if wrong {
        Says::Unpredictable
    } else {
        Says::Defined
    }
}

/// What the first matching rule says; without one the encoding is UNDEFINED.
pub(crate) fn ask<'a>(
    rules: impl IntoIterator<Item = &'a Rule>,
    word: u32,
) -> (Says, &'static str) {
    for rule in rules {
        if rule.matches(word) {
            return (rule.says(word), rule.name);
        }
    }
    (Says::Undefined, "no diagram")
}

/// All 32-bit rules, in the order in which they apply.
pub(crate) fn wide_rules() -> Vec<Rule> {
    let lines = wide::LINES.iter().chain(vfp::LINES);
    lines.map(|line| Rule::new(line, 32)).collect()
}

/// All 16-bit rules.
pub(crate) fn narrow_rules() -> Vec<Rule> {
    narrow::LINES
        .iter()
        .map(|line| Rule::new(line, 16))
        .collect()
}
