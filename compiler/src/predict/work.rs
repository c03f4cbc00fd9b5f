//! About how much work the packets of each source position make for a vertex: synapses that
//! end in its slice, and the packet itself. Only which steps are busier than others is told
//! by it, not how many cycles they take.

use ir::app::{Connector, Population};
use ir::machine_graph::AtomSlice;
use ir::{Module, VertexId};

/// As many synapses take as long as receiving a packet.
const PACKET: u32 = 8;

/// By position of the source's slice.
pub(super) fn work(module: &Module, source: VertexId, sink: VertexId) -> Vec<u32> {
    let vertices = &module.machine_graph.vertices;
    let app = &module.app;
    let (from, to) = (&vertices[source], &vertices[sink]);
    let (pre, post) = (
        &app.populations[from.population],
        &app.populations[to.population],
    );
    let mut all = vec![PACKET; from.slice.n as usize];
    let between = app.incoming(to.population);
    for (_, p) in between.filter(|(_, p)| p.pre == from.population) {
        let synapses = synapses(&p.connector, pre, (post, to.slice));
        for (work, atom) in all.iter_mut().zip(atoms(pre, from.slice)) {
            *work = work.saturating_add(synapses(atom));
        }
    }
    all
}

/// The atoms of a slice.
fn atoms(of: &Population, slice: AtomSlice) -> impl Iterator<Item = usize> + '_ {
    let positions = slice.lo as usize..(slice.lo + slice.n) as usize;
    positions.map(|p| of.order.atom_at(p, &of.shape))
}

/// Synapses of an atom that end in a slice.
fn synapses<'a>(
    connector: &'a Connector,
    pre: &Population,
    (post, slice): (&Population, AtomSlice),
) -> Box<dyn Fn(usize) -> u32 + 'a> {
    match connector {
        Connector::Dense => Box::new(move |_| slice.n),
        Connector::Sparse(s) => {
            let mut inside = vec![false; post.n_atoms()];
            for atom in atoms(post, slice) {
                inside[atom] = true;
            }
            Box::new(move |a| {
                let targets = s.of(a).1.iter();
                targets.filter(|&&t| inside[t as usize]).count() as u32
            })
        }
        Connector::Conv(conv) => {
            let (pixels, width) = (pre.n_atoms() / conv.source[0].max(1), conv.source[2]);
            let (target_pixels, target_width) =
                (post.n_atoms() / conv.target[0].max(1), conv.target[2]);
            let mut inside = vec![0; target_pixels];
            for atom in atoms(post, slice) {
                inside[atom % target_pixels] += 1;
            }
            let of_pixel = |pixel: usize| -> u32 {
                let (y, x) = (pixel / width, pixel % width);
                let rows = conv.reach(0, y);
                rows.map(|(_, ty)| {
                    let columns = conv.reach(1, x);
                    columns
                        .map(|(_, tx)| inside[ty * target_width + tx])
                        .sum::<u32>()
                })
                .sum()
            };
            let all: Vec<u32> = (0..pixels).map(of_pixel).collect();
            Box::new(move |atom| all[atom % pixels])
        }
    }
}
