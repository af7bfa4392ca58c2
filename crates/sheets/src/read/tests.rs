use std::io::{Cursor, Write};

use rust_xlsxwriter::{Formula, Workbook, Worksheet};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::{Cell, Limits, Row, Unreadable, read};
use crate::Sheet;

fn book(fill: impl FnOnce(&mut Worksheet)) -> Vec<u8> {
    let mut book = Workbook::new();
    fill(book.add_worksheet());
    book.save_to_buffer().unwrap()
}

/// A good workbook with one part more, or with one part replaced.
fn with_part(name: &str, content: &[u8]) -> Vec<u8> {
    let good = crate::book(vec![Sheet::new("s", &["姓名"])]).unwrap();
    let mut archive = ZipArchive::new(Cursor::new(good)).unwrap();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for part in 0..archive.len() {
        let part = archive.by_index_raw(part).unwrap();
        if part.name().unwrap() != name {
            writer.raw_copy_file(part).unwrap();
        }
    }
    writer.start_file(name, SimpleFileOptions::default()).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap().into_inner()
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

#[test]
fn rows_are_numbered_as_a_person_sees_them_and_empty_ones_are_left_out() {
    let bytes = book(|sheet| {
        sheet.write(0, 0, "姓名").unwrap().write(0, 1, "手机号").unwrap();
        sheet.write(3, 0, " 测试工人01 ").unwrap().write(3, 1, 19_900_000_001_f64).unwrap();
        sheet.write(4, 0, "  ").unwrap();
    });
    let rows = read(&bytes, Limits::default()).unwrap();
    let wanted = [
        Row { number: 1, cells: vec![text("姓名"), text("手机号")] },
        Row { number: 4, cells: vec![text("测试工人01"), text("19900000001")] },
    ];
    assert_eq!(rows, wanted);
}

#[test]
fn a_cell_that_holds_no_written_text_says_so() {
    let bytes = book(|sheet| {
        sheet.write(0, 0, Formula::new("=1+1").set_result("2")).unwrap();
        sheet.write(0, 1, 659_999_199_001_010_010_f64).unwrap();
        sheet.write(0, 2, 1.5).unwrap();
        sheet.write(0, 3, "字".repeat(201)).unwrap();
        sheet.write(0, 4, true).unwrap();
        sheet.write(0, 40, "beyond").unwrap();
    });
    let cells = &read(&bytes, Limits::default()).unwrap()[0].cells;
    let wanted = [Cell::Formula, Cell::Imprecise, Cell::Other, Cell::TooLong, Cell::Other];
    assert_eq!(cells, &wanted);
}

#[test]
fn cells_far_apart_cost_no_room_between_them() {
    let bytes = book(|sheet| {
        sheet.write(0, 0, "first").unwrap();
        sheet.write(1_048_575, 16_383, "last").unwrap().write(1_048_575, 0, "row").unwrap();
    });
    let rows = read(&bytes, Limits::default()).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1], Row { number: 1_048_576, cells: vec![text("row")] });
}

#[test]
fn one_row_too_many_is_refused() {
    let limits = Limits { rows: 3, ..Limits::default() };
    let rows = |count: u32| {
        book(|sheet| {
            for row in 0..count {
                sheet.write(row, 0, "x").unwrap();
            }
        })
    };
    assert_eq!(read(&rows(3), limits).unwrap().len(), 3);
    assert_eq!(read(&rows(4), limits), Err(Unreadable::TooManyRows(3)));
}

#[test]
fn what_is_no_workbook_is_refused() {
    let old_excel = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 and so on";
    for bytes in [&b""[..], b"name,id", old_excel, b"PK\x03\x04 broken"] {
        assert_eq!(read(bytes, Limits::default()), Err(Unreadable::NoWorkbook));
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("hello.txt", SimpleFileOptions::default()).unwrap();
    let zip = zip.finish().unwrap().into_inner();
    assert_eq!(read(&zip, Limits::default()), Err(Unreadable::NoWorkbook));
    let cut = crate::book(vec![Sheet::new("s", &["x"])]).unwrap();
    assert_eq!(read(&cut[..cut.len() / 2], Limits::default()), Err(Unreadable::NoWorkbook));
}

#[test]
fn macros_are_refused_however_they_are_spelt() {
    for name in ["xl/vbaProject.bin", "XL/VBAPROJECT.BIN"] {
        assert_eq!(read(&with_part(name, b"x"), Limits::default()), Err(Unreadable::Macros));
    }
}

#[test]
fn a_bomb_is_not_unpacked_beyond_the_limit() {
    let bomb = with_part("xl/media/image1.png", &vec![0; 40 << 20]);
    assert!(bomb.len() < 1 << 20, "it is small as it comes");
    assert_eq!(read(&bomb, Limits::default()), Err(Unreadable::TooLarge));
}

#[test]
fn an_entity_is_not_expanded() {
    let sheet = br#"<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>
        <worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
        <row r="1"><c r="A1" t="inlineStr"><is><t>&b;</t></is></c></row></sheetData></worksheet>"#;
    let read = read(&with_part("xl/worksheets/sheet1.xml", sheet), Limits::default());
    let expanded = |rows: Vec<Row>| rows.iter().any(|row| row.cells.contains(&text("aaaaaaaa")));
    assert!(!read.is_ok_and(expanded));
}

#[test]
fn a_text_that_looks_like_a_formula_stays_a_text() {
    let texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "plain"];
    let mut sheet = Sheet::new("s", &["a", "b", "c", "d", "e", "f"]);
    sheet.row(texts);
    let bytes = crate::book(vec![sheet]).unwrap();
    let rows = read(&bytes, Limits::default()).unwrap();
    assert_eq!(rows[1].cells, texts.map(|each| text(each.trim())));
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let styles = std::io::read_to_string(archive.by_name("xl/styles.xml").unwrap()).unwrap();
    assert!(styles.contains(r#"quotePrefix="1""#), "editing it makes it no formula either");
    let sheet = archive.by_name("xl/worksheets/sheet1.xml").unwrap();
    assert!(!std::io::read_to_string(sheet).unwrap().contains("<f>"));
}
