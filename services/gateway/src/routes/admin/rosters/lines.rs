//! Rows and pasted lines to what they say of a person. Whether that is right, `directory` says.

use proto::directory::v1::WorkerLine;
use sheets::{Cell, Row};

use crate::failure::Failure;

/// The template's columns.
pub(super) const HEADINGS: [&str; 3] = ["姓名", "身份证号", "手机号"];

const NAMES: &[&str] = &["姓名", "名字", "name"];
const ID_NOS: &[&str] = &["身份证号", "身份证号码", "身份证", "id_no", "id no"];
const PHONES: &[&str] = &["手机号", "手机号码", "手机", "电话", "phone"];

/// What an identity number and a phone have of characters.
const ID_NO_LENGTH: usize = 18;
const PHONE_LENGTH: usize = 11;

/// One line of the list.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    /// As the person sees it: the workbook's row, or the line's place from 1.
    pub(super) row: u32,
    pub(super) columns: Columns,
    pub(super) line: Result<WorkerLine, Unreadable>,
}

/// Where in the workbook each part stands, from 0; nowhere in pasted text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Columns {
    pub(super) name: Option<usize>,
    pub(super) id_no: Option<usize>,
    pub(super) phone: Option<usize>,
}

/// A cell that holds no written text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unreadable {
    pub(super) field: &'static str,
    pub(super) cell: Cell,
}

/// The first row names the columns.
pub(super) fn from_sheet(rows: Vec<Row>) -> Result<Vec<Given>, Failure> {
    let mut rows = rows.into_iter();
    let Some(heading) = rows.next() else { return Err(Failure::field("file", "is empty")) };
    let columns = Columns {
        name: column(&heading, NAMES),
        id_no: column(&heading, ID_NOS),
        phone: column(&heading, PHONES),
    };
    if columns.name.is_none() && columns.id_no.is_none() {
        return Err(Failure::field("file", "has no column 姓名 or 身份证号 in its first row"));
    }
    let given: Vec<Given> = rows
        .map(|row| Given { row: row.number, columns, line: line(&row, columns) })
        // Notes beside the list are none of it.
        .filter(|given| given.line != Ok(WorkerLine::default()))
        .collect();
    if given.is_empty() {
        return Err(Failure::field("file", "holds nobody below its first row"));
    }
    Ok(given)
}

fn column(heading: &Row, words: &[&str]) -> Option<usize> {
    heading.cells.iter().position(|cell| match cell {
        Cell::Text(text) => {
            let text = text.trim_end_matches(['*', '：', ':']).trim().to_lowercase();
            words.contains(&text.as_str())
        }
        _ => false,
    })
}

fn line(row: &Row, columns: Columns) -> Result<WorkerLine, Unreadable> {
    let text = |column: Option<usize>, field: &'static str| match column
        .and_then(|column| row.cells.get(column))
    {
        None | Some(Cell::Empty) => Ok(String::new()),
        Some(Cell::Text(text)) => Ok(text.clone()),
        Some(cell) => Err(Unreadable { field, cell: cell.clone() }),
    };
    Ok(WorkerLine {
        id_no: text(columns.id_no, "id_no")?,
        name: text(columns.name, "name")?,
        phone: text(columns.phone, "phone")?,
    })
}

/// Lines that hold something, numbered from 1 with those that do not.
pub(super) fn from_text(lines: &[String]) -> Vec<Given> {
    let numbered = (1..).zip(lines).filter(|(_, text)| !text.trim().is_empty());
    let given = numbered.map(|(row, text)| Given {
        row,
        columns: Columns::default(),
        line: Ok(words(text)),
    });
    given.collect()
}

/// Of several words the one that looks like a number is one; the rest is the name.
fn words(text: &str) -> WorkerLine {
    let mut line = WorkerLine::default();
    let separators =
        |c: char| c.is_whitespace() || matches!(c, ',' | '，' | '、' | ';' | '；' | '|');
    for word in text.split(separators).filter(|word| !word.is_empty()) {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let length = word.chars().count();
        if digits + 1 >= length && length >= ID_NO_LENGTH - 3 && line.id_no.is_empty() {
            word.clone_into(&mut line.id_no);
        } else if digits >= PHONE_LENGTH - 1 && line.phone.is_empty() {
            word.clone_into(&mut line.phone);
        } else {
            if !line.name.is_empty() {
                line.name.push(' ');
            }
            line.name.push_str(word);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u32, cells: &[&str]) -> Row {
        let cell = |text: &&str| match *text {
            "" => Cell::Empty,
            text => Cell::Text(text.to_owned()),
        };
        Row { number, cells: cells.iter().map(cell).collect() }
    }

    fn said(name: &str, id_no: &str, phone: &str) -> WorkerLine {
        WorkerLine { name: name.to_owned(), id_no: id_no.to_owned(), phone: phone.to_owned() }
    }

    #[test]
    fn columns_are_found_by_their_heading_in_any_order() {
        let rows = vec![
            row(1, &["序号", "手机", " 姓名 *".trim(), "身份证号码："]),
            row(3, &["1", "19900000001", "测试工人01", "659999199001010013"]),
            row(4, &["2", "", "测试工人02"]),
            row(5, &["合计"]),
        ];
        let given = from_sheet(rows).unwrap();
        let lines: Vec<(u32, WorkerLine)> =
            given.into_iter().map(|given| (given.row, given.line.unwrap())).collect();
        let wanted = [
            (3, said("测试工人01", "659999199001010013", "19900000001")),
            (4, said("测试工人02", "", "")),
        ];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn a_workbook_without_the_columns_or_anybody_is_refused() {
        for rows in [
            vec![],
            vec![row(1, &["工种", "手机号"]), row(2, &["钢筋工", "19900000001"])],
            vec![row(1, &["姓名"])],
            vec![row(1, &["姓名", "备注"]), row(2, &["", "nobody"])],
        ] {
            let failure = from_sheet(rows).unwrap_err();
            assert_eq!(failure.0.fields[0].field, "file");
        }
    }

    #[test]
    fn a_cell_that_holds_no_text_is_named_with_what_it_holds() {
        let cells = vec![Cell::Text("测试工人01".to_owned()), Cell::Imprecise];
        let rows = vec![row(1, &["姓名", "身份证号"]), Row { number: 2, cells }];
        let given = from_sheet(rows).unwrap();
        let wanted = Unreadable { field: "id_no", cell: Cell::Imprecise };
        assert_eq!(given[0].line, Err(wanted));
    }

    #[test]
    fn a_pasted_line_is_taken_apart_by_what_its_words_look_like() {
        let table = [
            ("测试工人01", said("测试工人01", "", "")),
            ("659999199001010013", said("", "659999199001010013", "")),
            ("65999919900101001x", said("", "65999919900101001x", "")),
            (
                "测试工人01\t65999919900101001X\t19900000001",
                said("测试工人01", "65999919900101001X", "19900000001"),
            ),
            ("19900000001，测试工人01", said("测试工人01", "", "19900000001")),
            ("Test Worker, +8619900000001", said("Test Worker", "", "+8619900000001")),
            ("阿依·测试", said("阿依·测试", "", "")),
            // Old or short numbers are still meant as one, to be refused as such.
            ("659999900101001", said("", "659999900101001", "")),
        ];
        for (text, wanted) in table {
            assert_eq!(words(text), wanted, "{text}");
        }
    }

    #[test]
    fn blank_lines_are_passed_over_and_counted() {
        let lines = ["测试工人01", " ", "", "测试工人02"].map(str::to_owned);
        let rows: Vec<u32> = from_text(&lines).into_iter().map(|given| given.row).collect();
        assert_eq!(rows, [1, 4]);
    }
}
