//! Group S.
