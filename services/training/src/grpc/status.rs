use service::Refusal;
use types::ErrorCode;

use crate::app::{Error, FaceProblem};
use crate::domain::mp4::NotAVideo;
use crate::domain::{Closed, Reason, Refused};

/// What a client is told: the code and what it needs to go on, never the cause.
pub fn refusal(err: Error) -> Refusal {
    match err {
        Error::NotFound | Error::Day(Closed::WorkerNotNamed | Closed::VideoNotNamed) => {
            Refusal::new(ErrorCode::NotFound)
        }
        Error::NotAVideo(NotAVideo::NotMp4) => Refusal::new(ErrorCode::UnsupportedMedia),
        Error::NotAVideo(problem) => {
            Refusal::new(ErrorCode::ValidationFailed).field("content", problem.to_string())
        }
        Error::TooLarge { max_bytes } => {
            Refusal::new(ErrorCode::TooLarge).data("max_bytes", max_bytes)
        }
        Error::StorageFull => Refusal::new(ErrorCode::StorageFull),
        Error::Day(Closed::NotInProgress) => {
            Refusal::new(ErrorCode::StateConflict).data("reason", Reason::DayClosed.as_str())
        }
        Error::Session(refused) => session(refused),
        Error::AlreadyComplete => Refusal::new(ErrorCode::StateConflict)
            .data("from", "COMPLETED")
            .data("to", "IN_LEARNING"),
        Error::SessionToken => Refusal::new(ErrorCode::SessionTokenInvalid),
        Error::Face(problem) => face(problem),
        Error::Upstream(system) => {
            Refusal::new(ErrorCode::UpstreamUnavailable).data("system", system)
        }
        Error::Peer(refusal) => refusal,
        Error::Idempotency(err) => Refusal::from(&err),
        Error::Store(err) => Refusal::from(&err),
        Error::Blobs(err) => {
            tracing::error!(error = &err as &dyn std::error::Error, "the blob store failed");
            Refusal::new(ErrorCode::Internal)
        }
    }
}

fn session(refused: Refused) -> Refusal {
    match refused {
        Refused::Expired => Refusal::new(ErrorCode::SessionTokenInvalid).data("reason", "EXPIRED"),
        Refused::Failed(Reason::Replaced) => {
            Refusal::new(ErrorCode::SessionReplaced).data("reason", Reason::Replaced.as_str())
        }
        Refused::Failed(reason) => Refusal::new(ErrorCode::StateConflict)
            .data("from", "FAILED")
            .data("reason", reason.as_str()),
        Refused::Completed => Refusal::new(ErrorCode::StateConflict).data("from", "COMPLETED"),
        Refused::CheckRequired => Refusal::new(ErrorCode::CheckRequired),
        Refused::NoSuchCheck => {
            Refusal::new(ErrorCode::StateConflict).data("reason", "CHECK_NOT_OPEN")
        }
        Refused::Incomplete { required_sec, valid_sec } => {
            Refusal::new(ErrorCode::TrainingIncomplete)
                .data("required_sec", required_sec)
                .data("valid_watch_sec", valid_sec)
        }
    }
}

fn face(problem: FaceProblem) -> Refusal {
    Refusal::new(ErrorCode::FaceVerifyFailed).data("reason", problem.as_str())
}
