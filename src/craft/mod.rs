//! The draft of a packet. Imports `wire`.
