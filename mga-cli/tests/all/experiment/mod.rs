//! The experiment file from outside: layers, faults, and going round through the resolved file.

mod documented;
#[cfg(unix)]
mod example;
mod faults;
mod fixture;
mod foreign_bytes;
mod identities;
mod idle;
mod later_settings;
mod layers;
mod markdown;
