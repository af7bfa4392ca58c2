#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::time::Duration;

use auth::Caller;
use directory::{Config, SmsConfig};
use prost::Message;
use proto::directory::v1 as pb;
use proto::directory::v1::directory_service_client::DirectoryServiceClient;
use service::config::{Secret, SecretRing};
use service::grpc::{Peers, Transport};
use service::{Refusal, Shell, Tasks};
use sqlx::PgPool;
use test_support::{Harness, eventually};
use tonic::{Request, Response, Status};
use types::{ContractorId, SiteId};

use crate::outside::{Outside, id_no, person, phone};

pub(crate) const PASSWORD: &str = "a password of some length";

pub(crate) struct World {
    pub(crate) harness: Harness,
    pub(crate) outside: Outside,
    /// The outside's own: it outlives the directory.
    outside_tasks: Tasks,
    config: Config,
    pub(crate) client: DirectoryServiceClient<Transport>,
    pub(crate) admin: PgPool,
    /// Of no site yet; whoever manages sites reaches each.
    pub(crate) sysadmin: Caller,
}

pub(crate) const ROOT: &[u8] = &[7; 32];

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(None).await
    }

    pub(crate) async fn with(first_admin_password: Option<&str>) -> Self {
        let password = first_admin_password.map(|text| Secret::new(text.as_bytes()));
        Self::configured(|config| config.first_admin_password = password).await
    }

    pub(crate) async fn configured(change: impl FnOnce(&mut Config)) -> Self {
        let harness = Harness::new().await;
        let outside_tasks = Tasks::new();
        let outside = Outside::start(&outside_tasks).await;
        let mut config = config(&harness, &outside);
        change(&mut config);
        directory::serve(config.clone(), harness.shell.clone()).await.unwrap();
        let client = DirectoryServiceClient::new(harness.shell.peers.transport("directory"));
        let admin = harness.database.admin();
        let sysadmin = harness.sysadmin(&[]);
        Self { harness, outside, outside_tasks, config, client, admin, sysadmin }
    }

    /// Stops the directory and starts it again, configured otherwise, on the same tables.
    pub(crate) async fn restart(&mut self, change: impl FnOnce(&mut Config)) {
        finish(&self.harness.shell.tasks).await;
        let shell = &mut self.harness.shell;
        (shell.tasks, shell.peers) = (Tasks::new(), Peers::in_process());
        change(&mut self.config);
        directory::serve(self.config.clone(), shell.clone()).await.unwrap();
        self.client = DirectoryServiceClient::new(shell.peers.transport("directory"));
    }

    /// Another directory on the same tables, as a second process would be.
    pub(crate) async fn replica(&self) -> DirectoryServiceClient<Transport> {
        let config = config(&self.harness, &self.outside);
        let shell = Shell { peers: Peers::in_process(), ..self.harness.shell.clone() };
        directory::serve(config, shell.clone()).await.unwrap();
        DirectoryServiceClient::new(shell.peers.transport("directory"))
    }

    /// Waits until the real-name system was asked for so many pages in all.
    pub(crate) async fn until_asked_for_pages(&self, pages: usize) {
        let asked = async || (self.outside.asked_pages() >= pages).then_some(());
        eventually("a page to be asked for", asked).await;
    }

    pub(crate) fn by<M>(&self, caller: &Caller, message: M) -> Request<M> {
        self.harness.request(caller, message)
    }

    /// A request of nobody who has signed in.
    pub(crate) fn public<M>(&self, message: M) -> Request<M> {
        self.by(&Caller::anonymous(), message)
    }

    /// The same, from a network address.
    pub(crate) fn public_from<M>(&self, address: &str, message: M) -> Request<M> {
        self.by(&Caller { address: Some(address.to_owned()), ..Caller::anonymous() }, message)
    }

    /// A site that the real-name system knows by its name.
    pub(crate) async fn site(&self, name: &str) -> SiteId {
        self.site_of(name, name).await
    }

    /// A site that the real-name system knows by this code.
    pub(crate) async fn site_of(&self, name: &str, project: &str) -> SiteId {
        let settings =
            pb::SiteSettings { realname_project: Some(project.to_owned()), ..Default::default() };
        let message = pb::CreateSiteRequest {
            name: name.to_owned(),
            settings: Some(settings),
            ..Default::default()
        };
        let answer =
            self.client.clone().create_site(self.by(&self.sysadmin, message)).await.unwrap();
        answer.into_inner().site.unwrap().site_id.parse().unwrap()
    }

    pub(crate) async fn contractor(&self, name: &str, sites: &[SiteId]) -> ContractorId {
        let site_ids = sites.iter().map(ToString::to_string).collect();
        let message = pb::CreateContractorRequest { name: name.to_owned(), site_ids };
        let answer =
            self.client.clone().create_contractor(self.by(&self.sysadmin, message)).await.unwrap();
        answer.into_inner().contractor.unwrap().contractor_id.parse().unwrap()
    }

    pub(crate) async fn account(
        &self,
        username: &str,
        site: SiteId,
        contractor: ContractorId,
    ) -> pb::Account {
        let message = pb::CreateAccountRequest {
            username: username.to_owned(),
            password: PASSWORD.to_owned(),
            role: "ContractorAdmin".to_owned(),
            site_ids: vec![site.to_string()],
            contractor_id: contractor.to_string(),
        };
        let answer =
            self.client.clone().create_account(self.by(&self.sysadmin, message)).await.unwrap();
        answer.into_inner().account.unwrap()
    }

    pub(crate) async fn create_account(
        &self,
        username: &str,
        role: &str,
        site_ids: Vec<String>,
    ) -> pb::Account {
        let message = pb::CreateAccountRequest {
            username: username.to_owned(),
            password: PASSWORD.to_owned(),
            role: role.to_owned(),
            site_ids,
            contractor_id: String::new(),
        };
        let answer = self.client.clone().create_account(self.by(&self.sysadmin, message)).await;
        told(answer).unwrap().account.unwrap()
    }

    pub(crate) async fn change_account(
        &self,
        by: &Caller,
        message: pb::ChangeAccountRequest,
    ) -> Result<pb::Account, Refusal> {
        let answer = told(self.client.clone().change_account(self.by(by, message)).await);
        answer.map(|answer| answer.account.unwrap())
    }

    pub(crate) async fn sign_in(
        &self,
        username: &str,
        password: &str,
    ) -> Result<pb::SignInResponse, Refusal> {
        let message =
            pb::SignInRequest { username: username.to_owned(), password: password.to_owned() };
        told(self.client.clone().sign_in(self.public(message)).await)
    }

    /// The number of the refusal's code; 0 where it succeeds.
    pub(crate) async fn sign_in_from(&self, address: &str, username: &str, password: &str) -> u32 {
        let message =
            pb::SignInRequest { username: username.to_owned(), password: password.to_owned() };
        code(&told(self.client.clone().sign_in(self.public_from(address, message)).await))
    }

    pub(crate) async fn refresh(&self, token: &str) -> Result<pb::RefreshSignInResponse, Refusal> {
        let message = pb::RefreshSignInRequest { refresh_token: token.to_owned() };
        told(self.client.clone().refresh_sign_in(self.public(message)).await)
    }

    /// Asks as the gateway does before it believes an access token.
    pub(crate) async fn check_sign_in(
        &self,
        family_id: &str,
    ) -> Result<pb::CheckSignInResponse, Refusal> {
        let message = pb::CheckSignInRequest { family_id: family_id.to_owned() };
        let gateway = Caller::service("gateway");
        told(self.client.clone().check_sign_in(self.by(&gateway, message)).await)
    }

    pub(crate) async fn sync(&self, site: SiteId) -> Result<pb::SyncWorkersResponse, Refusal> {
        let message = pb::SyncWorkersRequest { site_id: site.to_string(), ..Default::default() };
        told(self.client.clone().sync_workers(self.by(&self.sysadmin, message)).await)
    }

    /// A site with the people of these numbers, in order.
    pub(crate) async fn staffed(
        &self,
        numbers: std::ops::RangeInclusive<u32>,
    ) -> (SiteId, Vec<String>) {
        let site = self.site("一号工地").await;
        self.contractor("示例一建", &[site]).await;
        self.outside.set_roster(&numbers.clone().map(person).collect::<Vec<_>>());
        self.sync(site).await.unwrap();
        let mut workers = Vec::new();
        for number in numbers {
            workers.push(self.find(site, &phone(number)).await.workers[0].worker_id.clone());
        }
        (site, workers)
    }

    pub(crate) async fn find(&self, site: SiteId, keyword: &str) -> pb::SearchWorkersResponse {
        let message = pb::SearchWorkersRequest {
            site_id: site.to_string(),
            keyword: keyword.to_owned(),
            ..Default::default()
        };
        told(self.client.clone().search_workers(self.by(&self.sysadmin, message)).await).unwrap()
    }

    /// Binds the WeChat user `demo-<who>` to the person of this number, phone proved by WeChat.
    pub(crate) async fn bind(
        &self,
        who: &str,
        number: u32,
    ) -> Result<pb::BindWorkerResponse, Refusal> {
        let message = pb::BindWorkerRequest {
            mp_code: format!("demo-{who}"),
            phone_code: format!("phone-{}", phone(number)),
            id_no: id_no(number),
            ..Default::default()
        };
        told(self.client.clone().bind_worker(self.public(message)).await)
    }

    pub(crate) async fn events(&self) -> Vec<(String, Vec<u8>)> {
        let store = self.harness.store("directory").await;
        events::testing::outbox(&store).await
    }

    /// The facts of one kind, in order.
    pub(crate) async fn facts<E: proto::Event>(&self) -> Vec<E> {
        let events = self.events().await;
        let ours = events.iter().filter(|(name, _)| name == E::NAME);
        ours.map(|(_, data)| E::decode(data.as_slice()).unwrap()).collect()
    }

    /// The records of commands with this action.
    pub(crate) async fn records(&self, action: &str) -> Vec<proto::common::v1::CommandAudited> {
        let events = self.events().await;
        let records = events.iter().filter(|(name, _)| name == "CommandAudited");
        let records = records.map(|(_, data)| Message::decode(data.as_slice()).unwrap());
        records
            .filter(|record: &proto::common::v1::CommandAudited| record.action == action)
            .collect()
    }

    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.admin).await.unwrap()
    }

    /// Waits until a sign-in whose password fits waits for attempts that the test holds.
    pub(crate) async fn a_success_waits(&self) {
        eventually("a sign-in that waits", async || {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                 AND wait_event_type = 'Lock' AND query LIKE 'DELETE FROM directory.attempts%'";
            (self.count(waiting).await > 0).then_some(())
        })
        .await;
    }

    pub(crate) async fn stop(self) {
        self.admin.close().await;
        self.harness.stop().await;
        finish(&self.outside_tasks).await;
    }
}

fn config(harness: &Harness, outside: &Outside) -> Config {
    Config {
        database: harness.database.config(),
        grpc_listen: None,
        vault: SecretRing::of_one(Secret::new(ROOT)),
        wechat: wechat::Config {
            url: outside.url.clone(),
            appid: "wx-test".to_owned(),
            secret: Secret::new(b"secret"),
        },
        sms: SmsConfig {
            url: format!("{}/sms", outside.url).parse().unwrap(),
            app_id: "1400000000".to_owned(),
            secret_id: "AKIDtest".to_owned(),
            secret_key: Secret::new(b"key"),
            region: "ap-guangzhou".to_owned(),
            sign_name: "作业票通".to_owned(),
            code_template: "1000001".to_owned(),
        },
        realname_url: outside.url.clone(),
        roster_rhythm: None,
        first_admin_password: None,
    }
}

async fn finish(tasks: &Tasks) {
    tasks.stop();
    assert!(tasks.finished(Duration::from_secs(10)).await, "a task did not stop");
}

/// The answer, or the refusal that travelled.
pub(crate) fn told<T>(answer: Result<Response<T>, Status>) -> Result<T, Refusal> {
    answer.map(Response::into_inner).map_err(|status| Refusal::from_status(&status))
}

/// The number of the refusal's code; 0 for an answer.
pub(crate) fn code<T>(answer: &Result<T, Refusal>) -> u32 {
    answer.as_ref().err().map_or(0, |refusal| refusal.code.number())
}

/// The names of the bad fields.
pub(crate) fn bad_fields<T: std::fmt::Debug>(answer: Result<T, Refusal>) -> Vec<String> {
    answer.unwrap_err().fields.into_iter().map(|problem| problem.field).collect()
}
