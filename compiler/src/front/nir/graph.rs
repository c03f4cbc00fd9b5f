//! The source graph: what a NIR file says, node by node, without interpretation.

use ir::Shape;
use std::collections::BTreeMap;

/// A NIR graph as the file has it: edges may occur twice or name no node.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct NirGraph {
    /// What the writing package called its version; absent in old files and
    /// in nested graphs.
    pub version: Option<String>,
    /// HDF5 path of the graph, such as `/node`.
    pub path: String,
    /// In natural name order (`2` before `10`); files do not keep an order.
    pub nodes: Vec<NirNode>,
    /// In file order.
    pub edges: Vec<NirEdge>,
}

/// One node: a primitive or a nested graph.
#[derive(Clone, Debug, PartialEq)]
pub struct NirNode {
    /// The name inside its graph; any UTF-8, dots included.
    pub name: String,
    /// HDF5 path, such as `/node/nodes/fc1`.
    pub path: String,
    /// The NIR class name, such as `LIF`.
    pub type_name: String,
    pub content: NirContent,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum NirContent {
    /// The parameters by name, whether or not the type is known.
    Primitive(BTreeMap<String, Dataset>),
    Graph(NirGraph),
}

/// A directed edge between two nodes of the same graph. It carries no port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NirEdge {
    pub from: String,
    pub to: String,
}

/// An array of a file, in C order.
/// Invariant: the number of values is the shape's element count, unless the
/// values are [`Values::Other`].
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    pub shape: Shape,
    pub values: Values,
}

/// Elements, widened without loss to the nearest type that the compiler works with.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// float16 and float32.
    F32(Vec<f32>),
    F64(Vec<f64>),
    /// Every integer type, and the boolean enums of h5py as 0 and 1.
    Int(Vec<i64>),
    Text(Vec<String>),
    /// A type that no NIR node uses, in words. An error only where it is needed.
    Other(String),
}

impl Values {
    /// What the values are, for messages.
    pub fn describe(&self) -> String {
        match self {
            Values::F32(_) => "float32".to_owned(),
            Values::F64(_) => "float64".to_owned(),
            Values::Int(_) => "integer".to_owned(),
            Values::Text(_) => "text".to_owned(),
            Values::Other(what) => what.clone(),
        }
    }
}

impl Dataset {
    /// The only text of a scalar or one-element dataset.
    pub fn as_text(&self) -> Option<&str> {
        match &self.values {
            Values::Text(v) if v.len() == 1 => v.first().map(String::as_str),
            _ => None,
        }
    }
    /// The values as integers, if each is one exactly.
    pub fn as_ints(&self) -> Option<Vec<i64>> {
        let exact = |v: f64| (v.fract() == 0.0 && v.abs() < 2f64.powi(53)).then_some(v as i64);
        match &self.values {
            Values::Int(v) => Some(v.clone()),
            Values::F32(v) => v.iter().map(|&x| exact(f64::from(x))).collect(),
            Values::F64(v) => v.iter().map(|&x| exact(x)).collect(),
            Values::Text(_) | Values::Other(_) => None,
        }
    }
}

impl NirNode {
    /// A parameter of a primitive.
    pub fn dataset(&self, name: &str) -> Option<&Dataset> {
        match &self.content {
            NirContent::Primitive(datasets) => datasets.get(name),
            NirContent::Graph(_) => None,
        }
    }
    /// The type with its sizes, as diagnostics show it: `Linear 784 -> 512`,
    /// `LIF 256`, `Conv2d 8x1x5x5`.
    pub fn kind(&self) -> String {
        let dims = |d: &Dataset| {
            let dims: Vec<String> = d.shape.0.iter().map(usize::to_string).collect();
            dims.join("x")
        };
        let detail = match self.type_name.as_str() {
            "NIRGraph" => match &self.content {
                NirContent::Graph(g) => Some(format!("of {} nodes", g.nodes.len())),
                NirContent::Primitive(_) => None,
            },
            "Input" | "Output" => self.dataset("shape").and_then(Dataset::as_ints).map(|s| {
                let dims: Vec<String> = s.iter().map(i64::to_string).collect();
                dims.join("x")
            }),
            "Affine" | "Linear" => self.dataset("weight").map(|w| match w.shape.0.as_slice() {
                [.., out, inp] => format!("{inp} -> {out}"),
                _ => dims(w),
            }),
            _ => [
                "weight",
                "scale",
                "v_threshold",
                "tau",
                "r",
                "threshold",
                "delay",
            ]
            .iter()
            .find_map(|p| self.dataset(p))
            .map(dims),
        };
        match detail {
            Some(detail) if !detail.is_empty() => format!("{} {detail}", self.type_name),
            _ => self.type_name.clone(),
        }
    }
}
