//! The machine: uniform chips of one target, with exceptions.
//!
//! Chips have six links in a hexagonal mesh: to the four sides, to the
//! north-east and to the south-west. Three shapes exist, told by the size:
//!
//! - 8x8 is one 48-chip board: a hexagon inside the square, as on SpiNN-5;
//! - multiples of 12 both ways are a torus of boards, three of them (a triad) in
//!   each 12x12, whose first chips are at (0,0), (4,8) and (8,4);
//! - everything else is a rectangle of chips without wraps.

use crate::geometry::{ChipCoord, GlobalPe, PeCoord};
use crate::routing::Link;
use crate::target::Target;
use std::collections::BTreeSet;

/// Columns and rows of the square around a board.
const BOARD: u16 = 8;
/// Columns and rows of a triad of boards.
const TRIAD: u16 = 12;
/// First chips of the boards of a triad.
const BOARDS: [(u16, u16); 3] = [(0, 0), (4, 8), (8, 4)];

/// How the chips of a machine hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// No wraps, no boards.
    Rectangle,
    /// One 48-chip board.
    Board,
    /// Boards in triads, with wraps.
    Torus,
}

/// Chips of the target's kind, minus what is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    pub width: u16,
    pub height: u16,
    pub dead_pes: BTreeSet<GlobalPe>,
    /// Links that are not used, in either direction; either end may be named.
    pub dead_links: BTreeSet<(ChipCoord, Link)>,
}

/// Whether a place of the 8x8 square around a board holds a chip.
fn on_board(x: u16, y: u16) -> bool {
    x < BOARD && y < BOARD && x <= y + 4 && y <= x + 3
}

impl Machine {
    pub fn new(width: u16, height: u16) -> Self {
        Self {
            width,
            height,
            dead_pes: BTreeSet::new(),
            dead_links: BTreeSet::new(),
        }
    }
    /// Columns or rows that a machine may have: a chip's identity has eight bits
    /// for each coordinate.
    pub fn sizes() -> std::ops::RangeInclusive<u16> {
        1..=256
    }
    #[must_use]
    pub fn without_pe(mut self, pe: GlobalPe) -> Self {
        self.dead_pes.insert(pe);
        self
    }
    #[must_use]
    pub fn without_link(mut self, chip: ChipCoord, link: Link) -> Self {
        self.dead_links.insert((chip, link));
        self
    }
    pub fn form(&self) -> Form {
        let triads = |size: u16| size > 0 && size.is_multiple_of(TRIAD);
        if (self.width, self.height) == (BOARD, BOARD) {
            Form::Board
        } else if triads(self.width) && triads(self.height) {
            Form::Torus
        } else {
            Form::Rectangle
        }
    }
    /// Every chip: board by board, rows from the bottom, left to right.
    pub fn chips(&self) -> impl Iterator<Item = ChipCoord> + use<> {
        let (w, h) = (self.width, self.height);
        let rows = |w: u16, h: u16| (0..h).flat_map(move |y| (0..w).map(move |x| (x, y)));
        let board = || rows(BOARD, BOARD).filter(|&(x, y)| on_board(x, y));
        let chips: Vec<(u16, u16)> = match self.form() {
            Form::Rectangle => rows(w, h).collect(),
            Form::Board => board().collect(),
            Form::Torus => rows(w / TRIAD, h / TRIAD)
                .flat_map(|(tx, ty)| BOARDS.map(|(x, y)| (tx * TRIAD + x, ty * TRIAD + y)))
                .flat_map(|(bx, by)| board().map(move |(x, y)| ((bx + x) % w, (by + y) % h)))
                .collect(),
        };
        chips.into_iter().map(|(x, y)| ChipCoord { x, y })
    }
    pub fn contains(&self, chip: ChipCoord) -> bool {
        chip.x < self.width
            && chip.y < self.height
            && (self.form() != Form::Board || on_board(chip.x, chip.y))
    }
    /// First chip of the board that a chip is on, and the chip's place there.
    /// Chips of a rectangle count as one board.
    pub fn board_of(&self, chip: ChipCoord) -> (ChipCoord, ChipCoord) {
        if self.form() != Form::Torus {
            return (ChipCoord::default(), chip);
        }
        let local = |(bx, by): (u16, u16)| ChipCoord {
            x: (chip.x % TRIAD + TRIAD - bx) % TRIAD,
            y: (chip.y % TRIAD + TRIAD - by) % TRIAD,
        };
        // The three hexagons tile the triad: one of them holds the chip.
        let place = BOARDS.map(local).into_iter().find(|p| on_board(p.x, p.y));
        let place = place.unwrap_or_default();
        let first = ChipCoord {
            x: wrapped(chip.x, -i32::from(place.x), self.width),
            y: wrapped(chip.y, -i32::from(place.y), self.height),
        };
        (first, place)
    }
    /// The chip behind a link, whether the link works or not; `None` at an edge
    /// of the machine.
    pub fn beyond(&self, chip: ChipCoord, link: Link) -> Option<ChipCoord> {
        if !self.contains(chip) {
            return None;
        }
        let (dx, dy) = link.step();
        let next = match self.form() {
            Form::Torus => ChipCoord {
                x: wrapped(chip.x, dx.into(), self.width),
                y: wrapped(chip.y, dy.into(), self.height),
            },
            Form::Rectangle | Form::Board => ChipCoord {
                x: chip.x.checked_add_signed(dx)?,
                y: chip.y.checked_add_signed(dy)?,
            },
        };
        self.contains(next).then_some(next)
    }
    /// The chip behind a working link.
    pub fn neighbour(&self, chip: ChipCoord, link: Link) -> Option<ChipCoord> {
        let next = self.beyond(chip, link)?;
        let dead = !self.dead_links.is_empty()
            && (self.dead_links.contains(&(chip, link))
                || self.dead_links.contains(&(next, link.opposite())));
        (!dead).then_some(next)
    }
    /// Whether a link leads to another board.
    pub fn is_long(&self, chip: ChipCoord, link: Link) -> bool {
        self.form() == Form::Torus
            && self
                .beyond(chip, link)
                .is_some_and(|next| self.board_of(next).0 != self.board_of(chip).0)
    }
    /// Columns and rows of a shortest way, wraps included, were every link there.
    pub fn vector(&self, from: ChipCoord, to: ChipCoord) -> (i32, i32) {
        let wraps = self.form() == Form::Torus;
        let ways = |from: u16, to: u16, size: u16| {
            let straight = i32::from(to) - i32::from(from);
            let round = i32::from(size) * if straight > 0 { -1 } else { 1 };
            [straight, if wraps { straight + round } else { straight }]
        };
        let [x, x_round] = ways(from.x, to.x, self.width);
        let [y, y_round] = ways(from.y, to.y, self.height);
        let all = [(x, y), (x_round, y), (x, y_round), (x_round, y_round)];
        // The first of equals, so that the answer is always the same one.
        let shortest = all.into_iter().min_by_key(|&(dx, dy)| steps(dx, dy));
        shortest.unwrap_or((x, y))
    }
    /// Links of a shortest way between two chips, were every link there.
    pub fn distance(&self, from: ChipCoord, to: ChipCoord) -> u32 {
        let (dx, dy) = self.vector(from, to);
        steps(dx, dy)
    }
    /// Working PEs that applications may use, chip by chip in the target's order.
    pub fn application_pes(&self, target: &Target) -> Vec<GlobalPe> {
        let pes: Vec<PeCoord> = target.application_pes();
        self.chips()
            .flat_map(|chip| pes.iter().map(move |&pe| GlobalPe { chip, pe }))
            .filter(|pe| !self.dead_pes.contains(pe))
            .collect()
    }
}

/// `at + step` on a ring of `size` places; `size` is not 0.
fn wrapped(at: u16, step: i32, size: u16) -> u16 {
    (i32::from(at) + step).rem_euclid(i32::from(size)) as u16
}

/// Steps of a hexagonal mesh: diagonals go where both signs are the same.
fn steps(dx: i32, dy: i32) -> u32 {
    if dx.signum() == dy.signum() {
        dx.unsigned_abs().max(dy.unsigned_abs())
    } else {
        dx.unsigned_abs() + dy.unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, VecDeque};

    fn chip(x: u16, y: u16) -> ChipCoord {
        ChipCoord { x, y }
    }

    #[test]
    fn a_board_has_48_chips_in_the_published_hexagon() {
        let board = Machine::new(8, 8);
        let rows: Vec<String> = (0..8)
            .rev()
            .map(|y| {
                let place = |x| if board.contains(chip(x, y)) { '#' } else { '.' };
                (0..8).map(place).collect()
            })
            .collect();
        let expected = [
            "....####", "...#####", "..######", ".#######", "########", "#######.", "######..",
            "#####...",
        ];
        assert_eq!(rows, expected);
        assert_eq!(board.chips().count(), 48);
        assert_eq!(board.beyond(chip(0, 3), Link::North), None);
        assert_eq!(board.beyond(chip(0, 3), Link::NorthEast), Some(chip(1, 4)));
        assert_eq!(board.application_pes(&Target::spinnaker2()).len(), 48 * 148);
    }

    #[test]
    fn boards_tile_the_torus_and_links_between_them_are_long() {
        let torus = Machine::new(24, 12);
        let chips: BTreeSet<ChipCoord> = torus.chips().collect();
        assert_eq!((chips.len(), torus.chips().count()), (288, 288));
        let mut boards: BTreeMap<ChipCoord, usize> = BTreeMap::new();
        let mut long = 0;
        for &c in &chips {
            let (first, local) = torus.board_of(c);
            assert!(on_board(local.x, local.y));
            *boards.entry(first).or_default() += 1;
            for link in Link::ALL {
                let next = torus.beyond(c, link).expect("a torus has no edge");
                assert_eq!(torus.beyond(next, link.opposite()), Some(c));
                assert_eq!(torus.is_long(c, link), torus.is_long(next, link.opposite()));
                long += usize::from(torus.is_long(c, link));
            }
        }
        assert_eq!(boards.len(), 6);
        assert!(boards.values().all(|&n| n == 48));
        // A board has 48 links to others: 8 on each of its six sides.
        assert_eq!(long, 6 * 48);
        assert_eq!(torus.board_of(chip(3, 8)), (chip(20, 4), chip(7, 4)));
        assert_eq!(torus.board_of(chip(5, 9)), (chip(4, 8), chip(1, 1)));
    }

    #[test]
    fn distances_are_those_of_a_search() {
        for machine in [
            Machine::new(5, 4),
            Machine::new(12, 12),
            Machine::new(24, 12),
        ] {
            for from in [chip(0, 0), chip(3, 2)] {
                let mut seen = BTreeMap::from([(from, 0)]);
                let mut open = VecDeque::from([from]);
                while let Some(at) = open.pop_front() {
                    for next in Link::ALL.iter().filter_map(|&l| machine.neighbour(at, l)) {
                        if !seen.contains_key(&next) {
                            seen.insert(next, seen[&at] + 1);
                            open.push_back(next);
                        }
                    }
                }
                for (to, steps) in seen {
                    assert_eq!(machine.distance(from, to), steps, "{from} to {to}");
                }
            }
        }
    }

    #[test]
    fn a_dead_link_is_dead_from_both_ends() {
        let machine = Machine::new(2, 2).without_link(chip(0, 0), Link::East);
        assert_eq!(machine.neighbour(chip(0, 0), Link::East), None);
        assert_eq!(machine.neighbour(chip(1, 0), Link::West), None);
        assert_eq!(machine.beyond(chip(1, 0), Link::West), Some(chip(0, 0)));
    }
}
