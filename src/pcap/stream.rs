//! Captures that come through a pipe, and files made where nobody else can look.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::capture::CaptureFile;
use super::error::Error;
use super::feed::Pump;
use super::indexer::Report;
use super::sniff::{PCAP_HEADER, PREFIX, identify};
use super::space::KEEP_FREE;
use super::unpack::{Packing, Unpacked};

/// How many names are tried for a new file.
const TRIES: u32 = 10_000;

/// Reads a capture from a stream to its end and opens it; one that is compressed with gzip or zstd is unpacked.
///
/// The bytes are kept in a file without a name in the directory for temporary files (`TMPDIR`, else `/var/tmp` or `/tmp`),
/// which is gone when the capture is. A stream that is no capture is refused after its first bytes. What is wrong behind
/// them is no error, but stands in the report. [`Loader`](super::Loader) gives the packets while they come.
///
/// # Errors
/// Those of [`CaptureFile::open`], and [`Error::Io`] when the stream cannot be read or the temporary file not
/// written.
pub fn open_stream(stream: impl Read) -> Result<(CaptureFile, Report), Error> {
    let name = Path::new("standard input");
    let begun = Begun::new(stream, name, Keep::Unnamed)?;
    let (capture, mut indexer) = CaptureFile::from_file(begun.file, name)?;
    let mut source = begun.source;
    let mut pump = Pump::new(Arc::clone(capture.file()), begun.place, begun.first.len() as u64, KEEP_FREE);
    let fault = loop {
        match pump.step(&mut source) {
            Ok(true) => {}
            Ok(false) => break None,
            Err(fault) => break Some(fault),
        }
    };
    let mut report = indexer.run(&mut |_| std::ops::ControlFlow::Continue(()))?;
    if let Some(fault) = fault {
        report.problem =
            Some(fault.problem(name, begun.packing, begun.packed.load(Ordering::Relaxed), &report));
    }
    Ok((capture, report))
}

/// Where the bytes of a stream are kept.
#[derive(Debug, Clone, Copy)]
pub enum Keep<'a> {
    /// In a file without a name, gone with the capture.
    Unnamed,
    /// In a spool in this directory: found again at the next start if this program is killed
    /// ([`left_spools`](super::left_spools)), and there until somebody removes it.
    Spool(&'a Path),
}

/// A stream whose first bytes came and are those of a capture.
pub(super) struct Begun<R: Read> {
    /// What comes behind the first bytes, unpacked.
    pub(super) source: Unpacked<R>,
    pub(super) packing: Option<Packing>,
    /// Bytes of the compressed source that were unpacked.
    pub(super) packed: Arc<AtomicU64>,
    /// What came first, unpacked; it stands in the file.
    pub(super) first: Vec<u8>,
    pub(super) file: File,
    /// The file's name, or the one that it had.
    pub(super) place: PathBuf,
    /// It still has it.
    pub(super) named: bool,
}

impl<R: Read> Begun<R> {
    /// Waits for the first bytes.
    pub(super) fn new(mut stream: R, name: &Path, keep: Keep<'_>) -> Result<Self, Error> {
        let failed = |source| Error::io("read", name, source);
        let raw = first_bytes(&mut stream).map_err(failed)?;
        let packed = Arc::<AtomicU64>::default();
        let mut source = Unpacked::new(raw, stream, Arc::clone(&packed));
        let packing = source.packing();
        let first = first_bytes(&mut source).map_err(|source| match packing {
            None => failed(source),
            Some(packing) => Error::Header {
                path: name.to_path_buf(),
                reason: format!(
                    "it is compressed with {}, and damaged at its beginning: {source}",
                    packing.name()
                ),
            },
        })?;
        identify(name, &first)?;
        let (mut file, place) = match keep {
            Keep::Unnamed => {
                let (file, path) = temporary()?;
                std::fs::remove_file(&path)
                    .map_err(|source| Error::io("remove the name of", &path, source))?;
                (file, path)
            }
            Keep::Spool(directory) => super::spool::create_file(directory)?,
        };
        file.write_all(&first).map_err(|source| Error::io("write to", &place, source))?;
        let named = matches!(keep, Keep::Spool(_));
        Ok(Self { source, packing, packed, first, file, place, named })
    }
}

/// As many bytes as the header of any capture has; fewer only where the stream ends.
fn first_bytes(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut first = vec![0; PREFIX];
    let mut length = 0;
    while length < PCAP_HEADER {
        let Some(rest) = first.get_mut(length..) else { break };
        match stream.read(rest) {
            Ok(0) => break,
            Ok(n) => length += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What came before an error is looked at; the error comes again.
            Err(_) if length > 0 => break,
            Err(error) => return Err(error),
        }
    }
    first.truncate(length);
    Ok(first)
}

/// Makes a temporary file: in `TMPDIR` if it is set, else where large files belong.
fn temporary() -> Result<(File, PathBuf), Error> {
    let name = |n: &str| format!("rawbench-{n}.tmp");
    if std::env::var_os("TMPDIR").is_none()
        && let Ok(made) = create_new(Path::new("/var/tmp"), 0o600, name)
    {
        return Ok(made);
    }
    create_new(&std::env::temp_dir(), 0o600, name)
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
