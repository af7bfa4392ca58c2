use std::collections::BTreeMap;
use std::io::Cursor;

use calamine::{DataRef, Reader, Xlsx, XlsxError};

use crate::package;

/// Every whole number up to here is one `f64`; Excel itself keeps 15 digits.
const MOST_EXACT: f64 = 999_999_999_999_999.0;

/// How much of a workbook is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of all parts together, once unpacked.
    pub unpacked_bytes: u64,
    /// Rows that hold something, the heading included.
    pub rows: usize,
    /// Cells to the right of these are not looked at.
    pub columns: usize,
    /// Of one cell.
    pub characters: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked_bytes: 32 << 20, rows: 2_001, columns: 16, characters: 200 }
    }
}

/// Why nothing of a workbook is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("is no Excel workbook (.xlsx)")]
    NoWorkbook,
    #[error("holds macros")]
    Macros,
    /// Unpacked, or by the number of its parts.
    #[error("is too large once unpacked")]
    TooLarge,
    #[error("holds more than {0} rows")]
    TooManyRows(usize),
    #[error("holds no sheet")]
    NoSheet,
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Cell {
    #[default]
    Empty,
    /// Trimmed; never empty. A whole number is written without its point.
    Text(String),
    /// A number of more digits than Excel keeps: its last ones are lost.
    Imprecise,
    /// Computed, not written; what it last came to is not looked at.
    Formula,
    /// A date, an error, a fraction: nothing that a list of texts holds.
    Other,
    TooLong,
}

/// A row that holds something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// As Excel shows it, from 1.
    pub number: u32,
    /// From the first column to the last that holds something.
    pub cells: Vec<Cell>,
}

/// The rows of the first sheet that hold something, in their order.
///
/// # Errors
/// Says why nothing of it is read; it never repeats what it holds.
pub fn read(bytes: &[u8], limits: Limits) -> Result<Vec<Row>, Unreadable> {
    package::check(bytes, limits)?;
    let mut book = Xlsx::new(Cursor::new(bytes)).map_err(no_workbook)?;
    let sheet = book.sheet_names().first().cloned().ok_or(Unreadable::NoSheet)?;
    let mut cells = book.worksheet_cells_reader(&sheet).map_err(no_workbook)?;
    let mut rows: BTreeMap<u32, Vec<Cell>> = BTreeMap::new();
    // Cell by cell: a whole range would have room for every cell between two that are a million rows apart.
    while let Some(record) = cells.next_cell_with_formula_metadata().map_err(no_workbook)? {
        let (row, column) = record.pos;
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        if column >= limits.columns {
            continue;
        }
        let cell = match record.formula {
            Some(_) => Cell::Formula,
            None => cell(&record.value, limits.characters),
        };
        if cell == Cell::Empty {
            continue;
        }
        let of_row = rows.entry(row).or_default();
        if of_row.len() <= column {
            of_row.resize(column + 1, Cell::Empty);
        }
        of_row[column] = cell;
        if rows.len() > limits.rows {
            return Err(Unreadable::TooManyRows(limits.rows));
        }
    }
    let row = |(row, cells): (u32, _)| Row { number: row.saturating_add(1), cells };
    Ok(rows.into_iter().map(row).collect())
}

fn cell(value: &DataRef<'_>, characters: usize) -> Cell {
    match value {
        DataRef::Empty => Cell::Empty,
        DataRef::String(text) => written(text, characters),
        DataRef::SharedString(text) => written(text, characters),
        DataRef::Int(number) => Cell::Text(number.to_string()),
        DataRef::Float(number) => number_written(*number),
        _ => Cell::Other,
    }
}

fn written(text: &str, characters: usize) -> Cell {
    let text = text.trim();
    if text.is_empty() {
        Cell::Empty
    } else if text.chars().count() > characters {
        Cell::TooLong
    } else {
        Cell::Text(text.to_owned())
    }
}

fn number_written(number: f64) -> Cell {
    if number.abs() > MOST_EXACT {
        Cell::Imprecise
    } else if number.fract() == 0.0 {
        Cell::Text(format!("{number:.0}"))
    } else {
        Cell::Other
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn no_workbook(err: XlsxError) -> Unreadable {
    match err {
        XlsxError::WorksheetNotFound(_) => Unreadable::NoSheet,
        _ => Unreadable::NoWorkbook,
    }
}

#[cfg(test)]
mod tests;
