#![doc = include_str!("../README.md")]

mod access_tokens;
mod caller;
mod caller_keys;
pub mod device_signature;
mod keys;
pub mod password;
mod signatures;
mod sites;
mod subject;
pub mod webhook;

pub use access_tokens::{AccessTokens, Audience, Claims};
pub use caller::{Caller, Denied};
pub use caller_keys::CallerKeys;
pub use keys::{RootTooShort, TokenError};
pub use signatures::{InvalidPublicKey, PublicKey, Signer};
pub use sites::Sites;
pub use subject::{InvalidSubject, Subject};
