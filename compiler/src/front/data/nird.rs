//! NIRData: recordings in HDF5, as input and as output.
//!
//! `/nodes/<name>/observables/<observable>` holds one of
//!
//! | kind | datasets | attributes |
//! |---|---|---|
//! | TimeGriddedData | `data` `[samples, steps, neurons]` | `dt` |
//! | EventData | `idx` `[samples, events]` (padding -1), `time` (padding inf) | `n_neurons`, `t_max` |
//! | ValuedEventData | and `value` | the same |
//!
//! An event at time t belongs to step floor(t/dt); there are floor(t_max/dt)
//! steps. Several events of a neuron in a step are one spike, and the last
//! value counts, as in nir itself.

use super::array::{Array, Elements};
use super::inputs::{InputSet, PortSpec, assemble, fit, wanted};
use super::{MAX_DECODED_BYTES, fault};
use crate::front::nir::store::Tree;
use crate::front::nir::{Dataset, Values, recording};
use hdf5_core::{Datatype, EnumMember};
use hdf5_writer::{
    AttributeBuilder, ByteOrder, DatasetBuilder, FILTER_DEFLATE, FilterDescription, Hdf5Builder,
    WriteOptions,
};
use ir::diag::Result;
use ir::origin::escape;
use ir::{Code, Diagnostic, Origin, Shape};
use std::collections::BTreeMap;

/// Observables that feed an Input, the first that is there.
const FEEDING: [&str; 4] = ["spikes", "input", "x", "data"];
/// Quotients of times this close below a whole number are that number: a time
/// written as `step * dt` must come back as its step.
const NEAR: f64 = 1e-6;

/// Whether the bytes begin as an HDF5 file.
pub(super) fn is_nird(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89HDF\r\n\x1a\n")
}

pub(super) fn read(
    bytes: &[u8],
    file: &str,
    ports: &[PortSpec],
    dt: Option<f64>,
) -> Result<(InputSet, Vec<Diagnostic>)> {
    let tree = recording(bytes, file)?;
    if tree.child("node").is_some() {
        return Err(fault(file, "this is a network, not a recording".to_owned())
            .help("give a NIRData file, .npz or .npy with --input")
            .into());
    }
    let mut nodes = BTreeMap::new();
    collect(&tree, "", &mut nodes);
    let listing = || {
        let names: Vec<String> = nodes.keys().map(|n| escape(n)).collect();
        format!("the file holds recordings of: {}", names.join(", "))
    };
    let mut warnings = Vec::new();
    let mut found = Vec::new();
    for port in ports {
        let only = (ports.len() == 1 && nodes.len() == 1)
            .then(|| nodes.first_key_value())
            .flatten();
        let Some((name, observables)) = nodes.get_key_value(&port.name).or(only) else {
            let what = format!("no recording for the Input node '{}'", escape(&port.name));
            return Err(fault(file, what)
                .note(wanted(ports))
                .note(listing())
                .help("name the recorded node as the Input node")
                .into());
        };
        let (shown, observable) = feeding(name, observables, file)?;
        let (array, more) = array(observable, &shown, file, dt)?;
        warnings.extend(more);
        found.push((port, name.clone(), fit(array, &shown, port, file)?));
    }
    let (set, more) = assemble(found, None, file)?;
    warnings.extend(more);
    Ok((set, warnings))
}

/// The observables of each node, nested nodes by their path joined by dots.
fn collect<'t>(tree: &'t Tree, prefix: &str, nodes: &mut BTreeMap<String, &'t Tree>) {
    let Some(Tree::Group(members)) = tree.child("nodes") else {
        return;
    };
    for (name, node) in members {
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match node.child("observables") {
            Some(observables) => drop(nodes.insert(path, observables)),
            None => collect(node, &path, nodes),
        }
    }
}

fn feeding<'t>(node: &str, observables: &'t Tree, file: &str) -> Result<(String, &'t Tree)> {
    let Tree::Group(members) = observables else {
        let what = format!("'{}' has no observables", escape(node));
        return Err(fault(file, what).into());
    };
    let groups: Vec<(&String, &Tree)> = members
        .iter()
        .filter(|(_, t)| matches!(t, Tree::Group(_)))
        .collect();
    let named = FEEDING
        .iter()
        .find_map(|wanted| groups.iter().find(|(name, _)| name.as_str() == *wanted));
    let only = (groups.len() == 1).then(|| groups.first()).flatten();
    match named.or(only) {
        Some((name, tree)) => {
            let shown = format!("observable '{}' of '{}'", escape(name), escape(node));
            Ok((shown, *tree))
        }
        None => {
            let names: Vec<String> = groups.iter().map(|(n, _)| escape(n)).collect();
            let what = format!(
                "it is open which observable of '{}' is the input",
                escape(node)
            );
            Err(fault(file, what)
                .note(format!("it has: {}", names.join(", ")))
                .help("call it spikes")
                .into())
        }
    }
}

fn dataset<'t>(tree: &'t Tree, name: &str) -> Option<&'t Dataset> {
    match tree.child(name) {
        Some(Tree::Data(d)) => Some(d),
        Some(Tree::Group(_)) | None => None,
    }
}

fn attribute(tree: &Tree, name: &str) -> Option<f64> {
    match &dataset(tree, &format!("@{name}"))?.values {
        Values::F64(v) => v.first().copied(),
        _ => None,
    }
}

fn numbers(d: &Dataset) -> Option<Vec<f64>> {
    match &d.values {
        Values::F64(v) => Some(v.clone()),
        Values::F32(v) => Some(v.iter().map(|&x| f64::from(x)).collect()),
        Values::Int(v) => Some(v.iter().map(|&x| x as f64).collect()),
        Values::Text(_) | Values::Other(_) => None,
    }
}

/// An observable as `[samples, steps, neurons]`.
fn array(
    tree: &Tree,
    shown: &str,
    file: &str,
    dt: Option<f64>,
) -> Result<(Array, Vec<Diagnostic>)> {
    if let Some(data) = dataset(tree, "data") {
        let elements = match &data.values {
            Values::Int(v) => Elements::from_ints(v.clone()),
            Values::F32(v) => Some(Elements::F32(v.clone())),
            Values::F64(v) => Some(Elements::F64(v.clone())),
            Values::Text(_) | Values::Other(_) => None,
        };
        let array = elements.and_then(|e| Array::new(data.shape.clone(), e));
        let Some(array) = array else {
            let what = format!("{shown} holds no numbers");
            return Err(fault(file, what).into());
        };
        let mut warnings = Vec::new();
        if let (Some(recorded), Some(dt)) = (attribute(tree, "dt"), dt)
            && (recorded - dt).abs() > 1e-6 * dt.abs()
        {
            let origin = Origin::File {
                file: file.to_owned(),
            };
            let what = format!("{shown} was recorded with another dt than the network's");
            warnings.push(
                Diagnostic::warning(Code::InputData, &origin, what)
                    .note(format!("recorded {recorded} s, network {dt} s"))
                    .help(
                        "one row is one step all the same; resample the recording if that is wrong",
                    ),
            );
        }
        return Ok((array, warnings));
    }
    events(tree, shown, file, dt)
}

fn events(
    tree: &Tree,
    shown: &str,
    file: &str,
    dt: Option<f64>,
) -> Result<(Array, Vec<Diagnostic>)> {
    let bad = |what: String| fault(file, format!("{shown} {what}"));
    let (Some(idx), Some(time)) = (dataset(tree, "idx"), dataset(tree, "time")) else {
        return Err(bad("is neither gridded data nor events".to_owned())
            .note("gridded data hold 'data', events hold 'idx' and 'time'")
            .help("write the file with nir.write_data")
            .into());
    };
    let Some(dt) = dt.filter(|dt| *dt > 0.0) else {
        return Err(bad("holds event times, which need a time step".to_owned())
            .help("pass --dt SECONDS, or give time-gridded data")
            .into());
    };
    let (Some(n), Some(t_max)) = (attribute(tree, "n_neurons"), attribute(tree, "t_max")) else {
        return Err(bad("lacks n_neurons or t_max".to_owned())
            .help("write the file with nir.write_data")
            .into());
    };
    let step_of = |t: f64| (t / dt + NEAR).floor();
    let steps = step_of(t_max);
    let [samples, per_sample] = idx.shape.0.as_slice() else {
        return Err(bad(format!("has events of shape {}", idx.shape))
            .note("expected [samples events]")
            .into());
    };
    let size = *samples as f64 * steps * n;
    if !(n >= 1.0 && steps >= 1.0 && size <= MAX_DECODED_BYTES as f64 / 4.0) {
        return Err(bad("has an impossible size".to_owned())
            .note(format!(
                "{samples} samples x {t_max} s / {dt} s x {n} neurons"
            ))
            .help("check t_max, n_neurons and --dt")
            .into());
    }
    let (n, steps) = (n as usize, steps as usize);
    let value = match dataset(tree, "value") {
        None => None,
        Some(d) => {
            Some(numbers(d).ok_or_else(|| bad("has values that are no numbers".to_owned()))?)
        }
    };
    let (Some(at), Some(times)) = (idx.as_ints(), numbers(time)) else {
        return Err(bad("has indices or times that are no numbers".to_owned()).into());
    };
    if times.len() != at.len() || value.as_ref().is_some_and(|v| v.len() != at.len()) {
        return Err(bad("has unequal numbers of indices, times and values".to_owned()).into());
    }
    let mut data = vec![0f32; samples * steps * n];
    for (k, (&index, &t)) in at.iter().zip(&times).enumerate() {
        if index == -1 || t == f64::INFINITY {
            continue;
        }
        let sample = k.checked_div(*per_sample).unwrap_or(0);
        let step = step_of(t);
        let neuron = usize::try_from(index).ok().filter(|&i| i < n);
        let place = neuron
            .filter(|_| step >= 0.0 && step < steps as f64)
            .and_then(|i| data.get_mut((sample * steps + step as usize) * n + i));
        let Some(slot) = place else {
            return Err(bad("has an event outside its range".to_owned())
                .note(format!(
                    "sample {sample}, event {}: neuron {index} of {n}, time {t} of {t_max}",
                    k.checked_rem(*per_sample).unwrap_or(0)
                ))
                .into());
        };
        *slot = value
            .as_ref()
            .and_then(|v| v.get(k))
            .map_or(1.0, |&v| v as f32);
    }
    let elements = if value.is_none() {
        Elements::U8(data.into_iter().map(|v| u8::from(v != 0.0)).collect())
    } else {
        Elements::F32(data)
    };
    Array::new(Shape::of(&[*samples, steps, n]), elements)
        .map(|array| (array, Vec::new()))
        .ok_or_else(|| Diagnostic::internal("events do not fill their grid").into())
}

/// What was recorded of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    pub node: String,
    /// Such as `spikes` or `v`.
    pub observable: String,
    /// `[samples, steps, neurons…]`; neurons are written in one row.
    pub array: Array,
}

/// Writes recordings as time-gridded NIRData, gzip-compressed. `dt` in
/// seconds; `file` is only for messages. Arrays of 0 and 1 are booleans.
pub fn write_nird(observed: &[Observed], dt: f64, file: &str) -> Result<Vec<u8>> {
    let fail = |e: hdf5_writer::Error| {
        let origin = Origin::File {
            file: file.to_owned(),
        };
        Diagnostic::error(
            Code::FileAccess,
            &origin,
            format!("the recordings cannot be written: {e}"),
        )
    };
    // h5py writes types as scalars; a row of one compares equal to its text.
    let kind = |kind: &str| AttributeBuilder::vlen_strings("__type__", &[kind]).map_err(fail);
    let mut builder = Hdf5Builder::new().attribute(kind("NIRGraphData")?);
    let mut typed = Vec::new();
    for o in observed {
        // A slash would nest groups.
        let node = format!("nodes/{}", super::encode_name(&o.node));
        let at = format!("{node}/observables/{}", super::encode_name(&o.observable));
        if !typed.contains(&node) {
            builder = builder.group_attribute(node.clone(), kind("NIRNodeData")?);
            typed.push(node);
        }
        let step = AttributeBuilder::scalar("dt", dt).map_err(fail)?;
        builder = builder
            .group_attribute(at.clone(), kind("TimeGriddedData")?)
            .group_attribute(at.clone(), step)
            .dataset(gridded(&format!("{at}/data"), &o.array).map_err(fail)?);
    }
    let plan = builder.into_plan().map_err(fail)?;
    Ok(plan.encode(WriteOptions::default()).map_err(fail)?)
}

fn gridded(path: &str, array: &Array) -> std::result::Result<DatasetBuilder, hdf5_writer::Error> {
    let (samples, steps, rest) = match array.shape().0.as_slice() {
        [samples, steps, rest @ ..] => (*samples, *steps, rest.iter().product::<usize>()),
        _ => (1, 1, array.elements().len()),
    };
    let dims = vec![samples as u64, steps as u64, rest as u64];
    let dataset = match array.elements() {
        Elements::U8(v) if v.iter().all(|&b| b <= 1) => {
            DatasetBuilder::new(path, boolean(), dims.clone()).raw_data(v.clone())
        }
        Elements::U8(v) => DatasetBuilder::typed_data(path, dims.clone(), v)?,
        Elements::I32(v) => DatasetBuilder::typed_data(path, dims.clone(), v)?,
        Elements::F32(v) => DatasetBuilder::typed_data(path, dims.clone(), v)?,
        Elements::F64(v) => DatasetBuilder::typed_data(path, dims.clone(), v)?,
    };
    if dims.contains(&0) {
        return Ok(dataset);
    }
    Ok(dataset
        .chunked(vec![1, dims[1], dims[2]])
        .filter(FilterDescription {
            id: FILTER_DEFLATE,
            name: None,
            client_data: vec![4],
        }))
}

/// The booleans of h5py.
fn boolean() -> Datatype {
    let member = |name: &str, value: u8| EnumMember {
        name: name.to_owned(),
        value: vec![value],
    };
    Datatype::Enum {
        base: Box::new(Datatype::FixedPoint {
            size: 1,
            signed: true,
            byte_order: ByteOrder::LittleEndian,
        }),
        members: vec![member("FALSE", 0), member("TRUE", 1)],
    }
}
