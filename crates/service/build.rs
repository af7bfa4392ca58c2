//! A new platform migration is a new file, which the compiler does not watch by itself.

#![expect(clippy::print_stdout, reason = "this is how a build script talks to cargo")]

fn main() {
    println!("cargo::rerun-if-changed=../../migrations/platform");
}
