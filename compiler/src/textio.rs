//! IR text on disk: the text itself, and its large arrays as
//! `<stem>.s2ir.d/<sha256>.npy` beside it.
//!
//! The folder's name follows from the text's own path and file names are
//! hashes, so nothing in a text can name a path.

use ir::diag::Result;
use ir::text::{BlobSource, PrintOptions, parse, print};
use ir::{Code, Diagnostic, Module, Origin};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The folder of arrays of a text.
fn folder(text: &Path) -> PathBuf {
    let stem = text.file_stem().unwrap_or_default();
    let mut name = stem.to_os_string();
    name.push(".s2ir.d");
    text.with_file_name(name)
}

struct Folder(PathBuf);

impl BlobSource for Folder {
    fn load(&self, sha256: &str, max_bytes: usize) -> std::result::Result<Vec<u8>, String> {
        // The parser only asks for hashes; this keeps a mistake there from
        // becoming a path.
        if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err("its name is not a SHA-256".to_owned());
        }
        let path = self.0.join(format!("{sha256}.npy"));
        let missing = |e: std::io::Error| format!("{}: {e}", path.display());
        if !fs::metadata(&path).map_err(missing)?.is_file() {
            return Err(format!("{}: not a regular file", path.display()));
        }
        let file = fs::File::open(&path).map_err(missing)?;
        let mut bytes = Vec::new();
        let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX);
        file.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(missing)?;
        if bytes.len() > max_bytes {
            return Err(format!("{}: larger than the text says", path.display()));
        }
        Ok(bytes)
    }
}

/// Reads a text and the arrays beside it.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Module> {
    let file = path.display().to_string();
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let origin = Origin::File { file: file.clone() };
        Diagnostic::error(Code::TextSyntax, &origin, "the IR text is not UTF-8")
            .note(format!("byte {}", e.valid_up_to()))
    })?;
    parse(text, &file, &Folder(folder(path)))
}

/// The text with all arrays in it.
pub fn inline(module: &Module) -> String {
    let options = PrintOptions {
        inline_blobs: true,
        ..PrintOptions::default()
    };
    print(module, &options).0
}

/// The text as people like to read it: no origins, arrays by hash.
pub fn readable(module: &Module) -> String {
    let options = PrintOptions {
        inline_blobs: false,
        origins: false,
    };
    print(module, &options).0
}

/// Writes a text and its arrays.
pub fn write(path: &Path, module: &Module, inline_blobs: bool) -> Result<()> {
    let options = PrintOptions {
        inline_blobs,
        ..PrintOptions::default()
    };
    let (text, blobs) = print(module, &options);
    if !blobs.is_empty() {
        let dir = folder(path);
        fs::create_dir_all(&dir).map_err(|e| failed(&dir, &e))?;
        for blob in &blobs {
            let file = dir.join(format!("{}.npy", blob.sha256));
            fs::write(&file, &blob.npy).map_err(|e| failed(&file, &e))?;
        }
    }
    write_file(path, text.as_bytes())
}

/// Writes a result file; the parent folder must exist.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|e| failed(path, &e).into())
}

/// A file that takes the place of another only when it is whole: it is written beside
/// it, and removed if it is not kept.
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    beside: PathBuf,
    file: Option<io::BufWriter<fs::File>>,
}

impl Replacement {
    /// Begins a replacement of `path`; its folder must exist.
    pub fn new(path: &Path) -> Result<Self> {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.part", std::process::id()));
        let beside = path.with_file_name(name);
        let file = fs::File::create(&beside).map_err(|e| failed(path, &e))?;
        Ok(Self {
            path: path.to_owned(),
            beside,
            file: Some(io::BufWriter::new(file)),
        })
    }

    /// Puts the file in its place.
    pub fn keep(mut self) -> Result<()> {
        if let Some(mut file) = self.file.take() {
            io::Write::flush(&mut file).map_err(|e| failed(&self.path, &e))?;
        }
        fs::rename(&self.beside, &self.path).map_err(|e| failed(&self.path, &e).into())
    }
}

impl io::Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(bytes),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), io::Write::flush)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Nothing to be done if even that fails.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

fn failed(path: &Path, e: &std::io::Error) -> Diagnostic {
    let origin = Origin::File {
        file: path.display().to_string(),
    };
    Diagnostic::error(
        Code::FileAccess,
        &origin,
        format!("the file cannot be written: {e}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::network::{Network, Node, Op};
    use ir::{Shape, Tensor};

    fn module() -> Module {
        let mut network = Network {
            name: "t".to_owned(),
            ..Network::default()
        };
        let weight = Tensor::new(
            Shape::of(&[10, 10]),
            ir::Data::F32((0..100u8).map(f32::from).collect()),
        )
        .expect("100 elements");
        network.nodes.push(Node {
            name: "w".to_owned(),
            op: Op::Linear { weight },
            in_shape: None,
            out_shape: None,
            origin: Origin::Compiler,
        });
        Module::from_network(network, "spinnaker2")
    }

    #[test]
    fn arrays_lie_beside_the_text_under_their_hash() {
        let room = tempfile::tempdir().expect("a temporary folder");
        let path = room.path().join("net.s2ir");
        write(&path, &module(), false).expect("written");
        let blobs: Vec<_> = fs::read_dir(room.path().join("net.s2ir.d"))
            .expect("listed")
            .collect();
        assert_eq!(blobs.len(), 1);
        let bytes = fs::read(&path).expect("readable");
        assert_eq!(read(&path, &bytes).expect("parses"), module());

        let blob = blobs[0].as_ref().expect("an entry").path();
        let mut npy = fs::read(&blob).expect("readable");
        npy[200] ^= 1;
        fs::write(&blob, npy).expect("writable");
        let e = read(&path, &bytes).expect_err("altered");
        assert_eq!(e.0[0].code, Code::TextBlob);
        fs::remove_file(&blob).expect("removable");
        assert!(read(&path, &bytes).is_err());
    }

    #[test]
    fn a_replacement_that_is_not_kept_leaves_what_was_there() {
        use std::io::Write;
        let room = tempfile::tempdir().expect("a temporary folder");
        let path = room.path().join("out.txt");
        fs::write(&path, "old").expect("written");
        let mut lost = Replacement::new(&path).expect("begun");
        lost.write_all(b"new").expect("written");
        drop(lost);
        assert_eq!(fs::read(&path).expect("there"), b"old");
        let mut kept = Replacement::new(&path).expect("begun");
        kept.write_all(b"new").expect("written");
        kept.keep().expect("kept");
        assert_eq!(fs::read(&path).expect("there"), b"new");
        let files = fs::read_dir(room.path()).expect("listed").count();
        assert_eq!(files, 1);
    }

    #[test]
    fn inline_text_needs_no_folder() {
        let text = inline(&module());
        let got = parse(&text, "x", &ir::text::NoBlobs).expect("parses");
        assert_eq!(got, module());
    }
}
