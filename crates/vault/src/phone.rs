use std::fmt;

use zeroize::Zeroizing;

use crate::mask_phone;

const COUNTRY: &str = "+86";

/// A mobile number of mainland China, kept as E.164. Wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(Zeroizing<String>);

/// Not a mobile number of mainland China; it never repeats the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a mobile number of 11 digits")]
pub struct InvalidPhone;

impl Phone {
    /// Takes white space, hyphens and a leading `+86`, `86` or `0086`.
    pub fn parse(text: &str) -> Result<Self, InvalidPhone> {
        let kept: String =
            text.chars().filter(|char| !char.is_whitespace() && *char != '-').collect();
        let kept = Zeroizing::new(kept);
        let national = ["+86", "0086", "86"]
            .iter()
            .find_map(|prefix| kept.strip_prefix(prefix))
            .unwrap_or(&kept);
        match national.as_bytes() {
            [b'1', b'3'..=b'9', rest @ ..]
                if rest.len() == 9 && rest.iter().all(u8::is_ascii_digit) =>
            {
                Ok(Self(Zeroizing::new(format!("{COUNTRY}{national}"))))
            }
            _ => Err(InvalidPhone),
        }
    }

    /// `+8613800000000`: what is stored, indexed and sent to providers.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 11 digits without the country.
    pub fn national(&self) -> &str {
        &self.0[COUNTRY.len()..]
    }

    /// `138****0000`.
    pub fn masked(&self) -> String {
        mask_phone(&self.0)
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_common_way_of_writing_is_the_same_number() {
        for text in [
            "19900001234",
            "+8619900001234",
            "8619900001234",
            "008619900001234",
            " +86 199-0000-1234 ",
            "199\u{a0}0000\u{3000}1234",
        ] {
            let phone = Phone::parse(text).unwrap();
            assert_eq!(
                (phone.as_str(), phone.national()),
                ("+8619900001234", "19900001234"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_mobile_number_is_refused() {
        for text in [
            "",
            "86",
            "1990000123",
            "199000012345",
            "12900001234",
            "+119900001234",
            "+868619900001234",
            "1990000123x",
        ] {
            assert_eq!(Phone::parse(text), Err(InvalidPhone), "{text}");
        }
    }

    #[test]
    fn it_is_masked_when_shown_and_never_printed() {
        let phone = Phone::parse("19900001234").unwrap();
        assert_eq!(phone.masked(), "199****1234");
        assert_eq!(format!("{phone:?}"), "Phone(***)");
    }
}
