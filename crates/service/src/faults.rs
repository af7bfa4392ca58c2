//! What chaos tests do to a running process from within: end or pause it at a marked point, or let it make a mistake
//! that the checker must see. A build without debug assertions has none of it: a point is nothing, a mistake never made.

/// Where the point and what happens there are named: `relay.before-mark:7` ends the process as `kill -9` would when it
/// comes there for the seventh time, `relay.before-mark:7:pause` stops it as `kill -STOP` would.
#[cfg(debug_assertions)]
const POINT_KEY: &str = "SITEPASS_FAULT_POINT";
/// Where mistakes are named, separated by commas.
#[cfg(debug_assertions)]
const MISTAKE_KEY: &str = "SITEPASS_FAULT_MISTAKE";

/// A marked point, passed again and again. Each pass may be the process's last.
#[cfg(not(debug_assertions))]
#[inline]
pub const fn point(_name: &str) {}

/// Whether the process is to make this mistake.
#[cfg(not(debug_assertions))]
#[inline]
pub const fn mistake(_name: &str) -> bool {
    false
}

/// Whether a variable of the environment is one of these.
#[cfg(not(debug_assertions))]
#[inline]
pub(crate) const fn is_setting(_key: &str) -> bool {
    false
}

#[cfg(debug_assertions)]
pub(crate) use planted::is_setting;
#[cfg(debug_assertions)]
pub use planted::{mistake, point};

#[cfg(debug_assertions)]
mod planted {
    use std::process::{Command, abort, id};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{MISTAKE_KEY, POINT_KEY};

    /// A marked point, passed again and again. Each pass may be the process's last.
    pub fn point(name: &str) {
        static PLANNED: OnceLock<Option<Planned>> = OnceLock::new();
        static PASSES: AtomicU64 = AtomicU64::new(0);
        let planned = PLANNED.get_or_init(|| read(POINT_KEY).as_deref().and_then(Planned::parse));
        let Some(planned) = planned.as_ref().filter(|planned| planned.name == name) else { return };
        if PASSES.fetch_add(1, Ordering::Relaxed) + 1 == planned.pass {
            planned.strike();
        }
    }

    /// Whether the process is to make this mistake.
    pub fn mistake(name: &str) -> bool {
        static MISTAKES: OnceLock<String> = OnceLock::new();
        let mistakes = MISTAKES.get_or_init(|| read(MISTAKE_KEY).unwrap_or_default());
        mistakes.split(',').any(|mistake| mistake == name)
    }

    /// Whether a variable of the environment is one of these.
    pub(crate) fn is_setting(key: &str) -> bool {
        key == POINT_KEY || key == MISTAKE_KEY
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "no setting of any service: points are deep inside them"
    )]
    fn read(key: &str) -> Option<String> {
        std::env::var(key).ok()
    }

    #[derive(Debug, PartialEq, Eq)]
    pub(super) struct Planned {
        name: String,
        pass: u64,
        pause: bool,
    }

    impl Planned {
        pub(super) fn parse(text: &str) -> Option<Self> {
            let mut parts = text.split(':');
            let (name, pass) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?);
            let pause = match (parts.next(), parts.next()) {
                (None, None) => false,
                (Some("pause"), None) => true,
                _ => return None,
            };
            Some(Self { name, pass, pause })
        }

        /// Nothing is flushed, answered or rolled back.
        fn strike(&self) {
            if self.pause {
                let stopped = Command::new("kill").args(["-STOP", &id().to_string()]).status();
                if stopped.is_ok_and(|status| status.success()) {
                    return;
                }
            }
            abort();
        }
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::planted::Planned;

    #[test]
    fn a_point_is_named_with_its_pass() {
        assert!(Planned::parse("relay.before-mark:7").is_some());
        assert_ne!(Planned::parse("commit.after:1"), Planned::parse("commit.after:1:pause"));
        for wrong in ["", "commit.after", "commit.after:often", "commit.after:1:sleep"] {
            assert_eq!(Planned::parse(wrong), None, "{wrong}");
        }
    }
}
