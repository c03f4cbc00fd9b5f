//! Text to module.

mod app;
mod connector;
mod header;
mod machine;
mod network;
mod neuron;
mod op;
mod value;

use super::lex::{Cursor, Expected, Fault, Parsed};
use super::{BlobSource, limit};
use crate::code::Code;
use crate::diag::{Diagnostic, Diagnostics, Result};
use crate::id::Id;
use crate::module::Module;
use crate::network::Network;
use crate::origin::{Origin, escape};
use std::collections::{BTreeMap, BTreeSet};

/// Reads a text. `file` is its name in diagnostics and in the origins of
/// objects that have no `origin` clause; large arrays come from `blobs`.
pub fn parse(text: &str, file: &str, blobs: &dyn BlobSource) -> Result<Module> {
    let mut parser = Parser {
        file,
        blobs,
        line: 1,
        module: Module::from_network(Network::default(), "spinnaker2"),
        seen: BTreeSet::new(),
        nodes: Kind::new("node"),
        populations: Kind::new("pop"),
        projections: Kind::new("proj"),
        vertices: Kind::new("v"),
        nets: Kind::new("n"),
        atoms: 0,
        elements: 0,
    };
    let mut lines = (1..)
        .zip(text.lines())
        .filter(|(_, l)| !Cursor::new(l).at_end());
    let first = lines.next();
    parser.version(first)?;
    let mut errors: Vec<Diagnostic> = Vec::new();
    for (number, line) in lines {
        parser.line = number;
        let mut cursor = Cursor::new(line);
        let parsed = parser.declaration(&mut cursor).and_then(|()| cursor.end());
        let Err(expected) = parsed else { continue };
        parser.mark_broken(line);
        if expected.fault == Fault::Follows {
            continue;
        }
        errors.push(parser.diagnostic(line, expected));
        if errors.len() == limit::ERRORS {
            let origin = parser.here();
            let stopped = Diagnostic::error(Code::TextSyntax, &origin, "too many errors");
            errors.push(stopped.note("the rest of the text was not read"));
            break;
        }
    }
    if errors.is_empty() {
        Ok(parser.module)
    } else {
        Err(Diagnostics(errors))
    }
}

struct Parser<'a> {
    file: &'a str,
    blobs: &'a dyn BlobSource,
    /// 1-based.
    line: usize,
    module: Module,
    /// Header lines that were read.
    seen: BTreeSet<&'static str>,
    nodes: Kind,
    populations: Kind,
    projections: Kind,
    vertices: Kind,
    nets: Kind,
    /// What the text has claimed so far; see [`limit`].
    atoms: usize,
    elements: usize,
}

/// The declared objects of one kind.
struct Kind {
    prefix: &'static str,
    len: u32,
    /// Position by name; `None` for a name that several objects share.
    names: BTreeMap<String, Option<u32>>,
    /// A declaration failed, so unknown names may be consequences of that.
    broken: bool,
}

impl Kind {
    fn new(prefix: &'static str) -> Self {
        Self {
            prefix,
            len: 0,
            names: BTreeMap::new(),
            broken: false,
        }
    }

    fn declare(&mut self, name: String) {
        let position = self.len;
        self.names
            .entry(name)
            .and_modify(|shared| *shared = None)
            .or_insert(Some(position));
        self.len += 1;
    }

    /// The `%v3 =` of a declaration, which must be the next position.
    fn declare_id(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let next = format!("`%{}{}` (ids count up from 0)", self.prefix, self.len);
        let before = c.clone();
        if c.id(self.prefix, &next)? != self.len {
            return Err(self.unknown(&before, format!("expected {next}")));
        }
        self.len += 1;
        c.symbol("=")
    }

    fn unknown(&self, at: &Cursor<'_>, message: String) -> Expected {
        let fault = if self.broken {
            Fault::Follows
        } else {
            Fault::Syntax
        };
        Expected {
            fault,
            ..at.fail(message)
        }
    }

    /// A reference by name or by compiler name.
    fn reference<I: Id>(&self, c: &mut Cursor<'_>, what: &str) -> Parsed<I> {
        let before = c.clone();
        let position = if c.peek() == Some('@') {
            let name = c.name(what)?;
            match self.names.get(&name) {
                Some(Some(position)) => *position,
                Some(None) => {
                    let message = format!("expected one {what}: several have this name");
                    return Err(before.fail(message));
                }
                None => {
                    let message = format!("expected {what} that an earlier line declares");
                    return Err(self.unknown(&before, message));
                }
            }
        } else {
            c.id(self.prefix, what)?
        };
        if position >= self.len {
            let message = format!("expected {what} that an earlier line declares");
            return Err(self.unknown(&before, message));
        }
        Ok(I::from_index(position as usize))
    }

    /// As many references as follow; `none` stands for no reference.
    fn references<I: Id>(&self, c: &mut Cursor<'_>, what: &str) -> Parsed<Vec<I>> {
        let mut ids = Vec::new();
        if c.eat_word("none") {
            return Ok(ids);
        }
        while ids.is_empty() || matches!(c.peek(), Some('@' | '%')) {
            ids.push(self.reference(c, what)?);
        }
        Ok(ids)
    }
}

impl Parser<'_> {
    fn here(&self) -> Origin {
        Origin::Text {
            file: self.file.to_owned(),
            line: self.line,
        }
    }

    fn diagnostic(&self, line: &str, expected: Expected) -> Diagnostic {
        let code = match expected.fault {
            Fault::Blob => Code::TextBlob,
            Fault::Syntax | Fault::Follows => Code::TextSyntax,
        };
        // A window around the column, because lines with arrays can be long.
        let start = expected.column.saturating_sub(30);
        let near: String = line.chars().skip(start).take(70).collect();
        Diagnostic::error(code, &self.here(), expected.message).note(format!(
            "line {}, column {}: {}",
            self.line,
            expected.column,
            escape(&near)
        ))
    }

    fn declaration(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let before = c.clone();
        match c.word("a declaration")? {
            "target" => self.target(c),
            "dead" => self.dead(c),
            "semantics" => self.semantics(c),
            "quantisation" => self.quantisation(c),
            "facts" => self.facts(c),
            "input" => self.input(c),
            "network" => self.network(c),
            "node" => self.node(c),
            "edge" => self.edge(c),
            "ticks_per_step" => self.ticks_per_step(c),
            "population" => self.population(c),
            "projection" => self.projection(c),
            "output" => self.output(c),
            "vertex" => self.vertex(c),
            "net" => self.net(c),
            "place" => self.place(c),
            "key" => self.key(c),
            "tree" => self.tree(c),
            "table" => self.table(c),
            "entry" => self.entry(c),
            "layout" => self.layout(c),
            "region" => self.region(c),
            _ => Err(before.fail(
                "expected a declaration: target, dead, semantics, quantisation, facts, input, \
                 network, node, edge, ticks_per_step, population, projection, output, vertex, net, \
                 place, key, tree, table, entry, layout or region",
            )),
        }
    }

    /// After a failed declaration, references to its kind may fail for no
    /// fault of their own.
    fn mark_broken(&mut self, line: &str) {
        let kind = match line.split_whitespace().next() {
            Some("node") => &mut self.nodes,
            Some("population") => &mut self.populations,
            Some("projection") => &mut self.projections,
            Some("vertex") => &mut self.vertices,
            Some("net") => &mut self.nets,
            _ => return,
        };
        kind.broken = true;
    }
}
