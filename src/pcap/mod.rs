//! Capture files. Imports `wire`.
