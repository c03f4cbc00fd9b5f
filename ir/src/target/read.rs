//! Reads a target file: values with their sources, nothing missing, nothing unknown.

use super::{Assumption, Grid};
use crate::code::Code;
use crate::diag::Diagnostic;
use crate::geometry::PeCoord;
use crate::origin::Origin;
use toml::{Table, Value};

/// Walks the TOML table, notes assumptions, and reports unknown keys.
pub(super) struct Reader<'a> {
    table: &'a Table,
    origin: Origin,
    section: Option<(String, &'a Table)>,
    used: usize,
    assumptions: Vec<Assumption>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(table: &'a Table, origin: Origin) -> Self {
        Self {
            table,
            origin,
            section: None,
            used: 0,
            assumptions: Vec::new(),
        }
    }
    /// The assumptions among the values that were read.
    pub(super) fn assumptions(&self) -> Vec<Assumption> {
        self.assumptions.clone()
    }
    pub(super) fn error(&self, message: String) -> Diagnostic {
        Diagnostic::error(Code::Usage, &self.origin, message)
            .help("compare with the built-in target file, ir/targets/spinnaker2.toml")
    }
    pub(super) fn text(&self, key: &str) -> Result<String, Diagnostic> {
        let value = self.table.get(key).and_then(Value::as_str);
        value
            .map(str::to_owned)
            .ok_or_else(|| self.error(format!("`{key}` must be a text")))
    }
    pub(super) fn enter(&mut self, name: &str) -> Result<(), Diagnostic> {
        let section = self.table.get(name).and_then(Value::as_table);
        let section = section.ok_or_else(|| self.error(format!("section [{name}] is missing")))?;
        self.section = Some((name.to_owned(), section));
        self.used = 0;
        Ok(())
    }
    /// Ends a section: every key in it must have been asked for.
    pub(super) fn leave(&mut self) -> Result<(), Diagnostic> {
        match self.section.take() {
            Some((name, table)) if table.len() != self.used => {
                Err(self.error(format!("section [{name}] has keys that s2c does not know")))
            }
            _ => Ok(()),
        }
    }
    fn value(&mut self, key: &str) -> Result<&'a Value, Diagnostic> {
        let Some((name, table)) = &self.section else {
            return Err(self.error(format!("`{key}` outside a section")));
        };
        let path = format!("{name}.{key}");
        let entry = table.get(key).and_then(Value::as_table);
        let entry = entry.ok_or_else(|| self.error(format!("{path} is missing")))?;
        let value = entry.get("value");
        let value = value.ok_or_else(|| self.error(format!("{path} has no value")))?;
        let source = entry.get("source").and_then(Value::as_str);
        let source = source.ok_or_else(|| self.error(format!("{path} has no source")))?;
        if entry.get("assumed").and_then(Value::as_bool) == Some(true) {
            self.assumptions.push(Assumption {
                key: path,
                value: value.to_string(),
                source: source.to_owned(),
            });
        }
        self.used += 1;
        Ok(value)
    }
    pub(super) fn number<T: TryFrom<i64>>(&mut self, key: &str) -> Result<T, Diagnostic> {
        let value = self
            .value(key)?
            .as_integer()
            .and_then(|v| T::try_from(v).ok());
        value.ok_or_else(|| self.error(format!("`{key}` is not a number in range")))
    }
    fn tuple<const N: usize>(&mut self, key: &str) -> Result<[u8; N], Diagnostic> {
        let value = self.value(key)?;
        bytes(value).ok_or_else(|| self.error(format!("`{key}` must be a list of {N} numbers")))
    }
    fn tuples<const N: usize>(&mut self, key: &str) -> Result<Vec<[u8; N]>, Diagnostic> {
        let value = self
            .value(key)?
            .as_array()
            .map(|a| a.iter().map(bytes).collect());
        value
            .flatten()
            .ok_or_else(|| self.error(format!("`{key}` must be a list of lists of {N} numbers")))
    }
}

fn bytes<const N: usize>(value: &Value) -> Option<[u8; N]> {
    let items: Option<Vec<u8>> = value
        .as_array()?
        .iter()
        .map(|v| v.as_integer().and_then(|v| u8::try_from(v).ok()))
        .collect();
    items?.try_into().ok()
}

impl Grid {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, Diagnostic> {
        r.enter("grid")?;
        let grid = Self {
            width: r.number("width")?,
            height: r.number("height")?,
            pes_per_qpe: r.number("pes_per_qpe")?,
            holes: r
                .tuples::<2>("holes")?
                .into_iter()
                .map(|[x, y]| (x, y))
                .collect(),
            router_at: {
                let [x, y] = r.tuple("router_at")?;
                (x, y)
            },
            reserved: r
                .tuples::<3>("reserved_pes")?
                .into_iter()
                .map(|[x, y, p]| PeCoord::new(x, y, p))
                .collect::<Option<_>>()
                .ok_or_else(|| r.error("grid.reserved_pes holds an impossible PE".to_owned()))?,
        };
        r.leave()?;
        if grid.width > 7 || grid.height > 7 || grid.pes_per_qpe > 4 {
            return Err(r.error("the grid exceeds the PE identity byte (7 x 7 x 4)".to_owned()));
        }
        Ok(grid)
    }
}
