//! `--calibrate`: how often each population sends, by golden on recorded inputs.

use crate::carried::{self, Carried};
use crate::cli::{Align, InputArgs};
use crate::engines::{self, Feed, RunOptions};
use crate::feed;
use crate::front::data::{self, InputSet};
use ir::diag::Result;
use ir::golden::Golden;
use ir::network::{Network, Op};
use ir::{NodeId, Observable};
use passes::Activity;
use std::path::Path;

/// Samples that are looked at: more of them change the rates little.
const SAMPLES: usize = 64;

/// Runs golden on the data of `file` and counts what Inputs and neurons send.
pub fn measure(
    file: &Path,
    network: &Network,
    golden: &Golden,
    carried: &Carried,
    dt: Option<f64>,
) -> Result<Activity> {
    let ports = data::ports_of(network);
    let input = InputArgs {
        input: file.to_path_buf(),
        bin_us: None,
        steps: None,
        index: None,
        input_scale: None,
        input_offset: None,
    };
    let (set, _) = feed::read(&input, &ports, dt)?;
    carried::check_range(&set, carried, &file.display().to_string())?;
    of_set(&set.truncate(SAMPLES), network, golden, carried)
}

/// The same on inputs that were read.
pub fn of_set(
    set: &InputSet,
    network: &Network,
    golden: &Golden,
    carried: &Carried,
) -> Result<Activity> {
    let ports = data::ports_of(network);
    let senders: Vec<(NodeId, Observable)> = network
        .nodes
        .iter()
        .filter(|(_, n)| sends(&n.op))
        .map(|(id, _)| (id, Observable::Spikes))
        .collect();
    let feed = Feed { set, ports: &ports };
    // Rows of all nodes by step: what nodes send together stands together.
    let options = RunOptions {
        align: Align::Input,
        ..RunOptions::raw()
    };
    let done = engines::golden(golden, network, feed, carried, &senders, options)?;
    let mut activity = Activity::default();
    for track in &done.tracks.recorded {
        for sample in &track.samples {
            activity.add(&track.name, sample);
        }
    }
    Ok(activity)
}

/// Whether a node becomes a population that sends packets.
fn sends(op: &Op) -> bool {
    op.is_stateful() || matches!(op, Op::Input { .. } | Op::Threshold { .. })
}
