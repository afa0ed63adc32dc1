//! Compressed captures: gzip (RFC 1952) and Zstandard (RFC 8878), recognised by their first bytes.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How much of a compressed file is read at once, in bytes.
const BLOCK: usize = 256 * 1024;
/// How much of it is unpacked in one go, in bytes: what is lost with the piece that turns out to be damaged.
const PIECE: usize = 512;
/// The beginnings of both, and of zstd's frames that are skipped (RFC 8878 section 3.1.2), whose lowest 4 bits may be any.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];
const ZSTD: u32 = 0xFD2F_B528;
const SKIPPABLE: u32 = 0x184D_2A50;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// By the first bytes of a file; `None`: it is not compressed in a way that is known here.
    pub(super) fn of(first: &[u8]) -> Option<Self> {
        let magic = first.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        match magic {
            _ if first.starts_with(&GZIP) => Some(Self::Gzip),
            Some(magic) if magic == ZSTD || magic & !0xF == SKIPPABLE => Some(Self::Zstd),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// A reader that counts what was read through it.
#[derive(Debug)]
pub(super) struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    pub(super) const fn new(inner: R, count: Arc<AtomicU64>) -> Self {
        Self { inner, count }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// A source whose first bytes were read already.
type Begun<R> = Chain<Cursor<Vec<u8>>, R>;

/// What a source gives, unpacked where it is compressed.
pub(super) enum Unpacked<R: Read> {
    Plain(Begun<R>),
    // Small pieces, so that what was unpacked before a damage is not given up with it.
    Gzip(Box<MultiGzDecoder<Pieces<Begun<R>>>>),
    Zstd(Box<Frames<Begun<R>>>),
}

type Pieces<R> = BufReader<BufReader<Counted<R>>>;

impl<R: Read> Unpacked<R> {
    /// `first`: bytes of the source that were read already, enough of them to tell what it is. `count` is told how many
    /// bytes of the compressed source were unpacked, and stays as it is where the source is not compressed.
    pub(super) fn new(first: Vec<u8>, rest: R, count: Arc<AtomicU64>) -> Self {
        let packing = Packing::of(&first);
        let whole = Cursor::new(first).chain(rest);
        match packing {
            None => Self::Plain(whole),
            Some(Packing::Gzip) => {
                let blocks = BufReader::with_capacity(BLOCK, Counted::new(whole, count));
                Self::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(PIECE, blocks))))
            }
            Some(Packing::Zstd) => {
                let source = BufReader::with_capacity(BLOCK, Counted::new(whole, count));
                Self::Zstd(Box::new(Frames {
                    source,
                    decoder: FrameDecoder::new(),
                    fault: None,
                    begun: false,
                }))
            }
        }
    }

    pub(super) const fn packing(&self) -> Option<Packing> {
        match self {
            Self::Plain(_) => None,
            Self::Gzip(_) => Some(Packing::Gzip),
            Self::Zstd(_) => Some(Packing::Zstd),
        }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(into),
            Self::Gzip(source) => source.read(into),
            Self::Zstd(source) => source.read(into),
        }
    }
}

/// The frames of a zstd file, one after the other.
pub(super) struct Frames<R> {
    source: BufReader<Counted<R>>,
    decoder: FrameDecoder,
    /// Given once what was unpacked before it is taken.
    fault: Option<io::Error>,
    /// Within a frame.
    begun: bool,
}

impl<R: Read> Frames<R> {
    /// Begins the next frame; `false`: there is none.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => {
                    self.begun = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let skipped = io::copy(
                        &mut Read::by_ref(&mut self.source).take(u64::from(length)),
                        &mut io::sink(),
                    )?;
                    if skipped < u64::from(length) {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(plain(error)),
            }
        }
    }

    /// Unpacks a block. One that cannot be unpacked ends the frame, so that what came before it is given.
    fn advance(&mut self) {
        if let Err(error) = self.decoder.decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
        {
            self.fault = Some(plain(error));
            // An empty last block, and a checksum in case that one is expected.
            let end = [1, 0, 0, 0, 0, 0, 0];
            let _ = self.decoder.decode_blocks(&end[..], BlockDecodingStrategy::UptoBlocks(1));
        }
    }

    /// The end of a frame all of which was taken.
    fn end(&mut self) -> io::Result<()> {
        self.begun = false;
        match self.fault.take() {
            Some(fault) => Err(fault),
            None if self
                .decoder
                .get_checksum_from_data()
                .is_some_and(|said| self.decoder.get_calculated_checksum().is_some_and(|is| is != said)) =>
            {
                Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong"))
            }
            None => Ok(()),
        }
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.begun && !self.begin()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() && self.fault.is_none() {
                self.advance();
            }
            let n = self.decoder.read(into)?;
            if n > 0 || into.is_empty() {
                return Ok(n);
            }
            self.end()?;
        }
    }
}

/// The system's own error where there is one within, else what the library says in its words.
fn plain(error: FrameDecoderError) -> io::Error {
    let mut inner: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = inner {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return match io.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(io.kind(), io.to_string()),
            };
        }
        inner = cause.source();
    }
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    /// Bytes that compress, and not to nothing.
    fn data(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 60) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        compress_to_vec(data, CompressionLevel::Fastest)
    }

    /// What is given, and the error behind it.
    fn unpack(packed: &[u8]) -> (Vec<u8>, Option<io::Error>) {
        let (first, rest) = packed.split_at(packed.len().min(20));
        let mut source = Unpacked::new(first.to_vec(), rest, Arc::default());
        let (mut out, mut piece) = (Vec::new(), vec![0; 10_000]);
        loop {
            match source.read(&mut piece) {
                Ok(0) => return (out, None),
                Ok(n) => out.extend_from_slice(&piece[..n]),
                Err(error) => return (out, Some(error)),
            }
        }
    }

    #[test]
    fn several_members_and_skipped_frames_are_one_file() {
        let (one, two) = (data(300_000), data(5));
        let both = [one.clone(), two.clone()].concat();
        let packed = [gzip(&one), gzip(&two)].concat();
        assert_eq!(Packing::of(&packed), Some(Packing::Gzip));
        let (out, error) = unpack(&packed);
        assert!(out == both && error.is_none(), "{error:?}");
        let skipped = [&0x184D_2A53_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), b"abc"].concat();
        let packed = [skipped, zstd(&one), zstd(&two)].concat();
        assert_eq!(Packing::of(&packed), Some(Packing::Zstd));
        let (out, error) = unpack(&packed);
        assert!(out == both && error.is_none(), "{error:?}");
        let (out, error) = unpack(&both);
        assert!(out == both && error.is_none());
    }

    #[test]
    fn what_stands_before_a_damage_is_given() {
        let whole = data(600_000);
        for (packed, unit) in [(gzip(&whole), 8 * PIECE), (zstd(&whole), 128 * 1024)] {
            // Cut off.
            let (out, error) = unpack(&packed[..packed.len() / 2]);
            assert!(error.is_some() && whole.starts_with(&out));
            assert!(out.len() + unit + 2000 >= whole.len() / 2, "{} of {}", out.len(), whole.len());
            // Turned around in the middle: an error, at the latest by the checksum at the end.
            let mut packed = packed;
            let middle = packed.len() / 2;
            packed[middle..middle + 8].fill(0xFF);
            let (out, error) = unpack(&packed);
            assert!(error.is_some());
            let same = out.iter().zip(&whole).take_while(|(a, b)| a == b).count();
            assert!(same + unit + 2000 >= whole.len() / 2, "{same} of {}", whole.len());
        }
    }
}
