//! What notation asks the machine for: random bytes, files.

use crate::craft::build::Sources;

/// Payloads of notations that are typed into the window.
pub(super) struct LocalSources;

impl Sources for LocalSources {
    fn random(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        fastrand::fill(&mut bytes);
        bytes
    }

    fn file(&mut self, path: &str) -> Result<Vec<u8>, String> {
        let fail = |e: std::io::Error| format!("cannot read {path}: {e}");
        let size = std::fs::metadata(path).map_err(fail)?.len();
        if size > crate::wire::notation::MAX_PAYLOAD as u64 {
            return Err(format!("{path} has {size} bytes, more than a packet can carry"));
        }
        std::fs::read(path).map_err(fail)
    }
}
