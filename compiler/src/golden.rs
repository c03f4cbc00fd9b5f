//! `s2c golden`: the float64 reference alone.

use crate::arrays::file_bytes;
use crate::carried;
use crate::cli::{Common, GoldenArgs, MappingArgs, PortArgs};
use crate::driver::{self, Outcome};
use crate::emit::Watch;
use crate::engines::{self, Feed, RunOptions};
use crate::front::data;
use crate::options::{self, usage};
use crate::render::{Renderer, print};
use crate::summary;
use crate::textio;
use ir::diag::Result;
use ir::golden::Golden;

/// The mapping that `golden` resolves options against: it maps nothing.
fn no_mapping() -> MappingArgs {
    MappingArgs {
        target: "spinnaker2".to_owned(),
        chips: None,
        ..MappingArgs::default()
    }
}

pub fn golden(args: &GoldenArgs, common: &Common, show: &Renderer) -> Result<()> {
    if common.depfile.is_some() && args.output.is_none() {
        return Err(usage("--depfile", "a rule needs an output file")
            .help("name one with -o")
            .into());
    }
    let mut prepared = driver::prepare(&args.net, &args.lowering, &args.read, &no_mapping())?;
    show.show(&prepared.source.warnings);
    driver::needs_network(&prepared.source.module, &args.net)?;
    show.show(&driver::shape(
        &mut prepared.source.module,
        &prepared.mapping,
        &mut passes::Silent,
    )?);
    let ports = data::ports_of(&prepared.source.module.network);
    let dt = prepared.source.module.semantics.dt;
    let (set, warnings) = crate::feed::read(&args.input, &ports, dt)?;
    show.show(&warnings);
    prepared.carry(&PortArgs::default(), Some(&set))?;
    let carried = prepared.carried();
    let source = prepared.source;
    let network = source.module.network.clone();
    let requests = options::record_requests(&args.record);
    let nodes = engines::find_nodes(&network, &requests)?;
    let golden = Golden::new(&network, &source.module.semantics)?;
    show.show(golden.warnings());
    let ranges = carried::ranges(&network, &carried);
    show.show(&golden.unreachable(&network, &ranges));
    let unused = driver::unused(&golden, &source.typed);
    show.show(&driver::unused_warnings(&unused));

    let feed = Feed {
        set: &set,
        ports: &ports,
    };
    let run = RunOptions {
        align: args.align,
        threads: common.threads.map_or(0, usize::from),
        trace: None,
        engine: common.engine.engine(),
    };
    let (tracks, latencies) = if args.quantised {
        let mut watch = Watch::default();
        match driver::compile(source.module, &prepared.mapping, &[], &mut watch)? {
            Outcome::Done(compiled) => {
                show.show(&compiled.warnings);
                let app = &compiled.verified.module().app;
                engines::fixed::<f64>(app, feed, &requests, run)?
            }
            Outcome::Stopped(..) => {
                return Err(
                    ir::Diagnostic::internal("a compilation without a stop stopped").into(),
                );
            }
        }
    } else {
        let done = engines::golden(&golden, &network, feed, &carried, &nodes, run)?;
        show.show(&done.silent);
        (done.tracks, done.latencies)
    };
    if let Some(path) = &args.output {
        let bytes = file_bytes(&tracks, path, dt)?;
        textio::write_file(path, &bytes)?;
        let mut files = source.files;
        files.push(args.input.input.clone());
        driver::depfile(common, path, &files)?;
    }
    if !show.quiet() {
        let summary = summary::run(&network.name, &set, &tracks, &latencies);
        print(&summary.text(show.json()))?;
    }
    Ok(())
}
