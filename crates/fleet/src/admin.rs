use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::api::{Api, items};

/// Somebody at the admin page.
#[derive(Debug, Clone)]
pub struct Admin {
    api: Api,
    pub account: Value,
}

impl Admin {
    pub async fn sign_in(gateway: &str, username: &str, password: &str) -> Result<Self> {
        let api = Api::new(gateway)?;
        let body = json!({ "username": username, "password": password });
        let data = api.post("/api/admin/auth/login", &body).await?.ok().context("sign in")?;
        let token = data["access_token"].as_str().context("no access token")?;
        Ok(Self { api: api.with_token(token), account: data["account"].clone() })
    }

    pub fn api(&self) -> &Api {
        &self.api
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        self.api.get(path).await?.ok().with_context(|| format!("GET {path}"))
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.api.post(path, body).await?.ok().with_context(|| format!("POST {path}"))
    }

    /// Every row of a paged list; `path` has its own query already.
    pub async fn all(&self, path: &str) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        for page in 1.. {
            let data = self.get(&format!("{path}&page={page}&page_size=200")).await?;
            let got = items(&data);
            let done = got.len() < 200;
            rows.extend(got);
            if done {
                break;
            }
        }
        Ok(rows)
    }

    /// The row of a list whose `key` is `wanted`, made with `body` when there is none.
    pub async fn ensure(
        &self,
        list: &str,
        key: &str,
        wanted: &str,
        create: &str,
        body: &Value,
    ) -> Result<Value> {
        let find = |rows: Vec<Value>| rows.into_iter().find(|row| row[key] == wanted);
        if let Some(row) = find(self.all(list).await?) {
            return Ok(row);
        }
        self.post(create, body).await?;
        match find(self.all(list).await?) {
            Some(row) => Ok(row),
            None => bail!("{create} made {wanted}, and {list} does not show it"),
        }
    }
}
