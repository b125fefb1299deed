//! The bridge from its public face: the translation alone, and the proxy over real sockets.

mod passing;
mod pool;
mod tokens;
mod translate;
mod wire;
