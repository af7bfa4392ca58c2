//! What mends a refusal, and who has to do it.

use serde::{Deserialize, Deserializer, Serialize};

use crate::Language;

/// Who has to act so that a refusal goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mender {
    /// The refused person.
    Worker,
    /// The contractor's administrator.
    Admin,
    /// The system's administrator.
    SysAdmin,
    /// Whoever stands at the gate.
    Guard,
    /// Nobody: it passes by itself.
    Wait,
}

/// The one action that mends a refusal: who takes it, and a stable key of what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Mend {
    pub who: Mender,
    pub what: &'static str,
    #[serde(skip)]
    zh_cn: &'static str,
    #[serde(skip)]
    en: &'static str,
}

impl<'de> Deserialize<'de> for Mend {
    /// The key alone says which mend it is.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Written {
            what: String,
        }

        let written = Written::deserialize(deserializer)?;
        let known = Self::ALL.iter().copied().find(|mend| mend.what == written.what);
        known.ok_or_else(|| serde::de::Error::custom("not a known mend"))
    }
}

impl Mend {
    pub const USE_OTHER_DOOR: Self = Self {
        who: Mender::Guard,
        what: "use_other_door",
        zh_cn: "本通道故障，请门卫引导走其他通道并报修",
        en: "This door is faulty: the guard sends you to another one and reports it",
    };
    pub const ADD_TO_TICKET: Self = Self {
        who: Mender::Admin,
        what: "add_to_ticket",
        zh_cn: "请施工单位管理员把你加入今天的作业票",
        en: "Your contractor's administrator adds you to today's work ticket",
    };
    pub const REGISTER_FACE: Self = Self {
        who: Mender::Admin,
        what: "register_face",
        zh_cn: "系统不认识这张人脸，请管理员核对人员身份并登记",
        en: "This face is not known: an administrator checks who it is and registers it",
    };
    pub const ISSUE_TICKET_FOR_AREA: Self = Self {
        who: Mender::Admin,
        what: "issue_ticket_for_area",
        zh_cn: "请前往作业票上的区域；确需进入本区域，请施工单位管理员开具本区域的作业票",
        en: "Go to the area on your ticket; if you must work here, your contractor's administrator issues a ticket for this area",
    };
    pub const BIND: Self = Self {
        who: Mender::Worker,
        what: "bind",
        zh_cn: "请打开小程序完成身份绑定",
        en: "Open the mini-program and bind your identity",
    };
    pub const FINISH_TRAINING: Self = Self {
        who: Mender::Worker,
        what: "finish_training",
        zh_cn: "请打开小程序完成今天的安全培训",
        en: "Open the mini-program and finish today's safety training",
    };
    pub const FINISH_TRAINING_LATE: Self = Self {
        who: Mender::Worker,
        what: "finish_training_late",
        zh_cn: "已过培训截止时间：请先完成今天的安全培训，再请系统管理员放行",
        en: "The deadline has passed: finish today's safety training, then ask the system administrator for release",
    };
    pub const RELEASE: Self = Self {
        who: Mender::SysAdmin,
        what: "release",
        zh_cn: "培训在截止时间之后完成，需要系统管理员手动放行",
        en: "The training was finished after the deadline: the system administrator has to release you",
    };
    pub const COME_IN_WINDOW: Self = Self {
        who: Mender::Wait,
        what: "come_in_window",
        zh_cn: "请在作业票规定的时间段内进场",
        en: "Come in the time window of your ticket",
    };
    pub const EXTEND_WINDOW: Self = Self {
        who: Mender::Admin,
        what: "extend_window",
        zh_cn: "今天的进场时间段已结束；确需进场，请施工单位管理员延长时间段",
        en: "Today's window is over; if you must enter, your contractor's administrator extends it",
    };
    pub const WAIT_FOR_SYNC: Self = Self {
        who: Mender::Wait,
        what: "wait_for_sync",
        zh_cn: "授权正在下发到门禁，请稍等片刻再试",
        en: "Your access is on its way to the door: try again in a moment",
    };

    pub const ALL: &'static [Self] = &[
        Self::USE_OTHER_DOOR,
        Self::ADD_TO_TICKET,
        Self::REGISTER_FACE,
        Self::ISSUE_TICKET_FOR_AREA,
        Self::BIND,
        Self::FINISH_TRAINING,
        Self::FINISH_TRAINING_LATE,
        Self::RELEASE,
        Self::COME_IN_WINDOW,
        Self::EXTEND_WINDOW,
        Self::WAIT_FOR_SYNC,
    ];

    /// What to do, to be shown to the refused person.
    pub fn sentence(self, language: Language) -> &'static str {
        match language {
            Language::ZhCn => self.zh_cn,
            Language::En => self.en,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Mend;
    use std::collections::HashSet;

    #[test]
    fn a_mend_is_written_as_who_and_what_and_read_back_by_what() {
        for mend in Mend::ALL {
            let written = serde_json::to_value(mend).unwrap();
            assert_eq!(written, serde_json::json!({"who": mend.who, "what": mend.what}));
            assert_eq!(serde_json::from_value::<Mend>(written).unwrap(), *mend);
        }
        assert!(
            serde_json::from_value::<Mend>(serde_json::json!({"who": "Wait", "what": "pray"}))
                .is_err()
        );
    }

    #[test]
    fn no_two_mends_share_a_key() {
        let keys: HashSet<_> = Mend::ALL.iter().map(|mend| mend.what).collect();
        assert_eq!(keys.len(), Mend::ALL.len());
    }
}
