//! The HDF5 container behind a small trait, and the bounded walk over it.
//!
//! A file is untrusted: groups can contain themselves, and a dataset of a few
//! bytes can claim petabytes. The walk therefore has a depth limit, an object
//! budget and a byte budget, and every claim is checked before anything is
//! allocated for it.

use super::error::Problems;
use super::graph::{Dataset, Values};
use ir::origin::escape;
use ir::{Code, Diagnostic, Shape};
use std::collections::BTreeMap;

/// Deepest group nesting; a nested graph takes two levels.
pub const MAX_DEPTH: usize = 24;
/// Most groups and datasets in one file.
pub const MAX_OBJECTS: usize = 5_000;
/// Most bytes of one dataset, as held in memory.
pub const MAX_DATASET_BYTES: u64 = 256 << 20;
/// Most bytes of all datasets together, as held in memory.
pub const MAX_TOTAL_BYTES: u64 = 1 << 30;
/// Most text bytes of one dataset.
pub const MAX_TEXT_BYTES: u64 = 16 << 20;
/// Deflate expands to at most 1032 times its input; what claims more is forged.
const MAX_INFLATE: u64 = 1100;
/// Claims below this size need no look at the ratio.
const SMALL: u64 = 1 << 20;

/// Why a store could not give an object.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreError {
    Damaged(String),
    Unsupported { what: String, help: String },
    Limit(String),
}

/// The result of a store access.
pub type StoreResult<T> = std::result::Result<T, StoreError>;

/// The element type of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    /// Two's complement or unsigned.
    Int,
    F16,
    F32,
    F64,
    /// h5py's boolean: an enumeration over an integer.
    Bool,
    /// Fixed or variable length.
    Text,
    /// In words, for messages.
    Other(String),
}

/// What a dataset claims to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    pub shape: Vec<u64>,
    pub element: Element,
    /// Bytes of one element in the file.
    pub element_bytes: u64,
    /// Whether the data are in chunks, which may be compressed or absent.
    pub chunked: bool,
}

/// The names in a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members {
    pub groups: Vec<String>,
    pub datasets: Vec<String>,
}

/// Read access to an HDF5 file. One implementation is pure Rust, one wraps the
/// C library for cross-checks.
pub trait NirStore {
    type Group;
    type Dataset;
    fn root(&self) -> StoreResult<Self::Group>;
    /// A number that two groups share only if they are the same object.
    fn identity(&self, group: &Self::Group) -> Option<u64>;
    fn members(&self, group: &Self::Group) -> StoreResult<Members>;
    fn group(&self, parent: &Self::Group, name: &str) -> StoreResult<Self::Group>;
    fn dataset(&self, parent: &Self::Group, name: &str) -> StoreResult<Self::Dataset>;
    /// The attributes of a group that are one number.
    fn numbers(&self, _: &Self::Group) -> StoreResult<Vec<(String, f64)>> {
        Ok(Vec::new())
    }
    fn claim(&self, dataset: &Self::Dataset) -> StoreResult<Claim>;
    /// Reads a dataset whose claim was accepted.
    fn read(&self, dataset: &Self::Dataset, claim: &Claim) -> StoreResult<Values>;
}

/// The loaded objects of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    Group(BTreeMap<String, Tree>),
    Data(Dataset),
}

impl Tree {
    /// The members of a group; datasets have none.
    pub fn child(&self, name: &str) -> Option<&Tree> {
        match self {
            Tree::Group(members) => members.get(name),
            Tree::Data(_) => None,
        }
    }
}

/// Loads everything but metadata. Faults go to `problems`; the result is
/// `None` when there was an error.
pub(super) fn load<S: NirStore>(
    store: &S,
    file_bytes: usize,
    problems: &mut Problems,
) -> Option<Tree> {
    load_with(store, file_bytes, false, problems)
}

/// The same, with numeric attributes of groups as members called `@<name>`.
pub(super) fn load_with<S: NirStore>(
    store: &S,
    file_bytes: usize,
    attributes: bool,
    problems: &mut Problems,
) -> Option<Tree> {
    let mut walk = Walk {
        store,
        attributes,
        file_bytes: file_bytes as u64,
        objects: 0,
        bytes: 0,
        ancestors: Vec::new(),
        exhausted: false,
        problems,
    };
    let tree = match store.root() {
        Ok(root) => walk.group(&root, ""),
        Err(e) => {
            walk.fail("/", "", &e);
            None
        }
    };
    tree.filter(|_| !problems.has_errors())
}

struct Walk<'a, S> {
    store: &'a S,
    attributes: bool,
    file_bytes: u64,
    objects: usize,
    bytes: u64,
    ancestors: Vec<Option<u64>>,
    /// A budget is used up: stop, since every further object would say the same.
    exhausted: bool,
    problems: &'a mut Problems,
}

impl<S: NirStore> Walk<'_, S> {
    fn fail(&mut self, path: &str, kind: &str, error: &StoreError) {
        let diagnostic = self.problems.store_error(path, kind, error);
        self.problems.push(diagnostic);
    }
    fn exhaust(&mut self, path: &str, what: String) {
        self.exhausted = true;
        self.fail(path, "", &StoreError::Limit(what));
    }
    fn count(&mut self, path: &str) -> bool {
        self.objects += 1;
        if self.objects > MAX_OBJECTS {
            self.exhaust(path, format!("more than {MAX_OBJECTS} groups and datasets"));
        }
        !self.exhausted
    }

    fn group(&mut self, group: &S::Group, path: &str) -> Option<Tree> {
        let identity = self.store.identity(group);
        if identity.is_some() && self.ancestors.contains(&identity) {
            let error = StoreError::Damaged("the group contains itself".to_owned());
            self.fail(path, "", &error);
            return None;
        }
        if self.ancestors.len() >= MAX_DEPTH {
            self.exhaust(path, format!("groups nested deeper than {MAX_DEPTH}"));
            return None;
        }
        let shown = if path.is_empty() { "/" } else { path };
        let names = match self.store.members(group) {
            Ok(names) => names,
            Err(e) => {
                self.fail(shown, "", &e);
                return None;
            }
        };
        let mut members = BTreeMap::new();
        if self.attributes {
            match self.store.numbers(group) {
                Ok(numbers) => members.extend(numbers.into_iter().map(|(name, value)| {
                    let number = Dataset {
                        shape: Shape::default(),
                        values: Values::F64(vec![value]),
                    };
                    (format!("@{name}"), Tree::Data(number))
                })),
                Err(e) => self.fail(shown, "", &e),
            }
        }
        for name in names.datasets {
            let at = format!("{path}/{name}");
            if !self.count(&at) {
                return None;
            }
            match self.dataset(group, &name, &at) {
                Ok(data) => drop(members.insert(name, Tree::Data(data))),
                Err(StoreError::Limit(what)) if self.exhausted => self.exhaust(&at, what),
                Err(e) => self.fail(&at, "dataset", &e),
            }
            if self.exhausted {
                return None;
            }
        }
        self.ancestors.push(identity);
        for name in names.groups {
            // Metadata may hold anything and means nothing here. Directly under
            // `nodes` it is a node that somebody called so.
            if name == "metadata" && !path.ends_with("/nodes") {
                continue;
            }
            let at = format!("{path}/{name}");
            if !self.count(&at) {
                break;
            }
            match self.store.group(group, &name) {
                Ok(inner) => {
                    if let Some(tree) = self.group(&inner, &at) {
                        members.insert(name, tree);
                    }
                }
                Err(e) => self.fail(&at, "", &e),
            }
            if self.exhausted {
                break;
            }
        }
        self.ancestors.pop();
        (!self.exhausted).then_some(Tree::Group(members))
    }

    fn dataset(&mut self, parent: &S::Group, name: &str, path: &str) -> StoreResult<Dataset> {
        let dataset = self.store.dataset(parent, name)?;
        let claim = self.store.claim(&dataset)?;
        let (shape, elements) = shape_of(&claim)?;
        if let Element::Other(what) = claim.element {
            return Ok(Dataset {
                shape,
                values: Values::Other(what),
            });
        }
        let in_memory = elements.saturating_mul(match claim.element {
            Element::F16 | Element::F32 => 4,
            Element::F64 | Element::Int | Element::Bool => 8,
            Element::Text | Element::Other(_) => 24,
        });
        let stored = elements.saturating_mul(claim.element_bytes);
        let claimed = in_memory.max(stored);
        let arithmetic = || format!("{shape} elements take {claimed} bytes");
        if claimed > MAX_DATASET_BYTES {
            return Err(StoreError::Limit(format!(
                "{}, the limit for one dataset is {MAX_DATASET_BYTES}",
                arithmetic()
            )));
        }
        let ratio = if claim.chunked { MAX_INFLATE } else { 1 };
        if stored > SMALL && stored > self.file_bytes.saturating_mul(ratio) {
            return Err(StoreError::Limit(format!(
                "{}, which cannot come from a file of {} bytes",
                arithmetic(),
                self.file_bytes
            )));
        }
        self.bytes += claimed;
        if self.bytes > MAX_TOTAL_BYTES {
            self.exhausted = true;
            return Err(StoreError::Limit(format!(
                "all datasets together take more than {MAX_TOTAL_BYTES} bytes"
            )));
        }
        let values = self.store.read(&dataset, &claim)?;
        let found = match &values {
            Values::F32(v) => v.len(),
            Values::F64(v) => v.len(),
            Values::Int(v) => v.len(),
            Values::Text(v) => v.len(),
            Values::Other(_) => shape.len(),
        };
        if found as u64 != elements {
            return Err(StoreError::Damaged(format!(
                "{shape} needs {elements} elements, {found} were found at {}",
                escape(path)
            )));
        }
        Ok(Dataset { shape, values })
    }
}

/// The shape in the machine's own integers, and the number of elements.
fn shape_of(claim: &Claim) -> StoreResult<(Shape, u64)> {
    let elements = claim
        .shape
        .iter()
        .try_fold(1u64, |n, &d| n.checked_mul(d))
        .filter(|&n| usize::try_from(n).is_ok());
    let dims: Option<Vec<usize>> = claim
        .shape
        .iter()
        .map(|&d| usize::try_from(d).ok())
        .collect();
    match (elements, dims) {
        (Some(elements), Some(dims)) => Ok((Shape(dims), elements)),
        _ => Err(StoreError::Limit(format!(
            "the shape {:?} has more elements than can be counted",
            claim.shape
        ))),
    }
}

/// The diagnostic for a container without a NIR graph.
pub(super) fn not_nir(tree: &Tree, problems: &Problems) -> Diagnostic {
    let names: Vec<String> = match tree {
        Tree::Group(members) => members.keys().take(8).map(|n| escape(n)).collect(),
        Tree::Data(_) => Vec::new(),
    };
    let holds = if names.is_empty() {
        "the file is empty apart from its header".to_owned()
    } else {
        format!("the file holds: {}", names.join(", "))
    };
    Diagnostic::error(
        Code::NirMissing,
        &problems.file_origin(),
        "the HDF5 file holds no NIR graph: it has no group /node",
    )
    .note(holds)
    .help("export the network with nir.write")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store of one group that holds itself (if `cyclic`) and one dataset.
    struct Fake {
        claim: Claim,
        values: Values,
        cyclic: bool,
        same: bool,
    }

    impl NirStore for Fake {
        type Group = u64;
        type Dataset = ();
        fn root(&self) -> StoreResult<u64> {
            Ok(0)
        }
        fn identity(&self, group: &u64) -> Option<u64> {
            Some(if self.same { 0 } else { *group })
        }
        fn members(&self, _: &u64) -> StoreResult<Members> {
            let groups = if self.cyclic { vec!["a", "b"] } else { vec![] };
            Ok(Members {
                groups: groups.into_iter().map(str::to_owned).collect(),
                datasets: vec!["w".to_owned()],
            })
        }
        fn group(&self, parent: &u64, _: &str) -> StoreResult<u64> {
            Ok(parent + 1)
        }
        fn dataset(&self, _: &u64, _: &str) -> StoreResult<()> {
            Ok(())
        }
        fn claim(&self, (): &()) -> StoreResult<Claim> {
            Ok(self.claim.clone())
        }
        fn read(&self, (): &(), claim: &Claim) -> StoreResult<Values> {
            assert!(
                claim.shape.iter().product::<u64>() < 1 << 20,
                "a refused claim was read"
            );
            Ok(self.values.clone())
        }
    }

    fn fake(shape: &[u64], chunked: bool) -> Fake {
        Fake {
            claim: Claim {
                shape: shape.to_vec(),
                element: Element::F32,
                element_bytes: 4,
                chunked,
            },
            values: Values::F32(vec![0.0; 3]),
            cyclic: false,
            same: false,
        }
    }

    fn outcome(store: &Fake) -> String {
        let mut problems = Problems::new("n.nir");
        let tree = load(store, 1_000, &mut problems);
        match problems.finish(tree) {
            Ok(_) => "loaded".to_owned(),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn claims_are_checked_before_reading() {
        assert_eq!(outcome(&fake(&[3], false)), "loaded");
        for (shape, chunked, words) in [
            (
                &[1 << 40, 1 << 40][..],
                true,
                "more elements than can be counted",
            ),
            (&[1 << 14, 1 << 14], true, "the limit for one dataset"),
            (&[1 << 20], false, "cannot come from a file of 1000 bytes"),
            (&[1 << 22], true, "cannot come from a file of 1000 bytes"),
            (&[4], false, "needs 4 elements, 3 were found"),
        ] {
            let text = outcome(&fake(shape, chunked));
            assert!(text.contains(words), "{shape:?}: {text}");
        }
    }

    #[test]
    fn group_cycles_end() {
        let cyclic = |same| Fake {
            cyclic: true,
            same,
            ..fake(&[3], false)
        };
        assert!(outcome(&cyclic(true)).contains("the group contains itself"));
        // Without identities the depth limit or the object budget ends the walk.
        assert!(outcome(&cyclic(false)).contains("E0103"));
    }
}
