//! What a network file leaves open: time step, reset, comparison, bias and
//! delay conventions; and the profiles that bundle each framework's choices.

use std::fmt;
use std::str::FromStr;

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident $flag:literal { $($(#[$vdoc:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }
        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];
            /// The command-line flag that chooses it.
            pub const FLAG: &'static str = $flag;
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
        impl FromStr for $name {
            type Err = String;
            fn from_str(s: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|v| v.name() == s).ok_or_else(|| {
                    let all: Vec<_> = Self::ALL.iter().map(|v| v.name()).collect();
                    format!("expected one of {}", all.join(", "))
                })
            }
        }
    };
}

choice! { /// Unit of the time constants in the file.
TimeUnit "--time-unit" { Seconds "s", Milliseconds "ms", Steps "steps", } }
choice! { /// How decay and gain follow from dt/tau.
Integrator "--integrator" {
    /// decay 1 - dt/tau, gain dt/tau
    ForwardEuler "forward-euler",
    /// decay e^(-dt/tau), gain 1 - e^(-dt/tau)
    ExpEuler "exp-euler",
    /// decay e^(-dt/tau), gain dt/tau
    ExpImpulse "exp-impulse",
} }
choice! { /// What a spike does to the membrane.
Reset "--reset" {
    /// v becomes the file's v_reset (0 where the file has none)
    VReset "v-reset",
    /// v becomes 0 whatever the file says
    Zero "zero",
    /// v falls by threshold - v_reset
    Subtract "subtract",
    /// the threshold is subtracted in the step after the spike
    SnntorchSubtract "snntorch-subtract",
    /// floor(v/threshold) spikes, each subtracting one threshold
    MultiSubtract "multi-subtract",
    None "none",
} }
choice! { /// Comparison of v with the threshold.
Compare "--compare" { Gt "gt", Ge "ge", } }
choice! { /// State that decides about a spike: after or before this step's update.
SpikeOn "--spike-on" { New "new", Old "old", } }
choice! { /// Whether v is forced to the reset value in the step after a spike.
Hold "--hold-after-spike" { Auto "auto", On "on", Off "off", } }
choice! { SynGain "--syn-gain" { File "file", Unit "unit", } }
choice! { SynDecay "--syn-decay" { Before "before", After "after", } }
choice! { /// Gain of I and IF nodes: dt*r (literal NIR) or r.
IfGain "--if-gain" { Dt "dt", Unit "unit", } }
choice! { /// Whether biases on recurrent paths act in step 0.
RecurrentBiasT0 "--recurrent-bias-t0" { On "on", Off "off", } }
choice! { /// Biases enter through the synapse or as a constant membrane offset.
Bias "--bias" { Synapse "synapse", Membrane "membrane", } }
choice! { /// Lower bound of the IF membrane.
VFloor "--v-floor" { None "none", NegThreshold "neg-threshold", } }
choice! { /// Whether every projection and the input cost one step as semantics.
EdgeDelay "--edge-delay" { None "none", Chip "chip", } }
choice! { /// How network steps map to ticks.
Schedule "--schedule" {
    /// One tick a step; what can't be pipelined is refused.
    Pipelined "pipelined",
    /// Every step ends before the next begins.
    Phased "phased",
    /// The fewest ticks a step that keep the graph exact.
    Auto "auto",
} }
choice! { WeightMode "--weights" { Auto "auto", Int8 "int8", Int16 "int16", Float "float", } }
choice! { /// One weight scale per target neuron or per population.
ScaleMode "--scale" { Neuron "neuron", Population "population", } }
choice! { /// How neurons keep their state on the chip.
StateMode "--state" {
    /// float32
    F32 "f32",
    /// int32 fixed point
    Fixed "fixed",
} }
choice! { Rounding "--rounding" { Nearest "nearest", Truncate "truncate", } }
choice! { /// A framework's bundle of choices.
Profile "--profile" {
    Nir "nir", Snntorch "snntorch", Norse "norse", Sinabs "sinabs",
    Rockpool "rockpool", Spyx "spyx", Lava "lava", PySpinnaker2 "py-spinnaker2",
} }

/// The resolved meaning of a network: every choice that NIR leaves open.
#[derive(Clone, Debug, PartialEq)]
pub struct Semantics {
    /// Seconds per network step, where known. Finite and above 0.
    pub dt: Option<f64>,
    pub time_unit: TimeUnit,
    pub integrator: Integrator,
    pub reset: Reset,
    pub compare: Compare,
    pub spike_on: SpikeOn,
    pub hold: Hold,
    pub syn_gain: SynGain,
    pub syn_decay: SynDecay,
    pub if_gain: IfGain,
    pub recurrent_bias_t0: RecurrentBiasT0,
    pub bias: Bias,
    pub v_floor: VFloor,
    pub edge_delay: EdgeDelay,
}

/// How weights become integers, and what state is kept in.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantisation {
    pub weights: WeightMode,
    pub scale: ScaleMode,
    pub rounding: Rounding,
    /// Replaces the derived scale (integer steps per unit of weight).
    pub weight_scale: Option<f64>,
    pub state: StateMode,
}

impl Semantics {
    /// dt in the unit of the file's time constants; `None` if dt is needed but
    /// unknown. In steps, dt is 1 by definition.
    pub fn dt_in_file_units(&self) -> Option<f64> {
        match self.time_unit {
            TimeUnit::Seconds => self.dt,
            TimeUnit::Milliseconds => self.dt.map(|dt| dt * 1e3),
            TimeUnit::Steps => Some(1.0),
        }
    }
}

impl Profile {
    /// The profile's column of the option table.
    pub fn semantics(self) -> Semantics {
        let nir = Semantics {
            dt: None,
            time_unit: TimeUnit::Seconds,
            integrator: Integrator::ForwardEuler,
            reset: Reset::VReset,
            compare: Compare::Gt,
            spike_on: SpikeOn::New,
            hold: Hold::Off,
            syn_gain: SynGain::File,
            syn_decay: SynDecay::Before,
            if_gain: IfGain::Dt,
            recurrent_bias_t0: RecurrentBiasT0::On,
            bias: Bias::Synapse,
            v_floor: VFloor::None,
            edge_delay: EdgeDelay::None,
        };
        let unit = Semantics {
            if_gain: IfGain::Unit,
            ..nir.clone()
        };
        match self {
            Profile::Nir => nir,
            Profile::Snntorch => Semantics {
                dt: Some(1e-4),
                reset: Reset::Zero,
                hold: Hold::Auto,
                ..unit
            },
            Profile::Norse => Semantics {
                reset: Reset::Zero,
                syn_gain: SynGain::Unit,
                recurrent_bias_t0: RecurrentBiasT0::Off,
                ..unit
            },
            Profile::Sinabs => Semantics {
                integrator: Integrator::ExpImpulse,
                reset: Reset::MultiSubtract,
                compare: Compare::Ge,
                v_floor: VFloor::NegThreshold,
                ..unit
            },
            Profile::Rockpool => Semantics {
                integrator: Integrator::ExpImpulse,
                reset: Reset::MultiSubtract,
                compare: Compare::Ge,
                syn_gain: SynGain::Unit,
                syn_decay: SynDecay::After,
                recurrent_bias_t0: RecurrentBiasT0::Off,
                ..unit
            },
            Profile::Spyx => Semantics {
                reset: Reset::Subtract,
                spike_on: SpikeOn::Old,
                ..unit
            },
            Profile::Lava => Semantics {
                reset: Reset::Zero,
                edge_delay: EdgeDelay::Chip,
                ..unit
            },
            Profile::PySpinnaker2 => Semantics {
                reset: Reset::Zero,
                bias: Bias::Membrane,
                edge_delay: EdgeDelay::Chip,
                ..unit
            },
        }
    }

    pub fn quantisation(self) -> Quantisation {
        match self {
            Profile::PySpinnaker2 => Quantisation {
                weights: WeightMode::Int8,
                scale: ScaleMode::Population,
                rounding: Rounding::Truncate,
                weight_scale: None,
                state: StateMode::F32,
            },
            Profile::Nir
            | Profile::Snntorch
            | Profile::Norse
            | Profile::Sinabs
            | Profile::Rockpool
            | Profile::Spyx
            | Profile::Lava => Quantisation {
                weights: WeightMode::Auto,
                scale: ScaleMode::Neuron,
                rounding: Rounding::Nearest,
                weight_scale: None,
                state: StateMode::F32,
            },
        }
    }
}
