//! Tables, bit access, checksums, dissection and notation. Imports nothing of ours.
