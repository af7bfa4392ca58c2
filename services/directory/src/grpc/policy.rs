use service::grpc::{Access, Policy};
use types::Permission;

macro_rules! policy {
    ($($method:literal: $access:expr,)+) => {
        &[$((concat!("/sitepass.directory.v1.DirectoryService/", $method), $access)),+]
    };
}

/// Who may make each call. What a caller sees through it is confined to their sites and contractor.
pub const POLICY: Policy = policy! {
    "SignIn": Access::Public,
    "RefreshSignIn": Access::Public,
    "SignOut": Access::Public,
    "GetAccount": Access::Any(&[Access::Account, Access::Service]),
    "CreateSite": Access::Permission(Permission::SiteManage),
    "ListSites": Access::Any(&[Access::Permission(Permission::SiteRead), Access::Service]),
    "CreateContractor": Access::Permission(Permission::ContractorManage),
    "ListContractors": Access::Any(&[Access::Permission(Permission::ContractorRead), Access::Service]),
    "CreateArea": Access::Permission(Permission::AreaManage),
    "ListAreas": Access::Any(&[Access::Permission(Permission::AreaRead), Access::Service]),
    "CreateAccount": Access::Permission(Permission::AccountManage),
    "SyncWorkers": Access::Permission(Permission::WorkerSync),
    "SearchWorkers": Access::Permission(Permission::WorkerRead),
    "NameWorkers": Access::Permission(Permission::WorkerRead),
    "ResolveWorkers": Access::Service,
    "CheckReferences": Access::Any(&[Access::Permission(Permission::TicketCreate), Access::Service]),
    "EnterMiniProgram": Access::Public,
    "SendSmsCode": Access::Public,
    "BindWorker": Access::Public,
    "UnbindWorker": Access::Permission(Permission::WorkerUnbind),
    "GetSite": Access::Any(&[Access::Permission(Permission::SiteRead), Access::Service]),
    "ChangeSite": Access::Permission(Permission::SiteManage),
    "ChangeContractor": Access::Permission(Permission::ContractorManage),
    "ChangeArea": Access::Permission(Permission::AreaManage),
    "ChangeAccount": Access::Permission(Permission::AccountManage),
    "ListAccounts": Access::Permission(Permission::AccountRead),
    "ResetPassword": Access::Permission(Permission::AccountManage),
    "ChangePassword": Access::Account,
    "CheckSignIn": Access::Service,
    "MatchWorkers": Access::Permission(Permission::TicketCreate),
    "GetWorker": Access::Permission(Permission::WorkerRead),
    "ListRosterReadings": Access::Permission(Permission::WorkerRead),
    "ListRosterChanges": Access::Permission(Permission::WorkerRead),
    "ExportWorkers": Access::Permission(Permission::WorkerExport),
    "GetRegistrationCode": Access::Permission(Permission::WorkerRead),
    "FindRegistration": Access::Public,
    "CheckBinding": Access::Service,
};
