use std::fmt;

use auth::Caller;
use chrono::{DateTime, Utc};
use proto::directory::v1::{BindWorkerResponse, WorkerBound, WorkerUnbound};
use serde_json::json;
use service::{Scope, StoreError, Tx};
use types::{BindingId, SiteZone, WorkerId};
use vault::{IdNo, LastSix, Phone};

use super::enter_mini_program::wechat_refused;
use super::records::of_worker;
use super::{App, Error, fact, personal};
use crate::domain::{
    AttemptId, Binding, BindingCandidate as Candidate, BindingEnd, Held, Index, Limit, Match, Plan,
    SmsCode, WechatUserId, Worker, WorkerStatus, match_by_six, origin, plan,
};
use crate::store::people::WithPhone;
use crate::{store, wire};

/// Two bindings that meet: one of them tries again and finds what the other did.
const ATTEMPTS: u32 = 5;

/// How somebody proves that a phone is theirs.
pub(crate) enum PhoneProof {
    Sms {
        phone: Phone,
        code: SmsCode,
    },
    /// The code of WeChat's `getPhoneNumber` button.
    Wechat {
        phone_code: String,
    },
}

/// How somebody says who they are.
pub(crate) enum IdProof {
    Whole(IdNo),
    /// With the phone, where a site of theirs is content with it.
    LastSix(LastSix),
}

pub(crate) struct BindWorker {
    pub mp_code: String,
    pub proof: PhoneProof,
    pub id_no: IdProof,
    /// Helps only where the roster has no identity number for the person.
    pub name: Option<String>,
}

impl fmt::Debug for BindWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BindWorker(***)")
    }
}

/// A phone that was proved, and the code to use up with the binding.
struct Proved {
    phone: Phone,
    code: Option<Index>,
    /// What this binding counts as until it succeeds.
    attempts: [AttemptId; 2],
}

/// What to look for on the roster.
enum Wanted {
    /// Indexes of the identity number, and of the name if one was given.
    Person { id_nos: Vec<Index>, names: Vec<Index> },
    /// With the indexes of the name, if one was given.
    Six { six: LastSix, names: Vec<Index> },
}

impl App {
    /// Binds who came through WeChat to a worker of the roster. A new binding ends what either had with someone else;
    /// the same pair again changes nothing. One attempt too many is refused before the roster is looked at: of the
    /// WeChat user, from where they are, or with the phone.
    #[tracing::instrument(name = "worker.bind", skip_all, fields(worker.id))]
    pub(crate) async fn bind_worker(
        &self,
        caller: &Caller,
        cmd: BindWorker,
    ) -> Result<BindWorkerResponse, Error> {
        let BindWorker { mp_code, proof, id_no, name } = cmd;
        if let IdProof::Whole(id_no) = &id_no
            && id_no.born() > SiteZone::default().date_at(self.clock.now())
        {
            return Err(Error::field("id_no", "birth date is yet to come"));
        }
        let session = self.session(&mp_code).await?;
        let proved = self.prove(caller, &session, proof).await?;
        let names = name.map(|name| personal::name_indexes(&self.vault, &name)).unwrap_or_default();
        let wanted = match id_no {
            IdProof::LastSix(six) => Wanted::Six { six, names },
            IdProof::Whole(id_no) => {
                Wanted::Person { id_nos: personal::id_no_indexes(&self.vault, &id_no), names }
            }
        };
        let mut attempt = 1;
        loop {
            match self.bind(caller, &session, &proved, &wanted).await {
                Err(Error::Store(err)) if attempt < ATTEMPTS && met_another(&err) => attempt += 1,
                answer => return answer,
            }
        }
    }

    /// The attempt counts for who tries before it is known whether the phone is theirs, and for the phone after that.
    async fn prove(
        &self,
        caller: &Caller,
        session: &wechat::Session,
        proof: PhoneProof,
    ) -> Result<Proved, Error> {
        let (phone, code) = match proof {
            PhoneProof::Sms { phone, code } => (phone, Some(code)),
            PhoneProof::Wechat { phone_code } => (self.wechat_phone(&phone_code).await?, None),
        };
        let origin = caller.address.as_deref().and_then(origin);
        let mut limits = vec![(Limit::BINDS_BY, session.openid.as_str())];
        limits.extend(origin.as_deref().map(|origin| (Limit::BINDS_FROM, origin)));
        let tried = self.count_binding(&limits).await?;
        let code = match code {
            Some(code) => Some(self.try_sms_code(&phone, &code).await?),
            None => None,
        };
        let with_phone = self.count_binding(&[(Limit::BINDS_TO, phone.as_str())]).await?;
        Ok(Proved { phone, code, attempts: [tried, with_phone] })
    }

    async fn wechat_phone(&self, phone_code: &str) -> Result<Phone, Error> {
        let number = self.wechat.phone_number(phone_code).await;
        let number = number.map_err(|err| wechat_refused(err, "phone_code"))?;
        Phone::parse(&number)
            .map_err(|_| Error::field("phone_code", "is of a phone outside the mainland"))
    }

    async fn count_binding(&self, limits: &[(Limit, &str)]) -> Result<AttemptId, Error> {
        let mut tx = self.store.begin(Scope::System("phones belong to no site")).await?;
        let attempt = self.count_attempt(&mut tx, limits).await?;
        tx.commit().await?;
        Ok(attempt)
    }

    async fn bind(
        &self,
        caller: &Caller,
        session: &wechat::Session,
        proved: &Proved,
        wanted: &Wanted,
    ) -> Result<BindWorkerResponse, Error> {
        let now = self.clock.now();
        let mut tx =
            self.store.begin(Scope::System("a worker's engagements of every site")).await?;
        let worker = self.look_up(&mut tx, &proved.phone, wanted).await?;
        tracing::Span::current().record("worker.id", tracing::field::display(worker));
        if let Some(code) = &proved.code {
            self.use_sms_code(&mut tx, &proved.phone, code).await?;
        }
        let user = self.keep_user(&mut tx, session).await?;
        let (mut workers, held) = hold(&mut tx, worker, user).await?;
        let ours = workers.iter().position(|held| held.id == worker);
        let ours = ours.filter(|ours| workers[*ours].status == WorkerStatus::Active);
        let Some(ours) = ours else { return Err(not_found(&mut tx).await?) };
        let plan = plan(worker, user, held);
        let took_over =
            matches!(&plan, Plan::Bind { ends } if ends.iter().any(|ended| ended.worker == worker));
        if let Plan::Bind { ends } = plan {
            for binding in ends {
                if binding.worker != worker {
                    let left = binding.worker;
                    let mut record = fact(caller, "worker.unbind", "worker", left.to_string(), now);
                    record.before = Some(json!({ "binding_id": binding.id.to_string() }));
                    record.reason = Some("their WeChat user was bound to another worker");
                    of_worker(&mut tx, left, record).await?;
                }
                let of = workers
                    .iter_mut()
                    .find(|worker| worker.id == binding.worker)
                    .ok_or(StoreError::Conflict)?;
                end(&mut tx, of, &binding, BindingEnd::Replaced, now).await?;
            }
            let binding = Binding { id: BindingId::new(), worker, user, bound_at: now };
            store::bindings::insert(&mut tx, &binding).await?;
            let bound = &mut workers[ours];
            bound.set_bound(true);
            store::workers::save_state(&mut tx, &[bound]).await?;
            let event = WorkerBound {
                worker: Some(wire::worker(bound)),
                binding_id: binding.id.to_string(),
                bound_at: Some(proto::timestamp(now)),
            };
            events::enqueue(&mut tx, &event, now).await?;
            let mut record = fact(caller, "worker.bind", "worker", worker.to_string(), now);
            record.after = Some(json!({
                "binding_id": event.binding_id,
                "wechat_user_id": user.to_string(),
                "took_over": took_over,
            }));
            of_worker(&mut tx, worker, record).await?;
        }
        for attempt in proved.attempts {
            store::attempts::take_back(&mut tx, attempt).await?;
        }
        tx.commit().await?;
        Ok(BindWorkerResponse {
            worker_id: worker.to_string(),
            wechat_user_id: user.to_string(),
            site_ids: workers[ours].sites().iter().map(ToString::to_string).collect(),
            took_over,
        })
    }

    async fn look_up(
        &self,
        tx: &mut Tx,
        phone: &Phone,
        wanted: &Wanted,
    ) -> Result<WorkerId, Error> {
        let phones = personal::phone_indexes(&self.vault, phone);
        let found = match wanted {
            Wanted::Person { id_nos, names } => {
                store::workers::matching(tx, id_nos, names, &phones).await?
            }
            Wanted::Six { six, names } => {
                let mut people = store::people::with_phone(tx, &phones, names).await?;
                // A name stands for the number only where nobody with the phone has one.
                let numbered = people.iter().any(|kept| kept.id_no_sealed.is_some());
                people.retain(|kept| kept.id_no_sealed.is_some() == numbered);
                let candidate = |kept: WithPhone| {
                    let fits = match &kept.id_no_sealed {
                        Some(sealed) => {
                            six.are_of(&personal::open_id_no(&self.vault, kept.worker_id, sealed)?)
                        }
                        None => kept.named,
                    };
                    let worker = kept.worker_id.into();
                    Ok(Candidate { worker, fits, six_are_enough: kept.six_are_enough })
                };
                let candidates = people.into_iter().map(candidate);
                match match_by_six(&candidates.collect::<Result<Vec<_>, StoreError>>()?) {
                    Match::One(worker) => Some(worker),
                    Match::Nobody => None,
                    Match::WholeNumberNeeded => return Err(Error::WholeNumberNeeded),
                }
            }
        };
        match found {
            Some(worker) => Ok(worker),
            None => Err(not_found(tx).await?),
        }
    }
}

/// Which site they belong to nobody knows: the oldest roster is the one that may lack them.
async fn not_found(tx: &mut Tx) -> Result<Error, StoreError> {
    Ok(Error::WorkerNotFound { synced_at: store::rosters::oldest(tx).await? })
}

/// Holds the user, then the workers concerned, and reads both sides' bindings after that: nobody changes them now.
async fn hold(
    tx: &mut Tx,
    worker: WorkerId,
    user: WechatUserId,
) -> Result<(Vec<Worker>, Held), StoreError> {
    store::wechat_users::lock(tx, user).await?;
    let mut concerned = vec![worker];
    concerned.extend(store::bindings::of_user(tx, user).await?.map(|binding| binding.worker));
    store::workers::lock(tx, &concerned).await?;
    let by_user = store::bindings::of_user(tx, user).await?;
    let by_worker = store::bindings::of_worker(tx, worker).await?;
    let workers = store::workers::load(tx, &concerned).await?;
    Ok((workers, Held { by_worker, by_user }))
}

/// Ends a binding, its worker held; tells of it.
pub(super) async fn end(
    tx: &mut Tx,
    worker: &mut Worker,
    binding: &Binding,
    because: BindingEnd,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    store::bindings::end(tx, binding, because, now).await?;
    worker.set_bound(false);
    store::workers::save_state(tx, &[worker]).await?;
    let event = WorkerUnbound {
        worker: Some(wire::worker(worker)),
        binding_id: binding.id.to_string(),
        cause: because.as_str().to_owned(),
        unbound_at: Some(proto::timestamp(now)),
    };
    events::enqueue(tx, &event, now).await?;
    Ok(())
}

fn met_another(err: &StoreError) -> bool {
    matches!(err, StoreError::Conflict)
        || matches!(
            err.constraint(),
            Some("bindings_one_active_a_worker" | "bindings_one_active_a_user")
        )
}
