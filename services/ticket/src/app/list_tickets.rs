use auth::Caller;
use types::{Page, Role};

use super::{App, Error, scope};
use crate::domain::{Filter, Listing, Sort};
use crate::store::tickets;

impl App {
    /// One page of the caller's tickets, and how many there are in all. Asking for another's site or contractor is
    /// asking for what is not there.
    #[tracing::instrument(name = "ticket.list", skip_all)]
    pub async fn list_tickets(
        &self,
        caller: &Caller,
        mut filter: Filter,
        sort: Sort,
        page: Page,
    ) -> Result<(Vec<Listing>, u32), Error> {
        if filter.site.is_some_and(|site| !caller.may_touch(site)) {
            return Err(Error::NotFound);
        }
        if caller.role == Some(Role::ContractorAdmin) || caller.contractor.is_some() {
            let own = caller.contractor.ok_or(Error::NotFound)?;
            if filter.contractor.is_some_and(|contractor| contractor != own) {
                return Err(Error::NotFound);
            }
            filter.contractor = Some(own);
        }
        let mut tx = self.store.begin(scope(caller)).await?;
        Ok(tickets::list(&mut tx, &filter, sort, page).await?)
    }
}
