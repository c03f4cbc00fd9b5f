//! The zip container of `.npz`: its directory, and single members.
//!
//! Only what NumPy writes is taken: stored or deflated members, with 64-bit
//! sizes where needed, without encryption.

use super::inflate::inflate;
use super::{Fault, MAX_DECODED_BYTES};
use ir::origin::escape;
use std::borrow::Cow;

const END: &[u8] = b"PK\x05\x06";
const END64: &[u8] = b"PK\x06\x06";
const LOCATOR64: &[u8] = b"PK\x06\x07";
const ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
/// Bytes of the end record without its comment, and the longest comment.
const END_BYTES: usize = 22;
const MAX_COMMENT: usize = 65_535;
const MAX_MEMBERS: usize = 10_000;
/// Deflate expands to at most 1032 times its input.
const MAX_INFLATE: u64 = 1032;

/// One file of an archive.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) name: String,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    header: u64,
}

impl Member {
    /// Bytes after unpacking, as the directory claims.
    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

/// The directory of an archive.
pub(super) fn members(bytes: &[u8]) -> Result<Vec<Member>, Fault> {
    let cut = || "the zip archive is cut off or damaged".to_owned();
    let first = bytes.len().saturating_sub(END_BYTES + MAX_COMMENT);
    let end = (first..=bytes.len().saturating_sub(END_BYTES))
        .rev()
        .find(|&at| bytes.get(at..at + 4) == Some(END))
        .ok_or_else(cut)?;
    let mut count = u64::from(u16_at(bytes, end + 10).ok_or_else(cut)?);
    let mut start = u64::from(u32_at(bytes, end + 16).ok_or_else(cut)?);
    let locator = end.checked_sub(20);
    if let Some(locator) = locator.filter(|&at| bytes.get(at..at + 4) == Some(LOCATOR64)) {
        let end64 = u64_at(bytes, locator + 8)
            .and_then(|at| usize::try_from(at).ok())
            .filter(|&at| bytes.get(at..).is_some_and(|b| b.starts_with(END64)))
            .ok_or_else(cut)?;
        count = u64_at(bytes, end64 + 32).ok_or_else(cut)?;
        start = u64_at(bytes, end64 + 48).ok_or_else(cut)?;
    }
    if count > MAX_MEMBERS as u64 {
        return Err(format!(
            "the zip archive has {count} members, the limit is {MAX_MEMBERS}"
        ));
    }
    let mut at = usize::try_from(start).map_err(|_| cut())?;
    let mut members = Vec::new();
    for _ in 0..count {
        let (member, next) = entry(bytes, at).ok_or_else(cut)?;
        members.push(member);
        at = next;
    }
    Ok(members)
}

/// A directory entry and the place of the next one.
fn entry(bytes: &[u8], at: usize) -> Option<(Member, usize)> {
    if bytes.get(at..)?.get(..4)? != ENTRY {
        return None;
    }
    let name = at + 46;
    let extra = name + usize::from(u16_at(bytes, at + 28)?);
    let comment = extra + usize::from(u16_at(bytes, at + 30)?);
    let next = comment + usize::from(u16_at(bytes, at + 32)?);
    let mut member = Member {
        name: String::from_utf8_lossy(bytes.get(name..extra)?).into_owned(),
        method: u16_at(bytes, at + 10)?,
        crc: u32_at(bytes, at + 16)?,
        packed: u64::from(u32_at(bytes, at + 20)?),
        size: u64::from(u32_at(bytes, at + 24)?),
        header: u64::from(u32_at(bytes, at + 42)?),
    };
    if u16_at(bytes, at + 8)? & 1 != 0 {
        // Encrypted: an unknown method is refused when the member is read.
        member.method = u16::MAX;
    }
    // Fields that are all ones continue, in this order, in extra field 1.
    let mut fields = bytes.get(extra..comment)?;
    while let (Some(id), Some(n)) = (u16_at(fields, 0), u16_at(fields, 2)) {
        let (field, rest) = fields.get(4..)?.split_at_checked(usize::from(n))?;
        if id == 1 {
            let mut long = field;
            for slot in [&mut member.size, &mut member.packed, &mut member.header] {
                if *slot == u64::from(u32::MAX) {
                    *slot = u64_at(long, 0)?;
                    long = long.get(8..)?;
                }
            }
        }
        fields = rest;
    }
    Some((member, next))
}

/// The bytes of a member, checked against its checksum.
pub(super) fn read<'a>(bytes: &'a [u8], member: &Member) -> Result<Cow<'a, [u8]>, Fault> {
    let name = escape(&member.name);
    let damaged = |what: &str| format!("member '{name}' of the zip archive {what}");
    let header = usize::try_from(member.header).ok();
    let data = header
        .and_then(|at| {
            let local = bytes.get(at..)?;
            if !local.starts_with(LOCAL) {
                return None;
            }
            let skip = 30 + usize::from(u16_at(local, 26)?) + usize::from(u16_at(local, 28)?);
            local
                .get(skip..)?
                .get(..usize::try_from(member.packed).ok()?)
        })
        .ok_or_else(|| damaged("lies outside the file"))?;
    let size = usize::try_from(member.size)
        .ok()
        .filter(|_| member.size <= MAX_DECODED_BYTES)
        .ok_or_else(|| {
            format!(
                "'{name}' takes {} bytes unpacked, the limit is {MAX_DECODED_BYTES}",
                member.size
            )
        })?;
    let unpacked = match member.method {
        0 if data.len() == size => Cow::Borrowed(data),
        0 => return Err(damaged("has two different sizes")),
        8 => {
            if member.size > member.packed.saturating_mul(MAX_INFLATE).saturating_add(64) {
                return Err(format!(
                    "'{name}' claims {} bytes from {} packed ones, deflate cannot expand that much",
                    member.size, member.packed
                ));
            }
            let unpacked = inflate(data, size).ok_or_else(|| damaged("cannot be unpacked"))?;
            Cow::Owned(unpacked)
        }
        _ => return Err(damaged("is encrypted or packed with an unknown method")),
    };
    if crc32fast::hash(&unpacked) != member.crc {
        return Err(damaged("does not match its checksum"));
    }
    Ok(unpacked)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_archives_are_refused() {
        assert!(members(b"").is_err());
        assert!(members(b"PK\x03\x04").is_err());
        let mut end = END.to_vec();
        end.resize(22, 0);
        assert_eq!(members(&end).unwrap(), []);
        end[10] = 1;
        assert!(members(&end).is_err());
    }
}
