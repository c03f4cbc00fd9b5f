//! `--plot`: the output spikes of the first sample as a raster.

use crate::options::escape;
use crate::tracks::{Kind, Tracks};
use ir::Diagnostic;
use ir::diag::Result;
use plotters::prelude::*;

const WIDTH: u32 = 900;
const HEIGHT_PER_OUTPUT: u32 = 320;

/// An SVG with one chart per output: time to the right, neurons upwards.
pub fn raster(name: &str, tracks: &Tracks) -> Result<String> {
    let mut svg = String::new();
    draw(name, tracks, &mut svg)
        .map_err(|e| Diagnostic::internal(format!("the plot cannot be drawn: {e}")))?;
    Ok(svg)
}

fn draw(
    name: &str,
    tracks: &Tracks,
    svg: &mut String,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let charts = tracks.outputs.len().max(1);
    let height = HEIGHT_PER_OUTPUT * u32::try_from(charts)?;
    let root = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, track) in root.split_evenly((charts, 1)).iter().zip(&tracks.outputs) {
        let Some(series) = track.samples.first() else {
            continue;
        };
        let title = format!("{}: {}, sample 0", escape(name), escape(&track.name));
        let top = match track.kind {
            Kind::Spiking => series.width as f64,
            Kind::Graded => series.data.iter().copied().fold(1.0, f64::max),
        };
        let bottom = match track.kind {
            Kind::Spiking => -1.0,
            Kind::Graded => series.data.iter().copied().fold(0.0, f64::min),
        };
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(48)
            .build_cartesian_2d(-1.0..series.steps as f64, bottom..top)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc("step")
            .y_desc("neuron")
            .draw()?;
        match track.kind {
            Kind::Spiking => {
                let dots = (0..series.steps).flat_map(|t| {
                    let row = series.row(t).iter().enumerate();
                    row.filter(|(_, v)| **v != 0.0)
                        .map(move |(i, _)| Circle::new((t as f64, i as f64), 2, BLACK.filled()))
                });
                chart.draw_series(dots)?;
            }
            Kind::Graded => {
                for i in 0..series.width {
                    let line = (0..series.steps).map(|t| (t as f64, series.row(t)[i]));
                    chart.draw_series(LineSeries::new(line, &Palette99::pick(i)))?;
                }
            }
        }
    }
    root.present()?;
    drop(root);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracks::spikes;

    #[test]
    fn every_spike_is_a_dot() {
        let tracks = Tracks {
            outputs: vec![spikes("out", &[&[&[1, 0], &[1, 1]]])],
            recorded: Vec::new(),
        };
        let svg = raster("net", &tracks).expect("drawn");
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("sample 0"));
    }
}
