//! Writing a bundle: all files into a temporary sibling, then one swap.

use super::json::{self, FORMAT, File, Head};
use super::{DESCRIPTION, REPORT, elf_name, routes, routes_names};
use crate::options::{NamedTarget, OptionsRecord, sha256};
use ir::diag::Result;
use ir::image::ImageSet;
use ir::{Code, Diagnostic, Origin};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn access(path: &Path, what: &str, e: &std::io::Error) -> Diagnostic {
    let origin = Origin::File {
        file: path.display().to_string(),
    };
    Diagnostic::error(Code::FileAccess, &origin, format!("{what}: {e}"))
}

/// Refuses an output folder that a bundle must not replace. Called before the
/// compilation too, so that nobody waits for a refusal.
pub fn check_output(dir: &Path) -> Result<()> {
    let refuse = |why: &str| {
        let origin = Origin::File {
            file: dir.display().to_string(),
        };
        Diagnostic::error(Code::OutputExists, &origin, why.to_owned())
            .help("choose another folder with -o, or remove this one yourself")
            .into()
    };
    let meta = match fs::metadata(dir) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(access(dir, "the output cannot be examined", &e).into()),
    };
    if !meta.is_dir() {
        return Err(refuse("the output exists and is not a folder"));
    }
    let mut entries =
        fs::read_dir(dir).map_err(|e| access(dir, "the output cannot be listed", &e))?;
    if entries.next().is_none() {
        return Ok(());
    }
    let ours = super::read::bounded(&dir.join(DESCRIPTION), super::read::MAX_DESCRIPTION)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Head>(&bytes).ok())
        .is_some_and(|head| head.format == FORMAT);
    if ours {
        Ok(())
    } else {
        Err(refuse("the output folder exists and holds no bundle"))
    }
}

/// Writes the bundle; `report` is the text of `report.json`.
pub fn write(
    dir: &Path,
    images: &ImageSet,
    options: &OptionsRecord,
    target: &NamedTarget,
    report: &str,
) -> Result<()> {
    check_output(dir)?;
    let files = files(images, options, target, report)?;
    // A link to a bundle keeps being a link.
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_path_buf());
    let parent = match dir.parent() {
        Some(p) if !p.as_os_str().is_empty() => p.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let temporary = tempfile::Builder::new()
        .prefix(".s2c-")
        .tempdir_in(&parent)
        .map_err(|e| access(&parent, "no temporary folder can be made here", &e))?;
    // A folder of its own inside: the temporary one is private to the user.
    let fresh = temporary.path().join("new");
    for (name, bytes) in &files {
        let path = fresh.join(name);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::write(&path, bytes))
            .map_err(|e| access(&path, "the file cannot be written", &e))?;
    }
    swap(&dir, &fresh, &temporary.path().join("old"))
        .map_err(|e| access(&dir, "the bundle cannot be put in its place", &e))?;
    Ok(())
}

/// Puts `fresh` where `dir` is; what was there is restored if that fails.
fn swap(dir: &Path, fresh: &Path, old: &Path) -> std::io::Result<()> {
    let existed = dir.exists();
    if existed {
        fs::rename(dir, old)?;
    }
    fs::rename(fresh, dir).inspect_err(|_| {
        if existed {
            // The first failure is the one to report.
            let _ = fs::rename(old, dir);
        }
    })
}

/// Every file of the bundle by its relative name.
fn files(
    images: &ImageSet,
    options: &OptionsRecord,
    target: &NamedTarget,
    report: &str,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let bug = |what: String| Diagnostic::internal(format!("the bundle cannot be written: {what}"));
    let mut files = BTreeMap::new();
    for chip in &images.chips {
        for image in &chip.pes {
            let name = elf_name(chip.chip, image.pe);
            let bytes = codegen::elf::write(image).map_err(|e| bug(format!("{name}: {e}")))?;
            files.insert(name, bytes);
        }
        let [bin, text] = routes_names(chip.chip);
        let table = routes::to_bin(&chip.routes, &target.target)
            .ok_or_else(|| bug(format!("{bin}: a route names a PE that does not exist")))?;
        files.insert(bin, table);
        let table = routes::to_json(&chip.routes).ok_or_else(|| bug(text.clone()))?;
        files.insert(text, table.into_bytes());
    }
    files.insert(REPORT.to_owned(), report.as_bytes().to_vec());
    let mut description = json::describe(images, options, &target.sha256)
        .ok_or_else(|| bug("a port names a population that does not exist".to_owned()))?;
    for (name, bytes) in &files {
        let file = File {
            sha256: sha256(bytes),
            bytes: bytes.len() as u64,
        };
        description.files.insert(name.clone(), file);
    }
    let mut text = serde_json::to_string_pretty(&description)
        .map_err(|e| bug(format!("{DESCRIPTION}: {e}")))?;
    text.push('\n');
    files.insert(DESCRIPTION.to_owned(), text.into_bytes());
    Ok(files)
}
