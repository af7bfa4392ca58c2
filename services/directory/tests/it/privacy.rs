#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::io;
use std::sync::{Arc, Mutex};

use proto::directory::v1 as pb;
use service::idempotency::METADATA;
use sqlx::{AssertSqlSafe, PgPool};
use tracing_subscriber::fmt::MakeWriter;

use crate::outside::{id_no, name, phone, photo_url};
use crate::send_sms_code;
use crate::world::{PASSWORD, World, told};

/// Keeps what is logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Every column of the schema in which `text` stands in clear; a partition's rows are its table's.
async fn columns_with(admin: &PgPool, text: &str) -> Vec<String> {
    let columns: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
         WHERE table_schema = 'directory'
           AND NOT (SELECT relispartition FROM pg_class WHERE oid = format('directory.%I', table_name)::regclass)",
    )
    .fetch_all(admin)
    .await
    .unwrap();
    assert!(columns.len() > 60, "the schema is there");
    let mut found = Vec::new();
    for (table, column, data_type) in columns {
        let bytes = if data_type == "bytea" {
            format!("{column:?}")
        } else {
            format!("convert_to({column:?}::text, 'UTF8')")
        };
        let query = format!(
            "SELECT count(*) FROM directory.{table:?} WHERE position($1::bytea IN {bytes}) > 0"
        );
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(query))
            .bind(text.as_bytes())
            .fetch_one(admin)
            .await
            .unwrap();
        if rows > 0 {
            found.push(format!("{table}.{column}"));
        }
    }
    found
}

#[tokio::test]
async fn nothing_personal_stands_in_clear_in_any_table_event_or_log_line() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .without_time()
        .with_writer(log.clone())
        .with_env_filter(
            "directory=trace,service=trace,events=trace,wechat=trace,auth=trace,sqlx=debug,info",
        )
        .init();
    let world = World::new().await;
    let (site, workers) = world.staffed(1..=2).await;
    let contractor = world.contractor("示例二建", &[site]).await;
    send_sms_code::send(&world, &phone(1)).await.unwrap();
    let code = world.outside.last_code();
    assert!(send_sms_code::bind(&world, 2, &code).await.is_err());
    send_sms_code::bind(&world, 1, &code).await.unwrap();
    world.bind("b", 1).await.unwrap();
    let message =
        pb::ResolveWorkersRequest { worker_ids: workers.clone(), purpose: "DOOR_SYNC".to_owned() };
    let request = world.harness.shell.as_service("access-grant", message);
    told(world.client.clone().resolve_workers(request).await).unwrap();
    let line = pb::WorkerLine { name: name(1), id_no: id_no(1), phone: phone(1) };
    let message = pb::MatchWorkersRequest {
        site_id: site.to_string(),
        lines: vec![line.clone(), line],
        ..Default::default()
    };
    told(world.client.clone().match_workers(world.by(&world.sysadmin, message)).await).unwrap();
    let message = pb::CreateAccountRequest {
        username: "foreman".to_owned(),
        password: PASSWORD.to_owned(),
        role: "ContractorAdmin".to_owned(),
        site_ids: vec![site.to_string()],
        contractor_id: contractor.to_string(),
    };
    let mut request = world.by(&world.sysadmin, message);
    request.metadata_mut().insert(METADATA, "key-1".parse().unwrap());
    told(world.client.clone().create_account(request).await).unwrap();
    // A password typed where the user name belongs.
    let message =
        pb::SignInRequest { username: PASSWORD.to_owned(), password: "foreman".to_owned() };
    assert!(world.client.clone().sign_in(world.public(message)).await.is_err());
    let message =
        pb::SignInRequest { username: "foreman".to_owned(), password: PASSWORD.to_owned() };
    let signed_in = told(world.client.clone().sign_in(world.public(message)).await).unwrap();

    let personal = [
        name(1),
        phone(1),
        id_no(1),
        id_no(1)[6..].to_owned(),
        photo_url(1),
        "openid-of-a".to_owned(),
        "unionid-of-a".to_owned(),
        PASSWORD.to_owned(),
        signed_in.refresh_token,
    ];
    for text in &personal {
        assert_eq!(columns_with(&world.admin, text).await, Vec::<String>::new(), "{text}");
    }
    let mut in_clear = columns_with(&world.admin, "foreman").await;
    in_clear.sort();
    assert_eq!(
        in_clear,
        ["accounts.username", "idempotency_keys.answer"],
        "the scan finds what is in clear, and no event holds a user name"
    );
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("worker.bind"), "the log was kept");
    for text in &personal {
        assert!(!log.contains(text.as_str()), "{text} is in the log");
    }
    // Six digits stand in longer numbers and ids by chance.
    let mut words = log.split(|of: char| !of.is_ascii_alphanumeric());
    assert!(words.all(|word| word != code), "{code} is in the log");
    world.stop().await;
}
