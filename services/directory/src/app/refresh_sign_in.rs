use auth::Caller;
use proto::directory::v1::RefreshSignInResponse;
use service::Scope;

use super::sign_in::{Issued, hashes};
use super::{App, Error, fact};
use crate::domain::{FamilyEnd, RefusedRefresh};
use crate::store;

impl App {
    /// Exchanges a token for the next of its family. Two at once with one token are a reuse: the family ends.
    #[tracing::instrument(name = "account.refresh_sign_in", skip_all)]
    pub(crate) async fn refresh_sign_in(
        &self,
        caller: &Caller,
        token: &str,
    ) -> Result<RefreshSignInResponse, Error> {
        let hashes = hashes(&self.vault, token);
        let now = self.system.now();
        let mut tx = self.store.begin(Scope::System("an account's sites")).await?;
        let token = store::refresh::lock(&mut tx, &hashes).await?.ok_or(Error::NotSignedIn)?;
        let family = token.family;
        match token.exchange(now) {
            Ok(()) => {}
            Err(RefusedRefresh::Ended) => return Err(Error::NotSignedIn),
            Err(RefusedRefresh::Expired) => return Err(Error::TokenExpired),
            Err(RefusedRefresh::Reused) => {
                store::refresh::end(&mut tx, family.id, FamilyEnd::Reused, now).await?;
                let target = family.account.to_string();
                let mut record =
                    fact(caller, "account.end_sign_in", "account", target, self.clock.now());
                record.reason = Some("a used refresh token came back");
                events::audit(&mut tx, record).await?;
                tx.commit().await?;
                tracing::warn!(account.id = %family.account, "a used refresh token came back, sign-in ended");
                return Err(Error::NotSignedIn);
            }
        }
        let account = store::accounts::get(&mut tx, family.account).await?;
        let account =
            account.filter(|account| account.may_sign_in(now)).ok_or(Error::NotSignedIn)?;
        store::refresh::mark_used(&mut tx, &hashes, now).await?;
        let issued = Issued::next(&mut tx, &self.vault, family.id, now).await?;
        tx.commit().await?;
        Ok(issued.refresh(&account, family.id))
    }
}
