use e2e::chaos::{Fault, MISTAKES, Scale, World, caught, run};

/// Every fault of the quick lane on one installation.
#[tokio::test(flavor = "multi_thread")]
async fn an_installation_is_whole_after_each_fault_of_the_quick_lane() {
    run(&Fault::QUICK, 3, Scale::Quick).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_that_forget_what_they_took_or_acknowledge_too_early_do_not_pass_for_whole() {
    let mut world = World::start_for(MISTAKES[0], 5, Scale::Quick).await;
    for mistake in MISTAKES {
        let before = world.checker.check(&world.ledger).await;
        let after = caught(&mut world, mistake).await;
        let new: Vec<_> = after.iter().filter(|broken| !before.contains(broken)).collect();
        assert!(!new.is_empty(), "{mistake} was not seen\n{}", world.ledger.story());
    }
}
