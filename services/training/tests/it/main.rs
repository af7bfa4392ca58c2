//! The service on a real database, with a face provider and a directory of the test's own.

mod add_video;
mod announce;
mod answer_check;
mod edge;
mod finish_session;
mod keep_days;
mod keep_sites;
mod list_records;
mod phone;
mod report_progress;
mod start_face_verification;
mod start_session;
mod world;
