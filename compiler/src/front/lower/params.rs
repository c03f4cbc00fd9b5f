//! Parameters of one node: present, numeric, finite, and of agreeing sizes.

use super::Faults;
use crate::front::nir::{Dataset, NirNode, Values};
use ir::origin::escape;
use ir::tensor::Data;
use ir::{Code, Diagnostic, Origin, Shape, Tensor};

/// Most values that a declared shape may ask for.
const MAX_VALUES: usize = 1 << 28;

/// Reads the parameters of one node and reports what is wrong with them.
pub(super) struct Params<'a> {
    pub(super) node: &'a NirNode,
    pub(super) origin: &'a Origin,
    pub(super) faults: &'a mut Faults,
}

impl Params<'_> {
    pub(super) fn bad(&mut self, code: Code, message: String, note: Option<String>) {
        let mut error = Diagnostic::error(code, self.origin, message);
        if let Some(note) = note {
            error = error.note(note);
        }
        self.faults.push(error);
    }

    /// A parameter that the type cannot do without.
    pub(super) fn required(&mut self, name: &str) -> Option<Tensor> {
        if self.node.dataset(name).is_none() {
            let present: Vec<String> = match &self.node.content {
                crate::front::nir::NirContent::Primitive(d) => {
                    d.keys().map(|k| escape(k)).collect()
                }
                crate::front::nir::NirContent::Graph(_) => Vec::new(),
            };
            let present = if present.is_empty() {
                "nothing".to_owned()
            } else {
                present.join(", ")
            };
            self.bad(
                Code::NirMissing,
                format!("{} needs '{name}'", escape(&self.node.type_name)),
                Some(format!("the node holds: {present}")),
            );
            return None;
        }
        self.optional(name)
    }

    /// A parameter that may be absent; `None` too if it is wrong.
    pub(super) fn optional(&mut self, name: &str) -> Option<Tensor> {
        let dataset = self.node.dataset(name)?;
        let data = match &dataset.values {
            Values::F32(v) => Data::F32(v.clone()),
            Values::F64(v) => Data::F64(v.clone()),
            Values::Int(v) => Data::F64(v.iter().map(|&i| i as f64).collect()),
            Values::Text(_) | Values::Other(_) => {
                self.wrong_type(name, dataset, "numbers");
                return None;
            }
        };
        let tensor = Tensor::new(dataset.shape.clone(), data)?;
        if tensor.is_empty() {
            self.bad(
                Code::BadParameter,
                format!("'{name}' is empty"),
                Some(format!("its shape is {}", tensor.shape())),
            );
            return None;
        }
        let bad = (0..tensor.len()).find(|&i| !tensor.at(i).is_finite());
        match bad {
            Some(i) => {
                self.value(name, &tensor, i, "every parameter must be a finite number");
                None
            }
            None => Some(tensor),
        }
    }

    fn wrong_type(&mut self, name: &str, dataset: &Dataset, wanted: &str) {
        self.bad(
            Code::NirType,
            format!("'{name}' must hold {wanted}"),
            Some(format!(
                "it holds {} of shape {}",
                escape(&dataset.values.describe()),
                dataset.shape
            )),
        );
    }

    fn value(&mut self, name: &str, tensor: &Tensor, i: usize, rule: &str) {
        self.bad(
            Code::BadParameter,
            format!(
                "'{name}' has the impossible value {} at {}",
                tensor.at(i),
                index(tensor.shape(), i)
            ),
            Some(rule.to_owned()),
        );
    }

    /// A time constant: above zero.
    pub(super) fn positive(&mut self, name: &str) -> Option<Tensor> {
        let tensor = self.required(name)?;
        match (0..tensor.len()).find(|&i| tensor.at(i) <= 0.0) {
            Some(i) => {
                self.value(
                    name,
                    &tensor,
                    i,
                    "a time constant must be greater than zero",
                );
                None
            }
            None => Some(tensor),
        }
    }

    /// A weight matrix: `[out in]`, leading dimensions of size 1 dropped.
    pub(super) fn matrix(&mut self) -> Option<Tensor> {
        let weight = self.required("weight")?;
        let dims = weight.shape().0.clone();
        let lead = dims.len().saturating_sub(2);
        if dims.len() < 2 || dims[..lead].iter().any(|&d| d != 1) {
            self.bad(
                Code::BadParameter,
                format!(
                    "'weight' has the shape {}, a matrix is needed",
                    weight.shape()
                ),
                Some("expected [outputs inputs]; further leading dimensions must be 1".to_owned()),
            );
            return None;
        }
        weight.reshaped(Shape::of(&dims[lead..]))
    }

    /// The bias that belongs to a matrix with `out` rows; one value stands for all.
    pub(super) fn bias(&mut self, out: usize) -> Option<Tensor> {
        let bias = self.required("bias")?;
        if bias.len() == out {
            return bias.reshaped(Shape::of(&[out]));
        }
        if bias.len() == 1 {
            return Some(Tensor::vector(vec![bias.at(0); out]));
        }
        self.bad(
            Code::BadParameter,
            format!("'bias' has {} values for {out} outputs", bias.len()),
            Some(format!(
                "bias has the shape {}, weight has {out} rows",
                bias.shape()
            )),
        );
        None
    }

    /// Checks that parameters of more than one element have one shape, apart
    /// from leading dimensions of size 1, which are dropped where they differ.
    pub(super) fn agree<const N: usize>(
        &mut self,
        params: [(&'static str, Option<Tensor>); N],
    ) -> Option<[Tensor; N]> {
        let full: Vec<(&str, &Shape)> = params
            .iter()
            .filter_map(|(name, t)| Some((*name, t.as_ref()?)))
            .filter(|(_, t)| t.len() > 1)
            .map(|(name, t)| (name, t.shape()))
            .collect();
        let mut common = None;
        if let Some((first, shape)) = full.first() {
            if let Some((other, found)) = full.iter().find(|(_, s)| strip(s) != strip(shape)) {
                let note = format!(
                    "{first} has {shape} = {} values, {other} has {found} = {} values",
                    shape.len(),
                    found.len()
                );
                self.bad(
                    Code::BadParameter,
                    format!("'{first}' and '{other}' have different sizes"),
                    Some(note),
                );
                return None;
            }
            let same = full.iter().all(|(_, s)| s == shape);
            common = Some(if same { (*shape).clone() } else { strip(shape) });
        }
        let mut missing = false;
        let shaped = params.map(|(_, tensor)| match (tensor, &common) {
            (Some(t), Some(shape)) if t.len() > 1 => t.reshaped(shape.clone()),
            (t, _) => t,
        });
        missing |= shaped.iter().any(Option::is_none);
        if missing {
            return None;
        }
        // Every entry is present, so no default is ever used.
        Some(shaped.map(|t| t.unwrap_or_else(|| Tensor::scalar(0.0))))
    }

    /// One integer, or its default where the file has none.
    pub(super) fn integer(&mut self, name: &str, default: i64) -> Option<i64> {
        let Some(dataset) = self.node.dataset(name) else {
            return Some(default);
        };
        match dataset.as_ints().as_deref() {
            Some([one]) => Some(*one),
            _ => {
                self.wrong_type(name, dataset, "one integer");
                None
            }
        }
    }

    /// A declared shape. `Ok(None)` where the file leaves it open: no dataset,
    /// no dimensions, or a zero among them (exporters wrote zeros for unknown).
    pub(super) fn shape(&mut self, name: &str) -> std::result::Result<Option<Shape>, ()> {
        let Some(dataset) = self.node.dataset(name) else {
            return Ok(None);
        };
        if dataset.shape.0.contains(&0) {
            return Ok(None);
        }
        let Some(ints) = dataset.as_ints() else {
            self.wrong_type(name, dataset, "integers");
            return Err(());
        };
        if ints.contains(&0) {
            return Ok(None);
        }
        let dims: Option<Vec<usize>> = ints.iter().map(|&d| usize::try_from(d).ok()).collect();
        let Some(shape) = dims.map(Shape) else {
            self.bad(
                Code::BadParameter,
                format!("'{name}' holds a negative size"),
                Some(format!("found {ints:?}")),
            );
            return Err(());
        };
        if shape.checked_len().is_none_or(|n| n > MAX_VALUES) {
            self.bad(
                Code::BadParameter,
                format!("'{name}' asks for more than {MAX_VALUES} values"),
                Some(format!("found {shape}")),
            );
            return Err(());
        }
        Ok(Some(shape))
    }
}

/// Without leading dimensions of size 1.
fn strip(shape: &Shape) -> Shape {
    let ones = shape.0.iter().take_while(|&&d| d == 1).count();
    Shape::of(&shape.0[ones..])
}

/// Flat position `i` as `index [row col]`.
fn index(shape: &Shape, i: usize) -> String {
    let mut rest = i;
    let mut at = vec![0; shape.rank()];
    for (slot, &d) in at.iter_mut().zip(&shape.0).rev() {
        *slot = rest % d.max(1);
        rest /= d.max(1);
    }
    format!("index {}", Shape(at))
}
