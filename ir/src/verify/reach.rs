//! Which vertex reaches which, by how many synapses.

use crate::app::{Connector, Population};
use crate::id::{PopId, ProjId, VertexId};
use crate::machine_graph::AtomSlice;
use crate::module::Module;
use std::collections::BTreeMap;

/// The vertices of each population, and the synapses of the sparse projections
/// between each two of them.
#[derive(Debug, Default)]
pub(super) struct Reach {
    vertices: BTreeMap<PopId, Vec<VertexId>>,
    listed: BTreeMap<(ProjId, VertexId, VertexId), u64>,
}

impl Reach {
    /// Counts all of them once. The slices lie within their populations.
    pub(super) fn count(m: &Module) -> Self {
        let mut all = Self::default();
        for (id, v) in m.machine_graph.vertices.iter() {
            all.vertices.entry(v.population).or_default().push(id);
        }
        for (id, p) in m.app.projections.iter() {
            let Connector::Sparse(list) = &p.connector else {
                continue;
            };
            let (pre, post) = (&m.app.populations[p.pre], &m.app.populations[p.post]);
            let targets = all.vertices_of(p.post).to_vec();
            // For each target atom, which of those vertices holds it.
            let mut holder = vec![0usize; post.n_atoms()];
            for (k, v) in targets.iter().enumerate() {
                for atom in atoms(post, m.machine_graph.vertices[*v].slice) {
                    holder[atom] = k;
                }
            }
            for source in all.vertices_of(p.pre).to_vec() {
                let mut counts = vec![0u64; targets.len()];
                for atom in atoms(pre, m.machine_graph.vertices[source].slice) {
                    for &target in list.of(atom).1 {
                        counts[holder[target as usize]] += 1;
                    }
                }
                let reached = targets.iter().zip(counts).filter(|(_, n)| *n > 0);
                let entries = reached.map(|(target, n)| ((id, source, *target), n));
                all.listed.extend(entries);
            }
        }
        all
    }

    /// Vertices of a population, ascending.
    pub(super) fn vertices_of(&self, pop: PopId) -> &[VertexId] {
        self.vertices.get(&pop).map_or(&[], Vec::as_slice)
    }

    /// Synapses of a sparse projection between two vertices.
    pub(super) fn listed(&self, p: ProjId, source: VertexId, target: VertexId) -> u64 {
        let n = self.listed.get(&(p, source, target));
        n.copied().unwrap_or(0)
    }

    /// Whether any synapse leads from one vertex to another.
    pub(super) fn reaches(
        &self,
        m: &Module,
        id: ProjId,
        source: VertexId,
        target: VertexId,
    ) -> bool {
        let p = &m.app.projections[id];
        let slice = |v: VertexId| m.machine_graph.vertices[v].slice;
        match &p.connector {
            Connector::Sparse(_) => self.listed(id, source, target) > 0,
            Connector::Dense | Connector::Conv(_) => p.reaches(
                (&m.app.populations[p.pre], slice(source)),
                (&m.app.populations[p.post], slice(target)),
            ),
        }
    }
}

/// The atoms of a slice.
pub(super) fn atoms(p: &Population, slice: AtomSlice) -> impl Iterator<Item = usize> + '_ {
    let lo = slice.lo as usize;
    (lo..lo + slice.n as usize).map(|at| p.order.atom_at(at, &p.shape))
}
