pub(crate) mod entries;
