//! What reaches a vertex: keys, rows, values.

use super::Site;
use crate::contents::{self, Ends};
use crate::kernels::mac::{Factors, Product};
use crate::kernels::{
    Carries, ConvRow, CountRow, DelayedProduct, DelayedRows, DenseRow, KeyRange, Pair, RowBlock,
    RowLayout, Slots, SourcePixels, SparseRow, ValueRows, Values,
};
use ir::app::{AtomOrder, Connector, Conv, Population, Projection, Sends};
use ir::diag::Diagnostic;
use ir::fixed::dense_bound;
use ir::machine_graph::AtomSlice;
use ir::memory::{Region, RegionKind, padded};
use ir::{DType, ProjId, VertexId};

/// Channels that lie side by side; in C order each lies alone.
fn block_channels(population: &Population) -> u32 {
    match population.order {
        AtomOrder::RowMajor => 1,
        AtomOrder::Blocked { channels } => channels as u32,
    }
}

impl<'a> Site<'a> {
    /// The projections that lead from a vertex to this one.
    fn projections_from(&self, source: VertexId) -> impl Iterator<Item = (ProjId, &'a Projection)> {
        let pre = self.module.machine_graph.vertices[source].population;
        let incoming = self.module.app.incoming(self.vertex.population);
        incoming.filter(move |(_, p)| p.pre == pre)
    }

    pub(super) fn ends(&self, projection: &'a Projection, source: VertexId) -> Ends<'a> {
        let graph = &self.module.machine_graph;
        Ends {
            projection,
            pre: (
                &self.module.app.populations[projection.pre],
                graph.vertices[source].slice,
            ),
            post: (self.population, self.vertex.slice),
        }
    }

    fn delay(&self, projection: &Projection) -> Result<u32, Diagnostic> {
        let delay = projection.delay.filter(|&d| d > 0);
        delay.ok_or_else(|| self.lacks(format!("has no delay of {}", projection.name)))
    }

    /// The region of the rows from a vertex; `None` if no synapse leads here.
    fn rows_region(
        &self,
        id: ProjId,
        projection: &'a Projection,
        source: VertexId,
    ) -> Result<Option<Region>, Diagnostic> {
        let kind = RegionKind::Rows {
            projection: id,
            source,
        };
        if let Some(region) = self.layout.find(kind) {
            return Ok(Some(region));
        }
        let ends = self.ends(projection, source);
        match projection.reaches(ends.pre, ends.post) {
            true => Err(self.lacks(format!("has no region {kind}"))),
            false => Ok(None),
        }
    }

    fn pair(&self, projection: &Projection) -> Result<Pair, Diagnostic> {
        let sink = match self.module.app.carries(projection) {
            Sends::Values => Some(DType::F32),
            Sends::Spikes | Sends::Counts { .. } => self.sums()?,
        };
        let weight = projection.weights.dtype();
        let pair = sink.and_then(|sink| Pair::new(weight, sink));
        pair.ok_or_else(|| {
            let sink = sink.map_or("no", DType::name);
            self.lacks(format!(
                "has no row kernel for {} weights and {sink} accumulators",
                weight.name()
            ))
        })
    }

    fn pixels(&self, ends: &Ends<'_>, conv: &Conv) -> Result<SourcePixels, Diagnostic> {
        let (pre, slice) = ends.pre;
        for (population, shape) in [(pre, conv.source), (self.population, conv.target)] {
            let blocked = population.order != AtomOrder::RowMajor;
            if blocked && population.shape.0 != shape
                || population.n_atoms() != shape.iter().product()
            {
                return Err(self.lacks(format!("meets {} in another shape", ends.projection.name)));
            }
        }
        Ok(SourcePixels {
            lo: slice.lo,
            n: slice.n,
            block: block_channels(pre),
            pixels: (conv.source[1] * conv.source[2]) as u32,
        })
    }

    fn row_layout(
        &self,
        id: ProjId,
        projection: &'a Projection,
        source: VertexId,
    ) -> Result<RowLayout, Diagnostic> {
        let pair = self.pair(projection)?;
        Ok(match &projection.connector {
            Connector::Dense => RowLayout::Dense(DenseRow::new(pair, self.vertex.slice.n)),
            Connector::Sparse(_) => RowLayout::Sparse(SparseRow::new(pair)),
            Connector::Conv(conv) => {
                let marks = self.neuron()?.and_then(|n| self.touched(n));
                let row = ConvRow::new(pair, block_channels(self.population)).marking(marks);
                let elements = (conv.kernel[0] * conv.kernel[1]) as u32;
                let kernel = self.region(RegionKind::Kernel { projection: id })?;
                let pixels = self.pixels(&self.ends(projection, source), conv)?;
                let region = self.rows_region(id, projection, source)?;
                let taps = region.map_or(0, |r| r.bytes.saturating_sub(pixels.table_bytes()) / 4);
                RowLayout::Conv {
                    row,
                    kernel: (kernel.addr, elements * row.block_bytes()),
                    source: pixels,
                    taps,
                }
            }
        })
    }

    /// The rows of a projection for the atoms of a vertex, if any lead here.
    fn row_block(
        &self,
        id: ProjId,
        projection: &'a Projection,
        source: VertexId,
    ) -> Result<Option<RowBlock>, Diagnostic> {
        let Some(region) = self.rows_region(id, projection, source)? else {
            return Ok(None);
        };
        Ok(Some(RowBlock {
            rows: region.addr,
            layout: self.row_layout(id, projection, source)?,
        }))
    }

    /// The rows of values that a vertex sends here.
    fn value_slots(&self, source: VertexId) -> Result<Slots, Diagnostic> {
        let from = &self.module.machine_graph.vertices[source];
        let (pre, post) = (from.population, self.vertex.population);
        Ok(Slots {
            address: self.region(RegionKind::Values { source })?.addr,
            count: self.module.app.value_slots(pre, post),
            bytes: 4 * padded(from.slice.n),
        })
    }

    /// The keys that reach this vertex, ascending, with the rows they walk.
    pub(super) fn key_ranges(&self) -> Result<Vec<KeyRange>, Diagnostic> {
        let graph = &self.module.machine_graph;
        let mut ranges = Vec::new();
        for (net_id, net) in graph.nets_into(self.id) {
            let key = self.module.keys.get(&net_id);
            let key = key.ok_or_else(|| Diagnostic::internal(format!("{net_id} has no key")))?;
            let from = &graph.vertices[net.source];
            let blocks = || -> Result<Vec<DelayedRows>, Diagnostic> {
                let mut blocks = Vec::new();
                for (id, projection) in self.projections_from(net.source) {
                    if self.vertex.array.contains(&id) {
                        let block = self.counts(id, from.slice.lo)?;
                        let delay = self.delay(projection)?;
                        blocks.push(DelayedRows { block, delay });
                        continue;
                    }
                    if let Some(block) = self.row_block(id, projection, net.source)? {
                        let delay = self.delay(projection)?;
                        blocks.push(DelayedRows { block, delay });
                    }
                }
                Ok(blocks)
            };
            let carries = match self.module.app.populations[from.population].sends {
                Sends::Spikes => Carries::Spikes(blocks()?),
                Sends::Counts { max } => Carries::Counts {
                    max,
                    blocks: blocks()?,
                },
                Sends::Values => Carries::Values(self.value_slots(net.source)?),
            };
            ranges.push(KeyRange {
                key: key.key(),
                atoms: from.slice.n,
                carries,
            });
        }
        ranges.sort_by_key(|r| r.key);
        Ok(KeyRange::join(ranges))
    }

    /// Every source of values: by projection, then by first atom.
    pub(super) fn values(&self) -> Result<Option<Values>, Diagnostic> {
        let app = &self.module.app;
        if !app.has_value_input(self.vertex.population) {
            return Ok(None);
        }
        let mut sources = Vec::new();
        for (id, projection) in app.incoming(self.vertex.population) {
            if app.carries(projection) != Sends::Values {
                continue;
            }
            let from = self.module.machine_graph.vertices_of(projection.pre);
            let mut from: Vec<_> = from.map(|(id, v)| (v.slice, id)).collect();
            from.sort();
            for (slice, source) in from {
                if let Some(block) = self.row_block(id, projection, source)? {
                    sources.push(ValueRows {
                        slots: self.value_slots(source)?,
                        atoms: slice.n,
                        delay: self.delay(projection)?,
                        block,
                    });
                }
            }
        }
        let currents = self.region(RegionKind::Currents)?.addr;
        Ok(Some(Values { currents, sources }))
    }

    /// The counts of the atoms of a source population from position `lo` on.
    fn counts(&self, projection: ProjId, lo: u32) -> Result<RowBlock, Diagnostic> {
        let counts = self.region(RegionKind::Counts { projection })?;
        let ring = self.region(RegionKind::Ring)?;
        Ok(RowBlock {
            rows: counts.addr + lo,
            layout: RowLayout::Counts(CountRow::of_ring(ring.bytes / 4)),
        })
    }

    /// What the MAC array multiplies in a tick.
    pub(super) fn products(&self) -> Result<Vec<DelayedProduct>, Diagnostic> {
        let app = &self.module.app;
        let product = |&id: &ProjId| -> Result<DelayedProduct, Diagnostic> {
            let projection = &app.projections[id];
            let pre = &app.populations[projection.pre];
            let region = |kind| self.region(kind).map(|r| r.addr);
            let targets = contents::atoms(self.population, self.vertex.slice);
            let largest = dense_bound(app, id, targets);
            let sums = self.sums()?;
            let beside = app.adds_beside(id, self.vertex.population);
            let aside = beside.then(|| region(RegionKind::Product)).transpose()?;
            let factors = Factors {
                vector: region(RegionKind::Counts { projection: id })?,
                sources: pre.n_atoms() as u32,
                weights: region(RegionKind::Matrix { projection: id })?,
                weight: projection.weights.dtype(),
                targets: self.vertex.slice.n,
                sums: sums.ok_or_else(|| self.lacks("multiplies without sums"))?,
                aside,
                largest: largest.ok_or_else(|| self.lacks("multiplies what it can't"))?,
            };
            Ok(DelayedProduct {
                product: Product::new(self.target, factors)?,
                delay: self.delay(projection)?,
            })
        };
        self.vertex.array.iter().map(product).collect()
    }

    /// Contents of a matrix.
    pub(super) fn matrix_contents(&self, id: ProjId) -> Result<Vec<u8>, Diagnostic> {
        let projection = &self.module.app.projections[id];
        let pre = &self.module.app.populations[projection.pre];
        let all = AtomSlice {
            lo: 0,
            n: pre.n_atoms() as u32,
        };
        let ends = Ends {
            projection,
            pre: (pre, all),
            post: (self.population, self.vertex.slice),
        };
        contents::matrix(&ends)
    }

    /// Contents of a region of rows.
    pub(super) fn row_contents(&self, id: ProjId, source: VertexId) -> Result<Vec<u8>, Diagnostic> {
        let projection = &self.module.app.projections[id];
        let ends = self.ends(projection, source);
        match (
            &projection.connector,
            self.row_layout(id, projection, source)?,
        ) {
            (Connector::Dense, RowLayout::Dense(row)) => contents::dense(&ends, row),
            (Connector::Sparse(s), RowLayout::Sparse(row)) => contents::sparse(&ends, s, row),
            (Connector::Conv(c), RowLayout::Conv { row, source, .. }) => {
                contents::taps(&ends, c, row, source)
            }
            (Connector::Dense | Connector::Sparse(_) | Connector::Conv(_), _) => {
                Err(self.lacks("mixes kinds of rows"))
            }
        }
    }

    /// Contents of the shared kernel of a convolution.
    pub(super) fn kernel_contents(&self, id: ProjId) -> Result<Vec<u8>, Diagnostic> {
        let projection = &self.module.app.projections[id];
        let Connector::Conv(conv) = &projection.connector else {
            return Err(self.lacks(format!("has a kernel of {}", projection.name)));
        };
        let row = ConvRow::new(self.pair(projection)?, block_channels(self.population));
        // The kernel is the same whatever the source.
        contents::kernel(&self.ends(projection, self.id), conv, row)
    }
}
