//! What a stateless node computes, as a sum of linear maps of what Inputs and
//! neurons send, plus a constant.
//!
//! ```text
//! value(node) = sum over (source, step class) of map * spikes(source) + constant
//! ```
//!
//! The step class says whether the spikes are those of the previous network
//! step. Forms are pushed along the edges in schedule order; parallel paths
//! between the same ends add up, so that one projection remains for them.

use super::linear_map::{LinearMap, Matrix};
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::id::NodeId;
use ir::network::Node;
use ir::origin::{Origin, escape};
use ir::tensor::Tensor;
use std::collections::BTreeMap;

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
    pub(super) fn take(
        &mut self,
        node: &Node,
        rows: usize,
        cols: usize,
        inner: usize,
    ) -> Result<(), Diagnostic> {
        let elements = (rows as u64).checked_mul(cols as u64);
        let products = elements.and_then(|e| e.checked_mul(inner as u64));
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
            .note(format!("{rows} x {cols} dense weights, folded over {inner} values"))
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

/// Sources by node and step class (`true` = previous step).
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    pub(super) terms: BTreeMap<(NodeId, bool), Term>,
    pub(super) constant: Option<Vec<f64>>,
}

impl Form {
    /// What an Input or a neuron sends.
    pub(super) fn sent_by(source: NodeId, previous: bool) -> Self {
        let term = Term {
            map: LinearMap::Identity,
            weights: None,
        };
        Self {
            terms: BTreeMap::from([((source, previous), term)]),
            constant: None,
        }
    }
    /// Whether nothing but spikes of the previous step drives the value.
    pub(super) fn is_recurrent(&self) -> bool {
        !self.terms.is_empty() && self.terms.keys().all(|&(_, previous)| previous)
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
            let elements = mine.map.elements().max(term.map.elements());
            fuel.take(node, elements, 1, 1)?;
            let sum = Term {
                map: mine.map.plus(term.map, n),
                weights: mine.weights.or(term.weights),
            };
            self.terms.insert(key, sum);
        }
        self.constant = match (self.constant.take(), other.constant) {
            (Some(a), Some(b)) => Some(a.iter().zip(&b).map(|(a, b)| a + b).collect()),
            (a, b) => a.or(b),
        };
        Ok(())
    }
    /// The form after `y = scale * x`.
    pub(super) fn scaled(
        mut self,
        factors: &[f64],
        node: &Node,
        fuel: &mut Fuel,
    ) -> Result<Self, Diagnostic> {
        for term in self.terms.values_mut() {
            fuel.take(node, factors.len(), 1, 1)?;
            let map = std::mem::replace(&mut term.map, LinearMap::Identity);
            term.map = map.scaled(factors);
            term.weights
                .get_or_insert_with(|| (node.name.clone(), node.origin.clone()));
        }
        if let Some(constant) = &mut self.constant {
            constant.iter_mut().zip(factors).for_each(|(c, f)| *c *= f);
        }
        Ok(self)
    }
    /// The form after `y = W x`.
    pub(super) fn through(
        mut self,
        w: &Matrix,
        node: &Node,
        fuel: &mut Fuel,
    ) -> Result<Self, Diagnostic> {
        for term in self.terms.values_mut() {
            let (cols, inner) = match &term.map {
                LinearMap::Identity | LinearMap::Diagonal(_) => (w.cols, 1),
                LinearMap::Matrix(m) => (m.cols, w.cols),
            };
            fuel.take(node, w.rows, cols, inner)?;
            term.map = LinearMap::Matrix(term.map.then(w));
            term.weights = Some((node.name.clone(), node.origin.clone()));
        }
        self.constant = self.constant.map(|c| w.apply(&c));
        Ok(self)
    }
    /// The form after `y = x + b`.
    pub(super) fn offset(mut self, bias: &[f64]) -> Self {
        let sum = match self.constant {
            Some(c) => c.iter().zip(bias).map(|(c, b)| c + b).collect(),
            None => bias.to_vec(),
        };
        self.constant = Some(sum);
        self
    }
}

/// The matrix of a weight tensor that maps `cols` values to `rows`.
pub(super) fn matrix(
    weight: &Tensor,
    node: &Node,
    rows: usize,
    cols: usize,
) -> Result<Matrix, Diagnostic> {
    if weight.shape().0 == [rows, cols] {
        return Ok(Matrix {
            rows,
            cols,
            data: weight.to_f64(),
        });
    }
    Err(Diagnostic::error(
        Code::GraphUnsupported,
        &node.origin,
        format!(
            "the weight of '{}' does not cover its whole input",
            escape(&node.name)
        ),
    )
    .note(format!(
        "weight {}, but the node maps {cols} values to {rows}",
        weight.shape()
    ))
    .help("flatten the input before this node, so that one matrix maps all of it"))
}
