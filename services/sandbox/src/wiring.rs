use std::io;
use std::sync::Arc;
use std::time::Duration;

use service::Shell;
use service::clock_sync::Authority;

use crate::config::Config;
use crate::door::reports;
use crate::router::router;
use crate::sandbox::{Sandbox, SetClock};

const REPORT_PATIENCE: Duration = Duration::from_secs(15);

/// Opens the port and starts the doors' reporting; returns once they run. The sandbox is the one that
/// may set site time.
pub async fn serve(config: Config, shell: Shell) -> io::Result<()> {
    let listener = service::listen(config.listen).await.map_err(io::Error::other)?;
    let client = service::http::Client::new(REPORT_PATIENCE).map_err(io::Error::other)?;
    let authority = Authority::start(
        &shell.tasks,
        shell.nats.client().clone(),
        &shell.stream_prefix,
        shell.clock.clone(),
    );
    let set_clock: SetClock = Arc::new(move |now, speed| {
        let authority = authority.clone();
        Box::pin(async move {
            match authority.set(now, speed).await {
                Ok(0) => Err("no process follows site time yet".to_owned()),
                Ok(_) => Ok(()),
                Err(err) => Err(err.to_string()),
            }
        })
    });
    let sandbox = Sandbox::new(
        config,
        shell.clock.clone(),
        shell.system.clone(),
        set_clock,
        shell.tasks.token(),
    );
    let reporting = reports::deliver(sandbox.clone(), client, shell.tasks.cancelled());
    shell.tasks.spawn("door reports", reporting);
    service::http::listen(&shell.tasks, "sandbox", listener, router(sandbox));
    Ok(())
}
