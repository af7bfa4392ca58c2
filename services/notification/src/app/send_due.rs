use std::collections::BTreeMap;

use chrono::TimeDelta;
use futures::future::join_all;
use proto::directory::v1::ResolveWorkersRequest;
use service::{Scope, StoreError, Tx, telemetry};
use tracing::Instrument;
use types::WorkerId;
use wechat::SubscribeMessage;

use super::{App, CONTEXT, Error};
use crate::domain::{Answer, Consent, Message, Notice, Skip, State, Status, render};
use crate::record;
use crate::store::{Versioned, areas, consents, notices, tickets, workers};

/// Sent at a time.
const BATCH: i64 = 20;
/// System time, longer than the slowest attempt takes: after it nobody is sending any more.
const LEASE: TimeDelta = TimeDelta::seconds(90);
/// No call begins later than this long after the claim.
const BEGIN_WITHIN: TimeDelta = TimeDelta::seconds(30);

/// A notice that is this process's to send, and what it says. Its consent is spent.
#[derive(Debug)]
pub struct Ready {
    pub notice: Versioned<Notice>,
    pub message: Message,
}

/// What came of looking for due notices.
#[derive(Debug, Default)]
pub struct Claimed {
    pub ready: Vec<Ready>,
    /// Ended without a call.
    pub skipped: usize,
}

impl App {
    /// Gives up what was abandoned, then claims and sends what is due; answers how many notices moved. Any number of
    /// processes may do so at once.
    pub async fn send_due(&self) -> Result<usize, Error> {
        let given_up = self.give_up_abandoned().await?;
        let claimed = self.claim_due().await?;
        let moved = given_up + claimed.skipped + claimed.ready.len();
        self.send(claimed.ready).await;
        Ok(moved)
    }

    /// Makes unknown what someone began to send and never finished.
    pub async fn give_up_abandoned(&self) -> Result<usize, Error> {
        let at = self.shell.clock.now();
        let mut tx = self.store.begin(Scope::System("find abandoned notices")).await?;
        let mut abandoned = notices::abandoned(&mut tx, self.shell.system.now(), BATCH).await?;
        if abandoned.is_empty() {
            return Ok(0);
        }
        for notice in &mut abandoned {
            notice.value.give_up(at)?;
            record::save(&mut tx, notice, at).await?;
            tracing::warn!(notification.id = %notice.value.id, "a notice was abandoned while being sent");
        }
        tx.commit().await?;
        Ok(abandoned.len())
    }

    /// Takes due notices in one transaction with their consents. Who has none left is skipped here, uncalled, and so is
    /// what was queued while its ticket took it back.
    pub async fn claim_due(&self) -> Result<Claimed, Error> {
        let at = self.shell.clock.now();
        let lease_until = self.shell.system.now() + LEASE;
        let mut tx = self.store.begin(Scope::System("claim due notices")).await?;
        let due = notices::due(&mut tx, at, BATCH).await?;
        if due.is_empty() {
            return Ok(Claimed::default());
        }
        let words = tickets::words(&mut tx, &due).await?;
        let mut claimed = Claimed::default();
        for mut notice in due {
            if let Some(word) = words.get(&notice.value.id) {
                notice.value.follow(word, at);
            }
            if notice.value.status() == Status::Skipped {
                record::save(&mut tx, &mut notice, at).await?;
                claimed.skipped += 1;
                continue;
            }
            let template = self.templates.of(notice.value.kind);
            if consents::spend(&mut tx, notice.value.worker, template).await? {
                notice.value.claim(lease_until)?;
                record::save(&mut tx, &mut notice, at).await?;
                let areas = areas::names(&mut tx, &notice.value.content.areas).await?;
                claimed.ready.push(Ready { message: render(&notice.value, &areas), notice });
            } else {
                let why = self.unreachable(&mut tx, notice.value.worker).await?;
                notice.value.skip(why, at)?;
                record::save(&mut tx, &mut notice, at).await?;
                claimed.skipped += 1;
            }
        }
        tx.commit().await?;
        Ok(claimed)
    }

    /// Only the bound can consent, so that is the first thing that is missing.
    async fn unreachable(&self, tx: &mut Tx, worker: WorkerId) -> Result<Skip, StoreError> {
        let bound = workers::bound(tx, &[worker]).await?;
        Ok(if bound.get(&worker) == Some(&true) { Skip::NoBalance } else { Skip::NotBound })
    }

    /// Sends what was claimed and keeps what came of each. What cannot be kept becomes unknown with its lease.
    pub async fn send(&self, ready: Vec<Ready>) {
        if ready.is_empty() {
            return;
        }
        let openids = self.openids(&ready).await;
        let sendings = ready.into_iter().map(|Ready { notice, message }| {
            let openid = match &openids {
                None => Err(Answer::Postponed),
                Some(openids) => openids.get(&notice.value.worker).cloned().ok_or(Answer::NotBound),
            };
            let span = tracing::info_span!(
                "notification.send",
                notification.id = %notice.value.id,
                notification.attempt = notice.value.attempts,
            );
            telemetry::set_parent(&span, notice.value.traceparent.as_deref());
            self.send_one(notice, message, openid).instrument(span)
        });
        join_all(sendings).await;
    }

    async fn send_one(
        &self,
        notice: Versioned<Notice>,
        message: Message,
        openid: Result<String, Answer>,
    ) {
        let id = notice.value.id;
        let answer = match openid {
            Err(answer) => answer,
            Ok(_) if self.is_late(&notice.value) => Answer::Postponed,
            Ok(openid) => self.call(&notice.value, message, openid).await,
        };
        if let Err(err) = self.settle(notice, answer).await {
            tracing::warn!(notification.id = %id, error = %err, "what came of a notice cannot be kept");
        }
    }

    /// A process that slept does not call when others may have given the notice up.
    fn is_late(&self, notice: &Notice) -> bool {
        match notice.state {
            State::Sending { lease_until } => {
                self.shell.system.now() > lease_until - LEASE + BEGIN_WITHIN
            }
            _ => true,
        }
    }

    async fn call(&self, notice: &Notice, message: Message, openid: String) -> Answer {
        let message = SubscribeMessage {
            openid,
            template_id: self.templates.of(notice.kind).to_owned(),
            page: message.page,
            data: message.values,
        };
        match self.wechat.subscribe_send(&message).await {
            Ok(msgid) => Answer::Taken { msgid },
            Err(wechat::Error::NoBalance) => Answer::NoBalance,
            Err(wechat::Error::Refused { errcode }) => {
                // Our data, our configuration or this user: not mended by trying again.
                tracing::error!(notification.id = %notice.id, errcode, "WeChat refused a notice");
                Answer::Refused { errcode }
            }
            Err(wechat::Error::Unknown) => Answer::Lost,
            Err(wechat::Error::Retry { .. } | wechat::Error::BadToken | wechat::Error::BadCode) => {
                Answer::Later
            }
        }
    }

    async fn settle(&self, mut notice: Versioned<Notice>, answer: Answer) -> Result<(), Error> {
        let at = self.shell.clock.now();
        let (worker, template) = (notice.value.worker, self.templates.of(notice.value.kind));
        let mut tx = self.store.begin(Scope::Site(notice.value.site)).await?;
        let consent = notice.value.settle(answer, at)?;
        record::save(&mut tx, &mut notice, at).await?;
        match consent {
            Consent::Spent => {}
            Consent::GivenBack => {
                consents::add(&mut tx, worker, template, 1).await?;
            }
            Consent::Gone => consents::clear(&mut tx, worker, template).await?,
        }
        tx.commit().await?;
        Ok(())
    }

    /// Whom to send to, asked for all at once; none when directory does not answer.
    async fn openids(&self, ready: &[Ready]) -> Option<BTreeMap<WorkerId, String>> {
        let worker_ids = ready.iter().map(|ready| ready.notice.value.worker.to_string());
        let request = ResolveWorkersRequest {
            worker_ids: worker_ids.collect(),
            purpose: "WECHAT_NOTICE".to_owned(),
        };
        let request = self.shell.as_service(CONTEXT, request);
        let answer = match self.directory.clone().resolve_workers(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => {
                tracing::warn!(code = ?status.code(), "directory does not say whom to send to");
                return None;
            }
        };
        let bound = answer.workers.into_iter().filter(|worker| !worker.openid.is_empty());
        Some(
            bound
                .filter_map(|worker| Some((worker.worker_id.parse().ok()?, worker.openid)))
                .collect(),
        )
    }
}
