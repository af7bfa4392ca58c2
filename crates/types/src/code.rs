use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Language;

/// A number that is in no row of the table of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a known error code")]
pub struct UnknownErrorCode;

macro_rules! codes {
    ($($number:literal $variant:ident $name:literal $zh_cn:literal $en:literal;)+) => {
        /// Every way an API call is refused: the one table of codes, names and sentences.
        ///
        /// Written as its number; the number is the HTTP status times 100 plus n.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "u32", into = "u32")]
        pub enum ErrorCode {
            $($variant,)+
        }

        impl ErrorCode {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub const fn number(self) -> u32 {
                match self {
                    $(Self::$variant => $number,)+
                }
            }

            /// The stable upper-case name, `message` of the envelope.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What to show to a person.
            pub const fn sentence(self, language: Language) -> &'static str {
                match (self, language) {
                    $(
                        (Self::$variant, Language::ZhCn) => $zh_cn,
                        (Self::$variant, Language::En) => $en,
                    )+
                }
            }
        }
    };
}

codes! {
    40_001 ValidationFailed "VALIDATION_FAILED" "有字段填写不正确" "Some fields are not right";
    40_002 MalformedJson "MALFORMED_JSON" "请求内容不是有效的 JSON" "The body is not valid JSON";
    40_012 TrainingIncomplete "TRAINING_INCOMPLETE" "培训尚未完成" "The training is not finished yet";
    40_013 FaceVerifyFailed "FACE_VERIFY_FAILED" "人脸核验未通过，请重试" "The face was not recognised; please try again";
    40_014 CheckRequired "CHECK_REQUIRED" "请先完成人脸抽查" "A random check has to be passed first";
    40_015 SmsCodeWrong "SMS_CODE_WRONG" "短信验证码错误或已过期" "The code from the text message is wrong or expired";
    40_101 NotSignedIn "NOT_SIGNED_IN" "请先登录" "Please sign in";
    40_102 TokenExpired "TOKEN_EXPIRED" "登录已过期，请重新登录" "The sign-in has expired; please sign in again";
    40_103 BadCredentials "BAD_CREDENTIALS" "用户名或密码错误" "Wrong user name or password";
    40_104 SessionTokenInvalid "SESSION_TOKEN_INVALID" "学习会话无效，请重新开始" "The training session is not valid; please start again";
    40_105 SignatureInvalid "SIGNATURE_INVALID" "请求签名无效" "The request's signature is not valid";
    40_106 BindingEnded "BINDING_ENDED" "你的微信绑定已结束，请重新绑定" "Your WeChat binding has ended; please bind again";
    40_301 PermissionDenied "PERMISSION_DENIED" "没有权限进行此操作" "You are not allowed to do this";
    40_400 NotFound "NOT_FOUND" "没有找到" "Not found";
    40_401 WorkerNotFoundInRealname "WORKER_NOT_FOUND_IN_REALNAME" "实名制系统中没有找到此人，请联系施工单位管理员" "This person is not in the real-name system; please ask your contractor's administrator";
    40_500 MethodNotAllowed "METHOD_NOT_ALLOWED" "不支持此请求方法" "This method is not supported here";
    40_901 VersionConflict "VERSION_CONFLICT" "内容已被他人修改，请刷新后重试" "Someone else changed this meanwhile; please reload";
    40_902 StateConflict "STATE_CONFLICT" "当前状态不允许此操作" "This is not possible in the present state";
    40_903 IdempotencyKeyReused "IDEMPOTENCY_KEY_REUSED" "幂等键已用于另一个请求" "The idempotency key was used for another request";
    40_904 SessionReplaced "SESSION_REPLACED" "你已在另一台手机上开始学习，本次学习已结束" "You started training on another phone; this session has ended";
    41_001 CursorExpired "CURSOR_EXPIRED" "游标已过期，请从头开始" "The cursor has expired; start again without one";
    41_301 TooLarge "TOO_LARGE" "内容过大" "The body is too large";
    41_501 UnsupportedMedia "UNSUPPORTED_MEDIA" "不支持的内容类型" "This type of content is not supported";
    42_901 TooManyRequests "TOO_MANY_REQUESTS" "操作过于频繁，请稍后再试" "Too many requests; please wait a moment";
    50_000 Internal "INTERNAL" "系统内部错误，请稍后再试" "Something went wrong on our side; please try again later";
    50_301 UpstreamUnavailable "UPSTREAM_UNAVAILABLE" "外部系统暂时不可用，请稍后再试" "An outside system does not answer; please try again later";
    50_302 StoreUnavailable "STORE_UNAVAILABLE" "数据库暂时不可用，请稍后再试" "The database does not answer; please try again later";
    50_401 Timeout "TIMEOUT" "处理超时，请稍后再试" "It took too long; please try again later";
    50_701 StorageFull "STORAGE_FULL" "存储空间已满" "The storage is full";
}

impl ErrorCode {
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }

    /// The HTTP status that goes with the code.
    #[expect(clippy::cast_possible_truncation, reason = "a five-digit number over 100 fits")]
    pub const fn http_status(self) -> u16 {
        (self.number() / 100) as u16
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl TryFrom<u32> for ErrorCode {
    type Error = UnknownErrorCode;

    fn try_from(number: u32) -> Result<Self, UnknownErrorCode> {
        Self::from_number(number).ok_or(UnknownErrorCode)
    }
}

impl From<ErrorCode> for u32 {
    fn from(code: ErrorCode) -> Self {
        code.number()
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorCode;
    use crate::Language;
    use std::collections::HashSet;

    #[test]
    fn no_two_codes_share_a_number_a_name_or_a_sentence() {
        let numbers: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.number()).collect();
        let names: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
        assert_eq!((numbers.len(), names.len()), (ErrorCode::ALL.len(), ErrorCode::ALL.len()));
        for language in Language::ALL {
            let sentences: HashSet<_> =
                ErrorCode::ALL.iter().map(|code| code.sentence(*language)).collect();
            assert_eq!(sentences.len(), ErrorCode::ALL.len(), "{language:?}");
        }
    }

    #[test]
    fn a_code_s_number_begins_with_its_http_status() {
        for code in ErrorCode::ALL {
            assert!((400..=599).contains(&code.http_status()), "{code}");
            assert_eq!(u32::from(code.http_status()), code.number() / 100, "{code}");
        }
        assert_eq!(ErrorCode::WorkerNotFoundInRealname.http_status(), 404);
    }

    #[test]
    fn a_code_s_name_is_its_variant_s_in_upper_case() {
        for code in ErrorCode::ALL {
            assert_eq!(
                code.name().replace('_', "").to_lowercase(),
                format!("{code:?}").to_lowercase()
            );
            assert!(
                code.name().bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'),
                "{code}"
            );
        }
    }

    #[test]
    fn the_table_is_the_one_of_the_api_s_description() {
        let numbers: Vec<_> = ErrorCode::ALL.iter().map(|code| code.number()).collect();
        let described = [
            40001, 40002, 40012, 40013, 40014, 40015, 40101, 40102, 40103, 40104, 40105, 40106,
            40301, 40400, 40401, 40500, 40901, 40902, 40903, 40904, 41001, 41301, 41501, 42901,
            50000, 50301, 50302, 50401, 50701,
        ];
        assert_eq!(numbers, described);
    }

    #[test]
    fn a_code_reads_back_from_its_number() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_number(code.number()), Some(*code));
            let written = serde_json::to_string(code).unwrap();
            assert_eq!(written, code.number().to_string());
            assert_eq!(serde_json::from_str::<ErrorCode>(&written).unwrap(), *code);
        }
        assert_eq!(ErrorCode::from_number(0), None);
        assert!(serde_json::from_str::<ErrorCode>("40003").is_err());
    }
}
