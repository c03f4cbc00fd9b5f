//! The golden interpreter: what a network means, in float64, step by step.

pub mod schedule;
