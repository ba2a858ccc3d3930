//! Some measurements of one thing.

pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn new(mut samples: Vec<f64>) -> Samples {
        assert!(!samples.is_empty());
        samples.sort_by(f64::total_cmp);
        Samples(samples)
    }

    pub(crate) fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    /// Half of the 95 % interval of the mean.
    pub(crate) fn half_interval(&self) -> f64 {
        let count = self.0.len() as f64;
        if count < 2.0 {
            return 0.0;
        }
        let mean = self.mean();
        let squares: f64 = self.0.iter().map(|sample| (sample - mean).powi(2)).sum();
        // Student's t for 29 degrees of freedom; more are a little closer.
        2.045 * (squares / (count - 1.0) / count).sqrt()
    }

    /// `share` of them, 0 to 1, are not larger.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        self.0[rank.clamp(1, self.0.len()) - 1]
    }

    /// Whether the means differ by less than 10 %, or the intervals overlap.
    pub(crate) fn agrees_with(&self, other: &Samples) -> bool {
        let difference = (self.mean() - other.mean()).abs();
        difference < 0.1 * other.mean()
            || difference <= self.half_interval() + other.half_interval()
    }
}
