use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use service::Tasks;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// One exported span.
#[derive(Debug, Clone)]
pub struct Told {
    pub name: String,
    pub trace_id: Vec<u8>,
    pub span_id: Vec<u8>,
    pub parent_id: Vec<u8>,
    pub attributes: BTreeMap<String, String>,
}

/// An OTLP receiver that keeps what it is told.
#[derive(Debug, Clone, Default)]
pub struct Spans {
    told: Arc<Mutex<Vec<Told>>>,
    raw: Arc<Mutex<Vec<u8>>>,
}

impl Spans {
    /// Starts receiving; where, and what was received.
    pub async fn receive(tasks: &Tasks) -> (String, Self) {
        let spans = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound port"));
        let server = TraceServiceServer::new(spans.clone());
        let stop = tasks.cancelled();
        tasks.spawn("otlp", async move {
            tonic::transport::Server::builder()
                .add_service(server)
                .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop)
                .await
                .expect("the receiver serves");
        });
        (url, spans)
    }

    /// The spans of one trace, by its hexadecimal id.
    pub fn of(&self, trace_id: &str) -> Vec<Told> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter().filter(|span| hex(&span.trace_id) == trace_id).cloned().collect()
    }

    /// Every byte that was received: all attributes, events and resources.
    pub fn raw(&self) -> Vec<u8> {
        self.raw.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[tonic::async_trait]
impl TraceService for Spans {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        let mut raw = self.raw.lock().unwrap_or_else(PoisonError::into_inner);
        raw.extend(request.encode_to_vec());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let resources = request.resource_spans;
        for span in resources
            .into_iter()
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
        {
            let attributes = span.attributes.into_iter().filter_map(|attribute| {
                let Some(Value::StringValue(text)) = attribute.value?.value else { return None };
                Some((attribute.key, text))
            });
            told.push(Told {
                name: span.name,
                trace_id: span.trace_id,
                span_id: span.span_id,
                parent_id: span.parent_span_id,
                attributes: attributes.collect(),
            });
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
