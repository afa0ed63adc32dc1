//! Captures that come through a pipe, and files made where nobody else can look.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::capture::CaptureFile;
use super::error::Error;
use super::indexer::Report;
use super::sniff::{PREFIX, identify};

/// How many names are tried for a new file.
const TRIES: u32 = 10_000;

/// Reads a capture from a stream, such as standard input, to its end and opens it.
///
/// The bytes are kept in a file without a name in the directory for temporary files (`TMPDIR`, else `/tmp`), which
/// is gone when the capture is. A stream that is no capture is refused after its first bytes.
///
/// # Errors
/// Those of [`CaptureFile::open`], and [`Error::Io`] when the stream cannot be read or the temporary file not
/// written.
pub fn open_stream(stream: impl Read) -> Result<(CaptureFile, Report), Error> {
    let name = Path::new("standard input");
    let file = copy_to_temporary(stream, name)?;
    let (capture, mut indexer) = CaptureFile::from_file(file, name)?;
    let report = indexer.run(&mut |_| std::ops::ControlFlow::Continue(()))?;
    Ok((capture, report))
}

/// Copies a stream to an unnamed temporary file, once its first bytes are those of a capture.
pub(super) fn copy_to_temporary(mut stream: impl Read, name: &Path) -> Result<File, Error> {
    let mut first = Vec::new();
    let read = Read::by_ref(&mut stream).take(PREFIX as u64).read_to_end(&mut first);
    read.map_err(|source| Error::io("read", name, source))?;
    identify(name, &first)?;
    let (mut file, path) = create_new(&std::env::temp_dir(), 0o600, |n| format!("rawbench-{n}.tmp"))?;
    std::fs::remove_file(&path).map_err(|source| Error::io("remove the name of", &path, source))?;
    file.write_all(&first).map_err(|source| Error::io("write to", &path, source))?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let n = match stream.read(&mut buffer) {
            Ok(0) => return Ok(file),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::io("read", name, error)),
        };
        let bytes = buffer.get(..n).unwrap_or_default();
        file.write_all(bytes).map_err(|source| Error::io("write to", &path, source))?;
    }
}

/// Makes a file that did not exist. `name` is asked for names, with "PID-0", "PID-1" … until one is free.
pub(super) fn create_new(
    directory: &Path,
    mode: u32,
    name: impl Fn(&str) -> String,
) -> Result<(File, PathBuf), Error> {
    for n in 0..TRIES {
        let path = directory.join(name(&format!("{}-{n}", std::process::id())));
        match OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("make the file", &path, error)),
        }
    }
    Err(Error::NoFreeName { directory: directory.to_path_buf(), tried: TRIES })
}
