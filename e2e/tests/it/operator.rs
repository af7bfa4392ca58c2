//! The commands of the binary, asked of a running installation: what they say, what they exit with, what is kept.

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use fleet::{Admin, Demo};
use test_support::{Backing, Installation, eventually};
use types::EventId;
use uuid::Uuid;

/// As sysexits.h and clap number them.
const REFUSED: i32 = 1;
const WRONG_USAGE: i32 = 2;
const WRONG_CONFIG: i32 = 64;

struct World {
    installation: Installation,
    backing: Backing,
    demo: Demo,
}

impl World {
    async fn start() -> Self {
        let backing = Backing::shared().await;
        let installation = Installation::start(&backing, &["all"], None).await;
        let demo = fleet::seed(&installation.urls, &Installation::video()).await.unwrap();
        Self { installation, backing, demo }
    }

    /// The exit code, and what was said on both ways.
    fn run(&self, args: &str, settings: &[(&str, &str)]) -> (i32, String) {
        let args: Vec<&str> = args.split_whitespace().collect();
        let mut command = self.installation.command(&args);
        let out = command.envs(settings.iter().copied()).output().unwrap();
        let said = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
        (out.status.code().unwrap(), said)
    }

    /// What a command says that does what it should.
    fn does(&self, args: &str) -> String {
        let (code, said) = self.run(args, &[]);
        assert_eq!(code, 0, "{args}: {said}");
        said
    }

    /// A command ends with this code and says why.
    fn fails(&self, args: &str, code: i32, why: &str) {
        let (ended, said) = self.run(args, &[]);
        assert_eq!(ended, code, "{args}: {said}");
        assert!(said.contains(why), "{args}: {said}");
    }

    /// Waits until a command says something.
    async fn until(&self, args: &str, part: &str) -> String {
        eventually(&format!("{args} to say {part}"), || async {
            Some(self.does(args)).filter(|said| said.contains(part))
        })
        .await
    }

    /// An event that nobody can read, as it is parked at `training`.
    async fn unreadable(&self) -> Uuid {
        let client = async_nats::connect(&self.backing.nats_url).await.unwrap();
        let event = EventId::new().as_uuid();
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, event.to_string());
        let (prefix, site) = (&self.backing.stream_prefix, &self.demo.site_id);
        let subject = format!("{prefix}.ticket.v1.TicketPublished.{site}");
        client.publish_with_headers(subject, headers, "no fact".into()).await.unwrap();
        client.flush().await.unwrap();
        self.until("parked list training", &event.to_string()).await;
        event
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_looks_after_an_installation_at_the_command_line() {
    let world = World::start().await;
    jobs(&world).await;
    streams(&world).await;
    parked(&world).await;
    vault(&world);
    wrong_ways(&world);
    recorded(&world).await;
    assert_eq!(world.installation.stop(), [Some(0)]);
}

async fn jobs(world: &World) {
    let all = world.does("jobs list");
    for job in ["ticket.lifecycle  every 60 s  enabled", "audit.verify  0 0 3 * * * Asia/Shanghai"]
    {
        assert!(all.contains(job), "{all}");
    }
    let own = world.does("jobs list ticket");
    assert!(own.contains("ticket.lifecycle") && !own.contains("audit.verify"), "{own}");

    let said = world.does("jobs run ticket ticket.lifecycle");
    let id = said.trim().strip_prefix("ticket.lifecycle runs within seconds, as ").unwrap();
    let again = format!("jobs run ticket ticket.lifecycle --id {id}");
    world.until(&again, &format!("ticket.lifecycle ran as {id}: ")).await;
    let runs = world.does("jobs runs ticket ticket.lifecycle");
    let asked = runs.lines().find(|line| line.contains(&format!("manual:{id}"))).unwrap();
    assert!(asked.contains(" ran at ") && runs.lines().count() > 1, "{runs}");
    assert_eq!(world.does("jobs runs ticket ticket.lifecycle --limit 1").lines().count(), 1);

    let disable = "jobs disable ticket ticket.lifecycle --reason noise";
    assert_eq!(world.does(disable), "ticket.lifecycle is disabled\n");
    assert_eq!(world.does(disable), "ticket.lifecycle was disabled before\n");
    let listed = world.does("jobs list ticket");
    assert!(listed.contains("DISABLED since ") && listed.contains("(noise)"), "{listed}");
    let enable = "jobs enable ticket ticket.lifecycle";
    assert_eq!(world.does(enable), "ticket.lifecycle is enabled\n");
    assert_eq!(world.does(enable), "ticket.lifecycle was enabled before\n");

    let unknown = "no process of ticket ever ran a job nothing";
    for args in ["run ticket nothing", "runs ticket nothing", "disable ticket nothing"] {
        world.fails(&format!("jobs {args}"), REFUSED, unknown);
    }
    let id = Uuid::from_u128(1);
    let args = format!("jobs run ticket ticket.lifecycle --id {id}");
    world.fails(&args, REFUSED, "is no UUID of version 7");
    world.fails("jobs list nothing", REFUSED, "no service nothing has tables");
}

async fn streams(world: &World) {
    let check = world.until("outbox check ticket", " 0 waiting").await;
    assert!(check.contains("stream: places 1 to "), "{check}");
    let replay = world.does("outbox replay directory");
    assert!(replay.ends_with("all are sent\n"), "{replay}");
    let later = world.does("outbox replay directory --since 2031-03-02T00:00:00Z");
    assert!(later.ends_with("all are sent\n"), "{later}");
    world.fails("outbox replay directory --since yesterday", WRONG_USAGE, "--since");
    world.fails("outbox check nothing", REFUSED, "no service nothing has tables");

    let told = world.does("state reannounce directory");
    assert!(told.ends_with(" told and published\n") && !told.contains("\n0 told and"), "{told}");
    world.fails("state reannounce audit", REFUSED, "audit has no states");
}

async fn parked(world: &World) {
    let event = world.unreadable().await;
    let shown = world.does(&format!("parked show training {event}"));
    for part in
        [&format!("event      {event}"), "consumer   training--", "unreadable ", "body       "]
    {
        assert!(shown.contains(part), "{shown}");
    }
    let all = world.does("parked list training");
    let none = world.does("parked list training --consumer training--nobody");
    assert!(all.contains("after 1 attempts: ") && none.is_empty(), "{all}{none}");
    world.fails(&format!("parked drop training {event}"), WRONG_USAGE, "--reason");
    let resend = world.does(&format!("parked resend training {event}"));
    assert!(resend.contains(" goes back to "), "{resend}");
    world.until("parked list training", "after 2 attempts: ").await;
    let dropped = world.does(&format!("parked drop training {event} --reason noise"));
    assert!(dropped.contains(" is dropped for "), "{dropped}");
    for command in ["show", "resend"] {
        let gone = format!("no event {event} is parked at training");
        world.fails(&format!("parked {command} training {event}"), REFUSED, &gone);
    }
    world.fails("parked show training noise", WRONG_USAGE, "invalid value");
}

fn vault(world: &World) {
    let status = world.does("vault status");
    assert!(status.lines().all(|line| line.contains(" under key ")), "{status}");
    for service in ["directory.", "device."] {
        assert!(status.lines().any(|line| line.starts_with(service)), "{status}");
    }
}

/// What is no command, no setting and no database.
fn wrong_ways(world: &World) {
    world.fails("jobs stop", WRONG_USAGE, "unrecognized subcommand");
    world.fails("jobs disable ticket", WRONG_USAGE, "<JOB>");
    let (code, said) = world.run("jobs list", &[("SITEPASS_JOBS", "many")]);
    assert!(code == WRONG_CONFIG && said.contains("SITEPASS_JOBS"), "{code}: {said}");
    let away = ("SITEPASS_DATABASE_URL", "postgres://127.0.0.1:1/sitepass");
    for args in ["jobs list ticket", "outbox replay ticket", "parked list ticket", "vault status"] {
        let (code, said) = world.run(args, &[away]);
        assert!(code == REFUSED && said.starts_with("sitepass: "), "{args}: {code} {said}");
    }
}

/// What was asked is in the log, under one name.
async fn recorded(world: &World) {
    let gateway = &world.installation.urls.gateway;
    let admin = Admin::sign_in(gateway, "admin", fleet::PASSWORD).await.unwrap();
    for (action, times) in [
        ("job.run", 1),
        ("job.disable", 1),
        ("job.enable", 1),
        ("outbox.replay", 2),
        ("state.reannounce", 1),
        ("parked.resend", 1),
    ] {
        let path = format!("/api/admin/audit-logs?page_size=200&action={action}");
        let entries = eventually(action, || async {
            let found = admin.get(&path).await.unwrap();
            Some(found["items"].as_array()?.clone()).filter(|entries| entries.len() >= times)
        })
        .await;
        assert_eq!(entries.len(), times, "{entries:?}");
        assert!(entries.iter().all(|entry| entry["actor"] == "service:operator"), "{entries:?}");
    }
}
