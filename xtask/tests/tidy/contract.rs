//! What is published is written down, and who takes it in.

use std::collections::BTreeSet;
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
fn the_list_of_events_names_exactly_who_takes_each_in() {
    let list = fs::read_to_string(root().join("docs/events.md")).unwrap_or_default();
    let handlers: Vec<Source> = sources("services", &["rs"])
        .into_iter()
        .filter(|source| source.path.contains("/src/consumers"))
        .collect();
    let problems: Vec<String> = proto::all_events()
        .iter()
        .filter_map(|event| {
            let take = handlers.iter().filter(|source| takes(source, event.name));
            let take: BTreeSet<&str> =
                take.filter_map(|source| source.path.split('/').nth(1)).collect();
            let row = list.lines().find(|line| line.contains(&format!("| `{}` |", event.name)))?;
            let listed = row.trim_matches(['|', ' ']).rsplit('|').next()?;
            let listed: BTreeSet<&str> =
                listed.split(',').map(str::trim).filter(|name| *name != "–").collect();
            (listed != take).then(|| {
                format!("docs/events.md: `{}` is taken in by {take:?}, not {listed:?}", event.name)
            })
        })
        .collect();
    report(&problems);
}

/// Whether a handler in the file asks for the event: its name stands in an `events()`.
fn takes(source: &Source, event: &str) -> bool {
    let code = source.code();
    let asked = code.split("fn events(&self)").skip(1);
    let bodies = asked.filter_map(|rest| rest.split_once("\n    }").map(|(body, _)| body));
    let (text, name) = (format!("\"{event}\""), format!(" {event}::NAME"));
    bodies
        .into_iter()
        .any(|body| body.contains(&text) || body.replace(['[', '\n'], " ").contains(&name))
}

#[test]
fn an_event_is_seen_to_be_asked_for_however_it_is_named() {
    let source = |body: &str| Source {
        path: String::new(),
        text: format!(
            "    fn events(&self) -> X {{\n        {body}\n    }}\n\n    fn f() {{ B::NAME }}\n    }}"
        ),
    };
    assert!(takes(&source("&[\"A\", \"B\"]"), "B"));
    assert!(takes(&source("&[A::NAME, B::NAME]"), "B"));
    assert!(takes(&source("&[\n            B::NAME,\n        ]"), "B"));
    assert!(!takes(&source("&[A::NAME]"), "B"));
    assert!(!takes(&source("&[AB::NAME, \"AB\"]"), "B"));
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
        if ["CommandAudited", "AlertRaised", "AlertCleared"].contains(&name) {
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
