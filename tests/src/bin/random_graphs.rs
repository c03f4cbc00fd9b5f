//! The random networks of the test of the same name, as many as wanted:
//!
//! `random_graphs FROM N` runs N seeds and leaves wrong networks in the working
//! folder; `random_graphs SEED` shows one. With `mac`, dense projections are multiplied on
//! the MAC array wherever it can.
#![forbid(unsafe_code)]

use passes::Kernels;
use tests::{differential, sweep};

fn main() -> std::process::ExitCode {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|a| a.parse().ok())
        .collect();
    let kernels = match std::env::args().any(|a| a == "mac") {
        true => Kernels::Mac,
        false => Kernels::Auto,
    };
    match numbers[..] {
        [seed] => {
            let (case, verdict) = sweep::one(seed, &ir::Target::spinnaker2(), kernels);
            println!("{}", differential::text(&case.module));
            println!(
                "schedule {}, bounds {:?}",
                case.schedule, case.atoms_per_core
            );
            println!(
                "{} samples of {} steps: {:?}",
                case.samples, case.steps, case.inputs
            );
            println!("{verdict:#?}");
            u8::from(matches!(verdict, differential::Verdict::Wrong(_))).into()
        }
        [from, n] => {
            let found = sweep::sweep(from..from + n, ".".as_ref(), kernels);
            print!("{found}");
            u8::from(!found.wrong.is_empty()).into()
        }
        _ => {
            eprintln!("usage: random_graphs SEED [mac] | random_graphs FROM N [mac]");
            2.into()
        }
    }
}
