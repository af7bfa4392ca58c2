use auth::Caller;
use proto::directory::v1::ListAccountsResponse;
use types::Page;

use super::{App, Error, reaches, scope};
use crate::{store, wire};

impl App {
    /// The accounts that reach one of the caller's sites.
    #[tracing::instrument(name = "account.list", skip_all)]
    pub(crate) async fn list_accounts(
        &self,
        caller: &Caller,
        filter: store::accounts::Filter,
        page: Page,
    ) -> Result<ListAccountsResponse, Error> {
        if filter.site.is_some_and(|site| !reaches(caller, site)) {
            return Err(Error::NotFound);
        }
        let mut tx = self.store.begin(scope(caller)).await?;
        let (accounts, total) = store::accounts::list(&mut tx, &filter, page).await?;
        Ok(ListAccountsResponse {
            accounts: accounts.iter().map(wire::account).collect(),
            total: u32::try_from(total).unwrap_or(u32::MAX),
        })
    }
}
