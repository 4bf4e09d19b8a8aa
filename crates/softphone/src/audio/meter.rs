//! How loud it is.

/// The loudest sample since the last reading, falling slowly, as a meter shows it.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    peak: f32,
    shown: f32,
}

/// Part of the last reading that is left when it is quiet.
const FALL: f32 = 0.7;

impl Meter {
    pub(crate) fn hear(&mut self, samples: &[f32]) {
        self.peak = samples.iter().fold(self.peak, |peak, sample| peak.max(sample.abs()));
    }

    /// 0 to 1.
    pub(crate) fn read(&mut self) -> f32 {
        self.shown = self.peak.max(self.shown * FALL).min(1.0);
        if self.shown < 1e-4 {
            self.shown = 0.0;
        }
        self.peak = 0.0;
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_at_once_and_falls_slowly() {
        let mut meter = Meter::default();
        meter.hear(&[0.1, -0.8, 0.2]);
        assert_eq!(meter.read(), 0.8);
        assert!(meter.read() > 0.5);
        for _ in 0..40 {
            meter.read();
        }
        assert_eq!(meter.read(), 0.0);
    }
}
