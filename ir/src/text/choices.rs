//! The choices of semantics and quantisation, each under the name of its
//! command-line flag. One list serves printer and parser.

use crate::semantics::{
    Bias, Compare, EdgeDelay, Hold, IfGain, Integrator, Quantisation, RecurrentBiasT0, Reset,
    Rounding, ScaleMode, Semantics, SpikeOn, SynDecay, SynGain, TimeUnit, VFloor, WeightMode,
};

macro_rules! choices {
    ($owner:ident $get:ident $set:ident { $($field:ident: $ty:ident,)* }) => {
        /// Flag and value of every choice.
        pub(super) fn $get(owner: &$owner) -> Vec<(&'static str, &'static str)> {
            vec![$(($ty::FLAG.trim_start_matches('-'), owner.$field.name()),)*]
        }
        /// Takes one choice; `None` if there is no such flag.
        pub(super) fn $set(owner: &mut $owner, flag: &str, value: &str) -> Option<Result<(), String>> {
            $(if flag == $ty::FLAG.trim_start_matches('-') {
                return Some(value.parse().map(|v| owner.$field = v));
            })*
            None
        }
    };
}

choices! { Semantics semantics set_semantics {
    time_unit: TimeUnit,
    integrator: Integrator,
    reset: Reset,
    compare: Compare,
    spike_on: SpikeOn,
    hold: Hold,
    syn_gain: SynGain,
    syn_decay: SynDecay,
    if_gain: IfGain,
    recurrent_bias_t0: RecurrentBiasT0,
    bias: Bias,
    v_floor: VFloor,
    edge_delay: EdgeDelay,
} }

choices! { Quantisation quantisation set_quantisation {
    weights: WeightMode,
    scale: ScaleMode,
    rounding: Rounding,
} }
