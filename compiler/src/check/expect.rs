//! The references of `--expect` as tracks.

use crate::front;
use crate::front::data::{Array, encode_name, read_expect, split_expect};
use crate::options::escape;
use crate::tracks::{Kind, Track, Tracks};
use ir::diag::Result;
use ir::{Code, Diagnostic, Origin, Series};
use std::collections::BTreeMap;
use std::path::Path;

/// The arrays of a reference file.
pub(super) struct Reference {
    file: String,
    /// The array that the user named.
    named: Option<String>,
    arrays: BTreeMap<String, Array>,
}

impl Reference {
    pub(super) fn read(argument: &str) -> Result<Self> {
        let (file, named) = split_expect(argument);
        let bytes = front::read_file(Path::new(file))?;
        Ok(Self {
            file: file.to_owned(),
            named: named.map(str::to_owned),
            arrays: read_expect(&bytes, file, named)?,
        })
    }

    fn error(&self, code: Code, message: String) -> Diagnostic {
        let origin = Origin::File {
            file: self.file.clone(),
        };
        Diagnostic::error(code, &origin, message)
    }

    /// The reference of each output that has one, in the shape of the output.
    pub(super) fn tracks(&self, outputs: &[Track]) -> Result<Tracks> {
        let mut found = Tracks::default();
        for output in outputs {
            if let Some((name, array)) = self.array_of(output, outputs) {
                found.outputs.push(self.track(name, array, output)?);
            }
        }
        if found.outputs.is_empty() {
            let held: Vec<String> = self.arrays.keys().map(|n| escape(n)).collect();
            let names: Vec<String> = outputs
                .iter()
                .map(|o| format!("out_{}", escape(&o.name)))
                .collect();
            return Err(self
                .error(
                    Code::NothingCompared,
                    "no array of the reference belongs to an output".to_owned(),
                )
                .note(format!("the file holds: {}", held.join(", ")))
                .note(format!("looked for: {}", names.join(", ")))
                .help("name the array: --expect FILE.npz:ARRAY")
                .into());
        }
        Ok(found)
    }

    fn array_of(&self, output: &Track, outputs: &[Track]) -> Option<(&str, &Array)> {
        let of_output = [
            format!("out_{}", output.name),
            format!("out_{}", encode_name(&output.name)),
        ];
        let alone = outputs.iter().filter(|o| o.kind == output.kind).count() == 1;
        let shared = match output.kind {
            Kind::Spiking => "out_spikes",
            Kind::Graded => "out_trace",
        };
        let exact = of_output.iter().find_map(|n| self.arrays.get_key_value(n));
        let common = || self.arrays.get_key_value(shared).filter(|_| alone);
        let named = || {
            let name = self.named.as_ref()?;
            self.arrays
                .get_key_value(name)
                .or_else(|| self.arrays.iter().next())
                .filter(|_| outputs.len() == 1)
        };
        exact
            .or_else(common)
            .or_else(named)
            .map(|(name, array)| (name.as_str(), array))
    }

    /// `[samples, steps, …]` with the output's number of values a step.
    fn track(&self, name: &str, array: &Array, output: &Track) -> Result<Track> {
        let (steps, width) = output
            .samples
            .first()
            .map_or((0, 0), |s| (s.steps, s.width));
        let dims = &array.shape().0;
        let fits = match dims.as_slice() {
            [samples, t, rest @ ..] => {
                *samples == output.samples.len()
                    && *t == steps
                    && rest.iter().product::<usize>() == width
            }
            _ => false,
        };
        if !fits {
            return Err(self
                .error(
                    Code::InputData,
                    format!(
                        "the reference '{}' has another shape than the output",
                        escape(name)
                    ),
                )
                .note(format!(
                    "expected [{} {steps} {width}], found {}",
                    output.samples.len(),
                    array.shape()
                ))
                .into());
        }
        let size = steps * width;
        let samples = (0..output.samples.len()).map(|i| Series {
            steps,
            width,
            data: array.elements().slice(i * size..(i + 1) * size),
        });
        Ok(Track {
            samples: samples.collect(),
            ..Track {
                name: output.name.clone(),
                observable: output.observable,
                kind: output.kind,
                samples: Vec::new(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::data::Elements;
    use crate::tracks::spikes;
    use ir::Shape;

    fn reference(arrays: &[(&str, &[usize])], named: Option<&str>) -> Reference {
        let array = |dims: &[usize]| {
            let shape = Shape::of(dims);
            let n = shape.len();
            Array::new(shape, Elements::U8(vec![1; n])).expect("fits")
        };
        Reference {
            file: "ref.npz".to_owned(),
            named: named.map(str::to_owned),
            arrays: arrays
                .iter()
                .map(|(n, d)| ((*n).to_owned(), array(d)))
                .collect(),
        }
    }

    #[test]
    fn arrays_are_found_by_name() {
        let out = [spikes("out", &[&[&[1, 0], &[0, 0]]])];
        let dims: &[usize] = &[1, 2, 2];
        for name in ["out_out", "out_spikes"] {
            let got = reference(&[(name, dims)], None)
                .tracks(&out)
                .expect("found");
            assert_eq!(got.outputs[0].samples[0].data, [1.0; 4]);
        }
        let e = reference(&[("other", dims)], None)
            .tracks(&out)
            .expect_err("none");
        assert_eq!(e.0[0].code, Code::NothingCompared);
        reference(&[("other", dims)], Some("other"))
            .tracks(&out)
            .expect("named");
    }

    #[test]
    fn shapes_must_agree_but_may_be_structured() {
        let out = [spikes("out", &[&[&[1, 0, 0, 0], &[0, 0, 0, 0]]])];
        reference(&[("out_out", &[1, 2, 2, 2])], None)
            .tracks(&out)
            .expect("4 = 2 x 2");
        for dims in [&[1usize, 2, 3][..], &[2, 2, 4], &[1, 3, 4], &[8]] {
            let e = reference(&[("out_out", dims)], None)
                .tracks(&out)
                .expect_err("no fit");
            assert_eq!(e.0[0].code, Code::InputData);
        }
    }

    #[test]
    fn a_shared_name_needs_a_lone_output() {
        let one = spikes("a", &[&[&[1]]]);
        let two = spikes("b", &[&[&[1]]]);
        let r = reference(&[("out_spikes", &[1, 1, 1])], None);
        assert!(r.tracks(&[one, two]).is_err());
    }
}
