//! Reads the environment whole: every mistake is recorded and they are reported together, before a
//! port is opened. Unknown `SITEPASS_` keys are mistakes too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::faults;

const PREFIX: &str = "SITEPASS_";

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    pub key: String,
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}

/// Stands for a value that could not be read; what was wrong is already recorded in the [`Env`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid;

/// The environment, and what has been asked of it so far.
#[derive(Debug, Clone, Default)]
pub struct Env {
    values: BTreeMap<String, String>,
    known: BTreeSet<String>,
    mistakes: Vec<Mistake>,
}

impl Env {
    /// Takes the process's `SITEPASS_` variables.
    pub fn from_process() -> Self {
        Self::from_pairs(std::env::vars())
    }

    /// Takes the given variables; those without our prefix are none of our business.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let values = pairs.into_iter().filter(|(key, _)| key.starts_with(PREFIX)).collect();
        Self { values, ..Self::default() }
    }

    /// A value that must be there.
    pub fn required<T: FromStr<Err: fmt::Display>>(&mut self, key: &str) -> Result<T, Invalid> {
        match self.optional(key)? {
            Some(value) => Ok(value),
            None => Err(self.mistake(key, "is missing")),
        }
    }

    /// A value, or its default.
    pub fn or<T: FromStr<Err: fmt::Display>>(
        &mut self,
        key: &str,
        default: T,
    ) -> Result<T, Invalid> {
        Ok(self.optional(key)?.unwrap_or(default))
    }

    /// A value that may be absent. An empty one counts as absent.
    pub fn optional<T: FromStr<Err: fmt::Display>>(
        &mut self,
        key: &str,
    ) -> Result<Option<T>, Invalid> {
        self.known.insert(key.to_owned());
        let parsed = match self.values.get(key).filter(|value| !value.is_empty()) {
            None => return Ok(None),
            Some(value) => value.parse::<T>().map_err(|problem| problem.to_string()),
        };
        parsed.map(Some).map_err(|problem| self.mistake(key, &problem))
    }

    /// A secret of at least `min_len` bytes. Its value never appears in a mistake.
    pub fn secret(&mut self, key: &str, min_len: usize) -> Result<Secret, Invalid> {
        self.known.insert(key.to_owned());
        match self.values.get(key) {
            None => Err(self.mistake(key, "is missing")),
            Some(value) if value.len() < min_len => {
                Err(self.mistake(key, &format!("is shorter than {min_len} bytes")))
            }
            Some(value) => Ok(Secret::new(value.as_bytes())),
        }
    }

    /// A secret and those it follows, by the names `<key>_SECRET`, `<key>_FORMER_SECRETS` (oldest first, parted by
    /// spaces; `-` stands for one that is no longer needed) and `<key>_NEXT_SECRET` (known, not used yet). Each is at
    /// least `min_len` bytes.
    pub fn secret_ring(&mut self, key: &str, min_len: usize) -> Result<SecretRing, Invalid> {
        let current = self.secret(&format!("{key}_SECRET"), min_len);
        let former_key = format!("{key}_FORMER_SECRETS");
        let former = self.optional::<String>(&former_key)?.unwrap_or_default();
        let former: Vec<&str> = former.split_whitespace().collect();
        if former.iter().any(|text| *text != "-" && text.len() < min_len) {
            return Err(self.mistake(&former_key, &format!("holds one below {min_len} bytes")));
        }
        let count = u8::try_from(former.len() + 1).ok().filter(|count| *count < u8::MAX);
        let Some(current_version) = count else {
            return Err(self.mistake(&former_key, "holds more than 253"));
        };
        let next_key = format!("{key}_NEXT_SECRET");
        let next = self.optional::<String>(&next_key)?;
        if next.as_ref().is_some_and(|text| text.len() < min_len) {
            return Err(self.mistake(&next_key, &format!("is shorter than {min_len} bytes")));
        }
        let mut secrets: Vec<Option<Secret>> = former
            .iter()
            .map(|text| (*text != "-").then(|| Secret::new(text.as_bytes())))
            .collect();
        secrets.push(Some(current?));
        secrets.extend(next.map(|text| Some(Secret::new(text.as_bytes()))));
        Ok(SecretRing { secrets, current: current_version })
    }

    /// A value to use where the environment has none.
    pub fn fallback(&mut self, key: &str, value: impl Into<String>) {
        self.values.entry(key.to_owned()).or_insert_with(|| value.into());
    }

    /// Records a mistake found by a reader that looks at values together.
    pub fn mistake(&mut self, key: &str, problem: &str) -> Invalid {
        self.mistakes.push(Mistake { key: key.to_owned(), problem: problem.to_owned() });
        Invalid
    }

    /// Keys asked for so far, sorted.
    pub fn known_keys(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(String::as_str)
    }

    /// Counts `keys` as known though this process does not read them (another target's).
    pub fn also_known(&mut self, keys: impl IntoIterator<Item = String>) {
        self.known.extend(keys);
    }

    /// Every mistake, unknown keys included; call it when everything has been read.
    pub fn finish(mut self) -> Result<(), Vec<Mistake>> {
        for key in
            self.values.keys().filter(|key| !(self.known.contains(*key) || faults::is_setting(key)))
        {
            self.mistakes.push(Mistake {
                key: key.clone(),
                problem: "is no setting of sitepass".to_owned(),
            });
        }
        self.mistakes.sort();
        self.mistakes.dedup();
        if self.mistakes.is_empty() { Ok(()) } else { Err(self.mistakes) }
    }
}

/// Bytes that never print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes themselves; look at who asks.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The secret as text; `None` when it is no UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A secret with those before it and the one to come. Their places count from 1 and never change: a new one is added
/// after the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRing {
    secrets: Vec<Option<Secret>>,
    /// The place of the one in use.
    pub current: u8,
}

impl SecretRing {
    /// The only secret there has been.
    pub fn of_one(secret: Secret) -> Self {
        Self { secrets: vec![Some(secret)], current: 1 }
    }

    /// This ring one rotation later.
    #[must_use]
    pub fn followed_by(mut self, secret: Secret) -> Self {
        self.secrets.truncate(usize::from(self.current));
        self.secrets.push(Some(secret));
        self.current += 1;
        self
    }

    /// The bytes themselves, in their places; none where one is no longer needed. Look at who asks.
    pub fn expose(&self) -> Vec<Option<&[u8]>> {
        self.secrets.iter().map(|secret| secret.as_ref().map(Secret::expose)).collect()
    }
}

/// Where a service's tables are.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `postgres://host:port/database`; each service logs in as its own app role.
    pub url: String,
    pub password: Option<Secret>,
    pub max_connections: u32,
}

impl DatabaseConfig {
    pub fn read(env: &mut Env) -> Result<Self, Invalid> {
        let url = env.required::<String>("SITEPASS_DATABASE_URL");
        let password = env.optional::<String>("SITEPASS_DATABASE_PASSWORD");
        let max_connections = env.or("SITEPASS_DATABASE_MAX_CONNECTIONS", 4);
        Ok(Self {
            url: url?,
            password: password?.map(|text| Secret::new(text.as_bytes())),
            max_connections: max_connections?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Env, Mistake, Secret, SecretRing};

    fn env(pairs: &[(&str, &str)]) -> Env {
        Env::from_pairs(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let mut env = env(&[
            ("SITEPASS_PORT", "many"),
            ("SITEPASS_KEY", "short"),
            ("SITEPASS_TYPO", "1"),
            ("HOME", "/"),
        ]);
        assert!(env.required::<u16>("SITEPASS_PORT").is_err());
        assert!(env.required::<String>("SITEPASS_URL").is_err());
        assert!(env.secret("SITEPASS_KEY", 32).is_err());
        assert_eq!(env.or("SITEPASS_SPEED", 3_u8), Ok(3));
        let keys: Vec<String> =
            env.finish().unwrap_err().into_iter().map(|Mistake { key, .. }| key).collect();
        assert_eq!(keys, ["SITEPASS_KEY", "SITEPASS_PORT", "SITEPASS_TYPO", "SITEPASS_URL"]);
    }

    #[test]
    fn a_ring_of_secrets_keeps_their_places() {
        let ring = |pairs: &[(&str, &str)]| {
            let mut env = env(pairs);
            (env.secret_ring("SITEPASS_KEY", 4), env.finish())
        };
        let (alone, _) = ring(&[("SITEPASS_KEY_SECRET", "third")]);
        assert_eq!(alone, Ok(SecretRing::of_one(Secret::new(b"third"))));
        let (whole, finished) = ring(&[
            ("SITEPASS_KEY_SECRET", "third"),
            ("SITEPASS_KEY_FORMER_SECRETS", "-  second"),
            ("SITEPASS_KEY_NEXT_SECRET", "fourth"),
        ]);
        let whole = whole.unwrap();
        let expected: [Option<&[u8]>; 4] = [None, Some(b"second"), Some(b"third"), Some(b"fourth")];
        assert_eq!((whole.expose(), whole.current, finished), (expected.to_vec(), 3, Ok(())));
        assert!(!format!("{whole:?}").contains("second"));
        for bad in
            ["SITEPASS_KEY_SECRET", "SITEPASS_KEY_FORMER_SECRETS", "SITEPASS_KEY_NEXT_SECRET"]
        {
            let mut pairs = vec![("SITEPASS_KEY_SECRET", "third")];
            pairs.retain(|(key, _)| *key != bad);
            pairs.push((bad, "one"));
            let (read, finished) = ring(&pairs);
            assert!(read.is_err(), "{bad}");
            assert_eq!(finished.unwrap_err()[0].key, bad);
        }
    }

    #[test]
    fn a_secret_does_not_print() {
        let mut env = env(&[("SITEPASS_KEY", "0123456789abcdef0123456789abcdef")]);
        let secret = env.secret("SITEPASS_KEY", 32).unwrap();
        assert_eq!(format!("{secret:?}"), "***");
        assert!(env.finish().is_ok());
    }
}
