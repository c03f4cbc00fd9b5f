//! A plan: the passes that will run, in order, checked by their facts.

use crate::registry::{self, Pass};
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::facts::FactSet;
use ir::origin::{Origin, escape};

/// An ordered list of passes.
#[derive(Clone, Debug)]
pub struct Plan {
    passes: Vec<&'static dyn Pass>,
}

impl Plan {
    /// The whole way from a network to memory layouts.
    pub fn standard() -> Self {
        Self {
            passes: registry::ALL.to_vec(),
        }
    }

    /// The named passes, in the order given.
    pub fn from_names(names: &[impl AsRef<str>]) -> Result<Self> {
        let mut passes = Vec::new();
        let mut unknown = Vec::new();
        for name in names {
            let name = name.as_ref();
            match registry::find(name) {
                Some(pass) => passes.push(pass),
                None => unknown.push(no_such_pass(name)),
            }
        }
        if unknown.is_empty() {
            Ok(Self { passes })
        } else {
            Err(Diagnostics(unknown))
        }
    }

    /// The part of the standard plan that a module with these facts still needs.
    pub fn rest_of_standard(held: FactSet) -> Self {
        let passes = registry::ALL.iter().copied();
        Self {
            passes: passes
                .filter(|p| !held.contains_all(p.contract().establishes))
                .collect(),
        }
    }

    pub fn passes(&self) -> impl Iterator<Item = &'static dyn Pass> + '_ {
        self.passes.iter().copied()
    }

    /// Ends the plan after the named pass.
    pub fn stop_after(mut self, name: &str) -> Result<Self> {
        match self.passes.iter().position(|p| p.name() == name) {
            Some(at) => {
                self.passes.truncate(at + 1);
                Ok(self)
            }
            None => Err(no_such_pass(name).into()),
        }
    }

    /// Whether each pass finds the facts it needs, starting from `start`;
    /// gives the facts that hold at the end.
    pub fn check(&self, start: FactSet) -> Result<FactSet> {
        let mut held = start;
        let mut errors = Vec::new();
        for pass in self.passes() {
            let contract = pass.contract();
            let missing = contract.requires.without(held);
            if missing != FactSet::EMPTY {
                let mut error = order_error(
                    pass,
                    format!("'{}' can't run yet: {missing} missing", pass.name()),
                );
                for fact in missing.iter() {
                    let providers = registry::providers(fact).join(" or ");
                    error = error.note(format!("{fact}: established by {providers}"));
                }
                errors.push(error.help("put the passes that establish them before it"));
            }
            let done: FactSet = contract.excludes.without(contract.excludes.without(held));
            if done != FactSet::EMPTY {
                errors.push(
                    order_error(
                        pass,
                        format!("'{}' can't run again: {done} already holds", pass.name()),
                    )
                    .help("start from a module of an earlier stage"),
                );
            }
            held = contract.after(held);
        }
        if errors.is_empty() {
            Ok(held)
        } else {
            Err(Diagnostics(errors))
        }
    }
}

fn order_error(pass: &dyn Pass, message: String) -> Diagnostic {
    let origin = Origin::Option {
        flag: format!("-p {}", pass.name()),
    };
    Diagnostic::error(Code::PassOrder, &origin, message)
}

fn no_such_pass(name: &str) -> Diagnostic {
    let name = escape(name);
    let origin = Origin::Option {
        flag: format!("-p {name}"),
    };
    let known: Vec<_> = registry::ALL.iter().map(|p| p.name()).collect();
    Diagnostic::error(Code::PassUnknown, &origin, format!("no pass '{name}'"))
        .note(format!("passes: {}", known.join(", ")))
        .help("`s2c passes` says what each of them does")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::facts::Fact;

    #[test]
    fn the_standard_plan_works_from_nothing() {
        let end = Plan::standard().check(FactSet::EMPTY).expect("in order");
        assert!(end.contains(Fact::LaidOut) && end.contains(Fact::Tabled));
    }

    #[test]
    fn a_missing_fact_names_its_provider() {
        let plan = Plan::from_names(&["place"]).expect("known");
        let error = plan.check(FactSet::EMPTY).expect_err("nothing to place");
        assert_eq!(error.0[0].code, Code::PassOrder);
        assert!(
            error
                .to_string()
                .contains("partitioned: established by partition")
        );
    }

    #[test]
    fn a_pass_that_consumes_its_input_runs_once() {
        let plan = Plan::from_names(&["discretise", "discretise"]).expect("known");
        let error = plan.check(FactSet::of(&[Fact::Shaped, Fact::Canonical]));
        assert!(
            error
                .expect_err("twice")
                .to_string()
                .contains("can't run again")
        );
    }

    #[test]
    fn an_unknown_pass_lists_the_known_ones() {
        let error = Plan::from_names(&["partion"]).expect_err("a typo");
        assert_eq!(error.0[0].code, Code::PassUnknown);
        assert!(error.to_string().contains("partition"));
    }

    #[test]
    fn the_rest_of_the_plan_starts_where_the_module_is() {
        let held = Plan::standard()
            .stop_after("partition")
            .and_then(|p| p.check(FactSet::EMPTY))
            .expect("in order");
        let rest = Plan::rest_of_standard(held);
        assert_eq!(rest.passes().next().map(|p| p.name()), Some("place"));
    }
}
