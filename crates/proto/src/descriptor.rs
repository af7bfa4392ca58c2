use prost::Message;
use prost_types::FileDescriptorSet;

/// The compiled contract, as protobuf's own `FileDescriptorSet`: for reflection and for the checks of it.
pub static DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));

/// Every method path of a context's services, `/sitepass.ticket.v1.TicketService/CreateTicket`, in the order
/// of the file. A service's policy must have an entry for each.
///
/// # Panics
/// Never: the descriptors were written by this crate's build.
pub fn methods(context: &str) -> Vec<String> {
    let package = format!("sitepass.{context}.v1");
    let set = FileDescriptorSet::decode(DESCRIPTORS).expect("descriptors written at build time");
    set.file
        .iter()
        .filter(|file| file.package() == package)
        .flat_map(|file| &file.service)
        .flat_map(|service| {
            service
                .method
                .iter()
                .map(|method| format!("/{package}.{}/{}", service.name(), method.name()))
        })
        .collect()
}
