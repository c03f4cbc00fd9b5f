//! Many samples on several host threads.

use crate::inputs::SampleRun;
use crate::machine::Machine;
use crate::report::{BatchResult, SampleResult};
use ir::diag::{Diagnostic, Result};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Runs `samples` on clones of `machine`, on `threads` host threads (0: one for
/// each processor). Results come in sample order and do not depend on the number
/// of threads. If samples fail, the error is that of the first one.
///
/// Samples with `keep_state` depend on the one before, so a batch that has one
/// runs in order on a single machine.
pub fn run_batch(machine: &Machine, samples: &[SampleRun], threads: usize) -> Result<BatchResult> {
    let timed = |machine: &mut Machine, number: usize, sample: &SampleRun| {
        let begin = Instant::now();
        let result = machine.run_numbered(sample, number as u64);
        (result, begin.elapsed())
    };
    let runs: Vec<(Result<SampleResult>, Duration)> = if samples.iter().any(|s| s.keep_state) {
        let mut machine = machine.clone();
        let numbered = samples.iter().enumerate();
        numbered.map(|(i, s)| timed(&mut machine, i, s)).collect()
    } else {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|e| Diagnostic::internal(format!("no host threads: {e}")))?;
        // A machine that has run keeps its decoded code: clones are used again.
        let idle: Mutex<Vec<Machine>> = Mutex::new(Vec::new());
        let locked = || idle.lock().unwrap_or_else(PoisonError::into_inner);
        let run = |(number, sample): (usize, &SampleRun)| {
            let waiting = locked().pop();
            let mut machine = waiting.unwrap_or_else(|| machine.clone());
            let run = timed(&mut machine, number, sample);
            locked().push(machine);
            run
        };
        pool.install(|| samples.par_iter().enumerate().map(run).collect())
    };
    let mut batch = BatchResult::default();
    for (result, time) in runs {
        batch.samples.push(result?);
        batch.host.push(time);
    }
    Ok(batch)
}
