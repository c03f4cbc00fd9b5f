//! Links between chips.
//!
//! A packet without its address in the mesh takes as many frames as its header, key
//! and payload fill. A link sends one frame after the other; the packet is at the
//! other chip's event router when its last frame is, plus the latency of the link.
//! Packets wait for a link in a queue without end. Frames that are sent again after
//! an error of transmission are not modelled.

use crate::noc::FRACTION;
use ir::Target;

/// What a kind of link costs, in fractions of a unit of machine time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkTiming {
    /// For how long a frame takes the link.
    pub frame: u64,
    /// From the end of the last frame to the other chip's router.
    pub latency: u64,
}

impl LinkTiming {
    /// Between chips of a board, or between boards.
    pub fn new(target: &Target, long: bool) -> Self {
        let l = &target.chip_links;
        let (rate, percent, latency) = if long {
            (l.long_bps, l.long_line_percent, l.long_latency_cycles)
        } else {
            (l.short_bps, 100, l.short_latency_cycles)
        };
        let unit = u128::from(target.clock.pe_high_hz) * u128::from(FRACTION);
        let line = u128::from(l.frame_bits) * u128::from(percent);
        Self {
            frame: (line * unit).div_ceil(100 * u128::from(rate.max(1))) as u64,
            latency: (u128::from(latency) * unit).div_ceil(u128::from(l.phy_hz.max(1))) as u64,
        }
    }
}

/// Frames of a packet with a payload of `bits`.
pub fn frames(target: &Target, bits: u32) -> u64 {
    let l = &target.chip_links;
    let room = l.frame_bits.saturating_sub(l.check_bits).max(1);
    let packet = u64::from(l.header_bits) + 32 + u64::from(bits);
    packet.div_ceil(u64::from(room))
}

/// One direction of a link that leads somewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing {
    /// Index of the chip at its end.
    pub(crate) to: u32,
    timing: LinkTiming,
    /// Until when it is taken.
    free: u64,
    /// When it stops working.
    dead_from: u64,
}

impl Outgoing {
    pub(crate) fn new(to: u32, timing: LinkTiming) -> Self {
        Self {
            to,
            timing,
            free: 0,
            dead_from: u64::MAX,
        }
    }

    /// It stops working at `time`.
    pub(crate) fn dies(&mut self, time: u64) {
        self.dead_from = self.dead_from.min(time);
    }

    /// It works for ever.
    pub(crate) fn mend(&mut self) {
        self.dead_from = u64::MAX;
    }

    /// Whether it stopped working before the last frame that was sent was over.
    #[inline]
    pub(crate) fn is_broken(&self) -> bool {
        self.free > self.dead_from
    }

    pub(crate) fn reset(&mut self) {
        self.free = 0;
    }

    /// Sends `frames` at `time`: when they are at the other router, and how long they
    /// waited for the link.
    pub(crate) fn send(&mut self, time: u64, frames: u64) -> (u64, u64) {
        let start = time.max(self.free);
        self.free = start + frames * self.timing.frame;
        (self.free + self.timing.latency, start - time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_times_follow_the_target() {
        let target = Target::spinnaker2();
        let frames = [0, 32, 64, 128].map(|bits| frames(&target, bits));
        // 17 + 32 bits and the payload, 84 of 96 bits in a frame.
        assert_eq!(frames, [1, 1, 2, 3]);
        let short = LinkTiming::new(&target, false);
        // 96 bits at 6 Gbit/s are 16 ns, as are two cycles of 125 MHz: 4.8 units.
        let units = |t: u64| t as f64 / FRACTION as f64;
        assert!((units(short.frame) - 4.8).abs() < 0.01);
        assert!((units(short.latency) - 4.8).abs() < 0.01);
        // 120 line bits at 2 Gbit/s are 60 ns.
        let long = LinkTiming::new(&target, true);
        assert!((units(long.frame) - 18.0).abs() < 0.01);
    }

    #[test]
    fn a_busy_link_makes_packets_wait() {
        let timing = LinkTiming {
            frame: 10,
            latency: 7,
        };
        let mut link = Outgoing::new(0, timing);
        assert_eq!(link.send(100, 1), (117, 0));
        assert_eq!(link.send(103, 2), (137, 7));
        assert_eq!(link.send(200, 1), (217, 0));
        link.dies(230);
        assert_eq!((link.send(220, 1), link.is_broken()), ((237, 0), false));
        assert_eq!((link.send(221, 1), link.is_broken()), ((247, 9), true));
        link.mend();
        assert!(!link.is_broken());
    }
}
