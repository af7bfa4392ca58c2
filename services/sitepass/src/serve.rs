//! `serve`: configuration first, then servers and broker, then the chosen services, then wait.

use std::time::Duration;

use anyhow::Context;
use service::config::Env;
use service::grpc::Peers;
use service::health::Health;
use service::telemetry::Telemetry;
use service::{Nats, Shell, Tasks, admin, clock_sync};
use tokio::net::TcpListener;
use types::{SiteClock, SystemClock};

use crate::Failure;
use crate::config::{self, Config};
use crate::targets::{self, SANDBOX, Targets};

/// Shutdown as a whole.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// The configuration of each chosen service.
macro_rules! configs {
    ($($field:ident: $krate:ident),* $(,)?) => {
        #[derive(Debug)]
        pub(crate) struct Configs {
            $($field: Option<$krate::Config>,)*
        }

        impl Configs {
            pub(crate) fn read(env: &mut Env, targets: &Targets) -> Result<Self, service::config::Invalid> {
                $(let $field = targets::read(env, targets.has(&stringify!($field).replace('_', "-")), $krate::Config::read);)*
                Ok(Self { $($field: $field?,)* })
            }

            async fn start(self, shell: &Shell) -> anyhow::Result<()> {
                $(if let Some(config) = self.$field {
                    $krate::serve(config, shell.clone()).await.with_context(|| format!("start {}", stringify!($field)))?;
                })*
                Ok(())
            }
        }
    };
}

configs! {
    audit: audit,
    directory: directory,
    training: training,
    ticket: ticket,
    access_grant: access_grant,
    device: device,
    notification: notification,
    report: report,
    gateway: gateway,
    sandbox: sandbox,
}

/// Reads everything the process and its targets need; all mistakes together.
fn read(targets: &Targets, sandbox: bool) -> Result<(Config, Configs), Failure> {
    let mut env = Env::from_process();
    if sandbox {
        config::use_sandbox(&mut env);
    }
    let config = Config::read(&mut env, targets);
    let configs = Configs::read(&mut env, targets);
    // For `migrate`; one environment serves both commands.
    env.also_known(["SITEPASS_MIGRATE_DATABASE_URL".to_owned()]);
    env.finish().map_err(Failure::Config)?;
    match (config, configs) {
        (Ok(config), Ok(configs)) => Ok((config, configs)),
        // Every invalid value has recorded its mistake, so `finish` has failed before this.
        _ => Err(Failure::Config(Vec::new())),
    }
}

/// Runs the chosen services until SIGINT or SIGTERM.
pub(crate) async fn serve(names: &[String], sandbox: bool) -> Result<(), Failure> {
    let targets = Targets::parse(names, sandbox)?;
    let (config, configs) = read(&targets, sandbox)?;
    let telemetry = Telemetry::install(config.otlp_endpoint.as_deref(), &config.log)
        .context("set up telemetry")?;
    let metrics = admin::install_metrics().context("set up metrics")?;
    let tasks = Tasks::new();
    let health = Health::default();
    // Services name what they need one by one as they start: not ready before the last of them has.
    let services = health.component("services");

    let listener = TcpListener::bind(config.admin_listen).await;
    let listener = listener
        .with_context(|| format!("listen on {} (SITEPASS_ADMIN_LISTEN)", config.admin_listen))?;
    service::http::listen(
        &tasks,
        "admin",
        listener,
        admin::router(health.clone(), tasks.clone(), metrics),
    );

    let options = async_nats::ConnectOptions::new()
        .name("sitepass")
        .retry_on_initial_connect()
        .max_reconnects(None);
    let nats = Nats::connect(options, &config.nats_url).await.context("connect to NATS")?;
    health.watch_broker(&tasks, nats.client().clone());

    let clock = SiteClock::system();
    if sandbox {
        clock_sync::follow(&tasks, nats.client().clone(), &config.stream_prefix, clock.clone());
    }
    let shell = Shell {
        clock,
        system: SystemClock::system(),
        tasks: tasks.clone(),
        peers: Peers::new(targets.names(), &config.peers).context("read the addresses of peers")?,
        nats: nats.clone(),
        stream_prefix: config.stream_prefix,
        stream_replicas: config.stream_replicas,
        keys: auth::CallerKeys::from_root(config.caller_secret.expose())
            .context("read SITEPASS_CALLER_SECRET")?,
        health,
    };
    tracing::info!(targets = ?targets.names(), sandbox = targets.has(SANDBOX), "starting");
    configs.start(&shell).await?;
    services.up();

    let cancelled = tasks.cancelled();
    tokio::select! {
        signal = signalled() => tracing::info!(signal, "stopping"),
        () = cancelled => tracing::error!("stopping because a task failed"),
    }
    let failed = tasks.is_cancelled();
    tasks.stop();
    let finished = tasks.finished(STOP_WITHIN.saturating_sub(Duration::from_secs(2))).await;
    if !finished {
        tracing::error!("some work did not finish in time");
    }
    tokio::task::spawn_blocking(move || telemetry.flush()).await.context("flush telemetry")?;
    if failed || !finished {
        return Err(anyhow::anyhow!("stopped after a failure; the log says which").into());
    }
    Ok(())
}

async fn signalled() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}
