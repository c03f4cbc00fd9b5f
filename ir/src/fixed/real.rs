//! The number type of the neuron state.

use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Sub};

/// A float type that a membrane can be kept in. Each operation rounds once;
/// Rust never fuses or reassociates them, so `f32` here is the chip's `VMUL`,
/// `VADD`, `VSUB` and `VDIV`.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialEq
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + 'static
{
    /// Whether this is the chip's own type: only then fixed-point state is kept in
    /// integers; otherwise the step is the exact one.
    const CHIP: bool;

    /// Rounds a parameter, to nearest even.
    fn of_param(value: f64) -> Self;
    /// Converts an accumulator, to nearest even.
    fn of_sum(value: i32) -> Self;
    /// Converts to an unsigned integer, towards zero, saturating (`VCVT.U32.F32`).
    fn truncate(self) -> u32;
    /// The value in float64, which holds it exactly.
    fn to_f64(self) -> f64;
    /// A float64 result rounded to this type's precision.
    fn round(value: f64) -> f64;
}

impl Real for f32 {
    const CHIP: bool = true;
    fn of_param(value: f64) -> Self {
        value as f32
    }
    fn of_sum(value: i32) -> Self {
        value as f32
    }
    fn truncate(self) -> u32 {
        self as u32
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn round(value: f64) -> f64 {
        f64::from(value as f32)
    }
}

impl Real for f64 {
    const CHIP: bool = false;
    fn of_param(value: f64) -> Self {
        value
    }
    fn of_sum(value: i32) -> Self {
        f64::from(value)
    }
    fn truncate(self) -> u32 {
        self as u32
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn round(value: f64) -> f64 {
        value
    }
}
