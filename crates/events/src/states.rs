//! What a stream of states is called and looks like: the newest message of each aggregate, and nothing before it.

use std::fmt::Write;
use std::time::Duration;

use async_nats::jetstream::stream;

/// Stands in the stream once every live aggregate was announced: what is there without it may be a part only.
pub(crate) const COMPLETE_KIND: &str = "Announced";
pub(crate) const COMPLETE_ID: &str = "all";

/// The name of a row of the outbox that takes a state away.
pub(crate) const ERASURE: &str = "StateErased";

/// An aggregate that has ended stays in the stream for so long: as long as the facts about it stay in theirs.
pub(crate) const ENDED_STAYS: Duration = Duration::from_hours(14 * 24);

/// `SITEPASS_TICKET_STATE` for the prefix `sitepass` and the context `ticket`.
pub fn state_stream_name(prefix: &str, context: &str) -> String {
    format!("{prefix}_{context}_STATE").to_uppercase()
}

/// `sitepass.ticket.state.v1.Ticket.<id>`. What no part of a subject may contain is written as `%` and its number.
pub fn state_subject(prefix: &str, context: &str, kind: &str, id: &str) -> String {
    let mut subject = format!("{prefix}.{context}.state.v1.{kind}.");
    for byte in id.bytes() {
        match byte {
            b'-' | b'_' | b'/' | b':' => subject.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => subject.push(char::from(byte)),
            _ => write!(subject, "%{byte:02X}").expect("a string takes what is written"),
        }
    }
    subject
}

/// The stream of a context's states. It is never trimmed: an aggregate may not change for years.
pub(crate) fn state_stream(prefix: &str, context: &str, replicas: usize) -> stream::Config {
    stream::Config {
        name: state_stream_name(prefix, context),
        subjects: vec![format!("{prefix}.{context}.state.v1.>")],
        storage: stream::StorageType::File,
        num_replicas: replicas,
        max_messages_per_subject: 1,
        allow_direct: true,
        allow_atomic_publish: true,
        allow_message_ttl: true,
        ..stream::Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::state_subject;

    #[test]
    fn a_subject_takes_any_id() {
        let subject = |id| state_subject("sitepass", "device", "Device", id);
        assert_eq!(subject("day-1/worker"), "sitepass.device.state.v1.Device.day-1/worker");
        assert_eq!(
            subject("a.b c*>%é"),
            "sitepass.device.state.v1.Device.a%2Eb%20c%2A%3E%25%C3%A9"
        );
    }
}
