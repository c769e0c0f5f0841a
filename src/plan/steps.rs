//! Collects the steps of a plan while it is compiled.
//!
//! Leaves the order of the steps to its callers.

use super::Step;
use super::act::Act;
use crate::spec::pointer::Pointer;

/// The steps of a plan, in order.
#[derive(Default)]
pub(super) struct Steps(pub(super) Vec<Step>);

impl Steps {
    /// Adds a step whose origin is known at compile time.
    pub(super) fn then(&mut self, origin: &'static str, act: Act) {
        self.0.push(Step { origin: Pointer::of(origin), act });
    }

    /// Adds a step.
    pub(super) fn at(&mut self, origin: Pointer, act: Act) {
        self.0.push(Step { origin, act });
    }
}
