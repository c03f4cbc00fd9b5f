//! A small mapped module as text, and random modules.
#![allow(dead_code)] // each test crate uses a part

pub(crate) mod random;

use ir::text::{NoBlobs, parse};
use ir::{Module, Target};

/// 3 inputs, 4 hidden neurons with recurrence on two PEs, 2 outputs on a
/// second chip: every table filled, every fact true.
pub(crate) const TINY: &str = r#"s2ir 1 "tiny"
target "spinnaker2" chips 2x1 step 1000us
dead chip(0,0) pe(2,1,0)
semantics dt 0.001 time-unit s integrator forward-euler reset v-reset compare gt spike-on new hold-after-spike off syn-gain file syn-decay before if-gain dt recurrent-bias-t0 on bias synapse v-floor none edge-delay none
quantisation weights int8 scale neuron rounding nearest
facts canonical discrete balanced quantised partitioned placed keyed routed tabled compressed selected laid_out
network "tiny"
population @in spike_source [3] latency 0 active 0
population @hid lif [4] discrete { decay = 0.9, gain = 1.0, offset = 4xf64(0.5 0.0 -1.5 2.0), threshold = 100.0, reset = to 0.0, compare = gt, unit = 0.01 } accumulator i16 latency 1 active 1 record spikes
population @out if [2] discrete { gain = 1.0, threshold = 50.0, reset = subtract 50.0, compare = ge, unit = 2xf64(0.01 0.02) } accumulator i16 latency 2 active 2
projection @fc1 : @in -> @hid dense 4x3xi8(100 -20 30 0 127 -128 1 2 3 50 50 50) delay 1
projection @rec : @hid -> @hid dense 4x4xi8(0 1 0 0 0 0 1 0 0 0 0 1 1 0 0 0) delay 1 lag 1
projection @fc2 : @hid -> @out dense 2x4xi8(10 20 30 40 -10 -20 -30 -40) delay 1
output @y = @out
vertex %v0 = @in[0 +3] text 4096 data 1184 state 0 rows 0 cycles 2000
vertex %v1 = @hid[0 +2] text 4096 data 2152 state 24 rows 56 cycles 3000
vertex %v2 = @hid[2 +2] text 4096 data 2152 state 24 rows 56 cycles 3000
vertex %v3 = @out[0 +2] text 4096 data 2144 state 24 rows 32 cycles 2500
net %n0 = %v0 -> %v1 %v2 via @fc1
net %n1 = %v1 -> %v1 %v2 %v3 via @rec @fc2
net %n2 = %v2 -> %v1 %v2 %v3 via @rec @fc2
net %n3 = %v3 -> none
place %v0 at chip(0,0) pe(3,3,0)
place %v1 at chip(0,0) pe(3,3,1)
place %v2 at chip(0,0) pe(3,3,2)
place %v3 at chip(1,0) pe(3,3,0)
key %n0 = 0x00010000/0xfffffffc
key %n1 = 0x00010004/0xfffffffe
key %n2 = 0x00010006/0xfffffffe
key %n3 = 0x00010008/0xfffffffe
tree %n0 root chip(0,0) { chip(0,0) -> pe(3,3,1) pe(3,3,2) }
tree %n1 root chip(0,0) { chip(0,0) -> E pe(3,3,1) pe(3,3,2), chip(1,0) -> pe(3,3,0) }
tree %n2 root chip(0,0) { chip(0,0) -> E pe(3,3,1) pe(3,3,2), chip(1,0) -> pe(3,3,0) }
tree %n3 root chip(1,0) { chip(1,0) -> none }
entry chip(0,0) 0x00010000/0xfffffffc -> pe(3,3,1) pe(3,3,2) nets %n0
entry chip(0,0) 0x00010004/0xfffffffc -> E pe(3,3,1) pe(3,3,2) nets %n1 %n2
entry chip(1,0) 0x00010004/0xfffffffc -> pe(3,3,0) nets %n1 %n2
entry chip(1,0) 0x00010008/0xfffffffe -> none nets %n3
region %v0 text at 0x00000000 bytes 4096
region %v0 control at 0x00001000 bytes 32
region %v0 events at 0x00001020 bytes 128
region %v0 stack at 0x000010a0 bytes 1024
region %v1 text at 0x00000000 bytes 4096
region %v1 control at 0x00001000 bytes 32
region %v1 offset at 0x00001020 bytes 8
region %v1 v at 0x00001028 bytes 8
region %v1 accumulators at 0x00001030 bytes 16
region %v1 ring at 0x00001040 bytes 64
region %v1 rows @fc1 %v0 at 0x00001080 bytes 24
region %v1 rows @rec %v1 at 0x00001098 bytes 16
region %v1 rows @rec %v2 at 0x000010a8 bytes 16
region %v1 lists at 0x000010b8 bytes 1024
region %v1 stack at 0x00002000 bytes 1024
region %v2 text at 0x00000000 bytes 4096
region %v2 control at 0x00001000 bytes 32
region %v2 offset at 0x00001020 bytes 8
region %v2 v at 0x00001028 bytes 8
region %v2 accumulators at 0x00001030 bytes 16
region %v2 ring at 0x00001040 bytes 64
region %v2 rows @fc1 %v0 at 0x00001080 bytes 24
region %v2 rows @rec %v1 at 0x00001098 bytes 16
region %v2 rows @rec %v2 at 0x000010a8 bytes 16
region %v2 lists at 0x000010b8 bytes 1024
region %v2 stack at 0x00002000 bytes 1024
region %v3 text at 0x00000000 bytes 4096
region %v3 control at 0x00001000 bytes 32
region %v3 v at 0x00001028 bytes 8
region %v3 accumulators at 0x00001030 bytes 16
region %v3 ring at 0x00001040 bytes 64
region %v3 rows @fc2 %v1 at 0x00001080 bytes 16
region %v3 rows @fc2 %v2 at 0x00001090 bytes 16
region %v3 lists at 0x000010a8 bytes 1024
region %v3 stack at 0x00002000 bytes 1024
"#;

pub(crate) fn tiny() -> Module {
    read(TINY)
}

pub(crate) fn read(text: &str) -> Module {
    parse(text, "tiny.s2ir", &NoBlobs).unwrap_or_else(|e| panic!("{e}"))
}

pub(crate) fn target() -> Target {
    Target::spinnaker2()
}
