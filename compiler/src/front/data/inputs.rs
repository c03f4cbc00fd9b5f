//! Inputs: which array belongs to which Input node, and whether it fits.

use super::array::{Array, Elements};
use super::expect::{Archive, is_zip, not_numpy};
use super::{MAX_DECODED_BYTES, encode_name, fault, npy};
use ir::diag::Result;
use ir::network::Op;
use ir::origin::escape;
use ir::{Code, Diagnostic, Network, Origin, Series, Shape};
use std::collections::BTreeMap;

/// An Input node as the data must fit it.
#[derive(Clone, Debug, PartialEq)]
pub struct PortSpec {
    pub name: String,
    /// Values of one step; `None` if the network does not say.
    pub shape: Option<Shape>,
}

/// The Input nodes of a network.
pub fn ports_of(network: &Network) -> Vec<PortSpec> {
    network
        .nodes
        .values()
        .filter_map(|node| match &node.op {
            Op::Input { shape } => Some(PortSpec {
                name: node.name.clone(),
                shape: node.out_shape.clone().or_else(|| shape.clone()),
            }),
            _ => None,
        })
        .collect()
}

/// The data of one Input node, `[samples, steps, width]` in C order.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Values of one step, as the network has them.
    pub shape: Shape,
    pub width: usize,
    pub elements: Elements,
}

impl Port {
    /// The largest value, or 0 if none is above it.
    pub fn max_value(&self) -> f64 {
        self.values().fold(0.0, f64::max)
    }
    /// The smallest value, or 0 if none is below it.
    pub fn min_value(&self) -> f64 {
        self.values().fold(0.0, f64::min)
    }
    /// Whether every value is an integer.
    pub fn is_integer(&self) -> bool {
        self.values().all(|v| v.fract() == 0.0)
    }
    fn values(&self) -> impl Iterator<Item = f64> {
        (0..self.elements.len()).map(|i| self.elements.at(i))
    }
}

/// Inputs of a run: every port has the same samples and steps.
#[derive(Clone, Debug, PartialEq)]
pub struct InputSet {
    pub samples: usize,
    pub steps: usize,
    pub ports: BTreeMap<String, Port>,
    /// One class per sample.
    pub labels: Option<Vec<i64>>,
}

impl InputSet {
    /// What each Input node gets in sample `i`; `None` beyond the last sample.
    pub fn sample(&self, i: usize) -> Option<BTreeMap<String, Series>> {
        if i >= self.samples {
            return None;
        }
        let series = self.ports.iter().map(|(name, port)| {
            let size = self.steps * port.width;
            let series = Series {
                steps: self.steps,
                width: port.width,
                data: port.elements.slice(i * size..(i + 1) * size),
            };
            (name.clone(), series)
        });
        Some(series.collect())
    }
    /// Keeps at most `samples` samples.
    #[must_use]
    pub fn truncate(mut self, samples: usize) -> Self {
        self.samples = self.samples.min(samples);
        for port in self.ports.values_mut() {
            let n = self.samples * self.steps * port.width;
            match &mut port.elements {
                Elements::U8(v) => v.truncate(n),
                Elements::I32(v) => v.truncate(n),
                Elements::F32(v) => v.truncate(n),
                Elements::F64(v) => v.truncate(n),
            }
        }
        if let Some(labels) = &mut self.labels {
            labels.truncate(self.samples);
        }
        self
    }
}

/// Reads inputs from `.npz` or `.npy` bytes.
///
/// An Input node takes the array of its own name, else `x_<name>`; a single
/// Input also takes `x`, or spikes packed to bits as `x_packed` with
/// `x_shape`. Labels are `y` or `labels`.
pub fn read_inputs(
    bytes: &[u8],
    file: &str,
    ports: &[PortSpec],
) -> Result<(InputSet, Vec<Diagnostic>)> {
    if is_zip(bytes) {
        return from_archive(&Archive::open(bytes, file)?, file, ports);
    }
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err(not_numpy(file).into());
    }
    let [port] = ports else {
        let what = format!("one array cannot feed {} Input nodes", ports.len());
        return Err(fault(file, what).note(wanted(ports)).help(SAVE).into());
    };
    let array =
        npy::parse(bytes).map_err(|e| fault(file, format!("the array cannot be read: {e}")))?;
    let fitted = fit(array, "the array", port, file)?;
    assemble(vec![(port, "the array".to_owned(), fitted)], None, file)
}

const SAVE: &str =
    "save one array per Input node, named as the node: numpy.savez_compressed(FILE, **arrays)";

/// The data of a port with its samples and steps.
pub(super) struct Fitted {
    samples: usize,
    steps: usize,
    port: Port,
}

fn from_archive(
    archive: &Archive<'_>,
    file: &str,
    ports: &[PortSpec],
) -> Result<(InputSet, Vec<Diagnostic>)> {
    let mut found = Vec::new();
    for port in ports {
        let candidates = [
            port.name.clone(),
            encode_name(&port.name),
            format!("x_{}", port.name),
            format!("x_{}", encode_name(&port.name)),
        ];
        let single = ports.len() == 1;
        let name = candidates
            .into_iter()
            .chain(single.then(|| "x".to_owned()))
            .find(|n| archive.holds(n));
        let (name, array) = match name {
            Some(name) => {
                let array = archive.array(&name)?;
                (name, array)
            }
            None if single && archive.holds("x_packed") => {
                ("x_packed".to_owned(), unpack(archive, file)?)
            }
            None => {
                let what = format!("no array for the Input node '{}'", escape(&port.name));
                return Err(fault(file, what)
                    .note(wanted(ports))
                    .note(archive.listing())
                    .help(SAVE)
                    .into());
            }
        };
        let shown = format!("array '{}'", escape(&name));
        let fitted = fit(array, &shown, port, file)?;
        found.push((port, name, fitted));
    }
    let used: Vec<&str> = found.iter().map(|(_, name, _)| name.as_str()).collect();
    let labels = ["y", "labels"]
        .into_iter()
        .find(|n| archive.holds(n) && !used.contains(n));
    let labels = match labels {
        Some(name) => Some((name, archive.array(name)?)),
        None => None,
    };
    assemble(found, labels, file)
}

pub(super) fn wanted(ports: &[PortSpec]) -> String {
    let list: Vec<String> = ports
        .iter()
        .map(|p| format!("'{}' {}", escape(&p.name), expected(p)))
        .collect();
    format!("expected: {}", list.join(", "))
}

/// The shape that a port expects, such as `[samples steps 28 28]`.
fn expected(port: &PortSpec) -> String {
    let shape = port.shape.as_ref().map_or("…".to_owned(), |s| {
        let dims: Vec<String> = s.0.iter().map(usize::to_string).collect();
        dims.join(" ")
    });
    format!("[samples steps {shape}]")
}

/// Spikes of eight neurons a byte, most significant bit first; every row of
/// the last axis is padded to whole bytes.
fn unpack(archive: &Archive<'_>, file: &str) -> Result<Array> {
    let bad = |what: String| {
        let error = fault(file, what);
        error.help("pack with numpy.packbits(x.reshape(samples, steps, -1), axis=-1) and store x.shape as x_shape")
    };
    let packed = archive.array("x_packed")?;
    let shape = archive.array("x_shape")?;
    let dims: Option<Vec<usize>> = shape
        .as_ints()
        .map(|v| v.iter().map(|&d| usize::try_from(d).ok()).collect())
        .unwrap_or_default();
    let Some(dims) = dims.map(Shape).filter(|s| s.rank() > 0) else {
        return Err(bad("x_shape holds no shape".to_owned()).into());
    };
    let Elements::U8(bytes) = packed.elements() else {
        return Err(bad("x_packed must hold bytes (uint8)".to_owned()).into());
    };
    let row_bytes = packed.shape().0.last().copied().unwrap_or(0);
    let rows = bytes.len().checked_div(row_bytes).unwrap_or(0);
    let fits = dims.checked_len().and_then(|n| {
        let width = n.checked_div(rows)?;
        (width * rows == n && width.div_ceil(8) == row_bytes && n as u64 <= MAX_DECODED_BYTES)
            .then_some(width)
    });
    let Some(width) = fits else {
        return Err(bad("x_packed and x_shape do not fit together".to_owned())
            .note(format!(
                "x_packed has {rows} rows of {row_bytes} bytes = {} bits each, x_shape is {dims}",
                row_bytes.saturating_mul(8)
            ))
            .into());
    };
    let mut spikes = Vec::with_capacity(rows * width);
    for row in bytes.chunks_exact(row_bytes) {
        spikes.extend((0..width).map(|i| row[i / 8] >> (7 - i % 8) & 1));
    }
    Array::new(dims, Elements::U8(spikes))
        .ok_or_else(|| bad("x_packed and x_shape do not fit together".to_owned()).into())
}

/// Splits an array into samples, steps and the port's shape.
pub(super) fn fit(array: Array, shown: &str, port: &PortSpec, file: &str) -> Result<Fitted> {
    let name = escape(&port.name);
    let mismatch = || {
        fault(
            file,
            format!("{shown} does not fit the Input node '{name}'"),
        )
        .note(format!(
            "expected {}, found {}",
            expected(port),
            array.shape()
        ))
    };
    let [samples, steps, rest @ ..] = array.shape().0.as_slice() else {
        return Err(mismatch().help(SAMPLES).into());
    };
    let (samples, steps, rest) = (*samples, *steps, Shape::of(rest));
    let shape = match &port.shape {
        None => rest,
        // C order makes a flattened step equal to a shaped one.
        Some(shape) if *shape == rest || (rest.rank() <= 1 && shape.len() == rest.len()) => {
            shape.clone()
        }
        Some(shape) => {
            let without_samples = array.shape().0.get(1..) == Some(shape.0.as_slice());
            let error = mismatch();
            return Err(if without_samples {
                error.help(SAMPLES)
            } else {
                error
            }
            .into());
        }
    };
    if samples == 0 || steps == 0 || shape.is_empty() {
        return Err(mismatch()
            .help("an input needs at least one sample and one step")
            .into());
    }
    let width = shape.len();
    if let Some(i) = array.elements().first_not_finite() {
        let what = format!(
            "{shown} holds {} for the Input node '{name}'",
            array.elements().at(i)
        );
        let place = format!(
            "at sample {}, step {}, index {}",
            i / (steps * width),
            i / width % steps,
            i % width
        );
        return Err(fault(file, what)
            .note(place)
            .help("inputs must be finite numbers")
            .into());
    }
    Ok(Fitted {
        samples,
        steps,
        port: Port {
            shape,
            width,
            elements: array.into_elements(),
        },
    })
}

const SAMPLES: &str = "the first dimension counts samples, the second steps; for a single sample use x[numpy.newaxis]";

pub(super) fn assemble(
    found: Vec<(&PortSpec, String, Fitted)>,
    labels: Option<(&str, Array)>,
    file: &str,
) -> Result<(InputSet, Vec<Diagnostic>)> {
    let Some((_, first_name, first)) = found.first() else {
        return Err(fault(file, "the network has no Input node to feed".to_owned()).into());
    };
    let (samples, steps) = (first.samples, first.steps);
    if let Some((_, name, other)) = found
        .iter()
        .find(|(_, _, f)| (f.samples, f.steps) != (samples, steps))
    {
        let what = "the arrays disagree about samples or steps".to_owned();
        return Err(fault(file, what)
            .note(format!(
                "'{}' has {samples} samples of {steps} steps, '{}' has {} samples of {} steps",
                escape(first_name),
                escape(name),
                other.samples,
                other.steps
            ))
            .into());
    }
    let mut warnings = Vec::new();
    let labels = match labels {
        None => None,
        Some((_, array)) if array.elements().len() == samples && array.as_ints().is_some() => {
            array.as_ints()
        }
        Some((name, array)) => {
            let origin = Origin::File {
                file: file.to_owned(),
            };
            let what = format!("the labels '{name}' are not used, so there is no accuracy");
            warnings.push(
                Diagnostic::warning(Code::InputData, &origin, what).note(format!(
                    "expected {samples} integers, found {}",
                    array.shape()
                )),
            );
            None
        }
    };
    let ports = found
        .into_iter()
        .map(|(spec, _, fitted)| (spec.name.clone(), fitted.port))
        .collect();
    let set = InputSet {
        samples,
        steps,
        ports,
        labels,
    };
    Ok((set, warnings))
}
