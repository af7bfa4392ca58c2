use auth::Caller;
use chrono::{DateTime, Utc};
use proto::access_grant::v1::{GetOutlookRequest, GetOutlookResponse};
use service::Refusal;
use types::SiteId;

use super::{App, Error};
use crate::domain::{Group, Refused, group};

/// Asks who would be refused at an instant.
#[derive(Debug)]
pub(crate) struct GetOutlook {
    pub(crate) caller: Caller,
    pub(crate) site: SiteId,
    pub(crate) at: DateTime<Utc>,
}

/// access-grant's judgement, grouped by what mends it.
#[derive(Debug, Clone)]
pub(crate) struct Outlook {
    pub(crate) judged: GetOutlookResponse,
    pub(crate) groups: Vec<Group>,
}

impl App {
    #[tracing::instrument(name = "report.get_outlook", skip_all, fields(site.id = %query.site))]
    pub(crate) async fn get_outlook(&self, query: GetOutlook) -> Result<Outlook, Error> {
        if !query.caller.may_touch(query.site) {
            return Err(Error::NotFound);
        }
        let ask = GetOutlookRequest {
            site_id: query.site.to_string(),
            at: Some(proto::timestamp(query.at)),
        };
        let request = self.shell.on_behalf(&query.caller, ask);
        let answer = self.access_grant.clone().get_outlook(request).await;
        let judged = answer
            .map_err(|status| Error::Upstream(Box::new(Refusal::from_status(&status))))?
            .into_inner();
        let groups = group(judged.refused.iter().map(|line| {
            let first = line.failing.first();
            Refused {
                worker_id: line.worker_id.clone(),
                reason_code: line.reason_code.clone(),
                mend: first.map(|failing| failing.mend.clone()).unwrap_or_default(),
                who: first.map(|failing| failing.who.clone()).unwrap_or_default(),
            }
        }));
        Ok(Outlook { judged, groups })
    }
}
