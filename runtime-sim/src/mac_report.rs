//! The MAC arrays in reports and warnings.

use crate::mmio::mla::Activity;
use ir::Origin;
use ir::code::Code;
use ir::diag::Diagnostic;
use serde::Serialize;

/// What the MAC array of a PE did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MacReport {
    pub jobs: u64,
    /// Products of two operands.
    pub macs: u64,
    /// Results whose accumulator overflowed.
    pub overflows: u64,
    /// Results that did not fit their width.
    pub clipped: u64,
    /// Starts that were refused, and why the first was.
    pub refused: u64,
    pub first_refused: Option<&'static str>,
}

impl MacReport {
    pub(crate) fn add(&mut self, activity: &Activity) {
        self.jobs += activity.jobs;
        self.macs += activity.macs;
        self.overflows += activity.overflows;
        self.clipped += activity.clipped;
        self.refused += activity.refused;
        let why = activity.first_refused.map(|r| r.reason());
        self.first_refused = self.first_refused.or(why);
    }

    /// What the user should know, about the PE called `who`.
    pub(crate) fn warnings(&self, who: &str) -> impl Iterator<Item = Diagnostic> {
        let warn = |message| Diagnostic::warning(Code::MacArray, &Origin::Compiler, message);
        let overflows = (self.overflows > 0).then(|| {
            warn(format!(
                "{} accumulators of the MAC array overflowed in {who}",
                self.overflows
            ))
            .note(format!("{} jobs, {} products", self.jobs, self.macs))
            .help("use smaller weights or values, fewer inputs, or a wider accumulator (mla.accumulator_bits of the target)")
        });
        let clipped = (self.clipped > 0).then(|| {
            warn(format!(
                "{} results of the MAC array did not fit their width in {who}",
                self.clipped
            ))
            .help("shift the accumulator further to the right, or take wider results")
        });
        let refused = self.first_refused.map(|why| {
            warn(format!(
                "{} starts of the MAC array were refused in {who}",
                self.refused
            ))
            .note(format!("the first because {why}"))
        });
        [overflows, clipped, refused].into_iter().flatten()
    }
}
