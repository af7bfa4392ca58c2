//! When a watching is interrupted to ask who is there.

use std::ops::RangeInclusive;

/// A site's rule for checks, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pacing {
    /// Counted seconds between two checks.
    pub min_sec: u32,
    pub max_sec: u32,
    /// Time to answer one.
    pub answer_sec: u32,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { min_sec: 180, max_sec: 420, answer_sec: 60 }
    }
}

impl Pacing {
    /// A site's settings; a zero is the default, and a maximum below the minimum is the minimum.
    pub fn new(min_sec: u32, max_sec: u32, answer_sec: u32) -> Self {
        let default = Self::default();
        let or = |value: u32, default: u32| if value == 0 { default } else { value };
        let min_sec = or(min_sec, default.min_sec.min(or(max_sec, default.min_sec)));
        Self {
            min_sec,
            max_sec: or(max_sec, default.max_sec).max(min_sec),
            answer_sec: or(answer_sec, default.answer_sec),
        }
    }

    /// Draws the moments of a video, in counted seconds, ascending: `pick` draws one number of a range. There is always
    /// one, between 20 % and 80 % of a video too short for the pace, and none so late that the video is complete before.
    pub fn draw(
        self,
        duration_sec: u32,
        pick: &mut dyn FnMut(RangeInclusive<u32>) -> u32,
    ) -> Vec<u32> {
        let part = |percent: u64| {
            u32::try_from(u64::from(duration_sec) * percent / 100).unwrap_or(u32::MAX)
        };
        let mut moments = Vec::new();
        let mut last = part(80);
        let mut moment: u32 = 0;
        loop {
            moment = moment.saturating_add(pick(self.min_sec.max(1)..=self.max_sec.max(1)));
            if moment > last {
                break;
            }
            moments.push(moment);
            last = required_sec(duration_sec).saturating_sub(1);
        }
        if moments.is_empty() {
            moments.push(pick(part(20)..=part(80)));
        }
        moments
    }
}

/// The distinct seconds that make a video complete: 95 %, rounded up.
pub fn required_sec(duration_sec: u32) -> u32 {
    u32::try_from((u64::from(duration_sec) * 95).div_ceil(100)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Pacing, RangeInclusive, required_sec};

    #[test]
    fn a_long_video_has_checks_three_to_seven_minutes_apart() {
        let mut state = 7_u32;
        let mut pick = |range: RangeInclusive<u32>| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            range.start() + (state >> 8) % (range.end() - range.start() + 1)
        };
        for duration in [600, 1800, 3600] {
            for _ in 0..200 {
                let moments = Pacing::default().draw(duration, &mut pick);
                assert!(!moments.is_empty());
                assert!(
                    (180..=420).contains(&moments[0]) && moments[0] <= duration * 8 / 10,
                    "{moments:?}"
                );
                assert!(
                    moments.windows(2).all(|pair| (180..=420).contains(&(pair[1] - pair[0]))),
                    "{moments:?}"
                );
                assert!(
                    moments.iter().all(|moment| *moment < required_sec(duration)),
                    "{moments:?}"
                );
            }
        }
    }

    #[test]
    fn every_video_however_short_has_a_check_before_it_is_complete() {
        for duration in 1..=400 {
            for latest in [false, true] {
                let mut pick =
                    |range: RangeInclusive<u32>| if latest { *range.end() } else { *range.start() };
                let moments = Pacing::default().draw(duration, &mut pick);
                assert!(!moments.is_empty(), "{duration}");
                assert!(moments[0] * 10 <= duration * 8, "{duration}: {moments:?}");
                assert!(
                    moments.iter().all(|moment| *moment < required_sec(duration)),
                    "{duration}: {moments:?}"
                );
            }
        }
        let earliest = Pacing::default().draw(40, &mut |range| *range.start());
        let latest = Pacing::default().draw(40, &mut |range| *range.end());
        assert_eq!((earliest, latest), (vec![8], vec![32]));
    }

    #[test]
    fn a_missing_setting_is_the_default() {
        assert_eq!(Pacing::new(0, 0, 0), Pacing::default());
        assert_eq!(Pacing::new(300, 100, 5), Pacing { min_sec: 300, max_sec: 300, answer_sec: 5 });
        assert_eq!(Pacing::new(0, 60, 0), Pacing { min_sec: 60, max_sec: 60, answer_sec: 60 });
    }

    #[test]
    fn ninety_five_percent_is_rounded_up() {
        assert_eq!([1, 40, 41, 600].map(required_sec), [1, 38, 39, 570]);
    }
}
