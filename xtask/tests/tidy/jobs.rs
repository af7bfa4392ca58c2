//! What a job commits is fenced: it takes its run and opens its transactions through that.

use std::collections::BTreeSet;

use crate::tree::{Source, report, sources};

/// Makers of a job; their last argument is its work.
const MAKERS: [&str; 4] = ["Job::every(", "Job::daily(", "Job::cron(", "Job::on_event("];

fn unfenced(source: &Source) -> Vec<String> {
    let code = source.code();
    let mut problems = Vec::new();
    for maker in MAKERS {
        for (at, _) in code.match_indices(maker) {
            let work = code[at..].split_once('|').and_then(|(_, rest)| rest.split_once('|'));
            if !work.is_some_and(|(run, _)| run.trim_start().starts_with("run")) {
                problems.push(format!(
                    "{}: a job ignores its run: name it `run` and hand it to the use case, which opens its transactions with `run.begin`",
                    source.path
                ));
            }
        }
    }
    // A use case that is given a run, and the wiring that makes jobs, have one way to the database.
    let given = code.contains("run: &Run") || code.contains("run: Run");
    if given && code.contains("store.begin(") {
        problems.push(format!(
            "{}: a job opens a transaction that nothing fences: use `run.begin`, and put what is no job's into another file",
            source.path
        ));
    }
    problems
}

/// Services that keep answers under their clients' keys, and never forget them.
fn hoarding(services: &[Source]) -> Vec<String> {
    let named = |needle: &str| {
        let with = services.iter().filter(|source| source.code().contains(needle));
        with.filter_map(|source| source.path.split('/').nth(1)).collect::<BTreeSet<_>>()
    };
    let (keep, forget) = (named("idempotency::claim("), named("schedule::forget_keys("));
    let problem = |service: &&str| {
        format!("services/{service}: idempotency keys pile up: run `schedule::forget_keys`")
    };
    keep.difference(&forget).map(problem).collect()
}

#[test]
fn whoever_keeps_answers_under_a_key_forgets_them() {
    let services = sources("services", &["rs"]);
    report(&hoarding(&services));
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let keeps = source("services/a/src/app/make.rs", "idempotency::claim(&mut tx, key, now)");
    let other =
        source("services/b/src/wiring.rs", "schedule::forget_keys(\"b.forget-keys\", &system)");
    assert_eq!(hoarding(&[keeps, other]).len(), 1);
}

#[test]
fn what_a_job_commits_is_fenced() {
    let services = sources("services", &["rs"]);
    let jobs = services.iter().filter(|source| source.path.contains("/src/"));
    report(&jobs.flat_map(unfenced).collect::<Vec<_>>());
}

#[test]
fn an_unfenced_job_is_found() {
    let wrong = |text: &str| {
        let path = "services/ticket/src/wiring.rs".to_owned();
        !unfenced(&Source { path, text: text.to_owned() }).is_empty()
    };
    assert!(wrong("Job::every(\"a.b\", EVERY, move |_| { app.work() })"));
    assert!(wrong("Job::on_event(\"a.b\", async |_run: Run| Ok(Outcome::Nothing))"));
    assert!(wrong("fn work(run: &Run) { let tx = self.store.begin(scope).await?; }"));
    assert!(!wrong("Job::every(\"a.b\", EVERY, move |run: Run| { app.work(&run) })"));
    assert!(!wrong("fn work(run: &Run) { let tx = run.begin(scope).await?; }"));
    assert!(!wrong("fn command() { let tx = self.store.begin(scope).await?; }"));
}
