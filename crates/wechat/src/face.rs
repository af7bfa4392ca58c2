use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{Client, Error};

/// The person has not finished on the phone.
const NOT_FINISHED: i64 = 84002;

/// A verification the client may now run with `wx.requestFacialVerify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaceStarted {
    pub verify_id: String,
    pub expires_in: Duration,
}

/// What became of a verification. Only [`FaceOutcome::Passed`] lets anyone go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaceOutcome {
    Passed,
    /// The person, the liveness or the capture did not satisfy; holds `verify_ret`.
    Failed(i64),
    /// The person or the phone broke it off; it says nothing about who it was.
    Cancelled(i64),
    /// Not finished on the phone yet.
    Pending,
}

/// Proves to the platform that both calls mean the same person: sha256 over base64 of type, name and number.
pub fn cert_hash(name: &str, id_no: &str) -> String {
    let encode = |text: &str| STANDARD.encode(text);
    let text = format!(
        "cert_type={}&cert_name={}&cert_no={}",
        encode("IDENTITY_CARD"),
        encode(name),
        encode(id_no)
    );
    hex::encode(Sha256::digest(text))
}

impl Client {
    /// Starts a face check of the named person: `/cityservice/face/identify/getverifyid`. `out_seq_no` is ours,
    /// 5 to 32 characters, and unique.
    pub async fn start_face_verification(
        &self,
        out_seq_no: &str,
        name: &str,
        id_no: &str,
        openid: &str,
    ) -> Result<FaceStarted, Error> {
        #[derive(Deserialize)]
        struct Answer {
            verify_id: String,
            expires_in: u64,
        }
        let body = json!({
            "out_seq_no": out_seq_no,
            "cert_info": { "cert_type": "IDENTITY_CARD", "cert_name": name, "cert_no": id_no },
            "openid": openid,
        });
        let answer: Answer = self.call("/cityservice/face/identify/getverifyid", &body).await?;
        Ok(FaceStarted {
            verify_id: answer.verify_id,
            expires_in: Duration::from_secs(answer.expires_in),
        })
    }

    /// Asks what became of it: `/cityservice/face/identify/queryverifyinfo`. May be asked again.
    pub async fn query_face_verification(
        &self,
        verify_id: &str,
        out_seq_no: &str,
        name: &str,
        id_no: &str,
        openid: &str,
    ) -> Result<FaceOutcome, Error> {
        #[derive(Deserialize)]
        struct Answer {
            verify_ret: Option<i64>,
        }
        let body = json!({
            "verify_id": verify_id,
            "out_seq_no": out_seq_no,
            "cert_hash": cert_hash(name, id_no),
            "openid": openid,
        });
        let answer: Result<Answer, Error> =
            self.call("/cityservice/face/identify/queryverifyinfo", &body).await;
        let verify_ret = match answer {
            Ok(answer) => answer.verify_ret,
            Err(Error::Refused { errcode: NOT_FINISHED }) => None,
            Err(err) => return Err(err),
        };
        Ok(match verify_ret {
            Some(10000) => FaceOutcome::Passed,
            // Cancelled, no network, no permission, timed out: the face-check documentation's table.
            Some(ret @ (90002..=90010 | 90012 | 90017 | 90106 | 90107)) => {
                FaceOutcome::Cancelled(ret)
            }
            Some(ret) => FaceOutcome::Failed(ret),
            None => FaceOutcome::Pending,
        })
    }
}
