use auth::Caller;
use chrono::{DateTime, Utc};
use proto::directory::v1::SignInResponse;
use service::{Scope, Tx};
use vault::Vault;

use super::{App, Error, fact};
use crate::domain::{Account, AttemptId, Family, FamilyId, Index, Limit, Token, origin};
use crate::{store, wire};

const REFRESH_TOKEN: &str = "account.refresh_token";

impl App {
    /// An unknown user, a wrong password and a disabled account answer alike and take the same time.
    #[tracing::instrument(name = "account.sign_in", skip_all)]
    pub(crate) async fn sign_in(
        &self,
        caller: &Caller,
        username: &str,
        password: String,
    ) -> Result<SignInResponse, Error> {
        let attempt = self.attempt(caller, username).await?;
        let (account, hash) = attempt.found.clone().unzip();
        let fits = self.passwords.fits(password, hash.clone()).await?;
        let now = self.system.now();
        let account = account
            .filter(|account| fits && account.may_sign_in(now))
            .ok_or(Error::BadCredentials)?;

        let mut tx = self.store.begin(Scope::System("an account's sites")).await?;
        attempt.succeeded(&mut tx).await?;
        // Held and read again: the password may have become another while it was looked at, and whoever changed it has
        // ended the sign-ins they saw.
        store::accounts::hold(&mut tx, account.id).await?;
        let account = store::accounts::by_username(&mut tx, &account.username)
            .await?
            .filter(|(account, kept)| Some(kept) == hash.as_ref() && account.may_sign_in(now))
            .map(|(account, _)| account)
            .ok_or(Error::BadCredentials)?;
        let family = Family { id: FamilyId::new(), account: account.id, ended: None };
        store::refresh::start(&mut tx, &family, now).await?;
        let issued = Issued::next(&mut tx, &self.vault, family.id, now).await?;
        let record =
            fact(caller, "account.sign_in", "account", account.id.to_string(), self.clock.now());
        events::audit(&mut tx, record).await?;
        tx.commit().await?;
        Ok(issued.sign_in(&account, family.id))
    }

    /// Counts an attempt to prove a password of this user name, and refuses one too many: of the name from where the
    /// caller is, of the name from everywhere, or of any names from there.
    pub(super) async fn attempt(&self, caller: &Caller, username: &str) -> Result<Attempt, Error> {
        let username = username.trim().to_lowercase();
        let origin = caller.address.as_deref().and_then(origin);
        let from = format!("{} {username}", origin.as_deref().unwrap_or_default());
        let mut limits = vec![(Limit::NAME_FROM, from.as_str()), (Limit::NAME, username.as_str())];
        limits.extend(origin.as_deref().map(|origin| (Limit::FROM, origin)));
        let mut tx = self.store.begin(Scope::System("an account's sites")).await?;
        let id = self.count_attempt(&mut tx, &limits).await?;
        let found = store::accounts::by_username(&mut tx, &username).await?;
        tx.commit().await?;
        Ok(Attempt { id, name_from: self.about(Limit::NAME_FROM, &from), found })
    }
}

/// One of the attempts that a user name has.
pub(super) struct Attempt {
    id: AttemptId,
    name_from: Index,
    /// The account of that name and the hash of its password, if there is one.
    pub(super) found: Option<(Account, String)>,
}

impl Attempt {
    /// They knew the password: neither this attempt counts nor what failed before on the name from where they are. What
    /// failed from there on other names does, or one password that is known would cover for guessing others.
    pub(super) async fn succeeded(&self, tx: &mut Tx) -> Result<(), Error> {
        store::attempts::clear(tx, &self.name_from).await?;
        Ok(store::attempts::take_back(tx, self.id).await?)
    }
}

/// A fresh refresh token, in clear for the one who gets it.
pub(super) struct Issued {
    token: String,
    expires_at: DateTime<Utc>,
}

impl Issued {
    /// Draws the family's next token and keeps its hash.
    pub(super) async fn next(
        tx: &mut Tx,
        vault: &Vault,
        family: FamilyId,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)
            .map_err(|_| Error::Internal("the system gives no random bytes"))?;
        let token = hex::encode(random);
        let expires_at = now + Token::LIFETIME;
        store::refresh::add(tx, family, &hash(vault, &token), expires_at).await?;
        Ok(Self { token, expires_at })
    }

    fn sign_in(self, account: &Account, family: FamilyId) -> SignInResponse {
        SignInResponse {
            account: Some(wire::account(account)),
            refresh_token: self.token,
            refresh_expires_at: Some(proto::timestamp(self.expires_at)),
            family_id: family.to_string(),
        }
    }

    pub(super) fn refresh(
        self,
        account: &Account,
        family: FamilyId,
    ) -> proto::directory::v1::RefreshSignInResponse {
        let SignInResponse { account, refresh_token, refresh_expires_at, family_id } =
            self.sign_in(account, family);
        proto::directory::v1::RefreshSignInResponse {
            account,
            refresh_token,
            refresh_expires_at,
            family_id,
        }
    }
}

/// What is kept of a token; of no use to who reads the database.
fn hash(vault: &Vault, token: &str) -> Vec<u8> {
    vault.blind_index(REFRESH_TOKEN, token).to_vec()
}

/// What may be kept of it: the same under each key.
pub(super) fn hashes(vault: &Vault, token: &str) -> Vec<Vec<u8>> {
    vault.blind_indexes(REFRESH_TOKEN, token).into_iter().map(|hash| hash.to_vec()).collect()
}
