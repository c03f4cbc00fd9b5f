//! Where a thing came from, in the user's own words.

use std::fmt;

/// The source of an IR object. Every object that can reach a diagnostic has one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A node of a NIR file: the file as the user named it, the HDF5 path of
    /// the node, and its type with its shape if known ("Linear 784 -> 512").
    NirNode {
        file: String,
        path: String,
        kind: String,
    },
    /// A place in an IR text: the file and the 1-based line.
    Text { file: String, line: usize },
    /// Made by a pass from something older.
    Derived {
        pass: &'static str,
        from: Box<Origin>,
    },
    /// A whole file, when the fault has no smaller place.
    File { file: String },
    /// A command-line option, as typed.
    Option { flag: String },
    /// The compiler itself (internal errors).
    Compiler,
}

impl Origin {
    /// The origin that a person wrote, with pass derivations stripped.
    pub fn root(&self) -> &Origin {
        match self {
            Origin::Derived { from, .. } => from.root(),
            Origin::NirNode { .. }
            | Origin::Text { .. }
            | Origin::File { .. }
            | Origin::Option { .. }
            | Origin::Compiler => self,
        }
    }
    /// This origin, marked as rewritten by `pass`. Repeated rewriting by the
    /// same pass is recorded once.
    pub fn derived(&self, pass: &'static str) -> Origin {
        match self {
            Origin::Derived { pass: p, .. } if *p == pass => self.clone(),
            _ => Origin::Derived {
                pass,
                from: Box::new(self.clone()),
            },
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::NirNode { file, path, kind } => {
                write!(f, "{}: {} ({})", escape(file), escape(path), escape(kind))
            }
            Origin::Text { file, line } => write!(f, "{}:{line}", escape(file)),
            Origin::Derived { from, .. } => fmt::Display::fmt(from, f),
            Origin::File { file } => write!(f, "{}", escape(file)),
            Origin::Option { flag } => write!(f, "{}", escape(flag)),
            Origin::Compiler => f.write_str("s2c"),
        }
    }
}

/// Makes a name safe to print: control characters (and the bidirectional
/// marks that can reorder a terminal line) become escapes.
pub fn escape(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || reorders {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}
