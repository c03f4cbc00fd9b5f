//! Random modules that use every construct of the IR. Their ids are in range;
//! beyond that they need not make sense.

use ir::app::{
    AppGraph, AtomOrder, Connector, Conv, Model, OutputPort, Population, Projection, Sends,
    Synapses, Timing,
};
use ir::id::{Id, IdVec};
use ir::machine::Machine;
use ir::machine_graph::{AtomSlice, Budget, MachineGraph, MachineVertex, Net};
use ir::memory::{MemoryLayout, Region, RegionKind};
use ir::network::{Edge, Network, Node, Op, Padding};
use ir::neuron::{
    Constant, ContinuousNeuron, DiscreteNeuron, Fire, Membrane, Neuron, NeuronKind, Param,
    ResetRule, State, Synapse,
};
use ir::routing::{Link, RoutingEntry, RoutingTree, Targets};
use ir::semantics::*;
use ir::text::PASSES;
use ir::*;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::num::{f32 as f32s, f64 as f64s};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Any module.
pub(crate) fn module() -> impl Strategy<Value = Module> {
    (head(), network(), app())
        .prop_flat_map(|(head, network, app)| {
            let graph = machine_graph(app.populations.len(), app.projections.len());
            (Just(head), Just(network), Just(app), graph)
        })
        .prop_flat_map(|(head, network, app, graph)| {
            let (vertices, nets) = (graph.vertices.len(), graph.nets.len());
            let tables = (
                map_of(vertices, global_pe()),
                map_of(nets, key_mask()),
                map_of(nets, tree()),
                btree_map(chip(), vec(entry(nets), 0..3), 0..3),
                map_of(vertices, layout(app.projections.len(), vertices)),
            );
            (Just(head), Just(network), Just(app), Just(graph), tables)
        })
        .prop_map(|(head, network, app, machine_graph, tables)| {
            let (placements, keys, trees, tables, layouts) = tables;
            Module {
                network,
                app,
                machine_graph,
                placements,
                keys,
                trees,
                tables,
                layouts,
                ..head
            }
        })
}

/// Names as NIR files have them, and as hostile files could.
fn name() -> BoxedStrategy<String> {
    prop_oneof![
        "[a-z][a-z0-9_.]{0,6}",
        "[0-9]{1,3}",
        ".{0,6}",
        select(vec![
            "",
            " ",
            "a b",
            "a\nb",
            "\"\\\"",
            "//x",
            "#x",
            "\u{202e}x",
            "\u{7f}\u{85}\u{2028}",
            "%pop0",
            "@a",
            "->",
        ])
        .prop_map(str::to_owned),
    ]
    .boxed()
}

fn head() -> impl Strategy<Value = Module> {
    let link = (chip(), select(Link::ALL.to_vec()));
    let dead = (btree_set(global_pe(), 0..3), btree_set(link, 0..3));
    let machine = (1u16..14, 1u16..14, dead);
    let facts = vec(select(Fact::ALL), 0..12);
    (
        name(),
        name(),
        machine,
        1u32..,
        semantics(),
        (quantisation(), btree_map(name(), sends(), 0..3)),
        facts,
    )
        .prop_map(
            |(
                name,
                target,
                (width, height, (dead_pes, dead_links)),
                time_step_us,
                semantics,
                (quantisation, inputs),
                facts,
            )| {
                Module {
                    name,
                    machine: Machine {
                        dead_pes,
                        dead_links,
                        ..Machine::new(width, height)
                    },
                    time_step_us,
                    semantics,
                    quantisation,
                    inputs,
                    facts: FactSet::of(&facts),
                    ..Module::from_network(Network::default(), &target)
                }
            },
        )
}

fn positive() -> impl Strategy<Value = f64> {
    f64s::POSITIVE | f64s::NORMAL | f64s::SUBNORMAL
}

fn semantics() -> impl Strategy<Value = Semantics> {
    let first = (
        option::of(positive()),
        select(TimeUnit::ALL),
        select(Integrator::ALL),
        select(Reset::ALL),
        select(Compare::ALL),
        select(SpikeOn::ALL),
        select(Hold::ALL),
    );
    let second = (
        select(SynGain::ALL),
        select(SynDecay::ALL),
        select(IfGain::ALL),
        select(RecurrentBiasT0::ALL),
        select(Bias::ALL),
        select(VFloor::ALL),
        select(EdgeDelay::ALL),
    );
    (first, second).prop_map(|(a, b)| Semantics {
        dt: a.0,
        time_unit: a.1,
        integrator: a.2,
        reset: a.3,
        compare: a.4,
        spike_on: a.5,
        hold: a.6,
        syn_gain: b.0,
        syn_decay: b.1,
        if_gain: b.2,
        recurrent_bias_t0: b.3,
        bias: b.4,
        v_floor: b.5,
        edge_delay: b.6,
    })
}

fn quantisation() -> impl Strategy<Value = Quantisation> {
    (
        select(WeightMode::ALL),
        select(ScaleMode::ALL),
        select(Rounding::ALL),
        option::of(positive()),
        select(StateMode::ALL),
    )
        .prop_map(
            |(weights, scale, rounding, weight_scale, state)| Quantisation {
                weights,
                scale,
                rounding,
                weight_scale,
                state,
            },
        )
}

fn origin() -> BoxedStrategy<Origin> {
    let root = prop_oneof![
        (name(), name(), name()).prop_map(|(file, path, kind)| Origin::NirNode {
            file,
            path,
            kind
        }),
        (name(), any::<usize>()).prop_map(|(file, line)| Origin::Text { file, line }),
        name().prop_map(|file| Origin::File { file }),
        name().prop_map(|flag| Origin::Option { flag }),
        Just(Origin::Compiler),
    ];
    (root, vec(select(PASSES), 0..4))
        .prop_map(|(root, passes)| passes.into_iter().fold(root, |o, pass| o.derived(pass)))
        .boxed()
}

fn shape() -> BoxedStrategy<Shape> {
    vec(0usize..6, 0..4).prop_map(Shape).boxed()
}

/// Floats other than NaN, which equals nothing.
fn f64_value() -> impl Strategy<Value = f64> {
    let all = f64s::POSITIVE | f64s::NEGATIVE | f64s::NORMAL | f64s::SUBNORMAL;
    all | f64s::ZERO | f64s::INFINITE
}

fn f32_value() -> impl Strategy<Value = f32> {
    let all = f32s::POSITIVE | f32s::NEGATIVE | f32s::NORMAL | f32s::SUBNORMAL;
    all | f32s::ZERO | f32s::INFINITE
}

fn data(n: usize) -> impl Strategy<Value = Data> {
    prop_oneof![
        vec(f64_value(), n).prop_map(Data::F64),
        vec(f32_value(), n).prop_map(Data::F32),
        vec(any::<i8>(), n).prop_map(Data::I8),
        vec(any::<i16>(), n).prop_map(Data::I16),
        vec(any::<i32>(), n).prop_map(Data::I32),
    ]
}

fn tensor_of(shape: Shape) -> impl Strategy<Value = Tensor> {
    data(shape.len()).prop_map(move |data| {
        Tensor::new(shape.clone(), data).expect("as many elements as the shape has")
    })
}

fn tensor() -> BoxedStrategy<Tensor> {
    shape().prop_flat_map(tensor_of).boxed()
}

fn param(n: usize) -> BoxedStrategy<Param> {
    prop_oneof![
        f64_value().prop_map(Param::uniform),
        tensor_of(Shape::of(&[n])).prop_map(move |t| Param::new(t, n).expect("one an atom")),
    ]
    .boxed()
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![0usize..8, any::<usize>()]
}

fn pair() -> impl Strategy<Value = [usize; 2]> {
    [size(), size()]
}

fn padding() -> impl Strategy<Value = Padding> {
    prop_oneof![
        vec(size(), 0..4).prop_map(Padding::Zeros),
        Just(Padding::Same),
    ]
}

fn conv_op() -> BoxedStrategy<Op> {
    let arrays = || (tensor(), option::of(tensor()), padding(), size());
    prop_oneof![
        (arrays(), size(), size(), option::of(size())).prop_map(
            |((weight, bias, padding, groups), stride, dilation, input_shape)| Op::Conv1d {
                weight,
                bias,
                stride,
                padding,
                dilation,
                groups,
                input_shape,
            }
        ),
        (arrays(), pair(), pair(), option::of(pair())).prop_map(
            |((weight, bias, padding, groups), stride, dilation, input_shape)| Op::Conv2d {
                weight,
                bias,
                stride,
                padding,
                dilation,
                groups,
                input_shape,
            }
        ),
        (pair(), pair(), pair()).prop_map(|(kernel, stride, padding)| Op::SumPool2d {
            kernel,
            stride,
            padding,
        }),
        (pair(), pair(), pair()).prop_map(|(kernel, stride, padding)| Op::AvgPool2d {
            kernel,
            stride,
            padding,
        }),
    ]
    .boxed()
}

fn neuron_op() -> BoxedStrategy<Op> {
    let t = tensor;
    prop_oneof![
        (t(), t(), t(), t(), option::of(t())).prop_map(|(tau, r, v_leak, v_threshold, v_reset)| {
            Op::Lif {
                tau,
                r,
                v_leak,
                v_threshold,
                v_reset,
            }
        }),
        ((t(), t(), t(), t()), t(), option::of(t()), t()).prop_map(
            |((tau_syn, tau_mem, r, v_leak), v_threshold, v_reset, w_in)| Op::CubaLif {
                tau_syn,
                tau_mem,
                r,
                v_leak,
                v_threshold,
                v_reset,
                w_in,
            }
        ),
        (t(), t(), t()).prop_map(|(tau, r, v_leak)| Op::Li { tau, r, v_leak }),
        (t(), t(), t(), t(), t()).prop_map(|(tau_syn, tau_mem, r, v_leak, w_in)| Op::CubaLi {
            tau_syn,
            tau_mem,
            r,
            v_leak,
            w_in,
        }),
        t().prop_map(|r| Op::I { r }),
        (t(), t(), option::of(t())).prop_map(|(r, v_threshold, v_reset)| Op::If {
            r,
            v_threshold,
            v_reset
        }),
    ]
    .boxed()
}

fn op() -> impl Strategy<Value = Op> {
    let t = tensor;
    prop_oneof![
        1 => option::of(shape()).prop_map(|shape| Op::Input { shape }),
        1 => option::of(shape()).prop_map(|shape| Op::Output { shape }),
        1 => (t(), t()).prop_map(|(weight, bias)| Op::Affine { weight, bias }),
        1 => t().prop_map(|weight| Op::Linear { weight }),
        1 => t().prop_map(|scale| Op::Scale { scale }),
        1 => t().prop_map(|delay| Op::Delay { delay }),
        1 => t().prop_map(|threshold| Op::Threshold { threshold }),
        1 => (any::<i64>(), any::<i64>(), option::of(shape())).prop_map(
            |(start_dim, end_dim, input_type)| Op::Flatten {
                start_dim,
                end_dim,
                input_type
            }
        ),
        4 => conv_op(),
        6 => neuron_op(),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let shapes = (option::of(shape()), option::of(shape()));
    (name(), op(), shapes, origin()).prop_map(|(name, op, (in_shape, out_shape), origin)| Node {
        name,
        op,
        in_shape,
        out_shape,
        origin,
    })
}

fn network() -> BoxedStrategy<Network> {
    let edges = vec((any::<Index>(), any::<Index>()), 0..4);
    (name(), vec(node(), 0..4), edges)
        .prop_map(|(name, nodes, edges)| {
            let n = nodes.len();
            let edges = edges.into_iter().filter(|_| n > 0).map(|(from, to)| Edge {
                from: id(from, n),
                to: id(to, n),
            });
            Network {
                name,
                edges: edges.collect(),
                nodes: nodes.into_iter().collect(),
            }
        })
        .boxed()
}

fn id<I: Id>(index: Index, n: usize) -> I {
    I::from_index(index.index(n))
}

fn constant(n: usize) -> BoxedStrategy<Constant> {
    let later = btree_map(1u32.., param(n), 0..3);
    let entries = (param(n), later).prop_map(|(first, later)| {
        let entries = std::iter::once((0, first)).chain(later);
        Constant::new(entries.collect()).expect("ascending from 0")
    });
    prop_oneof![1 => Just(Constant::ZERO), 2 => entries].boxed()
}

fn reset(n: usize) -> impl Strategy<Value = ResetRule> {
    let p = move || param(n);
    prop_oneof![
        p().prop_map(ResetRule::To),
        p().prop_map(ResetRule::Subtract),
        p().prop_map(ResetRule::Pending),
        Just(ResetRule::Multi),
        Just(ResetRule::Keep),
    ]
}

fn fire(n: usize) -> BoxedStrategy<Fire> {
    (
        param(n),
        select(Compare::ALL),
        select(SpikeOn::ALL),
        reset(n),
        any::<bool>(),
        option::of(param(n)),
    )
        .prop_map(|(threshold, compare, judge, reset, hold, floor)| Fire {
            threshold,
            compare,
            judge,
            reset,
            hold,
            floor,
        })
        .boxed()
}

fn synapse(n: usize) -> BoxedStrategy<Synapse> {
    let unit = option::of(param(n));
    (param(n), any::<bool>(), constant(n), param(n), unit)
        .prop_map(|(decay, after, offset, drive, unit)| Synapse {
            decay,
            after,
            offset,
            drive,
            unit,
        })
        .boxed()
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::F32),
        (0..=ir::fixed_point::MAX_SHIFT).prop_map(|shift| State::Fixed { shift }),
    ]
}

fn neuron(n: usize) -> BoxedStrategy<Neuron> {
    let kind = || select(NeuronKind::ALL);
    let o = move || option::of(param(n));
    let membrane = prop_oneof![
        param(n).prop_map(Membrane::Leaky),
        Just(Membrane::Integrate),
        Just(Membrane::Fresh),
    ];
    let continuous = (
        (kind(), o(), o(), o()),
        (o(), o(), o(), o()),
        constant(n),
        any::<bool>(),
    );
    let discrete = (
        (kind(), option::of(synapse(n)), membrane),
        (param(n), constant(n)),
        (option::of(fire(n)), o(), state()),
    );
    prop_oneof![
        continuous.prop_map(|(first, second, bias, hold)| {
            let (kind, tau, tau_syn, w_in) = first;
            let (r, v_leak, v_threshold, v_reset) = second;
            Neuron::Continuous(ContinuousNeuron {
                kind,
                tau,
                tau_syn,
                w_in,
                r,
                v_leak,
                v_threshold,
                v_reset,
                bias,
                hold,
            })
        }),
        discrete.prop_map(|(first, (gain, offset), (fire, unit, state))| {
            let (kind, synapse, membrane) = first;
            Neuron::Discrete(DiscreteNeuron {
                kind,
                synapse,
                membrane,
                gain,
                offset,
                fire,
                unit,
                state,
            })
        }),
    ]
    .boxed()
}

fn sends() -> impl Strategy<Value = Sends> {
    prop_oneof![
        Just(Sends::Spikes),
        any::<u32>().prop_map(|max| Sends::Counts { max }),
        Just(Sends::Values),
    ]
}

/// Any order that fits the shape.
fn order(shape: &Shape) -> impl Strategy<Value = AtomOrder> + use<> {
    let blocked = (1..=8).map(|channels| AtomOrder::Blocked { channels });
    let all = std::iter::once(AtomOrder::RowMajor).chain(blocked);
    let fitting: Vec<AtomOrder> = all.filter(|o| o.fits(shape)).collect();
    select(fitting)
}

fn population() -> BoxedStrategy<Population> {
    shape()
        .prop_flat_map(|shape| {
            let model = prop_oneof![
                1 => Just(Model::SpikeSource),
                3 => neuron(shape.len()).prop_map(Model::Neuron),
            ];
            let timing = (any::<u32>(), any::<u32>()).prop_map(|(latency, active_from)| Timing {
                latency,
                active_from,
            });
            let observable = select(vec![Observable::Spikes, Observable::V, Observable::I]);
            let rest = (
                (sends(), order(&shape)),
                option::of(timing),
                option::of(select(vec![DType::I16, DType::I32])),
                vec(observable, 0..3),
            );
            (name(), Just(shape), model, rest, origin()).prop_map(
                |(name, shape, model, ((sends, order), timing, accumulator, record), origin)| {
                    Population {
                        name,
                        shape,
                        model,
                        sends,
                        order,
                        timing,
                        accumulator,
                        record,
                        origin,
                    }
                },
            )
        })
        .boxed()
}

fn conv() -> impl Strategy<Value = Conv> {
    let triple = || [size(), size(), size()];
    (triple(), triple(), pair(), pair(), pair(), pair()).prop_map(
        |(source, target, kernel, stride, padding, dilation)| Conv {
            source,
            target,
            kernel,
            stride,
            padding,
            dilation,
        },
    )
}

/// Synapses of a few sources, or of enough that they need blobs.
fn synapses() -> impl Strategy<Value = Synapses> {
    let target = prop_oneof![0u32..9, 0u32..1 << 26];
    let few = prop_oneof![0usize..5, 65usize..68];
    few.prop_flat_map(move |sources| vec(btree_set(target.clone(), 0..4), sources))
        .prop_map(|lists| {
            let mut starts = vec![0];
            let mut targets = Vec::new();
            for list in lists {
                targets.extend(list);
                starts.push(targets.len() as u32);
            }
            Synapses::new(starts, targets).expect("ascending sets")
        })
}

fn connector() -> BoxedStrategy<Connector> {
    prop_oneof![
        Just(Connector::Dense),
        conv().prop_map(Connector::Conv),
        synapses().prop_map(Connector::Sparse),
    ]
    .boxed()
}

fn projection(n: usize) -> impl Strategy<Value = Projection> {
    let ends = (any::<Index>(), any::<Index>());
    let lag = prop_oneof![0u32..3, any::<u32>()];
    let rest = (tensor(), option::of(any::<u32>()), lag, origin());
    (name(), ends, connector(), rest).prop_map(move |(name, (pre, post), connector, rest)| {
        let (weights, delay, lag, origin) = rest;
        Projection {
            name,
            pre: id(pre, n),
            post: id(post, n),
            connector,
            weights,
            delay,
            lag,
            origin,
        }
    })
}

fn app() -> BoxedStrategy<AppGraph> {
    vec(population(), 0..4)
        .prop_flat_map(|populations| {
            let n = populations.len();
            let most = if n == 0 { 1 } else { 4 };
            let output =
                (name(), any::<Index>(), origin()).prop_map(move |(name, source, origin)| {
                    OutputPort {
                        name,
                        source: id(source, n),
                        origin,
                    }
                });
            let ticks = prop_oneof![Just(1u32), 1u32..];
            (vec(projection(n), 0..most), vec(output, 0..most), ticks).prop_map(
                move |(projections, outputs, ticks_per_step)| AppGraph {
                    populations: populations.iter().cloned().collect(),
                    projections: projections.into_iter().collect(),
                    outputs,
                    ticks_per_step,
                },
            )
        })
        .boxed()
}

fn chip() -> impl Strategy<Value = ChipCoord> {
    (any::<u16>(), any::<u16>()).prop_map(|(x, y)| ChipCoord { x, y })
}

fn pe() -> impl Strategy<Value = PeCoord> {
    (0u8..8, 0u8..8, 0u8..4).prop_map(|(x, y, p)| PeCoord::new(x, y, p).expect("within the byte"))
}

fn global_pe() -> impl Strategy<Value = GlobalPe> {
    (chip(), pe()).prop_map(|(chip, pe)| GlobalPe { chip, pe })
}

fn key_mask() -> impl Strategy<Value = KeyMask> {
    (any::<u32>(), any::<u32>())
        .prop_map(|(key, mask)| KeyMask::new(key & mask, mask).expect("within the mask"))
}

fn targets() -> impl Strategy<Value = Targets> {
    (
        btree_set(select(Link::ALL.to_vec()), 0..3),
        btree_set(pe(), 0..3),
    )
        .prop_map(|(links, pes)| Targets { links, pes })
}

fn tree() -> impl Strategy<Value = RoutingTree> {
    (chip(), btree_map(chip(), targets(), 0..3)).prop_map(|(root, hops)| RoutingTree { root, hops })
}

fn ids<I: Id>(n: usize) -> impl Strategy<Value = Vec<I>> {
    let most = if n == 0 { 1 } else { 4 };
    vec(any::<Index>(), 0..most)
        .prop_map(move |picks| picks.into_iter().map(|p| id(p, n)).collect())
}

fn entry(nets: usize) -> impl Strategy<Value = RoutingEntry> {
    (key_mask(), targets(), ids(nets)).prop_map(|(key, targets, nets)| RoutingEntry {
        key,
        targets,
        nets,
    })
}

fn machine_graph(populations: usize, projections: usize) -> impl Strategy<Value = MachineGraph> {
    let line = || 0u32..1 << 30;
    let budget = (line(), line(), line(), line(), any::<u64>()).prop_map(
        |(text, data, state, rows, cycles)| Budget {
            text,
            data,
            state,
            rows,
            cycles,
        },
    );
    let slice = (any::<u32>(), any::<u32>()).prop_map(|(lo, n)| AtomSlice { lo, n });
    let array = ids(projections);
    let vertex = (any::<Index>(), slice, budget, array).prop_map(
        move |(population, slice, budget, array)| MachineVertex {
            population: id(population, populations),
            slice,
            budget,
            array,
        },
    );
    let most = if populations == 0 { 1 } else { 5 };
    vec(vertex, 0..most).prop_flat_map(move |vertices| {
        let n = vertices.len();
        let net = (any::<Index>(), ids(n), ids(projections)).prop_map(
            move |(source, sinks, projections)| Net {
                source: id(source, n),
                sinks,
                projections,
            },
        );
        let vertices: IdVec<VertexId, MachineVertex> = vertices.into_iter().collect();
        let most = if n == 0 { 1 } else { 4 };
        vec(net, 0..most).prop_map(move |nets| MachineGraph {
            vertices: vertices.clone(),
            nets: nets.into_iter().collect(),
        })
    })
}

fn layout(projections: usize, vertices: usize) -> impl Strategy<Value = MemoryLayout> {
    let named = (any::<Index>(), any::<Index>(), 0..5).prop_map(move |(p, source, which)| {
        let source = id(source, vertices);
        match which {
            0 => RegionKind::Values { source },
            _ if projections == 0 => RegionKind::Stack,
            3 => RegionKind::Matrix {
                projection: id(p, projections),
            },
            4 => RegionKind::Counts {
                projection: id(p, projections),
            },
            1 => RegionKind::Kernel {
                projection: id(p, projections),
            },
            _ => RegionKind::Rows {
                projection: id(p, projections),
                source,
            },
        }
    });
    let late = (any::<bool>(), any::<u32>())
        .prop_map(|(synapse, entry)| RegionKind::LateOffset { synapse, entry });
    let plain = select(vec![
        RegionKind::Text,
        RegionKind::Control,
        RegionKind::Decay,
        RegionKind::Offset,
        RegionKind::Threshold,
        RegionKind::Reset,
        RegionKind::SynDecay,
        RegionKind::SynOffset,
        RegionKind::Floor,
        RegionKind::Unit,
        RegionKind::V,
        RegionKind::I,
        RegionKind::Pending,
        RegionKind::Accumulators,
        RegionKind::Touched,
        RegionKind::Currents,
        RegionKind::Product,
        RegionKind::Lists,
        RegionKind::Ring,
        RegionKind::Events,
        RegionKind::SpikeRecord,
        RegionKind::Stack,
    ]);
    let kind = prop_oneof![plain, named, late];
    let region = (kind, 0u32..1 << 31, 0u32..1 << 31);
    let region = region.prop_map(|(kind, addr, bytes)| Region { kind, addr, bytes });
    vec(region, 0..4).prop_map(|regions| MemoryLayout { regions })
}

/// A table with a line for some of `n` subjects.
fn map_of<I: Id, T: std::fmt::Debug>(
    n: usize,
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = std::collections::BTreeMap<I, T>> {
    let most = if n == 0 { 1 } else { 4 };
    vec((any::<Index>(), value), 0..most)
        .prop_map(move |picks| picks.into_iter().map(|(k, v)| (id(k, n), v)).collect())
}
