//! What became of each line, as the API shows it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use proto::directory::v1::{MatchWorkersResponse, WorkerMatch, WorkerRow};
use serde::Serialize;
use sheets::Cell;
use types::Language;
use utoipa::ToSchema;

use super::lines::{Columns, Given, Unreadable};
use crate::answer::{instant, some};

const FOUND: &str = "FOUND";
const ON_TICKET: &str = "ON_TICKET";
const BAD_CELL: &str = "BAD_CELL";

/// What is known of a list's people. Nothing was imported: name the `worker_ids` when the ticket is made or amended.
#[derive(Serialize, ToSchema)]
pub(super) struct Roster {
    rows: Vec<RosterRow>,
    /// Who was found, each once and in the list's order; who is on the ticket already is not among them.
    worker_ids: Vec<String>,
    found: u32,
    /// Rows that mean nobody who could be imported.
    refused: u32,
    /// When the roster was last read from the real-name system; null: never, or no row could be looked up.
    roster_synced_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, ToSchema)]
struct RosterRow {
    /// Of the workbook, or the place of the pasted line, from 1.
    row: u32,
    /// The workbook's column that is at fault, such as B.
    column: Option<String>,
    /// What is at fault: name, `id_no` or phone.
    field: Option<String>,
    /// FOUND, `ON_TICKET`, `NOT_FOUND`, AMBIGUOUS, DUPLICATE, `NOT_ON_SITE`, `OTHER_CONTRACTOR`, `NAME_DIFFERS`, `BAD_NAME`,
    /// `BAD_ID_NO`, `BAD_PHONE`, `BAD_CELL` or EMPTY.
    outcome: String,
    /// A sentence for a person; null when found.
    reason: Option<String>,
    /// Of a DUPLICATE: the row that meant the same person first.
    first_row: Option<u32>,
    /// Whom it means; of an AMBIGUOUS row some of those it could mean. Numbers are masked.
    workers: Vec<MeantWorker>,
}

#[derive(Serialize, ToSchema)]
struct MeantWorker {
    worker_id: String,
    name: String,
    id_no: String,
    phone: String,
    contractor_id: Option<String>,
    trade: String,
    team: String,
    bound: bool,
}

impl From<WorkerRow> for MeantWorker {
    fn from(row: WorkerRow) -> Self {
        Self {
            worker_id: row.worker_id,
            name: row.name,
            id_no: row.id_no_masked,
            phone: row.phone_masked,
            contractor_id: some(row.contractor_id),
            trade: row.trade,
            team: row.team,
            bound: row.bound,
        }
    }
}

impl Roster {
    /// What `matched` says is of those lines that could be read, in their order.
    pub(super) fn new(
        given: Vec<Given>,
        matched: MatchWorkersResponse,
        on_ticket: &HashSet<String>,
        language: Language,
    ) -> Self {
        let asked: Vec<u32> =
            given.iter().filter(|each| each.line.is_ok()).map(|each| each.row).collect();
        let MatchWorkersResponse { matches, roster_synced_at } = matched;
        let mut answers = matches.into_iter();
        let mut roster = Self {
            rows: Vec::new(),
            worker_ids: Vec::new(),
            found: 0,
            refused: 0,
            roster_synced_at: instant(roster_synced_at),
        };
        for Given { row, columns, line } in given {
            let shown = if let Err(unreadable) = line {
                RosterRow::unreadable(row, columns, &unreadable, language)
            } else {
                let answer = answers.next().unwrap_or_default();
                RosterRow::matched(row, columns, answer, &asked, on_ticket, language)
            };
            match (shown.outcome.as_str(), shown.workers.first()) {
                (FOUND, Some(worker)) => {
                    roster.worker_ids.push(worker.worker_id.clone());
                    roster.found += 1;
                }
                (ON_TICKET, _) => roster.found += 1,
                _ => roster.refused += 1,
            }
            roster.rows.push(shown);
        }
        roster
    }
}

impl RosterRow {
    fn matched(
        row: u32,
        columns: Columns,
        matched: WorkerMatch,
        asked: &[u32],
        on_ticket: &HashSet<String>,
        language: Language,
    ) -> Self {
        let WorkerMatch { outcome, field, detail: _, workers, first_line } = matched;
        let known = workers.first().is_some_and(|worker| on_ticket.contains(&worker.worker_id));
        let outcome = if outcome == FOUND && known { ON_TICKET.to_owned() } else { outcome };
        let first = usize::try_from(first_line).ok().and_then(|line| asked.get(line)).copied();
        Self {
            row,
            column: column(columns, &field),
            reason: reason(&outcome, language).map(str::to_owned),
            first_row: first.filter(|_| outcome == "DUPLICATE"),
            field: some(field),
            outcome,
            workers: workers.into_iter().map(Into::into).collect(),
        }
    }

    fn unreadable(row: u32, columns: Columns, bad: &Unreadable, language: Language) -> Self {
        let reason = match (&bad.cell, language) {
            (Cell::Imprecise, Language::ZhCn) => {
                "号码以数字保存，末几位已丢失；请把该列设为文本后重新填写"
            }
            (Cell::Imprecise, Language::En) => {
                "The number was stored as a number and lost its last digits; format the column as text and enter it again"
            }
            (Cell::Formula, Language::ZhCn) => "单元格是公式，请填写文本",
            (Cell::Formula, Language::En) => "The cell holds a formula; write the text itself",
            (Cell::TooLong, Language::ZhCn) => "内容过长",
            (Cell::TooLong, Language::En) => "The text is too long",
            (_, Language::ZhCn) => "单元格内容不是文本",
            (_, Language::En) => "The cell holds no text",
        };
        Self {
            row,
            column: column(columns, bad.field),
            field: Some(bad.field.to_owned()),
            outcome: BAD_CELL.to_owned(),
            reason: Some(reason.to_owned()),
            first_row: None,
            workers: Vec::new(),
        }
    }
}

/// As Excel names it. Only the first few columns are read.
fn column(columns: Columns, field: &str) -> Option<String> {
    let place = match field {
        "name" => columns.name,
        "id_no" => columns.id_no,
        "phone" => columns.phone,
        _ => None,
    };
    let letter = place.and_then(|place| ('A'..='Z').nth(place));
    letter.map(String::from)
}

fn reason(outcome: &str, language: Language) -> Option<&'static str> {
    let (zh_cn, en) = match outcome {
        "NOT_FOUND" => {
            ("实名制名册中没有找到此人", "Nobody of this name or number is on the roster")
        }
        "AMBIGUOUS" => (
            "有多人符合，请填写身份证号或手机号",
            "Several people fit; give the identity number or the phone",
        ),
        "DUPLICATE" => ("与前面的行是同一人", "An earlier row means the same person"),
        "NOT_ON_SITE" => ("此人不在本工地的名册上", "This person is not on this site's roster"),
        "OTHER_CONTRACTOR" => {
            ("此人属于其他施工单位", "This person works for another contractor on this site")
        }
        "NAME_DIFFERS" => {
            ("姓名与身份证号不符", "The identity number belongs to somebody of another name")
        }
        "BAD_NAME" => ("姓名填写不正确", "The name is too long or not a text"),
        "BAD_ID_NO" => ("身份证号不正确，请检查每一位", "The identity number is not valid"),
        "BAD_PHONE" => ("手机号不正确", "Not a mobile number of 11 digits"),
        "EMPTY" => ("没有填写姓名、身份证号或手机号", "Neither name nor number is given"),
        ON_TICKET => ("此人已在作业票上", "This person is on the ticket already"),
        _ => return None,
    };
    Some(match language {
        Language::ZhCn => zh_cn,
        Language::En => en,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_but_found_has_a_reason_in_each_language() {
        for outcome in [
            ON_TICKET,
            "NOT_FOUND",
            "AMBIGUOUS",
            "DUPLICATE",
            "NOT_ON_SITE",
            "OTHER_CONTRACTOR",
            "NAME_DIFFERS",
            "BAD_NAME",
            "BAD_ID_NO",
            "BAD_PHONE",
            "EMPTY",
        ] {
            assert!(reason(outcome, Language::ZhCn).is_some(), "{outcome}");
            assert!(reason(outcome, Language::En).is_some(), "{outcome}");
        }
        assert_eq!(reason(FOUND, Language::En), None);
    }

    #[test]
    fn a_column_is_named_as_excel_names_it() {
        let columns = Columns { name: Some(0), id_no: Some(3), phone: None };
        assert_eq!(column(columns, "name").as_deref(), Some("A"));
        assert_eq!(column(columns, "id_no").as_deref(), Some("D"));
        assert_eq!(column(columns, "phone"), None);
        assert_eq!(column(columns, ""), None);
    }
}
