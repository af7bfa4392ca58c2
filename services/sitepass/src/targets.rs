//! Which services a process runs.

use std::collections::BTreeSet;

use service::config::Env;

use crate::Failure;

/// The services, in the order they start: owners of facts before those who ask them.
pub(crate) const SERVICES: [&str; 9] = [
    "audit",
    "directory",
    "training",
    "ticket",
    "access-grant",
    "device",
    "notification",
    "report",
    "gateway",
];

/// Stand-ins for outside firms; only with `--sandbox`.
pub(crate) const SANDBOX: &str = "sandbox";

/// The chosen targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Targets(BTreeSet<String>);

impl Targets {
    /// `all` is every service; the sandbox is added by its flag and by name.
    pub(crate) fn parse(names: &[String], sandbox: bool) -> Result<Self, Failure> {
        let mut chosen = BTreeSet::new();
        for name in names {
            match name.as_str() {
                "all" => chosen.extend(SERVICES.map(ToOwned::to_owned)),
                SANDBOX if !sandbox => {
                    return Err(anyhow::anyhow!("target sandbox runs only with --sandbox").into());
                }
                name if name == SANDBOX || SERVICES.contains(&name) => {
                    chosen.insert(name.to_owned());
                }
                other => {
                    let known = SERVICES.join(", ");
                    return Err(anyhow::anyhow!(
                        "no target {other}; there are all, {known}, {SANDBOX}"
                    )
                    .into());
                }
            }
        }
        if sandbox && names.iter().any(|name| name == "all") {
            chosen.insert(SANDBOX.to_owned());
        }
        Ok(Self(chosen))
    }

    pub(crate) fn has(&self, service: &str) -> bool {
        self.0.contains(service)
    }

    pub(crate) fn names(&self) -> &BTreeSet<String> {
        &self.0
    }
}

/// Reads a service's part of the configuration when it is chosen. Otherwise only its keys count as known,
/// so that one environment serves every split.
pub(crate) fn read<C, E>(
    env: &mut Env,
    chosen: bool,
    read: impl Fn(&mut Env) -> Result<C, E>,
) -> Result<Option<C>, E> {
    if chosen {
        return read(env).map(Some);
    }
    let mut elsewhere = Env::default();
    // What is missing elsewhere is not missing here.
    read(&mut elsewhere).ok();
    env.also_known(elsewhere.known_keys().map(ToOwned::to_owned).collect::<Vec<_>>());
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::{SANDBOX, SERVICES, Targets};

    fn parse(names: &[&str], sandbox: bool) -> Option<Targets> {
        Targets::parse(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), sandbox)
            .ok()
    }

    #[test]
    fn all_is_every_service_and_the_sandbox_only_by_its_flag() {
        let all = parse(&["all"], false).unwrap();
        assert!(SERVICES.iter().all(|service| all.has(service)) && !all.has(SANDBOX));
        assert!(parse(&["all"], true).unwrap().has(SANDBOX));
        assert!(!parse(&["gateway"], true).unwrap().has(SANDBOX));
        assert_eq!(parse(&["sandbox"], false), None);
    }

    #[test]
    fn an_unknown_target_is_refused() {
        assert_eq!(parse(&["gatway"], false), None);
    }
}
