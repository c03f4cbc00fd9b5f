//! `s2c opt`: named passes on IR text.

use crate::cli::{Common, LoweringArgs, OptArgs, ReadArgs};
use crate::driver;
use crate::emit::{self, Watch};
use crate::options::usage;
use crate::render::{Renderer, print};
use crate::textio;
use ir::diag::Result;

pub fn opt(args: &OptArgs, common: &Common, show: &Renderer) -> Result<()> {
    if args.passes.is_empty() {
        return Err(usage("-p", "no passes were named")
            .help("name them with -p PASS,PASS; s2c passes lists them")
            .into());
    }
    if let Some(kind) = common.emit.iter().find(|k| !emit::needs_module_only(**k)) {
        let kind = format!("{kind:?}").to_lowercase();
        return Err(usage(
            format!("--emit {kind}"),
            "this kind needs a whole compilation",
        )
        .help("use s2c compile with --emit")
        .into());
    }
    if common.depfile.is_some() && args.output.is_none() {
        return Err(usage("--depfile", "a rule needs an output file")
            .help("name one with -o")
            .into());
    }
    let mut watch = Watch::new(common)?;
    let prepared = driver::prepare(
        &args.file,
        &LoweringArgs::default(),
        &ReadArgs::default(),
        &args.mapping,
    )?;
    let source = prepared.source;
    if source.profile.is_some() {
        return Err(usage(
            args.file.display().to_string(),
            "s2c opt reads IR text, not networks",
        )
        .help("make the text with s2c compile NET --stop-after PASS")
        .into());
    }
    let mut module = source.module;
    let result = driver::run_named(&mut module, &args.passes, &prepared.mapping, &mut watch);
    if let Some(times) = watch.timings() {
        show.remark(times.trim_end());
    }
    show.show(&result?);
    if let Some(path) = &args.output {
        textio::write(path, &module, args.inline_blobs)?;
        driver::depfile(common, path, &source.files)?;
    }
    if !common.emit.is_empty() {
        print(&emit::emit_module(&module, &common.emit))?;
    } else if args.output.is_none() {
        print(&textio::inline(&module))?;
    }
    Ok(())
}
