//! Delays in whole steps.

use super::{Fallible, bad_parameter, out_shape, wrong_size};
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::golden::delay_steps;
use ir::id::NodeId;
use ir::network::{Network, Node, Op};
use ir::origin::escape;
use ir::semantics::Semantics;
use ir::tensor::Tensor;
use std::collections::BTreeMap;

/// The steps of every Delay: its seconds by dt, to nearest.
pub(super) fn delays(
    network: &Network,
    semantics: &Semantics,
) -> Result<BTreeMap<NodeId, Vec<u32>>> {
    let mut found = BTreeMap::new();
    let mut errors = Vec::new();
    for (id, node) in network.nodes.iter() {
        let Op::Delay { delay } = &node.op else {
            continue;
        };
        match steps_of(node, delay, semantics) {
            Ok(steps) => {
                found.insert(id, steps);
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(found)
    } else {
        Err(Diagnostics(errors))
    }
}

fn steps_of(node: &Node, delay: &Tensor, semantics: &Semantics) -> Fallible<Vec<u32>> {
    let n = out_shape(node)?.len();
    if delay.len() != 1 && delay.len() != n {
        return Err(wrong_size(node, "delay", delay, n));
    }
    let dt = semantics.dt_in_file_units().ok_or_else(|| {
        Diagnostic::error(
            Code::DtMissing,
            &node.origin,
            format!(
                "the Delay '{}' needs the time step of the network",
                escape(&node.name)
            ),
        )
        .help("pass --dt SECONDS as in training")
    })?;
    let steps = delay_steps(node, delay, dt)?;
    let most = |_| bad_parameter(node, "a delay is longer than 2^32 steps");
    steps
        .into_iter()
        .map(|s| u32::try_from(s).map_err(most))
        .collect()
}
