use std::process::Command;

use fleet::Admin;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Backing, Installation, eventually};

use crate::trace::granted;

/// Entries by their filter, newest first, of a site or of none.
async fn entries(admin: &Admin, query: &str) -> Vec<Value> {
    let found = admin.get(&format!("/api/admin/audit-logs?page_size=200&{query}")).await.unwrap();
    found["items"].as_array().cloned().unwrap_or_default()
}

/// Waits until the log holds a command, which reaches it through the broker.
async fn entry(admin: &Admin, query: &str) -> Value {
    eventually(query, || async { entries(admin, query).await.into_iter().next() }).await
}

fn run(mut command: Command) -> (Option<i32>, String) {
    let out = command.output().unwrap();
    let text = [out.stdout, out.stderr].concat();
    (out.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_administrators_do_is_in_the_log_with_who_where_from_and_in_which_trace() {
    let backing = Backing::shared().await;
    let installation = Installation::start(&backing, &["all"], None).await;
    let (ticket, site) = granted(&installation).await;
    let admin = Admin::sign_in(&installation.urls.gateway, "admin", fleet::PASSWORD).await.unwrap();
    let site = format!("site_id={site}");

    // Each command of the seed, with all that says who it was.
    for action in ["area.create", "device.register", "video.add"] {
        let entry = entry(&admin, &format!("{site}&action={action}")).await;
        assert_eq!(entry["actor_name"], "admin", "{entry}");
        assert_eq!((&entry["role"], &entry["address"]), (&json!("SysAdmin"), &json!("127.0.0.1")));
        assert_eq!(entry["trace_id"].as_str().unwrap().len(), 32, "{entry}");
        assert!(entry["after"].is_object(), "{entry}");
    }
    let query = format!("{site}&target_id={ticket}&action=ticket.create");
    let created = entry(&admin, &query).await;
    assert_eq!(
        (&created["role"], &created["actor_name"]),
        (&json!("ContractorAdmin"), &json!("contractor"))
    );

    // One trace from the request of a browser to the entry.
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let path = format!("/api/admin/work-tickets/{ticket}/cancel");
    let cancel = admin.api().request(Method::POST, &path);
    let cancel = cancel.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    admin.api().send(&path, cancel.json(&json!({ "reason": "rain" }))).await.unwrap().ok().unwrap();
    let cancelled = entry(&admin, &format!("{site}&action=ticket.cancel")).await;
    assert_eq!((&cancelled["trace_id"], &cancelled["reason"]), (&json!(trace), &json!("rain")));

    // Looking at a site is an entry, and so is unmasking who is on it.
    let crossing = entry(&admin, &format!("{site}&action=site.cross")).await;
    assert_eq!(crossing["actor_name"], "admin");
    let unmasked = entry(&admin, &format!("{site}&action=worker.resolve")).await;
    assert_eq!(unmasked["target_type"], "worker_batch");
    assert!(unmasked["after"]["worker_ids"][0].is_string(), "{unmasked}");

    proves_itself(&installation, &admin, &site).await;
    assert_eq!(installation.stop(), [Some(0)]);
}

/// The commands of an operator: the database, a file, and neither.
async fn proves_itself(installation: &Installation, admin: &Admin, site: &str) {
    let verify = || run(installation.command(&["audit", "verify"]));
    let said = eventually("a checkpoint that saw entries", || async {
        let (code, said) = verify();
        assert_eq!(code, Some(0), "{said}");
        said.contains("seen by a checkpoint").then_some(said)
    })
    .await;
    assert!(said.contains("checkpoints: ") && said.ends_with("intact\n"), "{said}");
    let path = format!("/api/admin/audit-logs/verify?{site}");
    assert_eq!(admin.get(&path).await.unwrap()["intact"], true);

    let path = format!("/api/admin/audit-logs/export?{site}");
    let file = admin.api().request(Method::GET, &path).send().await.unwrap().text().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (good, forged) = (folder.path().join("log.ndjson"), folder.path().join("forged.ndjson"));
    std::fs::write(&good, &file).unwrap();
    std::fs::write(&forged, file.replacen("\"reason\":\"rain\"", "\"reason\":\"sun\"", 1)).unwrap();
    let (_, key) = run(installation.command(&["audit", "key"]));
    let of_file = |file: &std::path::Path| {
        let file = file.to_str().unwrap();
        run(installation.command(&["audit", "verify", "--key", key.trim(), "--file", file]))
    };
    let (code, said) = of_file(&good);
    assert!(code == Some(0) && said.contains("which is trusted"), "{said}");
    let (code, said) = of_file(&forged);
    assert!(code == Some(1) && said.contains("was altered"), "{said}");
    assert_eq!(of_file(&folder.path().join("nothing")).0, Some(66));

    let mut away = installation.command(&["audit", "verify"]);
    away.env("SITEPASS_DATABASE_URL", "postgres://127.0.0.1:1/sitepass");
    let (code, said) = run(away);
    assert_eq!(code, Some(69), "{said}");
    let exported = entry(admin, &format!("{site}&action=audit.export")).await;
    assert_eq!(exported["actor_name"], "admin");
}
