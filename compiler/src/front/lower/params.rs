//! Parameters of one node: present, numeric, finite, and of agreeing sizes.

use super::Faults;
use crate::front::nir::{Dataset, NirNode, Values};
use ir::network::Padding;
use ir::origin::escape;
use ir::tensor::Data;
use ir::{Code, Diagnostic, Origin, Shape, Tensor};

/// Most values that a declared shape may ask for.
pub(super) const MAX_VALUES: usize = 1 << 28;

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
            Values::Int(v) => {
                let data = Data::F64(v.iter().map(|&i| i as f64).collect());
                self.faults.integer(self.origin, name);
                data
            }
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

    /// A delay: not below zero.
    pub(super) fn at_least_zero(&mut self, name: &str) -> Option<Tensor> {
        let tensor = self.required(name)?;
        match (0..tensor.len()).find(|&i| tensor.at(i) < 0.0) {
            Some(i) => {
                self.value(name, &tensor, i, "nothing arrives before it was sent");
                None
            }
            None => Some(tensor),
        }
    }

    /// A parameter that old files leave out, with the value it then has.
    pub(super) fn or(&mut self, name: &str, value: f64) -> Option<Tensor> {
        match self.node.dataset(name) {
            None => Some(Tensor::scalar(value)),
            Some(_) => self.optional(name),
        }
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
            let apart = |s: &Shape| strip(s) != strip(shape) && !spreads(s, shape);
            if let Some((other, found)) = full.iter().find(|(_, s)| apart(s)) {
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
            // Only shapes of the same values are made equal: the others repeat.
            let alike = full.iter().all(|(_, s)| strip(s) == strip(shape));
            let same = full.iter().all(|(_, s)| s == shape);
            common = (alike && !same).then(|| strip(shape));
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

    /// One size per axis; a single value stands for all axes. `default` is
    /// what every framework means when the file has none.
    pub(super) fn sizes<const N: usize>(
        &mut self,
        name: &str,
        least: usize,
        default: Option<[usize; N]>,
    ) -> Option<[usize; N]> {
        let Some(dataset) = self.node.dataset(name) else {
            return match default {
                Some(default) => {
                    self.defaulted(name, &format!("{default:?}"));
                    Some(default)
                }
                None => {
                    self.required(name);
                    None
                }
            };
        };
        let wanted = if N == 1 {
            "one integer"
        } else {
            "two integers, or one for both"
        };
        let Some(ints) = dataset.as_ints().filter(|v| v.len() == 1 || v.len() == N) else {
            self.wrong_type(name, dataset, wanted);
            return None;
        };
        let mut sizes = [0; N];
        for (axis, size) in sizes.iter_mut().enumerate() {
            let value = ints.get(axis).or(ints.first()).copied().unwrap_or(0);
            match usize::try_from(value) {
                Ok(value) if (least..=MAX_VALUES).contains(&value) => *size = value,
                _ => {
                    self.bad(
                        Code::BadParameter,
                        format!("'{name}' has the impossible value {value}"),
                        Some(format!("it must lie between {least} and {MAX_VALUES}")),
                    );
                    return None;
                }
            }
        }
        Some(sizes)
    }

    /// Warns of a parameter that the type needs and everybody leaves at `value`.
    fn defaulted(&mut self, name: &str, value: &str) {
        let message = format!("{} has no '{name}'", escape(&self.node.type_name));
        self.faults.push(
            Diagnostic::warning(Code::NirDefault, self.origin, message)
                .note(format!(
                    "it is taken as {value}, the value it has in every framework"
                ))
                .help("export the network again with a newer nir"),
        );
    }

    /// The padding of a convolution: zeros per axis, or a word.
    pub(super) fn padding<const N: usize>(&mut self, stride: [usize; N]) -> Option<Padding> {
        let word = self.node.dataset("padding").and_then(Dataset::as_text);
        match word {
            Some("valid") => Some(Padding::Zeros(vec![0; N])),
            Some("same") if stride.iter().all(|&s| s == 1) => Some(Padding::Same),
            Some("same") => {
                self.faults.push(
                    Diagnostic::error(
                        Code::BadParameter,
                        self.origin,
                        "padding 'same' has no meaning with a stride above 1",
                    )
                    .note(format!("stride {stride:?}"))
                    .help("write the padding as numbers, or use stride 1"),
                );
                None
            }
            Some(other) => {
                let shown = escape(other);
                self.faults.push(
                    Diagnostic::error(
                        Code::BadParameter,
                        self.origin,
                        format!("'padding' is the unknown word '{shown}'"),
                    )
                    .help("write \"same\", \"valid\", or the zeros at each side as numbers"),
                );
                None
            }
            None => {
                let zeros = self.sizes("padding", 0, Some([0; N]))?;
                Some(Padding::Zeros(zeros.to_vec()))
            }
        }
    }

    /// Sizes that the file may leave open: absent, or with a zero in them.
    pub(super) fn open_sizes<const N: usize>(
        &mut self,
        name: &str,
    ) -> std::result::Result<Option<[usize; N]>, ()> {
        let open = match self.node.dataset(name) {
            None => true,
            Some(d) => d.as_ints().is_some_and(|v| v.is_empty() || v.contains(&0)),
        };
        if open {
            return Ok(None);
        }
        self.sizes(name, 1, None).map(Some).ok_or(())
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

/// Whether two shapes fit as numpy broadcasts: from the right, equal or 1.
fn spreads(a: &Shape, b: &Shape) -> bool {
    let pairs = a.0.iter().rev().zip(b.0.iter().rev());
    pairs.into_iter().all(|(x, y)| x == y || *x == 1 || *y == 1)
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
