use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fleet::{Answer, Api, Demo};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use test_support::{Ledger, Outcome};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::World;

/// Between commands: eight a second leave a debug build on two cores time for what they set off.
const EVERY: Duration = Duration::from_millis(125);
const BEFORE_AGAIN: Duration = Duration::from_millis(400);
/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// After the last command was sent, for those that are still tried again.
const SETTLED_WITHIN: Duration = Duration::from_secs(40);
const MOST_AT_ONCE: usize = 48;

/// Admins who publish tickets and cancel some, each command under a key and title of its own.
#[derive(Debug)]
pub struct Load {
    commands: tokio::task::JoinHandle<JoinSet<()>>,
    ledger: Ledger,
    stop: CancellationToken,
}

impl Load {
    /// Starts sending.
    ///
    /// # Panics
    /// When nobody can sign in.
    pub async fn start(world: &World) -> Self {
        let client = Client::new(world).await;
        let stop = CancellationToken::new();
        let (ending, titles) = (stop.clone(), Arc::clone(&world.titles));
        let mut random =
            StdRng::seed_from_u64(world.ledger.seed() ^ titles.load(Ordering::Relaxed));
        #[expect(clippy::disallowed_methods, reason = "ends when the load is stopped")]
        let commands = tokio::spawn(async move {
            let mut commands = JoinSet::new();
            let mut tick = tokio::time::interval(EVERY);
            loop {
                tokio::select! {
                    _ = tick.tick() => {}
                    () = ending.cancelled() => return commands,
                }
                while let Some(ended) = commands.try_join_next() {
                    ended.expect("a command is answered or not");
                }
                if commands.len() < MOST_AT_ONCE {
                    let (again, cancel) = (random.random_bool(0.85), random.random_bool(0.2));
                    let number = titles.fetch_add(1, Ordering::Relaxed);
                    commands.spawn(client.clone().send(number, again, cancel));
                }
            }
        });
        Self { commands, ledger: world.ledger.clone(), stop }
    }

    /// Sends nothing new, and waits until every command that is tried again has its answer.
    ///
    /// # Panics
    /// When one key had two answers, or a command has none though nothing is broken any more.
    pub async fn stop(self) {
        self.stop.cancel();
        let mut commands = self.commands.await.expect("the load runs until it is stopped");
        let settled = async {
            while let Some(ended) = commands.join_next().await {
                ended.expect("a command is answered or not");
            }
        };
        let settled = tokio::time::timeout(SETTLED_WITHIN, settled).await;
        assert!(
            settled.is_ok(),
            "{} commands have no answer whatever is tried\n{}",
            commands.len(),
            self.ledger.story()
        );
    }
}

/// Who sends, and what every command has in common.
#[derive(Debug, Clone)]
pub(super) struct Client {
    api: Api,
    ledger: Ledger,
    demo: Arc<Demo>,
    workers: Arc<Vec<String>>,
}

impl Client {
    pub(super) async fn new(world: &World) -> Self {
        let api = Api::within(&world.installation.urls.gateway, PATIENCE).expect("an HTTP client");
        let body = json!({ "username": "admin", "password": fleet::PASSWORD });
        let token = test_support::eventually("a sign-in", || async {
            let data = api.post("/api/admin/auth/login", &body).await.ok()?.ok().ok()?;
            data["access_token"].as_str().map(ToOwned::to_owned)
        })
        .await;
        Self {
            api: api.with_token(&token),
            ledger: world.ledger.clone(),
            demo: Arc::new(world.demo.clone()),
            workers: Arc::new(world.workers.clone()),
        }
    }

    /// Publishes a ticket and perhaps cancels it; the ticket's id if it was acked.
    async fn send(self, number: u64, again: bool, cancel: bool) {
        let Some(ticket) = self.publish(number, again).await else { return };
        if cancel {
            let title = format!("cancel {}", self.title(number));
            let path = format!("/api/admin/work-tickets/{ticket}/cancel");
            let body = json!({ "reason": "plans changed" });
            self.until_answered(&title, &path, None, &body, again).await;
        }
    }

    fn title(&self, number: u64) -> String {
        format!("ticket {}-{number}", self.ledger.seed())
    }

    pub(super) async fn publish(&self, number: u64, again: bool) -> Option<String> {
        let title = self.title(number);
        let tomorrow = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now())
            .date_naive()
            .checked_add_days(chrono::Days::new(2))?;
        let body = json!({
            "title": title,
            "site_id": self.demo.site_id,
            "contractor_id": self.demo.contractor_id,
            "start_date": tomorrow,
            "end_date": tomorrow,
            "access_time_window": { "start": "06:00", "end": "20:00" },
            "training_deadline": "07:30",
            "area_ids": [self.demo.area_a.0],
            "worker_ids": *self.workers,
            "video_ids": [self.demo.video_id],
            "notify_policy": { "publish_now": true, "daily_reminder": false },
            "remark": "",
        });
        let key = title.replace(' ', "-");
        let path = "/api/admin/work-tickets";
        self.until_answered(&title, path, Some(&key), &body, again).await
    }

    /// Sends a command, and again while nobody knows what became of it; a client that does not try again leaves
    /// it so.
    async fn until_answered(
        &self,
        title: &str,
        path: &str,
        key: Option<&str>,
        body: &Value,
        again: bool,
    ) -> Option<String> {
        self.ledger.ask(title);
        loop {
            let started = Instant::now();
            let answer = match key {
                Some(key) => self.api.post_once(path, key, body).await,
                None => self.api.post(path, body).await,
            };
            let outcome = outcome(answer);
            self.ledger.answer(title, outcome.clone(), started.elapsed());
            match outcome {
                Outcome::Acked(ticket) => return Some(ticket),
                Outcome::Asked | Outcome::Unknown(_) if again => {}
                Outcome::Asked | Outcome::Unknown(_) | Outcome::Refused(_) => return None,
            }
            test_support::lasts(BEFORE_AGAIN).await;
        }
    }
}

/// A refusal of the request itself is final; what failed on the way may have had its effect.
fn outcome(answer: anyhow::Result<Answer>) -> Outcome {
    match answer {
        Ok(answer) if answer.code == 0 => {
            Outcome::Acked(answer.data["ticket_id"].as_str().unwrap_or_default().to_owned())
        }
        // Two at one row, or at one key: the other may be this command's earlier try.
        Ok(answer) if answer.http_status >= 500 || [409, 429].contains(&answer.http_status) => {
            Outcome::Unknown(format!("{} {}", answer.http_status, answer.message))
        }
        Ok(answer) => Outcome::Refused(answer.code),
        Err(_) => Outcome::Unknown("no answer".to_owned()),
    }
}
