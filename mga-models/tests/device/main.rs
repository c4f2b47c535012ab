//! What a GPU has to show, beside the operators' own gradient checks: on the device that `MGA_TEST_DEVICE` names, and where
//! it names none on the CPU by the operators that run on a GPU. `scripts/gpu/check.sh` runs it on a machine that has one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking, in its helpers too")]

#[path = "../all/fixtures/cases.rs"]
mod cases;
#[path = "../all/fixtures/classifiers.rs"]
mod classifiers;
#[path = "../all/compare.rs"]
mod compare;
mod convolutions;
mod fixtures;
#[path = "../../../mga-core/tests/network/mod.rs"]
mod network;
#[path = "../all/fixtures/run.rs"]
mod run;
mod steps;

use candle_core::Device;
use mga_core::gradient_check::{Place, test_device};

/// The device under test, and how a run computes there.
fn place() -> Place {
    Place::on(test_device().unwrap_or(Device::Cpu))
}
