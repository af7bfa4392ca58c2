//! Request to command, error to status. No rule lives here.

mod parse;
mod policy;
mod status;

use proto::directory::v1 as pb;
use proto::directory::v1::directory_service_server::{DirectoryService, DirectoryServiceServer};
use service::grpc::caller;
use service::idempotency::Key;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::app::App;
pub use policy::POLICY;
use status::status;

/// The calls of the contract on this app.
pub(crate) fn routes(app: App) -> Routes {
    Routes::new(DirectoryServiceServer::new(Grpc { app }))
}

struct Grpc {
    app: App,
}

type Answer<T> = Result<Response<T>, Status>;

fn answer<T>(result: Result<T, crate::app::Error>) -> Answer<T> {
    result.map(Response::new).map_err(status)
}

#[tonic::async_trait]
impl DirectoryService for Grpc {
    async fn sign_in(&self, request: Request<pb::SignInRequest>) -> Answer<pb::SignInResponse> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        parse::credentials(&message)?;
        answer(self.app.sign_in(&caller, &message.username, message.password).await)
    }

    async fn refresh_sign_in(
        &self,
        request: Request<pb::RefreshSignInRequest>,
    ) -> Answer<pb::RefreshSignInResponse> {
        let caller = caller(&request)?;
        answer(self.app.refresh_sign_in(&caller, &request.get_ref().refresh_token).await)
    }

    async fn sign_out(&self, request: Request<pb::SignOutRequest>) -> Answer<pb::SignOutResponse> {
        let caller = caller(&request)?;
        let family = parse::family(&request.get_ref().family_id)?;
        answer(self.app.sign_out(&caller, family).await.map(|()| pb::SignOutResponse {}))
    }

    async fn get_account(
        &self,
        request: Request<pb::GetAccountRequest>,
    ) -> Answer<pb::GetAccountResponse> {
        let caller = caller(&request)?;
        let account = parse::id("account_id", &request.get_ref().account_id)?;
        answer(self.app.get_account(&caller, account).await)
    }

    async fn create_site(
        &self,
        request: Request<pb::CreateSiteRequest>,
    ) -> Answer<pb::CreateSiteResponse> {
        let (caller, key) = (caller(&request)?, Key::from_request(&request));
        let cmd = parse::create_site(request.into_inner())?;
        answer(self.app.create_site(&caller, key.as_ref(), cmd).await)
    }

    async fn list_sites(
        &self,
        request: Request<pb::ListSitesRequest>,
    ) -> Answer<pb::ListSitesResponse> {
        let caller = caller(&request)?;
        answer(self.app.list_sites(&caller).await)
    }

    async fn create_contractor(
        &self,
        request: Request<pb::CreateContractorRequest>,
    ) -> Answer<pb::CreateContractorResponse> {
        let (caller, key) = (caller(&request)?, Key::from_request(&request));
        let (name, sites) = parse::create_contractor(request.get_ref())?;
        answer(self.app.create_contractor(&caller, key.as_ref(), name, sites).await)
    }

    async fn list_contractors(
        &self,
        request: Request<pb::ListContractorsRequest>,
    ) -> Answer<pb::ListContractorsResponse> {
        let caller = caller(&request)?;
        let site = parse::optional_id("site_id", &request.get_ref().site_id)?;
        answer(self.app.list_contractors(&caller, site).await)
    }

    async fn create_area(
        &self,
        request: Request<pb::CreateAreaRequest>,
    ) -> Answer<pb::CreateAreaResponse> {
        let (caller, key) = (caller(&request)?, Key::from_request(&request));
        let cmd = parse::create_area(request.get_ref())?;
        answer(self.app.create_area(&caller, key.as_ref(), cmd).await)
    }

    async fn list_areas(
        &self,
        request: Request<pb::ListAreasRequest>,
    ) -> Answer<pb::ListAreasResponse> {
        let caller = caller(&request)?;
        let site = parse::optional_id("site_id", &request.get_ref().site_id)?;
        answer(self.app.list_areas(&caller, site).await)
    }

    async fn create_account(
        &self,
        request: Request<pb::CreateAccountRequest>,
    ) -> Answer<pb::CreateAccountResponse> {
        let caller = caller(&request)?;
        let (key, message) = self.keyed_without_password(request);
        let cmd = parse::create_account(message)?;
        answer(self.app.create_account(&caller, key.as_ref(), cmd).await)
    }

    async fn sync_workers(
        &self,
        request: Request<pb::SyncWorkersRequest>,
    ) -> Answer<pb::SyncWorkersResponse> {
        let caller = caller(&request)?;
        let pb::SyncWorkersRequest { site_id, accept_departures } = request.get_ref();
        let site = parse::id("site_id", site_id)?;
        answer(self.app.sync_workers(&caller, site, *accept_departures).await)
    }

    async fn search_workers(
        &self,
        request: Request<pb::SearchWorkersRequest>,
    ) -> Answer<pb::SearchWorkersResponse> {
        let caller = caller(&request)?;
        let (filter, page) = parse::search_workers(request.into_inner())?;
        answer(self.app.search_workers(&caller, &filter, page).await)
    }

    async fn name_workers(
        &self,
        request: Request<pb::NameWorkersRequest>,
    ) -> Answer<pb::NameWorkersResponse> {
        let caller = caller(&request)?;
        let workers = parse::workers(&request.get_ref().worker_ids)?;
        answer(self.app.name_workers(&caller, &workers).await)
    }

    async fn resolve_workers(
        &self,
        request: Request<pb::ResolveWorkersRequest>,
    ) -> Answer<pb::ResolveWorkersResponse> {
        let caller = caller(&request)?;
        let (workers, purpose) = parse::resolve_workers(request.get_ref())?;
        answer(self.app.resolve_workers(&caller, &workers, purpose).await)
    }

    async fn check_references(
        &self,
        request: Request<pb::CheckReferencesRequest>,
    ) -> Answer<pb::CheckReferencesResponse> {
        let caller = caller(&request)?;
        let query = parse::check_references(request.get_ref())?;
        answer(self.app.check_references(&caller, query).await)
    }

    async fn enter_mini_program(
        &self,
        request: Request<pb::EnterMiniProgramRequest>,
    ) -> Answer<pb::EnterMiniProgramResponse> {
        let mp_code = parse::code("mp_code", &request.get_ref().mp_code)?;
        answer(self.app.enter_mini_program(&mp_code).await)
    }

    async fn send_sms_code(
        &self,
        request: Request<pb::SendSmsCodeRequest>,
    ) -> Answer<pb::SendSmsCodeResponse> {
        let caller = caller(&request)?;
        let cmd = parse::send_sms_code(request.get_ref())?;
        answer(self.app.send_sms_code(&caller, cmd).await)
    }

    async fn bind_worker(
        &self,
        request: Request<pb::BindWorkerRequest>,
    ) -> Answer<pb::BindWorkerResponse> {
        let caller = caller(&request)?;
        let cmd = parse::bind_worker(request.get_ref())?;
        answer(self.app.bind_worker(&caller, cmd).await)
    }

    async fn unbind_worker(
        &self,
        request: Request<pb::UnbindWorkerRequest>,
    ) -> Answer<pb::UnbindWorkerResponse> {
        let caller = caller(&request)?;
        let (worker, reason) = parse::unbind_worker(request.get_ref())?;
        let done = self.app.unbind_worker(&caller, worker, &reason).await;
        answer(done.map(|()| pb::UnbindWorkerResponse {}))
    }

    async fn get_site(&self, request: Request<pb::GetSiteRequest>) -> Answer<pb::GetSiteResponse> {
        let caller = caller(&request)?;
        let site = parse::id("site_id", &request.get_ref().site_id)?;
        answer(self.app.get_site(&caller, site).await)
    }

    async fn change_site(
        &self,
        request: Request<pb::ChangeSiteRequest>,
    ) -> Answer<pb::ChangeSiteResponse> {
        let caller = caller(&request)?;
        let cmd = parse::change_site(request.get_ref())?;
        answer(self.app.change_site(&caller, cmd).await)
    }

    async fn change_contractor(
        &self,
        request: Request<pb::ChangeContractorRequest>,
    ) -> Answer<pb::ChangeContractorResponse> {
        let caller = caller(&request)?;
        let cmd = parse::change_contractor(request.get_ref())?;
        answer(self.app.change_contractor(&caller, cmd).await)
    }

    async fn change_area(
        &self,
        request: Request<pb::ChangeAreaRequest>,
    ) -> Answer<pb::ChangeAreaResponse> {
        let caller = caller(&request)?;
        let cmd = parse::change_area(request.get_ref())?;
        answer(self.app.change_area(&caller, cmd).await)
    }

    async fn change_account(
        &self,
        request: Request<pb::ChangeAccountRequest>,
    ) -> Answer<pb::ChangeAccountResponse> {
        let caller = caller(&request)?;
        let cmd = parse::change_account(request.get_ref())?;
        answer(self.app.change_account(&caller, cmd).await)
    }

    async fn list_accounts(
        &self,
        request: Request<pb::ListAccountsRequest>,
    ) -> Answer<pb::ListAccountsResponse> {
        let caller = caller(&request)?;
        let (filter, page) = parse::list_accounts(request.get_ref())?;
        answer(self.app.list_accounts(&caller, filter, page).await)
    }

    async fn reset_password(
        &self,
        request: Request<pb::ResetPasswordRequest>,
    ) -> Answer<pb::ResetPasswordResponse> {
        let caller = caller(&request)?;
        let (account, reason) = parse::reset_password(request.get_ref())?;
        answer(self.app.reset_password(&caller, account, reason.as_deref()).await)
    }

    async fn change_password(
        &self,
        request: Request<pb::ChangePasswordRequest>,
    ) -> Answer<pb::ChangePasswordResponse> {
        let caller = caller(&request)?;
        let cmd = parse::change_password(request.into_inner())?;
        answer(self.app.change_password(&caller, cmd).await)
    }

    async fn check_sign_in(
        &self,
        request: Request<pb::CheckSignInRequest>,
    ) -> Answer<pb::CheckSignInResponse> {
        let family = parse::family(&request.get_ref().family_id)?;
        answer(self.app.check_sign_in(family).await)
    }

    async fn match_workers(
        &self,
        request: Request<pb::MatchWorkersRequest>,
    ) -> Answer<pb::MatchWorkersResponse> {
        let caller = caller(&request)?;
        let query = parse::match_workers(request.into_inner())?;
        answer(self.app.match_workers(&caller, query).await)
    }

    async fn get_worker(
        &self,
        request: Request<pb::GetWorkerRequest>,
    ) -> Answer<pb::GetWorkerResponse> {
        let caller = caller(&request)?;
        let worker = parse::id("worker_id", &request.get_ref().worker_id)?;
        answer(self.app.get_worker(&caller, worker).await)
    }

    async fn list_roster_readings(
        &self,
        request: Request<pb::ListRosterReadingsRequest>,
    ) -> Answer<pb::ListRosterReadingsResponse> {
        let caller = caller(&request)?;
        let (site, page) = parse::list_roster_readings(request.get_ref())?;
        answer(self.app.list_roster_readings(&caller, site, page).await)
    }

    async fn list_roster_changes(
        &self,
        request: Request<pb::ListRosterChangesRequest>,
    ) -> Answer<pb::ListRosterChangesResponse> {
        let caller = caller(&request)?;
        let query = parse::list_roster_changes(request.get_ref())?;
        answer(self.app.list_roster_changes(&caller, query).await)
    }

    async fn export_workers(
        &self,
        request: Request<pb::ExportWorkersRequest>,
    ) -> Answer<pb::ExportWorkersResponse> {
        let caller = caller(&request)?;
        let filter = parse::export_workers(request.into_inner())?;
        answer(self.app.export_workers(&caller, &filter).await)
    }

    async fn get_registration_code(
        &self,
        request: Request<pb::GetRegistrationCodeRequest>,
    ) -> Answer<pb::GetRegistrationCodeResponse> {
        let caller = caller(&request)?;
        let site = parse::id("site_id", &request.get_ref().site_id)?;
        answer(self.app.get_registration_code(&caller, site).await)
    }

    async fn find_registration(
        &self,
        request: Request<pb::FindRegistrationRequest>,
    ) -> Answer<pb::FindRegistrationResponse> {
        let code = parse::code("code", &request.get_ref().code)?;
        answer(self.app.find_registration(&code).await)
    }

    async fn check_binding(
        &self,
        request: Request<pb::CheckBindingRequest>,
    ) -> Answer<pb::CheckBindingResponse> {
        let (worker, user) = parse::check_binding(request.get_ref())?;
        answer(self.app.check_binding(worker, user).await)
    }
}

impl Grpc {
    /// The idempotency key over a body whose password is a keyed hash: what is kept of it must not help to guess it.
    fn keyed_without_password(
        &self,
        request: Request<pb::CreateAccountRequest>,
    ) -> (Option<Key>, pb::CreateAccountRequest) {
        let (metadata, extensions, mut message) = request.into_parts();
        let password = std::mem::take(&mut message.password);
        message.password =
            format!("{:x?}", self.app.vault.blind_index("account.password", &password));
        let request = Request::from_parts(metadata, extensions, message);
        let key = Key::from_request(&request);
        (key, pb::CreateAccountRequest { password, ..request.into_inner() })
    }
}
