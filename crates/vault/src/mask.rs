/// `330***********1234`. What has not 18 characters is hidden whole.
pub fn mask_id_no(id_no: &str) -> String {
    mask(id_no, 18)
}

/// `138****0000`, without the country. What has not 11 digits after it is hidden whole.
pub fn mask_phone(phone: &str) -> String {
    mask(phone.strip_prefix("+86").unwrap_or(phone), 11)
}

/// Shows the first three and the last four of `length` ASCII characters.
fn mask(text: &str, length: usize) -> String {
    if text.len() == length && text.is_ascii() {
        format!("{}{}{}", &text[..3], "*".repeat(length - 7), &text[length - 4..])
    } else {
        "*".repeat(text.chars().count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_and_the_last_four_are_shown() {
        assert_eq!(mask_id_no("330999199001011234"), "330***********1234");
        assert_eq!(mask_phone("13800000000"), "138****0000");
        assert_eq!(mask_phone("+8613800000000"), "138****0000");
    }

    #[test]
    fn what_is_of_another_length_is_hidden_whole() {
        assert_eq!(mask_id_no(""), "");
        assert_eq!(mask_id_no("1234567"), "*******");
        assert_eq!(mask_phone("1380000000"), "**********");
        assert_eq!(mask_phone("一三八〇〇〇〇〇〇〇〇"), "***********");
    }
}
