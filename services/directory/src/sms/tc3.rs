//! TC3-HMAC-SHA256, the signature of Tencent Cloud's API 3.0 for a POST to the path `/`.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

pub(super) const CONTENT_TYPE: &str = "application/json; charset=utf-8";
const SIGNED: &str = "content-type;host;x-tc-action";

/// What is signed of a call.
pub(super) struct Call<'a> {
    pub host: &'a str,
    pub action: &'a str,
    pub at: DateTime<Utc>,
    pub body: &'a [u8],
}

/// The whole `Authorization` header. The service is the first label of the real host, always `sms` here.
pub(super) fn authorization(secret_id: &str, secret_key: &[u8], call: &Call<'_>) -> String {
    let signature = signature("sms", secret_key, call);
    let scope = scope("sms", call);
    format!(
        "TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders={SIGNED}, Signature={signature}"
    )
}

fn signature(service: &str, secret_key: &[u8], call: &Call<'_>) -> String {
    let headers = format!(
        "content-type:{CONTENT_TYPE}\nhost:{}\nx-tc-action:{}\n",
        call.host.to_lowercase(),
        call.action.to_lowercase()
    );
    let canonical =
        format!("POST\n/\n\n{headers}\n{SIGNED}\n{}", hex::encode(Sha256::digest(call.body)));
    let text = format!(
        "TC3-HMAC-SHA256\n{}\n{}\n{}",
        call.at.timestamp(),
        scope(service, call),
        hex::encode(Sha256::digest(canonical))
    );
    let date = call.at.format("%Y-%m-%d").to_string();
    let mut key = [b"TC3", secret_key].concat();
    for step in [date.as_str(), service, "tc3_request"] {
        key = mac(&key, step.as_bytes());
    }
    hex::encode(mac(&key, text.as_bytes()))
}

fn scope(service: &str, call: &Call<'_>) -> String {
    format!("{}/{service}/tc3_request", call.at.format("%Y-%m-%d"))
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_comes_out() {
        let body = r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;
        let call = Call {
            host: "cvm.tencentcloudapi.com",
            action: "DescribeInstances",
            at: DateTime::from_timestamp(1_551_113_065, 0).unwrap(),
            body: body.as_bytes(),
        };
        assert_eq!(
            signature("cvm", b"********************************", &call),
            "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"
        );
    }
}
