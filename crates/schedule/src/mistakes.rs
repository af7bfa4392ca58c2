//! Mistakes planted on purpose, so that a test can show that the tests see them. A build without debug assertions
//! has none.

/// Whether a holder that lost its lease is to go on as if it had not.
pub(crate) fn no_fencing() -> bool {
    cfg!(debug_assertions)
        && std::env::var_os("SITEPASS_FAULT_MISTAKE").is_some_and(|mistakes| {
            mistakes.to_string_lossy().split(',').any(|it| it == "no-fencing")
        })
}
