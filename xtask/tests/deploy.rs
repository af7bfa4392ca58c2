//! `docker-compose.yml` and `deploy/Dockerfile` can be read and name only what exists.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use yaml_rust2::{Yaml, YamlLoader};

const TARGETS: [&str; 10] = [
    "access-grant",
    "audit",
    "device",
    "directory",
    "gateway",
    "notification",
    "report",
    "sandbox",
    "ticket",
    "training",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn compose() -> Yaml {
    let text = fs::read_to_string(root().join("docker-compose.yml")).unwrap();
    YamlLoader::load_from_str(&text).unwrap().remove(0)
}

fn dockerfile() -> Vec<String> {
    let text = fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let folded = code.join("\n").replace("\\\n", " ");
    folded.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn strings(value: &Yaml) -> Vec<&str> {
    value.as_vec().map(|all| all.iter().filter_map(Yaml::as_str).collect()).unwrap_or_default()
}

fn keys(value: &Yaml) -> BTreeSet<&str> {
    value.as_hash().map(|hash| hash.keys().filter_map(Yaml::as_str).collect()).unwrap_or_default()
}

/// A service with what it takes over by `<<`.
fn field<'a>(service: &'a Yaml, name: &str) -> &'a Yaml {
    let own = &service[name];
    if own.is_badvalue() { &service["<<"][name] } else { own }
}

/// Words like `SITEPASS_BLOB_DIR` of a text.
fn settings(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    words.filter(|word| word.starts_with("SITEPASS_")).collect()
}

/// What the binary says it reads. It lies beside the folder of the test programs.
fn known_settings() -> BTreeSet<String> {
    let own = std::env::current_exe().unwrap();
    let binary = own.parent().and_then(Path::parent).unwrap().join("sitepass");
    assert!(
        binary.exists(),
        "build the binary first: cargo xtask test does, or cargo build -p sitepass"
    );
    let done = Command::new(binary).arg("config-keys").output().unwrap();
    assert!(done.status.success());
    String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn every_target_is_a_service_of_one_image() {
    let compose = compose();
    let services = &compose["services"];
    for target in TARGETS {
        let service = &services[target];
        assert_eq!(strings(&service["command"])[..3], ["serve", "--target", target], "{target}");
        assert_eq!(field(service, "image").as_str(), Some("sitepass:latest"), "{target}");
        assert!(
            keys(field(service, "depends_on")).contains("migrate"),
            "{target} waits for the migration"
        );
    }
    assert_eq!(strings(&services["migrate"]["command"]), ["migrate"]);
    for server in ["postgres", "nats"] {
        assert!(services[server]["image"].as_str().is_some(), "{server}");
    }
}

#[test]
fn compose_refers_only_to_services_and_volumes_it_has() {
    let compose = compose();
    let services = keys(&compose["services"]);
    let volumes = keys(&compose["volumes"]);
    for (name, service) in compose["services"].as_hash().unwrap() {
        for needed in keys(field(service, "depends_on")) {
            assert!(services.contains(needed), "{name:?} waits for {needed}, which is no service");
        }
        for mount in strings(field(service, "volumes")) {
            let source = mount.split(':').next().unwrap();
            let known = if source.starts_with('.') {
                root().join(source).exists()
            } else {
                volumes.contains(source)
            };
            assert!(known, "{name:?} mounts {source}, which is not there");
        }
    }
}

#[test]
fn compose_and_the_image_name_only_settings_that_exist() {
    let known = known_settings();
    for file in ["docker-compose.yml", "deploy/Dockerfile"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let unknown: Vec<&str> =
            settings(&text).into_iter().filter(|key| !known.contains(*key)).collect();
        assert!(unknown.is_empty(), "{file}: sitepass has no setting {}", unknown.join(", "));
    }
}

#[test]
fn every_service_of_compose_is_found_where_it_listens() {
    let compose = compose();
    for target in TARGETS {
        let name = target.replace('-', "_").to_uppercase();
        let environment = &compose["services"][target]["environment"];
        let listens = environment[&*format!("SITEPASS_{name}_GRPC_LISTEN")].as_str();
        let named = environment["<<"][&*format!("SITEPASS_{name}_GRPC_URL")].as_str();
        let port = listens.and_then(|address| address.rsplit_once(':')).map(|(_, port)| port);
        assert_eq!(
            named,
            port.map(|port| format!("http://{target}:{port}")).as_deref(),
            "{target}"
        );
    }
}

#[test]
fn every_setting_is_explained_to_operators_and_none_that_is_not() {
    let text = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let peer = |key: &str| key.ends_with("_GRPC_LISTEN") || key.ends_with("_GRPC_URL");
    let known: BTreeSet<String> = known_settings().into_iter().filter(|key| !peer(key)).collect();
    // `SITEPASS_<SERVICE>_GRPC_URL` stands for one of each service.
    let explained = settings(&text).into_iter().filter(|key| *key != "SITEPASS_");
    assert_eq!(explained.map(str::to_owned).collect::<BTreeSet<_>>(), known);
}

#[test]
fn the_dockerfile_is_made_of_instructions_on_things_that_exist() {
    let known = [
        "FROM",
        "WORKDIR",
        "COPY",
        "ENV",
        "RUN",
        "USER",
        "EXPOSE",
        "HEALTHCHECK",
        "STOPSIGNAL",
        "ENTRYPOINT",
        "CMD",
    ];
    let mut stages = BTreeSet::new();
    for line in dockerfile() {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(known.contains(&words[0]), "no instruction: {line}");
        if words[0] == "FROM" && words.len() == 4 {
            assert_eq!(words[2], "AS");
            stages.insert(words[3].to_owned());
        }
        if words[0] == "COPY" {
            match words[1].strip_prefix("--from=") {
                Some(stage) => assert!(stages.contains(stage), "{stage} is no stage above"),
                None => assert!(root().join(words[1]).exists(), "{} is not there", words[1]),
            }
        }
        if ["ENTRYPOINT", "CMD"].contains(&words[0]) {
            assert!(
                line.contains('[') && line.ends_with(']'),
                "the exec form passes signals on: {line}"
            );
        }
    }
    assert!(
        dockerfile().iter().any(|line| line.starts_with("USER ")),
        "the image does not run as root"
    );
}

#[test]
fn the_image_is_built_with_the_pinned_toolchain() {
    let toolchain = fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
    let pinned = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = "))
        .unwrap()
        .trim_matches('"');
    let minor = pinned.rsplit_once('.').unwrap().0;
    assert!(
        dockerfile().iter().any(|line| line.starts_with(&format!("FROM rust:{minor}-"))),
        "FROM rust:{minor}-…"
    );
}
