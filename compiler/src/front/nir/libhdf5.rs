//! The store on the C library, to cross-check the pure-Rust reader.
//!
//! Not used by the compiler itself: the C library is no reader for untrusted
//! files, and a build with it needs more than Rust and a C compiler.

use super::error::Problems;
use super::graph::{NirGraph, Values};
use super::store::{self, Claim, Element, Members, NirStore, StoreError, StoreResult};
use ::hdf5::types::{TypeDescriptor, VarLenAscii, VarLenUnicode};
use ::hdf5::{Dataset, File, Group, LocationType};
use ir::Diagnostic;
use std::path::Path;

/// Reads a NIR file through the C library, otherwise as [`super::read`] does.
pub fn read(path: &Path, file: &str) -> ir::diag::Result<(NirGraph, Vec<Diagnostic>)> {
    let mut problems = Problems::new(file);
    let length = std::fs::metadata(path).map_or(0, |m| m.len() as usize);
    let tree = match File::open(path).map_err(wrap) {
        Ok(file) => store::load(&LibStore { file }, length, &mut problems),
        Err(e) => {
            let error = problems.store_error("/", "", &e);
            problems.push(error);
            None
        }
    };
    super::finish(tree, problems)
}

struct LibStore {
    file: File,
}

impl NirStore for LibStore {
    type Group = Group;
    type Dataset = Dataset;

    fn root(&self) -> StoreResult<Group> {
        self.file.group("/").map_err(wrap)
    }
    fn identity(&self, _: &Group) -> Option<u64> {
        None
    }
    fn members(&self, group: &Group) -> StoreResult<Members> {
        let mut members = Members::default();
        for name in group.member_names().map_err(wrap)? {
            match group.loc_type_by_name(&name).map_err(wrap)? {
                LocationType::Group => members.groups.push(name),
                LocationType::Dataset => members.datasets.push(name),
                _ => {}
            }
        }
        Ok(members)
    }
    fn group(&self, parent: &Group, name: &str) -> StoreResult<Group> {
        parent.group(name).map_err(wrap)
    }
    fn dataset(&self, parent: &Group, name: &str) -> StoreResult<Dataset> {
        parent.dataset(name).map_err(wrap)
    }
    fn claim(&self, dataset: &Dataset) -> StoreResult<Claim> {
        let datatype = dataset.dtype().map_err(wrap)?;
        let element = match datatype.to_descriptor() {
            Ok(TypeDescriptor::Integer(_) | TypeDescriptor::Unsigned(_)) => Element::Int,
            Ok(TypeDescriptor::Boolean | TypeDescriptor::Enum(_)) => Element::Bool,
            Ok(TypeDescriptor::Float(_)) if datatype.size() == 4 => Element::F32,
            Ok(TypeDescriptor::Float(_)) => Element::F64,
            Ok(
                TypeDescriptor::VarLenUnicode
                | TypeDescriptor::VarLenAscii
                | TypeDescriptor::FixedAscii(_)
                | TypeDescriptor::FixedUnicode(_),
            ) => Element::Text,
            Ok(other) => Element::Other(format!("{other:?}")),
            // The wrapper has no description of float16, but converts it.
            Err(_) if datatype.size() == 2 => Element::F16,
            Err(e) => return Err(wrap(e)),
        };
        Ok(Claim {
            shape: dataset.shape().iter().map(|&d| d as u64).collect(),
            element,
            element_bytes: datatype.size() as u64,
            chunked: dataset.is_chunked(),
        })
    }
    fn read(&self, dataset: &Dataset, claim: &Claim) -> StoreResult<Values> {
        Ok(match &claim.element {
            Element::F16 | Element::F32 => Values::F32(dataset.read_raw().map_err(wrap)?),
            Element::F64 => Values::F64(dataset.read_raw().map_err(wrap)?),
            Element::Int => Values::Int(dataset.read_raw().map_err(wrap)?),
            Element::Bool => {
                let bools = dataset.read_raw::<bool>().map_err(wrap)?;
                Values::Int(bools.into_iter().map(i64::from).collect())
            }
            Element::Text => Values::Text(text(dataset)?),
            Element::Other(what) => Values::Other(what.clone()),
        })
    }
}

fn text(dataset: &Dataset) -> StoreResult<Vec<String>> {
    if let Ok(strings) = dataset.read_raw::<VarLenUnicode>() {
        return Ok(strings.iter().map(|s| s.as_str().to_owned()).collect());
    }
    let strings = dataset.read_raw::<VarLenAscii>().map_err(wrap)?;
    Ok(strings.iter().map(|s| s.as_str().to_owned()).collect())
}

fn wrap(error: ::hdf5::Error) -> StoreError {
    StoreError::Damaged(error.to_string())
}
