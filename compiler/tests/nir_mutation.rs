//! Damaged files: no panic, no hang, whatever the bytes.

mod nir_support;

use nir_support::{CHAIN, corpus, load, small};
use std::time::{Duration, Instant};

const MUTATIONS: u64 = 2_000;
/// Bytes at the start of a file that are mutated: there the structure lies.
const WINDOW: usize = 60_000;
const SLOWEST: Duration = Duration::from_secs(5);

/// Xorshift: the same mutations on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

fn mutate(original: &[u8], seed: u64) -> Vec<u8> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (seed + 1).wrapping_mul(0xd134_2543_de82_ef95));
    let mut bytes = original.to_vec();
    if random.below(10) == 0 {
        bytes.truncate(random.below(original.len()));
        return bytes;
    }
    for _ in 0..=random.below(8) {
        let at = random.below(bytes.len().min(WINDOW));
        bytes[at] = match random.below(4) {
            0 => 0xff,
            1 => 0,
            2 => bytes[at] ^ 1 << random.below(8),
            _ => random.next() as u8,
        };
    }
    bytes
}

fn survive(name: &str, original: &[u8], count: u64) {
    let (mut loaded, mut slowest) = (0, Duration::ZERO);
    for seed in 0..count {
        let bytes = mutate(original, seed);
        let start = Instant::now();
        loaded += u64::from(load(&bytes, name).is_ok());
        let took = start.elapsed();
        assert!(took < SLOWEST, "{name}, seed {seed}: {took:?}");
        slowest = slowest.max(took);
    }
    println!("{name}: {loaded} of {count} still load, slowest {slowest:?}");
}

#[test]
fn a_small_file_survives_mutation() {
    survive("small", &small().edges(CHAIN).bytes(), MUTATIONS);
}

#[test]
fn files_of_the_corpus_survive_mutation() {
    let Some(root) = corpus() else { return };
    for path in [
        "nir/paper/lif_norse.nir",
        "nets/snntorch_mlp_784_256_10/net_scalar.nir",
        "nir/generated/v1.0.8/lzf.nir",
        "nir/generated/v1.0.8/big_gzip.nir",
        "nets/hand_nested_rnn/net.nir",
    ] {
        survive(path, &std::fs::read(root.join(path)).unwrap(), MUTATIONS);
    }
}
