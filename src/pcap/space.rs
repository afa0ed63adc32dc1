//! How much room a file has to grow, so that a capture ends in order before a disk is full.

use std::fs::File;
use std::path::Path;

use super::error::Error;

/// What a capture leaves free on a disk if nothing else is said, in bytes.
pub const KEEP_FREE: u64 = 32 << 20;

/// Checks that the file system of a file has `keep` bytes left for this user (fstatvfs). 0 asks for nothing, and so does
/// what is no regular file.
///
/// # Errors
/// [`Error::DiskLow`]. A file system that does not tell is no error.
pub fn check_room(file: &File, path: &Path, keep: u64) -> Result<(), Error> {
    if keep == 0 || !file.metadata().is_ok_and(|m| m.is_file()) {
        return Ok(());
    }
    let Ok(state) = rustix::fs::fstatvfs(file) else { return Ok(()) };
    let free = state.f_bavail.saturating_mul(state.f_frsize);
    if free < keep { Err(Error::DiskLow { path: path.to_path_buf(), free, keep }) } else { Ok(()) }
}
