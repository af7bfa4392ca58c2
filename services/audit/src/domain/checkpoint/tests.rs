use super::*;

fn signer() -> Signer {
    Signer::from_root(&[7; 32], "checkpoints").unwrap()
}

/// A chain of checkpoints that each see one entry more of one site.
fn chain(length: u64) -> (SiteId, Vec<Signed>) {
    let site = SiteId::new();
    let mut previous = ORIGIN;
    let checkpoints = (1..=length).map(|number| {
        let hash = [u8::try_from(number).unwrap(); 32];
        let checkpoint = Checkpoint {
            number,
            at: DateTime::UNIX_EPOCH,
            previous,
            whole: number == 1,
            heads: [(site, Head { position: number * 10, hash })].into(),
        };
        previous = checkpoint.hash();
        checkpoint.sign(&signer())
    });
    (site, checkpoints.collect())
}

fn walk(checkpoints: &[Signed]) -> Trail {
    let mut trail = Trail::new(vec![signer().public_key()], Some(1));
    for signed in checkpoints {
        trail.follow(signed);
    }
    trail
}

fn problem(checkpoints: &[Signed]) -> Option<BadCheckpoint> {
    walk(checkpoints).problem()
}

#[test]
fn checkpoints_in_order_say_what_they_saw() {
    let (site, checkpoints) = chain(3);
    let trail = walk(&checkpoints);
    assert_eq!((trail.problem(), trail.count()), (None, 3));
    assert_eq!(trail.newest().unwrap().number, 3);
    assert_eq!(trail.marks(site)[&20], Mark { hash: [2; 32], number: 2 });
    assert_eq!(trail.heads()[&site].position, 30);
    assert_eq!(trail.marks(SiteId::new()), Marks::new());
}

#[test]
fn an_altered_checkpoint_is_found_and_leaves_no_mark() {
    let (site, mut checkpoints) = chain(3);
    let heads = &mut checkpoints[1].checkpoint.heads;
    heads.get_mut(&site).unwrap().hash = [9; 32];
    let trail = walk(&checkpoints);
    assert_eq!(trail.problem(), Some(BadCheckpoint::Signature { number: 2 }));
    assert!(!trail.marks(site).contains_key(&20));
}

#[test]
fn a_missing_checkpoint_is_found_at_the_beginning_and_in_the_middle() {
    let (_, checkpoints) = chain(3);
    assert_eq!(problem(&checkpoints[1..]), Some(BadCheckpoint::Missing { number: 1 }));
    let without = [checkpoints[0].clone(), checkpoints[2].clone()];
    assert_eq!(problem(&without), Some(BadCheckpoint::Missing { number: 2 }));
}

#[test]
fn a_checkpoint_of_another_key_is_not_trusted() {
    let (_, mut checkpoints) = chain(2);
    let forger = Signer::from_root(&[8; 32], "checkpoints").unwrap();
    checkpoints[1] = checkpoints[1].checkpoint.clone().sign(&forger);
    assert_eq!(problem(&checkpoints), Some(BadCheckpoint::Key { number: 2 }));
}

#[test]
fn a_checkpoint_put_in_another_s_place_does_not_follow() {
    let (_, checkpoints) = chain(2);
    let (_, mut others) = chain(3);
    others[1] = checkpoints[1].clone();
    assert_eq!(problem(&others), Some(BadCheckpoint::Link { number: 2 }));
}

#[test]
fn a_checkpoint_that_takes_a_chain_back_or_tells_another_story_is_found() {
    let (site, mut checkpoints) = chain(2);
    for (position, hash) in [(5, [1; 32]), (10, [9; 32])] {
        let mut next = checkpoints[1].checkpoint.clone();
        next.heads.insert(site, Head { position, hash });
        checkpoints[1] = next.sign(&signer());
        assert_eq!(problem(&checkpoints), Some(BadCheckpoint::Back { number: 2 }), "{position}");
    }
}
