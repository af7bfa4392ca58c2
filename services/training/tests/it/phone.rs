#![expect(clippy::unwrap_used, reason = "a test's helper")]

use auth::Caller;
use proto::training::v1::{
    AnswerCheckRequest, AnswerCheckResponse, FinishSessionRequest, FinishSessionResponse,
    ReportProgressRequest, ReportProgressResponse, StartFaceVerificationRequest,
    StartSessionRequest, StartSessionResponse,
};
use service::idempotency::METADATA;
use tonic::{Response, Status};
use types::{DailyTicketId, VideoId};

use crate::world::World;

pub(crate) type Answer<T> = Result<Response<T>, Status>;

/// A worker's mini-program.
pub(crate) struct Phone<'a> {
    pub(crate) world: &'a World,
    pub(crate) caller: Caller,
    pub(crate) day: DailyTicketId,
    pub(crate) session: StartSessionResponse,
    pub(crate) position: u32,
}

/// Verifies the caller's face and gives the token.
pub(crate) async fn face_token(
    world: &World,
    caller: &Caller,
    day: DailyTicketId,
    check: Option<&str>,
) -> Answer<String> {
    let message = StartFaceVerificationRequest {
        worker_id: caller.worker_id().map(|id| id.to_string()).unwrap_or_default(),
        daily_ticket_id: day.to_string(),
        purpose: if check.is_some() { "CHECK" } else { "START" }.to_owned(),
        check_id: check.unwrap_or_default().to_owned(),
    };
    let answer = world.client().start_face_verification(world.request(caller, message)).await?;
    Ok(Response::new(answer.into_inner().face_verify_token))
}

pub(crate) async fn start_with(
    world: &World,
    caller: &Caller,
    day: DailyTicketId,
    video: VideoId,
    face_token: &str,
) -> Answer<StartSessionResponse> {
    start_under(world, caller, None, (day, video), face_token).await
}

/// The same under an idempotency key.
pub(crate) async fn start_under(
    world: &World,
    caller: &Caller,
    key: Option<&str>,
    (day, video): (DailyTicketId, VideoId),
    face_token: &str,
) -> Answer<StartSessionResponse> {
    let message = StartSessionRequest {
        worker_id: caller.worker_id().map(|id| id.to_string()).unwrap_or_default(),
        daily_ticket_id: day.to_string(),
        video_id: video.to_string(),
        face_verify_token: face_token.to_owned(),
        device: "test phone".to_owned(),
    };
    let mut request = world.request(caller, message);
    if let Some(key) = key {
        request.metadata_mut().insert(METADATA, key.parse().unwrap());
    }
    world.client().start_session(request).await
}

pub(crate) async fn start(
    world: &World,
    day: DailyTicketId,
    video: VideoId,
) -> Answer<StartSessionResponse> {
    let caller = world.harness.worker(world.worker, world.site);
    let token = face_token(world, &caller, day, None).await?.into_inner();
    start_with(world, &caller, day, video, &token).await
}

impl<'a> Phone<'a> {
    pub(crate) async fn start(world: &'a World, day: DailyTicketId, video: VideoId) -> Self {
        let session = start(world, day, video).await.unwrap().into_inner();
        let caller = world.harness.worker(world.worker, world.site);
        Self { world, caller, day, position: session.resume_at_sec, session }
    }

    pub(crate) async fn report(
        &self,
        event: &str,
        current_sec: u32,
        seq: u64,
    ) -> Answer<ReportProgressResponse> {
        let message = ReportProgressRequest {
            session_id: self.session.session_id.clone(),
            session_token: self.session.session_token.clone(),
            current_sec,
            duration_sec: 40,
            event: event.to_owned(),
            seq,
        };
        self.world.client().report_progress(self.world.request(&self.caller, message)).await
    }

    /// Plays for ten seconds of site time and reports.
    pub(crate) async fn play(&mut self) -> ReportProgressResponse {
        self.world.wait(10);
        self.position += 10;
        self.report("PLAYING", self.position, 0).await.unwrap().into_inner()
    }

    /// Plays until the check is asked, and gives its id.
    pub(crate) async fn play_to_check(&mut self) -> String {
        loop {
            if let Some(check) = self.play().await.check {
                return check.check_id;
            }
        }
    }

    pub(crate) async fn answer_with(
        &self,
        check: &str,
        face_token: &str,
    ) -> Answer<AnswerCheckResponse> {
        let message = AnswerCheckRequest {
            session_id: self.session.session_id.clone(),
            session_token: self.session.session_token.clone(),
            check_id: check.to_owned(),
            face_verify_token: face_token.to_owned(),
        };
        self.world.client().answer_check(self.world.request(&self.caller, message)).await
    }

    pub(crate) async fn answer(&self, check: &str) -> Answer<AnswerCheckResponse> {
        let token =
            face_token(self.world, &self.caller, self.day, Some(check)).await.unwrap().into_inner();
        self.answer_with(check, &token).await
    }

    /// Watches the demo video honestly to its end, the check included.
    pub(crate) async fn watch(&mut self) {
        let check = self.play_to_check().await;
        assert_eq!(self.answer(&check).await.unwrap().into_inner().status, "IN_LEARNING");
        while self.position < 40 {
            self.play().await;
        }
    }

    pub(crate) async fn finish(&self) -> Answer<FinishSessionResponse> {
        let message = FinishSessionRequest {
            session_id: self.session.session_id.clone(),
            session_token: self.session.session_token.clone(),
            worker_id: self.world.worker.to_string(),
        };
        self.world.client().finish_session(self.world.request(&self.caller, message)).await
    }
}
