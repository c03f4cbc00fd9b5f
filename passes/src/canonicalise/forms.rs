//! What a stateless node computes, as a sum of linear maps of what senders
//! (Inputs, neurons, Thresholds) send, plus a constant.
//!
//! ```text
//! value(node, t) = sum over (source, lag) of map * sent(source, t - lag) + constant(t)
//! ```
//!
//! Forms are pushed along the edges in an order in which every node follows
//! what it reads; parallel paths of one source and lag add up, so that one
//! projection remains for them.

use super::maps::LinearMap;
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::id::NodeId;
use ir::network::{Node, Op};
use ir::neuron::{Constant, Param};
use ir::origin::{Origin, escape};
use std::collections::{BTreeMap, BTreeSet};

/// Limits that stop a small file from asking for unreasonable memory or time.
const MAX_ELEMENTS: u64 = 1 << 26;
const MAX_PRODUCTS: u64 = 1 << 35;

/// What is left of the limits.
#[derive(Debug)]
pub(super) struct Fuel {
    elements: u64,
    products: u64,
}

impl Default for Fuel {
    fn default() -> Self {
        Self {
            elements: MAX_ELEMENTS,
            products: MAX_PRODUCTS,
        }
    }
}

impl Fuel {
    /// Books weights that are held and multiplications that are made.
    pub(super) fn take(
        &mut self,
        node: &Node,
        elements: u64,
        products: u64,
    ) -> Result<(), Diagnostic> {
        let note = format!("{elements} weights, {products} multiplications");
        self.book(node, Some(elements), Some(products), note)
    }
    /// Books a dense matrix, each element folded over `inner` values.
    pub(super) fn dense(
        &mut self,
        node: &Node,
        rows: usize,
        cols: usize,
        inner: usize,
    ) -> Result<(), Diagnostic> {
        let elements = (rows as u64).checked_mul(cols as u64);
        let products = elements.and_then(|e| e.checked_mul(inner as u64));
        let note = format!("{rows} x {cols} dense weights, folded over {inner} values");
        self.book(node, elements, products, note)
    }
    fn book(
        &mut self,
        node: &Node,
        elements: Option<u64>,
        products: Option<u64>,
        note: String,
    ) -> Result<(), Diagnostic> {
        let left = elements.and_then(|e| self.elements.checked_sub(e));
        let work = products.and_then(|p| self.products.checked_sub(p));
        match (left, work) {
            (Some(left), Some(work)) => {
                self.elements = left;
                self.products = work;
                Ok(())
            }
            (_, _) => Err(Diagnostic::error(
                Code::DoesNotFit,
                &node.origin,
                format!("the weights at '{}' are too many", escape(&node.name)),
            )
            .note(note)
            .note(format!(
                "limits for one network: {MAX_ELEMENTS} weights, {MAX_PRODUCTS} multiplications while folding"
            ))
            .help("make the layer smaller, or put a neuron between two weight nodes")),
        }
    }
}

/// One summand of a form.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) map: LinearMap,
    /// The weight node nearest the target: its name and origin.
    pub(super) weights: Option<(String, Origin)>,
}

/// Summands by source and lag in steps.
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    pub(super) terms: BTreeMap<(NodeId, u32), Term>,
    /// What is added from a step on.
    pub(super) constants: BTreeMap<u32, Vec<f64>>,
}

impl Form {
    /// What a sender sends, `lag` steps late.
    pub(super) fn sent_by(source: NodeId, lag: u32) -> Self {
        let term = Term {
            map: LinearMap::Identity,
            weights: None,
        };
        Self {
            terms: BTreeMap::from([((source, lag), term)]),
            constants: BTreeMap::new(),
        }
    }
    /// Adds another form onto the same `n` values.
    pub(super) fn add(
        &mut self,
        other: Form,
        n: usize,
        node: &Node,
        fuel: &mut Fuel,
    ) -> Result<(), Diagnostic> {
        for (key, term) in other.terms {
            let Some(mine) = self.terms.remove(&key) else {
                self.terms.insert(key, term);
                continue;
            };
            let sum = Term {
                map: mine.map.plus(&term.map, n, node, fuel)?,
                weights: mine.weights.or(term.weights),
            };
            self.terms.insert(key, sum);
        }
        for (from, values) in other.constants {
            self.offset(from, &values);
        }
        Ok(())
    }
    /// The form after a map that reads `n` values. A node of weights gives its
    /// name to what it makes; a Scale or pool only where none has yet.
    pub(super) fn through(
        self,
        map: &LinearMap,
        n: usize,
        node: &Node,
        fuel: &mut Fuel,
    ) -> Result<Self, Diagnostic> {
        let modest = matches!(
            node.op,
            Op::Scale { .. } | Op::SumPool2d { .. } | Op::AvgPool2d { .. }
        );
        let mut out = Form::default();
        for (key, term) in self.terms {
            let named = Some((node.name.clone(), node.origin.clone()));
            let after = Term {
                map: map.after(&term.map, n, node, fuel)?,
                weights: if modest {
                    term.weights.or(named)
                } else {
                    named
                },
            };
            out.terms.insert(key, after);
        }
        for (from, values) in self.constants {
            out.offset(from, &map.apply(&values, node, fuel)?);
        }
        Ok(out)
    }
    /// The form plus values that hold from a step on.
    pub(super) fn offset(&mut self, from: u32, values: &[f64]) {
        match self.constants.get_mut(&from) {
            Some(mine) => mine.iter_mut().zip(values).for_each(|(a, b)| *a += b),
            None => {
                self.constants.insert(from, values.to_vec());
            }
        }
    }
    /// The form with each value as many steps late as `steps` says; one entry
    /// stands for all.
    pub(super) fn delayed(
        self,
        steps: &[u32],
        n: usize,
        node: &Node,
        fuel: &mut Fuel,
    ) -> Result<Self, Diagnostic> {
        let different: BTreeSet<u32> = steps.iter().copied().collect();
        let whole = different.len() <= 1;
        let mut out = Form::default();
        for ((source, lag), term) in self.terms {
            let rows = if whole {
                None
            } else {
                Some(term.map.to_sparse(n, node, fuel)?)
            };
            for &late in &different {
                let map = match &rows {
                    None => term.map.clone(),
                    Some(rows) => {
                        fuel.take(node, rows.rows() as u64, 0)?;
                        LinearMap::Sparse(rows.rows_where(|i| steps[i] == late))
                    }
                };
                let weights = term.weights.clone();
                let late = Form {
                    terms: BTreeMap::from([(
                        (source, lag.saturating_add(late)),
                        Term { map, weights },
                    )]),
                    constants: BTreeMap::new(),
                };
                out.add(late, n, node, fuel)?;
            }
        }
        for (from, values) in self.constants {
            for &late in &different {
                let here = |i: usize| whole || steps[i] == late;
                let part: Vec<f64> = values
                    .iter()
                    .enumerate()
                    .map(|(i, &v)| if here(i) { v } else { 0.0 })
                    .collect();
                out.offset(from.saturating_add(late), &part);
            }
        }
        Ok(out)
    }

    /// The constant as it holds in each step.
    pub(super) fn constant(&self, n: usize) -> Constant {
        if self.constants.is_empty() {
            return Constant::ZERO; // n may be anything, so nothing is allocated for it
        }
        let mut sum = vec![0.0; n];
        let mut entries: Vec<(u32, Param)> = Vec::new();
        for (&from, values) in &self.constants {
            sum.iter_mut().zip(values).for_each(|(a, b)| *a += b);
            if entries.is_empty() && from > 0 {
                entries.push((0, Param::uniform(0.0)));
            }
            entries.push((from, Param::per_atom(sum.clone())));
        }
        let zero = |p: &Param| p.as_uniform() == Some(0.0);
        entries.dedup_by(|b, a| a.1 == b.1);
        if entries.iter().all(|(_, p)| zero(p)) {
            return Constant::ZERO;
        }
        Constant::new(entries).unwrap_or(Constant::ZERO)
    }
}
