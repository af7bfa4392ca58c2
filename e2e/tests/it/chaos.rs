use e2e::chaos::{Fault, Mistake, Scale, run, see, wipe_report};

/// Every fault of the quick lane on one installation.
#[tokio::test(flavor = "multi_thread")]
async fn an_installation_is_whole_after_each_fault_of_the_quick_lane() {
    run(&Fault::QUICK, 3, Scale::Quick).await;
}

/// Where a seed decides most: who dies when, and what comes again in which order.
#[tokio::test(flavor = "multi_thread")]
async fn an_installation_is_whole_after_deaths_and_repeats_of_another_seed() {
    run(&[Fault::F1, Fault::F15], 7, Scale::Quick).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_lost_its_schema_is_whole_again() {
    wipe_report(9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_acknowledges_before_it_commits_does_not_pass_for_whole() {
    see(Mistake::AckBeforeCommit, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_takes_what_it_had_does_not_pass_for_whole() {
    see(Mistake::NoDedupe, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_no_longer_leads_and_publishes_does_not_pass_for_whole() {
    see(Mistake::NoFencing, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_waits_to_be_woken_does_not_pass_for_whole() {
    see(Mistake::WakeWithoutPoll, 5).await;
}
