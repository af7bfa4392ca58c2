use auth::Caller;
use chrono::{Days, NaiveDate};
use service::Scope;
use types::{SiteId, SiteZone};

use super::{App, Error};
use crate::domain::Dashboard;
use crate::store::figures;

/// Asks for one site's day.
#[derive(Debug)]
pub(crate) struct GetDashboard {
    pub(crate) caller: Caller,
    pub(crate) site: SiteId,
    /// Today at the site when absent.
    pub(crate) date: Option<NaiveDate>,
}

impl App {
    #[tracing::instrument(name = "report.get_dashboard", skip_all, fields(site.id = %query.site))]
    pub(crate) async fn get_dashboard(&self, query: GetDashboard) -> Result<Dashboard, Error> {
        let site = query.site;
        if !query.caller.may_touch(site) {
            return Err(Error::NotFound);
        }
        // The figures are the whole site's; one contractor's are not told apart yet.
        if query.caller.contractor.is_some() {
            return Err(Error::WholeSite);
        }
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        // A site not heard of yet has no figures either, so the default zone does no harm.
        let zone = figures::time_zone(&mut tx, site).await?;
        let zone = zone.and_then(|zone| SiteZone::parse(&zone).ok()).unwrap_or_default();
        let date = query.date.unwrap_or_else(|| zone.date_at(self.shell.clock.now()));
        let (from, to) = (zone.start_of(date), zone.start_of(date + Days::new(1)));
        Ok(Dashboard {
            site,
            date,
            day: figures::day(&mut tx, site, date).await?,
            span: figures::span(&mut tx, site, from, to).await?,
            refusals: figures::refusals(&mut tx, site, from, to).await?,
        })
    }
}
