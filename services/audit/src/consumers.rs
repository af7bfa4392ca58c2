mod fact;
mod record;

pub use record::Record;

/// Everyone who publishes; audit and report tell nothing but what needs a person and what an operator did.
pub(crate) const CONTEXTS: [&str; 8] = [
    "directory",
    "ticket",
    "training",
    "notification",
    "access_grant",
    "device",
    "report",
    "audit",
];
