//! `--level`: the performance level of the PEs, and the energy that a run reports.

use crate::options::usage;
use codegen::devices::level::AutoLevel;
use ir::Target;
use ir::diag::Result;
use runtime_sim::Level;
use runtime_sim::energy::Parts;
use std::str::FromStr;

/// `low`, `high`, or `auto[:THRESHOLD]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelArg {
    Fixed(Level),
    Auto(Option<u32>),
}

impl FromStr for LevelArg {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once(':') {
            Some(("auto", n)) => n
                .parse()
                .map(|n| Self::Auto(Some(n)))
                .map_err(|_| format!("'{n}' is not a number of packets")),
            None if text == "auto" => Ok(Self::Auto(None)),
            None if text == "low" => Ok(Self::Fixed(Level::Low)),
            None if text == "high" => Ok(Self::Fixed(Level::High)),
            _ => Err("must be low, high, auto or auto:THRESHOLD".to_owned()),
        }
    }
}

/// The policy that programs are compiled with, if any.
pub fn policy(arg: Option<LevelArg>, target: &Target) -> Option<AutoLevel> {
    match arg {
        Some(LevelArg::Auto(threshold)) => Some(AutoLevel {
            threshold: threshold.unwrap_or(target.level.auto_threshold),
        }),
        Some(LevelArg::Fixed(_)) | None => None,
    }
}

/// `s2c compile` decides only whether programs set their level.
pub fn of_compile(arg: Option<LevelArg>) -> Result<()> {
    match arg {
        Some(LevelArg::Fixed(level)) => {
            let message = format!(
                "a bundle runs at any level; '{}' belongs to the run",
                level.name()
            );
            Err(usage("--level", message)
                .help(format!(
                    "compile without it, then s2c run --level {}",
                    level.name()
                ))
                .into())
        }
        _ => Ok(()),
    }
}

/// The level at which `s2c check` begins.
pub fn of_check(arg: Option<LevelArg>) -> Level {
    match arg {
        Some(LevelArg::Fixed(level)) => level,
        Some(LevelArg::Auto(_)) | None => Level::default(),
    }
}

/// The level at which `s2c run` begins; `compiled` is the threshold of a bundle whose
/// programs set their level themselves.
pub fn of_run(arg: Option<LevelArg>, compiled: Option<u64>) -> Result<Level> {
    let refuse = |message: String, help: &str| {
        let error = usage("--level", message).help(help.to_owned());
        Err(error.into())
    };
    match (arg, compiled) {
        (None, _) => Ok(Level::default()),
        (Some(LevelArg::Fixed(level)), None) => Ok(level),
        (Some(LevelArg::Fixed(_)), Some(n)) => refuse(
            format!("the programs of the bundle set their level themselves (auto:{n})"),
            "compile without --level for a bundle that runs at one level",
        ),
        (Some(LevelArg::Auto(_)), None) => refuse(
            "the programs of the bundle do not set their level".to_owned(),
            "compile with --level auto:THRESHOLD",
        ),
        (Some(LevelArg::Auto(Some(n))), Some(m)) if u64::from(n) != m => refuse(
            format!("the bundle was compiled with auto:{m}, not auto:{n}"),
            "compile again with the other threshold",
        ),
        (Some(LevelArg::Auto(_)), Some(_)) => Ok(Level::default()),
    }
}

/// Energy for people: the parts that are not 0, and those for which there is no number.
pub fn energy_line(energy: &Parts, power_mw: f64, level: &str) -> String {
    let parts = [
        ("arm", energy.arm),
        ("mla", energy.mla),
        ("sleep", energy.sleep),
        ("base", energy.base),
        ("dram", energy.dram),
        ("noc", energy.noc.unwrap_or(0.0)),
    ];
    let unknown = match energy.noc {
        None => "; noc: not published",
        Some(_) => "",
    };
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, uj)| *uj > 0.0)
        .map(|(name, uj)| format!("{name} {uj:.3}"))
        .collect();
    format!(
        "  energy per step: {:.3} uJ ({}{unknown}); {power_mw:.1} mW; level at start: {level}\n",
        energy.total,
        parts.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read() {
        let read = |text: &str| text.parse::<LevelArg>();
        assert_eq!(read("low"), Ok(LevelArg::Fixed(Level::Low)));
        assert_eq!(read("auto"), Ok(LevelArg::Auto(None)));
        assert_eq!(read("auto:200"), Ok(LevelArg::Auto(Some(200))));
        for wrong in ["", "mid", "auto:", "auto:-1", "low:3", "AUTO"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_run_can_do_only_what_was_compiled() {
        let auto = |n| Some(LevelArg::Auto(n));
        let low = Some(LevelArg::Fixed(Level::Low));
        assert_eq!(of_run(None, None), Ok(Level::High));
        assert_eq!(of_run(low, None), Ok(Level::Low));
        assert_eq!(of_run(auto(Some(30)), Some(30)), Ok(Level::High));
        for (arg, compiled) in [
            (low, Some(30)),
            (auto(None), None),
            (auto(Some(3)), Some(30)),
        ] {
            assert!(of_run(arg, compiled).is_err(), "{arg:?} {compiled:?}");
        }
    }

    #[test]
    fn energy_shows_what_there_is() {
        let energy = Parts {
            total: 3.5,
            arm: 1.25,
            base: 2.25,
            ..Parts::default()
        };
        assert_eq!(
            energy_line(&energy, 90.0, "high"),
            "  energy per step: 3.500 uJ (arm 1.250, base 2.250; noc: not published); 90.0 mW; level at start: high\n"
        );
        let known = Parts {
            noc: Some(0.5),
            ..energy
        };
        let line = energy_line(&known, 90.0, "low");
        assert!(
            line.contains("(arm 1.250, base 2.250, noc 0.500);"),
            "{line}"
        );
    }
}
