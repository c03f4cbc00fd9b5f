//! `cargo xtask`: tasks of developers.
#![forbid(unsafe_code)]

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use xtask::{cycles, stress};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Tasks of developers")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Emulated cycles and bytes of each kernel, beside its target and plain C
    Cycles {
        /// Only kernels whose name contains this
        filter: Option<String>,
        /// An array of objects instead of a table
        #[arg(long)]
        json: bool,
        /// Exit with 1 if a kernel misses its target, or the compiler's code for
        /// plain C is too close (only where arm-none-eabi-gcc is installed)
        #[arg(long)]
        check: bool,
        /// Print the code of each kernel
        #[arg(long)]
        disassembly: bool,
    },
    /// Synaptic events a second of a whole chip whose populations are dense, busy and
    /// joined all to all, in emulated time at 300 MHz
    Stress {
        /// Neurons of each PE
        #[arg(long, default_value_t = 256)]
        atoms: usize,
    },
}

fn main() -> ExitCode {
    match Cli::parse().task {
        Task::Cycles {
            filter,
            json,
            check,
            disassembly,
        } => {
            let filter = filter.as_deref().unwrap_or("");
            if disassembly {
                for bench in cycles::benches(filter) {
                    print!("{}", bench.disassembly());
                }
                return ExitCode::SUCCESS;
            }
            report(&cycles::rows(filter), json, check)
        }
        Task::Stress { atoms } => {
            print!("{}", stress::run(atoms).text());
            ExitCode::SUCCESS
        }
    }
}

fn report(rows: &[cycles::Row], json: bool, check: bool) -> ExitCode {
    if json {
        println!("{:#}", cycles::json(rows));
    } else {
        print!("{}", cycles::table(rows));
    }
    let missed: Vec<String> = rows.iter().flat_map(cycles::Row::misses).collect();
    if !check || missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    for line in missed {
        eprintln!("{line}");
    }
    ExitCode::FAILURE
}
