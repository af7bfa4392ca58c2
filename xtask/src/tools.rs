//! The three tools that cargo does not bring: found at a fit version, else built at the pinned one.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::cargo::{cargo, path, tools_dir};
use crate::child::run_program;
use crate::stop::Stop;

#[derive(Debug)]
pub(crate) struct Tool {
    crate_name: &'static str,
    /// What is installed when none fits.
    pinned: &'static str,
    features: &'static [&'static str],
    /// Prints a name and the version.
    probe: [&'static str; 3],
    oldest: [u32; 3],
    newer_fits: bool,
}

pub(crate) const NEXTEST: Tool = Tool {
    crate_name: "cargo-nextest",
    pinned: "0.9.151",
    features: &["--no-default-features", "--features", "default-no-update"],
    probe: ["cargo-nextest", "nextest", "--version"],
    oldest: [0, 9, 100],
    newer_fits: true,
};

/// The command line tool and the library it prepares queries for go together.
pub(crate) const SQLX: Tool = Tool {
    crate_name: "sqlx-cli",
    pinned: "0.9.0",
    features: &["--no-default-features", "--features", "rustls,postgres"],
    probe: ["cargo-sqlx", "sqlx", "--version"],
    oldest: [0, 9, 0],
    newer_fits: false,
};

pub(crate) const DENY: Tool = Tool {
    crate_name: "cargo-deny",
    pinned: "0.20.2",
    features: &[],
    probe: ["cargo-deny", "--version", ""],
    oldest: [0, 18, 0],
    newer_fits: true,
};

/// Makes sure the tool is on the `PATH` that [`cargo`] gives its commands.
pub(crate) fn ensure(stop: &Stop, tool: &Tool) -> Result<()> {
    if let Some(version) = installed(tool)
        && fits(tool, version)
    {
        return Ok(());
    }
    say!("    installing {} {} into .sitepass/tools", tool.crate_name, tool.pinned);
    let mut install =
        cargo(["install", "--locked", "--force", tool.crate_name, "--version", tool.pinned]);
    install.args(tool.features).arg("--root").arg(tools_dir());
    // Built once and used for seconds: optimising them would triple the minutes.
    install
        .env("CARGO_TARGET_DIR", tools_dir().join("target"))
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    run_program(stop, &mut install).with_context(|| format!("install {}", tool.crate_name))
}

fn installed(tool: &Tool) -> Option<[u32; 3]> {
    let [program, args @ ..] = tool.probe;
    let mut command = Command::new(program);
    command
        .args(args.iter().filter(|arg| !arg.is_empty()))
        .env("PATH", path())
        .stderr(Stdio::null());
    version(&String::from_utf8_lossy(&command.output().ok()?.stdout))
}

fn fits(tool: &Tool, version: [u32; 3]) -> bool {
    if tool.newer_fits { version >= tool.oldest } else { version == tool.oldest }
}

/// The second word of "cargo-nextest 0.9.151 (6b3f99457 2026-11-02)".
fn version(text: &str) -> Option<[u32; 3]> {
    let mut numbers = text.split_whitespace().nth(1)?.split(['.', '-']).map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_fits_when_it_is_not_too_old() {
        assert_eq!(version("cargo-nextest 0.9.151 (6b3f99457 2026-11-02)"), Some([0, 9, 151]));
        assert_eq!(version(""), None);
        assert!(fits(&NEXTEST, [0, 9, 151]));
        assert!(!fits(&NEXTEST, [0, 9, 99]));
        assert!(!fits(&DENY, [0, 14, 2]));
    }

    #[test]
    fn a_newer_sqlx_cli_does_not_fit_an_older_library() {
        assert!(fits(&SQLX, [0, 9, 0]));
        assert!(!fits(&SQLX, [0, 10, 0]));
    }
}
