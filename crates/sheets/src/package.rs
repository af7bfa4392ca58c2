//! The zip a workbook is: looked through before anything else reads it.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use crate::read::{Limits, Unreadable};

/// What a zip begins with.
const MAGIC: &[u8] = b"PK\x03\x04";
const BOOK: &str = "xl/workbook.xml";
const MACROS: &str = "xl/vbaproject.bin";
/// A workbook of a few sheets has about a dozen parts.
const MOST_PARTS: usize = 256;

/// Unpacks every part once, to nowhere and no further than allowed: what the parts say of their sizes is not believed.
pub(crate) fn check(bytes: &[u8], limits: Limits) -> Result<(), Unreadable> {
    if !bytes.starts_with(MAGIC) {
        return Err(Unreadable::NoWorkbook);
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| Unreadable::NoWorkbook)?;
    if archive.len() > MOST_PARTS {
        return Err(Unreadable::TooLarge);
    }
    let mut room = limits.unpacked_bytes;
    let mut is_book = false;
    for part in 0..archive.len() {
        let part = archive.by_index(part).map_err(|_| Unreadable::NoWorkbook)?;
        let name = part.name().map_err(|_| Unreadable::NoWorkbook)?.to_ascii_lowercase();
        match name.as_str() {
            BOOK => is_book = true,
            MACROS => return Err(Unreadable::Macros),
            _ => {}
        }
        let mut part = part.take(room + 1);
        let unpacked = std::io::copy(&mut part, &mut std::io::sink());
        let unpacked = unpacked.map_err(|_| Unreadable::NoWorkbook)?;
        room = room.checked_sub(unpacked).ok_or(Unreadable::TooLarge)?;
    }
    if is_book { Ok(()) } else { Err(Unreadable::NoWorkbook) }
}
