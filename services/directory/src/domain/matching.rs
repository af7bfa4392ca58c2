//! Whom the lines of a list mean, of the people that could be meant.

use std::collections::{BTreeSet, HashMap};

use types::WorkerId;

use super::worker::{Index, Keys};

/// What a line says of one person; at least one of the three.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sought {
    pub name: Option<Index>,
    pub id_no: Option<Index>,
    pub phone: Option<Index>,
}

/// Where somebody who could be meant stands towards the list's site and contractor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Here,
    OtherContractor,
    NotOnSite,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub worker: WorkerId,
    pub keys: Keys,
    pub place: Place,
}

/// The part of a line that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Name,
    IdNo,
    Phone,
}

impl Part {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::IdNo => "id_no",
            Self::Phone => "phone",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Matched {
    Found(WorkerId),
    /// Several people fit.
    Ambiguous(Vec<WorkerId>, Part),
    /// An earlier line, by its place from 0, meant the same person.
    Duplicate(WorkerId, usize, Part),
    NotFound(Part),
    NotOnSite(Part),
    OtherContractor(Part),
    /// The identity number is another name's.
    NameDiffers,
}

/// Everybody who could be meant, by what they are found by.
#[derive(Debug)]
pub(crate) struct Matcher<'a> {
    by_name: HashMap<&'a Index, Vec<&'a Candidate>>,
    by_id_no: HashMap<&'a Index, &'a Candidate>,
    by_phone: HashMap<&'a Index, Vec<&'a Candidate>>,
    meant: HashMap<WorkerId, usize>,
}

impl<'a> Matcher<'a> {
    pub(crate) fn new(candidates: &'a [Candidate]) -> Self {
        let mut matcher = Self {
            by_name: HashMap::new(),
            by_id_no: HashMap::new(),
            by_phone: HashMap::new(),
            meant: HashMap::new(),
        };
        for candidate in candidates {
            matcher.by_name.entry(&candidate.keys.name).or_default().push(candidate);
            if let Some(id_no) = &candidate.keys.id_no {
                matcher.by_id_no.insert(id_no, candidate);
            }
            if let Some(phone) = &candidate.keys.phone {
                matcher.by_phone.entry(phone).or_default().push(candidate);
            }
        }
        matcher
    }

    /// Whom the line at this place means. Lines come in their order: of two that mean the same person the second is
    /// the duplicate.
    pub(crate) fn take(&mut self, line: usize, sought: &Sought) -> Matched {
        let (fit, part) = match self.fit(sought) {
            Ok(fit) => fit,
            Err(refused) => return refused,
        };
        let here: BTreeSet<WorkerId> = at(&fit, Place::Here).collect();
        let mut here = here.into_iter();
        match (here.next(), here.next()) {
            (Some(first), Some(second)) => {
                Matched::Ambiguous([first, second].into_iter().chain(here).collect(), part)
            }
            (Some(worker), None) => match self.meant.insert(worker, line) {
                Some(earlier) => {
                    self.meant.insert(worker, earlier);
                    Matched::Duplicate(worker, earlier, part)
                }
                None => Matched::Found(worker),
            },
            (None, _) if at(&fit, Place::OtherContractor).next().is_some() => {
                Matched::OtherContractor(part)
            }
            (None, _) if at(&fit, Place::NotOnSite).next().is_some() => Matched::NotOnSite(part),
            (None, _) => Matched::NotFound(part),
        }
    }

    /// Everybody who fits, and what they fit by. An identity number decides alone; name and phone stand in for it where
    /// the roster has none for the person.
    fn fit(&self, sought: &Sought) -> Result<(Vec<&'a Candidate>, Part), Matched> {
        let none = Vec::new();
        let named = sought.name.as_ref().map(|name| self.by_name.get(name).unwrap_or(&none));
        let phoned = sought.phone.as_ref().map(|phone| self.by_phone.get(phone).unwrap_or(&none));
        if let Some(id_no) = &sought.id_no {
            let Some(candidate) = self.by_id_no.get(id_no) else {
                let both = both(named, phoned).into_iter();
                let fit = both.filter(|candidate| candidate.keys.id_no.is_none()).collect();
                return Ok((fit, Part::IdNo));
            };
            if sought.name.as_ref().is_some_and(|name| *name != candidate.keys.name) {
                return Err(Matched::NameDiffers);
            }
            return Ok((vec![*candidate], Part::IdNo));
        }
        match (named, phoned) {
            (Some(named), None) => Ok((named.clone(), Part::Name)),
            (None, Some(phoned)) => Ok((phoned.clone(), Part::Phone)),
            (named, phoned) => {
                let part = if named.is_none_or(Vec::is_empty) { Part::Name } else { Part::Phone };
                Ok((both(named, phoned), part))
            }
        }
    }
}

fn at(fit: &[&Candidate], place: Place) -> impl Iterator<Item = WorkerId> {
    fit.iter().filter(move |candidate| candidate.place == place).map(|candidate| candidate.worker)
}

fn both<'a>(
    named: Option<&Vec<&'a Candidate>>,
    phoned: Option<&Vec<&'a Candidate>>,
) -> Vec<&'a Candidate> {
    let (Some(named), Some(phoned)) = (named, phoned) else { return Vec::new() };
    let phoned: BTreeSet<WorkerId> = phoned.iter().map(|candidate| candidate.worker).collect();
    named.iter().copied().filter(|candidate| phoned.contains(&candidate.worker)).collect()
}

#[cfg(test)]
mod tests;
