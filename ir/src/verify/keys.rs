//! KEYED: a block of keys for each net.

use super::findings::{Findings, vertex};
use crate::key::KeyMask;
use crate::module::Module;

pub(super) fn check(m: &Module, found: &mut Findings) {
    let mut blocks = Vec::new();
    for (id, net) in m.machine_graph.nets.iter() {
        let (name, origin) = vertex(m, net.source);
        let Some(&key) = m.keys.get(&id) else {
            found.add(origin, format!("the net of {name} has no key"));
            continue;
        };
        let Some(size) = block_size(key) else {
            let message = format!("the keys of {name} are not one aligned block");
            found.add_with(origin, message, format!("{key}"));
            continue;
        };
        let atoms = m.machine_graph.vertices[net.source].slice.n;
        if u64::from(atoms) > size {
            let message = format!("the keys of {name} do not cover it");
            found.add_with(
                origin,
                message,
                format!("{size} keys for {atoms} atoms: {key}"),
            );
        }
        blocks.push((key, size, net.source));
    }
    // Aligned blocks are intervals, so neighbours in order decide.
    blocks.sort();
    for pair in blocks.windows(2) {
        let [(a, size, first), (b, _, second)] = pair else {
            continue;
        };
        if u64::from(a.key()) + size > u64::from(b.key()) {
            let (name, origin) = vertex(m, *second);
            let (other, _) = vertex(m, *first);
            let message = format!("the keys of {name} and {other} overlap");
            found.add_with(origin, message, format!("{a} and {b}"));
        }
    }
}

/// Number of keys of an aligned block; `None` for other masks.
pub(super) fn block_size(key: KeyMask) -> Option<u64> {
    let size = u64::from(!key.mask()) + 1;
    size.is_power_of_two().then_some(size)
}
