//! Imports inside a service point one way, and only `crates/events` publishes.

use std::collections::BTreeSet;

use crate::tree::{Source, report, sources};

struct Layer {
    name: &'static str,
    /// Crates it does not know.
    crates: &'static [&'static str],
    /// Modules of its own service it does not know.
    modules: &'static [&'static str],
    instead: &'static str,
}

const LAYERS: [Layer; 6] = [
    Layer {
        name: "domain",
        crates: &[
            "sqlx",
            "tonic",
            "prost",
            "tokio",
            "tracing",
            "async_nats",
            "axum",
            "reqwest",
            "service",
            "events",
            "proto",
        ],
        modules: &["app", "config", "consumers", "grpc", "http", "store", "wire", "wiring"],
        instead: "decide on plain values here and do the rest in app, store or wire; time and ids come in as arguments",
    },
    Layer {
        name: "store",
        crates: &["tonic", "axum", "async_nats", "reqwest"],
        modules: &["app", "config", "consumers", "grpc", "http", "wire", "wiring"],
        instead: "turn rows into domain values and back, and let app or the edge do the rest",
    },
    Layer {
        name: "wire",
        crates: &["sqlx", "axum", "async_nats", "reqwest"],
        modules: &["app", "config", "consumers", "grpc", "http", "store", "wiring"],
        instead: "map domain values to messages only",
    },
    Layer {
        name: "app",
        crates: &["axum", "async_nats"],
        modules: &["config", "consumers", "grpc", "http", "wiring"],
        instead: "take what the use case needs as a command, and return a result for the edge to map",
    },
    Layer {
        name: "consumers",
        crates: &["axum", "async_nats"],
        modules: &["config", "grpc", "http", "wiring"],
        instead: "write to the database in the transaction you are given; what leaves the process is a row a worker picks up",
    },
    Layer {
        name: "grpc",
        crates: &["sqlx", "axum", "async_nats"],
        modules: &["config", "consumers", "http", "wiring"],
        instead: "turn the request into a command of app and its result into an answer",
    },
];

#[test]
fn imports_point_one_way() {
    let problems: Vec<String> =
        sources("services", &["rs"]).iter().flat_map(wrong_imports).collect();
    report(&problems);
}

#[test]
fn only_crates_events_publishes_to_jetstream() {
    let publish = [".publish(", ".send_publish(", ".publish_message(", ".publish_with_headers("];
    let problems: Vec<String> = ["crates", "services"]
        .iter()
        .flat_map(|folder| sources(folder, &["rs"]))
        .filter(|source| !source.path.starts_with("crates/events/"))
        .filter(|source| {
            let code = source.code();
            code.contains("jetstream") && publish.iter().any(|call| code.contains(call))
        })
        .map(|source| {
            format!(
                "{}: publishes to JetStream: call events::enqueue in the command's transaction",
                source.path
            )
        })
        .collect();
    report(&problems);
}

fn wrong_imports(source: &Source) -> Vec<String> {
    let Some(layer) = layer_of(&source.path) else { return Vec::new() };
    let code = source.code();
    let known = own_modules(&code);
    let foreign =
        layer.crates.iter().filter(|name| names_crate(&code, name)).map(|name| (*name).to_owned());
    let own = layer
        .modules
        .iter()
        .filter(|name| known.contains(**name))
        .map(|name| format!("crate::{name}"));
    foreign
        .chain(own)
        .map(|name| {
            format!("{}: {} must not know {name}: {}", source.path, layer.name, layer.instead)
        })
        .collect()
}

/// `services/ticket/src/domain/ticket.rs` and `services/ticket/src/domain.rs` are of the layer `domain`.
fn layer_of(path: &str) -> Option<&'static Layer> {
    let mut parts = path.split('/').skip(2);
    if parts.next()? != "src" {
        return None;
    }
    let module = parts.next()?.trim_end_matches(".rs");
    LAYERS.iter().find(|layer| layer.name == module)
}

fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let free =
            before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | '.' | '-' | '"'));
        // `crate::service::` and `domain::events::` are modules of our own.
        let outermost = !code[..at].ends_with("::") || code[..at].ends_with(" ::");
        free && outermost && code[at + name.len()..].starts_with("::")
    })
}

/// The first segment of every `crate::…` and `super::…` path, groups included.
fn own_modules(code: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let rest = &code[at + start.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                found.extend(members(group));
            } else {
                found.insert(first_word(rest));
            }
        }
    }
    found
}

/// The first words at the top level of a `{…}` group.
fn members(group: &str) -> Vec<&str> {
    let mut found = vec![first_word(group.trim_start())];
    let mut depth = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => found.push(first_word(group[at + 1..].trim_start())),
            _ => {}
        }
    }
    found
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

#[test]
fn a_wrong_import_is_found_however_it_is_written() {
    let wrong = |path: &str, text: &str| {
        !wrong_imports(&Source { path: path.to_owned(), text: text.to_owned() }).is_empty()
    };
    let domain = "services/ticket/src/domain/ticket.rs";
    assert!(wrong(domain, "use sqlx::PgPool;"));
    assert!(wrong(domain, "fn f() { ::tracing::info!(\"x\"); }"));
    assert!(wrong(domain, "use crate::{domain::Ticket, store};"));
    assert!(wrong(domain, "use crate::store::tickets;"));
    assert!(!wrong(domain, "use types::SiteId;\n// sqlx::query! would be wrong here"));
    assert!(!wrong(domain, "use crate::domain::events::Fact;"));
    assert!(wrong("services/ticket/src/consumers/close.rs", "use crate::grpc::status;"));
    assert!(wrong(
        "services/ticket/src/store.rs",
        "use crate::{\n    domain::{Ticket, State},\n    grpc,\n};"
    ));
    assert!(!wrong(
        "services/ticket/src/wiring.rs",
        "use crate::{grpc, consumers, app, store, config};"
    ));
}
