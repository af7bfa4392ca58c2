use types::{AccountId, ContractorId, Role, SiteId};

/// The least a password may have; no other rule makes it better.
pub(crate) const MIN_PASSWORD_CHARS: usize = 12;

/// Somebody who signs in to the administration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub id: AccountId,
    pub username: String,
    pub role: Role,
    /// A `SysAdmin` has every site there is when it is read, without rows of their own.
    pub sites: Vec<SiteId>,
    pub contractor: Option<ContractorId>,
    pub disabled: bool,
    pub version: u64,
}

/// 3 to 32 of `a-z 0-9 . _ -`, beginning with a letter or digit.
pub(crate) fn is_username(text: &str) -> bool {
    let first =
        text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let rest = text.bytes().all(|byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
    });
    first && rest && (3..=32).contains(&text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_has_one_spelling() {
        for good in ["admin", "zhang.san", "site-1_b", "007"] {
            assert!(is_username(good), "{good}");
        }
        for bad in ["", "ab", "Admin", ".dot", "a b c", "张三张三", "a@b.example", &"x".repeat(33)]
        {
            assert!(!is_username(bad), "{bad}");
        }
    }
}
