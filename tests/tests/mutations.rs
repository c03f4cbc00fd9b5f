//! Broken files through the whole compiler: 2,000 mutations of each of five
//! networks. Never a panic, never more than 5 seconds or 1 GB, and the exit
//! code says what happened.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const MUTATIONS: u64 = 2000;
/// Bytes from the start in which structure and small values stand.
const FRONT: usize = 60_000;

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

fn mutated(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if rng.below(10) == 0 {
        let keep = rng.below(bytes.len());
        bytes.truncate(keep);
        return bytes;
    }
    for _ in 0..1 + rng.below(8) {
        let at = rng.below(bytes.len().min(FRONT));
        bytes[at] = match rng.below(3) {
            0 => 0xff,
            1 => bytes[at] ^ (1 << rng.below(8)),
            _ => rng.below(256) as u8,
        };
    }
    bytes
}

/// Compiles the file in 1 GB of address space; the exit code, or why there is none.
fn compile(file: &Path, bundle: &Path, options: &[&str]) -> Result<i32, String> {
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -v 1048576; exec \"$0\" \"$@\""])
        .arg(tests::s2c_path())
        .args(["compile", "-q"])
        .arg(file)
        .arg("-o")
        .arg(bundle)
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell starts");
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            return status.code().ok_or_else(|| format!("ended by {status}"));
        }
        if begun.elapsed() > Duration::from_secs(5) {
            let _ = child.kill();
            let _ = child.wait();
            return Err("took more than 5 s".to_owned());
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

fn survives(network: Option<PathBuf>, options: &[&str], seed: u64) {
    let Some(network) = network else { return };
    let original = std::fs::read(&network).expect("readable");
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (file, bundle) = (folder.path().join("net.nir"), folder.path().join("net.s2"));
    let mut rng = Rng(seed);
    let mut codes = [0u64; 3];
    for n in 0..MUTATIONS {
        std::fs::write(&file, mutated(&original, &mut rng)).expect("written");
        match compile(&file, &bundle, options) {
            Ok(code @ 0..=2) => codes[code as usize] += 1,
            other => panic!(
                "{} mutation {n} of seed {seed}: {other:?}",
                network.display()
            ),
        }
    }
    eprintln!("{}: exit 0, 1, 2: {codes:?}", network.display());
    assert!(codes[1] > 0, "mutations that break nothing test nothing");
}

#[test]
fn norse_if() {
    survives(Some(fixtures::NORSE_IF.nir()), &["--profile", "norse"], 1);
}

#[test]
fn norse_mlp() {
    survives(
        Some(fixtures::NORSE_MLP.nir()),
        &["--profile", "norse", "--dt", "1e-6"],
        2,
    );
}

#[test]
fn legacy() {
    survives(Some(fixtures::LEGACY.nir()), &["--dt", "1e-3"], 3);
}

#[test]
fn lif_norse() {
    survives(
        tests::corpus("nir/paper/lif_norse.nir"),
        &["--dt", "1e-4"],
        4,
    );
}

#[test]
fn two_lif_neurons() {
    survives(
        tests::corpus("nir/paper/two_lif_neurons.nir"),
        &["--dt", "1e-4"],
        5,
    );
}
