//! The best of several rounds: disturbances only ever add.

/// The smallest value so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Best(Option<f64>);

impl Best {
    /// Takes another value into account.
    pub fn take(&mut self, value: f64) {
        self.0 = Some(self.0.map_or(value, |best| best.min(value)));
    }

    /// The smallest; 0 if there was none.
    pub fn value(self) -> f64 {
        self.0.unwrap_or_default()
    }
}
