//! Rows of synapses as `ir::memory::rows` defines them.

use super::atoms;
use crate::kernels::{ConvRow, DenseRow, SourcePixels, SparseRow};
use ir::app::{Conv, Population, Projection, Synapses};
use ir::diag::Diagnostic;
use ir::machine_graph::AtomSlice;
use ir::memory::padded;

/// A projection between two slices.
#[derive(Clone, Copy, Debug)]
pub struct Ends<'a> {
    pub projection: &'a Projection,
    pub pre: (&'a Population, AtomSlice),
    pub post: (&'a Population, AtomSlice),
}

impl Ends<'_> {
    fn weight(&self, at: usize) -> Result<i32, Diagnostic> {
        self.projection.weights.int_at(at).ok_or_else(|| {
            Diagnostic::internal(format!(
                "weights of {} are not integers",
                self.projection.name
            ))
        })
    }
    fn too_far(&self) -> Diagnostic {
        Diagnostic::internal(format!(
            "rows of {} reach beyond what 16 bits can say",
            self.projection.name
        ))
    }
}

/// For each source atom the weights to every target.
pub fn dense(ends: &Ends<'_>, row: DenseRow) -> Result<Vec<u8>, Diagnostic> {
    let (pre, source) = ends.pre;
    let (post, target) = ends.post;
    let n_pre = pre.n_atoms();
    let mut bytes = Vec::with_capacity((source.n * row.stride()) as usize);
    let targets: Vec<usize> = atoms(post, target).collect();
    for from in atoms(pre, source) {
        let weights = targets.iter().map(|to| ends.weight(to * n_pre + from));
        let weights = weights.collect::<Result<Vec<_>, _>>()?;
        bytes.extend(row.row_bytes(&weights));
    }
    Ok(bytes)
}

/// For each source atom the weights to every target in their order, padded with zeros.
pub fn matrix(ends: &Ends<'_>) -> Result<Vec<u8>, Diagnostic> {
    let (pre, source) = ends.pre;
    let (post, target) = ends.post;
    let n_pre = pre.n_atoms();
    let size = ends.projection.weights.dtype().size();
    let width = padded(target.n) as usize;
    let mut bytes = Vec::with_capacity(source.n as usize * width * size);
    let targets: Vec<usize> = atoms(post, target).collect();
    for from in atoms(pre, source) {
        let end = bytes.len() + width * size;
        for to in &targets {
            let weight = ends.weight(to * n_pre + from)?.to_le_bytes();
            bytes.extend(weight.iter().take(size));
        }
        bytes.resize(end, 0);
    }
    Ok(bytes)
}

/// A table of offsets, then the entries.
pub fn sparse(ends: &Ends<'_>, synapses: &Synapses, row: SparseRow) -> Result<Vec<u8>, Diagnostic> {
    let (pre, source) = ends.pre;
    let (post, target) = ends.post;
    let table = 4 * (source.n as usize + 1);
    let mut offsets = Vec::with_capacity(table);
    let mut entries = Vec::new();
    let mut push = |entries: &Vec<u8>| {
        let offset = (table + entries.len()) as u32;
        offsets.extend(offset.to_le_bytes());
    };
    for from in atoms(pre, source) {
        push(&entries);
        let (first, targets) = synapses.of(from);
        let mut found = Vec::new();
        for (k, &to) in targets.iter().enumerate() {
            let position = post.order.position_of(to as usize, &post.shape) as u32;
            if (target.lo..target.lo + target.n).contains(&position) {
                found.push((position - target.lo, ends.weight(first + k)?));
            }
        }
        found.sort_unstable();
        entries.extend(row.row_bytes(&found).ok_or_else(|| ends.too_far())?);
    }
    push(&entries);
    offsets.append(&mut entries);
    Ok(offsets)
}

/// Where a slice of a convolution's targets lies: in one block of channels, from
/// one pixel to another.
#[derive(Clone, Copy)]
struct Block {
    channels: u32,
    first_channel: u32,
    pixels: (u32, u32),
}

impl Block {
    fn of(ends: &Ends<'_>, conv: &Conv, channels: u32) -> Result<Self, Diagnostic> {
        let slice = ends.post.1;
        let in_block = (conv.target[1] * conv.target[2]) as u32 * channels;
        let number = slice.lo / in_block;
        let (from, to) = (slice.lo % in_block, slice.lo % in_block + slice.n);
        let whole = from.is_multiple_of(channels) && to.is_multiple_of(channels);
        if to > in_block || !whole {
            return Err(Diagnostic::internal(format!(
                "the slice {slice} of {} cuts a block of {channels} channels",
                ends.post.0.name
            )));
        }
        Ok(Self {
            channels,
            first_channel: number * channels,
            pixels: (from / channels, to / channels),
        })
    }
}

/// A table of tap numbers, then the taps of each source pixel.
pub fn taps(
    ends: &Ends<'_>,
    conv: &Conv,
    row: ConvRow,
    source: SourcePixels,
) -> Result<Vec<u8>, Diagnostic> {
    let block = Block::of(ends, conv, row.channels())?;
    let (first, last) = source.range();
    let (width, target_width) = (conv.source[2], conv.target[2]);
    let mut table = Vec::new();
    let mut taps = Vec::new();
    let mut count = 0usize;
    let mut push = |count: usize| -> Result<(), Diagnostic> {
        let number = u16::try_from(count).map_err(|_| ends.too_far())?;
        table.extend(number.to_le_bytes());
        Ok(())
    };
    for pixel in first as usize..=last as usize {
        push(count)?;
        for (ky, ty) in conv.reach(0, pixel / width) {
            for (kx, tx) in conv.reach(1, pixel % width) {
                let to = (ty * target_width + tx) as u32;
                if (block.pixels.0..block.pixels.1).contains(&to) {
                    let element = (ky * conv.kernel[1] + kx) as u32;
                    let tap = row.tap(to - block.pixels.0, element);
                    taps.extend(tap.ok_or_else(|| ends.too_far())?);
                    count += 1;
                }
            }
        }
    }
    push(count)?;
    table.resize(source.table_bytes() as usize, 0);
    table.append(&mut taps);
    Ok(table)
}

/// The shared kernel: a block for each source channel and kernel element.
pub fn kernel(ends: &Ends<'_>, conv: &Conv, row: ConvRow) -> Result<Vec<u8>, Diagnostic> {
    let block = Block::of(ends, conv, row.channels())?;
    let elements = conv.kernel[0] * conv.kernel[1];
    let mut bytes = Vec::new();
    for from in 0..conv.source[0] {
        for element in 0..elements {
            let channels = block.first_channel..block.first_channel + block.channels;
            let weights = channels
                .map(|to| ends.weight((to as usize * conv.source[0] + from) * elements + element));
            bytes.extend(row.block(&weights.collect::<Result<Vec<_>, _>>()?));
        }
    }
    Ok(bytes)
}
