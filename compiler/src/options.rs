//! Resolved options: a profile, overridden flag by flag, and the mapping
//! options made into values. What is accepted here is honoured; what belongs
//! to a later version is refused by name.

use crate::cli::{Common, KernelChoice, LoweringArgs, MappingArgs, Optimise};
use ir::diag::{Diagnostics, Result};
use ir::machine::Machine;
use ir::routing::Link;
use ir::semantics::{Profile, Quantisation, Schedule, Semantics};
use ir::{ChipCoord, Code, Diagnostic, GlobalPe, Observable, Origin, PeCoord, Target};
use passes::{Activity, Kernels};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The text of the built-in target file, whose hash bundles carry.
const SPINNAKER2: &str = include_str!("../../ir/targets/spinnaker2.toml");

/// Length of a tick where `--time-step` says nothing.
const DEFAULT_TIME_STEP_US: u32 = 1000;

/// The meaning of a network, fully decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Lowering {
    pub profile: Profile,
    pub semantics: Semantics,
    pub quantisation: Quantisation,
    /// Flags that were typed, for the report of options without effect.
    pub typed: Vec<&'static str>,
}

/// A chip description and the hash of the text that it was read from.
#[derive(Clone, Debug)]
pub struct NamedTarget {
    pub target: Target,
    pub sha256: String,
    /// The file it was read from, unless it is built in.
    pub file: Option<PathBuf>,
}

/// The mapping, fully decided.
#[derive(Clone, Debug)]
pub struct Mapping {
    pub target: NamedTarget,
    pub time_step_us: u32,
    /// Columns and rows of chips, if they were typed.
    pub chips: Option<(u16, u16)>,
    pub dead_pes: BTreeSet<GlobalPe>,
    pub dead_links: BTreeSet<(ChipCoord, Link)>,
    pub atoms_per_core: BTreeMap<String, u32>,
    pub schedule: Schedule,
    pub seed: u64,
    /// How often atoms send, as far as it was measured.
    pub activity: Activity,
    /// The data from which it is measured.
    pub calibrate: Option<PathBuf>,
    pub optimise: Option<Optimise>,
    pub kernels: Kernels,
    /// What is known of the emitted code: see `passes::MappingOptions`.
    pub corrections: BTreeMap<String, u32>,
    /// Beside the mapping: what programs do.
    pub codegen: codegen::Options,
}

impl Mapping {
    fn size_text(&self) -> String {
        let (w, h) = self.chips.unwrap_or((1, 1));
        format!("{w}x{h}")
    }

    /// Puts the options about the machine into a module; `placed` if it already
    /// says where its parts are, `text` if it brings a machine of its own.
    pub fn machine(&self, machine: &mut Machine, text: bool, placed: bool) -> Result<()> {
        let typed = [
            ("--chips", self.chips.is_some()),
            ("--dead-pe", !self.dead_pes.is_empty()),
            ("--dead-link", !self.dead_links.is_empty()),
        ];
        if let Some((flag, _)) = typed.iter().find(|(_, typed)| placed && *typed) {
            return Err(usage(*flag, "the IR text is already placed")
                .help("run `place` again with s2c opt, or start from text that is not placed")
                .into());
        }
        match self.chips {
            Some((width, height)) => (machine.width, machine.height) = (width, height),
            None if text => {}
            None => (machine.width, machine.height) = (1, 1),
        }
        machine.dead_pes.extend(self.dead_pes.iter());
        machine.dead_links.extend(self.dead_links.iter());
        let outside = |flag: &str, what: String| {
            let (w, h) = (machine.width, machine.height);
            let message = format!("'{what}' lies outside the machine of {w}x{h} chips");
            Diagnostics::from(usage(flag, message))
        };
        for pe in &self.dead_pes {
            if !machine.contains(pe.chip) {
                return Err(outside("--dead-pe", pe_text(pe)));
            }
        }
        for (chip, link) in &self.dead_links {
            if machine.beyond(*chip, *link).is_none() {
                return Err(outside("--dead-link", link_text(&(*chip, *link))));
            }
        }
        Ok(())
    }
}

/// `NODE[:observable]` as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRequest {
    pub node: String,
    pub observable: Observable,
}

/// Options as reports and bundles store them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OptionsRecord {
    pub profile: Option<&'static str>,
    pub dt: Option<f64>,
    pub time_unit: &'static str,
    pub integrator: &'static str,
    pub reset: &'static str,
    pub compare: &'static str,
    pub spike_on: &'static str,
    pub hold_after_spike: &'static str,
    pub syn_gain: &'static str,
    pub syn_decay: &'static str,
    pub if_gain: &'static str,
    pub recurrent_bias_t0: &'static str,
    pub bias: &'static str,
    pub v_floor: &'static str,
    pub edge_delay: &'static str,
    pub weights: &'static str,
    pub scale: &'static str,
    pub rounding: &'static str,
    pub weight_scale: Option<f64>,
    pub state: &'static str,
    pub target: String,
    pub time_step_us: u32,
    pub chips: String,
    pub dead_pe: Vec<String>,
    pub dead_link: Vec<String>,
    pub atoms_per_core: BTreeMap<String, u32>,
    pub schedule: &'static str,
    /// What each Input carries.
    pub inputs: BTreeMap<String, String>,
    pub seed: u64,
    /// Packets above which a PE takes the high level in a tick, if PEs choose it; with
    /// `optimise energy` each PE has its own number, and this is the largest.
    pub auto_level: Option<u32>,
    pub optimise: Option<&'static str>,
    pub kernels: &'static str,
}

impl OptionsRecord {
    /// `profile` is `None` where the meaning came from IR text.
    pub fn new(
        profile: Option<Profile>,
        s: &Semantics,
        q: &Quantisation,
        mapping: &Mapping,
    ) -> Self {
        Self {
            profile: profile.map(Profile::name),
            dt: s.dt,
            time_unit: s.time_unit.name(),
            integrator: s.integrator.name(),
            reset: s.reset.name(),
            compare: s.compare.name(),
            spike_on: s.spike_on.name(),
            hold_after_spike: s.hold.name(),
            syn_gain: s.syn_gain.name(),
            syn_decay: s.syn_decay.name(),
            if_gain: s.if_gain.name(),
            recurrent_bias_t0: s.recurrent_bias_t0.name(),
            bias: s.bias.name(),
            v_floor: s.v_floor.name(),
            edge_delay: s.edge_delay.name(),
            weights: q.weights.name(),
            scale: q.scale.name(),
            rounding: q.rounding.name(),
            weight_scale: q.weight_scale,
            state: q.state.name(),
            target: mapping.target.target.name.clone(),
            time_step_us: mapping.time_step_us,
            chips: mapping.size_text(),
            dead_pe: mapping.dead_pes.iter().map(pe_text).collect(),
            dead_link: mapping.dead_links.iter().map(link_text).collect(),
            atoms_per_core: mapping.atoms_per_core.clone(),
            schedule: mapping.schedule.name(),
            inputs: BTreeMap::new(),
            seed: mapping.seed,
            auto_level: mapping.codegen.auto_level.map(|a| a.threshold),
            optimise: mapping.optimise.map(|o| o.goal().name()),
            kernels: mapping.kernels.name(),
        }
    }
}

fn pe_text(pe: &GlobalPe) -> String {
    let (c, p) = (pe.chip, pe.pe);
    format!("{},{}:{},{},{}", c.x, c.y, p.x(), p.y(), p.p())
}

fn link_text((chip, link): &(ChipCoord, Link)) -> String {
    format!("{},{}:{}", chip.x, chip.y, link.name())
}

/// A fault of the command line: exit code 2.
pub fn usage(flag: impl Into<String>, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(
        Code::Usage,
        &Origin::Option { flag: flag.into() },
        message.into(),
    )
}

/// Resolves the lowering options: the profile's column, then each flag.
pub fn lowering(args: &LoweringArgs) -> Lowering {
    let profile = args.profile.unwrap_or(Profile::Nir);
    let mut s = profile.semantics();
    let mut q = profile.quantisation();
    let mut typed = Vec::new();
    macro_rules! set {
        ($($arg:ident -> $place:expr, $flag:literal;)*) => {$(
            if let Some(value) = args.$arg {
                $place = value;
                typed.push($flag);
            }
        )*};
    }
    set! {
        time_unit -> s.time_unit, "--time-unit";
        integrator -> s.integrator, "--integrator";
        reset -> s.reset, "--reset";
        compare -> s.compare, "--compare";
        spike_on -> s.spike_on, "--spike-on";
        hold_after_spike -> s.hold, "--hold-after-spike";
        syn_gain -> s.syn_gain, "--syn-gain";
        syn_decay -> s.syn_decay, "--syn-decay";
        if_gain -> s.if_gain, "--if-gain";
        recurrent_bias_t0 -> s.recurrent_bias_t0, "--recurrent-bias-t0";
        bias -> s.bias, "--bias";
        v_floor -> s.v_floor, "--v-floor";
        edge_delay -> s.edge_delay, "--edge-delay";
        weights -> q.weights, "--weights";
        scale -> q.scale, "--scale";
        rounding -> q.rounding, "--rounding";
        state -> q.state, "--state";
    }
    if args.dt.is_some() {
        s.dt = args.dt;
        typed.push("--dt");
    }
    if args.weight_scale.is_some() {
        q.weight_scale = args.weight_scale;
        typed.push("--weight-scale");
    }
    Lowering {
        profile,
        semantics: s,
        quantisation: q,
        typed,
    }
}

/// Whether any lowering flag or profile was typed: IR text already says what
/// they would decide, so they are refused beside it.
pub fn typed_lowering_flag(args: &LoweringArgs) -> Option<&'static str> {
    match args.profile {
        Some(_) => Some("--profile"),
        None => lowering(args).typed.first().copied(),
    }
}

/// Resolves the mapping options; every fault is reported, not just the first.
pub fn mapping(args: &MappingArgs) -> Result<Mapping> {
    let mut errors = Vec::new();
    let target = target(&args.target).map_err(|e| errors.extend(e.0)).ok();
    let mut size = None;
    if let Some(text) = &args.chips {
        size = chips(text);
        if size.is_none() {
            errors.push(
                usage("--chips", format!("'{}' is not a size", escape(text))).help(format!(
                    "write it as WxH, such as 1x1 or 8x8, with up to {} chips each way",
                    Machine::sizes().end()
                )),
            );
        }
    }
    let mut dead_links = BTreeSet::new();
    for text in &args.dead_link {
        match dead_link(text) {
            Some(link) => {
                dead_links.insert(link);
            }
            None => errors.push(
                usage("--dead-link", format!("'{}' is not a link", escape(text)))
                    .help("write CX,CY:LINK with E, NE, N, W, SW or S, such as 0,0:E"),
            ),
        }
    }
    let mut dead_pes = BTreeSet::new();
    for text in &args.dead_pe {
        match dead_pe(text, target.as_ref().map(|t| &t.target)) {
            Ok(pe) => {
                dead_pes.insert(pe);
            }
            Err(e) => errors.extend(e.0),
        }
    }
    let mut atoms_per_core = BTreeMap::new();
    for text in &args.atoms_per_core {
        match atoms(text) {
            Ok((pop, n)) => {
                if atoms_per_core
                    .insert(pop.clone(), n)
                    .is_some_and(|old| old != n)
                {
                    errors.push(usage(
                        "--atoms-per-core",
                        format!("'{}' is given two different bounds", escape(&pop)),
                    ));
                }
            }
            Err(e) => errors.extend(e.0),
        }
    }
    match target {
        Some(target) if errors.is_empty() => Ok(Mapping {
            target,
            time_step_us: args.time_step.unwrap_or(DEFAULT_TIME_STEP_US),
            chips: size,
            dead_pes,
            dead_links,
            atoms_per_core,
            schedule: args.schedule.unwrap_or(Schedule::Auto),
            seed: args.seed,
            activity: Activity::default(),
            calibrate: args.calibrate.clone(),
            optimise: args.optimise,
            kernels: args.kernels.map(KernelChoice::kernels).unwrap_or_default(),
            corrections: BTreeMap::new(),
            codegen: codegen::Options::default(),
        }),
        _ => Err(Diagnostics(errors)),
    }
}

/// A target by its built-in name, else from a file.
pub fn target(name: &str) -> Result<NamedTarget> {
    if name == "spinnaker2" {
        return Ok(NamedTarget {
            target: Target::spinnaker2(),
            sha256: sha256(SPINNAKER2.as_bytes()),
            file: None,
        });
    }
    let path = Path::new(name);
    if !path.exists() {
        return Err(usage(
            "--target",
            format!("'{}' is neither a built-in target nor a file", escape(name)),
        )
        .note("built-in targets: spinnaker2")
        .into());
    }
    let bytes = crate::front::read_file(path)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        let origin = Origin::File {
            file: name.to_owned(),
        };
        Diagnostic::error(Code::Usage, &origin, "the target file is not UTF-8 text")
    })?;
    Ok(NamedTarget {
        target: Target::parse(&text, name)?,
        sha256: sha256(text.as_bytes()),
        file: Some(path.to_path_buf()),
    })
}

/// Lower-case hexadecimal SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

fn chips(text: &str) -> Option<(u16, u16)> {
    let (w, h) = text.split_once(['x', 'X'])?;
    let (w, h) = (w.parse().ok()?, h.parse().ok()?);
    let sizes = Machine::sizes();
    (sizes.contains(&w) && sizes.contains(&h)).then_some((w, h))
}

fn dead_link(text: &str) -> Option<(ChipCoord, Link)> {
    let (chip, link) = text.split_once(':')?;
    let (x, y) = chip.split_once(',')?;
    let chip = ChipCoord {
        x: x.trim().parse().ok()?,
        y: y.trim().parse().ok()?,
    };
    Link::from_name(link.trim()).map(|link| (chip, link))
}

fn dead_pe(text: &str, target: Option<&Target>) -> Result<GlobalPe> {
    let wrong = |why: &str| {
        usage("--dead-pe", format!("'{}' {why}", escape(text)))
            .help("write QX,QY,P or CX,CY:QX,QY,P, such as 1,1,0")
    };
    let (chip, pe) = match text.split_once(':') {
        Some((chip, pe)) => (chip, pe),
        None => ("0,0", text),
    };
    let chip: Option<Vec<u16>> = chip.split(',').map(|n| n.trim().parse().ok()).collect();
    let pe: Option<Vec<u8>> = pe.split(',').map(|n| n.trim().parse().ok()).collect();
    let (Some(&[cx, cy]), Some(&[x, y, p])) = (chip.as_deref(), pe.as_deref()) else {
        return Err(wrong("is not a PE").into());
    };
    let pe = PeCoord::new(x, y, p).ok_or_else(|| wrong("is not a PE"))?;
    if target.is_some_and(|t| !t.has_pe(pe)) {
        return Err(wrong("does not exist on this target").into());
    }
    Ok(GlobalPe {
        chip: ChipCoord { x: cx, y: cy },
        pe,
    })
}

fn atoms(text: &str) -> Result<(String, u32)> {
    let parsed = text.rsplit_once('=').and_then(|(pop, n)| {
        let n: u32 = n.trim().parse().ok()?;
        (n > 0 && !pop.is_empty()).then(|| (pop.to_owned(), n))
    });
    parsed.ok_or_else(|| {
        usage(
            "--atoms-per-core",
            format!("'{}' is not POP=N", escape(text)),
        )
        .help("write a population name and a number above 0, such as hid=64")
        .into()
    })
}

/// Splits `NODE[:observable]` at the last colon; a suffix that names no
/// observable belongs to the node's name.
pub fn record_requests(texts: &[String]) -> Vec<RecordRequest> {
    let mut requests: Vec<RecordRequest> = Vec::new();
    for text in texts {
        let known = |name: &str| match name {
            "spikes" => Some(Observable::Spikes),
            "v" => Some(Observable::V),
            "i" => Some(Observable::I),
            _ => None,
        };
        let split = text
            .rsplit_once(':')
            .and_then(|(node, what)| Some((node, known(what)?)));
        let (node, observable) = split.unwrap_or((text, Observable::Spikes));
        let request = RecordRequest {
            node: node.to_owned(),
            observable,
        };
        if !requests.contains(&request) {
            requests.push(request);
        }
    }
    requests
}

/// Warnings for options of the pass pipeline on a command that has none.
pub fn without_passes(common: &Common, command: &str) -> Vec<Diagnostic> {
    let given = [
        ("--emit", !common.emit.is_empty()),
        ("--stop-after", common.stop_after.is_some()),
        ("--print-before", !common.print_before.is_empty()),
        ("--print-after", !common.print_after.is_empty()),
        ("--verify-each", common.verify_each),
        ("--time-passes", common.time_passes),
    ];
    let warn = |flag: &str| {
        Diagnostic::warning(
            Code::OptionUnused,
            &Origin::Option {
                flag: flag.to_owned(),
            },
            format!("{flag} has no effect on `s2c {command}`: it runs no passes"),
        )
    };
    given
        .iter()
        .filter(|(_, is)| *is)
        .map(|(flag, _)| warn(flag))
        .collect()
}

pub use ir::origin::escape;

#[cfg(test)]
mod tests {
    use super::*;
    use ir::semantics as m;

    fn with(profile: Profile) -> Semantics {
        lowering(&LoweringArgs {
            profile: Some(profile),
            ..LoweringArgs::default()
        })
        .semantics
    }

    /// The option table of the command line, one line per profile. Columns:
    /// dt, integrator, reset, compare, spike-on, hold, syn-gain, syn-decay,
    /// if-gain, recurrent-bias-t0, bias, v-floor, edge-delay.
    const TABLE: &str = "
        nir            -      forward-euler v-reset        gt new off  file before dt   on  synapse  none          none
        snntorch       0.0001 forward-euler zero           gt new auto file before unit on  synapse  none          none
        norse          -      forward-euler zero           gt new off  unit before unit off synapse  none          none
        sinabs         -      exp-impulse   multi-subtract ge new off  file before unit on  synapse  neg-threshold none
        rockpool       -      exp-impulse   multi-subtract ge new off  unit after  unit off synapse  none          none
        spyx           -      forward-euler subtract       gt old off  file before unit on  synapse  none          none
        lava           -      forward-euler zero           gt new off  file before unit on  synapse  none          chip
        py-spinnaker2  -      forward-euler zero           gt new off  file before unit on  membrane none          chip
    ";

    #[test]
    fn every_profile_is_its_row_of_the_table() {
        let rows = TABLE.lines().filter(|l| !l.trim().is_empty());
        let mut seen = 0;
        for row in rows {
            let want: Vec<&str> = row.split_whitespace().collect();
            let profile: Profile = want[0].parse().expect("a profile");
            let s = with(profile);
            let got = [
                profile.name().to_owned(),
                s.dt.map_or("-".to_owned(), |dt| dt.to_string()),
                s.integrator.to_string(),
                s.reset.to_string(),
                s.compare.to_string(),
                s.spike_on.to_string(),
                s.hold.to_string(),
                s.syn_gain.to_string(),
                s.syn_decay.to_string(),
                s.if_gain.to_string(),
                s.recurrent_bias_t0.to_string(),
                s.bias.to_string(),
                s.v_floor.to_string(),
                s.edge_delay.to_string(),
            ];
            assert_eq!(got.to_vec(), want);
            assert_eq!(s.time_unit, m::TimeUnit::Seconds);
            seen += 1;
        }
        assert_eq!(seen, Profile::ALL.len());
    }

    #[test]
    fn only_py_spinnaker2_changes_the_weights() {
        for &profile in Profile::ALL {
            let q = lowering(&LoweringArgs {
                profile: Some(profile),
                ..LoweringArgs::default()
            })
            .quantisation;
            let got = (q.weights, q.scale, q.rounding, q.weight_scale);
            let want = if profile == Profile::PySpinnaker2 {
                (
                    m::WeightMode::Int8,
                    m::ScaleMode::Population,
                    m::Rounding::Truncate,
                    None,
                )
            } else {
                (
                    m::WeightMode::Auto,
                    m::ScaleMode::Neuron,
                    m::Rounding::Nearest,
                    None,
                )
            };
            assert_eq!(got, want, "{profile}");
        }
    }

    #[test]
    fn a_flag_overrides_its_profile_and_nothing_else() {
        let args = LoweringArgs {
            profile: Some(Profile::Snntorch),
            dt: Some(1e-3),
            reset: Some(m::Reset::Subtract),
            weights: Some(m::WeightMode::Int16),
            ..LoweringArgs::default()
        };
        let got = lowering(&args);
        let want = Semantics {
            dt: Some(1e-3),
            reset: m::Reset::Subtract,
            ..with(Profile::Snntorch)
        };
        assert_eq!(got.semantics, want);
        assert_eq!(got.quantisation.weights, m::WeightMode::Int16);
        assert_eq!(got.typed, ["--reset", "--weights", "--dt"]);
    }

    #[test]
    fn records_split_at_the_last_colon() {
        let texts = ["a:v", "b:c", "d", "e:f:i", "a:v"].map(str::to_owned);
        let got: Vec<_> = record_requests(&texts)
            .into_iter()
            .map(|r| (r.node, r.observable))
            .collect();
        let want = [
            ("a", Observable::V),
            ("b:c", Observable::Spikes),
            ("d", Observable::Spikes),
            ("e:f", Observable::I),
        ]
        .map(|(n, o)| (n.to_owned(), o));
        assert_eq!(got, want);
    }

    fn mapping_args() -> MappingArgs {
        MappingArgs {
            target: "spinnaker2".to_owned(),
            ..MappingArgs::default()
        }
    }

    #[test]
    fn machines_and_links_are_read_and_checked() {
        let args = |chips: &str, links: &[&str]| MappingArgs {
            chips: Some(chips.to_owned()),
            dead_link: links.iter().map(|l| (*l).to_owned()).collect(),
            ..mapping_args()
        };
        let fits = |chips: &str, links: &[&str]| {
            let mut machine = Machine::new(1, 1);
            mapping(&args(chips, links))
                .and_then(|m| m.machine(&mut machine, false, false))
                .map(|()| machine)
        };
        let board = fits("8x8", &["0,0:E", "1,1:NE"]).expect("a board");
        assert_eq!((board.chips().count(), board.dead_links.len()), (48, 2));
        assert!(fits("256x256", &[]).is_ok());
        for chips in ["0x1", "1", "257x1", "x", "-1x1"] {
            assert!(fits(chips, &[]).is_err(), "{chips}");
        }
        // (0,3) is the top of its column: nothing lies north of it.
        for link in ["0,0", "0,0:Q", "0,3:N", "7,0:E", "0:E"] {
            assert!(fits("8x8", &[link]).is_err(), "{link}");
        }
        let placed = mapping(&args("2x1", &[])).expect("fine alone");
        assert!(placed.machine(&mut board.clone(), true, true).is_err());
    }

    #[test]
    fn dead_pes_and_bounds_are_checked() {
        let args = MappingArgs {
            dead_pe: vec!["1,1,0".to_owned(), "0,0:2,2,3".to_owned()],
            atoms_per_core: vec!["a=b=3".to_owned()],
            ..mapping_args()
        };
        let got = mapping(&args).expect("all good");
        assert_eq!(got.dead_pes.len(), 2);
        assert_eq!(got.atoms_per_core.get("a=b"), Some(&3));
        for pe in ["1,1", "4,3,0", "1,0:1,1,0", "9,9,9", "x"] {
            let args = MappingArgs {
                dead_pe: vec![pe.to_owned()],
                ..mapping_args()
            };
            let mut machine = Machine::new(1, 1);
            let fits = mapping(&args).and_then(|m| m.machine(&mut machine, false, false));
            assert!(fits.is_err(), "{pe}");
        }
        for bound in ["a", "a=0", "=3", "a=x"] {
            let args = MappingArgs {
                atoms_per_core: vec![bound.to_owned()],
                ..mapping_args()
            };
            assert!(mapping(&args).is_err(), "{bound}");
        }
    }
}
