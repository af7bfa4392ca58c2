//! Who depends on whom, and the lints everybody has.

use std::process::Command;

use serde_json::Value;

use crate::tree::{report, root, sources};

/// A member of the workspace and the members it names as dependencies.
struct Member {
    name: String,
    /// `crates`, `services`, `xtask` or `e2e`.
    group: String,
    needs: Vec<String>,
    /// Needed in earnest, not only by its tests.
    needs_in_earnest: Vec<String>,
}

fn members() -> Vec<Member> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let done = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&done.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    packages
        .iter()
        .map(|package| {
            let manifest = text(&package["manifest_path"]);
            let below = manifest
                .strip_prefix(&*root().to_string_lossy())
                .expect("a member")
                .trim_start_matches('/')
                .to_owned();
            let ours = package["dependencies"]
                .as_array()
                .expect("a list")
                .iter()
                .filter(|needed| !needed["path"].is_null());
            Member {
                name: text(&package["name"]),
                group: below.split('/').next().unwrap_or_default().to_owned(),
                needs: ours.clone().map(|needed| text(&needed["name"])).collect(),
                needs_in_earnest: ours
                    .filter(|needed| needed["kind"] != "dev")
                    .map(|needed| text(&needed["name"]))
                    .collect(),
            }
        })
        .collect()
}

#[test]
fn no_service_depends_on_another_service() {
    let members = members();
    let services: Vec<&str> = members
        .iter()
        .filter(|member| member.group == "services")
        .map(|member| &*member.name)
        .collect();
    assert!(services.contains(&"gateway"), "the services were not found: {services:?}");
    let problems: Vec<String> = members
        .iter()
        .filter(|member| matches!(&*member.group, "crates" | "services") && member.name != "sitepass")
        .flat_map(|member| {
            let wrong = member.needs.iter().filter(|needed| services.contains(&needed.as_str()));
            wrong.map(|needed| {
                format!("{}: depends on the service {needed}: speak to it through its contract in crates/proto", member.name)
            })
        })
        .collect();
    report(&problems);
}

#[test]
fn types_and_decision_know_no_other_part_of_ours_but_types() {
    let problems: Vec<String> = members()
        .iter()
        .filter(|member| matches!(&*member.name, "types" | "decision"))
        .flat_map(|member| {
            let wrong = member.needs_in_earnest.iter().filter(|needed| *needed != "types");
            wrong.map(|needed| {
                format!(
                    "{}: depends on {needed}: dependencies point services -> crates -> types",
                    member.name
                )
            })
        })
        .collect();
    report(&problems);
}

#[test]
fn what_is_only_for_tests_is_a_dependency_of_tests_only() {
    let for_tests = ["test-support", "servers"];
    let problems: Vec<String> = members()
        .iter()
        .filter(|member| !matches!(&*member.name, "test-support" | "benches" | "xtask" | "e2e"))
        .flat_map(|member| {
            let wrong = member
                .needs_in_earnest
                .iter()
                .filter(|needed| for_tests.contains(&needed.as_str()));
            wrong.map(|needed| format!("{}: move {needed} to [dev-dependencies]", member.name))
        })
        .collect();
    report(&problems);
}

#[test]
fn every_manifest_takes_the_workspace_lints() {
    let problems: Vec<String> = sources("", &["toml"])
        .iter()
        .filter(|source| source.path.ends_with("/Cargo.toml"))
        .filter(|source| !source.text.contains("[lints]\nworkspace = true"))
        .map(|source| format!("{}: add `[lints]` with `workspace = true`", source.path))
        .collect();
    report(&problems);
}
