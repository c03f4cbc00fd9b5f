//! Version, target, semantics, facts; and the origin clause.

use super::Parser;
use crate::code::Code;
use crate::diag::{Diagnostic, Result};
use crate::facts::{Fact, FactSet};
use crate::geometry::{ChipCoord, GlobalPe, PeCoord};
use crate::machine::Machine;
use crate::origin::{Origin, escape};
use crate::routing::Link;
use crate::text::lex::{Cursor, Parsed};
use crate::text::{PASSES, VERSION, choices, limit};

impl Parser<'_> {
    /// The first line that is not blank.
    pub(super) fn version(&mut self, first: Option<(usize, &str)>) -> Result<()> {
        let (number, line) = first.unwrap_or((1, ""));
        self.line = number;
        let wrong = |message: String| {
            let shown: String = line.chars().take(70).collect();
            Diagnostic::error(Code::TextVersion, &self.here(), message)
                .note(format!("the first line is: {}", escape(&shown)))
                .help(format!("the first line must be `s2ir {VERSION} \"name\"`"))
        };
        let mut c = Cursor::new(line);
        if !c.eat_word("s2ir") {
            return Err(wrong("the text does not start with its version".to_owned()).into());
        }
        let version = c.word("a version").unwrap_or("?");
        if version != VERSION.to_string() {
            return Err(wrong(format!(
                "the text has version {}, this s2c reads version {VERSION}",
                escape(version)
            ))
            .into());
        }
        let name = c.string("the module's name in quotes");
        let name = name.and_then(|name| c.end().map(|()| name));
        match name {
            Ok(name) => {
                self.module.name = name;
                Ok(())
            }
            Err(e) => Err(wrong(e.message).into()),
        }
    }

    /// A header line may occur once.
    pub(super) fn once(&mut self, c: &Cursor<'_>, noun: &'static str) -> Parsed<()> {
        if self.seen.insert(noun) {
            Ok(())
        } else {
            Err(c.fail(format!("expected one `{noun}` line only")))
        }
    }

    pub(super) fn target(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        self.once(c, "target")?;
        self.module.target = c.string("the target's name in quotes")?;
        c.keyword("chips")?;
        let (width, height) = c.choice("a size such as `1x1`", |w| {
            let (w, h) = w.split_once('x')?;
            let (w, h) = (w.parse().ok()?, h.parse().ok()?);
            Machine::sizes().contains(&w).then_some(())?;
            Machine::sizes().contains(&h).then_some((w, h))
        })?;
        self.module.machine.width = width;
        self.module.machine.height = height;
        c.keyword("step")?;
        self.module.time_step_us = c.choice("a time step such as `1000us`", |w| {
            w.strip_suffix("us")?.parse().ok().filter(|us| *us > 0)
        })?;
        Ok(())
    }

    pub(super) fn dead(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        if c.eat_word("link") {
            let chip = self.chip(c)?;
            let link = c.choice("a link such as `NE`", Link::from_name)?;
            self.module.machine.dead_links.insert((chip, link));
        } else {
            let pe = self.global_pe(c)?;
            self.module.machine.dead_pes.insert(pe);
        }
        Ok(())
    }

    pub(super) fn semantics(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        self.once(c, "semantics")?;
        while !c.at_end() {
            let before = c.clone();
            let flag = c.word("the name of a choice, such as `reset`")?;
            if flag == "dt" {
                let dt = c.choice("seconds above 0", |w| {
                    w.parse()
                        .ok()
                        .filter(|dt: &f64| dt.is_finite() && *dt > 0.0)
                })?;
                self.module.semantics.dt = Some(dt);
                continue;
            }
            let at = c.clone();
            let value = c.word("a value")?;
            match choices::set_semantics(&mut self.module.semantics, flag, value) {
                Some(Ok(())) => {}
                Some(Err(message)) => return Err(at.fail(message)),
                None => return Err(before.fail("expected the name of a choice of semantics")),
            }
        }
        Ok(())
    }

    pub(super) fn quantisation(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        self.once(c, "quantisation")?;
        while !c.at_end() {
            let before = c.clone();
            let flag = c.word("the name of a choice, such as `weights`")?;
            if flag == "weight-scale" {
                let scale = c.choice("a scale above 0", |w| {
                    w.parse().ok().filter(|s: &f64| s.is_finite() && *s > 0.0)
                })?;
                self.module.quantisation.weight_scale = Some(scale);
                continue;
            }
            if flag == "state" {
                self.module.quantisation.state = c.choice("f32 or fixed", |w| w.parse().ok())?;
                continue;
            }
            let at = c.clone();
            let value = c.word("a value")?;
            match choices::set_quantisation(&mut self.module.quantisation, flag, value) {
                Some(Ok(())) => {}
                Some(Err(message)) => return Err(at.fail(message)),
                None => return Err(before.fail("expected the name of a choice of quantisation")),
            }
        }
        Ok(())
    }

    pub(super) fn facts(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        self.once(c, "facts")?;
        while !c.at_end() {
            let fact = c.choice("a fact, such as `shaped`", Fact::from_name)?;
            self.module.facts = self.module.facts.with(FactSet::of(&[fact]));
        }
        Ok(())
    }

    /// `chip(x,y)`
    pub(super) fn chip(&self, c: &mut Cursor<'_>) -> Parsed<ChipCoord> {
        c.keyword("chip")?;
        c.symbol("(")?;
        let x = c.number("a column")?;
        c.symbol(",")?;
        let y = c.number("a row")?;
        c.symbol(")")?;
        Ok(ChipCoord { x, y })
    }

    /// `pe(x,y,p)`
    pub(super) fn pe(&self, c: &mut Cursor<'_>) -> Parsed<PeCoord> {
        let before = c.clone();
        c.keyword("pe")?;
        c.symbol("(")?;
        let x = c.number("a QPE column")?;
        c.symbol(",")?;
        let y = c.number("a QPE row")?;
        c.symbol(",")?;
        let p = c.number("a PE number")?;
        c.symbol(")")?;
        PeCoord::new(x, y, p).ok_or_else(|| before.fail("expected a PE within pe(7,7,3)"))
    }

    pub(super) fn global_pe(&self, c: &mut Cursor<'_>) -> Parsed<GlobalPe> {
        Ok(GlobalPe {
            chip: self.chip(c)?,
            pe: self.pe(c)?,
        })
    }

    /// The closing `origin` clause; without it, this line.
    pub(super) fn origin(&self, c: &mut Cursor<'_>) -> Parsed<Origin> {
        if !c.eat_word("origin") {
            return Ok(self.here());
        }
        let mut passes = Vec::new();
        let root = loop {
            let before = c.clone();
            match c.word("an origin: a pass, nir, text, file, option or compiler")? {
                "nir" => {
                    break Origin::NirNode {
                        file: c.string("a file name in quotes")?,
                        path: c.string("a path in quotes")?,
                        kind: c.string("a node type in quotes")?,
                    };
                }
                "text" => {
                    break Origin::Text {
                        file: c.string("a file name in quotes")?,
                        line: c.number("a line number")?,
                    };
                }
                "file" => {
                    break Origin::File {
                        file: c.string("a file name in quotes")?,
                    };
                }
                "option" => {
                    break Origin::Option {
                        flag: c.string("an option in quotes")?,
                    };
                }
                "compiler" => break Origin::Compiler,
                word => match PASSES.iter().find(|p| **p == word) {
                    Some(pass) if passes.len() < limit::DERIVATIONS => passes.push(*pass),
                    Some(_) => return Err(before.fail("expected fewer passes")),
                    None => {
                        let what = "expected a pass, nir, text, file, option or compiler";
                        return Err(before.fail(what));
                    }
                },
            }
        };
        let derive = |from: Origin, pass: &&'static str| Origin::Derived {
            pass,
            from: Box::new(from),
        };
        Ok(passes.iter().rev().fold(root, derive))
    }
}
