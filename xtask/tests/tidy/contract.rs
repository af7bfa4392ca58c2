//! What is published is written down.

use std::fs;

use crate::tree::{Source, report, root, sources};

#[test]
fn every_event_is_named_in_the_list_of_events() {
    let list = fs::read_to_string(root().join("docs/events.md")).unwrap_or_default();
    let problems: Vec<String> = proto::all_events()
        .iter()
        .filter(|event| !list.contains(&format!("`{}`", event.name)))
        .map(|event| {
            format!(
                "docs/events.md: say what `{}` of {} means and who takes it",
                event.name, event.context
            )
        })
        .collect();
    report(&problems);
}

#[test]
fn every_fact_of_the_contract_is_an_event_under_its_own_subject() {
    let problems: Vec<String> = sources("proto", &["proto"]).iter().flat_map(wrong_facts).collect();
    report(&problems);
}

/// A message whose comment gives a subject is a fact.
fn wrong_facts(source: &Source) -> Vec<String> {
    let package =
        source.text.lines().find_map(|line| line.strip_prefix("package ")).unwrap_or_default();
    let package = package.trim_end_matches(';');
    let lines: Vec<&str> = source.text.lines().collect();
    let mut problems = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) =
            line.strip_prefix("message ").and_then(|rest| rest.split_whitespace().next())
        else {
            continue;
        };
        if name == "CommandAudited" {
            continue; // each context publishes it on its own stream
        }
        let mut above = lines[..at].iter().rev().take_while(|line| line.starts_with("//"));
        let Some(subject) = above.find_map(|line| line.strip_prefix("// Subject: ")) else {
            continue;
        };
        if !subject.starts_with(&format!("{package}.{name}.")) {
            problems.push(format!(
                "{}: the subject of {name} is {package}.{name}.<site_id>",
                source.path
            ));
        }
        if proto::all_events().iter().all(|event| event.name != name) {
            problems.push(format!(
                "{}: {name} is no event yet: add it to crates/proto/src/event.rs",
                source.path
            ));
        }
    }
    problems
}
