use proto::directory::v1 as pb;
use service::{Fields, Refusal};
use types::WorkerId;
use uuid::Uuid;
use vault::{IdNo, LastSix};

use super::{MAX_NAME, read, read_code, read_phone};
use crate::app::{BindWorker, IdProof, PhoneProof, SendSmsCode};
use crate::domain::{SmsCode, WechatUserId};

pub(in crate::grpc) fn bind_worker(message: &pb::BindWorkerRequest) -> Result<BindWorker, Refusal> {
    read(|fields| {
        let mp_code = read_code(fields, "mp_code", &message.mp_code);
        let id_no = id_proof(fields, &message.id_no);
        let name = match message.name.trim() {
            "" => None,
            name => fields.text("name", name, MAX_NAME),
        };
        let proof = if message.phone_code.is_empty() {
            let phone = read_phone(fields, &message.phone);
            let code = SmsCode::parse(&message.sms_code);
            fields.check(code.is_some(), "sms_code", "is not 6 digits");
            phone.zip(code).map(|(phone, code)| PhoneProof::Sms { phone, code })
        } else {
            read_code(fields, "phone_code", &message.phone_code)
                .map(|phone_code| PhoneProof::Wechat { phone_code })
        };
        Some(BindWorker { mp_code: mp_code?, proof: proof?, id_no: id_no?, name })
    })
}

/// The whole number, or six characters: whether these are enough is the site's to say.
fn id_proof(fields: &mut Fields, text: &str) -> Option<IdProof> {
    if let Some(six) = LastSix::parse(text) {
        return Some(IdProof::LastSix(six));
    }
    let whole = IdNo::parse(text).map_err(|problem| fields.problem("id_no", problem.to_string()));
    whole.ok().map(IdProof::Whole)
}

pub(in crate::grpc) fn check_binding(
    message: &pb::CheckBindingRequest,
) -> Result<(WorkerId, WechatUserId), Refusal> {
    read(|fields| {
        let worker = fields.parse("worker_id", &message.worker_id);
        let user = wechat_user(fields, &message.wechat_user_id);
        Some((worker?, user?))
    })
}

pub(in crate::grpc) fn send_sms_code(
    message: &pb::SendSmsCodeRequest,
) -> Result<SendSmsCode, Refusal> {
    read(|fields| {
        let phone = read_phone(fields, &message.phone);
        let user = match message.wechat_user_id.as_str() {
            "" => None,
            user => wechat_user(fields, user),
        };
        Some(SendSmsCode { phone: phone?, user })
    })
}

fn wechat_user(fields: &mut Fields, text: &str) -> Option<WechatUserId> {
    let user = Uuid::try_parse(text).ok();
    fields.check(user.is_some(), "wechat_user_id", "is not a UUID");
    user.map(WechatUserId)
}
