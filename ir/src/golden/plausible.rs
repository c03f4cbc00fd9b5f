//! What is legal but can hardly be meant: populations that never spike.

use crate::code::Code;
use crate::diag::Diagnostic;
use crate::id::NodeId;
use crate::network::Network;
use crate::origin::escape;

/// One warning per population that sent no spike, from the counts of
/// [`Traces::spikes`](super::Traces) added up over all samples.
pub fn silent(network: &Network, spikes: &[(NodeId, u64)]) -> Vec<Diagnostic> {
    let dead = spikes.iter().filter(|(_, count)| *count == 0);
    dead.filter_map(|(id, _)| network.nodes.get(*id))
        .map(|node| {
            let kind = node.op.kind();
            Diagnostic::warning(
                Code::NoUpdate,
                &node.origin,
                format!("'{}' ({kind}) never spiked in this run", escape(&node.name)),
            )
            .help("check its threshold, --dt and --time-unit, and whether these inputs are meant for this network")
        })
        .collect()
}
