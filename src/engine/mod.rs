//! The threads. Imports `net`, `pcap`, `craft`, `wire`.
