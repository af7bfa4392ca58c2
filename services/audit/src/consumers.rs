mod record;

pub use record::Record;

/// Everyone who publishes.
pub(crate) const CONTEXTS: [&str; 6] =
    ["directory", "ticket", "training", "notification", "access_grant", "device"];
