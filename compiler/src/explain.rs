//! `s2c explain` and `s2c passes`.

use crate::options::usage;
use ir::Code;
use ir::diag::Result;
use ir::origin::escape;
use std::fmt::Write;

/// The help text of a code.
pub fn explain(code: &str) -> Result<String> {
    let found = Code::from_id(code).ok_or_else(|| {
        usage("CODE", format!("there is no diagnostic '{}'", escape(code)))
            .note("codes are a letter and four digits, such as E0304 or W0305")
            .help("diagnostics print their code in brackets: error[E0304]")
    })?;
    Ok(format!(
        "{}: {}\n\n{}\n",
        found.id(),
        found.title(),
        found.text()
    ))
}

/// One block per pass: what it does, what it needs, what holds afterwards.
pub fn passes() -> String {
    let mut out = String::new();
    for pass in passes::registry::ALL {
        let contract = pass.contract();
        let _ = writeln!(out, "{}\n    {}", pass.name(), pass.description());
        for (word, facts) in [
            ("needs", contract.requires),
            ("establishes", contract.establishes),
            ("destroys", contract.destroys),
        ] {
            let names = facts.to_string();
            if !names.is_empty() {
                let _ = writeln!(out, "    {word}: {names}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained() {
        for &code in Code::ALL {
            let text = explain(code.id()).expect("known");
            assert!(text.contains(code.id()) && text.len() > 40);
        }
        assert!(explain("e0304").is_ok());
        assert!(explain("E1").is_err());
    }
}
