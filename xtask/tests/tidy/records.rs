//! No command without its record: read off each service's policy, so that a new call is looked at by itself.

use crate::tree::{Source, report, sources};

/// What a call is named after that changes nothing and unmasks nothing.
const QUESTIONS: [&str; 9] =
    ["List", "Get", "Search", "Name", "Verify", "Check", "Explain", "Await", "Preview"];
/// Calls of services that nobody makes unseen: they tell personal data unmasked.
const UNMASKING: [&str; 1] = ["ResolveWorkers"];

/// Calls that are another one's use case with less to say.
const ONE_USE_CASE: [(&str, &str); 2] =
    [("AddWorkers", "AmendTicket"), ("RemoveWorker", "AmendTicket")];

/// What writes a record, alone or for each site that it concerns.
const WRITES: [&str; 2] = ["events::audit(", "records::of_sites("];

/// Calls of a policy that leave a record: every command of an account, and whatever unmasks.
fn recorded(policy: &str) -> Vec<String> {
    let policy: String =
        policy.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    // Between one name and the next stands who may call the first.
    let parts: Vec<&str> = policy.split('"').collect();
    let calls = parts.chunks(2).skip(1).zip(parts.chunks(2)).filter_map(|(next, at)| {
        let name = at.get(1)?.rsplit('/').next()?;
        Some((name, *next.first()?))
    });
    calls
        .filter(|(name, access)| {
            let of_accounts = access.contains("Permission(") || access.contains("Access::Account");
            let question = QUESTIONS.iter().any(|verb| name.starts_with(verb));
            (of_accounts && !question) || UNMASKING.contains(name)
        })
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn policy(source: &Source) -> Option<&str> {
    let (_, rest) = source.text.split_once("POLICY: Policy = ")?;
    // The closing bracket stands alone at the beginning of its line.
    let end = ["\n];", "\n};"].iter().filter_map(|end| rest.find(end)).min()?;
    Some(&rest[..end])
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// Whether the use case writes a record: its file, one in the folder named after it, or one of the service's other
/// files of use cases that these use.
fn leaves_a_record(files: &[Source], service: &str, call: &str) -> bool {
    let app = format!("services/{service}/src/app/");
    let call = ONE_USE_CASE.iter().find(|(of, _)| *of == call).map_or(call, |(_, as_)| as_);
    let mut names = vec![snake(call)];
    let mut looked_at = 0;
    while let Some(name) = names.get(looked_at).cloned() {
        looked_at += 1;
        for file in files.iter().filter(|file| file.path.starts_with(&app)) {
            let mut parts = file.path[app.len()..].split('/');
            if !parts.any(|part| part.strip_suffix(".rs").unwrap_or(part) == name) {
                continue;
            }
            let code = file.code();
            if WRITES.iter().any(|write| code.contains(write)) {
                return true;
            }
            // `use super::record_edit::…`, or a method of another use case: `self.make_ticket(`.
            let used = code.split("super::").skip(1).filter_map(|rest| {
                let (module, _) = rest.split_once("::")?;
                module.chars().all(|c| c.is_ascii_lowercase() || c == '_').then_some(module)
            });
            let called =
                code.split("self.").skip(1).filter_map(|rest| Some(rest.split_once('(')?.0));
            for other in used.chain(called) {
                if !names.iter().any(|name| name == other) {
                    names.push(other.to_owned());
                }
            }
        }
    }
    false
}

#[test]
fn every_command_of_an_account_and_every_unmasking_leaves_its_record() {
    let files = sources("services", &["rs"]);
    let mut looked_at = 0;
    let mut problems = Vec::new();
    let holds_a_policy = |source: &&Source| {
        source.path.ends_with("/src/grpc.rs") || source.path.ends_with("/src/grpc/policy.rs")
    };
    for source in files.iter().filter(holds_a_policy) {
        let service = source.path.split('/').nth(1).unwrap_or_default();
        let Some(policy) = policy(source) else { continue };
        for call in recorded(policy) {
            looked_at += 1;
            if !leaves_a_record(&files, service, &call) {
                problems.push(format!(
                    "services/{service}/src/app/{}.rs: {call} writes no record: call events::audit in its transaction",
                    snake(&call)
                ));
            }
        }
    }
    assert!(looked_at >= 15, "{looked_at} commands were found in the policies");
    report(&problems);
}

#[test]
fn commands_are_told_from_questions_however_the_policy_is_written() {
    let long = r#"&[
    ("/sitepass.x.v1.XService/ListThings", Access::Permission(Permission::XRead)),
    (
        "/sitepass.x.v1.XService/MakeThing",
        Access::Permission(Permission::XManage),
    ),
    ("/sitepass.x.v1.XService/Tell", Access::Worker),
    ("/sitepass.x.v1.XService/ResolveWorkers", Access::Service),"#;
    assert_eq!(recorded(long), ["MakeThing", "ResolveWorkers"]);
    let short = r#"policy! {
    "SignIn": Access::Public,
    // "Gone": Access::Account,
    "CreateSite": Access::Any(&[Access::Permission(Permission::SiteManage), Access::Service]),
    "GetAccount": Access::Account,"#;
    assert_eq!(recorded(short), ["CreateSite"]);
}

#[test]
fn a_use_case_without_a_record_is_found() {
    let file = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let files = [
        file("services/x/src/app/make_thing.rs", "events::audit(&mut tx, fact).await?;"),
        file("services/x/src/app/drop_thing.rs", "// events::audit(&mut tx, fact)\n"),
        file("services/x/src/app/mend_thing/steps.rs", "events::audit(&mut tx, fact).await?;"),
        file("services/x/src/app/copy_thing.rs", "self.make_thing(cmd).await"),
        file("services/x/src/app/move_thing.rs", "use super::write_down::record;"),
        file("services/x/src/app/write_down.rs", "events::audit(tx, fact).await?;"),
        file("services/x/src/app/give_thing.rs", "records::of_sites(&mut tx, sites, record)"),
        file("services/x/src/app/take_thing.rs", "records::compared(before, after)"),
        file("services/x/src/app/lose_thing.rs", "use super::nothing::record;"),
    ];
    assert!(leaves_a_record(&files, "x", "MakeThing"));
    assert!(!leaves_a_record(&files, "x", "DropThing"));
    assert!(leaves_a_record(&files, "x", "MendThing"));
    assert!(leaves_a_record(&files, "x", "CopyThing"));
    assert!(leaves_a_record(&files, "x", "MoveThing"));
    assert!(leaves_a_record(&files, "x", "GiveThing"));
    assert!(!leaves_a_record(&files, "x", "TakeThing"));
    assert!(!leaves_a_record(&files, "x", "LoseThing"));
    assert!(!leaves_a_record(&files, "y", "MakeThing"));
}
