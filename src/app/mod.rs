//! The state of the workbench. Imports all but `net`, `ui`, `cli`.
