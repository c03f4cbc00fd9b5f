//! The places in a PE's life that traces tell of.

use super::Pe;
use crate::cpu::Exit;
use crate::mmio::comms::Arrival;
use crate::trace::{Event, Recorder, What};

impl Pe {
    /// Sets or ends tracing.
    pub(crate) fn trace(&mut self, recorder: Option<Recorder>) {
        self.trace = recorder.map(Box::new);
    }

    /// The events since the last call.
    pub(crate) fn take_trace(&mut self) -> Vec<Event> {
        self.trace.as_mut().map_or_else(Vec::new, |t| t.take())
    }

    /// Events for which there was no room.
    pub(crate) fn trace_lost(&self) -> u64 {
        self.trace.as_ref().map_or(0, |t| t.lost())
    }

    pub(super) fn note(&mut self, time: u64, what: What) {
        if let Some(trace) = &mut self.trace {
            trace.add(time, what);
        }
    }

    /// Packets that the program has sent and nobody has fetched yet.
    pub(super) fn note_sent(&mut self, tick: Option<u32>) {
        let packets: Vec<_> = self.bus.comms.outbox().clone();
        for p in packets {
            let (key, payload) = (p.key, p.payload);
            self.note(p.cycle, What::Sent { key, payload, tick });
        }
    }

    /// A packet that will be here at a known time.
    pub(super) fn note_arrival(&mut self, arrival: &Arrival) {
        let what = What::Received {
            key: arrival.key,
            payload: arrival.payload,
            source: arrival.source,
        };
        self.note(arrival.cycle, what);
    }

    /// Runs the core up to cycle `limit`.
    pub(super) fn run_core(&mut self, limit: u64) -> Exit {
        match &mut self.trace {
            Some(trace) if trace.instructions => {
                let time = |bus: &crate::bus::Bus, cycle| bus.clock.to_time(cycle);
                trace.run(&mut self.core, &mut self.memory, &mut self.bus, limit, time)
            }
            _ => self.core.run(&mut self.memory, &mut self.bus, limit),
        }
    }
}
