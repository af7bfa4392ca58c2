/// More open gaps than this are not kept: the oldest is given up.
const MOST_GAPS: usize = 100;

/// Numbers from `from` to `to`, both missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// A controller's numbering of its events, as far as it has come. The first numbers it ever reports are where the
/// numbering begins for us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sequence {
    pub(crate) highest: Option<u64>,
    /// In rising order, none touching the next.
    pub(crate) gaps: Vec<Gap>,
}

impl Sequence {
    /// Takes in new numbers, in any order. A number twice changes nothing.
    pub(crate) fn note(&mut self, numbers: impl IntoIterator<Item = u64>) {
        let mut numbers: Vec<u64> = numbers.into_iter().collect();
        numbers.sort_unstable();
        for number in numbers {
            match self.highest {
                Some(highest) if number <= highest => self.fill(number),
                Some(highest) if number > highest + 1 => {
                    self.gaps.push(Gap { from: highest + 1, to: number - 1 });
                    self.highest = Some(number);
                }
                _ => self.highest = Some(number),
            }
        }
        let surplus = self.gaps.len().saturating_sub(MOST_GAPS);
        self.gaps.drain(..surplus);
    }

    fn fill(&mut self, number: u64) {
        let Some(at) = self.gaps.iter().position(|gap| (gap.from..=gap.to).contains(&number))
        else {
            return;
        };
        let gap = self.gaps.remove(at);
        let halves = [Gap { to: number - 1, ..gap }, Gap { from: number + 1, ..gap }];
        let left = halves.into_iter().filter(|half| half.from <= half.to);
        self.gaps.splice(at..at, left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(numbers: &[&[u64]]) -> Vec<(u64, u64)> {
        let mut sequence = Sequence::default();
        for batch in numbers {
            sequence.note(batch.iter().copied());
        }
        sequence.gaps.iter().map(|gap| (gap.from, gap.to)).collect()
    }

    #[test]
    fn numbers_in_a_row_leave_no_gap_wherever_they_begin() {
        assert_eq!(after(&[&[7, 8], &[9]]), []);
        assert_eq!(after(&[&[9, 8, 7]]), []);
        assert_eq!(after(&[&[7], &[3]]), []);
    }

    #[test]
    fn a_gap_is_noticed_and_closes_from_either_end_and_from_within() {
        assert_eq!(after(&[&[1, 5], &[9]]), [(2, 4), (6, 8)]);
        assert_eq!(after(&[&[1, 5], &[2]]), [(3, 4)]);
        assert_eq!(after(&[&[1, 5], &[4]]), [(2, 3)]);
        assert_eq!(after(&[&[1, 5], &[3]]), [(2, 2), (4, 4)]);
        assert_eq!(after(&[&[1, 5], &[4, 2, 3]]), []);
        assert_eq!(after(&[&[1, 5], &[5, 1]]), [(2, 4)]);
    }

    #[test]
    fn of_too_many_gaps_the_oldest_are_given_up() {
        let mut sequence = Sequence::default();
        sequence.note((0..300).map(|number| number * 2 + 1));
        assert_eq!(sequence.gaps.len(), MOST_GAPS);
        assert_eq!(sequence.gaps.last(), Some(&Gap { from: 598, to: 598 }));
        assert_eq!(sequence.highest, Some(599));
    }
}
