//! The window. Imports all but `net` and `cli`.
