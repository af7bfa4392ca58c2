use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use types::AccountId;
use uuid::Uuid;

/// One sign-in. Whoever knows it can end it, so it is random, not drawn from the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FamilyId(pub Uuid);

impl FamilyId {
    pub(crate) fn new() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A sign-in and whether it still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Family {
    pub id: FamilyId,
    pub account: AccountId,
    pub ended: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FamilyEnd {
    SignedOut,
    /// A used token came back: two have it, and one of them is a thief.
    Reused,
    /// The account may not sign in any more.
    Disabled,
    /// Somebody else gave the account a new password.
    PasswordReset,
    /// They chose a new password, and signed in elsewhere before.
    PasswordChanged,
}

impl FamilyEnd {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "SIGNED_OUT",
            Self::Reused => "REUSED",
            Self::Disabled => "DISABLED",
            Self::PasswordReset => "PASSWORD_RESET",
            Self::PasswordChanged => "PASSWORD_CHANGED",
        }
    }
}

/// One link of a family's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub family: Family,
    pub expires_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefusedRefresh {
    #[error("the sign-in has ended")]
    Ended,
    #[error("the token was used before")]
    Reused,
    #[error("the token has expired")]
    Expired,
}

impl Token {
    pub(crate) const LIFETIME: TimeDelta = TimeDelta::days(7);

    /// Whether this token may be exchanged for the next. [`RefusedRefresh::Reused`] ends the family.
    pub(crate) fn exchange(&self, now: DateTime<Utc>) -> Result<(), RefusedRefresh> {
        if self.family.ended.is_some() {
            return Err(RefusedRefresh::Ended);
        }
        if self.used_at.is_some() {
            return Err(RefusedRefresh::Reused);
        }
        if self.expires_at <= now {
            return Err(RefusedRefresh::Expired);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(now: DateTime<Utc>) -> Token {
        let family = Family { id: FamilyId::new(), account: AccountId::new(), ended: None };
        Token { family, expires_at: now + Token::LIFETIME, used_at: None }
    }

    #[test]
    fn a_token_is_exchanged_once_before_its_end() {
        let now = DateTime::from_timestamp(1_772_409_600, 0).unwrap();
        let token = token(now);
        assert_eq!(token.exchange(now), Ok(()));
        assert_eq!(token.exchange(token.expires_at), Err(RefusedRefresh::Expired));
        let used = Token { used_at: Some(now), ..token };
        assert_eq!(used.exchange(now), Err(RefusedRefresh::Reused));
        assert_eq!(
            used.exchange(token.expires_at),
            Err(RefusedRefresh::Reused),
            "a thief may be late"
        );
        let ended = Token { family: Family { ended: Some(now), ..token.family }, ..used };
        assert_eq!(ended.exchange(now), Err(RefusedRefresh::Ended));
    }
}
