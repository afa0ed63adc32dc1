//! Capture files. Imports `wire`.
//!
//! - [`CaptureFile`] opens pcap and pcapng, also compressed, indexes them by plain reads, and gives packets; a [`Loader`] does
//!   so while others look, from a file or a stream, and a [`Watch`] tells when a file has grown.
//! - [`Writer`] writes pcapng and pcap with nanoseconds; [`save_as`] saves packets of a capture safely.
//! - [`Spool`] is what a recorder appends to; its [`Spool::capture_file`] is what a viewer reads meanwhile.
//! - [`Index`] and [`SharedIndex`] list the packets; a viewer takes snapshots and never holds up the recorder.
//!
//! No file is trusted: bad content never panics, never loops, and no length in a file decides alone how much memory
//! is taken.
//!
//! Sources: draft-ietf-opsawg-pcapng, draft-ietf-opsawg-pcap, pcap-savefile(5), pcap-linktype(7).

mod ahead;
mod capture;
mod cooked;
mod copy;
mod encode;
mod error;
mod feed;
mod fields;
mod guard;
mod index;
mod indexer;
mod left;
mod loader;
mod losses;
mod private;
mod save;
mod scan;
mod sections;
mod sniff;
mod space;
mod spool;
mod stream;
mod types;
mod unpack;
mod watch;
mod window;
mod writer;

pub use capture::{CaptureFile, PacketReader};
pub use error::Error;
pub use feed::FeedStop;
pub use index::{Index, IndexEntry, SharedIndex};
pub use indexer::{Indexer, Problem, Progress, Report};
pub use left::{LeftSpool, left_spools};
pub use loader::Loader;
pub use losses::Loss;
pub use private::private_directory;
pub use save::{Saved, Selection, save_as};
pub use space::{KEEP_FREE, check_room};
pub use spool::{Spool, Syncer};
pub use stream::{Keep, open_stream};
pub use types::{
    ChecksumState, DEFAULT_SNAP_LENGTH, Direction, Format, InterfaceInfo, InterfaceStatistics, LinkType,
    MAX_PACKET_LENGTH, PacketRecord,
};
pub use watch::{Name, Nudge, Watch, Woken};
pub use writer::Writer;
