//! Notices on a real database, against a stand-in for WeChat.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod announce_ticket;
mod follow;
mod follow_ticket;
mod list_notifications;
mod mark_task_read;
mod record_consent;
mod retry_notification;
mod send_due;
mod serve;
mod wechat_fake;
mod world;
