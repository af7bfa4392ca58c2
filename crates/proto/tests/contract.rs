//! The contract's own rules: how it is written, and that it only grows.
//!
//! `proto/contract.binpb` is the last agreed contract. After an addition, agree to it with
//! `SITEPASS_AGREE=1 cargo test -p proto --test contract`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};

fn current() -> FileDescriptorSet {
    let mut set = FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap();
    set.file.retain(|file| file.package().starts_with("sitepass."));
    for file in &mut set.file {
        // Comments and positions are no part of the contract.
        file.source_code_info = None;
    }
    set.file.sort_by(|one, other| one.name().cmp(other.name()));
    set
}

fn agreed_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../proto/contract.binpb")
}

/// What may never change, one line each: a missing line is a breaking change.
fn promises(set: &FileDescriptorSet) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for file in &set.file {
        let package = file.package();
        for message in &file.message_type {
            fields(package, message, &mut lines);
        }
        for service in &file.service {
            for method in &service.method {
                let (ask, answer) = (method.input_type(), method.output_type());
                lines.insert(format!(
                    "rpc {package}.{}/{} {ask} -> {answer}",
                    service.name(),
                    method.name()
                ));
            }
        }
    }
    lines
}

fn fields(package: &str, message: &DescriptorProto, lines: &mut BTreeSet<String>) {
    let name = format!("{package}.{}", message.name());
    lines.insert(format!("message {name}"));
    for field in &message.field {
        let (kind, label) = (field.r#type().as_str_name(), field.label().as_str_name());
        lines.insert(format!(
            "field {name} {} = {} {kind} {} {label}",
            field.name(),
            field.number(),
            field.type_name()
        ));
    }
}

fn broken(agreed: &FileDescriptorSet, current: &FileDescriptorSet) -> Vec<String> {
    promises(agreed).difference(&promises(current)).cloned().collect()
}

#[test]
fn the_contract_only_grows() {
    let current = current();
    #[expect(clippy::disallowed_methods, reason = "agreeing is asked for by hand")]
    let agree = std::env::var("SITEPASS_AGREE").is_ok();
    let Ok(bytes) = std::fs::read(agreed_path()) else {
        if agree {
            return std::fs::write(agreed_path(), current.encode_to_vec()).unwrap();
        }
        panic!("proto/contract.binpb is missing; SITEPASS_AGREE=1 writes it");
    };
    let agreed = FileDescriptorSet::decode(bytes.as_slice()).unwrap();
    let broken = broken(&agreed, &current);
    assert!(broken.is_empty(), "removed, renumbered or retyped:\n{}", broken.join("\n"));
    if agree {
        return std::fs::write(agreed_path(), current.encode_to_vec()).unwrap();
    }
    assert_eq!(
        promises(&agreed),
        promises(&current),
        "the contract grew; agree with SITEPASS_AGREE=1 cargo test -p proto --test contract"
    );
}

#[test]
fn removing_renumbering_or_retyping_is_noticed() {
    let agreed = current();
    for change in [
        (|message: &mut DescriptorProto| drop(message.field.remove(0))) as fn(&mut DescriptorProto),
        |message| message.field[0].number = Some(99),
        |message| message.field[0].set_type(Type::Int32),
        |message| message.field[0].set_label(Label::Repeated),
        |message| message.field[0].name = Some("renamed".to_owned()),
    ] {
        let mut changed = agreed.clone();
        let file =
            changed.file.iter_mut().find(|file| file.package() == "sitepass.ticket.v1").unwrap();
        let message =
            file.message_type.iter_mut().find(|message| message.name() == "Ticket").unwrap();
        change(message);
        assert_eq!(broken(&agreed, &changed).len(), 1);
    }
    let mut grown = agreed.clone();
    grown.file[0]
        .message_type
        .push(DescriptorProto { name: Some("New".to_owned()), ..DescriptorProto::default() });
    assert!(broken(&agreed, &grown).is_empty());
}

fn is_snake(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn faults(file: &FileDescriptorProto, uses: &BTreeMap<String, u32>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |what: String| faults.push(format!("{}: {what}", file.name()));
    let folder = file.name().rsplit_once('/').map(|(folder, _)| folder.replace('/', "."));
    if folder.as_deref() != Some(file.package()) {
        fault(format!("package {} is not its folder", file.package()));
    }
    if file.syntax() != "proto3" {
        fault("is not proto3".to_owned());
    }
    for message in &file.message_type {
        for field in message.field.iter().filter(|field| !is_snake(field.name())) {
            fault(format!("{}.{} is not snake_case", message.name(), field.name()));
        }
    }
    for service in &file.service {
        if !service.name().ends_with("Service") {
            fault(format!("service {} does not end in Service", service.name()));
        }
        for method in &service.method {
            for (kind, name) in
                [("Request", method.input_type()), ("Response", method.output_type())]
            {
                let wanted = format!(".{}.{}{kind}", file.package(), method.name());
                if name != wanted {
                    fault(format!("{} has {name}, not {wanted}", method.name()));
                }
                if uses.get(name) != Some(&1) {
                    fault(format!("{name} serves more than one call"));
                }
            }
        }
    }
    faults
}

#[test]
fn every_file_is_written_by_the_rules() {
    let set = current();
    let mut uses: BTreeMap<String, u32> = BTreeMap::new();
    for method in set.file.iter().flat_map(|file| &file.service).flat_map(|service| &service.method)
    {
        *uses.entry(method.input_type().to_owned()).or_default() += 1;
        *uses.entry(method.output_type().to_owned()).or_default() += 1;
    }
    let faults: Vec<String> = set.file.iter().flat_map(|file| faults(file, &uses)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_event_is_a_message_of_its_context() {
    let set = current();
    for event in proto::all_events() {
        let package = format!("sitepass.{}.v1", event.context);
        let files = set.file.iter().filter(|file| file.package() == package);
        let mut messages = files.flat_map(|file| &file.message_type);
        assert!(messages.any(|message| message.name() == event.name), "{event:?}");
    }
}
