//! A new platform migration is a new file, which the compiler does not watch by itself.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations/platform");
}
