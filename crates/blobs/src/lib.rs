#![doc = include_str!("../README.md")]

mod byte_range;
mod error;
mod store;
mod url_signer;

pub use byte_range::{Unsatisfiable, byte_range};
pub use error::Error;
pub use store::{Blobs, Content, Listing};
pub use url_signer::{SecretTooShort, UrlError, UrlSigner};
