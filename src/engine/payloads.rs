//! Payloads that the notation only names: random bytes and files.

use std::fs::File;
use std::io::Read;

use crate::craft::build::Sources;
use crate::wire::notation::MAX_PAYLOAD;

/// Random bytes from this process, files from the file system.
#[derive(Debug, Default)]
pub struct System {
    random: fastrand::Rng,
}

impl System {
    /// The same random bytes with the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed) }
    }
}

impl Sources for System {
    fn random(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.random.fill(&mut bytes);
        bytes
    }

    fn file(&mut self, path: &str) -> Result<Vec<u8>, String> {
        let fail = |error: std::io::Error| format!("cannot read {path}: {error}");
        let file = File::open(path).map_err(fail)?;
        let mut bytes = Vec::new();
        // One byte more than may be there: so a device without an end is refused, not read for ever.
        file.take(MAX_PAYLOAD as u64 + 1).read_to_end(&mut bytes).map_err(fail)?;
        if bytes.len() > MAX_PAYLOAD {
            return Err(format!(
                "{path} is longer than {MAX_PAYLOAD} bytes, the most that a packet can carry"
            ));
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_refused() {
        let why = System::default().file("/dev/zero").unwrap_err();
        assert!(why.contains("longer than 65535 bytes"), "{why}");
        assert_eq!(System::default().random(7).len(), 7);
    }
}
