//! Ways to prove that a person is who they say they are.

mod wechat;

use std::fmt;

use async_trait::async_trait;

pub use self::wechat::WechatFaces;

/// A face provider. Nothing it is given or answers is logged.
#[async_trait]
pub trait FaceProvider: fmt::Debug + Send + Sync + 'static {
    /// The name the client knows it by: which face call to make on the phone.
    fn name(&self) -> &'static str;

    /// Begins a verification of this person; `out_seq_no` is ours and unique. Answers what the client's face call needs.
    async fn start(&self, person: &Person, out_seq_no: &str) -> Result<String, Unavailable>;

    /// Asks what became of it. May be asked again.
    async fn verdict(
        &self,
        person: &Person,
        verify_id: &str,
        out_seq_no: &str,
    ) -> Result<Verdict, Unavailable>;
}

/// Who is to be verified; personal, so it does not print.
#[derive(Clone)]
pub struct Person {
    pub name: String,
    pub id_no: String,
    pub openid: String,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person")
    }
}

/// What a provider says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    /// Someone else, or nobody alive.
    Failed,
    /// Broken off on the phone: says nothing about who it was.
    Cancelled,
    /// Not finished on the phone.
    Pending,
}

/// The provider does not answer, or not as agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the face provider is not available")]
pub struct Unavailable;
