//! Which seconds of a video were watched: one bit a second, so watching again adds nothing.

/// What is stored is no bitmap of a video that long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a bitmap of the video's seconds")]
pub struct NotOfThisVideo;

/// The distinct seconds watched of a video of `duration_sec`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    duration_sec: u32,
    bits: Vec<u8>,
}

impl Watched {
    pub fn none(duration_sec: u32) -> Self {
        Self { duration_sec, bits: vec![0; bytes(duration_sec)] }
    }

    /// Reads back [`Watched::bits`].
    pub fn parse(duration_sec: u32, bits: Vec<u8>) -> Result<Self, NotOfThisVideo> {
        let watched = Self { duration_sec, bits };
        let beyond = watched.bits.last().is_some_and(|last| {
            let used = duration_sec % 8;
            used != 0 && last >> used != 0
        });
        if watched.bits.len() != bytes(duration_sec) || beyond {
            return Err(NotOfThisVideo);
        }
        Ok(watched)
    }

    /// The lowest bit of the first byte is second 0.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    pub fn duration_sec(&self) -> u32 {
        self.duration_sec
    }

    pub fn count(&self) -> u32 {
        self.bits.iter().map(|byte| byte.count_ones()).sum()
    }

    /// Marks the seconds of `from..to` that the video has, until `limit` seconds are marked in all. Answers the first
    /// second that was not looked at: `to`, or where the limit was met.
    pub fn mark(&mut self, from: u32, to: u32, limit: u32) -> u32 {
        let to = to.min(self.duration_sec);
        let mut count = self.count();
        for second in from..to {
            if count >= limit {
                return second;
            }
            let Some(byte) =
                usize::try_from(second / 8).ok().and_then(|index| self.bits.get_mut(index))
            else {
                return second;
            };
            let bit = 1 << (second % 8);
            if *byte & bit == 0 {
                *byte |= bit;
                count += 1;
            }
        }
        to
    }
}

fn bytes(duration_sec: u32) -> usize {
    usize::try_from(duration_sec.div_ceil(8)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{NotOfThisVideo, Watched};

    #[test]
    fn watching_again_adds_nothing() {
        let mut watched = Watched::none(40);
        assert_eq!(watched.mark(0, 10, u32::MAX), 10);
        assert_eq!(watched.mark(5, 15, u32::MAX), 15);
        assert_eq!(watched.mark(0, 15, u32::MAX), 15);
        assert_eq!(watched.count(), 15);
    }

    #[test]
    fn nothing_beyond_the_end_is_marked() {
        let mut watched = Watched::none(21);
        watched.mark(15, u32::MAX, u32::MAX);
        watched.mark(30, 40, u32::MAX);
        assert_eq!(watched.count(), 6);
    }

    #[test]
    fn marking_stops_at_the_limit_and_says_where() {
        let mut watched = Watched::none(40);
        watched.mark(0, 5, u32::MAX);
        assert_eq!(watched.mark(0, 30, 12), 12);
        assert_eq!(watched.count(), 12);
        assert_eq!(watched.mark(20, 30, 12), 20);
    }

    #[test]
    fn a_bitmap_reads_back_and_a_foreign_one_does_not() {
        let mut watched = Watched::none(21);
        watched.mark(3, 21, u32::MAX);
        assert_eq!(Watched::parse(21, watched.bits().to_vec()), Ok(watched.clone()));
        assert_eq!(Watched::parse(40, watched.bits().to_vec()), Err(NotOfThisVideo));
        assert_eq!(Watched::parse(21, vec![0, 0, 0b0010_0000]), Err(NotOfThisVideo));
    }
}
