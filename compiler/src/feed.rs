//! The inputs of a run: the file of `--input`, scaled if asked for, one series
//! per Input node and sample.

use crate::cli::InputArgs;
use crate::front;
use crate::front::data::{Elements, InputSet, PortSpec, Reading};
use ir::diag::Result;
use ir::{Diagnostic, Series};

/// Reads the inputs for these ports; `dt` in seconds where the run knows it,
/// since files with event times need it.
pub fn read(
    args: &InputArgs,
    ports: &[PortSpec],
    dt: Option<f64>,
) -> Result<(InputSet, Vec<Diagnostic>)> {
    let index = match &args.index {
        None => None,
        Some(path) => Some((path.display().to_string(), front::read_file(path)?)),
    };
    let reading = Reading {
        dt,
        bin_us: args.bin_us,
        steps: args.steps,
        index,
    };
    let file = args.input.display().to_string();
    let bytes = front::read_file(&args.input)?;
    let (mut set, warnings) = front::data::read_inputs_with(&bytes, &file, ports, &reading)?;
    if args.input_scale.is_some() || args.input_offset.is_some() {
        scale(
            &mut set,
            args.input_scale.unwrap_or(1.0),
            args.input_offset.unwrap_or(0.0),
        );
    }
    Ok((set, warnings))
}

/// `x * scale + offset` in float32, each operation rounded.
fn scale(set: &mut InputSet, scale: f64, offset: f64) {
    let (scale, offset) = (scale as f32, offset as f32);
    for port in set.ports.values_mut() {
        let n = port.elements.len();
        let scaled = (0..n).map(|i| port.elements.at(i) as f32 * scale + offset);
        port.elements = Elements::F32(scaled.collect());
    }
}

/// One series per port, in the order of `ports`.
pub fn sample(set: &InputSet, ports: &[PortSpec], index: usize) -> Result<Vec<Series>> {
    let missing = || Diagnostic::internal(format!("sample {index} has no data for some input"));
    let mut all = set.sample(index).ok_or_else(missing)?;
    ports
        .iter()
        .map(|p| all.remove(&p.name).ok_or_else(|| missing().into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::data::Port;
    use ir::Shape;
    use std::collections::BTreeMap;

    fn set(values: &[u8]) -> InputSet {
        let port = Port {
            shape: Shape::of(&[2]),
            width: 2,
            elements: Elements::U8(values.to_vec()),
        };
        InputSet {
            samples: 1,
            steps: values.len() / 2,
            ports: BTreeMap::from([("in".to_owned(), port)]),
            labels: None,
        }
    }

    #[test]
    fn scaling_is_float32() {
        let mut s = set(&[0, 1, 255, 3]);
        scale(&mut s, 1.0 / 255.0, 0.5);
        let got = &s.ports["in"].elements;
        assert_eq!(got.at(2), f64::from(255.0f32 * (1.0f32 / 255.0) + 0.5));
        assert_eq!(got.at(0), 0.5);
    }
}
