use async_trait::async_trait;

use super::{FaceProvider, Person, Unavailable, Verdict};

/// The mini-program's own face check.
#[derive(Debug, Clone)]
pub struct WechatFaces {
    client: wechat::Client,
}

impl WechatFaces {
    pub fn new(client: wechat::Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl FaceProvider for WechatFaces {
    fn name(&self) -> &'static str {
        "WECHAT"
    }

    async fn start(&self, person: &Person, out_seq_no: &str) -> Result<String, Unavailable> {
        let Person { name, id_no, openid } = person;
        let started = self.client.start_face_verification(out_seq_no, name, id_no, openid).await;
        started.map(|started| started.verify_id).map_err(unavailable)
    }

    async fn verdict(
        &self,
        person: &Person,
        verify_id: &str,
        out_seq_no: &str,
    ) -> Result<Verdict, Unavailable> {
        let Person { name, id_no, openid } = person;
        let outcome =
            self.client.query_face_verification(verify_id, out_seq_no, name, id_no, openid).await;
        Ok(match outcome.map_err(unavailable)? {
            wechat::FaceOutcome::Passed => Verdict::Passed,
            wechat::FaceOutcome::Failed(_) => Verdict::Failed,
            wechat::FaceOutcome::Cancelled(_) => Verdict::Cancelled,
            wechat::FaceOutcome::Pending => Verdict::Pending,
        })
    }
}

fn unavailable(err: wechat::Error) -> Unavailable {
    tracing::warn!(error = %err, "the face provider did not answer as agreed");
    Unavailable
}
