use auth::Caller;
use types::{Page, Role};

use super::{App, Error, scope};
use crate::domain::Notice;
use crate::store::Versioned;
use crate::store::notices::{self, Filter};

impl App {
    /// One page of the notices within the caller's reach, newest first, and how many there are in all.
    #[tracing::instrument(name = "notification.list", skip_all)]
    pub async fn list_notifications(
        &self,
        caller: &Caller,
        filter: Filter,
        page: Page,
    ) -> Result<(Vec<Versioned<Notice>>, u32), Error> {
        if filter.site.is_some_and(|site| !caller.may_touch(site)) {
            return Err(Error::NotFound);
        }
        let confined = caller.role == Some(Role::ContractorAdmin) || caller.contractor.is_some();
        let contractor = match (confined, caller.contractor) {
            (false, _) => None,
            (true, Some(contractor)) => Some(contractor),
            (true, None) => return Ok((Vec::new(), 0)),
        };
        let mut tx = self.store.begin(scope(caller)).await?;
        Ok(notices::list(&mut tx, &Filter { contractor, ..filter }, page).await?)
    }
}
