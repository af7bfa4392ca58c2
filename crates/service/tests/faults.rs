//! What chaos tests plant is in no released binary.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::Command;

/// Whether the module's code holds the names of its settings when it is built so.
fn is_planted(debug_assertions: &str) -> bool {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/faults.rs");
    let object =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{debug_assertions}.o"));
    let built = Command::new("rustc")
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "obj", "--cap-lints", "allow"])
        .args(["-C", &format!("debug-assertions={debug_assertions}"), "-o"])
        .arg(&object)
        .arg(source)
        .status()
        .unwrap();
    assert!(built.success());
    let code = std::fs::read(&object).unwrap();
    code.windows(15).any(|bytes| bytes == b"SITEPASS_FAULT_")
}

#[test]
fn a_build_without_debug_assertions_has_no_marked_points_and_no_planted_mistakes() {
    assert!(is_planted("on"), "the test looks for the wrong thing");
    assert!(!is_planted("off"));
}
