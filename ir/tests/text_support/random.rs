//! Random modules that use every construct of the IR. Their ids are in range;
//! beyond that they need not make sense.

use ir::app::{AppGraph, Connector, Model, OutputPort, Population, Projection, Timing};
use ir::id::{Id, IdVec};
use ir::machine::Machine;
use ir::machine_graph::{AtomSlice, Budget, MachineGraph, MachineVertex, Net};
use ir::memory::{MemoryLayout, Region, RegionKind};
use ir::network::{Edge, Network, Node, Op};
use ir::neuron::{ContinuousNeuron, DiscreteNeuron, Neuron, NeuronKind, Param, ResetRule};
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
fn name() -> impl Strategy<Value = String> {
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
}

fn head() -> impl Strategy<Value = Module> {
    let machine = (1u16..4, 1u16..4, btree_set(global_pe(), 0..3));
    let facts = vec(select(Fact::ALL), 0..12);
    (
        name(),
        name(),
        machine,
        1u32..,
        semantics(),
        quantisation(),
        facts,
    )
        .prop_map(
            |(
                name,
                target,
                (width, height, dead_pes),
                time_step_us,
                semantics,
                quantisation,
                facts,
            )| {
                Module {
                    name,
                    machine: Machine {
                        dead_pes,
                        ..Machine::new(width, height)
                    },
                    time_step_us,
                    semantics,
                    quantisation,
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
    )
        .prop_map(|(weights, scale, rounding, weight_scale)| Quantisation {
            weights,
            scale,
            rounding,
            weight_scale,
        })
}

fn origin() -> impl Strategy<Value = Origin> {
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
}

fn shape() -> impl Strategy<Value = Shape> {
    vec(0usize..6, 0..4).prop_map(Shape)
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

fn tensor() -> impl Strategy<Value = Tensor> {
    shape().prop_flat_map(tensor_of)
}

fn param(n: usize) -> impl Strategy<Value = Param> {
    prop_oneof![
        f64_value().prop_map(Param::uniform),
        tensor_of(Shape::of(&[n])).prop_map(move |t| Param::new(t, n).expect("one an atom")),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let t = tensor;
    prop_oneof![
        option::of(shape()).prop_map(|shape| Op::Input { shape }),
        option::of(shape()).prop_map(|shape| Op::Output { shape }),
        (t(), t()).prop_map(|(weight, bias)| Op::Affine { weight, bias }),
        t().prop_map(|weight| Op::Linear { weight }),
        t().prop_map(|scale| Op::Scale { scale }),
        (any::<i64>(), any::<i64>(), option::of(shape())).prop_map(
            |(start_dim, end_dim, input_type)| Op::Flatten {
                start_dim,
                end_dim,
                input_type
            }
        ),
        (t(), t(), t(), t(), option::of(t())).prop_map(|(tau, r, v_leak, v_threshold, v_reset)| {
            Op::Lif {
                tau,
                r,
                v_leak,
                v_threshold,
                v_reset,
            }
        }),
        (t(), t(), option::of(t())).prop_map(|(r, v_threshold, v_reset)| Op::If {
            r,
            v_threshold,
            v_reset
        }),
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

fn network() -> impl Strategy<Value = Network> {
    let edges = vec((any::<Index>(), any::<Index>()), 0..4);
    (name(), vec(node(), 0..4), edges).prop_map(|(name, nodes, edges)| {
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
}

fn id<I: Id>(index: Index, n: usize) -> I {
    I::from_index(index.index(n))
}

fn neuron(n: usize) -> impl Strategy<Value = Neuron> {
    let kind = || select(vec![NeuronKind::Lif, NeuronKind::If]);
    let p = move || param(n);
    let o = move || option::of(param(n));
    let reset = prop_oneof![
        p().prop_map(ResetRule::To),
        p().prop_map(ResetRule::Subtract),
        Just(ResetRule::Keep),
    ];
    prop_oneof![
        (kind(), o(), p(), o(), p(), p(), p()).prop_map(
            |(kind, tau, r, v_leak, v_threshold, v_reset, bias)| {
                Neuron::Continuous(ContinuousNeuron {
                    kind,
                    tau,
                    r,
                    v_leak,
                    v_threshold,
                    v_reset,
                    bias,
                })
            }
        ),
        (kind(), o(), p(), o(), p(), reset, select(Compare::ALL), o()).prop_map(
            |(kind, decay, gain, offset, threshold, reset, compare, unit)| {
                Neuron::Discrete(DiscreteNeuron {
                    kind,
                    decay,
                    gain,
                    offset,
                    threshold,
                    reset,
                    compare,
                    unit,
                })
            }
        ),
    ]
}

fn population() -> impl Strategy<Value = Population> {
    shape().prop_flat_map(|shape| {
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
            option::of(timing),
            option::of(select(vec![DType::I16, DType::I32])),
            vec(observable, 0..3),
        );
        (name(), Just(shape), model, rest, origin()).prop_map(
            |(name, shape, model, (timing, accumulator, record), origin)| Population {
                name,
                shape,
                model,
                timing,
                accumulator,
                record,
                origin,
            },
        )
    })
}

fn projection(n: usize) -> impl Strategy<Value = Projection> {
    let ends = (any::<Index>(), any::<Index>());
    let rest = (tensor(), option::of(any::<u32>()), any::<bool>(), origin());
    (name(), ends, rest).prop_map(move |(name, (pre, post), rest)| {
        let (weights, delay, previous_step, origin) = rest;
        Projection {
            name,
            pre: id(pre, n),
            post: id(post, n),
            connector: Connector::Dense,
            weights,
            delay,
            previous_step,
            origin,
        }
    })
}

fn app() -> impl Strategy<Value = AppGraph> {
    vec(population(), 0..4).prop_flat_map(|populations| {
        let n = populations.len();
        let most = if n == 0 { 1 } else { 4 };
        let output =
            (name(), any::<Index>(), origin()).prop_map(move |(name, source, origin)| OutputPort {
                name,
                source: id(source, n),
                origin,
            });
        (vec(projection(n), 0..most), vec(output, 0..most)).prop_map(
            move |(projections, outputs)| AppGraph {
                populations: populations.iter().cloned().collect(),
                projections: projections.into_iter().collect(),
                outputs,
            },
        )
    })
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
    let vertex = (any::<Index>(), slice, budget).prop_map(move |(population, slice, budget)| {
        MachineVertex {
            population: id(population, populations),
            slice,
            budget,
        }
    });
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
    let rows =
        (any::<Index>(), any::<Index>()).prop_map(move |(projection, source)| match projections {
            0 => RegionKind::Stack,
            _ => RegionKind::Rows {
                projection: id(projection, projections),
                source: id(source, vertices),
            },
        });
    let plain = select(vec![
        RegionKind::Text,
        RegionKind::Control,
        RegionKind::Decay,
        RegionKind::Offset,
        RegionKind::Threshold,
        RegionKind::Reset,
        RegionKind::V,
        RegionKind::Accumulators,
        RegionKind::Ring,
        RegionKind::Events,
        RegionKind::SpikeRecord,
        RegionKind::Stack,
    ]);
    let kind = prop_oneof![plain, rows];
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
