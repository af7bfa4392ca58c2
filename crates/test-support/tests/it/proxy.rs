use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use test_support::{NetFault, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Answers what it hears, and tells what it heard of each connection; an empty one when that ended.
#[expect(clippy::disallowed_methods, reason = "the test's runtime ends it")]
async fn echo() -> (SocketAddr, mpsc::UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                loop {
                    let read = stream.read(&mut buffer).await.unwrap_or(0);
                    sender.send(buffer[..read].to_vec()).ok();
                    if read == 0 || stream.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, heard)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap()
}

async fn ask(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(text).await?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// What is read of a connection that is never answered and in the end cut.
async fn cut(mut stream: TcpStream) {
    let mut rest = Vec::new();
    let ended = stream.read_to_end(&mut rest).await;
    assert_eq!(ended.map_err(|err| err.kind()), Err(ErrorKind::ConnectionReset));
    assert!(rest.is_empty(), "bytes came through");
}

#[tokio::test]
async fn a_healthy_way_carries_everything_and_both_ends() {
    let (address, mut heard) = echo().await;
    let proxy = Proxy::start(address, 1).await;
    let mut stream = connect(&proxy).await;
    assert_eq!(ask(&mut stream, b"one").await.unwrap(), b"one");
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(
        (heard.recv().await.unwrap(), heard.recv().await.unwrap()),
        (b"one".to_vec(), vec![])
    );
}

#[tokio::test]
async fn a_far_server_answers_after_the_way_there_and_back() {
    let (address, _heard) = echo().await;
    let proxy = Proxy::start(address, 1).await;
    proxy.set(NetFault::Latency(Duration::from_millis(40)));
    let started = Instant::now();
    ask(&mut connect(&proxy).await, b"one").await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(60), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_thin_way_carries_so_many_bytes_a_second() {
    let (address, _heard) = echo().await;
    let proxy = Proxy::start(address, 1).await;
    proxy.set(NetFault::Rate(10_000));
    let started = Instant::now();
    ask(&mut connect(&proxy).await, &[7; 500]).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(100), "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_is_under_way_when_a_slow_way_heals_arrives_at_once() {
    let (address, _heard) = echo().await;
    for slow in [NetFault::Latency(Duration::from_mins(1)), NetFault::Rate(1)] {
        let proxy = Proxy::start(address, 1).await;
        let mut stream = connect(&proxy).await;
        proxy.set(slow);
        stream.write_all(&[7; 500]).await.unwrap();
        let mut answer = [0; 500];
        let early = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut answer));
        assert!(early.await.is_err(), "{slow:?} let it through");
        proxy.set(NetFault::None);
        let late = tokio::time::timeout(Duration::from_secs(10), stream.read_exact(&mut answer));
        late.await.expect("it arrives").unwrap();
    }
}

#[tokio::test]
async fn a_reset_comes_at_the_same_byte_for_the_same_seed() {
    let (address, _heard) = echo().await;
    let mut carried = Vec::new();
    for seed in [5, 5, 6, 7, 8] {
        let proxy = Proxy::start(address, seed).await;
        proxy.set(NetFault::Reset { within: 200 });
        let mut stream = connect(&proxy).await;
        let mut bytes = 0;
        let kind = loop {
            match ask(&mut stream, b"x").await {
                Ok(_) => bytes += 1,
                Err(err) => break err.kind(),
            }
        };
        assert_eq!(kind, ErrorKind::ConnectionReset);
        assert!(bytes <= 200, "{bytes} bytes came through");
        carried.push(bytes);
    }
    assert_eq!(carried[0], carried[1]);
    assert!(carried.iter().any(|bytes| *bytes != carried[0]), "{carried:?}");
}

#[tokio::test]
async fn in_a_black_hole_the_request_arrives_and_the_answer_never_does() {
    let (address, mut heard) = echo().await;
    let proxy = Proxy::start(address, 1).await;
    let mut stream = connect(&proxy).await;
    ask(&mut stream, b"before").await.unwrap();
    proxy.set(NetFault::BlackHole);
    stream.write_all(b"during").await.unwrap();
    assert_eq!(
        (heard.recv().await.unwrap(), heard.recv().await.unwrap()),
        (b"before".to_vec(), b"during".to_vec())
    );
    // The answer is on its way into the hole: one more round tells that the first was swallowed.
    stream.write_all(b"more").await.unwrap();
    assert_eq!(heard.recv().await.unwrap(), b"more");
    test_support::eventually("an answer to be swallowed", || async {
        (proxy.torn() > 0).then_some(())
    })
    .await;
    proxy.set(NetFault::None);
    cut(stream).await;
    ask(&mut connect(&proxy).await, b"after").await.unwrap();
}

#[tokio::test]
async fn of_a_half_open_connection_one_end_is_gone_and_the_other_not_told() {
    let (address, mut heard) = echo().await;
    let proxy = Proxy::start(address, 1).await;
    let mut stream = connect(&proxy).await;
    ask(&mut stream, b"before").await.unwrap();
    assert_eq!(heard.recv().await.unwrap(), b"before");
    proxy.set(NetFault::HalfOpen);
    assert!(heard.recv().await.unwrap().is_empty(), "the server's end is gone");
    stream.write_all(b"during").await.unwrap();
    ask(&mut connect(&proxy).await, b"another").await.unwrap();
    assert_eq!(heard.recv().await.unwrap(), b"another", "what was said to nobody arrived");
    proxy.set(NetFault::None);
    cut(stream).await;
}

#[tokio::test]
async fn a_partition_lets_nothing_through_and_cuts_whom_it_hit() {
    let (address, mut heard) = echo().await;
    let proxy = Proxy::start(address, 1).await;
    let (mut hit, mut spared) = (connect(&proxy).await, connect(&proxy).await);
    ask(&mut hit, b"one").await.unwrap();
    ask(&mut spared, b"two").await.unwrap();
    assert_eq!(
        (heard.recv().await.unwrap(), heard.recv().await.unwrap()),
        (b"one".to_vec(), b"two".to_vec())
    );
    proxy.set(NetFault::Partition);
    hit.write_all(b"lost").await.unwrap();
    let late = connect(&proxy).await;
    test_support::eventually("something to be lost", || async { (proxy.torn() > 0).then_some(()) })
        .await;
    proxy.set(NetFault::None);
    cut(hit).await;
    cut(late).await;
    assert_eq!(ask(&mut spared, b"still").await.unwrap(), b"still");
    let mut after = Vec::new();
    while let Ok(text) = heard.try_recv() {
        after.extend(text);
    }
    assert_eq!(after, b"still");
}
