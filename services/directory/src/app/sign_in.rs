use auth::Caller;
use chrono::{DateTime, TimeDelta, Utc};
use proto::directory::v1::SignInResponse;
use service::{Scope, Tx};
use vault::Vault;

use super::{App, Error, fact};
use crate::domain::{Account, Family, FamilyId, Token};
use crate::{store, wire};

const MAX_ATTEMPTS: i64 = 10;
const ATTEMPTS_COUNT_FOR: TimeDelta = TimeDelta::minutes(15);

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
        let Attempt { index, found } = self.attempt(username).await?;
        let (account, hash) = found.unzip();
        let fits = self.passwords.fits(password, hash).await?;
        let now = self.system.now();
        let account = account
            .filter(|account| fits && account.may_sign_in(now))
            .ok_or(Error::BadCredentials)?;

        let mut tx = self.store.begin(Scope::System("an account's sites")).await?;
        store::sign_in_attempts::clear(&mut tx, &index).await?;
        let family = Family { id: FamilyId::new(), account: account.id, ended: None };
        store::refresh::start(&mut tx, &family, now).await?;
        let issued = Issued::next(&mut tx, &self.vault, family.id, now).await?;
        let record =
            fact(caller, "account.sign_in", "account", account.id.to_string(), self.clock.now());
        events::audit(&mut tx, record).await?;
        tx.commit().await?;
        Ok(issued.sign_in(&account, family.id))
    }

    /// Counts an attempt to prove a password of this user name, and refuses one too many. It is written before the
    /// password is looked at: many at once must not all count as the first.
    pub(super) async fn attempt(&self, username: &str) -> Result<Attempt, Error> {
        let username = username.trim().to_lowercase();
        let index = self.vault.blind_index("account.username", &username).to_vec();
        let now = self.system.now();
        let mut tx = self.store.begin(Scope::System("an account's sites")).await?;
        let (attempts, oldest) =
            store::sign_in_attempts::count(&mut tx, &index, now - ATTEMPTS_COUNT_FOR).await?;
        if attempts >= MAX_ATTEMPTS {
            let until = oldest.unwrap_or(now) + ATTEMPTS_COUNT_FOR;
            return Err(Error::TooManyRequests { retry_after: until - now });
        }
        store::sign_in_attempts::add(&mut tx, &index, now).await?;
        let found = store::accounts::by_username(&mut tx, &username).await?;
        tx.commit().await?;
        Ok(Attempt { index, found })
    }
}

/// One of the attempts that a user name has.
pub(super) struct Attempt {
    /// To forget them by, once one succeeds.
    pub(super) index: Vec<u8>,
    /// The account of that name and the hash of its password, if there is one.
    pub(super) found: Option<(Account, String)>,
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
