//! Load-exclusive and store-exclusive, with something between them or not.

use crate::instance::Instance;
use crate::value::Rng;

const CLREX: [u16; 2] = [0xf3bf, 0x8f2f];
const SVC: u16 = 0xdf03;

/// The store-exclusive that writes its status to the first register, from the second.
type StoreExclusive = fn(u16, u16) -> [u16; 2];

/// One sequence on a place of the scratch that R4 points to.
pub(crate) fn exclusive(rng: &mut Rng) -> Instance {
    let (load, store): ([u16; 2], StoreExclusive) = match rng.below(3) {
        // ldrex r5, [r4, #8]; strex rd, rt, [r4, #8]
        0 => ([0xe854, 0x5f02], |rd, rt| [0xe844, rt << 12 | rd << 8 | 2]),
        // ldrexh r5, [r4]; strexh rd, rt, [r4]
        1 => ([0xe8d4, 0x5f5f], |rd, rt| [0xe8c4, rt << 12 | 0xf50 | rd]),
        // ldrexb r5, [r4]; strexb rd, rt, [r4]
        _ => ([0xe8d4, 0x5f4f], |rd, rt| [0xe8c4, rt << 12 | 0xf40 | rd]),
    };
    let mut code = Vec::new();
    let (name, between): (&str, &[u16]) = match rng.below(4) {
        0 => ("exclusive", &[]),
        1 => ("exclusive, clrex", &CLREX),
        2 => ("exclusive, svc", &[SVC]),
        _ => ("exclusive, no load", &[]),
    };
    if name != "exclusive, no load" {
        code.extend(load);
    }
    code.extend(between);
    // The second one finds the monitor closed in any case.
    code.extend(store(8, 9));
    code.extend(store(10, 6));
    let mut instance = Instance::new(rng, name, code);
    let at = 4 * rng.below(8);
    instance.point_to_scratch(4, 64 + at);
    instance
}
