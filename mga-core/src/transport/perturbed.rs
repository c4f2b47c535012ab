//! Flows of a problem whose supplies are perturbed by a symbol that is smaller than any number: an amount, and whole
//! multiples of the symbol. Then no basis is degenerate, and a network simplex ends (Charnes 1952; Orden 1956).

/// What flows along an arc: an amount, and multiples of the symbol.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
pub(super) struct Flow {
    pub(super) amount: f64,
    pub(super) symbols: i32,
}

impl Flow {
    pub(super) fn new(amount: f64, symbols: i32) -> Self {
        Self { amount, symbols }
    }

    pub(super) fn more(self, other: Self) -> Self {
        Self::new(self.amount + other.amount, self.symbols + other.symbols)
    }

    pub(super) fn less(self, other: Self) -> Self {
        Self::new(self.amount - other.amount, self.symbols - other.symbols)
    }

    /// Returns the amount alone; rounding may have taken it below 0.
    pub(super) fn amount(self) -> f64 {
        self.amount.max(0.0)
    }
}
