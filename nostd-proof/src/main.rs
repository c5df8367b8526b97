//! Proof that MemVault's core needs neither the standard library nor libc.
//!
//! This program is linked without both, uses each part of the core and exits with status 0. A dependency
//! that pulled in std would end the build with a duplicate `panic_impl`; one that needed libc, with an
//! undefined symbol.
//!
//! It is a proof and not part of the product: to start without libc it needs `unsafe` and a few lines of
//! assembly ([`runtime`]), which every crate of the product forbids.
//!
//! Run: `cargo run --manifest-path nostd-proof/Cargo.toml`.
#![cfg_attr(all(target_arch = "x86_64", target_os = "linux"), no_std, no_main)]

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
extern crate alloc;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod runtime;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod uses;

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn main() {
    eprintln!(
        "nostd-proof: SKIPPED, NOTHING WAS PROVED: it starts without libc, and knows how only on x86-64 Linux"
    );
}
