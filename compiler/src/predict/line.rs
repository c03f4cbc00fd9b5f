//! Cycles over packets: what weighted points say of a mean.

/// Sums over points that stand for shares of all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
}

impl Line {
    pub(super) fn add(&mut self, share: f64, x: f64, y: f64) {
        self.x += share * x;
        self.y += share * y;
        self.xx += share * x * x;
        self.xy += share * x * y;
    }

    /// The mean of y where that of x is known; shares add up to 1.
    pub(super) fn at(&self, x: f64) -> f64 {
        let spread = self.xx - self.x * self.x;
        let slope = match spread > 1e-9 {
            true => (self.xy - self.x * self.y) / spread,
            false => 0.0,
        };
        self.y + slope.max(0.0) * (x - self.x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_line_give_its_mean_anywhere() {
        let mut line = Line::default();
        for (share, x) in [(0.5, 1.0), (0.25, 3.0), (0.25, 10.0)] {
            line.add(share, x, 7.0 + 2.0 * x);
        }
        assert!((line.at(4.0) - 15.0).abs() < 1e-9);
        let mut level = Line::default();
        level.add(1.0, 3.0, 5.0);
        assert_eq!(level.at(8.0), 5.0);
    }
}
