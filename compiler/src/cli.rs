//! The command line: what may be typed, with the help texts. What it means is
//! decided in [`crate::options`].

use crate::level::LevelArg;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use ir::semantics as s;
use runtime_sim::cpu::Engine;
use std::path::PathBuf;
use std::str::FromStr;

/// Compiles trained spiking networks to SpiNNaker2 programs and emulates them.
#[derive(Debug, Parser)]
#[command(
    name = "s2c",
    bin_name = "s2c",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 success; 1 the input has errors or a limit fails; 2 usage or IO; \
                  70 internal error."
)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compile a network to a bundle: an ELF file per PE and a routing table per chip
    Compile(CompileArgs),
    /// Emulate a bundle on recorded inputs
    Run(RunArgs),
    /// Compile, emulate, run the float64 reference, and compare them
    Check(CheckArgs),
    /// Run the float64 reference alone
    Golden(GoldenArgs),
    /// Run named passes on IR text
    Opt(OptArgs),
    /// Show what is inside a network or a bundle (never needs --dt)
    Inspect(InspectArgs),
    /// List the compiler passes with the facts they need and establish
    Passes,
    /// Explain a diagnostic code such as E0304
    Explain(ExplainArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

impl Command {
    pub fn name(&self) -> &'static str {
        match self {
            Command::Compile(_) => "compile",
            Command::Run(_) => "run",
            Command::Check(_) => "check",
            Command::Golden(_) => "golden",
            Command::Opt(_) => "opt",
            Command::Inspect(_) => "inspect",
            Command::Passes => "passes",
            Command::Explain(_) => "explain",
            Command::Completions(_) => "completions",
        }
    }
}

const EVERYWHERE: &str = "General options";
const LOWERING: &str = "Meaning of the network (each overrides --profile)";
const MAPPING: &str = "Mapping options";
const READING: &str = "Reading the network";
const INPUT: &str = "Input data";
const TRACE: &str = "Tracing";

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = EVERYWHERE)]
pub struct Common {
    /// Print intermediate results to stdout
    #[arg(long, global = true, value_name = "KIND", value_delimiter = ',')]
    pub emit: Vec<EmitKind>,
    /// Stop after this pass and print the IR text
    #[arg(long, global = true, value_name = "PASS")]
    pub stop_after: Option<String>,
    /// Print the IR text to stderr before these passes
    #[arg(
        long,
        global = true,
        value_name = "PASS|all",
        value_delimiter = ',',
        num_args = 1
    )]
    pub print_before: Vec<String>,
    /// Print the IR text to stderr after these passes
    #[arg(
        long,
        global = true,
        value_name = "PASS|all",
        value_delimiter = ',',
        num_args = 1
    )]
    pub print_after: Vec<String>,
    /// Verify the module after every pass
    #[arg(long, global = true)]
    pub verify_each: bool,
    /// Print the time that each pass took to stderr
    #[arg(long, global = true)]
    pub time_passes: bool,
    /// Write a Makefile rule that names the files that were read
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub depfile: Option<PathBuf>,
    /// Form of the diagnostics on stderr
    #[arg(
        long,
        global = true,
        value_name = "FORM",
        value_enum,
        default_value = "human"
    )]
    pub message_format: MessageFormat,
    /// Print errors only: no warnings, no progress, no summary
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Colour of the diagnostics
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value = "auto"
    )]
    pub color: ColorChoice,
    /// Host threads [default: one per processor]; never changes a result
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// How the emulator executes programs; never changes a result
    #[arg(
        long,
        global = true,
        value_name = "HOW",
        value_enum,
        default_value = "auto"
    )]
    pub engine: EngineChoice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// Hot code is translated to host code, the rest interpreted
    Auto,
    /// Instruction by instruction
    Interpreter,
    /// Everything is translated when it is first executed
    Translator,
}

impl EngineChoice {
    pub fn engine(self) -> Engine {
        match self {
            Self::Auto => Engine::Auto,
            Self::Interpreter => Engine::Interpreter,
            Self::Translator => Engine::Translator,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum EmitKind {
    /// Populations and projections
    App,
    /// Vertices and nets
    Machine,
    /// Which PE each vertex is on
    Places,
    /// Keys and routing trees
    Routes,
    /// Routing tables
    Tables,
    /// Thumb-2 listing of every PE
    Asm,
    /// Cranelift IR of the kernels
    Clif,
    /// Segments and symbols of the ELF files
    Elf,
    /// Host-runner description (not available yet)
    Spec,
    /// The report for people
    Report,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MessageFormat {
    Human,
    /// One JSON object a line
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    Auto,
    Always,
    Never,
}

/// A parser for one of the named choices of `ir::semantics`.
fn choice<T>(names: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

macro_rules! choices {
    ($type:ty) => {
        choice::<$type>(<$type>::ALL.iter().map(|v| v.name()))
    };
}

/// A finite number above 0.
fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(v) if v.is_finite() && v > 0.0 => Ok(v),
        Ok(_) => Err("must be finite and above 0".to_owned()),
        Err(_) => Err("is not a number".to_owned()),
    }
}

/// A finite number.
fn finite(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(v) if v.is_finite() => Ok(v),
        Ok(_) => Err("must be finite".to_owned()),
        Err(_) => Err("is not a number".to_owned()),
    }
}

/// A number between 0 and 1.
fn fraction(text: &str) -> Result<f64, String> {
    match finite(text) {
        Ok(v) if (0.0..=1.0).contains(&v) => Ok(v),
        Ok(_) => Err("must be between 0 and 1".to_owned()),
        Err(e) => Err(e),
    }
}

/// A finite number that is not negative.
fn not_negative(text: &str) -> Result<f64, String> {
    match finite(text) {
        Ok(v) if v >= 0.0 => Ok(v),
        Ok(_) => Err("must not be negative".to_owned()),
        Err(e) => Err(e),
    }
}

/// The choices that a network file leaves open.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = LOWERING)]
pub struct LoweringArgs {
    /// A framework's bundle of choices [default: nir]
    #[arg(long, value_name = "NAME", value_parser = choices!(s::Profile))]
    pub profile: Option<s::Profile>,
    /// Seconds per network step; needed if the graph has time constants
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    pub dt: Option<f64>,
    /// Unit of the time constants in the file
    #[arg(long, value_name = "UNIT", value_parser = choices!(s::TimeUnit))]
    pub time_unit: Option<s::TimeUnit>,
    /// How decay and gain follow from dt/tau
    #[arg(long, value_name = "RULE", value_parser = choices!(s::Integrator))]
    pub integrator: Option<s::Integrator>,
    /// What a spike does to the membrane
    #[arg(long, value_name = "RULE", value_parser = choices!(s::Reset))]
    pub reset: Option<s::Reset>,
    /// Spike if v > threshold (gt) or v >= threshold (ge)
    #[arg(long, value_name = "HOW", value_parser = choices!(s::Compare))]
    pub compare: Option<s::Compare>,
    /// State that decides about a spike: after or before this step's update
    #[arg(long, value_name = "STATE", value_parser = choices!(s::SpikeOn))]
    pub spike_on: Option<s::SpikeOn>,
    /// Force v to the reset value in the step after a spike
    #[arg(long, value_name = "WHEN", value_parser = choices!(s::Hold))]
    pub hold_after_spike: Option<s::Hold>,
    /// Synaptic gain: w_in*dt/tau_syn as the file says, or 1
    #[arg(long, value_name = "GAIN", value_parser = choices!(s::SynGain))]
    pub syn_gain: Option<s::SynGain>,
    /// Synaptic current decays before or after the input is added
    #[arg(long, value_name = "WHEN", value_parser = choices!(s::SynDecay))]
    pub syn_decay: Option<s::SynDecay>,
    /// Gain of IF neurons: v += dt*r*x (dt) or v += r*x (unit)
    #[arg(long, value_name = "GAIN", value_parser = choices!(s::IfGain))]
    pub if_gain: Option<s::IfGain>,
    /// Whether biases on recurrent paths act in step 0
    #[arg(long, value_name = "on|off", value_parser = choices!(s::RecurrentBiasT0), hide_possible_values = true)]
    pub recurrent_bias_t0: Option<s::RecurrentBiasT0>,
    /// Biases enter through the synapse or as a constant membrane offset
    #[arg(long, value_name = "WHERE", value_parser = choices!(s::Bias))]
    pub bias: Option<s::Bias>,
    /// Lower bound of the IF membrane
    #[arg(long, value_name = "BOUND", value_parser = choices!(s::VFloor))]
    pub v_floor: Option<s::VFloor>,
    /// Whether every projection and the input cost one step, as semantics
    #[arg(long, value_name = "DELAY", value_parser = choices!(s::EdgeDelay))]
    pub edge_delay: Option<s::EdgeDelay>,
    /// Integer type of the weights
    #[arg(long, value_name = "TYPE", value_parser = choices!(s::WeightMode))]
    pub weights: Option<s::WeightMode>,
    /// One weight scale per target neuron or per population
    #[arg(long, value_name = "PER", value_parser = choices!(s::ScaleMode))]
    pub scale: Option<s::ScaleMode>,
    /// How weights become integers
    #[arg(long, value_name = "HOW", value_parser = choices!(s::Rounding))]
    pub rounding: Option<s::Rounding>,
    /// Integer steps per unit of weight, in place of the derived scale
    #[arg(long, value_name = "X", value_parser = positive)]
    pub weight_scale: Option<f64>,
    /// How neurons keep their state: float32, or int32 fixed point
    #[arg(long, value_name = "STATE", value_parser = choices!(s::StateMode))]
    pub state: Option<s::StateMode>,
}

/// How the network is laid on the machine.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = MAPPING)]
pub struct MappingArgs {
    /// Chip description: a built-in name or a TOML file
    #[arg(long, value_name = "FILE|NAME", default_value = "spinnaker2")]
    pub target: String,
    /// Length of a network step on the chip in microseconds [default: 1000]
    #[arg(long, value_name = "US", value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    pub time_step: Option<u32>,
    /// Size of the machine in chips: 8x8 is a 48-chip board, multiples of 12x12 are
    /// boards in triads, other sizes rectangles [default: 1x1]
    #[arg(long, value_name = "WxH")]
    pub chips: Option<String>,
    /// A PE that must not be used: QX,QY,P or CX,CY:QX,QY,P; may be repeated
    #[arg(long, value_name = "PE")]
    pub dead_pe: Vec<String>,
    /// A link between chips that must not be used: CX,CY:E, NE, N, W, SW or S; may be
    /// repeated
    #[arg(long, value_name = "LINK")]
    pub dead_link: Vec<String>,
    /// Most neurons of a population on one PE; may be repeated
    #[arg(long, value_name = "POP=N")]
    pub atoms_per_core: Vec<String>,
    /// Inputs that golden runs to see how often each population sends: .npz, .npy, .nird
    /// [default: the target's planning activity]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub calibrate: Option<PathBuf>,
    /// Cut by the cycles of the emitted code: the slowest PE of a step as fast as the PEs
    /// allow; as few PEs as keep the deadline; or PEs that take the low level wherever
    /// the deadline allows [default: few PEs, by estimates]
    #[arg(long, value_name = "GOAL", value_enum)]
    pub optimise: Option<Optimise>,
    /// How spikes through dense projections are added up: row by row, as a product on the
    /// MAC array (all of them, or an error says why not), or in each slice by what takes
    /// fewer cycles for the activity [default: auto]
    #[arg(long, value_name = "HOW", value_enum)]
    pub kernels: Option<KernelChoice>,
    /// How network steps map to ticks: one tick a step, a step split into phases, or
    /// the fewest ticks that keep the graph exact [default: auto]
    #[arg(long, value_name = "KIND", value_parser = choices!(s::Schedule))]
    pub schedule: Option<s::Schedule>,
    /// Seed of every random choice of the compiler, and of the noise that programs read
    /// from the emulated chip's true random bus
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// How dense projections are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KernelChoice {
    Auto,
    Rows,
    Mac,
}

impl KernelChoice {
    pub fn kernels(self) -> passes::Kernels {
        match self {
            Self::Auto => passes::Kernels::Auto,
            Self::Rows => passes::Kernels::Rows,
            Self::Mac => passes::Kernels::Mac,
        }
    }
}

/// What a cut is to be good at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Optimise {
    Latency,
    Energy,
    Pes,
}

impl Optimise {
    pub fn goal(self) -> passes::Goal {
        match self {
            Self::Latency => passes::Goal::Latency,
            Self::Energy => passes::Goal::Energy,
            Self::Pes => passes::Goal::Pes,
        }
    }
}

/// What the Inputs carry.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = MAPPING)]
pub struct PortArgs {
    /// Largest count that an input may carry in a step [default: 1; check: what the
    /// data hold]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=65_535))]
    pub max_count: Option<u32>,
    /// Inputs carry real values (float32): all of them, or these nodes
    #[arg(
        long,
        value_name = "NODE",
        value_delimiter = ',',
        num_args = 0..,
        require_equals = true
    )]
    pub real_inputs: Option<Vec<String>>,
}

/// How tolerant the reader of network files is.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = READING)]
pub struct ReadArgs {
    /// Refuse files that can only be read after a repair
    #[arg(long)]
    pub strict: bool,
    /// What an edge counts that a file lists several times
    #[arg(long, value_name = "HOW", value_enum, default_value = "once")]
    pub duplicate_edges: DuplicateEdges,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DuplicateEdges {
    /// Repetitions are ignored
    #[default]
    Once,
    /// Every listed edge adds its value
    Sum,
}

/// What a run is fed with.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = INPUT)]
pub struct InputArgs {
    /// Inputs: .npz, .npy, .nird or event .bin; shape [samples, steps, ...]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub input: PathBuf,
    /// Microseconds per step of an event file [default: 1000]
    #[arg(long, value_name = "US", value_parser = clap::value_parser!(u32).range(1..))]
    pub bin_us: Option<u32>,
    /// Steps per sample of an event file
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: Option<u32>,
    /// Index of a concatenated event file: id,label,offset_bytes,n_events
    #[arg(long, value_name = "FILE.csv", value_hint = ValueHint::FilePath)]
    pub index: Option<PathBuf>,
    /// Multiply every input value
    #[arg(long, value_name = "S", value_parser = finite, allow_negative_numbers = true)]
    pub input_scale: Option<f64>,
    /// Add to every input value, after the scale
    #[arg(long, value_name = "O", value_parser = finite, allow_negative_numbers = true)]
    pub input_offset: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Align {
    /// Row t belongs to input step t: latencies are removed
    #[default]
    Input,
    /// Row t is chip tick t
    Raw,
}

#[derive(Clone, Debug, Args)]
pub struct CompileArgs {
    /// The network: .nir or .s2ir
    #[arg(value_name = "NET", value_hint = ValueHint::FilePath)]
    pub net: PathBuf,
    /// The bundle to write [default: <stem>.s2]; with --stop-after, the text file
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub output: Option<PathBuf>,
    /// Let each PE choose its performance level in every tick: high if more than N
    /// packets wait, else low [default N: the target's]
    #[arg(long, value_name = "auto[:N]", value_parser = clap::value_parser!(LevelArg))]
    pub level: Option<LevelArg>,
    /// Record a node's spikes on the chip itself; may be repeated
    #[arg(long, value_name = "NODE[:spikes]")]
    pub record: Vec<String>,
    /// Write the report of the compilation, with times, as JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    pub read: ReadArgs,
    #[command(flatten)]
    pub lowering: LoweringArgs,
    #[command(flatten)]
    pub mapping: MappingArgs,
    #[command(flatten)]
    pub ports: PortArgs,
}

#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The bundle that `s2c compile` wrote
    #[arg(value_name = "BUNDLE", value_hint = ValueHint::DirPath)]
    pub bundle: PathBuf,
    #[command(flatten)]
    pub input: InputArgs,
    /// Write outputs and recordings as .npz
    #[arg(short, long, value_name = "OUT.npz", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Write the report of the run, with times, as JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Record a node; may be repeated
    #[arg(long, value_name = "NODE[:spikes|:v|:i]")]
    pub record: Vec<String>,
    /// Draw the output spikes of the first sample
    #[arg(long, value_name = "FILE.svg", value_hint = ValueHint::FilePath)]
    pub plot: Option<PathBuf>,
    /// Remove latencies, or keep chip ticks
    #[arg(long, value_name = "HOW", value_enum, default_value = "input")]
    pub align: Align,
    /// Keep state from one sample to the next
    #[arg(long)]
    pub continuous: bool,
    /// Performance level of every PE: 150 MHz, 300 MHz, or what the programs were
    /// compiled to choose [default: high, or auto if compiled so]
    #[arg(long, value_name = "low|high|auto[:N]", value_parser = clap::value_parser!(LevelArg))]
    pub level: Option<LevelArg>,
    /// Let faults happen: drop=RATE (packets), flip=RATE (a bit of a PE in a tick),
    /// flip=PE:ADDR:BIT@TICK, dead-pe=PE[@TICK], dead-link=chip(X,Y):LINK[@TICK],
    /// late-host=TICKS, seed=N; a PE is pe(1,1,0) or chip(0,0)/pe(1,1,0), a link E, NE, N,
    /// W, SW or S; may be repeated
    #[arg(long, value_name = "FAULT[,FAULT]")]
    pub inject: Vec<String>,
    /// Seed of the noise that programs read from the emulated chip's true random bus
    /// [default: the seed of the bundle]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Chip description the bundle was compiled for: a built-in name or a file
    #[arg(long, value_name = "FILE|NAME", default_value = "spinnaker2")]
    pub target: String,
    #[command(flatten)]
    pub trace: TraceArgs,
}

/// What to write down of a run.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = TRACE)]
pub struct TraceArgs {
    /// Trace instructions, packets or spikes of all PEs, or of a population or a PE such
    /// as 'pe(1,1,0)'; may be repeated
    #[arg(long, value_name = "KIND[:WHOM]", requires = "trace_out")]
    pub trace: Vec<String>,
    /// Where to write the trace: .txt, or .json for Perfetto and chrome://tracing
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "trace")]
    pub trace_out: Option<PathBuf>,
    /// Most events of a trace, shared evenly between the traced PEs
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub trace_limit: u64,
}

#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// The network: .nir
    #[arg(value_name = "NET", value_hint = ValueHint::FilePath)]
    pub net: PathBuf,
    #[command(flatten)]
    pub input: InputArgs,
    /// Reference arrays to compare with, per step
    #[arg(long, value_name = "FILE.npz[:ARRAY]", value_hint = ValueHint::FilePath)]
    pub expect: Option<String>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
    /// Allowed difference between --expect and golden: from 1 on a number of wrong
    /// spikes [default: 0], below 1 a share of the range of graded values
    /// [default: 1e-5]; may be given once for each
    #[arg(long, value_name = "X", value_parser = not_negative)]
    pub tol: Vec<f64>,
    /// Fail if golden and chip decide alike on a smaller share of the samples
    #[arg(long, value_name = "SHARE", value_parser = fraction)]
    pub min_agreement: Option<f64>,
    /// Fail if the chip loses more accuracy than this against golden
    #[arg(long, value_name = "SHARE", value_parser = fraction)]
    pub max_accuracy_drop: Option<f64>,
    /// Fail on what is otherwise a warning
    #[arg(long, value_name = "WHAT", value_enum)]
    pub deny: Vec<Deny>,
    /// Performance level of every PE: 150 MHz, 300 MHz, or chosen by each PE in every
    /// tick: high if more than N packets wait, else low [default: high]
    #[arg(long, value_name = "low|high|auto[:N]", value_parser = clap::value_parser!(LevelArg))]
    pub level: Option<LevelArg>,
    /// Record a node and compare it too; may be repeated
    #[arg(long, value_name = "NODE[:spikes|:v|:i]")]
    pub record: Vec<String>,
    #[command(flatten)]
    pub read: ReadArgs,
    #[command(flatten)]
    pub lowering: LoweringArgs,
    #[command(flatten)]
    pub mapping: MappingArgs,
    #[command(flatten)]
    pub ports: PortArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    /// A PE was still busy when its next tick began
    MissedDeadlines,
}

#[derive(Clone, Debug, Args)]
pub struct GoldenArgs {
    /// The network: .nir
    #[arg(value_name = "NET", value_hint = ValueHint::FilePath)]
    pub net: PathBuf,
    #[command(flatten)]
    pub input: InputArgs,
    /// Write outputs and recordings as .npz
    #[arg(short, long, value_name = "OUT.npz", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Use the quantised weights
    #[arg(long)]
    pub quantised: bool,
    /// Record a node; may be repeated
    #[arg(long, value_name = "NODE[:spikes|:v|:i]")]
    pub record: Vec<String>,
    /// Remove latencies (--edge-delay chip), or keep steps as computed
    #[arg(long, value_name = "HOW", value_enum, default_value = "input")]
    pub align: Align,
    #[command(flatten)]
    pub read: ReadArgs,
    #[command(flatten)]
    pub lowering: LoweringArgs,
}

#[derive(Clone, Debug, Args)]
pub struct OptArgs {
    /// IR text; arrays lie beside it in <stem>.s2ir.d
    #[arg(value_name = "FILE.s2ir", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Passes to run, in this order
    #[arg(
        short,
        long,
        value_name = "PASS[,PASS]",
        value_delimiter = ',',
        num_args = 1
    )]
    pub passes: Vec<String>,
    /// Write the text here, arrays beside it [default: stdout, arrays inline]
    #[arg(short, long, value_name = "FILE.s2ir", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Write all arrays into the text
    #[arg(long)]
    pub inline_blobs: bool,
    #[command(flatten)]
    pub mapping: MappingArgs,
}

#[derive(Clone, Debug, Args)]
pub struct InspectArgs {
    /// A network file, IR text or a bundle
    #[arg(value_name = "NET|BUNDLE", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    #[command(flatten)]
    pub read: ReadArgs,
    /// Chip description that a bundle was compiled for: a built-in name or a file
    #[arg(long, value_name = "FILE|NAME", default_value = "spinnaker2")]
    pub target: String,
}

#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// A code such as E0304
    #[arg(value_name = "CODE")]
    pub code: String,
}

#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn dt_must_be_finite_and_above_zero() {
        for wrong in ["0", "-1", "inf", "nan", "x"] {
            assert!(positive(wrong).is_err(), "{wrong}");
        }
        assert_eq!(positive("1e-4"), Ok(1e-4));
    }

    #[test]
    fn explicit_flags_parse_beside_a_profile() {
        let cli = Cli::try_parse_from([
            "s2c",
            "compile",
            "a.nir",
            "--profile",
            "py-spinnaker2",
            "--reset",
            "subtract",
        ])
        .expect("parses");
        let Command::Compile(args) = cli.command else {
            panic!("compile was typed");
        };
        assert_eq!(args.lowering.profile, Some(s::Profile::PySpinnaker2));
        assert_eq!(args.lowering.reset, Some(s::Reset::Subtract));
    }
}
