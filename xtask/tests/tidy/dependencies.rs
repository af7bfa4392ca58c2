//! What a manifest asks for is used.

use std::collections::BTreeSet;

use crate::tree::{Source, report, sources};

/// Used by generated code, by a macro that makes paths of names, or by a file that belongs to another crate.
const UNSEEN: [(&str, &str); 8] = [
    ("crates/proto", "tonic"),
    ("crates/proto", "tonic-prost"),
    ("services/sitepass", "gateway"),
    ("benches", "axum"),
    ("benches", "hex"),
    ("benches", "hmac"),
    ("benches", "sha2"),
    ("benches", "tonic-prost"),
];

struct Needed<'a> {
    section: &'a str,
    name: &'a str,
}

#[test]
fn every_dependency_is_used_where_its_section_says() {
    let rust = sources("", &["rs", "md"]);
    let problems: Vec<String> = manifests()
        .iter()
        .flat_map(|manifest| {
            let folder = manifest.path.trim_end_matches("/Cargo.toml");
            let unused = needed(&manifest.text)
                .into_iter()
                .filter(|one| !UNSEEN.contains(&(folder, one.name)))
                .filter(|one| {
                    let mut texts = rust.iter().filter(|text| may_use(folder, one.section, text));
                    !texts.any(|text| uses(&text.text, &one.name.replace('-', "_")))
                });
            let told: Vec<String> = unused
                .map(|one| {
                    format!("{}: {} is not used by its [{}]: remove it, or move it to the section that uses it", manifest.path, one.name, one.section)
                })
                .collect();
            told
        })
        .collect();
    report(&problems);
}

#[test]
fn the_workspace_offers_no_dependency_that_nobody_takes() {
    let manifests = manifests();
    let taken: BTreeSet<&str> =
        manifests.iter().flat_map(|manifest| needed(&manifest.text)).map(|one| one.name).collect();
    let root = sources("", &["toml"]).into_iter().find(|source| source.path == "Cargo.toml");
    let root = root.expect("the workspace's manifest");
    let offered = section(&root.text, "workspace.dependencies");
    assert!(offered.contains(&"tokio"), "the list was not found");
    let problems: Vec<String> = offered
        .into_iter()
        .filter(|name| !taken.contains(name))
        .map(|name| format!("Cargo.toml: nobody takes {name}: remove it"))
        .collect();
    report(&problems);
}

fn manifests() -> Vec<Source> {
    sources("", &["toml"]).into_iter().filter(|one| one.path.ends_with("/Cargo.toml")).collect()
}

fn needed(manifest: &str) -> Vec<Needed<'_>> {
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .into_iter()
        .flat_map(|name| section(manifest, name).into_iter().map(move |dep| (name, dep)))
        .map(|(section, name)| Needed { section, name })
        .collect()
}

/// The keys of a manifest's section.
fn section<'a>(manifest: &'a str, name: &str) -> Vec<&'a str> {
    let header = format!("[{name}]");
    let lines = manifest.lines().skip_while(|line| *line != header).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let keys = lines
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['.', ' ']).next());
    keys.filter(|key| !key.is_empty()).collect()
}

/// Whether a file of the crate in `folder` is compiled with the section.
fn may_use(folder: &str, section: &str, source: &Source) -> bool {
    let Some(path) = source.path.strip_prefix(folder).and_then(|path| path.strip_prefix('/'))
    else {
        return false;
    };
    match section {
        "build-dependencies" => path == "build.rs",
        "dependencies" => path.starts_with("src/"),
        _ => path != "build.rs",
    }
}

/// `name::…`, `use name;` or `name!`, not as a part of a longer path or word.
fn uses(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].trim_end_matches("::").chars().next_back();
        let longer = text[..at].ends_with("::")
            && before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '>');
        let free = before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | '.'));
        let after = &text[at + name.len()..];
        let named = after.starts_with("::") || after.starts_with("!(");
        let taken = after.starts_with(';') && text[..at].ends_with("use ");
        free && !longer && (named || taken)
    })
}

#[test]
fn a_use_is_seen_in_any_form_and_a_like_name_is_none() {
    for text in
        ["use url::Url;", "use url;", "let u: url::Url", "::url::Url", "url!(1)", "[url::Url]"]
    {
        assert!(uses(text, "url"), "{text}");
    }
    for text in
        ["let url = 1;\n let x = url;", "my_url::X", "crate::url::X", "urls::X", "self.url;"]
    {
        assert!(!uses(text, "url"), "{text}");
    }
}
