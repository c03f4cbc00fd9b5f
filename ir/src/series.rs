//! Values over time: inputs, and what interpreters and the emulator produce.

/// `steps` rows of `width` values, row major. Row t holds step t.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Series {
    pub steps: usize,
    pub width: usize,
    pub data: Vec<f64>,
}

impl Series {
    pub fn zeros(steps: usize, width: usize) -> Self {
        Self {
            steps,
            width,
            data: vec![0.0; steps * width],
        }
    }
    pub fn row(&self, step: usize) -> &[f64] {
        &self.data[step * self.width..(step + 1) * self.width]
    }
    pub fn row_mut(&mut self, step: usize) -> &mut [f64] {
        &mut self.data[step * self.width..(step + 1) * self.width]
    }
    /// Drops the first `latency` rows.
    #[must_use]
    pub fn skip(mut self, latency: usize) -> Self {
        let n = latency.min(self.steps);
        self.data.drain(..n * self.width);
        self.steps -= n;
        self
    }
    /// Keeps at most `steps` rows.
    #[must_use]
    pub fn truncate(mut self, steps: usize) -> Self {
        self.steps = self.steps.min(steps);
        self.data.truncate(self.steps * self.width);
        self
    }
}

/// What of a node is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Observable {
    /// What the node sends: 0/1 or counts for neurons, values for others.
    Spikes,
    /// The membrane after reset, in the file's units.
    V,
    /// The synaptic current (CubaLIF, CubaLI).
    I,
}

impl Observable {
    pub fn name(self) -> &'static str {
        match self {
            Observable::Spikes => "spikes",
            Observable::V => "v",
            Observable::I => "i",
        }
    }
}
