use types::WorkerId;

use super::{Candidate, Matched, Matcher, Part, Place, Sought};
use crate::domain::Keys;

fn person(name: u8, id_no: Option<u8>, phone: Option<u8>, place: Place) -> Candidate {
    let index = |byte: u8| vec![byte];
    let keys = Keys { name: index(name), id_no: id_no.map(index), phone: phone.map(index) };
    Candidate { worker: WorkerId::new(), keys, place }
}

fn line(name: Option<u8>, id_no: Option<u8>, phone: Option<u8>) -> Sought {
    let index = |byte: u8| vec![byte];
    Sought { name: name.map(index), id_no: id_no.map(index), phone: phone.map(index) }
}

/// What becomes of one line.
fn taken(people: &[Candidate], sought: &Sought) -> Matched {
    Matcher::new(people).take(0, sought)
}

#[test]
fn an_identity_number_decides_alone() {
    let people =
        [person(1, Some(10), Some(20), Place::Here), person(1, Some(11), None, Place::Here)];
    let found = Matched::Found(people[0].worker);
    assert_eq!(taken(&people, &line(None, Some(10), None)), found);
    assert_eq!(taken(&people, &line(Some(1), Some(10), None)), found);
    // A phone changes more often than a person.
    assert_eq!(taken(&people, &line(Some(1), Some(10), Some(99))), found);
    assert_eq!(taken(&people, &line(Some(1), Some(12), None)), Matched::NotFound(Part::IdNo));
}

#[test]
fn a_number_under_another_name_is_nobody_s() {
    let people = [person(1, Some(10), None, Place::Here), person(2, Some(11), None, Place::Here)];
    assert_eq!(taken(&people, &line(Some(2), Some(10), None)), Matched::NameDiffers);
}

#[test]
fn name_and_phone_stand_in_only_where_the_roster_has_no_number() {
    let people =
        [person(1, None, Some(20), Place::Here), person(2, Some(11), Some(21), Place::Here)];
    let stands_in = line(Some(1), Some(99), Some(20));
    assert_eq!(taken(&people, &stands_in), Matched::Found(people[0].worker));
    assert_eq!(taken(&people, &line(Some(1), Some(99), None)), Matched::NotFound(Part::IdNo));
    let other = line(Some(2), Some(99), Some(21));
    assert_eq!(taken(&people, &other), Matched::NotFound(Part::IdNo));
}

#[test]
fn a_name_that_several_bear_is_ambiguous_until_a_phone_tells_them_apart() {
    let people =
        [person(1, Some(10), Some(20), Place::Here), person(1, Some(11), Some(21), Place::Here)];
    let Matched::Ambiguous(workers, Part::Name) = taken(&people, &line(Some(1), None, None)) else {
        panic!("not ambiguous")
    };
    assert_eq!(workers.len(), 2);
    let told = taken(&people, &line(Some(1), None, Some(21)));
    assert_eq!(told, Matched::Found(people[1].worker));
    assert_eq!(taken(&people, &line(Some(1), None, Some(22))), Matched::NotFound(Part::Phone));
    assert_eq!(taken(&people, &line(Some(3), None, Some(21))), Matched::NotFound(Part::Name));
    assert_eq!(taken(&people, &line(None, None, Some(20))), Matched::Found(people[0].worker));
}

#[test]
fn a_namesake_elsewhere_makes_nobody_ambiguous() {
    let people = [
        person(1, Some(10), None, Place::NotOnSite),
        person(1, Some(11), None, Place::Here),
        person(1, Some(12), None, Place::OtherContractor),
    ];
    assert_eq!(taken(&people, &line(Some(1), None, None)), Matched::Found(people[1].worker));
}

#[test]
fn who_works_for_another_or_elsewhere_is_said_so() {
    let people = [
        person(1, Some(10), None, Place::NotOnSite),
        person(1, Some(12), None, Place::OtherContractor),
    ];
    let both = line(Some(1), None, None);
    assert_eq!(taken(&people, &both), Matched::OtherContractor(Part::Name));
    assert_eq!(taken(&people, &line(None, Some(10), None)), Matched::NotOnSite(Part::IdNo));
}

#[test]
fn the_second_line_of_a_person_is_the_duplicate_however_it_is_said() {
    let people = [person(1, Some(10), Some(20), Place::Here)];
    let mut matcher = Matcher::new(&people);
    let worker = people[0].worker;
    assert_eq!(matcher.take(3, &line(Some(1), None, None)), Matched::Found(worker));
    assert_eq!(
        matcher.take(5, &line(None, Some(10), None)),
        Matched::Duplicate(worker, 3, Part::IdNo)
    );
    assert_eq!(
        matcher.take(7, &line(None, None, Some(20))),
        Matched::Duplicate(worker, 3, Part::Phone)
    );
}
