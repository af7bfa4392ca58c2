use auth::{Caller, Subject};
use types::{ErrorCode, Permission};

use crate::refusal::Refusal;

/// Who may make a call.
#[derive(Debug, Clone, Copy)]
pub enum Access {
    /// An account whose role has the permission.
    Permission(Permission),
    /// Any signed-in account.
    Account,
    /// A worker, for themself.
    Worker,
    /// A door controller.
    Device,
    /// Another service, acting as itself.
    Service,
    /// Anyone with a valid caller token, signed in or not.
    Public,
    /// Whoever one of these lets in.
    Any(&'static [Access]),
}

/// The calls of one service and who may make them; a call without an entry is refused.
pub type Policy = &'static [(&'static str, Access)];

impl Access {
    /// Lets the caller in, or says why not: not signed in, or signed in and not entitled.
    pub fn check(self, caller: &Caller) -> Result<(), Refusal> {
        if self.admits(caller) {
            return Ok(());
        }
        Err(Refusal::new(match caller.subject {
            Subject::Anonymous => ErrorCode::NotSignedIn,
            _ => ErrorCode::PermissionDenied,
        }))
    }

    fn admits(self, caller: &Caller) -> bool {
        match self {
            Self::Permission(permission) => {
                matches!(caller.subject, Subject::Account(_)) && caller.may(permission)
            }
            Self::Account => matches!(caller.subject, Subject::Account(_)),
            Self::Worker => matches!(caller.subject, Subject::Worker(_)),
            Self::Device => matches!(caller.subject, Subject::Device(_)),
            Self::Service => matches!(caller.subject, Subject::Service(_)),
            Self::Public => true,
            Self::Any(any) => any.iter().any(|access| access.admits(caller)),
        }
    }
}
