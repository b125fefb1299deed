//! Group M.
