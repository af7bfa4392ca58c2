use fleet::Timeline;
use test_support::{Backing, Installation};

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_day_plays_on_an_installation_split_in_three_processes() {
    let split = [
        "gateway,report,audit,sandbox",
        "directory,ticket,training,notification",
        "access-grant,device",
    ];
    let installation = Installation::start(&Backing::shared().await, &split, None).await;
    let demo = fleet::seed(&installation.urls, &Installation::video()).await.unwrap();
    fleet::play(&installation.urls, &demo, &Timeline::new(false)).await.unwrap();
    assert_eq!(installation.stop(), [Some(0); 3], "a process did not stop in order");
}
