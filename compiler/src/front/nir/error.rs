//! Collecting diagnostics, so that one run shows all faults of a file.

use super::store::StoreError;
use ir::diag::Diagnostics;
use ir::origin::escape;
use ir::{Code, Diagnostic, Origin};
use std::cmp::Ordering;

/// More errors than this are counted, not listed.
const MAX_LISTED: usize = 25;

/// The errors and warnings about one file.
#[derive(Debug)]
pub(crate) struct Problems {
    file: String,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    unlisted: usize,
}

impl Problems {
    pub(crate) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            errors: Vec::new(),
            warnings: Vec::new(),
            unlisted: 0,
        }
    }
    pub(crate) fn file_origin(&self) -> Origin {
        Origin::File {
            file: self.file.clone(),
        }
    }
    /// The origin of the object at an HDF5 path; `kind` may be empty.
    pub(crate) fn origin(&self, path: &str, kind: &str) -> Origin {
        Origin::NirNode {
            file: self.file.clone(),
            path: path.to_owned(),
            kind: if kind.is_empty() { "HDF5 object" } else { kind }.to_owned(),
        }
    }
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        let list = if diagnostic.is_error() {
            &mut self.errors
        } else {
            &mut self.warnings
        };
        if list.len() < MAX_LISTED {
            list.push(diagnostic);
        } else if diagnostic.is_error() {
            self.unlisted += 1;
        }
    }
    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }
    /// The diagnostic of a failed store access.
    pub(crate) fn store_error(&self, path: &str, kind: &str, error: &StoreError) -> Diagnostic {
        let origin = if path == "/" {
            self.file_origin()
        } else {
            self.origin(path, kind)
        };
        match error {
            StoreError::Damaged(reason) => Diagnostic::error(
                Code::Hdf5Damaged,
                &origin,
                format!(
                    "this part of the HDF5 file cannot be read: {}",
                    escape(reason)
                ),
            )
            .help("copy the file again, or export the network again"),
            StoreError::Unsupported { what, help } => Diagnostic::error(
                Code::Hdf5Damaged,
                &origin,
                format!("{} is not supported", escape(what)),
            )
            .help(help.clone()),
            StoreError::Limit(what) => Diagnostic::error(
                Code::Hdf5Limit,
                &origin,
                format!("the file exceeds a reader limit: {}", escape(what)),
            )
            .help("export the network again; a correct file of this size does not need so much"),
        }
    }
    /// The value with the warnings, or the errors (warnings follow them).
    pub(crate) fn finish<T>(
        mut self,
        value: Option<T>,
    ) -> std::result::Result<(T, Vec<Diagnostic>), Diagnostics> {
        match value {
            Some(value) if self.errors.is_empty() => Ok((value, self.warnings)),
            _ => {
                if self.errors.is_empty() {
                    self.errors.push(Diagnostic::internal(
                        "a front end gave up without saying why",
                    ));
                }
                if self.unlisted > 0
                    && let Some(last) = self.errors.pop()
                {
                    self.errors
                        .push(last.note(format!("{} more errors are not listed", self.unlisted)));
                }
                self.errors.append(&mut self.warnings);
                Err(Diagnostics(self.errors))
            }
        }
    }
}

/// Compares names as people count: runs of digits by their value, so that `2`
/// comes before `10`. Equal only for equal names.
pub fn natural_cmp(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a.as_bytes(), b.as_bytes());
    loop {
        match (x.first(), y.first()) {
            (Some(p), Some(q)) if p.is_ascii_digit() && q.is_ascii_digit() => {
                let (m, n) = (digits(x), digits(y));
                let (u, v) = (strip_zeros(&x[..m]), strip_zeros(&y[..n]));
                let by_value = u.len().cmp(&v.len()).then_with(|| u.cmp(v));
                if by_value != Ordering::Equal {
                    return by_value;
                }
                (x, y) = (&x[m..], &y[n..]);
            }
            (Some(p), Some(q)) if p == q => (x, y) = (&x[1..], &y[1..]),
            (p, q) => return p.cmp(&q).then_with(|| a.cmp(b)),
        }
        if x.is_empty() && y.is_empty() {
            return a.cmp(b);
        }
    }
}

fn digits(s: &[u8]) -> usize {
    s.iter().take_while(|c| c.is_ascii_digit()).count()
}

fn strip_zeros(s: &[u8]) -> &[u8] {
    &s[s.iter().take_while(|&&c| c == b'0').count()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_people_count() {
        let mut names = [
            "10", "2", "lif10", "lif2", "input", "1", "01", "lif1.w", "lif1",
        ];
        names.sort_by(|a, b| natural_cmp(a, b));
        assert_eq!(
            names,
            [
                "01", "1", "2", "10", "input", "lif1", "lif1.w", "lif2", "lif10"
            ]
        );
    }

    #[test]
    fn a_long_list_of_errors_is_cut_and_counted() {
        let mut problems = Problems::new("n.nir");
        for i in 0..40 {
            let origin = problems.file_origin();
            problems.push(Diagnostic::error(
                Code::NirEdge,
                &origin,
                format!("edge {i}"),
            ));
        }
        let errors = problems.finish::<()>(None).unwrap_err().0;
        assert_eq!(errors.len(), MAX_LISTED);
        assert!(
            errors
                .last()
                .is_some_and(|d| d.notes[0].starts_with("15 more"))
        );
    }
}
