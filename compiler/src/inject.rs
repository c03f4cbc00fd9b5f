//! `--inject`: faults on purpose, as they are typed.

use crate::options::{escape, usage};
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::routing::Link;
use ir::{ChipCoord, GlobalPe, PeCoord};
use runtime_sim::Injection;
use runtime_sim::inject::{Chance, Flip};

const HELP: &str = "write drop=RATE, flip=RATE, flip=PE:ADDR:BIT@TICK, dead-pe=PE[@TICK], \
                    dead-link=chip(X,Y):LINK[@TICK], late-host=TICKS, seed=N, separated by \
                    commas; a PE as pe(1,1,0) or chip(0,0)/pe(1,1,0), a link as E, NE, N, W, \
                    SW or S";

/// Reads every `--inject`; all faults of the text are reported.
pub fn parse(texts: &[String]) -> Result<Injection> {
    let mut injection = Injection::default();
    let mut errors = Vec::new();
    for text in texts {
        for part in parts(text) {
            if let Err(why) = one(part.trim(), &mut injection) {
                errors.push(wrong(part.trim(), &why));
            }
        }
    }
    if errors.is_empty() {
        Ok(injection)
    } else {
        Err(Diagnostics(errors))
    }
}

fn wrong(part: &str, why: &str) -> Diagnostic {
    usage("--inject", format!("'{}' {why}", escape(part))).help(HELP)
}

/// Splits at commas that are not inside parentheses.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}

fn one(part: &str, into: &mut Injection) -> std::result::Result<(), String> {
    let (name, value) = part.split_once('=').ok_or("has no value")?;
    match name {
        "drop" => into.drop = chance(value)?,
        "flip" if value.contains("pe(") => into.flips.push(flip(value)?),
        "flip" => into.flip_rate = chance(value)?,
        "dead-pe" => {
            let (pe, tick) = match value.split_once('@') {
                Some((pe, tick)) => (pe, number(tick, "a tick")?),
                None => (value, 0),
            };
            into.dead.insert(self::pe(pe)?, tick);
        }
        "dead-link" => {
            let (link, tick) = match value.split_once('@') {
                Some((link, tick)) => (link, number(tick, "a tick")?),
                None => (value, 0),
            };
            into.dead_links.insert(self::link(link)?, tick);
        }
        "late-host" => into.late_host = number(value, "a number of ticks")?,
        "seed" => into.seed = number(value, "a seed")?,
        _ => return Err("is no kind of fault".to_owned()),
    }
    Ok(())
}

fn chance(text: &str) -> std::result::Result<Chance, String> {
    let share = text.parse::<f64>().ok();
    share
        .and_then(Chance::new)
        .ok_or_else(|| "is no rate between 0 and 1".to_owned())
}

fn number<T: std::str::FromStr>(text: &str, what: &str) -> std::result::Result<T, String> {
    text.parse()
        .map_err(|_| format!("does not give {what} that is a whole number"))
}

/// `PE:ADDR:BIT@TICK`.
fn flip(text: &str) -> std::result::Result<Flip, String> {
    const FORM: &str = "is not flip=PE:ADDR:BIT@TICK";
    let (place, tick) = text.split_once('@').ok_or(FORM)?;
    let mut fields = place.rsplitn(3, ':');
    let (bit, addr) = (fields.next().ok_or(FORM)?, fields.next().ok_or(FORM)?);
    let pe = pe(fields.next().ok_or(FORM)?)?;
    let addr = match addr.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => addr.parse().ok(),
    };
    Ok(Flip {
        pe,
        addr: addr.ok_or("has no address such as 0x4000")?,
        bit: number(bit, "a bit")?,
        tick: number(tick, "a tick")?,
    })
}

/// The numbers of `name(…)`.
fn list<T: std::str::FromStr>(text: &str, name: &str) -> Option<Vec<T>> {
    let inner = text.trim().strip_prefix(name)?;
    let inner = inner.strip_prefix('(')?.strip_suffix(')')?;
    inner.split(',').map(|n| n.trim().parse().ok()).collect()
}

/// `chip(x,y):LINK`.
fn link(text: &str) -> std::result::Result<(ChipCoord, Link), String> {
    const FORM: &str = "names no link such as chip(0,0):E";
    let (chip, link) = text.split_once(':').ok_or(FORM)?;
    let link = Link::from_name(link.trim()).ok_or(FORM)?;
    match list::<u16>(chip, "chip").as_deref() {
        Some(&[x, y]) => Ok((ChipCoord { x, y }, link)),
        _ => Err(FORM.to_owned()),
    }
}

/// `chip(x,y)/pe(x,y,p)`, or `pe(x,y,p)` on the first chip.
fn pe(text: &str) -> std::result::Result<GlobalPe, String> {
    const FORM: &str = "names no PE";
    let (chip, pe) = text.split_once('/').unwrap_or(("chip(0,0)", text));
    let chip = list::<u16>(chip, "chip").ok_or(FORM)?;
    let pe = list::<u8>(pe, "pe").ok_or(FORM)?;
    match (chip.as_slice(), pe.as_slice()) {
        (&[x, y], &[qx, qy, p]) => Ok(GlobalPe {
            chip: ChipCoord { x, y },
            pe: PeCoord::new(qx, qy, p).ok_or(FORM)?,
        }),
        _ => Err(FORM.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Injection> {
        parse(&[text.to_owned()])
    }

    #[test]
    fn every_kind_is_read() {
        let i = read("drop=0.25,seed=7,dead-pe=chip(1,2)/pe(3,4,1)@5,flip=pe(1,1,0):0x4000:3@9,flip=1e-3,late-host=2")
            .expect("good");
        let at = |x, y, qx, qy, p| GlobalPe {
            chip: ChipCoord { x, y },
            pe: PeCoord::new(qx, qy, p).expect("a PE"),
        };
        assert_eq!((i.seed, i.late_host), (7, 2));
        assert_eq!(Some(i.drop), Chance::new(0.25));
        assert_eq!(Some(i.flip_rate), Chance::new(0.001));
        assert_eq!(
            i.dead.into_iter().collect::<Vec<_>>(),
            [(at(1, 2, 3, 4, 1), 5)]
        );
        let flip = Flip {
            pe: at(0, 0, 1, 1, 0),
            addr: 0x4000,
            bit: 3,
            tick: 9,
        };
        assert_eq!(i.flips, [flip]);
        let links = read("dead-link=chip(1,2):SW@8,dead-link=chip(0,0):E")
            .expect("good")
            .dead_links;
        let chip = |x, y| ChipCoord { x, y };
        let expected = [
            ((chip(0, 0), Link::East), 0),
            ((chip(1, 2), Link::SouthWest), 8),
        ];
        assert_eq!(links.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(
            read("dead-pe=pe(1,1,2)").expect("good").dead[&at(0, 0, 1, 1, 2)],
            0
        );
    }

    #[test]
    fn wrong_texts_are_named_one_by_one() {
        for wrong in [
            "",
            "drop",
            "drop=2",
            "drop=-1",
            "drop=x",
            "drop=nan",
            "flip=pe(1,1,0):1@2",
            "flip=pe(1,1,0):0xg:1@2",
            "flip=pe(1,1,0):1:1",
            "dead-pe=1,1,0",
            "dead-pe=pe(1,1)",
            "dead-pe=pe(1,1,9)",
            "dead-pe=pe(1,1,0)@x",
            "late-host=-1",
            "seed=",
            "fire=1",
            "dead-link=0,0:N",
            "dead-link=chip(0,0):n",
            "dead-link=chip(0,0)",
            "dead-link=chip(0):N",
            "dead-link=chip(0,0):N@x",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let errors = read("drop=2,late-host=x,seed=1").expect_err("two faults");
        assert_eq!(errors.0.len(), 2, "{errors}");
    }
}
