use auth::Caller;
use proto::directory::v1::ResetPasswordResponse;
use service::Scope;
use types::AccountId;

use super::{App, Error, fact, records};
use crate::domain::{Account, FamilyEnd};
use crate::{store, wire};

/// Letters and digits that nobody takes for one another when they are read out.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const GROUPS: usize = 4;
const GROUP: usize = 4;

impl App {
    /// Gives an account a one-time password, which nobody else has seen, and ends its sign-ins. No idempotency key: the
    /// answer may not be kept, and to reset again does no harm.
    #[tracing::instrument(name = "account.reset_password", skip_all, fields(account.id = %account))]
    pub(crate) async fn reset_password(
        &self,
        caller: &Caller,
        account: AccountId,
        reason: Option<&str>,
    ) -> Result<ResetPasswordResponse, Error> {
        if caller.account_id() == Some(account) {
            return Err(Error::NotAllowed("it is one's own account"));
        }
        let password = one_time_password()?;
        let hash = self.passwords.hash(password.clone()).await?;
        let (now, system) = (self.clock.now(), self.system.now());
        let mut tx = self.store.begin(Scope::System("an account's sites")).await?;
        let before = store::accounts::get(&mut tx, account).await?.ok_or(Error::NotFound)?;
        let until = system + Account::ONE_TIME;
        let after = Account { one_time_until: Some(until), version: before.version + 1, ..before };
        store::accounts::save_password(&mut tx, &after, &hash).await?;
        store::refresh::end_all(&mut tx, account, None, FamilyEnd::PasswordReset, system).await?;
        events::enqueue(&mut tx, &wire::account_changed(&after), now).await?;
        let mut record =
            fact(caller, "account.reset_password", "account", account.to_string(), now);
        record.reason = reason;
        records::of_sites(&mut tx, after.sites.iter().copied(), record).await?;
        tx.commit().await?;
        Ok(ResetPasswordResponse {
            account: Some(wire::account(&after)),
            one_time_password: password,
            expires_at: Some(proto::timestamp(until)),
        })
    }
}

/// 80 random bits, as `k3fm-9xqa-…`.
fn one_time_password() -> Result<String, Error> {
    let mut random = [0; GROUPS * GROUP];
    getrandom::fill(&mut random)
        .map_err(|_| Error::Internal("the system gives no random bytes"))?;
    let letters = random.map(|byte| char::from(ALPHABET[usize::from(byte & 31)]));
    let groups: Vec<String> = letters.chunks(GROUP).map(|group| group.iter().collect()).collect();
    Ok(groups.join("-"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::MIN_PASSWORD_CHARS;

    #[test]
    fn a_one_time_password_is_long_enough_and_never_the_same() {
        let letters: BTreeSet<u8> = ALPHABET.iter().copied().collect();
        assert_eq!(letters.len(), ALPHABET.len());
        let drawn: BTreeSet<String> = (0..200).map(|_| one_time_password().unwrap()).collect();
        assert_eq!(drawn.len(), 200);
        assert!(drawn.iter().all(|password| password.len() >= MIN_PASSWORD_CHARS), "{drawn:?}");
    }
}
