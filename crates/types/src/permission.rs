use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Text that names no permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a known permission")]
pub struct UnknownPermission;

/// Text that names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a known role")]
pub struct UnknownRole;

/// One thing a caller may be allowed to do. Code asks for permissions, never for roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Permission {
    SiteRead,
    SiteManage,
    ContractorRead,
    ContractorManage,
    AreaRead,
    AreaManage,
    WorkerRead,
    WorkerSync,
    WorkerUnbind,
    WorkerExport,
    AccountManage,
    TicketRead,
    TicketCreate,
    TicketPublish,
    TicketCancel,
    TicketAmend,
    TrainingRead,
    VideoRead,
    VideoManage,
    NotificationRead,
    NotificationRetry,
    GrantRead,
    GrantResync,
    GrantRelease,
    EmergencyOpen,
    DeviceRead,
    DeviceManage,
    PassageRead,
    ExplainRead,
    ReportRead,
    AuditRead,
    AuditVerify,
    AccountRead,
    AuditExport,
    TicketAmendScope,
    TicketExport,
}

impl Permission {
    pub const ALL: &'static [Self] = &[
        Self::SiteRead,
        Self::SiteManage,
        Self::ContractorRead,
        Self::ContractorManage,
        Self::AreaRead,
        Self::AreaManage,
        Self::WorkerRead,
        Self::WorkerSync,
        Self::WorkerUnbind,
        Self::WorkerExport,
        Self::AccountManage,
        Self::TicketRead,
        Self::TicketCreate,
        Self::TicketPublish,
        Self::TicketCancel,
        Self::TicketAmend,
        Self::TrainingRead,
        Self::VideoRead,
        Self::VideoManage,
        Self::NotificationRead,
        Self::NotificationRetry,
        Self::GrantRead,
        Self::GrantResync,
        Self::GrantRelease,
        Self::EmergencyOpen,
        Self::DeviceRead,
        Self::DeviceManage,
        Self::PassageRead,
        Self::ExplainRead,
        Self::ReportRead,
        Self::AuditRead,
        Self::AuditVerify,
        Self::AuditExport,
        Self::AccountRead,
        Self::TicketAmendScope,
        Self::TicketExport,
    ];

    /// The stable name, such as `ticket.read`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SiteRead => "site.read",
            Self::SiteManage => "site.manage",
            Self::ContractorRead => "contractor.read",
            Self::ContractorManage => "contractor.manage",
            Self::AreaRead => "area.read",
            Self::AreaManage => "area.manage",
            Self::WorkerRead => "worker.read",
            Self::WorkerSync => "worker.sync",
            Self::WorkerUnbind => "worker.unbind",
            Self::WorkerExport => "worker.export",
            Self::AccountManage => "account.manage",
            Self::TicketRead => "ticket.read",
            Self::TicketCreate => "ticket.create",
            Self::TicketPublish => "ticket.publish",
            Self::TicketCancel => "ticket.cancel",
            Self::TicketAmend => "ticket.amend",
            Self::TrainingRead => "training.read",
            Self::VideoRead => "video.read",
            Self::VideoManage => "video.manage",
            Self::NotificationRead => "notification.read",
            Self::NotificationRetry => "notification.retry",
            Self::GrantRead => "grant.read",
            Self::GrantResync => "grant.resync",
            Self::GrantRelease => "grant.release",
            Self::EmergencyOpen => "emergency.open",
            Self::DeviceRead => "device.read",
            Self::DeviceManage => "device.manage",
            Self::PassageRead => "passage.read",
            Self::ExplainRead => "explain.read",
            Self::ReportRead => "report.read",
            Self::AuditRead => "audit.read",
            Self::AuditVerify => "audit.verify",
            Self::AuditExport => "audit.export",
            Self::AccountRead => "account.read",
            Self::TicketAmendScope => "ticket.amend_scope",
            Self::TicketExport => "ticket.export",
        }
    }

    /// Whether it lets nothing be changed: every `.read`, and all that is about the audit log.
    const fn only_reads(self) -> bool {
        let name = self.as_str().as_bytes();
        matches!(
            name,
            [.., b'.', b'r', b'e', b'a', b'd'] | [b'a', b'u', b'd', b'i', b't', b'.', ..]
        )
    }
}

const READING: usize = {
    let (mut count, mut at) = (0, 0);
    while at < Permission::ALL.len() {
        count += Permission::ALL[at].only_reads() as usize;
        at += 1;
    }
    count
};

/// What [`Role::Auditor`] holds: a new permission to read is theirs without a line here.
const AUDITOR: [Permission; READING] = {
    let mut held = [Permission::AuditRead; READING];
    let (mut count, mut at) = (0, 0);
    while at < Permission::ALL.len() {
        if Permission::ALL[at].only_reads() {
            held[count] = Permission::ALL[at];
            count += 1;
        }
        at += 1;
    }
    held
};

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        Self::ALL
            .iter()
            .copied()
            .find(|permission| permission.as_str() == text)
            .ok_or(UnknownPermission)
    }
}

impl TryFrom<String> for Permission {
    type Error = UnknownPermission;

    fn try_from(text: String) -> Result<Self, UnknownPermission> {
        text.parse()
    }
}

impl From<Permission> for &'static str {
    fn from(permission: Permission) -> Self {
        permission.as_str()
    }
}

/// A named set of permissions that an account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Runs the system: everything.
    SysAdmin,
    /// Makes and follows the tickets of one contractor.
    ContractorAdmin,
    /// Reads everything on their sites and proves the audit log; changes nothing.
    Auditor,
}

impl Role {
    pub const ALL: &'static [Self] = &[Self::SysAdmin, Self::ContractorAdmin, Self::Auditor];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SysAdmin => "SysAdmin",
            Self::ContractorAdmin => "ContractorAdmin",
            Self::Auditor => "Auditor",
        }
    }

    pub const fn permissions(self) -> &'static [Permission] {
        match self {
            Self::SysAdmin => Permission::ALL,
            Self::ContractorAdmin => &[
                Permission::SiteRead,
                Permission::ContractorRead,
                Permission::AreaRead,
                Permission::WorkerRead,
                Permission::WorkerExport,
                Permission::TicketRead,
                Permission::TicketCreate,
                Permission::TicketPublish,
                Permission::TicketCancel,
                Permission::TicketAmend,
                Permission::TrainingRead,
                Permission::VideoRead,
                Permission::NotificationRead,
                Permission::NotificationRetry,
                Permission::GrantRead,
                Permission::DeviceRead,
                Permission::PassageRead,
                Permission::ExplainRead,
                Permission::ReportRead,
                Permission::TicketExport,
            ],
            Self::Auditor => &AUDITOR,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.iter().copied().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

#[cfg(test)]
mod tests {
    use super::{Permission, Role, UnknownPermission, UnknownRole};
    use std::collections::HashSet;

    #[test]
    fn a_permission_reads_back_as_it_was_written_and_no_two_are_written_alike() {
        let names: HashSet<_> =
            Permission::ALL.iter().map(|permission| permission.as_str()).collect();
        assert_eq!(names.len(), Permission::ALL.len());
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(*permission));
            let written = serde_json::to_value(permission).unwrap();
            assert_eq!(written, permission.as_str());
            assert_eq!(serde_json::from_value::<Permission>(written).unwrap(), *permission);
        }
        assert_eq!("ticket.destroy".parse::<Permission>(), Err(UnknownPermission));
    }

    #[test]
    fn a_role_reads_back_as_it_was_written() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(*role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        assert_eq!("sysadmin".parse::<Role>(), Err(UnknownRole));
    }

    #[test]
    fn a_system_administrator_may_do_everything_and_a_contractor_s_runs_tickets_only() {
        assert_eq!(Role::SysAdmin.permissions(), Permission::ALL);
        let changes: Vec<_> = Role::ContractorAdmin
            .permissions()
            .iter()
            .map(|permission| permission.as_str())
            .filter(|name| name.strip_suffix(".read").is_none())
            .collect();
        assert_eq!(
            changes,
            [
                "worker.export",
                "ticket.create",
                "ticket.publish",
                "ticket.cancel",
                "ticket.amend",
                "notification.retry",
                "ticket.export"
            ]
        );
        let reads = Role::ContractorAdmin.permissions();
        assert!(reads.contains(&Permission::ReportRead) && !reads.contains(&Permission::AuditRead));
    }

    #[test]
    fn an_auditor_reads_all_there_is_and_changes_nothing() {
        let held: Vec<_> =
            Role::Auditor.permissions().iter().map(|permission| permission.as_str()).collect();
        let reading = |name: &&str| {
            name.split_once('.').is_some_and(|(of, what)| what == "read" || of == "audit")
        };
        let expected: Vec<_> =
            Permission::ALL.iter().map(|permission| permission.as_str()).filter(reading).collect();
        assert_eq!(held, expected);
        assert!(held.contains(&"audit.verify") && held.contains(&"account.read"));
        assert!(!held.contains(&"account.manage") && !held.contains(&"ticket.create"));
    }
}
