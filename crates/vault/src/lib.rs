#![doc = include_str!("../README.md")]

mod id_no;
mod mask;
mod phone;
mod seal;

pub use id_no::{IdNo, InvalidIdNo, LastSix};
pub use mask::{mask_id_no, mask_phone};
pub use phone::{InvalidPhone, Phone};
pub use seal::{BadRoots, Broken, Vault};
