//! Every diagnostic code, declared once: its id, its name and the text that
//! `s2c explain` prints.

macro_rules! codes {
    ($($name:ident $id:literal $title:literal $text:literal;)*) => {
        /// What kind of problem a diagnostic reports.
        ///
        /// E01 files, E02 NIR graph, E03 meaning and options, E04 IR text and
        /// verifier, E05 mapping, E06 code generation, E07 bundle, E08 run and
        /// inputs, E09 usage; W warnings.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $title] $name,)* }

        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];
            /// The stable id, such as `E0201`.
            pub fn id(self) -> &'static str {
                match self { $(Code::$name => $id,)* }
            }
            /// One line.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }
            /// Longer help, as `s2c explain` prints it.
            pub fn text(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }
            pub fn from_id(id: &str) -> Option<Code> {
                Self::ALL.iter().copied().find(|c| c.id().eq_ignore_ascii_case(id))
            }
        }
    };
}

codes! {
    NotHdf5 "E0101" "the file is not an HDF5 file"
        "A .nir file is an HDF5 container. The message says what the first bytes look like instead (a torch zip, a Git LFS pointer, text). Export the network again with nir.write.";
    Hdf5Damaged "E0102" "the HDF5 structure is damaged or unsupported"
        "The container could be opened but a part of it could not be read. Copy the file again, or re-export it; LZF and szip compression are named explicitly when they are the cause.";
    Hdf5Limit "E0103" "the file exceeds a reader limit"
        "To be safe against hostile files the reader bounds nesting depth, the number of objects and the bytes that a dataset may claim. The message shows the limit and what the file asked for.";
    FileAccess "E0104" "a file could not be read or written"
        "The operating system refused the access; the message carries its reason.";
    NirMissing "E0201" "a NIR node lacks something it needs"
        "A dataset or group that the node type requires is absent. The message names the node, the type and the missing part.";
    NirType "E0202" "a NIR value has the wrong type"
        "A dataset holds another kind of value than the node type needs (text where numbers are expected, for example).";
    NirUnsupported "E0203" "this NIR node type is not supported"
        "The node type is unknown, or known to NIR but not lowered by this version. The message names node and type.";
    NirLayout "E0204" "this is an old NIR layout"
        "Files written by nir before 0.1.0 keep nodes by index and edges as integers. What can be read is read; the rest is named here. Re-export with a newer nir.";
    NirEdge "E0205" "an edge names a node that does not exist"
        "Both ends of each edge must be nodes of the same graph.";
    NirDuplicateEdge "W0206" "an edge occurs twice"
        "snnTorch and Spyx drop duplicates; so does s2c, with this warning. With --duplicate-edges sum the value counts as often as the edge occurs.";
    NirEdgeRepaired "W0207" "an edge was attached to the node it must mean"
        "An exporter renamed a node, or flattened a nested graph, without changing the edges. The message names the edge as it is in the file and as it was taken. --strict refuses it.";
    NirPortAdded "W0208" "the graph lacked an Input or Output"
        "A graph without Input nodes gets one, input_<node>, for each node without predecessors, one without Output nodes output_<node> for each node without successors, as nir does in memory. --strict refuses it.";
    NirDefault "W0209" "an absent parameter has its usual value"
        "The node type needs the parameter, but every framework gives it the same value when it is left out. --strict refuses it.";
    NirInteger "W0210" "parameters hold integers"
        "Time constants, thresholds or weights are stored as integers; they are taken as real numbers. --strict refuses it.";
    Shape "E0301" "shapes do not agree"
        "What a node produces and what the next node accepts have different shapes; the message shows both and the arithmetic.";
    ShapeUnknown "E0302" "a shape cannot be derived"
        "Neither the node nor its neighbours say how many values it carries. Write input_type/shape into the file.";
    AlgebraicLoop "E0303" "a cycle holds no neuron"
        "A cycle through stateless nodes only has no defined value. The cycle is printed; put a neuron or a Delay into it.";
    DtMissing "E0304" "the time step of the network is not known"
        "NIR files give time constants but no dt. Pass --dt SECONDS (or a profile that fixes it). The message names a plausible value.";
    DtImplausible "W0305" "dt does not fit the time constants"
        "dt/tau lies outside (0, 1): the time unit or dt is probably wrong (--dt, --time-unit).";
    OptionUnused "W0306" "an option has no effect on this graph"
        "The graph has nothing that the option could change.";
    OptionUnsupported "E0307" "this option is not available on the chip yet"
        "The golden interpreter knows the option; code for the chip does not exist yet.";
    BadParameter "E0308" "a parameter has an impossible value"
        "A time constant that is not positive, a value that is not finite, or a size that does not match.";
    NoInputs "E0309" "the network has no input or no output"
        "A graph needs at least one Input and one Output node.";
    GraphUnsupported "E0310" "this graph cannot be mapped yet"
        "The graph is legal and the golden interpreter runs it, but the chip path does not take this construction yet; the message names it.";
    NoUpdate "W0311" "a part of the network does not act"
        "For example a population whose threshold no input can reach, weights that are all zero, or a population that sent no spike in a whole run.";
    ShapeLoose "W0312" "shapes differ but hold the same number of values"
        "The two ends of an edge, or a port and its neighbour, write the same values in different shapes (a dimension of size 1, batch or time in front, a missing Flatten). The values are connected in C order; write equal shapes into the file to be sure.";
    Broadcast "W0313" "parameters stand for several neurons"
        "NIR asks for one parameter value per neuron. Parameters of one value are taken for all neurons of the node; dimensions of size 1 repeat as in numpy. --strict refuses it.";
    InputShape "W0314" "a stated input size is missing or ignored"
        "Convolutions and Flatten nodes may state the shape of their input. What arrives counts: it fills in what is missing and outranks what the file says, since NIR's own type inference is wrong behind kernels that are not square. --strict refuses it.";
    TextSyntax "E0401" "the IR text does not parse"
        "The line is shown with what was expected.";
    TextVersion "E0402" "the IR text has another version"
        "The first line must be `s2ir 1 \"name\"`.";
    TextBlob "E0403" "an array beside the IR text is missing or altered"
        "Large arrays live beside the text, named by their SHA-256; the file is absent or its contents have another hash.";
    Verify "E0404" "the module breaks an invariant"
        "The verifier found a contradiction in the module. In a file that you wrote, the message shows which line; after a pass it is a bug in s2c.";
    PassOrder "E0405" "the passes are in an order that cannot work"
        "A pass needs facts that no earlier pass establishes; the message lists them and who provides them.";
    PassUnknown "E0406" "there is no such pass"
        "`s2c passes` lists the passes.";
    DoesNotFit "E0501" "the network does not fit"
        "Memory or PEs run out; the message shows the arithmetic and what would help.";
    TooSlow "W0502" "a time step is estimated to miss its deadline"
        "The slowest PE needs more cycles than one tick has. Use a longer --time-step or fewer atoms per core.";
    KeysExhausted "E0503" "the 32-bit key space is exhausted"
        "Each population slice takes a power-of-two block of keys.";
    TableFull "E0504" "a routing table is full"
        "A chip's router holds 16,384 entries.";
    Infeasible "E0505" "a timing constraint cannot be met by pipelining"
        "A chip spike acts one tick after it is sent, so a cycle needs as many ticks as it has populations. With --schedule auto or phased a network step takes several ticks; the message names the cycle.";
    QuantiseSaturated "W0506" "weights were saturated"
        "A fixed --weight-scale pushed weights beyond the integer range.";
    KernelImpossible "E0507" "a projection cannot run on the kernel that was asked for"
        "--kernels mac puts every dense projection of spikes on the MAC array. The array takes int8 and int16 weights, sums within its accumulators, and memory for a byte a source atom; the message shows what is beyond that. --kernels auto decides for each slice.";
    StateUnfit "E0508" "a population cannot keep its state in fixed point"
        "--state fixed keeps membranes and currents as int32. That needs decays from -1 to 1, inputs of spikes or counts, and a bound: with d the decay, x the largest input of a step and b the largest offset, a membrane stays within (x + b) / (1 - d). The message shows what is beyond it. --state f32 has no such limit.";
    CodegenLimit "E0601" "a kernel cannot be generated"
        "A constant or size is out of the range that the kernel can hold.";
    BundleInvalid "E0701" "the bundle is not usable"
        "The folder is not a bundle, was made by another version, for another target, or a file does not match its checksum.";
    OutputExists "E0702" "the output folder exists and is not a bundle"
        "s2c only replaces folders that hold a bundle.json of its own.";
    InputData "E0801" "the input data does not fit the network"
        "Names, shapes or values of the input file do not match; the message shows expected and found.";
    InputValue "E0802" "an input value is not one that the inputs were compiled for"
        "Plain spikes are 0 or 1. Counts need --max-count K, real values --real-inputs, both when compiling; s2c check takes them from the data. The message names sample, step and index.";
    InputWindow "E0803" "a tick has more input events than its region holds"
        "The message shows the arithmetic.";
    GuestFault "E0804" "the emulated program faulted"
        "The message gives PE, pc, symbol and cycle.";
    FuelExhausted "E0805" "a PE did not finish its tick"
        "The program ran far beyond its time step without going to sleep.";
    MissedDeadline "W0806" "a deadline was missed"
        "A PE was still busy when its next tick began.";
    RingOverflow "W0807" "packets were lost at a full receive ring"
        "More spikes arrived than the ring holds.";
    UnmatchedKey "W0808" "packets matched no routing entry"
        "The router dropped packets whose key no entry matches.";
    RecordUnknown "E0809" "there is no such node to record"
        "Use the flat node name, or the nested path joined by dots.";
    NothingCompared "E0810" "nothing could be compared"
        "The reference holds no array that belongs to an output of the network.";
    LimitFailed "E0811" "a limit given by the user was not kept"
        "See --min-agreement, --max-accuracy-drop, --deny, --tol.";
    NotExact "E0812" "the emulated chip differs from the fixed reference"
        "The reference computes what the generated code must compute, bit for bit. Lost packets and missed deadlines explain a difference; anything else is a bug in s2c.";
    ExpectDiffers "E0813" "golden differs from the reference arrays"
        "With the profile, dt and reset of the framework that made the arrays there is no difference; --tol allows one.";
    HostMemory "E0814" "the host has no memory for the emulated machine"
        "The program wrote to more DRAM than the host can hold or the emulator allows.";
    PacketsLost "W0815" "packets were lost between PEs"
        "A link is dead or leads to no chip with a routing table, tables lead in circles, or more packets were under way than any buffer holds. The message says which; the report counts them.";
    Injected "W0822" "faults were injected on purpose"
        "s2c run --inject lets packets vanish, PEs stop, bits flip or the host be late. What the run shows is what the network makes of that, not what it computes on a sound machine.";
    MacArray "W0820" "the MAC array did not compute what was meant"
        "An accumulator overflowed, a result did not fit its width, or the array refused to start. The message says how often and on which PE.";
    TraceLimit "W0823" "a trace is not complete"
        "There were more events than --trace-limit allows; each traced PE has the same share of it.";
    TransferRefused "W0821" "a block transfer was refused"
        "A transfer broke a rule of the DMA or of DRAM and moved nothing. The message says how often, on which PE, and why.";
    Usage "E0901" "the command line is wrong"
        "An option, a value or a combination of them is not accepted; `s2c COMMAND --help` lists what is.";
    Internal "E9999" "internal error"
        "A bug in s2c: an invariant that the compiler promises itself does not hold.";
}
