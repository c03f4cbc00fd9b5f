//! Connectors of projections.

use super::Parser;
use crate::app::{Connector, Conv, Synapses};
use crate::tensor::Data;
use crate::text::lex::{Cursor, Parsed};
use crate::text::limit;

impl Parser<'_> {
    pub(super) fn connector(&mut self, c: &mut Cursor<'_>) -> Parsed<Connector> {
        let before = c.clone();
        let what = "a connector: dense, conv or sparse";
        Ok(match c.word(what)? {
            "dense" => Connector::Dense,
            "conv" => Connector::Conv(Conv {
                source: self.geometry(c, "source")?,
                target: self.geometry(c, "target")?,
                kernel: self.geometry(c, "kernel")?,
                stride: self.geometry(c, "stride")?,
                padding: self.geometry(c, "padding")?,
                dilation: self.geometry(c, "dilation")?,
            }),
            "sparse" => {
                let starts = self.indices(c, "starts")?;
                let targets = self.indices(c, "targets")?;
                let synapses = Synapses::new(starts, targets);
                Connector::Sparse(synapses.ok_or_else(|| {
                    before.fail(
                        "expected starts that rise from 0 to the number of targets, and targets \
                         that ascend between them",
                    )
                })?)
            }
            _ => return Err(before.fail(format!("expected {what}"))),
        })
    }

    fn geometry<const N: usize>(&self, c: &mut Cursor<'_>, key: &str) -> Parsed<[usize; N]> {
        c.keyword(key)?;
        self.sizes(c)
    }

    /// An array of positions.
    fn indices(&mut self, c: &mut Cursor<'_>, key: &str) -> Parsed<Vec<u32>> {
        c.keyword(key)?;
        let before = c.clone();
        let tensor = self.tensor(c)?;
        let wrong = || before.fail("expected an i32 array of numbers from 0 on");
        match tensor.data() {
            Data::I32(values) if tensor.shape().rank() == 1 => {
                let values = values.iter().map(|v| u32::try_from(*v));
                values.collect::<Result<_, _>>().map_err(|_| wrong())
            }
            _ => Err(wrong()),
        }
    }

    /// `[2 2]`: exactly so many sizes, which claim nothing.
    pub(super) fn sizes<const N: usize>(&self, c: &mut Cursor<'_>) -> Parsed<[usize; N]> {
        let before = c.clone();
        let sizes = self.size_list(c)?;
        let wrong = |_| before.fail(format!("expected {N} sizes in brackets"));
        sizes.try_into().map_err(wrong)
    }

    /// `[2 2]` of any length.
    pub(super) fn size_list(&self, c: &mut Cursor<'_>) -> Parsed<Vec<usize>> {
        c.symbol("[")?;
        let mut sizes = Vec::new();
        while !c.eat("]") {
            if sizes.len() == limit::RANK {
                return Err(c.fail(format!("expected at most {} sizes", limit::RANK)));
            }
            sizes.push(c.number("a size or `]`")?);
        }
        Ok(sizes)
    }
}
