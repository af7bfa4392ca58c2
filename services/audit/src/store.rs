pub(crate) mod alarms;
pub(crate) mod checkpoints;
pub(crate) mod crossings;
pub(crate) mod entries;
pub(crate) mod search;
