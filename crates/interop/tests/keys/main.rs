//! Signing keys and key-encryption keys of running servers: stolen, exchanged, in the hands of two, in an HSM.

mod emergency;
mod hsm;
mod node;
mod rewrap;
