//! Group E.
