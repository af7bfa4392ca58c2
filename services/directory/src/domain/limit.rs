use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::TimeDelta;
use uuid::Uuid;

/// How often something may be tried within a time, counted for each subject by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    /// What is counted: one text may be the subject of several limits.
    pub what: &'static str,
    pub most: i64,
    pub within: TimeDelta,
}

impl Limit {
    /// A user name tried from one origin. Whoever guesses it closes it to themselves, not to its owner elsewhere.
    pub(crate) const NAME_FROM: Self = Self::of("sign_in.name_from", 10, Self::QUARTER);
    /// A user name tried from everywhere. Too many for one guesser to reach alone, too few for many to find a password
    /// of twelve characters.
    pub(crate) const NAME: Self = Self::of("sign_in.name", 100, Self::QUARTER);
    /// Any user names tried from one origin: more than a whole office mistypes, far less than a list of names.
    pub(crate) const FROM: Self = Self::of("sign_in.from", 50, Self::QUARTER);
    /// Codes texted to one phone: its owner needs one, and each rings.
    pub(crate) const TEXTS_TO: Self = Self::of("sms.to", 10, Self::LONGEST);
    /// Codes one WeChat user asks for, whatever the phone: a person has one or two, and each text is paid for.
    pub(crate) const TEXTS_BY: Self = Self::of("sms.by", 10, Self::LONGEST);
    /// Codes asked for from one origin: a site's network on the morning when everybody binds asks for a few hundred.
    pub(crate) const TEXTS_FROM: Self = Self::of("sms.from", 300, TimeDelta::hours(1));
    /// Bindings that one WeChat user tries in vain: a person mistypes a few times, a guesser needs hundreds.
    pub(crate) const BINDS_BY: Self = Self::of("bind.by", 10, Self::LONGEST);
    /// The same from one origin: a site's network on the morning when everybody binds, and a mobile network's address.
    pub(crate) const BINDS_FROM: Self = Self::of("bind.from", 300, TimeDelta::hours(1));
    /// The same of one phone, once it is proved: nobody closes another's.
    pub(crate) const BINDS_TO: Self = Self::of("bind.to", 10, Self::LONGEST);

    /// No limit counts what is older.
    pub(crate) const LONGEST: TimeDelta = TimeDelta::days(1);
    const QUARTER: TimeDelta = TimeDelta::minutes(15);

    const fn of(what: &'static str, most: i64, within: TimeDelta) -> Self {
        Self { what, most, within }
    }
}

/// One attempt, counted by each limit that it falls under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AttemptId(pub Uuid);

impl AttemptId {
    pub(crate) fn new() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whom a network address stands for: itself, or of IPv6 the network that one household is given. None for addresses
/// that are not of the internet: behind them is a proxy of ours, and everybody.
pub(crate) fn origin(address: &str) -> Option<String> {
    match address.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => is_public(address).then(|| address.to_string()),
        IpAddr::V6(address) => {
            let inside = address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local();
            let [one, two, three, four, ..] = address.segments();
            let network = Ipv6Addr::new(one, two, three, four, 0, 0, 0, 0);
            (!inside).then(|| format!("{network}/64"))
        }
    }
}

fn is_public(address: Ipv4Addr) -> bool {
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_for_who_was_given_it() {
        assert_eq!(origin("203.0.113.9").as_deref(), Some("203.0.113.9"));
        assert_eq!(origin("::ffff:203.0.113.9").as_deref(), Some("203.0.113.9"));
        assert_eq!(origin("2001:db8:1:2::9").as_deref(), Some("2001:db8:1:2::/64"));
        assert_eq!(origin("2001:db8:1:2:ff::1"), origin("2001:db8:1:2::9"));
        assert_ne!(origin("2001:db8:1:3::9"), origin("2001:db8:1:2::9"));
    }

    #[test]
    fn an_address_of_a_network_of_ours_stands_for_nobody() {
        for inside in
            ["127.0.0.1", "10.0.0.7", "172.18.0.2", "192.168.1.1", "::1", "fd00::1", "fe80::1", "?"]
        {
            assert_eq!(origin(inside), None, "{inside}");
        }
    }

    #[test]
    fn nothing_is_counted_for_longer_than_it_is_kept() {
        for limit in [
            Limit::NAME_FROM,
            Limit::NAME,
            Limit::FROM,
            Limit::TEXTS_TO,
            Limit::TEXTS_BY,
            Limit::TEXTS_FROM,
            Limit::BINDS_BY,
            Limit::BINDS_FROM,
            Limit::BINDS_TO,
        ] {
            assert!(limit.within <= Limit::LONGEST, "{limit:?}");
        }
    }
}
