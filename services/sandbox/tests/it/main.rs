//! The stand-ins over a real listener on port 0, as our services and the demo call them.

mod client;
mod door;
mod face;
mod faults;
mod help;
mod passages;
mod realname;
mod sms;
mod wechat;
