mod fold;

pub use fold::{Fold, Source};
