//! Who may make each call, written down a second time: what a service's policy opens wider than this is a mistake, and so is a
//! call that is not here.

use auth::Caller;
use types::Permission;

use Who::{Account, Anyone, Door, Held, Service, Worker};

#[derive(Debug, Clone, Copy)]
pub(super) enum Who {
    /// Nobody need have signed in: the gateway or WeChat's code says who it is.
    Anyone,
    /// Any account, about itself.
    Account,
    /// An account whose role has the permission.
    Held(Permission),
    /// A worker, for themself.
    Worker,
    /// A controller, through the service that authenticated it.
    Door,
    /// One of our services, acting as itself.
    Service,
}

impl Who {
    pub(super) fn is(self, caller: &Caller) -> bool {
        match self {
            Anyone => true,
            Account => caller.account_id().is_some(),
            Held(permission) => caller.may(permission),
            Worker => caller.worker_id().is_some(),
            Door => caller.device_id().is_some(),
            Service => caller.service_name().is_some(),
        }
    }
}

pub(super) const ALLOWED: &[(&str, &[Who])] = &[
    ("DirectoryService/SignIn", &[Anyone]),
    ("DirectoryService/RefreshSignIn", &[Anyone]),
    ("DirectoryService/SignOut", &[Anyone]),
    ("DirectoryService/GetAccount", &[Account, Service]),
    ("DirectoryService/CreateSite", &[Held(Permission::SiteManage)]),
    ("DirectoryService/ListSites", &[Held(Permission::SiteRead), Service]),
    ("DirectoryService/CreateContractor", &[Held(Permission::ContractorManage)]),
    ("DirectoryService/ListContractors", &[Held(Permission::ContractorRead), Service]),
    ("DirectoryService/CreateArea", &[Held(Permission::AreaManage)]),
    ("DirectoryService/ListAreas", &[Held(Permission::AreaRead), Service]),
    ("DirectoryService/CreateAccount", &[Held(Permission::AccountManage)]),
    ("DirectoryService/SyncWorkers", &[Held(Permission::WorkerSync)]),
    ("DirectoryService/SearchWorkers", &[Held(Permission::WorkerRead)]),
    ("DirectoryService/NameWorkers", &[Held(Permission::WorkerRead)]),
    ("DirectoryService/ResolveWorkers", &[Service]),
    ("DirectoryService/CheckReferences", &[Held(Permission::TicketCreate), Service]),
    ("DirectoryService/EnterMiniProgram", &[Anyone]),
    ("DirectoryService/SendSmsCode", &[Anyone]),
    ("DirectoryService/BindWorker", &[Anyone]),
    ("DirectoryService/UnbindWorker", &[Held(Permission::WorkerUnbind)]),
    ("DirectoryService/GetSite", &[Held(Permission::SiteRead), Service]),
    ("DirectoryService/ChangeSite", &[Held(Permission::SiteManage)]),
    ("DirectoryService/ChangeContractor", &[Held(Permission::ContractorManage)]),
    ("DirectoryService/ChangeArea", &[Held(Permission::AreaManage)]),
    ("DirectoryService/ChangeAccount", &[Held(Permission::AccountManage)]),
    ("DirectoryService/ListAccounts", &[Held(Permission::AccountRead)]),
    ("DirectoryService/ResetPassword", &[Held(Permission::AccountManage)]),
    ("DirectoryService/ChangePassword", &[Account]),
    ("DirectoryService/CheckSignIn", &[Service]),
    ("DirectoryService/MatchWorkers", &[Held(Permission::TicketCreate)]),
    ("DirectoryService/GetWorker", &[Held(Permission::WorkerRead)]),
    ("DirectoryService/ListRosterReadings", &[Held(Permission::WorkerRead)]),
    ("DirectoryService/ListRosterChanges", &[Held(Permission::WorkerRead)]),
    ("DirectoryService/ExportWorkers", &[Held(Permission::WorkerExport)]),
    ("DirectoryService/GetRegistrationCode", &[Held(Permission::WorkerRead)]),
    ("DirectoryService/FindRegistration", &[Anyone]),
    ("DirectoryService/CheckBinding", &[Service]),
    ("TicketService/CreateTicket", &[Held(Permission::TicketCreate)]),
    ("TicketService/PublishTicket", &[Held(Permission::TicketPublish)]),
    ("TicketService/CancelTicket", &[Held(Permission::TicketCancel)]),
    ("TicketService/ListTickets", &[Held(Permission::TicketRead)]),
    ("TicketService/GetTicket", &[Held(Permission::TicketRead)]),
    ("TicketService/GetDailyTicket", &[Held(Permission::TicketRead), Service]),
    ("TicketService/ListWorkerTasks", &[Worker, Service]),
    ("TicketService/AmendTicket", &[Held(Permission::TicketAmend)]),
    ("TicketService/AddWorkers", &[Held(Permission::TicketAmend)]),
    ("TicketService/RemoveWorker", &[Held(Permission::TicketAmend)]),
    ("TicketService/CancelDailyTicket", &[Held(Permission::TicketCancel)]),
    ("TicketService/CopyTicket", &[Held(Permission::TicketCreate)]),
    ("TicketService/ListTicketHistory", &[Held(Permission::TicketRead)]),
    ("TicketService/ExportTicket", &[Held(Permission::TicketExport)]),
    ("TrainingService/AddVideo", &[Held(Permission::VideoManage)]),
    ("TrainingService/ListVideos", &[Held(Permission::VideoRead)]),
    ("TrainingService/GetPlayUrl", &[Held(Permission::VideoRead)]),
    ("TrainingService/CheckVideos", &[Service, Worker, Held(Permission::VideoRead)]),
    ("TrainingService/StartFaceVerification", &[Worker]),
    ("TrainingService/StartSession", &[Worker]),
    ("TrainingService/ReportProgress", &[Worker]),
    ("TrainingService/AnswerCheck", &[Worker]),
    ("TrainingService/FinishSession", &[Worker]),
    ("TrainingService/ListRecords", &[Worker, Held(Permission::TrainingRead)]),
    ("NotificationService/ListNotifications", &[Held(Permission::NotificationRead)]),
    ("NotificationService/RetryNotification", &[Held(Permission::NotificationRetry)]),
    ("NotificationService/RecordConsent", &[Worker]),
    ("NotificationService/MarkTaskRead", &[Worker]),
    ("AccessGrantService/ListGrants", &[Held(Permission::GrantRead)]),
    ("AccessGrantService/ResyncGrant", &[Held(Permission::GrantResync)]),
    ("AccessGrantService/ReleaseLateGrant", &[Held(Permission::GrantRelease)]),
    ("AccessGrantService/AwaitAuthorized", &[Worker, Service]),
    ("AccessGrantService/Decide", &[Door, Service]),
    ("AccessGrantService/Explain", &[Held(Permission::ExplainRead)]),
    ("AccessGrantService/GetPass", &[Worker]),
    ("AccessGrantService/GetOutlook", &[Held(Permission::ReportRead), Service]),
    ("AccessGrantService/ListDoorChanges", &[Door, Service]),
    ("DeviceService/RegisterDevice", &[Held(Permission::DeviceManage)]),
    ("DeviceService/ListDevices", &[Held(Permission::DeviceRead)]),
    ("DeviceService/RecordVendorEvents", &[Service]),
    ("DeviceService/ListPassages", &[Held(Permission::PassageRead)]),
    ("AuditService/ListEntries", &[Held(Permission::AuditRead)]),
    ("AuditService/VerifyChain", &[Held(Permission::AuditVerify)]),
    ("AuditService/ExportEntries", &[Held(Permission::AuditExport)]),
    ("AuditService/CrossSite", &[Held(Permission::SiteManage)]),
    ("ReportService/GetDashboard", &[Held(Permission::ReportRead)]),
    ("ReportService/GetOutlook", &[Held(Permission::ReportRead)]),
];
