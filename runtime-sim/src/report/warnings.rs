//! What the user should know although the run succeeded.

use super::RunReport;
use ir::Origin;
use ir::code::Code;
use ir::diag::Diagnostic;

impl RunReport {
    /// A tick in the user's terms.
    fn when(&self, tick: u32) -> String {
        match self.ticks_per_step {
            0 | 1 => format!("tick {tick}"),
            p => format!("tick {tick} (of {p} ticks a step)"),
        }
    }

    /// What the user should know although the run succeeded.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        let warn = |code, message| Diagnostic::warning(code, &Origin::Compiler, message);
        let mut all = Vec::new();
        let injected = self.injected.notes();
        if !injected.is_empty() {
            let mut d = warn(Code::Injected, "faults were injected on purpose".to_owned());
            d.notes = injected;
            all.push(d);
        }
        for pe in &self.pes {
            let who = match pe.populations.as_slice() {
                [] => pe.pe.clone(),
                names => format!("population '{}' on {}", names.join("', '"), pe.pe),
            };
            if let Some((sample, first)) = &pe.first_missed {
                let place = match &first.symbol {
                    Some(symbol) => format!("{symbol}, pc {:#010x}", first.pc),
                    None => format!("pc {:#010x}", first.pc),
                };
                all.push(
                    warn(
                        Code::MissedDeadline,
                        format!("{who} missed {} deadlines", pe.missed_deadlines),
                    )
                    .note(format!(
                        "first in sample {sample}, {}: {} cycles of work; it was at {place} when the next tick was due",
                        self.when(first.tick), first.cycles_used
                    ))
                    .help("use a longer --time-step or fewer atoms per core (--atoms-per-core)"),
                );
            }
            all.extend(pe.mac_array.warnings(&who));
            all.extend(pe.links.warnings(&who));
            if pe.packets_dropped > 0 {
                all.push(
                    warn(
                        Code::RingOverflow,
                        format!(
                            "{who} lost {} packets at a full receive ring",
                            pe.packets_dropped
                        ),
                    )
                    .note(format!(
                        "at most {} entries were in the ring; {} packets were received",
                        pe.ring_high_water, pe.packets_received
                    )),
                );
            }
            if pe.packets_unreceived > 0 {
                all.push(warn(
                    Code::RingOverflow,
                    format!(
                        "{} packets arrived at {who} while its receive ring was not enabled",
                        pe.packets_unreceived
                    ),
                ));
            }
            if pe.payloads_lost > 0 {
                all.push(warn(
                    Code::RingOverflow,
                    format!(
                        "{} packets lost their payload at {who}, whose receive ring holds keys only",
                        pe.payloads_lost
                    ),
                ));
            }
        }
        if let Some((key, _)) = self.unmatched_keys.iter().next() {
            let total: u64 = self.unmatched_keys.values().sum();
            all.push(
                warn(
                    Code::UnmatchedKey,
                    format!("{total} packets matched no routing entry"),
                )
                .note(format!(
                    "{} different keys, the lowest is {key}",
                    self.unmatched_keys.len()
                )),
            );
        }
        let n = &self.network;
        let lost = [
            (n.link_dead, "took a link that is dead or leads nowhere"),
            (
                n.link_circling,
                "went in circles between chips, or too many were under way",
            ),
            (n.lost, "were more than any receive ring holds"),
        ];
        for (count, what) in lost.into_iter().filter(|(count, _)| *count > 0) {
            let message = format!("{count} packets were lost: they {what}");
            all.push(warn(Code::PacketsLost, message));
        }
        all
    }
}
