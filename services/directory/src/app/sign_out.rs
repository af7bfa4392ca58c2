use auth::Caller;
use service::Scope;

use super::{App, Error, fact};
use crate::domain::{FamilyEnd, FamilyId};
use crate::store;

impl App {
    /// Ends a sign-in. Ending it twice, or one that never was, changes nothing.
    #[tracing::instrument(name = "account.sign_out", skip_all)]
    pub(crate) async fn sign_out(&self, caller: &Caller, family: FamilyId) -> Result<(), Error> {
        let mut tx = self.store.begin(Scope::System("sign-ins belong to no site")).await?;
        let ended =
            store::refresh::end(&mut tx, family, FamilyEnd::SignedOut, self.system.now()).await?;
        if let Some(account) = ended {
            let record =
                fact(caller, "account.sign_out", "account", account.to_string(), self.clock.now());
            events::audit(&mut tx, record).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
