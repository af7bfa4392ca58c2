use std::fmt;

use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

/// A text that begins so is a formula to a program that takes it over from us, or to a person who edits it.
const LOOKS_COMPUTED: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// Of a cell.
const MOST_CHARACTERS: usize = 32_767;
const WIDTH: f64 = 20.0;

/// The workbook could not be put together.
#[derive(Debug, thiserror::Error)]
#[error("the workbook could not be written")]
pub struct Unwritable(#[from] XlsxError);

/// One sheet of texts under a heading. Held in memory until it is finished.
pub struct Sheet {
    worksheet: Worksheet,
    next: u32,
    /// The first thing that went wrong.
    failed: Option<XlsxError>,
    text: Format,
    quoted: Format,
}

/// Without what stands in it.
impl fmt::Debug for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sheet").field("rows", &self.next).finish_non_exhaustive()
    }
}

impl Sheet {
    /// Its columns hold texts, also what is typed into them later: an identity number keeps its digits.
    pub fn new(name: &str, heading: &[&str]) -> Self {
        let text = Format::new().set_num_format("@");
        let mut sheet = Self {
            worksheet: Worksheet::new(),
            next: 0,
            failed: None,
            quoted: text.clone().set_quote_prefix(),
            text,
        };
        sheet.dress(name, heading);
        sheet
    }

    fn dress(&mut self, name: &str, heading: &[&str]) {
        let bold = Format::new().set_bold().set_num_format("@");
        let mut dress = || -> Result<(), XlsxError> {
            self.worksheet.set_name(name)?.set_freeze_panes(1, 0)?;
            for (column, text) in (0..).zip(heading) {
                self.worksheet.set_column_width(column, WIDTH)?;
                self.worksheet.set_column_format(column, &self.text)?;
                self.worksheet.write_string_with_format(0, column, *text, &bold)?;
            }
            Ok(())
        };
        self.failed = dress().err();
        self.next = 1;
    }

    /// The next row. Texts beyond what a cell holds are cut.
    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        for (column, text) in (0..).zip(cells) {
            let text = text.as_ref();
            let format = if text.starts_with(LOOKS_COMPUTED) { &self.quoted } else { &self.text };
            let cut: String;
            let text = if text.chars().count() > MOST_CHARACTERS {
                cut = text.chars().take(MOST_CHARACTERS).collect();
                &cut
            } else {
                text
            };
            if let Err(err) =
                self.worksheet.write_string_with_format(self.next, column, text, format)
            {
                self.failed.get_or_insert(err);
            }
        }
        self.next += 1;
    }
}

/// The bytes of a workbook of these sheets.
///
/// # Errors
/// When a name or a row did not fit into a sheet, or two have one name.
pub fn book(sheets: Vec<Sheet>) -> Result<Vec<u8>, Unwritable> {
    let mut book = Workbook::new();
    for sheet in sheets {
        if let Some(err) = sheet.failed {
            return Err(err.into());
        }
        book.push_worksheet(sheet.worksheet);
    }
    Ok(book.save_to_buffer()?)
}
