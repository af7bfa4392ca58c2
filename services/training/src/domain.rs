//! The rules: what counts as watched, when who watches is asked, when a video and a day are complete. No IO; time and
//! chance come in.

pub mod checks;
pub mod day;
pub mod mp4;
pub mod purpose;
pub mod record;
pub mod session;
pub mod video;
pub mod watched;

pub use checks::{Pacing, required_sec};
pub use day::{Closed, Completion, Day, Judged, VideoRule};
pub use purpose::Purpose;
pub use record::{Record, RecordFilter};
pub use session::{
    Answered, Event, Finished, Outcome, Reason, Refused, Report, Reported, Session, Start, State,
};
pub use video::{Status, Video};
pub use watched::Watched;
