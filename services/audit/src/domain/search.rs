use std::ops::Range;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use types::SiteId;

use super::frame::Frame;

/// What to look for; empty fields match everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) actor: Option<String>,
    pub(crate) target_type: Option<String>,
    pub(crate) target_id: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) from: Option<DateTime<Utc>>,
    pub(crate) to: Option<DateTime<Utc>>,
}

/// Before the first year and after the last that anything is kept of, in seconds since 1970: 0001 and 10000.
const EVER: Range<i64> = -62_135_596_800..253_402_300_800;

/// A time that may be open at either end, as one that is not: nothing happened outside of it.
pub(crate) fn between(
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
) -> Range<DateTime<Utc>> {
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::UNIX_EPOCH);
    let (first, last) = (at(EVER.start), at(EVER.end));
    from.unwrap_or(first).clamp(first, last)..to.unwrap_or(last).clamp(first, last)
}

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: DateTime<Utc>,
    pub(crate) position: u64,
}

/// A place, and what was asked when it was reached: 40 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    place: Place,
    question: [u8; 4],
}

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor")]
pub(crate) struct NoCursor;

impl Filter {
    /// Tells one question from another, not from one made to collide.
    fn question(&self, site: SiteId) -> [u8; 4] {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let time = |at: Option<DateTime<Utc>>| at.map_or(i64::MIN, |at| at.timestamp_micros());
        let digest = Frame::new("sitepass audit question")
            .bytes(site.as_uuid().as_bytes())
            .text(&text(&self.actor))
            .text(&text(&self.target_type))
            .text(&text(&self.target_id))
            .text(&text(&self.action))
            .bytes(&time(self.from).to_be_bytes())
            .bytes(&time(self.to).to_be_bytes())
            .digest();
        [digest[0], digest[1], digest[2], digest[3]]
    }
}

impl Cursor {
    pub(crate) fn new(place: Place, filter: &Filter, site: SiteId) -> Self {
        Self { place, question: filter.question(site) }
    }

    /// Where to go on; `None` when the cursor is of another question.
    pub(crate) fn place(self, filter: &Filter, site: SiteId) -> Option<Place> {
        (self.question == filter.question(site)).then_some(self.place)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (at, position) = (self.place.at.timestamp_micros(), self.place.position);
        write!(
            f,
            "{}{}{}",
            hex::encode(at.to_be_bytes()),
            hex::encode(position.to_be_bytes()),
            hex::encode(self.question)
        )
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let mut bytes = [0; 20];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NoCursor)?;
        let (mut micros, mut position, mut question) = ([0; 8], [0; 8], [0; 4]);
        micros.copy_from_slice(&bytes[..8]);
        position.copy_from_slice(&bytes[8..16]);
        question.copy_from_slice(&bytes[16..]);
        let at = DateTime::from_timestamp_micros(i64::from_be_bytes(micros)).ok_or(NoCursor)?;
        let position = u64::from_be_bytes(position);
        if i64::try_from(position).is_err() {
            return Err(NoCursor);
        }
        Ok(Self { place: Place { at, position }, question })
    }
}

#[cfg(test)]
mod tests {
    use super::{Cursor, Filter, NoCursor, Place, SiteId, between};

    fn place() -> Place {
        Place { at: "2026-03-02T00:00:00.123456Z".parse().unwrap(), position: 17 }
    }

    #[test]
    fn a_cursor_reads_back_and_goes_on_with_the_same_question_only() {
        let site = SiteId::new();
        let filter = Filter { actor: Some("account:a".to_owned()), ..Filter::default() };
        let cursor = Cursor::new(place(), &filter, site);
        let read: Cursor = cursor.to_string().parse().unwrap();
        assert_eq!(read, cursor);
        assert_eq!(read.place(&filter, site), Some(place()));
        assert_eq!(read.place(&filter, SiteId::new()), None);
        let other = Filter { action: filter.actor.clone(), ..Filter::default() };
        assert_eq!(read.place(&other, site), None);
    }

    #[test]
    fn a_time_without_an_end_is_all_that_was_or_will_be() {
        let (ever, at) = (between(None, None), place().at);
        assert!(ever.start < at && at < ever.end);
        assert_eq!(between(Some(at), None), at..ever.end);
        assert_eq!(
            between(Some(chrono::DateTime::<chrono::Utc>::MIN_UTC), Some(at)),
            ever.start..at
        );
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let beyond = format!("{}{}{}", "00".repeat(8), "ff".repeat(8), "00".repeat(4));
        for text in ["", "17", "zz", &beyond] {
            assert_eq!(text.parse::<Cursor>(), Err(NoCursor), "{text}");
        }
    }
}
