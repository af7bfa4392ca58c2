use auth::Caller;
use types::Page;

use super::{App, Error, confined, scope};
use crate::domain::Grant;
use crate::store::grants::{self, Filter};

impl App {
    /// One page of grants the caller may see, newest first, and how many there are.
    #[tracing::instrument(name = "grant.list", skip_all)]
    pub async fn list_grants(
        &self,
        caller: &Caller,
        mut filter: Filter<'_>,
        page: Page,
    ) -> Result<(Vec<Grant>, u64), Error> {
        if filter.site.is_some_and(|site| !caller.may_touch(site)) {
            return Err(Error::NotFound);
        }
        filter.contractor = confined(caller);
        let mut tx = self.store.begin(scope(caller, "list grants")).await?;
        Ok(grants::list(&mut tx, filter, page).await?)
    }
}
