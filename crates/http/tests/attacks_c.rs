//! Group C.
