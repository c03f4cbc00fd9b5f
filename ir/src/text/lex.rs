//! Tokens of one line, and the cursor that walks over them.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{anychar, char, none_of, space0};
use nom::combinator::{map_opt, recognize, value};
use nom::multi::fold_many0;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};
use std::str::FromStr;

/// Characters that need no quotes in a name.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_name_char)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

/// Letters, digits, `_`, `.`, `-`, `+`: words of the language and numbers.
fn word(i: &str) -> IResult<&str, &str> {
    take_while1(|c: char| is_name_char(c) || c == '-' || c == '+').parse(i)
}

fn escape(i: &str) -> IResult<&str, char> {
    let code = delimited(
        tag("u{"),
        take_while1(|c: char| c.is_ascii_hexdigit()),
        char('}'),
    );
    let unicode = map_opt(code, |hex| {
        u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)
    });
    preceded(
        char('\\'),
        alt((
            value('"', char('"')),
            value('\\', char('\\')),
            value('\n', char('n')),
            value('\r', char('r')),
            value('\t', char('t')),
            unicode,
        )),
    )
    .parse(i)
}

fn string(i: &str) -> IResult<&str, String> {
    let item = alt((none_of("\"\\"), escape));
    let body = fold_many0(item, String::new, |mut s, c| {
        s.push(c);
        s
    });
    delimited(char('"'), body, char('"')).parse(i)
}

fn name(i: &str) -> IResult<&str, String> {
    let plain = take_while1(is_name_char).map(str::to_owned);
    preceded(char('@'), alt((string, plain))).parse(i)
}

/// `%v12` as its prefix and number.
fn compiler_name(i: &str) -> IResult<&str, (&str, u32)> {
    let (i, _) = char('%').parse(i)?;
    let (i, prefix) = take_while1(|c: char| c.is_ascii_lowercase()).parse(i)?;
    let digits = take_while1(|c: char| c.is_ascii_digit());
    let (i, n) = map_opt(digits, |n: &str| n.parse().ok()).parse(i)?;
    Ok((i, (prefix, n)))
}

fn hex32(i: &str) -> IResult<&str, u32> {
    let digits = take_while1(|c: char| c.is_ascii_hexdigit());
    map_opt(preceded(tag("0x"), digits), |h| {
        u32::from_str_radix(h, 16).ok()
    })
    .parse(i)
}

fn blank(i: &str) -> IResult<&str, &str> {
    let comment = preceded(alt((tag("#"), tag("//"))), take_while(|_| true));
    recognize((space0, nom::combinator::opt(comment))).parse(i)
}

/// What a line should have had at some column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expected {
    pub(super) column: usize,
    pub(super) message: String,
    pub(super) fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Syntax,
    Blob,
    /// A consequence of an error that was already reported.
    Follows,
}

pub(super) type Parsed<T> = Result<T, Expected>;

/// A position in a line. Each method skips blanks first and moves on only if
/// it succeeds.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    line: &'a str,
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { line, rest: line }
    }

    pub(super) fn fail(&self, message: impl Into<String>) -> Expected {
        let rest = self.rest.trim_start();
        Expected {
            column: self.line[..self.line.len() - rest.len()].chars().count() + 1,
            message: message.into(),
            fault: Fault::Syntax,
        }
    }

    fn take<T>(
        &mut self,
        parser: impl Fn(&'a str) -> IResult<&'a str, T>,
        what: &str,
    ) -> Parsed<T> {
        match parser(self.rest.trim_start()) {
            Ok((rest, value)) => {
                self.rest = rest;
                Ok(value)
            }
            Err(_) => Err(self.fail(format!("expected {what}"))),
        }
    }

    pub(super) fn symbol(&mut self, symbol: &str) -> Parsed<()> {
        if self.eat(symbol) {
            Ok(())
        } else {
            Err(self.fail(format!("expected `{symbol}`")))
        }
    }

    pub(super) fn eat(&mut self, symbol: &str) -> bool {
        match self.rest.trim_start().strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(super) fn word(&mut self, what: &str) -> Parsed<&'a str> {
        self.take(word, what)
    }

    pub(super) fn keyword(&mut self, keyword: &str) -> Parsed<()> {
        if self.eat_word(keyword) {
            Ok(())
        } else {
            Err(self.fail(format!("expected `{keyword}`")))
        }
    }

    pub(super) fn eat_word(&mut self, keyword: &str) -> bool {
        match word(self.rest.trim_start()) {
            Ok((rest, found)) if found == keyword => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// The next word, if there is one and `choose` takes it.
    pub(super) fn choice<T>(
        &mut self,
        what: &str,
        choose: impl Fn(&str) -> Option<T>,
    ) -> Parsed<T> {
        let before = self.clone();
        let word = self.word(what)?;
        choose(word).ok_or_else(|| {
            *self = before;
            self.fail(format!("expected {what}"))
        })
    }

    pub(super) fn number<T: FromStr>(&mut self, what: &str) -> Parsed<T> {
        self.choice(what, |w| w.parse().ok())
    }

    pub(super) fn hex32(&mut self, what: &str) -> Parsed<u32> {
        self.take(hex32, what)
    }

    pub(super) fn string(&mut self, what: &str) -> Parsed<String> {
        self.take(string, what)
    }

    pub(super) fn name(&mut self, what: &str) -> Parsed<String> {
        self.take(name, what)
    }

    /// The number of a compiler name with this prefix.
    pub(super) fn id(&mut self, prefix: &str, what: &str) -> Parsed<u32> {
        let before = self.clone();
        let (found, n) = self.take(compiler_name, what)?;
        if found == prefix {
            Ok(n)
        } else {
            *self = before;
            Err(self.fail(format!("expected {what}")))
        }
    }

    /// The next character after blanks, if any.
    pub(super) fn peek(&self) -> Option<char> {
        anychar::<_, nom::error::Error<&str>>(self.rest.trim_start())
            .ok()
            .map(|(_, c)| c)
    }

    /// Whether only blanks and a comment are left.
    pub(super) fn at_end(&self) -> bool {
        matches!(blank(self.rest), Ok(("", _)))
    }

    pub(super) fn end(&self) -> Parsed<()> {
        if self.at_end() {
            Ok(())
        } else {
            Err(self.fail("expected the end of the line"))
        }
    }
}
