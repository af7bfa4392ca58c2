use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use types::{AccountId, DeviceId, WorkerId};

/// Who is acting. Written `account:<id>`, `worker:<id>`, `device:<id>`, `service:<name>` or `anonymous`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Subject {
    /// An administrator's account.
    Account(AccountId),
    Worker(WorkerId),
    /// A door controller.
    Device(DeviceId),
    /// One of our services acting as itself: a job, a consumer.
    Service(String),
    /// Nobody yet: signing in, a public page.
    Anonymous,
}

/// A text that names no subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a subject")]
pub struct InvalidSubject;

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account:{id}"),
            Self::Worker(id) => write!(f, "worker:{id}"),
            Self::Device(id) => write!(f, "device:{id}"),
            Self::Service(name) => write!(f, "service:{name}"),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}

impl FromStr for Subject {
    type Err = InvalidSubject;

    fn from_str(text: &str) -> Result<Self, InvalidSubject> {
        if text == "anonymous" {
            return Ok(Self::Anonymous);
        }
        match text.split_once(':').ok_or(InvalidSubject)? {
            ("account", id) => id.parse().map(Self::Account).map_err(|_| InvalidSubject),
            ("worker", id) => id.parse().map(Self::Worker).map_err(|_| InvalidSubject),
            ("device", id) => DeviceId::parse(id).map(Self::Device).map_err(|_| InvalidSubject),
            ("service", name) if is_service_name(name) => Ok(Self::Service(name.to_owned())),
            _ => Err(InvalidSubject),
        }
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

impl TryFrom<String> for Subject {
    type Error = InvalidSubject;

    fn try_from(text: String) -> Result<Self, InvalidSubject> {
        text.parse()
    }
}

/// A service's name as it stands in a token: `ticket`, `access-grant`.
pub(crate) fn is_service_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_reads_back_as_it_was_written() {
        let subjects = [
            Subject::Account(AccountId::new()),
            Subject::Worker(WorkerId::new()),
            Subject::Device(DeviceId::parse("gate-7:in").unwrap()),
            Subject::Service("access-grant".to_owned()),
            Subject::Anonymous,
        ];
        for subject in subjects {
            assert_eq!(subject.to_string().parse(), Ok(subject));
        }
    }

    #[test]
    fn what_names_nobody_is_no_subject() {
        for text in
            ["", "anonymous:", "account:", "account:7", "service:", "service:Ticket", "root:1"]
        {
            assert_eq!(text.parse::<Subject>(), Err(InvalidSubject), "{text}");
        }
    }
}
