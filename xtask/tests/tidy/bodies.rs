//! The API's document knows a body by its type's name alone: of two with one name only the last is described.

use std::collections::BTreeMap;

use crate::tree::{Source, report, sources};

/// Names of the types that are described, each with the file it stands in.
fn bodies(source: &Source) -> Vec<String> {
    let code = source.code();
    let derived = code.split("derive(").skip(1).filter_map(|rest| {
        let (traits, rest) = rest.split_once(")]")?;
        traits.contains("ToSchema").then_some(rest)
    });
    let names = derived.filter_map(|rest| {
        let (_, named) = rest
            .split_once("struct ")
            .into_iter()
            .chain(rest.split_once("enum "))
            .min_by_key(|(before, _)| before.len())?;
        named.split(|letter: char| !letter.is_alphanumeric()).next().map(str::to_owned)
    });
    names.collect()
}

fn told_twice(sources: &[Source]) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for source in sources {
        for name in bodies(source) {
            places.entry(name).or_default().push(&source.path);
        }
    }
    let twice = places.into_iter().filter(|(_, paths)| paths.len() > 1);
    twice
        .map(|(name, paths)| {
            format!(
                "{}: {name} is described twice; give each body a name of its own",
                paths.join(", ")
            )
        })
        .collect()
}

#[test]
fn each_body_of_the_api_has_a_name_of_its_own() {
    report(&told_twice(&sources("services/gateway/src", &["rs"])));
}

#[test]
fn two_bodies_of_one_name_are_found() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let body =
        "#[derive(Serialize, ToSchema)]\n#[serde(tag = \"of\")]\npub(crate) struct Row<T> {}";
    let plain = "#[derive(Debug)]\nstruct Row {}\n#[derive(ToSchema)]\nenum Other { Struct }";
    assert_eq!(told_twice(&[source("a.rs", body), source("b.rs", plain)]), Vec::<String>::new());
    assert_eq!(told_twice(&[source("a.rs", body), source("b.rs", body)]).len(), 1);
}
