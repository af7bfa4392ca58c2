use chrono::TimeDelta;

/// How long to wait, in site time, before a door is tried again after the `attempts`-th failure in a row. It never
/// gives up: a door that is back has to learn what it missed.
pub fn backoff(attempts: u32) -> TimeDelta {
    match attempts {
        0 | 1 => TimeDelta::seconds(5),
        2 => TimeDelta::seconds(30),
        3 => TimeDelta::minutes(1),
        _ => TimeDelta::minutes(5),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::backoff;

    #[test]
    fn waits_grow_to_five_minutes_and_stay_there() {
        let waits: Vec<i64> =
            [1, 2, 3, 4, 5, 1000].map(|attempts| backoff(attempts).num_seconds()).to_vec();
        assert_eq!(waits, [5, 30, 60, 300, 300, 300]);
        assert_eq!(backoff(u32::MAX), TimeDelta::minutes(5));
    }
}
