use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, FixedOffset, Utc};
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use types::{SiteClock, SystemClock};

use crate::config::Config;
use crate::door::Doors;
use crate::face::Verifications;
use crate::faults::Faults;
use crate::sms::Texts;
use crate::wechat::Wechat;

/// Sets site time everywhere to an instant and a speed (site seconds a real second), and ends when
/// every process has taken it.
pub type SetClock =
    Arc<dyn Fn(DateTime<Utc>, f64) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// All that the stand-ins remember, in memory; a clone is the same sandbox.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    site: SiteClock,
    system: SystemClock,
    set_clock: SetClock,
    stop: CancellationToken,
    wechat: Mutex<Wechat>,
    face: Mutex<Verifications>,
    sms: Mutex<Texts>,
    doors: Mutex<Doors>,
    faults: Mutex<Faults>,
    reports: Notify,
}

impl Sandbox {
    /// `stop` ends the waits that faults impose, so that shutdown need not sit them out.
    pub fn new(
        config: Config,
        site: SiteClock,
        system: SystemClock,
        set_clock: SetClock,
        stop: CancellationToken,
    ) -> Self {
        let faults = Faults::seeded(config.seed);
        let doors = Doors::starting_at(system.now());
        Self {
            shared: Arc::new(Shared {
                config,
                site,
                system,
                set_clock,
                stop,
                wechat: Mutex::default(),
                face: Mutex::default(),
                sms: Mutex::default(),
                doors: Mutex::new(doors),
                faults: Mutex::new(faults),
                reports: Notify::new(),
            }),
        }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    pub(crate) fn site(&self) -> &SiteClock {
        &self.shared.site
    }

    pub(crate) fn system_now(&self) -> DateTime<Utc> {
        self.shared.system.now()
    }

    /// Site time as the firms of a Chinese site write it: with their own offset.
    pub(crate) fn site_now(&self) -> DateTime<FixedOffset> {
        local(self.shared.site.now())
    }

    pub(crate) fn set_clock(
        &self,
        now: DateTime<Utc>,
        speed: f64,
    ) -> BoxFuture<'static, Result<(), String>> {
        (self.shared.set_clock)(now, speed)
    }

    pub(crate) async fn pause(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.shared.stop.cancelled() => {}
        }
    }

    pub(crate) fn wechat(&self) -> MutexGuard<'_, Wechat> {
        lock(&self.shared.wechat)
    }

    pub(crate) fn face(&self) -> MutexGuard<'_, Verifications> {
        lock(&self.shared.face)
    }

    pub(crate) fn sms(&self) -> MutexGuard<'_, Texts> {
        lock(&self.shared.sms)
    }

    pub(crate) fn doors(&self) -> MutexGuard<'_, Doors> {
        lock(&self.shared.doors)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.shared.faults)
    }

    /// Woken whenever a door has something to report or has come back.
    pub(crate) fn reports(&self) -> &Notify {
        &self.shared.reports
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

pub(crate) fn local(instant: DateTime<Utc>) -> DateTime<FixedOffset> {
    let beijing = FixedOffset::east_opt(8 * 3600).expect("eight hours is an offset");
    instant.with_timezone(&beijing)
}

// A handler that panicked must not take the firm down with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
