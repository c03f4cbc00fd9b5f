//! The arrays of output files: names, shapes and element types.

use crate::front::data::{Array, Elements, Observed, write_nird, write_npz};
use crate::options::usage;
use crate::tracks::{Kind, Track, Tracks};
use ir::diag::Result;
use ir::{Diagnostic, Observable, Shape};
use std::path::Path;

/// The bytes of an output file: NIRData if its name ends in `.nird`, else
/// `.npz`. `dt` in seconds, which NIRData states.
pub fn file_bytes(tracks: &Tracks, path: &Path, dt: Option<f64>) -> Result<Vec<u8>> {
    let file = path.display().to_string();
    let extension = path.extension().unwrap_or_default();
    if !extension.eq_ignore_ascii_case("nird") {
        return write_npz(&arrays(tracks)?, &file);
    }
    let Some(dt) = dt else {
        return Err(
            usage(file, "NIRData states the time step, which is not known")
                .help("pass --dt SECONDS when the network is compiled or run, or write an .npz")
                .into(),
        );
    };
    let mut observed: Vec<Observed> = Vec::new();
    for track in tracks.outputs.iter().chain(&tracks.recorded) {
        let spikes = track.kind == Kind::Spiking && track.observable == Observable::Spikes;
        let observable = match track.observable {
            Observable::Spikes if spikes => "spikes",
            Observable::Spikes => "v",
            other => other.name(),
        };
        let same = |o: &Observed| o.node == track.name && o.observable == observable;
        if observed.iter().any(same) {
            continue;
        }
        observed.push(Observed {
            node: track.name.clone(),
            observable: observable.to_owned(),
            array: rows(track.name.clone(), track)?.1,
        });
    }
    write_nird(&observed, dt, &file)
}

/// All arrays of a run: `out_<node>` and `counts_<node>` per output,
/// `<node>.<observable>` per recording, `out_spikes` for a lone spiking output.
/// Names are those of the nodes; the writer makes them safe for an archive.
pub fn arrays(tracks: &Tracks) -> Result<Vec<(String, Array)>> {
    let mut all = Vec::new();
    for track in &tracks.outputs {
        let name = &track.name;
        all.push(rows(format!("out_{name}"), track)?);
        if track.kind == Kind::Spiking {
            all.push(counts(format!("counts_{name}"), track)?);
        }
    }
    let spiking: Vec<_> = tracks
        .outputs
        .iter()
        .filter(|t| t.kind == Kind::Spiking)
        .collect();
    if let [only] = spiking.as_slice()
        && all.iter().all(|(name, _)| name != "out_spikes")
    {
        all.push(rows("out_spikes".to_owned(), only)?);
    }
    for track in &tracks.recorded {
        all.push(rows(
            format!("{}.{}", track.name, track.observable.name()),
            track,
        )?);
    }
    Ok(all)
}

fn named(name: String, shape: &[usize], elements: Elements) -> Result<(String, Array)> {
    match Array::new(Shape::of(shape), elements) {
        Some(array) => Ok((name, array)),
        None => {
            Err(Diagnostic::internal(format!("the array '{name}' has rows of two sizes")).into())
        }
    }
}

/// `[samples, steps, n]`.
fn rows(name: String, track: &Track) -> Result<(String, Array)> {
    let first = track.samples.first();
    let (steps, width) = first.map_or((0, 0), |s| (s.steps, s.width));
    let values = track.samples.iter().flat_map(|s| s.data.iter().copied());
    let graded = track.kind == Kind::Graded || track.observable != Observable::Spikes;
    let elements = if graded {
        Elements::F32(values.map(|v| v as f32).collect())
    } else {
        integers(values)
    };
    named(name, &[track.samples.len(), steps, width], elements)
}

/// `[samples, n]`: sums over the steps.
fn counts(name: String, track: &Track) -> Result<(String, Array)> {
    let width = track.samples.first().map_or(0, |s| s.width);
    let totals = (0..track.samples.len()).flat_map(|s| track.totals(s));
    let elements = Elements::I32(totals.map(|v| v as i32).collect());
    named(name, &[track.samples.len(), width], elements)
}

/// u8 where every value fits, which is nearly always.
fn integers(values: impl Iterator<Item = f64> + Clone) -> Elements {
    if values.clone().all(|v| v <= 255.0) {
        Elements::U8(values.map(|v| v as u8).collect())
    } else {
        Elements::I32(values.map(|v| v as i32).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracks::spikes;

    #[test]
    fn a_lone_spiking_output_has_two_names() {
        let tracks = Tracks {
            outputs: vec![spikes("out", &[&[&[1, 0], &[1, 1]]])],
            recorded: vec![spikes("a/b", &[&[&[1]]])],
        };
        let got = arrays(&tracks).expect("one size");
        let names: Vec<_> = got.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["out_out", "counts_out", "out_spikes", "a/b.spikes"]);
        assert_eq!(got[0].1.shape(), &Shape::of(&[1, 2, 2]));
        assert_eq!(got[0].1.elements(), &Elements::U8(vec![1, 0, 1, 1]));
        assert_eq!(got[1].1.elements(), &Elements::I32(vec![2, 1]));
    }
}
