use std::fmt;

use chrono::{Datelike, NaiveDate};
use zeroize::Zeroizing;

use crate::mask_id_no;

const LENGTH: usize = 18;
const WEIGHTS: [u32; LENGTH - 1] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS: &[u8; 11] = b"10X98765432";

/// A resident identity number (GB 11643-1999), checked and in capitals. Wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct IdNo {
    text: Zeroizing<String>,
    born: NaiveDate,
}

/// What is wrong with an identity number; it never repeats the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdNo {
    /// Not 17 digits and a digit or `X`. The old numbers of 15 digits are void.
    #[error("not 17 digits and a digit or X")]
    Form,
    /// The first two digits are no province.
    #[error("no such area")]
    Area,
    /// The birth date is not in the calendar, or before 1800 or after 2099.
    #[error("no such birth date")]
    BirthDate,
    #[error("check digit wrong")]
    Check,
}

impl IdNo {
    /// Takes surrounding white space and a small `x`. Whether the birth date is yet to come is not known without a date:
    /// see [`IdNo::born`].
    pub fn parse(text: &str) -> Result<Self, InvalidIdNo> {
        let text = Zeroizing::new(text.trim().to_ascii_uppercase());
        let bytes = text.as_bytes();
        let (digits, check) = match bytes {
            [digits @ .., check] if bytes.len() == LENGTH => (digits, *check),
            _ => return Err(InvalidIdNo::Form),
        };
        if !digits.iter().all(u8::is_ascii_digit) || !(check.is_ascii_digit() || check == b'X') {
            return Err(InvalidIdNo::Form);
        }
        if !is_area(number(&digits[..2])) {
            return Err(InvalidIdNo::Area);
        }
        let born = birth_date(digits).ok_or(InvalidIdNo::BirthDate)?;
        let sum: u32 = digits
            .iter()
            .zip(WEIGHTS)
            .map(|(digit, weight)| u32::from(digit - b'0') * weight)
            .sum();
        if CHECKS[sum as usize % CHECKS.len()] != check {
            return Err(InvalidIdNo::Check);
        }
        Ok(Self { text, born })
    }

    /// The number itself, to be sealed or indexed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What a site may ask for instead of the whole.
    pub fn last_six(&self) -> &str {
        &self.text[LENGTH - 6..]
    }

    /// The date of birth the number states. A number is no evidence if this is after today.
    pub fn born(&self) -> NaiveDate {
        self.born
    }

    /// `330***********1234`.
    pub fn masked(&self) -> String {
        mask_id_no(&self.text)
    }
}

/// The last six characters of an identity number, in capitals: what a site may ask for instead of the whole. There is
/// nothing in them to check. Wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct LastSix(Zeroizing<String>);

impl LastSix {
    /// Takes surrounding white space and a small `x`; `None` for what is not five digits and a digit or `X`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = Zeroizing::new(text.trim().to_ascii_uppercase());
        let (digits, check) = match text.as_bytes() {
            [digits @ .., check] if digits.len() == 5 => (digits, *check),
            _ => return None,
        };
        let is_form =
            digits.iter().all(u8::is_ascii_digit) && (check.is_ascii_digit() || check == b'X');
        is_form.then(|| Self(text.clone()))
    }

    /// Whether they are those of this number.
    pub fn are_of(&self, id_no: &str) -> bool {
        id_no.len() == LENGTH && id_no.ends_with(self.0.as_str())
    }
}

impl fmt::Debug for LastSix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastSix(***)")
    }
}

impl fmt::Debug for IdNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdNo(***)")
    }
}

/// Provinces by their first two digits; counties come and go, so they are not looked at. 81 to 83 are the residence
/// permits of Hong Kong, Macau and Taiwan, 9x the foreigners' permanent residence cards of 2023.
fn is_area(province: u32) -> bool {
    matches!(province, 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83 | 90..=99)
}

fn birth_date(digits: &[u8]) -> Option<NaiveDate> {
    let year = i32::try_from(number(&digits[6..10])).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(&digits[10..12]), number(&digits[12..14]))?;
    (1800..2100).contains(&date.year()).then_some(date)
}

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_samples_of_the_standard_are_valid() {
        for text in ["11010519491231002X", "440524188001010014"] {
            assert_eq!(IdNo::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_small_x_and_white_space_around_are_taken() {
        assert_eq!(IdNo::parse(" 11010519491231002x\n"), IdNo::parse("11010519491231002X"));
    }

    #[test]
    fn a_wrong_number_says_what_is_wrong() {
        for (text, problem) in [
            ("", InvalidIdNo::Form),
            ("110105491231002", InvalidIdNo::Form),
            ("11010519491231002", InvalidIdNo::Form),
            ("11010519491231002XX", InvalidIdNo::Form),
            ("1101051949123100X2", InvalidIdNo::Form),
            ("11010519491231002Y", InvalidIdNo::Form),
            ("１１０１０５", InvalidIdNo::Form),
            ("160105194912310029", InvalidIdNo::Area),
            ("010105194912310029", InvalidIdNo::Area),
            ("659999199002300017", InvalidIdNo::BirthDate),
            ("659999199013010011", InvalidIdNo::BirthDate),
            ("659999170001010011", InvalidIdNo::BirthDate),
            ("659999000000000000", InvalidIdNo::BirthDate),
            ("110105194912310021", InvalidIdNo::Check),
        ] {
            assert_eq!(IdNo::parse(text), Err(problem), "{text}");
        }
    }

    #[test]
    fn a_foreigners_card_of_2023_is_taken() {
        assert!(IdNo::parse("999999199001010016").is_ok());
    }

    #[test]
    fn its_parts_are_read_from_it() {
        let id_no = IdNo::parse("659999198512310026").unwrap();
        assert_eq!(id_no.last_six(), "310026");
        assert_eq!(id_no.born(), NaiveDate::from_ymd_opt(1985, 12, 31).unwrap());
        assert_eq!(id_no.masked(), "659***********0026");
    }

    #[test]
    fn six_characters_stand_for_a_number_that_ends_in_them() {
        let six = LastSix::parse(" 31002x ").unwrap();
        assert!(six.are_of("11010519491231002X") && !six.are_of("110105194912310021"));
        assert!(!six.are_of("31002X"), "six characters are no number");
        assert_eq!(format!("{six:?}"), "LastSix(***)");
        for bad in ["", "31002", "3100211", "X10021", "3100２1", "11010519491231002X"] {
            assert_eq!(LastSix::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn it_is_never_printed_nor_is_a_wrong_one() {
        assert_eq!(format!("{:?}", IdNo::parse("11010519491231002X").unwrap()), "IdNo(***)");
        let problem = IdNo::parse("110105194912310021").unwrap_err();
        assert!(!format!("{problem:?} {problem}").contains("1101"));
    }

    proptest! {
        #[test]
        fn one_wrong_digit_is_always_noticed(index in 0..LENGTH - 1, step in 1u8..10) {
            let mut bytes = b"659999198512310026".to_vec();
            bytes[index] = b'0' + (bytes[index] - b'0' + step) % 10;
            prop_assert!(IdNo::parse(&String::from_utf8(bytes).unwrap()).is_err());
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,24}|[0-9X]{18}") {
            if let Ok(id_no) = IdNo::parse(&text) {
                prop_assert_eq!(id_no.as_str().len(), LENGTH);
            }
        }
    }
}
