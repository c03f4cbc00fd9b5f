//! What Inputs carry: plain spikes, counts, or real values. Compiled in,
//! because a packet with a payload costs the receiving programs something.

use crate::cli::PortArgs;
use crate::front::data::InputSet;
use crate::options::{escape, usage};
use ir::app::Sends;
use ir::diag::Result;
use ir::image::Program;
use ir::network::Network;
use ir::{Code, Diagnostic, NodeId, Origin};
use std::collections::BTreeMap;

/// What each Input carries, by node name.
pub type Carried = BTreeMap<String, Sends>;

/// The largest count that is sent as a count. Weights are integers that are
/// multiplied by it; beyond this a real value is the better carrier.
const MAX_COUNT: f64 = 65_535.0;

/// What the options say; `None` where they say nothing.
pub fn chosen(network: &Network, args: &PortArgs) -> Result<Option<Carried>> {
    if args.max_count.is_none() && args.real_inputs.is_none() {
        return Ok(None);
    }
    let ports: Vec<&str> = network
        .inputs()
        .into_iter()
        .map(|id| network.nodes[id].name.as_str())
        .collect();
    let real = args.real_inputs.as_deref().unwrap_or_default();
    if let Some(stray) = real.iter().find(|n| !ports.contains(&n.as_str())) {
        let known: Vec<String> = ports.iter().map(|p| escape(p)).collect();
        return Err(usage(
            "--real-inputs",
            format!("there is no Input node '{}'", escape(stray)),
        )
        .note(format!("Input nodes: {}", known.join(", ")))
        .into());
    }
    let all_real = args.real_inputs.as_ref().is_some_and(Vec::is_empty);
    let carried = ports.into_iter().map(|name| {
        let sends = if all_real || real.iter().any(|r| r == name) {
            Sends::Values
        } else {
            up_to(args.max_count.unwrap_or(1))
        };
        (name.to_owned(), sends)
    });
    Ok(Some(carried.collect()))
}

fn up_to(max: u32) -> Sends {
    if max <= 1 {
        Sends::Spikes
    } else {
        Sends::Counts { max }
    }
}

/// The least that carries these data: spikes if every value is 0 or 1, counts
/// if they are whole, real values else.
pub fn of_data(set: &InputSet) -> Carried {
    set.ports
        .iter()
        .map(|(name, port)| {
            let mut most = 0.0f64;
            let values = (0..port.elements.len()).map(|i| port.elements.at(i));
            for v in values {
                if v < 0.0 || v.fract() != 0.0 || v > MAX_COUNT {
                    return (name.clone(), Sends::Values);
                }
                most = most.max(v);
            }
            (name.clone(), up_to(most as u32))
        })
        .collect()
}

/// Least and greatest value of the Inputs that have bounds.
pub fn ranges(network: &Network, carried: &Carried) -> BTreeMap<NodeId, (f64, f64)> {
    let range = |id: NodeId| {
        let sends = carried.get(&network.nodes[id].name);
        let most = sends.copied().unwrap_or(Sends::Spikes).max_count()?;
        Some((id, (0.0, f64::from(most))))
    };
    network.inputs().into_iter().filter_map(range).collect()
}

/// What a compiled program's inputs carry.
pub fn of_program(program: &Program) -> Carried {
    program
        .inputs
        .iter()
        .filter_map(|port| {
            let population = program.populations.get(port.population)?;
            Some((port.name.clone(), population.sends))
        })
        .collect()
}

/// For people: `spikes`, `counts up to 3`, `values`.
pub fn text(sends: Sends) -> String {
    match sends {
        Sends::Spikes => "spikes".to_owned(),
        Sends::Counts { max } => format!("counts up to {max}"),
        Sends::Values => "values".to_owned(),
    }
}

/// Refuses values that the compiled inputs cannot carry. Looks at all samples
/// before any runs, so that the message names the first offending place.
pub fn check_range(set: &InputSet, carried: &Carried, file: &str) -> Result<()> {
    for (name, port) in &set.ports {
        let sends = carried.get(name).copied().unwrap_or(Sends::Spikes);
        let fits = |v: f64| match sends.max_count() {
            Some(most) => v >= 0.0 && v.fract() == 0.0 && v <= f64::from(most),
            None => (v as f32).is_finite(),
        };
        let Some(at) = port.elements.position(|v| !fits(v)) else {
            continue;
        };
        let width = port.width.max(1);
        let (row, index) = (at / width, at % width);
        let (sample, step) = (row / set.steps.max(1), row % set.steps.max(1));
        let value = port.elements.at(at);
        let (what, expected) = match sends {
            Sends::Spikes => ("is no spike", "0 or 1".to_owned()),
            Sends::Counts { max } => (
                "is no count that it was compiled for",
                format!("a whole number from 0 to {max}"),
            ),
            Sends::Values => ("is no float32", "a finite float32".to_owned()),
        };
        let help = match (value >= 0.0 && value.fract() == 0.0, sends) {
            (_, Sends::Values) => "scale the data with --input-scale".to_owned(),
            (true, _) if value <= MAX_COUNT => {
                format!("compile with --max-count {value} or more")
            }
            _ => "compile with --real-inputs".to_owned(),
        };
        let origin = Origin::File {
            file: file.to_owned(),
        };
        return Err(Diagnostic::error(
            Code::InputValue,
            &origin,
            format!("input '{}' has a value that {what}", escape(name)),
        )
        .note(format!(
            "sample {sample}, step {step}, index {index}: {value}, expected {expected}"
        ))
        .help(help)
        .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::data::{Elements, Port};
    use ir::network::{Node, Op};
    use ir::{Shape, Tensor};

    fn set(elements: Elements) -> InputSet {
        let port = Port {
            shape: Shape::of(&[2]),
            width: 2,
            elements,
        };
        InputSet {
            samples: 1,
            steps: port.elements.len() / 2,
            ports: BTreeMap::from([("in".to_owned(), port)]),
            labels: None,
        }
    }

    fn of(values: &[f32]) -> Sends {
        of_data(&set(Elements::F32(values.to_vec())))["in"]
    }

    #[test]
    fn the_data_decide_what_an_input_carries() {
        assert_eq!(of(&[0.0, 1.0, 1.0, 0.0]), Sends::Spikes);
        assert_eq!(of(&[0.0, 0.0]), Sends::Spikes);
        assert_eq!(of(&[0.0, 3.0, 2.0, 1.0]), Sends::Counts { max: 3 });
        assert_eq!(of(&[0.0, 0.5]), Sends::Values);
        assert_eq!(of(&[0.0, -1.0]), Sends::Values);
        assert_eq!(of(&[0.0, 65_536.0]), Sends::Values);
    }

    #[test]
    fn values_out_of_the_compiled_range_are_located() {
        let refused = |sends: Sends, values: &[f32]| {
            let carried = Carried::from([("in".to_owned(), sends)]);
            let found = check_range(&set(Elements::F32(values.to_vec())), &carried, "x");
            found.err().map(|e| e.0[0].to_string())
        };
        let spikes = refused(Sends::Spikes, &[0.0, 1.0, 1.0, 3.0]).expect("a count");
        assert!(spikes.contains("sample 0, step 1, index 1: 3"), "{spikes}");
        assert!(spikes.contains("--max-count 3"), "{spikes}");
        let counts = Sends::Counts { max: 3 };
        assert_eq!(refused(counts, &[0.0, 3.0]), None);
        assert!(refused(counts, &[4.0, 3.0]).is_some());
        let real = refused(counts, &[0.0, 0.5]).expect("a fraction");
        assert!(real.contains("--real-inputs"), "{real}");
        assert!(refused(counts, &[-1.0, 0.0]).is_some());
        assert_eq!(refused(Sends::Values, &[-1.5, 0.25]), None);
        let carried = Carried::from([("in".to_owned(), Sends::Values)]);
        let huge = set(Elements::F64(vec![0.0, 1e300]));
        assert!(check_range(&huge, &carried, "x").is_err());
    }

    #[test]
    fn options_name_inputs() {
        let mut network = Network::default();
        for name in ["a", "b"] {
            network.nodes.push(Node {
                name: name.to_owned(),
                op: Op::Input { shape: None },
                in_shape: None,
                out_shape: None,
                origin: Origin::Compiler,
            });
        }
        network.nodes.push(Node {
            name: "s".to_owned(),
            op: Op::Scale {
                scale: Tensor::scalar(1.0),
            },
            in_shape: None,
            out_shape: None,
            origin: Origin::Compiler,
        });
        let with = |max_count, real_inputs: Option<&[&str]>| {
            let real_inputs = real_inputs.map(|r| r.iter().map(|s| (*s).to_owned()).collect());
            chosen(
                &network,
                &PortArgs {
                    max_count,
                    real_inputs,
                },
            )
        };
        assert_eq!(with(None, None).expect("nothing said"), None);
        let both = |a, b| Some(Carried::from([("a".to_owned(), a), ("b".to_owned(), b)]));
        let counts = Sends::Counts { max: 4 };
        assert_eq!(with(Some(4), None).expect("fits"), both(counts, counts));
        assert_eq!(
            with(Some(4), Some(&["b"])).expect("fits"),
            both(counts, Sends::Values)
        );
        assert_eq!(
            with(None, Some(&[])).expect("fits"),
            both(Sends::Values, Sends::Values)
        );
        assert!(with(None, Some(&["s"])).is_err());
    }
}
