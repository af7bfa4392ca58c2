use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

/// Six digits; never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SmsCode(String);

impl SmsCode {
    pub(crate) const MINUTES: i64 = 5;
    pub(crate) const LIFETIME: TimeDelta = TimeDelta::minutes(Self::MINUTES);
    /// Between two texts to one phone.
    pub(crate) const PAUSE: TimeDelta = TimeDelta::seconds(60);
    pub(crate) const MAX_TRIES: i32 = 5;
    /// Below it every remainder of a million is equally likely.
    const FAIR: u32 = u32::MAX - u32::MAX % 1_000_000;

    /// Makes six digits of a random number; `None` for the few that would favour some codes.
    pub(crate) fn from_random(number: u32) -> Option<Self> {
        (number < Self::FAIR).then(|| Self(format!("{:06}", number % 1_000_000)))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        (text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SmsCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmsCode(***)")
    }
}

/// The code in force for one phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SentCode {
    pub sent_at: DateTime<Utc>,
}

impl SentCode {
    pub(crate) fn next_allowed_at(&self) -> DateTime<Utc> {
        self.sent_at + SmsCode::PAUSE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_six_digits_with_leading_zeros() {
        assert_eq!(SmsCode::from_random(7).unwrap().as_str(), "000007");
        assert_eq!(SmsCode::from_random(4_293_999_999).unwrap().as_str(), "999999");
        assert_eq!(SmsCode::from_random(4_294_000_000), None, "no code is likelier than another");
        assert_eq!(format!("{:?}", SmsCode::from_random(7)), "Some(SmsCode(***))");
    }

    #[test]
    fn what_is_no_code_is_not_tried() {
        assert_eq!(SmsCode::parse(" 123456 ").unwrap().as_str(), "123456");
        for bad in ["", "12345", "1234567", "12345x", "１２３４５６"] {
            assert_eq!(SmsCode::parse(bad), None, "{bad}");
        }
    }
}
