//! What the first bytes of a file say, so that a wrong file is named for what it is.

use ir::diag::Result;
use ir::origin::escape;
use ir::{Code, Diagnostic, Origin};

const SIGNATURE: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

/// Passes files that start as HDF5 (with or without a user block) and are not
/// visibly cut off; says what the others look like.
pub(super) fn check(bytes: &[u8], file: &str) -> Result<()> {
    let origin = Origin::File {
        file: file.to_owned(),
    };
    if let Some(end) = end_of_file(bytes) {
        return match end {
            End::Complete => Ok(()),
            End::Cut(wanted) => {
                Err(
                    Diagnostic::error(Code::Hdf5Damaged, &origin, "the HDF5 file is cut off")
                        .note(format!(
                            "its superblock promises {wanted}, the file has {} bytes",
                            bytes.len()
                        ))
                        .help("copy or download the file again")
                        .into(),
                )
            }
        };
    }
    let (looks_like, help) = appearance(bytes);
    Err(
        Diagnostic::error(Code::NotHdf5, &origin, "this is not a NIR file (not HDF5)")
            .note(looks_like)
            .help(help)
            .into(),
    )
}

enum End {
    Complete,
    Cut(String),
}

/// `None` if no HDF5 signature is where one may be: at 0, 512, 1024, 2048, …
fn end_of_file(bytes: &[u8]) -> Option<End> {
    if !bytes.is_empty() && bytes.len() < SIGNATURE.len() && SIGNATURE.starts_with(bytes) {
        return Some(End::Cut("a signature of 8 bytes".to_owned()));
    }
    let mut at = 0usize;
    while bytes.get(at..at + 8)? != SIGNATURE {
        at = if at == 0 { 512 } else { at.checked_mul(2)? };
    }
    if at != 0 {
        // The user block moves all addresses; the reader finds a cut itself.
        return Some(End::Complete);
    }
    // Where the end-of-file address lies depends on the superblock version.
    let field = match bytes.get(8) {
        Some(0) => 40,
        Some(1) => 44,
        Some(2 | 3) => 28,
        Some(_) => return Some(End::Complete),
        None => return Some(End::Cut("a superblock".to_owned())),
    };
    let width = match bytes.get(8) {
        Some(0 | 1) => bytes.get(13),
        _ => bytes.get(9),
    };
    if width.is_some_and(|&w| w != 8) {
        return Some(End::Complete);
    }
    let Some(raw) = bytes.get(field..field + 8) else {
        return Some(End::Cut("a superblock".to_owned()));
    };
    let end = raw.iter().rev().fold(0u64, |n, &b| n << 8 | u64::from(b));
    Some(if end > bytes.len() as u64 {
        End::Cut(format!("{end} bytes"))
    } else {
        End::Complete
    })
}

fn appearance(bytes: &[u8]) -> (String, &'static str) {
    const EXPORT: &str = "export the network with nir.write, which makes an HDF5 file";
    let head = &bytes[..bytes.len().min(4096)];
    let holds = |needle: &[u8]| head.windows(needle.len()).any(|w| w == needle);
    if bytes.is_empty() {
        return (
            "the file is empty".to_owned(),
            "copy or export the file again",
        );
    }
    if bytes.iter().take(4096).all(|&b| b == 0) {
        return (
            "it holds only zero bytes: a copy that never finished".to_owned(),
            "copy or download the file again",
        );
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return if holds(b"data.pkl") || holds(b"archive/") {
            (
                "it is a zip archive as torch.save writes it".to_owned(),
                "load it in PyTorch and export it with the framework's NIR exporter",
            )
        } else if holds(b".npy") {
            (
                "it is a zip archive of NumPy arrays (.npz)".to_owned(),
                "give it with --input; the network comes first",
            )
        } else {
            ("it is a zip archive".to_owned(), "unpack it first")
        };
    }
    if bytes.starts_with(b"version https://git-lfs") {
        let size = String::from_utf8_lossy(head)
            .lines()
            .find_map(|l| l.strip_prefix("size ").map(escape))
            .map(|s| format!(" for a file of {s} bytes"))
            .unwrap_or_default();
        return (
            format!("it is a Git LFS pointer{size}, not the file itself"),
            "run `git lfs pull` in the repository that the file comes from",
        );
    }
    if bytes.starts_with(b"\x93NUMPY") {
        return (
            "it is a NumPy array (.npy)".to_owned(),
            "give it with --input",
        );
    }
    if bytes.starts_with(b"\x1f\x8b") {
        return ("it is gzip-compressed".to_owned(), "unpack it with gunzip");
    }
    if bytes.starts_with(b"s2ir ") {
        return (
            "it is IR text of s2c".to_owned(),
            "name it with the ending .s2ir",
        );
    }
    if let [0x80, 2..=5, ..] = bytes {
        return ("it is a Python pickle".to_owned(), EXPORT);
    }
    let text = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        // The window may cut the last character.
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&head[..e.valid_up_to()]).ok(),
        Err(_) => None,
    };
    if let Some(text) = text.filter(|t| !t.contains('\0')) {
        let first: String = text.trim_start().chars().take(40).collect();
        let first = first.lines().next().unwrap_or_default();
        return if first.to_ascii_lowercase().starts_with("<!doctype") || first.starts_with("<html")
        {
            (
                "it is a web page".to_owned(),
                "download the raw file instead of the page that shows it",
            )
        } else {
            (
                format!("it is text that begins with '{}'", escape(first)),
                EXPORT,
            )
        };
    }
    let hex: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
    (
        format!(
            "it begins with the bytes {}; HDF5 begins with 89 48 44 46 0d 0a 1a 0a",
            hex.join(" ")
        ),
        EXPORT,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(bytes: &[u8]) -> (Code, String) {
        let d = check(bytes, "n.nir").unwrap_err().0.remove(0);
        (d.code, d.notes.join(" "))
    }

    #[test]
    fn wrong_files_are_named() {
        for (bytes, words) in [
            (&b""[..], "empty"),
            (b"PK\x03\x04....archive/data.pkl", "torch.save"),
            (b"PK\x03\x04....x.npy", "NumPy arrays"),
            (b"PK\x03\x04....x", "zip archive"),
            (
                b"version https://git-lfs.github.com/spec/v1\nsize 77\n",
                "of 77 bytes",
            ),
            (b"\x93NUMPY\x01\x00", "NumPy"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"\x80\x04\x95", "pickle"),
            (b"<!DOCTYPE html><html>", "web page"),
            (b"404: \x1bNot Found", "404: \\u{1b}Not Found"),
            (b"\xff\xfe\x00\x01", "ff fe 00 01"),
            (&[0; 600], "zero bytes"),
            (b"s2ir 1 \"x\"", "IR text"),
        ] {
            let (code, text) = note(bytes);
            assert_eq!(code, Code::NotHdf5, "{text}");
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn cut_files_are_damaged_hdf5() {
        for n in [1, 7, 8, 20, 44, 60] {
            let mut v0 = SIGNATURE.to_vec();
            v0.extend([0, 0, 0, 0, 0, 8, 8, 0]);
            v0.resize(40, 0);
            v0.extend(2000u64.to_le_bytes());
            v0.resize(100, 0);
            let (code, text) = note(&v0[..n]);
            assert_eq!(code, Code::Hdf5Damaged);
            assert!(text.contains(&format!("has {n} bytes")), "{text}");
        }
    }
}
