//! Neighbours as a test wants them.

use std::convert::Infallible;
use std::future::Future;

use service::Shell;
use service::grpc::CALLER;
use tonic::body::Body;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;
use tower::util::BoxCloneSyncService;

/// Offers a neighbour that answers every call by `answer`; who calls is verified and told.
pub(crate) fn provide<Q, A, F>(
    shell: &Shell,
    name: &str,
    answer: impl Fn(String, Q) -> F + Clone + Send + Sync + 'static,
) where
    Q: prost::Message + Default + Send + 'static,
    A: prost::Message + Send + 'static,
    F: Future<Output = Result<A, Status>> + Send + 'static,
{
    let keys = shell.keys.clone();
    let system = shell.system.clone();
    let server = service_fn(move |request: axum::http::Request<Body>| {
        let (answer, keys, now) = (answer.clone(), keys.clone(), system.now());
        async move {
            let unary = service_fn(move |request: Request<Q>| {
                let token = request.metadata().get(CALLER).unwrap().to_str().unwrap();
                let caller = keys.verify(token, now).unwrap().subject.to_string();
                let answer = answer(caller, request.into_inner());
                async move { answer.await.map(Response::new) }
            });
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<A, Q>::default());
            Ok::<_, Infallible>(grpc.unary(unary, request).await)
        }
    });
    shell.peers.provide(name, BoxCloneSyncService::new(server));
}
