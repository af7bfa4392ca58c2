//! Names and sizes of files, and what each crate says of itself.

use crate::tree::{Source, report, sources};

/// A file this long has a second subject.
const LINES: usize = 400;

#[test]
fn no_file_is_too_long_to_hold_one_subject() {
    let problems: Vec<String> = sources("", &["rs", "proto", "sql"])
        .iter()
        .filter(|source| source.text.lines().count() > LINES)
        .map(|source| {
            format!(
                "{}: {} lines: find its second subject and move it out",
                source.path,
                source.text.lines().count()
            )
        })
        .collect();
    report(&problems);
}

#[test]
fn a_module_with_children_is_named_after_itself() {
    let problems: Vec<String> = sources("", &["rs"])
        .iter()
        .filter(|source| source.path.ends_with("/mod.rs"))
        .map(|source| {
            format!("{}: name it after its folder, beside it: store.rs and store/", source.path)
        })
        .collect();
    report(&problems);
}

#[test]
fn migrations_are_numbered_and_named_in_snake_case() {
    let problems: Vec<String> = sources("migrations", &["sql"])
        .iter()
        .filter(|source| !is_migration(&source.path))
        .map(|source| format!("{}: name it NNNN_what_it_does.sql", source.path))
        .collect();
    report(&problems);
}

fn is_migration(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".sql");
    name.split_once('_').is_some_and(|(number, words)| {
        number.len() == 4
            && number.chars().all(|c| c.is_ascii_digit())
            && words.starts_with(|c: char| c.is_ascii_lowercase())
            && words.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    })
}

#[test]
fn every_shared_crate_has_its_readme_as_its_documentation() {
    let crates = sources("crates", &["rs"]);
    let fronts = crates.iter().filter(|source| source.path.ends_with("/src/lib.rs"));
    let problems: Vec<String> = fronts
        .filter(|source| !source.text.contains("#![doc = include_str!(\"../README.md\")]"))
        .map(|source| {
            format!(
                "{}: write README.md and begin with #![doc = include_str!(\"../README.md\")]",
                source.path
            )
        })
        .collect();
    report(&problems);
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    let pattern = ["#[", "allow("].concat();
    let inner = ["#![", "allow("].concat();
    let allowed =
        |source: &&Source| source.code().contains(&pattern) || source.code().contains(&inner);
    let problems: Vec<String> = sources("", &["rs"])
        .iter()
        .filter(allowed)
        .map(|source| {
            format!("{}: write #[expect(lint, reason = \"…\")] instead of allow", source.path)
        })
        .collect();
    report(&problems);
}

#[test]
fn tests_wait_for_what_happens_instead_of_sleeping() {
    let sleep = ["time::", "sleep("].concat();
    let ignore = ["#[", "ignore"].concat();
    let problems: Vec<String> = sources("", &["rs"])
        .iter()
        .filter(|source| source.path.contains("/tests/") || source.path.starts_with("e2e/"))
        .filter(|source| source.code().contains(&sleep) || source.code().contains(&ignore))
        .map(|source| {
            format!(
                "{}: wait with test_support::eventually, and fix or remove an ignored test",
                source.path
            )
        })
        .collect();
    report(&problems);
}

#[test]
fn a_migration_is_known_by_its_name() {
    assert!(is_migration("migrations/ticket/1001_ticket.sql"));
    assert!(!is_migration("migrations/ticket/1_ticket.sql"));
    assert!(!is_migration("migrations/ticket/1001-ticket.sql"));
    assert!(!is_migration("migrations/ticket/1001_Ticket.sql"));
}
