//! The edge: request to command, error to status. No rule lives here.

mod status;

use proto::timestamp;
use proto::training::v1::training_service_server::TrainingService;
use proto::training::v1::{
    AddVideoRequest, AddVideoResponse, AnswerCheckRequest, AnswerCheckResponse, Check,
    CheckVideosRequest, CheckVideosResponse, FinishSessionRequest, FinishSessionResponse,
    GetPlayUrlRequest, GetPlayUrlResponse, ListRecordsRequest, ListRecordsResponse,
    ListVideosRequest, ListVideosResponse, ReportProgressRequest, ReportProgressResponse,
    StartFaceVerificationRequest, StartFaceVerificationResponse, StartSessionRequest,
    StartSessionResponse,
};
use service::grpc::{Access, Policy, caller};
use service::idempotency::Key;
use service::{Fields, Refusal};
use tonic::{Request, Response, Status};
use types::{CheckId, Permission};

use crate::app::App;
use crate::app::add_video::AddVideo;
use crate::app::answer_check::AnswerCheck;
use crate::app::finish_session::FinishSession;
use crate::app::report_progress::ReportProgress;
use crate::app::start_face_verification::StartFaceVerification;
use crate::app::start_session::StartSession;
use crate::domain::{Purpose, RecordFilter, Report};
use crate::wire;

pub use status::refusal;

/// Who may make which call.
pub const POLICY: Policy = &[
    ("/sitepass.training.v1.TrainingService/AddVideo", Access::Permission(Permission::VideoManage)),
    ("/sitepass.training.v1.TrainingService/ListVideos", Access::Permission(Permission::VideoRead)),
    ("/sitepass.training.v1.TrainingService/GetPlayUrl", Access::Permission(Permission::VideoRead)),
    (
        "/sitepass.training.v1.TrainingService/CheckVideos",
        Access::Any(&[Access::Service, Access::Worker, Access::Permission(Permission::VideoRead)]),
    ),
    ("/sitepass.training.v1.TrainingService/StartFaceVerification", Access::Worker),
    ("/sitepass.training.v1.TrainingService/StartSession", Access::Worker),
    ("/sitepass.training.v1.TrainingService/ReportProgress", Access::Worker),
    ("/sitepass.training.v1.TrainingService/AnswerCheck", Access::Worker),
    ("/sitepass.training.v1.TrainingService/FinishSession", Access::Worker),
    (
        "/sitepass.training.v1.TrainingService/ListRecords",
        Access::Any(&[Access::Worker, Access::Permission(Permission::TrainingRead)]),
    ),
];

/// The most videos one call may ask about.
const MAX_VIDEOS: usize = 200;
/// How long a phone's description of itself may be, in characters.
const MAX_DEVICE: usize = 200;

#[derive(Debug)]
pub struct Grpc {
    app: App,
}

impl Grpc {
    pub fn new(app: App) -> Self {
        Self { app }
    }
}

#[tonic::async_trait]
impl TrainingService for Grpc {
    async fn add_video(
        &self,
        request: Request<AddVideoRequest>,
    ) -> Result<Response<AddVideoResponse>, Status> {
        let caller = caller(&request)?;
        let key = Key::from_request(&request);
        let message = request.into_inner();
        let mut fields = Fields::new();
        let site = fields.parse("site_id", &message.site_id);
        let title = fields.text("title", &message.title, 100);
        fields.check(!message.content.is_empty(), "content", "is required");
        let (Some(site), Some(title)) = (site, title) else { return Err(refused(fields)) };
        fields.finish()?;
        let cmd = AddVideo { caller, site, title, content: message.content.into(), key };
        Ok(Response::new(self.app.add_video(cmd).await.map_err(refusal)?))
    }

    async fn list_videos(
        &self,
        request: Request<ListVideosRequest>,
    ) -> Result<Response<ListVideosResponse>, Status> {
        let caller = caller(&request)?;
        let mut fields = Fields::new();
        let Some(site) = fields.parse("site_id", &request.get_ref().site_id) else {
            return Err(refused(fields));
        };
        let videos = self.app.list_videos(&caller, site).await.map_err(refusal)?;
        Ok(Response::new(ListVideosResponse { videos: videos.iter().map(wire::video).collect() }))
    }

    async fn get_play_url(
        &self,
        request: Request<GetPlayUrlRequest>,
    ) -> Result<Response<GetPlayUrlResponse>, Status> {
        let caller = caller(&request)?;
        let mut fields = Fields::new();
        let Some(video) = fields.parse("video_id", &request.get_ref().video_id) else {
            return Err(refused(fields));
        };
        let (play_url, expires_at) =
            self.app.get_play_url(&caller, video).await.map_err(refusal)?;
        Ok(Response::new(GetPlayUrlResponse { play_url, expires_at: Some(timestamp(expires_at)) }))
    }

    async fn check_videos(
        &self,
        request: Request<CheckVideosRequest>,
    ) -> Result<Response<CheckVideosResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let mut fields = Fields::new();
        let site = fields.parse("site_id", &message.site_id);
        let asked = fields.parse_list("video_ids", &message.video_ids);
        fields.check(message.video_ids.len() <= MAX_VIDEOS, "video_ids", "names more than 200");
        let Some(site) = site else { return Err(refused(fields)) };
        fields.finish()?;
        let (videos, unknown) =
            self.app.check_videos(&caller, site, &asked).await.map_err(refusal)?;
        Ok(Response::new(CheckVideosResponse {
            videos: videos.iter().map(wire::video).collect(),
            unknown_video_ids: unknown.iter().map(ToString::to_string).collect(),
        }))
    }

    async fn start_face_verification(
        &self,
        request: Request<StartFaceVerificationRequest>,
    ) -> Result<Response<StartFaceVerificationResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let worker = fields.parse_optional("worker_id", &message.worker_id);
        let daily_ticket = fields.parse("daily_ticket_id", &message.daily_ticket_id);
        let purpose = match message.purpose.as_str() {
            "START" => Some(Purpose::Start),
            "CHECK" => fields.parse("check_id", &message.check_id).map(Purpose::Check),
            _ => {
                fields.problem("purpose", "must be START or CHECK");
                None
            }
        };
        let (Some(daily_ticket), Some(purpose)) = (daily_ticket, purpose) else {
            return Err(refused(fields));
        };
        fields.finish()?;
        let cmd = StartFaceVerification { caller, worker, daily_ticket, purpose };
        let started = self.app.start_face_verification(cmd).await.map_err(refusal)?;
        Ok(Response::new(StartFaceVerificationResponse {
            face_verify_token: started.token,
            provider: started.provider.to_owned(),
            verify_id: started.verify_id,
            expires_at: Some(timestamp(started.expires_at)),
        }))
    }

    async fn start_session(
        &self,
        request: Request<StartSessionRequest>,
    ) -> Result<Response<StartSessionResponse>, Status> {
        let caller = caller(&request)?;
        let key = Key::from_request(&request);
        let message = request.into_inner();
        let mut fields = Fields::new();
        let worker = fields.parse_optional("worker_id", &message.worker_id);
        let daily_ticket = fields.parse("daily_ticket_id", &message.daily_ticket_id);
        let video = fields.parse("video_id", &message.video_id);
        fields.check(!message.face_verify_token.is_empty(), "face_verify_token", "is required");
        fields.check(
            message.device.chars().count() <= MAX_DEVICE,
            "device",
            "is longer than 200 characters",
        );
        let (Some(daily_ticket), Some(video)) = (daily_ticket, video) else {
            return Err(refused(fields));
        };
        fields.finish()?;
        let (face_token, device) = (message.face_verify_token, message.device);
        let cmd = StartSession { caller, worker, daily_ticket, video, face_token, device, key };
        let started = self.app.start_session(cmd).await.map_err(refusal)?;
        Ok(Response::new(StartSessionResponse {
            session_id: started.session.to_string(),
            session_token: started.token,
            resume_at_sec: started.resume_at_sec,
            play_url: started.play_url,
            duration_sec: started.duration_sec,
        }))
    }

    async fn report_progress(
        &self,
        request: Request<ReportProgressRequest>,
    ) -> Result<Response<ReportProgressResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let session = fields.parse("session_id", &message.session_id);
        fields.check(!message.session_token.is_empty(), "session_token", "is required");
        let event = fields.parse("event", &message.event);
        let (Some(session), Some(event)) = (session, event) else { return Err(refused(fields)) };
        fields.finish()?;
        let seq = (message.seq > 0).then_some(message.seq);
        let report = Report { position_sec: message.current_sec, event, seq };
        let cmd = ReportProgress { caller, session, token: message.session_token, report };
        let progress = self.app.report_progress(cmd).await.map_err(refusal)?;
        let check = |(id, expires_at): (CheckId, _)| Check {
            check_id: id.to_string(),
            expires_at: Some(timestamp(expires_at)),
        };
        Ok(Response::new(ReportProgressResponse {
            valid_watch_sec: progress.valid_watch_sec,
            required_sec: progress.required_sec,
            status: progress.status.to_owned(),
            check: progress.check.map(check),
        }))
    }

    async fn answer_check(
        &self,
        request: Request<AnswerCheckRequest>,
    ) -> Result<Response<AnswerCheckResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let session = fields.parse("session_id", &message.session_id);
        let check = fields.parse("check_id", &message.check_id);
        fields.check(!message.session_token.is_empty(), "session_token", "is required");
        fields.check(!message.face_verify_token.is_empty(), "face_verify_token", "is required");
        let (Some(session), Some(check)) = (session, check) else { return Err(refused(fields)) };
        fields.finish()?;
        let (token, face_token) = (message.session_token, message.face_verify_token);
        let cmd = AnswerCheck { caller, session, token, check, face_token };
        let progress = self.app.answer_check(cmd).await.map_err(refusal)?;
        let (status, valid_watch_sec) = (progress.status.to_owned(), progress.valid_watch_sec);
        Ok(Response::new(AnswerCheckResponse { status, valid_watch_sec }))
    }

    async fn finish_session(
        &self,
        request: Request<FinishSessionRequest>,
    ) -> Result<Response<FinishSessionResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let worker = fields.parse_optional("worker_id", &message.worker_id);
        let Some(session) = fields.parse("session_id", &message.session_id) else {
            return Err(refused(fields));
        };
        fields.finish()?;
        let token = (!message.session_token.is_empty()).then_some(message.session_token);
        let cmd = FinishSession { caller, worker, session, token };
        let finished = self.app.finish_session(cmd).await.map_err(refusal)?;
        Ok(Response::new(FinishSessionResponse {
            result: "COMPLETED".to_owned(),
            daily_ticket_id: finished.daily_ticket.to_string(),
            worker_id: finished.worker.to_string(),
            day_complete: finished.day.is_some(),
            in_time: finished.day.is_some_and(|completion| completion.in_time),
        }))
    }

    async fn list_records(
        &self,
        request: Request<ListRecordsRequest>,
    ) -> Result<Response<ListRecordsResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let mut fields = Fields::new();
        let filter = RecordFilter {
            worker: fields.parse_optional("worker_id", &message.worker_id),
            contractor: None,
            daily_ticket: fields.parse_optional("daily_ticket_id", &message.daily_ticket_id),
            from: fields.parse_optional("date_from", &message.date_from),
            to: fields.parse_optional("date_to", &message.date_to),
        };
        fields.finish()?;
        let records = self.app.list_records(&caller, filter).await.map_err(refusal)?;
        Ok(Response::new(ListRecordsResponse {
            records: records.into_iter().map(wire::record).collect(),
        }))
    }
}

/// The refusal of a request with a field that did not parse.
fn refused(fields: Fields) -> Status {
    match fields.finish() {
        Err(refusal) => refusal.into(),
        // Unreachable: what did not parse has left its problem.
        Ok(()) => Refusal::new(types::ErrorCode::ValidationFailed).into(),
    }
}
