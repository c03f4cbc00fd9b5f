//! Vertices, nets, and the tables that say where they are.

use super::Parser;
use crate::geometry::ChipCoord;
use crate::id::{NetId, VertexId};
use crate::key::KeyMask;
use crate::machine_graph::{AtomSlice, Budget, MachineVertex, Net};
use crate::memory::{Region, RegionKind};
use crate::routing::{Link, RoutingEntry, RoutingTree, Targets};
use crate::text::lex::{Cursor, Parsed};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Regions that need no more than their name.
const PLAIN_REGIONS: &[RegionKind] = &[
    RegionKind::Text,
    RegionKind::Control,
    RegionKind::Decay,
    RegionKind::Offset,
    RegionKind::Threshold,
    RegionKind::Reset,
    RegionKind::SynDecay,
    RegionKind::SynOffset,
    RegionKind::Floor,
    RegionKind::Unit,
    RegionKind::V,
    RegionKind::I,
    RegionKind::Pending,
    RegionKind::Accumulators,
    RegionKind::Touched,
    RegionKind::Currents,
    RegionKind::Product,
    RegionKind::Lists,
    RegionKind::Ring,
    RegionKind::Events,
    RegionKind::SpikeRecord,
    RegionKind::Stack,
];

impl Parser<'_> {
    pub(super) fn vertex(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        self.vertices.declare_id(c)?;
        let population = self.populations.reference(c, "a population")?;
        c.symbol("[")?;
        let lo = c.number("the first atom")?;
        c.symbol("+")?;
        let n = c.number("a number of atoms")?;
        c.symbol("]")?;
        let mut line = |keyword| {
            c.keyword(keyword)?;
            c.number::<u32>("a number of bytes")
        };
        let budget = Budget {
            text: line("text")?,
            data: line("data")?,
            state: line("state")?,
            rows: line("rows")?,
            cycles: {
                c.keyword("cycles")?;
                c.number("a number of cycles")?
            },
        };
        // Every later sum of the four lines is then a u32.
        let sum = [budget.text, budget.data, budget.state, budget.rows]
            .iter()
            .try_fold(0u32, |sum, bytes| sum.checked_add(*bytes));
        if sum.is_none() {
            return Err(c.fail("expected a budget below 4 GiB before this"));
        }
        let array = if c.eat_word("array") {
            self.projections.references(c, "a projection")?
        } else {
            Vec::new()
        };
        self.module.machine_graph.vertices.push(MachineVertex {
            population,
            slice: AtomSlice { lo, n },
            budget,
            array,
        });
        Ok(())
    }

    pub(super) fn net(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        self.nets.declare_id(c)?;
        let source = self.vertices.reference(c, "a vertex")?;
        c.symbol("->")?;
        let sinks = self.vertices.references(c, "a vertex")?;
        let projections = if c.eat_word("via") {
            self.projections.references(c, "a projection")?
        } else {
            Vec::new()
        };
        self.module.machine_graph.nets.push(Net {
            source,
            sinks,
            projections,
        });
        Ok(())
    }

    pub(super) fn place(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let before = c.clone();
        let vertex = self.vertices.reference(c, "a vertex")?;
        c.keyword("at")?;
        let pe = self.global_pe(c)?;
        insert(&mut self.module.placements, vertex, pe, &before)
    }

    pub(super) fn key(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let before = c.clone();
        let net = self.nets.reference(c, "a net")?;
        c.symbol("=")?;
        let key = key_mask(c)?;
        insert(&mut self.module.keys, net, key, &before)
    }

    pub(super) fn tree(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let before = c.clone();
        let net: NetId = self.nets.reference(c, "a net")?;
        c.keyword("root")?;
        let root = self.chip(c)?;
        let mut hops = BTreeMap::new();
        c.symbol("{")?;
        while !c.eat("}") {
            if !hops.is_empty() {
                c.symbol(",")?;
            }
            let at = c.clone();
            let chip = self.chip(c)?;
            c.symbol("->")?;
            let targets = self.targets(c)?;
            insert(&mut hops, chip, targets, &at)?;
        }
        insert(
            &mut self.module.trees,
            net,
            RoutingTree { root, hops },
            &before,
        )
    }

    pub(super) fn table(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let before = c.clone();
        let chip = self.chip(c)?;
        c.keyword("empty")?;
        insert(&mut self.module.tables, chip, Vec::new(), &before)
    }

    pub(super) fn entry(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let chip: ChipCoord = self.chip(c)?;
        let key = key_mask(c)?;
        c.symbol("->")?;
        let targets = self.targets(c)?;
        let nets = if c.eat_word("nets") {
            self.nets.references(c, "a net")?
        } else {
            Vec::new()
        };
        let entry = RoutingEntry { key, targets, nets };
        self.module.tables.entry(chip).or_default().push(entry);
        Ok(())
    }

    pub(super) fn layout(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let before = c.clone();
        let vertex: VertexId = self.vertices.reference(c, "a vertex")?;
        c.keyword("empty")?;
        insert(
            &mut self.module.layouts,
            vertex,
            Default::default(),
            &before,
        )
    }

    pub(super) fn region(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let vertex: VertexId = self.vertices.reference(c, "a vertex")?;
        let kind = self.region_kind(c)?;
        c.keyword("at")?;
        let addr = c.hex32("an address such as `0x1000`")?;
        c.keyword("bytes")?;
        let bytes: u32 = c.number("a number of bytes")?;
        if addr.checked_add(bytes).is_none() {
            return Err(c.fail("expected a region that ends below 4 GiB before this"));
        }
        let layout = self.module.layouts.entry(vertex).or_default();
        layout.regions.push(Region { kind, addr, bytes });
        Ok(())
    }

    fn region_kind(&self, c: &mut Cursor<'_>) -> Parsed<RegionKind> {
        let before = c.clone();
        let word = c.word("a kind of region")?;
        let plain = PLAIN_REGIONS.iter().find(|k| k.to_string() == word);
        Ok(match (word, plain) {
            (_, Some(plain)) => *plain,
            ("rows", None) => RegionKind::Rows {
                projection: self.projections.reference(c, "a projection")?,
                source: self.vertices.reference(c, "a vertex")?,
            },
            ("kernel", None) => RegionKind::Kernel {
                projection: self.projections.reference(c, "a projection")?,
            },
            ("matrix", None) => RegionKind::Matrix {
                projection: self.projections.reference(c, "a projection")?,
            },
            ("counts", None) => RegionKind::Counts {
                projection: self.projections.reference(c, "a projection")?,
            },
            ("values", None) => RegionKind::Values {
                source: self.vertices.reference(c, "a vertex")?,
            },
            ("late_offset" | "late_syn_offset", None) => RegionKind::LateOffset {
                synapse: word == "late_syn_offset",
                entry: c.number("the number of an entry")?,
            },
            (_, None) => return Err(before.fail("expected a kind of region")),
        })
    }

    /// Links and PEs, or `none`.
    fn targets(&self, c: &mut Cursor<'_>) -> Parsed<Targets> {
        let mut targets = Targets::default();
        if c.eat_word("none") {
            return Ok(targets);
        }
        loop {
            let mut ahead = c.clone();
            let link = ahead.choice("", Link::from_name);
            if let Ok(link) = link {
                *c = ahead;
                targets.links.insert(link);
            } else if ahead.eat_word("pe") {
                targets.pes.insert(self.pe(c)?);
            } else if targets.is_empty() {
                return Err(c.fail("expected a link, a PE or `none`"));
            } else {
                return Ok(targets);
            }
        }
    }
}

/// `key/mask`
fn key_mask(c: &mut Cursor<'_>) -> Parsed<KeyMask> {
    let before = c.clone();
    let key = c.hex32("a key such as `0x00010000`")?;
    c.symbol("/")?;
    let mask = c.hex32("a mask such as `0xffffff00`")?;
    KeyMask::new(key, mask)
        .ok_or_else(|| before.fail("expected a key without bits outside its mask"))
}

/// Each subject has one line of a kind.
pub(super) fn insert<K: Ord, V>(
    table: &mut BTreeMap<K, V>,
    key: K,
    value: V,
    at: &Cursor<'_>,
) -> Parsed<()> {
    match table.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(value);
            Ok(())
        }
        Entry::Occupied(_) => Err(at.fail("expected one such line only for this")),
    }
}
