use chrono::{DateTime, TimeDelta, Utc};
use types::{AccountId, ContractorId, FieldProblem, Role, SiteId};

/// The least a password may have; no other rule makes it better.
pub(crate) const MIN_PASSWORD_CHARS: usize = 12;

/// Somebody who signs in to the administration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub id: AccountId,
    pub username: String,
    pub role: Role,
    /// A `SysAdmin` has every site there is when it is read, without rows of their own.
    pub sites: Vec<SiteId>,
    pub contractor: Option<ContractorId>,
    pub disabled: bool,
    /// Given while the password is a one-time one: until when it signs in. System time.
    pub one_time_until: Option<DateTime<Utc>>,
    pub version: u64,
}

/// What is to be another; what is `None` stays, unless a new role has no use for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AccountChange {
    pub disabled: Option<bool>,
    pub role: Option<Role>,
    pub sites: Option<Vec<SiteId>>,
    #[expect(clippy::option_option, reason = "not named, named as none, or named")]
    pub contractor: Option<Option<ContractorId>>,
}

impl Account {
    /// How long a one-time password is good for.
    pub(crate) const ONE_TIME: TimeDelta = TimeDelta::hours(24);

    /// Whether the password, when it fits, may sign in at `now`.
    pub(crate) fn may_sign_in(&self, now: DateTime<Utc>) -> bool {
        !self.disabled && self.one_time_until.is_none_or(|until| now < until)
    }

    /// Whether it reaches a site of those it was read with.
    pub(crate) fn is_somewhere(&self) -> bool {
        self.role == Role::SysAdmin || !self.sites.is_empty()
    }

    pub(crate) fn runs_the_system(&self) -> bool {
        self.role == Role::SysAdmin && !self.disabled
    }

    /// The account with the change, or every field that its role does not go with.
    pub(crate) fn changed(&self, change: AccountChange) -> Result<Self, Vec<FieldProblem>> {
        let role = change.role.unwrap_or(self.role);
        let (mut sites, contractor) = match role {
            Role::SysAdmin => (change.sites.unwrap_or_default(), change.contractor.flatten()),
            Role::Auditor => {
                (change.sites.unwrap_or_else(|| self.own_sites()), change.contractor.flatten())
            }
            Role::ContractorAdmin => (
                change.sites.unwrap_or_else(|| self.own_sites()),
                change.contractor.unwrap_or(self.contractor),
            ),
        };
        sites.sort_unstable();
        sites.dedup();
        let problems = unfit(role, !sites.is_empty(), contractor.is_some());
        if !problems.is_empty() {
            return Err(problems);
        }
        let disabled = change.disabled.unwrap_or(self.disabled);
        // A SysAdmin's sites are read, not kept.
        let sites =
            if role == Role::SysAdmin && self.role == role { self.sites.clone() } else { sites };
        Ok(Self { role, sites, contractor, disabled, ..self.clone() })
    }

    fn own_sites(&self) -> Vec<SiteId> {
        if self.role == Role::SysAdmin { Vec::new() } else { self.sites.clone() }
    }
}

/// What a role lacks or has no use for.
pub(crate) fn unfit(role: Role, has_sites: bool, has_contractor: bool) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    let mut check = |holds: bool, field: &str, problem: &str| {
        if !holds {
            problems.push(FieldProblem::new(field, problem));
        }
    };
    match role {
        Role::ContractorAdmin => {
            check(has_contractor, "contractor_id", "is required");
            check(has_sites, "site_ids", "is required");
        }
        Role::Auditor => {
            check(!has_contractor, "contractor_id", "is not for this role");
            check(has_sites, "site_ids", "is required");
        }
        Role::SysAdmin => {
            check(!has_contractor, "contractor_id", "is not for this role");
            check(!has_sites, "site_ids", "is not for this role, which has every site");
        }
    }
    problems
}

/// 3 to 32 of `a-z 0-9 . _ -`, beginning with a letter or digit.
pub(crate) fn is_username(text: &str) -> bool {
    let first =
        text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let rest = text.bytes().all(|byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
    });
    first && rest && (3..=32).contains(&text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(role: Role, sites: Vec<SiteId>, contractor: Option<ContractorId>) -> Account {
        Account {
            id: AccountId::new(),
            username: "somebody".to_owned(),
            role,
            sites,
            contractor,
            disabled: false,
            one_time_until: None,
            version: 3,
        }
    }

    fn named(outcome: Result<Account, Vec<FieldProblem>>) -> Vec<String> {
        outcome.unwrap_err().into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn a_user_name_has_one_spelling() {
        for good in ["admin", "zhang.san", "site-1_b", "007"] {
            assert!(is_username(good), "{good}");
        }
        for bad in ["", "ab", "Admin", ".dot", "a b c", "张三张三", "a@b.example", &"x".repeat(33)]
        {
            assert!(!is_username(bad), "{bad}");
        }
    }

    #[test]
    fn a_one_time_password_ends_and_a_disabled_account_never_signs_in() {
        let now = DateTime::from_timestamp(1_772_409_600, 0).unwrap();
        let usual = account(Role::SysAdmin, vec![], None);
        assert!(usual.may_sign_in(now));
        let reset = Account { one_time_until: Some(now + Account::ONE_TIME), ..usual.clone() };
        assert!(reset.may_sign_in(now) && !reset.may_sign_in(now + Account::ONE_TIME));
        assert!(!Account { disabled: true, ..usual }.may_sign_in(now));
    }

    #[test]
    fn a_new_role_drops_what_it_has_no_use_for_and_asks_for_what_it_needs() {
        let (site, contractor) = (SiteId::new(), ContractorId::new());
        let foreman = account(Role::ContractorAdmin, vec![site], Some(contractor));
        let to = |role| AccountChange { role: Some(role), ..AccountChange::default() };
        let auditor = foreman.changed(to(Role::Auditor)).unwrap();
        assert_eq!((auditor.sites.clone(), auditor.contractor), (vec![site], None));
        assert_eq!(named(auditor.changed(to(Role::ContractorAdmin))), ["contractor_id"]);
        let sysadmin = foreman.changed(to(Role::SysAdmin)).unwrap();
        assert_eq!((sysadmin.sites.clone(), sysadmin.contractor), (vec![], None));
        // The sites a SysAdmin is shown with are everyone's, not theirs to keep.
        let seen = Account { sites: vec![site], ..sysadmin };
        assert_eq!(named(seen.changed(to(Role::Auditor))), ["site_ids"]);
        assert_eq!(seen.changed(AccountChange::default()), Ok(seen.clone()));
    }

    #[test]
    fn a_role_keeps_its_needs() {
        let foreman =
            account(Role::ContractorAdmin, vec![SiteId::new()], Some(ContractorId::new()));
        let bare = AccountChange {
            sites: Some(vec![]),
            contractor: Some(None),
            ..AccountChange::default()
        };
        assert_eq!(named(foreman.changed(bare)), ["contractor_id", "site_ids"]);
        let sited = AccountChange { sites: Some(vec![SiteId::new()]), ..AccountChange::default() };
        assert_eq!(named(account(Role::SysAdmin, vec![], None).changed(sited)), ["site_ids"]);
    }
}
