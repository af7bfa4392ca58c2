//! The service as the process starts it.

use chrono::TimeDelta;
use proto::ticket::v1::GetTicketRequest;
use proto::ticket::v1::ticket_service_client::TicketServiceClient;
use service::config::Env;
use test_support::eventually;
use ticket::Config;
use tonic::transport::Channel;

use crate::world::{World, days};

#[tokio::test]
async fn a_served_ticket_is_reached_over_the_network_and_moved_by_the_clock() {
    let world = World::new().await;
    let id = world.created(world.three_days()).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = Config {
        database: world.harness.database.config(),
        grpc_listen: Some(([127, 0, 0, 1], port).into()),
    };
    ticket::serve(config, world.harness.shell.clone()).await.unwrap();

    let address = format!("http://127.0.0.1:{port}");
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    let mut client = TicketServiceClient::new(channel);
    let message = GetTicketRequest { ticket_id: id.clone() };
    let answer = client.get_ticket(world.harness.request(&world.admin, message.clone())).await;
    assert_eq!(answer.unwrap().into_inner().ticket.unwrap().ticket_id, id);
    let unsigned = client.get_ticket(message).await.unwrap_err();
    assert_eq!(unsigned.code(), tonic::Code::Unauthenticated);

    world.harness.shell.clock.advance(TimeDelta::days(1));
    eventually("the second day is in progress", || async {
        let ticket = world.ticket(&id).await;
        (days(&ticket) == ["EXPIRED", "IN_PROGRESS", "PUBLISHED"]).then_some(())
    })
    .await;
    world.harness.stop().await;
}

#[test]
fn a_wrong_address_is_a_mistake_that_is_named() {
    let pairs = [("SITEPASS_TICKET_GRPC_LISTEN".to_owned(), "everywhere".to_owned())];
    let mut env = Env::from_pairs(pairs);
    assert!(Config::read(&mut env).is_err());
    let mistakes = env.finish().unwrap_err();
    assert!(mistakes.iter().any(|mistake| mistake.key == "SITEPASS_TICKET_GRPC_LISTEN"));
}
